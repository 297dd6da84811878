"""What the new file will hold, tensor by tensor, before a byte of it is written."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from albumkit.adapter.conversion.blocks import block_ranks, diagonal, same_bytes
from albumkit.adapter.conversion.forms import Form
from albumkit.adapter.conversion.matrix import Matrix, Source, stack
from albumkit.adapter.conversion.scaling import power_of_two
from albumkit.adapter.conversion.trail import Trail
from albumkit.adapter.header import DTYPE_BITS, Tensor
from albumkit.adapter.model import Adapter, Module
from albumkit.adapter.naming import Linear, Place
from albumkit.errors import AdapterError


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor to write: bytes of the source, or an alpha."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    content: Matrix | bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.size


@dataclass(frozen=True, slots=True)
class Pair:
    """A LoRA on its way: its factors, its scale, and the scale that an earlier conversion folded into them.

    ``alpha`` is the tensor that the scale comes from, as long as its words can stay as they are.
    """

    down: Matrix
    up: Matrix
    scale: float
    folded: float
    alpha: Tensor | None

    @property
    def rank(self) -> int:
        """Of the product."""
        return self.down.rows


@dataclass
class Plan:
    """The tensors of the new file, and what had to be done for them.

    Attributes:
        modules: Name of a module in the new file -> its rank; 0 for LoKr and LoHa.
        done: What was done to how many modules: ``split``, ``unfused`` (a block diagonal undone), ``shared``
            (fused with the lower factor that all parts had), ``fused`` (block-diagonally), ``swapped``
            (halves of rows), ``folded`` (scales), ``unfolded``.
        inexact: Modules whose scale is no power of two and has to be folded all the same.
        trail: What the new file is to tell of itself.
    """

    entries: list[Entry] = field(default_factory=list)
    modules: dict[str, int] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    inexact: list[Module] = field(default_factory=list)
    trail: Trail = field(default_factory=Trail)


def make_plan(adapter: Adapter, form: Form, source: Source) -> Plan:
    """Plan the conversion of every module of an adapter.

    Raises:
        AdapterError: two modules change the same rows, or factors cannot become one.
    """
    planner = _Planner(adapter, form, source)
    sites: dict[str, list[Module]] = {}
    for module in adapter.modules:
        sites.setdefault(_place(module).name, []).append(module)
    for modules in sites.values():
        planner.site(modules)
    planner.plan.entries.sort(key=lambda entry: (-DTYPE_BITS[entry.dtype], entry.name))
    return planner.plan


def _place(module: Module) -> Place:
    """Where it belongs; the modules of an architecture with a table all have one."""
    assert module.place is not None
    return module.place


class _Planner:
    def __init__(self, adapter: Adapter, form: Form, source: Source) -> None:
        self.adapter = adapter
        self.form = form
        self.source = source
        self.past = Trail.of(adapter.metadata)
        self.plan = Plan(trail=Trail(self.past.steps))

    def site(self, modules: Sequence[Module]) -> None:
        """Plan one Linear of the model (BFL's), of which a file has a LoRA of all rows or of some."""
        parts = {_place(module).part: module for module in modules}
        if len(parts) < len(modules) or (None in parts and len(parts) > 1):
            words = f"{modules[0].stem} and {modules[1].stem} change the same weights, which none can do."
            raise AdapterError(self.adapter.path, words)
        linear = _place(modules[0]).linear
        if None not in parts and self.form.layout == "bfl":
            held = [parts.get(part) for part in range(len(linear.parts))]
            self._write(modules[0], None, self._fused(linear, held))
        elif None in parts and self.form.layout == "diffusers" and len(linear.parts) > 1:
            self._split(modules[0])
        else:
            for module in modules:
                self._kept(module)

    def _pair(self, module: Module) -> Pair:
        return Pair(
            Matrix.of(module.tensors["down"]),
            Matrix.of(module.tensors["up"]),
            self.adapter.scale(module),
            self.past.folded.get(_place(module).name, 1.0),
            module.tensors.get("alpha"),
        )

    def _kept(self, module: Module) -> None:
        """A module that stays one, but for the order of its rows."""
        place = _place(module)
        if module.kind != "lora":
            stem = self.form.stem(place.name)
            self.plan.modules[place.name] = 0
            for tensor in module.tensors.values():
                suffix = tensor.name.removeprefix(module.stem)
                self._add(stem + suffix, tensor.shape, Matrix.of(tensor))
            return
        pair = self._pair(module)
        if place.linear.swapped and place.layout != self.form.layout:
            half, _ = self._rows(module, [1, 1], 2)
            pair = replace(pair, up=stack([pair.up.cut_rows(half, half), pair.up.cut_rows(0, half)]))
            self.plan.done["swapped"] += 1
        if place.part is None and place.name in self.past.blocks:
            self.plan.trail.blocks[place.name] = self.past.blocks[place.name]
        self._write(module, place.part, pair)

    def _split(self, module: Module) -> None:
        """Rows of a fused module as modules of their own; of a block diagonal also a lower factor each."""
        pair, place = replace(self._pair(module), alpha=None), _place(module)
        counts = [part.rows.count for part in place.linear.parts]
        rows = self._rows(module, counts, sum(counts))
        ranks = block_ranks(self.source, pair.up, rows, self.past.blocks.get(place.name))
        self.plan.done["split" if ranks is None else "unfused"] += 1
        row = column = 0
        for part, count in enumerate(rows):
            up = pair.up.cut_rows(row, count)
            row += count
            if ranks is None:
                self._write(module, part, replace(pair, up=up))
            elif ranks[part]:
                down = pair.down.cut_rows(column, ranks[part])
                up = up.cut_columns(column, ranks[part])
                self._write(module, part, replace(pair, down=down, up=up))
                column += ranks[part]

    def _fused(self, linear: Linear, modules: Sequence[Module | None]) -> Pair:
        """Modules of some rows each as one: with their common lower factor, else block-diagonally."""
        held = [module for module in modules if module is not None]
        rows = self._common_rows(linear, held)
        pairs = [None if module is None else self._pair(module) for module in modules]
        given = [pair for pair in pairs if pair is not None]
        alike = len({pair.scale for pair in given}) == 1
        if alike and None not in pairs and same_bytes(self.source, [pair.down for pair in given]):
            self.plan.done["shared"] += 1
            return replace(given[0], up=stack([pair.up for pair in given]))
        self.plan.done["fused"] += 1
        self.plan.trail.blocks[_place(held[0]).name] = [pair.rank if pair else 0 for pair in pairs]
        one = replace(given[0], up=diagonal([pair.up if pair else None for pair in pairs], rows), alpha=None)
        if alike:
            return replace(one, down=stack([pair.down for pair in given]))
        downs = [self._folded(m, pair.down, pair.scale) for m, pair in zip(held, given, strict=True)]
        return replace(one, down=stack(downs), scale=1.0, folded=1.0)

    def _common_rows(self, linear: Linear, modules: Sequence[Module]) -> list[int]:
        """The rows of each part. All must tell the same, and have one dtype, to become one tensor."""
        counts = [part.rows.count for part in linear.parts]
        found = []
        for module in modules:
            rows = self._rows(module, counts, counts[_place(module).part or 0])
            dtypes = [module.tensors[role].dtype for role in ("down", "up")]
            found.append((rows, module.shape[1], dtypes))
        for module, facts in zip(modules, found, strict=True):
            if facts != found[0]:
                raise AdapterError(
                    self.adapter.path,
                    f"{modules[0].name} and {module.name} differ in dtype or shape; in the form "
                    f"{self.form.id} they are one, {_place(module).name}.",
                )
        return found[0][0]

    def _rows(self, module: Module, counts: Sequence[int], share: int) -> list[int]:
        """The rows of each part of a Linear, of whose counts the module has ``share``."""
        unit, rest = divmod(module.shape[0], share)
        if rest:
            words = f"{module.name} has {module.shape[0]:,} rows, which is no multiple of {share}."
            raise AdapterError(self.adapter.path, words)
        return [unit * count for count in counts]

    def _folded(self, module: Module, down: Matrix, scale: float) -> Matrix:
        if scale == 1.0:
            return down
        if power_of_two(scale) is None and module not in self.plan.inexact:
            self.plan.inexact.append(module)
        self.plan.done["folded"] += 1
        return down.times(scale)

    def _write(self, module: Module, part: int | None, pair: Pair) -> None:
        """The tensors of one module of the new file, which comes from ``module``."""
        place = replace(_place(module), part=part, layout=self.form.layout)
        name = place.name if self.form.layout == "bfl" else place.diffusers_names[0]
        stem = self.form.stem(name)
        self.plan.modules[name] = pair.rank
        folded = pair.scale * pair.folded
        if self.form.alpha:
            down = pair.down
            if pair.folded != 1.0:
                down = down.times(1 / pair.folded)
                self.plan.done["unfolded"] += 1
            self._add_alpha(f"{stem}.alpha", pair, folded * pair.rank)
        else:
            down = self._folded(module, pair.down, pair.scale)
            if folded != 1.0 and power_of_two(folded) is not None:
                self.plan.trail.folded[place.name] = folded
        self._add(stem + self.form.down, (down.rows, down.columns), down)
        self._add(stem + self.form.up, (pair.up.rows, pair.up.columns), pair.up)

    def _add_alpha(self, name: str, pair: Pair, value: float) -> None:
        if pair.alpha is not None and pair.folded == 1.0:
            self._add(name, pair.alpha.shape, Matrix.of(pair.alpha))
            return
        single = struct.pack("<f", value)
        if struct.unpack("<f", single)[0] == value:
            self.plan.entries.append(Entry(name, "F32", (), single))
        else:
            self.plan.entries.append(Entry(name, "F64", (), struct.pack("<d", value)))

    def _add(self, name: str, shape: tuple[int, ...], matrix: Matrix) -> None:
        self.plan.entries.append(Entry(name, matrix.dtype, shape, matrix))
