"""An adapter as its file states it: modules, factors, ranks, and where in the model each belongs."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit.adapter.header import Header, Tensor
from albumkit.adapter.naming import Architecture, Other, Place, Size
from albumkit.adapter.schemes import Scheme

if TYPE_CHECKING:
    from albumkit.adapter.delta import Delta


@dataclass(frozen=True, slots=True)
class Module:
    """What the file holds for one Linear of the model, or for some of its rows.

    With ``rank`` r and ``shape`` (out, in) of the weight it changes, a LoRA has ``down`` (r, in), that is
    lora_A, and ``up`` (out, r), lora_B; the change is ``scale * up @ down``. A LoKr has ``w1`` (a, b) and
    ``w2`` (c, d), each whole or as a product of two, with out = a*c and in = b*d.

    Attributes:
        stem: The key without its suffix, as it stands in the file.
        name: The name alone, dotted, in the file's own layout: ``double_blocks.0.img_attn.qkv`` or
            ``transformer_blocks.0.attn.to_q``.
        prefix, layout: How it is spelt; see :class:`albumkit.adapter.schemes.Scheme`.
        place: Where in the model it belongs; None when no table knows the name.
        kind: ``lora``, ``lokr`` or ``loha``.
        style: Suffixes of its factors: ``A/B``, ``down/up`` ...
        magnitude: Suffix of its DoRA magnitude (``dora_scale``, ``magnitude``, ``lora_magnitude_vector``); ""
            without.
        tensors: Its tensors by role: ``down``, ``up``, ``alpha``, ``magnitude``, ``lokr_w1`` ...
        shape: (out, in) of the weight that it changes.
        rank: Rank of its product; of a LoKr that of the decomposed factor, 0 when both are whole.
        alpha: The value of its own ``.alpha``; None without.
    """

    stem: str
    name: str
    prefix: str
    layout: str
    place: Place | None
    kind: str
    style: str
    magnitude: str
    tensors: Mapping[str, Tensor]
    shape: tuple[int, int]
    rank: int
    alpha: float | None

    @property
    def factors(self) -> tuple[Tensor, ...]:
        """The tensors whose product is the change: neither alpha nor magnitude."""
        return tuple(t for role, t in self.tensors.items() if role not in ("alpha", "magnitude"))

    @property
    def ups(self) -> tuple[Tensor, ...]:
        """The factors that training starts from zero: lora_B, or the last one of a LoKr or LoHa."""
        for role in ("up", "lokr_w2_b", "lokr_w2", "hada_w2_b"):
            if role in self.tensors:
                return (self.tensors[role],)
        return ()


@dataclass(frozen=True)
class PeftConfig:
    """What diffusers writes into the header as ``lora_adapter_metadata``; only diffusers reads it."""

    rank: int
    alpha: float
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    rslora: bool = False

    def scale(self, name: str, rank: int) -> float:
        """The factor that PEFT multiplies the product of a module with."""
        alpha = next((v for k, v in self.alpha_pattern.items() if _matches(k, name)), self.alpha)
        return alpha / (math.sqrt(rank) if self.rslora else rank)


@dataclass(frozen=True)
class Adapter:
    """A LoRA file, opened: all that its header says, and the value of each alpha.

    Attributes:
        path: The file.
        header: Its tensors and texts.
        scheme: How most of its keys are spelt.
        architecture: The naming table that knows its modules; None for a model without a table.
        other: What it is instead, where a few names tell: Z-Image, Wan ...; else None.
        size: The model that it was made for, by shapes and numbers of blocks; ``size.known`` is False for one
            that nobody published. None where no table knows the architecture.
        candidates: Every published model that its names and shapes fit; several when it has few modules.
        modules: In the order of their keys.
        leftovers: Keys that belong to no module of the model: text encoders, biases, names of no Linear.
        peft: The PEFT configuration in the header, if there is one.
    """

    path: Path
    header: Header
    scheme: Scheme
    architecture: Architecture | None
    other: Other | None
    size: Size | None
    candidates: tuple[Size, ...]
    modules: tuple[Module, ...]
    leftovers: tuple[str, ...]
    peft: PeftConfig | None = None

    @property
    def metadata(self) -> Mapping[str, str]:
        """The texts of the header."""
        return self.header.metadata

    @property
    def kind(self) -> str:
        """``lora``, ``dora``, ``lokr``, ``loha``, or the kinds joined by ``+``."""
        kinds = {"dora" if m.magnitude and m.kind == "lora" else m.kind for m in self.modules}
        return "+".join(sorted(kinds))

    @property
    def has_alpha(self) -> bool:
        """Whether any module has an ``.alpha`` of its own."""
        return any(module.alpha is not None for module in self.modules)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Dtypes of its factors, the most frequent first."""
        return tuple(d for d, _ in Counter(t.dtype for m in self.modules for t in m.factors).most_common())

    @property
    def ranks(self) -> tuple[int, ...]:
        """Ranks of its modules, the most frequent first."""
        return tuple(rank for rank, _ in Counter(m.rank for m in self.modules if m.rank).most_common())

    @property
    def rank(self) -> int:
        """The rank of most of its modules; 0 for a LoKr of whole factors."""
        return self.ranks[0] if self.ranks else 0

    @functools.cached_property
    def by_name(self) -> Mapping[str, Module]:
        """Its modules by name."""
        return {module.name: module for module in self.modules}

    def scale(self, module: Module) -> float:
        """The factor that the writer meant: alpha / rank by the module's own alpha, else by the header's
        configuration, else 1. ComfyUI ignores the configuration and some loaders the alpha: see ``predict``.
        """
        if module.alpha is not None and module.rank:
            return module.alpha / module.rank
        if self.peft is not None and module.kind == "lora":
            return self.peft.scale(module.name, module.rank)
        return 1.0

    def delta(self, module: Module | str) -> Delta:
        """The change of one weight as its factors, read from the file.

        Args:
            module: One of ``modules``, or its name.

        Raises:
            KeyError: no module has that name.
            AdapterError: a DoRA, whose change depends on the base, or a LoHa; or the file changed.

        Returns:
            A :class:`albumkit.adapter.delta.Delta` of shape (out, in).
        """
        from albumkit.adapter.delta import read_delta

        return read_delta(self, self.by_name[module] if isinstance(module, str) else module)


def _matches(pattern: str, name: str) -> bool:
    """As PEFT finds the entry of a pattern: the end of the name, from a dot on, as a regular expression."""
    try:
        return re.match(rf"(.*\.)?({pattern})$", name) is not None
    except re.error:
        return False
