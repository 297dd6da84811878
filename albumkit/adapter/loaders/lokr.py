"""Which LoKr factors diffusers and PEFT can take: those that PEFT would have made itself.

``_create_lokr_config`` of utils/peft_utils.py looks for the one factor that would divide every weight as the
file has it, and raises when there is none; PEFT then decides by the rank whether a factor is whole or a
product of two, and a file that has it the other way finds no place for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from albumkit.adapter.loaders.outcome import LoaderError, Outcome
from albumkit.adapter.model import Module


@dataclass(frozen=True, slots=True)
class _Factors:
    """(rows, columns) of both, whether each is whole, and the rank that diffusers tells PEFT."""

    left: tuple[int, int]
    right: tuple[int, int]
    left_whole: bool
    right_whole: bool

    @classmethod
    def of(cls, module: Module) -> _Factors:
        sizes = []
        for name in ("lokr_w1", "lokr_w2"):
            tensors = module.tensors
            first = tensors[name] if name in tensors else tensors[f"{name}_a"]
            last = tensors[name] if name in tensors else tensors[f"{name}_b"]
            sizes.append((first.shape[0], last.shape[1]))
        return cls(sizes[0], sizes[1], "lokr_w1" in module.tensors, "lokr_w2" in module.tensors)

    def divided_by(self, factor: int) -> bool:
        """Whether PEFT divides a weight of this size so when it is told this factor."""
        rows, columns = zip(self.left, self.right, strict=True)
        return (
            _divide(rows[0] * rows[1], factor) == rows and _divide(columns[0] * columns[1], factor) == columns
        )


def check_factors(modules: Sequence[Module], outcome: Outcome) -> None:
    """Drop modules whose factors find no place.

    Raises:
        LoaderError: no one factor divides all weights as the file has them, or a module has two ranks.
    """
    factors = [_Factors.of(module) for module in modules]
    candidates = (*sorted({one.left[0] for one in factors}), -1)
    if not any(all(one.divided_by(factor) for one in factors) for factor in candidates):
        raise LoaderError("ValueError", "no one factor divides all its weights (decompose_factor)")
    both = any(not one.left_whole for one in factors)
    for module, one in zip(modules, factors, strict=True):
        rank = module.rank or max(one.right)
        left_whole = not (both and rank < max(one.left) / 2)
        right_whole = rank >= max(one.right) / 2
        if (left_whole, right_whole) != (one.left_whole, one.right_whole):
            outcome.drop(module, "PEFT makes its factors in another way (a warning: missing keys)")
        elif not left_whole and module.tensors["lokr_w1_b"].shape[0] != rank:
            raise LoaderError("RuntimeError", f"{module.name}: w1 has another rank than w2 (size mismatch)")


def _divide(number: int, factor: int) -> tuple[int, int]:
    """The two numbers that PEFT's ``factorization`` takes a dimension apart into."""
    if factor > 0 and number % factor == 0:
        return factor, number // factor
    most = number if factor == -1 else factor
    divisors = [n for n in range(1, int(number**0.5) + 1) if number % n == 0 and n <= most]
    return divisors[-1], number // divisors[-1]
