"""Putting an album right whose last change was interrupted: what every command does first."""

from __future__ import annotations

import os
from pathlib import Path

from albumkit.errors import AlbumError
from albumkit.journal.lock import FOLDER, locked
from albumkit.journal.rollback import PENDING, roll_back

#: Seconds to wait for a process that is about to finish; touching a hundred files takes less than one.
_PATIENCE = 5.0


def recover(album: Path) -> str:
    """Roll an interrupted change back. Costs one look at the disk when there is none.

    Returns:
        What was done, for a person; "" when there was nothing to do.

    Raises:
        AlbumError: the album waits to be recovered and cannot be (read-only, full disk, busy).
    """
    if not os.path.lexists(album / FOLDER / PENDING):
        return ""
    try:
        with locked(album, _PATIENCE) as workplace:
            if not os.path.lexists(workplace / PENDING):  # it was completed while we waited
                return ""
            problems = roll_back(Path(os.path.realpath(album)), workplace)
    except OSError as error:
        raise AlbumError(
            f"An interrupted change of {album.as_posix()} waits to be rolled back: "
            f"{error.strerror or error}.",
            "Make the album writable and run the command again.",
        ) from error
    done = f"{album.as_posix()}: an interrupted change was rolled back; every file is as it was before it."
    if not problems:
        return done
    return f"{album.as_posix()}: an interrupted change was rolled back, except: {'; '.join(problems)}."
