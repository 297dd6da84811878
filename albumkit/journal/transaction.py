"""Changes to the files of an album that happen together: staging, journal, edits, commit."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumkit.atomic import sync_folder, write_whole
from albumkit.errors import AlbumError, AlbumkitError
from albumkit.journal.lock import FOLDER
from albumkit.journal.moves import digest, keep, move, write_new
from albumkit.journal.rollback import JOURNAL, PENDING, STAGE_NAME, Stage, inside, roll_back

SCHEMA = "albumkit-journal/1"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was when somebody decided to change it: size, time and inode."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Seen:
        info = path.lstat()
        return cls(info.st_size, info.st_mtime_ns, info.st_ino)


@dataclass(frozen=True, slots=True)
class Change:
    """One file before and after; paths are relative to the album, POSIX.

    ``source`` and ``target`` differ: renamed. ``data``: new contents, as bytes or as a file that holds them.
    ``source`` None: created. ``target`` None: taken away, into the folder of the change.
    """

    source: str | None
    target: str | None
    data: bytes | Path | None = None
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A change that is done. ``entries``: per file ``from``, ``to``, ``before`` and ``after`` (sha256 of its
    bytes, where they were changed), in the order of the edits.
    """

    name: str
    folder: Path
    kind: str
    note: Mapping[str, Any]
    entries: tuple[Mapping[str, Any], ...]

    def old(self, index: int) -> Path:
        """Where the original of an entry is kept."""
        return Stage(self.folder).old(index)


def perform(
    album: Path, workplace: Path, kind: str, note: Mapping[str, Any], changes: Sequence[Change]
) -> Record:
    """Make all changes, or none. The album's lock must be held.

    Args:
        album: The album's folder, links resolved.
        workplace: What ``locked`` gave.
        kind: What this is, for :func:`history`: ``apply``, ``set``, ``caption``, ``mask``, ``undo``.
        note: Kept in the journal; plain JSON.

    Raises:
        AlbumkitError: naming the file in the way; the album is as it was.
    """
    if _go_back(album, workplace):  # somebody died since this change was planned
        raise AlbumError("An interrupted change was rolled back.", "Run the command again.")
    stage = Stage(_next_folder(workplace))
    try:
        entries = _stage(album, stage, changes)
        journal = {"schema": SCHEMA, "kind": kind, "stage": stage.folder.name, "note": note}
        document = json.dumps({**journal, "changes": entries}, indent=1)
        write_whole(workplace / PENDING, document.encode())
    except BaseException:
        if not _go_back(album, workplace):  # nothing was touched; these are links and copies of our own
            shutil.rmtree(stage.folder, ignore_errors=True)
        raise
    try:
        for index, change in enumerate(changes):
            _edit(album, stage, index, change)
        for folder in {inside(album, p).parent for c in changes for p in (c.source, c.target) if p}:
            sync_folder(folder)
        for folder in (stage.folder / "old", stage.folder / "new"):
            sync_folder(folder)
        (workplace / PENDING).rename(stage.folder / JOURNAL)  # the commit
    except BaseException as error:
        _go_back(album, workplace)
        if isinstance(error, OSError):
            raise _unchanged(workplace.as_posix(), error) from error
        raise
    sync_folder(stage.folder)
    sync_folder(workplace)
    with contextlib.suppress(OSError):
        (stage.folder / "new").rmdir()
    return Record(stage.folder.name, stage.folder, kind, note, tuple(entries))


def _go_back(album: Path, workplace: Path) -> bool:
    """Roll back what is pending; False when nothing is, because it never began or was committed."""
    if not (workplace / PENDING).exists():
        return False
    if problems := roll_back(album, workplace):
        raise AlbumError(f"The change was rolled back, except: {'; '.join(problems)}.")
    return True


def history(album: Path) -> list[Record]:
    """Every change that was completed, the oldest first. Folders that hold no journal are passed over."""
    records = []
    for file in sorted((album / FOLDER / "undo").glob(f"*/{JOURNAL}")):
        if file.parent.is_symlink() or (file.parent / "old").is_symlink():
            continue  # a stranger's: "originals" from anywhere
        try:
            document = json.loads(file.read_bytes())
            entries = tuple(document["changes"])
            records.append(Record(file.parent.name, file.parent, document["kind"], document["note"], entries))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AlbumError(f"{file.as_posix()} is no journal of albumkit: {error}.") from error
    return sorted(records, key=lambda record: _number(record.name))


def _next_folder(workplace: Path) -> Path:
    """``undo/0012-20261125-043107``; what a process left that died before it touched anything is swept."""
    undo = workplace / "undo"
    try:
        undo.mkdir(exist_ok=True)
        for folder in undo.iterdir():
            if STAGE_NAME.fullmatch(folder.name) and not any(folder.glob("*.json")):
                shutil.rmtree(folder, ignore_errors=True)
        for file in workplace.glob(".*.albumkit.tmp"):
            file.unlink()
        number = 1 + max((_number(name) for name in os.listdir(undo)), default=0)
        folder = undo / f"{number:04}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        folder.mkdir()
        (folder / "old").mkdir()
        (folder / "new").mkdir()
    except OSError as error:
        raise _unchanged(undo.as_posix(), error) from error
    return folder


def _number(name: str) -> int:
    head = name.partition("-")[0]
    return int(head) if head.isascii() and head.isdigit() else 0


def _stage(album: Path, stage: Stage, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Keep every original, write every new content; the album itself is not touched."""
    entries: list[dict[str, Any]] = []
    for index, change in enumerate(changes):
        entry: dict[str, Any] = {"from": change.source, "to": change.target}
        name = change.source or change.target or ""
        try:
            if change.source is not None and (change.data is not None or change.target is None):
                original = inside(album, change.source)
                entry["before"] = digest(original)
                if change.target is not None:
                    keep(original, stage.old(index))
            if change.data is not None:
                entry["after"] = _write_new(album, stage.new(index), change)
        except OSError as error:
            raise _unchanged(name, error) from error
        entries.append(entry)
    for folder in (stage.folder / "old", stage.folder / "new", stage.folder, stage.folder.parent):
        sync_folder(folder)
    return entries


def _write_new(album: Path, place: Path, change: Change) -> str:
    if isinstance(change.data, bytes):
        write_new(place, change.data)
        if change.source is not None:
            shutil.copymode(inside(album, change.source), place)
    elif change.data is not None:
        keep(change.data, place)
    return digest(place)


def _edit(album: Path, stage: Stage, index: int, change: Change) -> None:
    """One file takes its new contents, then its new name."""
    source = inside(album, change.source) if change.source is not None else None
    target = inside(album, change.target) if change.target is not None else None
    name = change.source or change.target or ""
    try:
        if source is not None and change.seen is not None and Seen.of(source) != change.seen:
            raise OSError(0, "it changed meanwhile")
        if source is None:
            if target is not None:
                move(stage.new(index), target, stage.aside(index))
            return
        if target is None:
            source.rename(stage.old(index))
            return
        if change.data is not None:
            stage.new(index).replace(source)
        if target != source:
            name = change.target or name
            move(source, target, stage.aside(index))
    except OSError as error:
        raise _unchanged(name, error) from error


def _unchanged(name: str, error: OSError) -> AlbumkitError:
    return AlbumkitError(f"{name}: {error.strerror or error}. Nothing was changed.")
