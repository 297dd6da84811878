"""The tensors of a file put together by the module that they belong to, by suffix alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from albumkit.adapter.header import Header, Tensor
from albumkit.adapter.schemes import split_key
from albumkit.errors import AdapterError

#: (down, up) of a product of two: w_a is (out, r), w_b is (r, in).
_LOHA = (("hada_w1_b", "hada_w1_a"), ("hada_w2_b", "hada_w2_a"))


@dataclass
class Group:
    """The tensors of one stem by role, the style of its factors' suffixes, and of its magnitude's."""

    stem: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    style: str = ""
    magnitude: str = ""

    @property
    def kind(self) -> str:
        """lora, lokr or loha; "" for a stem without factors."""
        if "down" in self.tensors or "up" in self.tensors:
            return "lora"
        start = next((role[:4] for role in self.tensors if role.startswith(("lokr", "hada"))), "")
        return {"lokr": "lokr", "hada": "loha"}.get(start, "")

    @property
    def factors(self) -> tuple[Tensor, ...]:
        """The tensors whose product is the change."""
        return tuple(t for role, t in self.tensors.items() if role not in ("alpha", "magnitude"))

    @property
    def shape(self) -> tuple[int, int] | None:
        """(out, in) of the change; None when factors are missing or do not fit each other."""
        held = {r: (t.shape[0], math.prod(t.shape[1:])) for r, t in self.tensors.items() if len(t.shape) > 1}
        if self.kind == "lokr":
            left, right = _lokr_factor(held, "lokr_w1"), _lokr_factor(held, "lokr_w2")
            return (left[0] * right[0], left[1] * right[1]) if left and right else None
        pairs = _LOHA if self.kind == "loha" else (("down", "up"),)
        shapes = {_product(held.get(down), held.get(up)) for down, up in pairs}
        return shapes.pop() if len(shapes) == 1 else None

    @property
    def rank(self) -> int:
        """Rank of the product; 0 for a LoKr of whole factors."""
        roles = ("down", "hada_w1_b", "lokr_w2_b", "lokr_w1_b")
        return next((self.tensors[role].shape[0] for role in roles if role in self.tensors), 0)

    @property
    def misfit(self) -> str:
        """What is wrong with factors that have no ``shape``, in words."""
        shown = [
            f"{tensor.name.removeprefix(self.stem)} is {'x'.join(map(str, tensor.shape)) or 'one number'}"
            for tensor in self.factors
        ]
        if len(shown) == 1:
            return f"{self.stem} has only one factor: {shown[0]}."
        return f"the factors of {self.stem} do not fit each other: {', '.join(shown)}."


def grouped(header: Header) -> tuple[dict[str, Group], list[str]]:
    """Groups by stem, in the order of the names; and the keys that belong to none.

    Raises:
        AdapterError: a module has two tensors of one role.
    """
    groups: dict[str, Group] = {}
    leftovers = []
    for tensor in sorted(header.tensors, key=lambda tensor: tensor.name):
        key = split_key(tensor.name)
        if key is None or key.role == "extra":
            leftovers.append(tensor.name)
            continue
        group = groups.setdefault(key.stem, Group(key.stem))
        if key.role in group.tensors:
            first = group.tensors[key.role].name
            words = f"{first} and {tensor.name} are the same factor of one module."
            raise AdapterError(header.path, words, "export it again")
        group.tensors[key.role] = tensor
        if key.role == "magnitude":
            group.magnitude = key.style
        elif key.style:
            group.style = key.style
    for stem in [stem for stem, group in groups.items() if not group.kind]:
        leftovers += [tensor.name for tensor in groups.pop(stem).tensors.values()]
    return groups, leftovers


def _product(down: tuple[int, int] | None, up: tuple[int, int] | None) -> tuple[int, int] | None:
    if down is None or up is None or down[0] != up[1] or not down[0]:
        return None
    return up[0], down[1]


def _lokr_factor(held: Mapping[str, tuple[int, int]], role: str) -> tuple[int, int] | None:
    if role in held:
        return held[role]
    return _product(held.get(f"{role}_b"), held.get(f"{role}_a"))
