"""One process at a time changes an album, or trains into a run."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from albumkit.errors import AlbumError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: Our folder inside an album; the reader of albums passes over hidden names.
FOLDER = ".albumkit"
_STEP = 0.05


def workplace(album: Path) -> Path:
    """``ALBUM/.albumkit``, made when it is not there, with the .gitignore that hides it from git.

    Raises:
        AlbumError: it cannot be made, or something else has its name.
    """
    folder = album / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        if folder.is_symlink() or (folder / "undo").is_symlink():  # they would lead our files elsewhere
            raise NotADirectoryError(0, "it is a link, not a folder")
        with contextlib.suppress(FileExistsError), open(folder / ".gitignore", "x", encoding="ascii") as file:
            file.write("*\n")
    except OSError as error:
        raise AlbumError(
            f"{folder.as_posix()} cannot be written: {error.strerror or error}. Nothing was changed.",
            "Originals are kept there, so that every fix can be undone; make the album writable.",
        ) from error
    return folder


@contextlib.contextmanager
def locked(album: Path, patience: float = 0.0) -> Iterator[Path]:
    """Hold the album's lock; gives its ``.albumkit``. The system drops the lock with the process.

    Args:
        patience: Seconds to wait for another process.

    Raises:
        AlbumError: another process changes the album; the folder cannot be written.
    """
    folder = workplace(album)
    busy = f"Another albumkit is changing {album.as_posix()} right now."
    with held(folder / "lock", busy, patience):
        yield folder


@contextlib.contextmanager
def held(file: Path, busy: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock of that name, which is made. The system drops it with the process.

    Args:
        busy: What to say where another process holds it.
        patience: Seconds to wait for that one.

    Raises:
        AlbumError: another process holds it, or the file cannot be opened.
    """
    try:
        stream = open(file, "a+b")  # noqa: SIM115 - closed below
    except OSError as error:
        raise AlbumError(f"{file.as_posix()} cannot be opened: {error.strerror}.") from error
    with stream:
        end = time.monotonic() + patience
        while not _take(stream):
            if time.monotonic() >= end:
                raise AlbumError(busy, "Wait until it is done, then try again.")
            time.sleep(_STEP)
        yield


def _take(stream: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks: nobody can tell then, and two fixes at once are rare
        return os.name != "nt"
    return True
