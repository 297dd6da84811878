"""The frozen models that LoRAs are trained on: ``rules/bases.json``.

A base is named by people in many ways: a name on the hub, a folder, one of ComfyUI's files, a folder of the
hub's own cache. So it is recognised by words; what no word list fits is a base that we do not know.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass

from albumkit.documents import unusable
from albumkit.paths import rules_root


@dataclass(frozen=True, slots=True)
class Base:
    """One entry of ``rules/bases.json``; None where no source states a value."""

    id: str
    title: str
    words: tuple[str, ...]
    hub: str | None
    #: Made to need a few steps only. Distilled guidance alone (FLUX.1 dev) does not count.
    distilled: bool
    #: Id of the base to train on instead.
    train_on: str | None
    #: Side in pixels of the square whose area its pictures have by default.
    picture_side: int | None
    licence: str | None
    #: "yes", "no" or "conditions".
    commercial: str | None
    sources: tuple[str, ...]
    #: How far its pictures lean away from the empty prompt by default, where it is not what is usual.
    guidance: float | None = None


@functools.cache
def all_bases() -> tuple[Base, ...]:
    """Every base that we know, in the order of the file."""
    file = rules_root() / "bases.json"
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["bases"]
        return tuple(
            Base(**{**row, "words": tuple(row["words"]), "sources": tuple(row["sources"])}) for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unusable(file, "a list of bases", "bases.schema.json") from error


def base_of_family(family: str) -> Base | None:
    """The base that a trainer's file names by its family, or None."""
    return next((base for base in all_bases() if base.id == family), None)


def find_base(name: str) -> Base | None:
    """The base that a hub name or a path means, or None.

    The last part of a path counts first: ``models/base/flux-2-klein-4b.safetensors`` is no base version.
    """
    for part in reversed(re.split(r"[/\\]", name)):
        plain = re.sub(r"[^a-z0-9]", "", part.casefold())
        fitting = [base for base in all_bases() if all(word in plain for word in base.words)]
        if fitting:
            return max(fitting, key=lambda base: sum(map(len, base.words)))
    return None
