"""The run folder's own papers: ``run.json`` says what the run began with, so that it can go on without the
album.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from albumkit import __version__
from albumkit.atomic import write_whole
from albumkit.engine.knobs import Knobs
from albumkit.engine.pack import OpenPack
from albumkit.errors import AlbumkitError, UsageError
from albumkit.paths import quoted

SCHEMA = "albumkit-run/1"
_FILE = "run.json"


@dataclass(frozen=True)
class Begun:
    """What a run began with. ``base`` is as it was asked for, ``overrides`` are knobs of the command line;
    ``pack`` lies in the run.
    """

    album: Path
    base: str
    overrides: Mapping[str, Any]
    runtimes: tuple[str, ...]
    knobs: Knobs
    pack: Path = field(default=Path())


def free_run(name: str) -> Path:
    """``runs/NAME-1``, or the first number that is free."""
    number = 1
    while (run := Path("runs") / f"{name}-{number}").exists():
        number += 1
    return run


def write_run(run: Path, begun: Begun) -> None:
    """Write ``run.json``, whole."""
    document = {
        "schema": SCHEMA,
        "albumkit": __version__,
        "album": begun.album.as_posix(),
        "base": begun.base,
        "overrides": dict(begun.overrides),
        "runtimes": list(begun.runtimes),
        "knobs": begun.knobs.to_json(),
    }
    write_whole(run / _FILE, (json.dumps(document, indent=2) + "\n").encode())


def read_run(run: Path) -> Begun:
    """What a run began with.

    Raises:
        UsageError: it is no run, of another version, or has lost its pack.
    """
    try:
        document = json.loads((run / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--resume {run.as_posix()}: that is no run: it has no {_FILE}.") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f"{(run / _FILE).as_posix()} is not of the form {SCHEMA}.")
    packs = sorted((run / "pack").glob("*.zip"))
    if not packs:
        raise UsageError(f"{run.as_posix()} has lost its pack: there is no zip in {run.name}/pack.")
    return Begun(
        album=Path(document["album"]),
        base=document["base"],
        overrides=document["overrides"],
        runtimes=tuple(document["runtimes"]),
        knobs=Knobs.from_json(document["knobs"]),
        pack=packs[0],
    )


def changes_of(before: OpenPack, now: OpenPack) -> list[str]:
    """What is different, example by example."""
    old, new = ({item.root: item for item in pack.items} for pack in (before, now))
    words = [f"{root} is gone" for root in sorted(old.keys() - new.keys())]
    words += [f"{root} is new" for root in sorted(new.keys() - old.keys())]
    for root in sorted(old.keys() & new.keys()):
        one, other = old[root], new[root]
        parts = [
            ("picture", one.target.sha256 != other.target.sha256),
            ("input picture", [i.sha256 for i in one.inputs] != [i.sha256 for i in other.inputs]),
            ("caption", one.caption != other.caption),
            ("mask", (one.mask and one.mask.sha256) != (other.mask and other.mask.sha256)),
        ]
        if different := [name for name, is_other in parts if is_other]:
            words.append(f"{root}: another {' and '.join(different)}")
    return words


def changed_album(album: Path, run: Path, changes: list[str]) -> AlbumkitError:
    """The refusal to go on, with the pictures named."""
    shown = "; ".join(changes[:8]) + (f"; and {len(changes) - 8} more" if len(changes) > 8 else "")
    return AlbumkitError(
        f"{album.as_posix()} is not what the run began with: {shown}.",
        f"albumkit train --resume {quoted(run.as_posix())} --accept-album-changes",
    )
