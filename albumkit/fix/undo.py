"""Taking the last change back, file by file, without touching what somebody changed since.

Each command takes back what it wrote itself: ``fix --undo`` no captions, ``caption --undo`` no fixes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumkit.errors import AlbumkitError
from albumkit.fix.draft import Edit, Refusal
from albumkit.journal import Change, Record, Seen, digest, history, inside, is_there, perform

NAME = "undo"
#: The kinds of changes in the journal, by the word that people know them by.
KINDS: Mapping[str, frozenset[str]] = {
    "fix": frozenset({"apply", "set"}),
    "caption": frozenset({"caption"}),
    "mask": frozenset({"mask"}),
}


@dataclass(frozen=True, slots=True)
class Undone:
    """``record`` is the change that was taken back. ``left``: those that can be undone after it."""

    record: Record
    edits: tuple[Edit, ...]
    refusals: tuple[Refusal, ...]
    left: int


def undoable(album: Path, what: str = "fix") -> list[Record]:
    """Changes of one of :data:`KINDS` that were not undone, the oldest first."""
    records = history(album)
    undone = {record.note.get("undoes") for record in records if record.kind == NAME}
    return [record for record in records if record.kind in KINDS[what] and record.name not in undone]


def undo(album: Path, workplace: Path, shown: str, what: str = "fix") -> Undone:
    """Take the last change back that was not undone yet. What it wrote is kept in the folder of the undo.

    Args:
        album: The folder, links resolved; its lock is held.
        shown: The album as people call it.
        what: Which of :data:`KINDS` is meant.

    Raises:
        AlbumkitError: there is nothing to undo, or the disk refuses; then nothing is changed.
    """
    records = undoable(album, what)
    if not records:
        raise AlbumkitError(f"{shown}: there is no {what} to undo.")
    last = records[-1]
    changes: list[Change] = []
    edits: list[Edit] = []
    refusals: list[Refusal] = []
    for index, entry in reversed(list(enumerate(last.entries))):
        change, refusal = _back(album, last, index, entry)
        if change is not None:
            changes.append(change)
            edits.append(_words(entry, change, what))
        if refusal is not None:
            refusals.append(refusal)
    if changes:
        perform(album, workplace, NAME, {"undoes": last.name}, changes)
    return Undone(last, tuple(edits), tuple(refusals), len(records) - 1 if changes else len(records))


def _back(
    album: Path, record: Record, index: int, entry: Mapping[str, Any]
) -> tuple[Change | None, Refusal | None]:
    """The change that takes one entry back, and what of it cannot be. A file that somebody edited gets its
    name back, so that it stays with its picture, and keeps its new contents.
    """
    old, new = entry["from"], entry["to"]
    if new is None:
        return _brought_back(album, record, index, entry)
    now = inside(album, new)
    if not is_there(now):
        return None, Refusal(NAME, new, f"it is no longer there{_kept(record, index, entry)}")
    if old is not None and old != new and _is_taken(inside(album, old), now):
        return None, Refusal(NAME, new, f"{old} is there again{_kept(record, index, entry)}")
    touched = "after" in entry and digest(now) != entry["after"]
    if old is None:
        if touched:
            return None, Refusal(NAME, new, "it was changed since, so it stays")
        return Change(new, None, seen=Seen.of(now)), None
    refusal = None
    data: Path | None = None
    if "after" in entry:
        kept = record.old(index)
        if touched:
            refusal = Refusal(NAME, new, f"it was changed since, so it stays{_kept(record, index, entry)}")
        elif not kept.is_file() or digest(kept) != entry["before"]:
            refusal = Refusal(NAME, new, "its kept original is gone or was changed")
        else:
            data = kept
    if data is None and old == new:
        return None, refusal
    return Change(new, old, data, Seen.of(now)), refusal


def _brought_back(
    album: Path, record: Record, index: int, entry: Mapping[str, Any]
) -> tuple[Change | None, Refusal | None]:
    """The same for a file that was taken away."""
    kept = record.old(index)
    if os.path.lexists(inside(album, entry["from"])):
        return None, Refusal(NAME, entry["from"], f"it is there again; its original is {kept.as_posix()}")
    if not kept.is_file() or digest(kept) != entry["before"]:
        return None, Refusal(NAME, entry["from"], "its kept original is gone or was changed")
    return Change(None, entry["from"], kept), None


def _is_taken(place: Path, now: Path) -> bool:
    """Whether another file has the old name; a name that differs in case alone may be the file's own."""
    if not os.path.lexists(place):
        return False
    return not os.path.samestat(place.lstat(), now.lstat())


def _kept(record: Record, index: int, entry: Mapping[str, Any]) -> str:
    kept = record.old(index)
    return f"; its original is {kept.as_posix()}" if "after" in entry and kept.is_file() else ""


def _words(entry: Mapping[str, Any], change: Change, what: str) -> Edit:
    if change.source is None:
        return Edit(NAME, entry["from"], "brought back")
    if change.target is None:
        return Edit(NAME, entry["to"], f"taken away; it was made by {what}")
    words = [f"-> {entry['from'].rpartition('/')[2]}"] if entry["from"] != entry["to"] else []
    words += ["its bytes of before"] if change.data is not None else []
    return Edit(NAME, entry["to"], ", ".join(words))
