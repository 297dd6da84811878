"""What becomes of an adapter in a loader: the words that all loader descriptions share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from albumkit.adapter.model import Adapter, Module
from albumkit.adapter.naming import Size

#: Ids of faults: what loads, but with other values than its writer meant.
FAULTS = {
    "adaln-halves-swapped": "the delta of the last adaLN lands on the wrong halves, shift on scale",
    "alpha-ignored": "its alpha is ignored, so its strength is another one",
    "magnitude-dropped": "the DoRA magnitude is dropped, the rest is used as a plain LoRA",
    "magnitude-of-base": "the DoRA magnitude is divided by the norm of the base's weight alone",
    "rank-mis-scaled": "modules of another rank than the first are scaled by the ratio of the ranks",
}


class LoaderError(Exception):
    """The loader raises: ``kind`` is the name of its exception, ``words`` say why."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind
        self.words = words


@dataclass
class Outcome:
    """What happened to each module, by name; filled while a file is sent through a loader."""

    loaded: dict[str, None] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    #: Fault -> module -> None, in the order of the file.
    faults: dict[str, dict[str, None]] = field(default_factory=dict)

    def drop(self, module: Module, why: str) -> None:
        """It has no effect; the first reason stays."""
        self.dropped.setdefault(module.name, why)
        self.loaded.pop(module.name, None)

    def load(self, module: Module) -> None:
        """It has an effect, unless it was dropped before."""
        if module.name not in self.dropped:
            self.loaded[module.name] = None

    def fault(self, code: str, modules: Iterable[Module]) -> None:
        """These have an effect, but a wrong one."""
        names = {module.name: None for module in modules if module.name in self.loaded}
        if names:
            self.faults.setdefault(code, {}).update(names)


def has_header_alpha(adapter: Adapter, module: Module) -> bool:
    """Whether the header's PEFT configuration alone gives it another strength than 1."""
    if adapter.peft is None or module.alpha is not None or module.kind != "lora":
        return False
    return abs(adapter.peft.scale(module.name, module.rank) - 1) > 1e-6


def shape_words(module: Module, size: Size) -> str:
    """What does not fit about a module in a model, in words."""
    place = module.place
    if place is None:
        return "no such module"
    if place.block is not None and place.block >= size.blocks[place.linear.kind]:
        return f"{size.title} has {size.blocks[place.linear.kind]} {place.linear.kind} blocks"
    rows, columns = place.shape(size)
    return f"its change is {module.shape[0]}x{module.shape[1]}, the weight of {size.title} {rows}x{columns}"
