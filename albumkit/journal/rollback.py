"""The way back from a pending journal to the files as they were. Every step can be repeated."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumkit.atomic import sync_folder
from albumkit.errors import AlbumError
from albumkit.journal.moves import digest, move_back

PENDING = "pending.json"
JOURNAL = "journal.json"
ROLLED_BACK = "rolled-back.json"
STAGE_NAME = re.compile(r"[0-9]{4,}-[0-9]{8}-[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Stage:
    """The folder of one change and the places in it, by the number of the change."""

    folder: Path

    def old(self, index: int) -> Path:
        return self.folder / "old" / f"{index:04}"

    def new(self, index: int) -> Path:
        return self.folder / "new" / f"{index:04}"

    def aside(self, index: int) -> Path:
        """Where a file lies between two names that differ in case alone."""
        return self.folder / f"aside-{index:04}"


def inside(album: Path, path: str) -> Path:
    """A path of a journal, which must stay in the album: the folder may come from a stranger.

    Raises:
        AlbumError: it leads out of the album.
    """
    place = album / path
    parts = path.split("/")
    plain = path and not path.startswith("/") and ".." not in parts and not re.match(r"[A-Za-z]:", path)
    folder = Path(os.path.realpath(place.parent)) if plain and "\0" not in path else None
    if folder is None or (folder != album and album not in folder.parents):
        raise AlbumError(f"{path!r} leads out of {album.as_posix()}.")
    return place


def roll_back(album: Path, workplace: Path) -> list[str]:
    """Put everything back that the pending change did, whether it was interrupted or failed.

    Returns:
        What could not be put back because somebody changed it since, with the place of its original.

    Raises:
        AlbumError: the journal cannot be read, or the disk refuses; the next try goes on from here.
    """
    stage, entries = _read(workplace / PENDING)
    problems = []
    for index in reversed(range(len(entries))):
        entry = entries[index]
        try:
            problem = _put_back(album, stage, index, entry)
        except OSError as error:
            name = entry["from"] or entry["to"]
            raise AlbumError(
                f"An interrupted change of {album.as_posix()} waits to be rolled back, but {name}: "
                f"{error.strerror or error}.",
                f"Mend that and run the command again. The originals are in {stage.folder.as_posix()}/old.",
            ) from error
        if problem:
            problems.append(problem)
    for folder in {inside(album, p).parent for e in entries for p in (e["from"], e["to"]) if p}:
        sync_folder(folder)
    (workplace / PENDING).rename(stage.folder / ROLLED_BACK)
    sync_folder(workplace)
    if not problems:
        shutil.rmtree(stage.folder / "new", ignore_errors=True)  # our own, never in place
        shutil.rmtree(stage.folder / "old", ignore_errors=True)  # second names of what is back in place
    return problems


def _read(file: Path) -> tuple[Stage, list[Mapping[str, Any]]]:
    try:
        document = json.loads(file.read_bytes())
        name, entries = document["stage"], document["changes"]
        if not STAGE_NAME.fullmatch(name) or not all({"from", "to"} <= entry.keys() for entry in entries):
            raise ValueError("it has another form")
        folder = file.parent / "undo" / name
        if os.path.realpath(folder) != os.path.join(os.path.realpath(file.parent), "undo", name):
            raise ValueError("its folder is a link")  # a stranger's: we would tidy up elsewhere
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AlbumError(
            f"{file.as_posix()}, the journal of an interrupted change, cannot be read: {error}.",
            f"The originals are in {file.parent.as_posix()}/undo; move {file.name} away when all is right.",
        ) from error
    return Stage(folder), entries


def _put_back(album: Path, stage: Stage, index: int, entry: Mapping[str, Any]) -> str:
    """One file as it was; "" or why not."""
    source = inside(album, entry["from"]) if entry["from"] is not None else None
    target = inside(album, entry["to"]) if entry["to"] is not None else None
    if source is None:
        return _take_created(stage, index, target, entry) if target is not None else ""
    if target is None:
        if not os.path.lexists(stage.old(index)):
            return ""
        if os.path.lexists(source):
            return f"{entry['from']}: there is a new one; the old one is {stage.old(index).as_posix()}"
        stage.old(index).rename(source)
        return ""
    if target != source and (problem := move_back(source, target, stage.aside(index))):
        return f"{entry['from']}: {problem}"
    return _restore(source, stage.old(index), entry) if "after" in entry else ""


def _take_created(stage: Stage, index: int, target: Path, entry: Mapping[str, Any]) -> str:
    """A file that the fix made goes back to where it was written, unless somebody has edited it since."""
    if not os.path.lexists(target):
        return ""
    if os.path.lexists(stage.new(index)):
        if os.path.samestat(target.lstat(), stage.new(index).lstat()):
            target.unlink()  # it died between the link and taking the first name away
        return ""
    if digest(target) != entry["after"]:
        return f"{entry['to']}: it was changed since; it stays"
    target.rename(stage.new(index))
    return ""


def _restore(source: Path, kept: Path, entry: Mapping[str, Any]) -> str:
    with contextlib.suppress(FileNotFoundError):
        now = digest(source)
        if now == entry["before"]:
            return ""
        if now != entry["after"]:
            return f"{entry['from']}: it was changed since; it stays, its original is {kept.as_posix()}"
    kept.replace(source)
    return ""
