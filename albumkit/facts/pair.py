"""Facts of edit pairs."""

from __future__ import annotations

from albumkit.album import Example
from albumkit.facts import album as _album  # noqa: F401 - registered first
from albumkit.facts.registry import fact
from albumkit.trainers import Trainer


@fact("pair")
def has_start(example: Example) -> bool:
    """Whether the pair has the picture to begin with."""
    return example.start is not None


@fact("pair")
def has_end(example: Example) -> bool:
    """Whether the pair has the picture that the edit should give."""
    return example.target is not None


@fact("pair")
def pair_root(example: Example) -> str:
    """The name that the sides of the pair share."""
    return example.root.rpartition("/")[2]


@fact("pair")
def start_name(pair_root: str, trainer: Trainer) -> str:
    """What the missing start image would be called, without ending."""
    pairs = trainer.archive.pairs
    return (pairs.start if pairs else "ROOT_start").replace("ROOT", pair_root)


@fact("pair")
def end_name(pair_root: str, trainer: Trainer) -> str:
    """What the missing end image would be called, without ending."""
    pairs = trainer.archive.pairs
    return (pairs.end if pairs else "ROOT_end").replace("ROOT", pair_root)
