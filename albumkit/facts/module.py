"""Facts of one module of a LoRA file: whether its numbers can be any good."""

from __future__ import annotations

from albumkit.adapter.health import ModuleHealth
from albumkit.facts.registry import fact

#: A fact is a finite number.
_MOST = 1e30


@fact("module", cost="header")
def module_name(module: ModuleHealth) -> str:
    """Its name in the file, without prefix and suffix."""
    return module.module.name


@fact("module", cost="header")
def zero_factor(module: ModuleHealth) -> str:
    """The suffix of a factor that is all zero, so that the module changes nothing; "" without one."""
    return next((_suffix(module, f.tensor.name) for f in module.factors if f.zero), "")


@fact("module", cost="header")
def constant_factor(module: ModuleHealth) -> str:
    """The suffix of a factor that holds one and the same number throughout; "" without one."""
    return next((_suffix(module, factor.tensor.name) for factor in module.constant), "")


@fact("module", cost="header")
def nonfinite_count(module: ModuleHealth) -> int:
    """How many of its numbers are infinite or not a number."""
    return module.nonfinite


@fact("module", cost="header")
def weight_change(module: ModuleHealth) -> float:
    """|scale| * |A| * |B| for each weight that it changes, as a root mean square: at most so much does a
    weight change. The factors are judged by their product; norms are estimated from at least 4096 numbers.
    """
    return min(float(f"{module.change:.3g}"), _MOST)


@fact("module", cost="header")
def change_words(weight_change: float) -> str:
    """The same for messages."""
    return f"{weight_change:.3g}"


def _suffix(module: ModuleHealth, name: str) -> str:
    return name.removeprefix(module.module.stem).removeprefix(".").removesuffix(".weight")
