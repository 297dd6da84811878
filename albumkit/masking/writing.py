"""Masks into an album, all or none: through the journal, with the ledger told first; and back."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit.errors import AlbumkitError
from albumkit.fix import undo
from albumkit.fix.undo import Undone
from albumkit.journal import Change, Seen, locked, perform
from albumkit.ledger import Ledger, Written
from albumkit.opening import check_writable, recover_album

if TYPE_CHECKING:
    from albumkit.masking.run import Made

KIND = "mask"


def write_masks(path: Path, made: Sequence[Made], ledger: Ledger, note: Mapping[str, Any]) -> str:
    """Write masks; a mask that was changed since the album was read stops all of it.

    Args:
        path: The album's folder.
        note: What made them, for ledger and journal; plain JSON.

    Returns:
        The change's name in the journal.

    Raises:
        AlbumkitError: the ledger or the album cannot be written; nothing was.
    """
    album = Path(os.path.realpath(path))
    ledger.record(Written("mask", one.picture, hashlib.sha256(one.data).hexdigest(), note) for one in made)
    with locked(path) as workplace:
        for folder in {(album / one.job.target).parent for one in made}:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise AlbumkitError(
                    f"{folder.as_posix()} cannot be made: {error.strerror or error}. No mask was written."
                ) from error
        changes = [change for one in made for change in _changes(one)]
        return perform(album, workplace, KIND, note, changes).name


def _changes(made: Made) -> list[Change]:
    """The mask's file as it was when it was decided to replace it; anything else is in the way."""
    target, old = made.job.target, made.job.old
    if old is None:
        return [Change(None, target, made.data)]
    seen = Seen(old.size, old.mtime_ns, old.inode)
    if old.path == target:
        return [Change(target, target, made.data, seen)]
    return [Change(old.path, None, seen=seen), Change(None, target, made.data)]


def undo_masks(path: Path) -> Undone:
    """Take back the last masks that were written, and the ones before at the next call.

    Raises:
        AlbumkitError: there is nothing to undo, or the disk refuses; then nothing is changed.
    """
    check_writable(path, KIND)
    recover_album(path)
    album = Path(os.path.realpath(path))
    with locked(path) as workplace:
        done = undo(album, workplace, path.as_posix(), KIND)
    for folder in {(album / edit.path).parent for edit in done.edits}:
        if folder != album:
            with contextlib.suppress(OSError):  # only what is empty, as it was before
                folder.rmdir()
    return done
