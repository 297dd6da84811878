"""How each architecture calls its Linears: tables as data, one JSON file per architecture.

They are data because they are facts about other people's models, are read by more than one part (recognition,
prediction, conversion) and grow with every model that comes out, while the code stays as it is. Each Linear
has its BFL name (Black Forest Labs' own code, ComfyUI, ai-toolkit, musubi-tuner, fal) and the diffusers names
of its rows, in order: BFL keeps ``qkv`` in one matrix where diffusers has ``to_q``, ``to_k`` and ``to_v``.
Dimensions are written as ``"3 hidden"`` or ``"256"``; ``{i}`` is the number of a block. ``loaders`` holds
what only one loader knows or lacks; the modules of ``albumkit.adapter.loaders`` say what it does with it.
``schemes.json`` has the ways to spell keys, ``others.json`` signs of models that have no table.

Sources: diffusers ``loaders/single_file_utils.py`` and ``loaders/lora_conversion_utils.py``, ComfyUI
``comfy/utils.py`` (``flux_to_diffusers``) and ``comfy/ldm/flux/model.py``; each read and run.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from albumkit.errors import UnknownName

#: Architectures with a table, in the order in which they are tried. FLUX.3, Z-Image and the others of
#: others.json get one as soon as their loaders were run.
ARCHITECTURES = ("flux2", "flux1")
#: Four digits are more blocks than any model has; a stranger's longer number is no number of ours.
_BLOCK = re.compile(r"(?<=blocks[._])(0|[1-9]\d{0,3})(?=[._])")


@dataclass(frozen=True, slots=True)
class Extent:
    """A number of rows or columns: ``count`` times a dimension of the model, or ``count`` alone."""

    count: int
    dimension: str = ""

    @classmethod
    def parse(cls, words: str) -> Extent:
        """``"3 hidden"``, ``"hidden"`` or ``"256"``."""
        first, _, rest = words.partition(" ")
        if first.isdigit():
            return cls(int(first), rest)
        return cls(1, words)

    def of(self, size: Size) -> int | None:
        """The number in a model of this size; None where the size is not known."""
        if not self.dimension:
            return self.count
        dimension = size.dimensions.get(self.dimension)
        return None if dimension is None else self.count * dimension


@dataclass(frozen=True, slots=True)
class Size:
    """One published model of an architecture, or one that only a file's shapes tell of (id ``other``)."""

    id: str
    title: str
    architecture: str
    #: Blocks by kind: double and single.
    blocks: Mapping[str, int]
    #: hidden, context, channels ...; a model known by shapes alone may lack some.
    dimensions: Mapping[str, int]
    #: Whether it has the embedding of the guidance scale.
    guidance: bool = False

    @property
    def known(self) -> bool:
        """Whether it is a published model."""
        return self.id != "other"


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a Linear that are a module of their own in diffusers."""

    name: str
    rows: Extent


@dataclass(frozen=True, slots=True)
class Linear:
    """One Linear of an architecture, or one in each block: names hold ``{i}`` then."""

    name: str
    #: blocks, modulation, globals or adaln.
    group: str
    columns: Extent
    parts: tuple[Part, ...]
    #: diffusers has the second half of the rows (scale) before the first (shift).
    swapped: bool = False
    #: Only models that have this are built with it ("guidance").
    only: str = ""

    @property
    def kind(self) -> str:
        """The kind of block it is in: double, single or ""."""
        return self.name.partition("_blocks.")[0] if "{i}" in self.name else ""

    def rows(self, size: Size) -> int | None:
        """All its rows."""
        return _sum(part.rows.of(size) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a model a module of an adapter belongs: a Linear, or one part of its rows.

    Attributes:
        linear: The Linear; its name is a template.
        block: The number of the block; None outside the blocks.
        part: Which of ``linear.parts``; None for all rows.
        layout: ``bfl`` or ``diffusers``: whose row order the module has where the two differ (adaLN).
    """

    linear: Linear
    block: int | None
    part: int | None
    layout: str

    @property
    def name(self) -> str:
        """BFL's name of the Linear: ``double_blocks.0.img_attn.qkv``, also for a ``to_q``."""
        return _fill(self.linear.name, self.block)

    @property
    def diffusers_names(self) -> tuple[str, ...]:
        """diffusers' names of these rows: three for a whole ``qkv``, one for a ``to_q``."""
        parts = self.linear.parts if self.part is None else (self.linear.parts[self.part],)
        return tuple(_fill(part.name, self.block) for part in parts)

    @property
    def group(self) -> str:
        """blocks, modulation, globals or adaln."""
        return self.linear.group

    def shape(self, size: Size) -> tuple[int | None, int | None]:
        """(rows, columns) of the weight that the module changes; None where the size does not say."""
        parts = self.linear.parts
        rows = self.linear.rows(size) if self.part is None else parts[self.part].rows.of(size)
        return rows, self.linear.columns.of(size)

    @property
    def dimensions(self) -> tuple[str, str]:
        """The dimensions of the model that ``shape`` counts in; "" for a plain number or a mixture."""
        parts = self.linear.parts if self.part is None else (self.linear.parts[self.part],)
        kinds = {part.rows.dimension for part in parts}
        return kinds.pop() if len(kinds) == 1 else "", self.linear.columns.dimension

    def first_row(self, size: Size) -> int | None:
        """The first of the Linear's rows that it covers."""
        return _sum(part.rows.of(size) for part in self.linear.parts[: self.part or 0])


@dataclass(frozen=True)
class Architecture:
    """The naming table of one architecture."""

    id: str
    title: str
    sizes: tuple[Size, ...]
    linears: tuple[Linear, ...]
    loaders: Mapping[str, Any] = field(default_factory=dict)

    def place(self, layout: str, name: str, *, flat: bool = False) -> Place | None:
        """What a name (without prefix and suffix) means in a layout; None for a stranger.

        Args:
            layout: ``bfl``, ``diffusers`` or ``musubi``.
            name: Dotted, or with ``_`` for every dot (``flat``).
        """
        number = _BLOCK.search(name)
        template = name if number is None else f"{name[: number.start()]}{{i}}{name[number.end() :]}"
        found = self._names[layout, flat].get(template)
        if found is None:
            return None
        linear, part = found
        row_order = "diffusers" if layout == "diffusers" else "bfl"
        return Place(linear, None if number is None else int(number[0]), part, row_order)

    def places(self, size: Size, layout: str = "bfl") -> Iterator[Place]:
        """Every Linear of a model of this size; in diffusers' layout every part of one."""
        for linear in self.linears:
            if linear.only == "guidance" and not size.guidance:
                continue
            blocks = range(size.blocks[linear.kind]) if linear.kind else (None,)
            split = layout == "diffusers" and len(linear.parts) > 1
            for block in blocks:
                for part in range(len(linear.parts)) if split else (None,):
                    yield Place(linear, block, part, layout)

    @functools.cached_property
    def _names(self) -> dict[tuple[str, bool], dict[str, tuple[Linear, int | None]]]:
        """(layout, flat) -> template -> Linear and part."""
        tables: dict[tuple[str, bool], dict[str, tuple[Linear, int | None]]] = {}
        for flat in (False, True):
            bfl = tables["bfl", flat] = {}
            diffusers = tables["diffusers", flat] = {}
            musubi = tables["musubi", flat] = {}
            for linear in self.linears:
                bfl[_flat(linear.name, flat)] = (linear, None)
                musubi[_flat(musubi_name(linear.name), flat)] = (linear, None)
                whole = len(linear.parts) == 1
                for index, part in enumerate(linear.parts):
                    diffusers[_flat(part.name, flat)] = (linear, None if whole else index)
        return tables


def musubi_name(name: str) -> str:
    """What musubi-tuner's ``convert_lora.py --target other`` makes of a BFL name.

    It knows the name with ``_`` for every dot, turns all of them into dots, and repairs what HunyuanVideo
    needs; FLUX's own ``img_attn.qkv`` comes out as ``img_attn_qkv``.
    """
    dotted = name.replace("_", ".")
    if "double.blocks." not in dotted and "single.blocks." not in dotted:
        return dotted
    repairs = (
        ("double.blocks.", "double_blocks."),
        ("single.blocks.", "single_blocks."),
        ("img.", "img_"),
        ("txt.", "txt_"),
        ("attn.", "attn_"),
    )
    for wrong, right in repairs:
        dotted = dotted.replace(wrong, right)
    return dotted


@functools.cache
def architecture(name: str) -> Architecture:
    """The table of an architecture by id: ``flux2`` or ``flux1``.

    Raises:
        UnknownName: there is no such table.
    """
    if name not in ARCHITECTURES:
        raise UnknownName("architecture", name, ARCHITECTURES)
    table = read_table(f"{name}.json")
    linears = tuple(
        Linear(
            name=row["name"],
            group=row["group"],
            columns=Extent.parse(row["in"]),
            parts=tuple(Part(part, Extent.parse(rows)) for part, rows in row["diffusers"].items()),
            swapped=row.get("swapped", False),
            only=row.get("only", ""),
        )
        for row in table["linears"]
    )
    sizes = tuple(_size(row, name) for row in table["sizes"])
    return Architecture(name, table["title"], sizes, linears, table["loaders"])


def find_size(name: str) -> Size:
    """A published model by id: ``flux2-klein-9b``; the ids are those of rules/bases.json.

    Raises:
        UnknownName: no table has it.
    """
    sizes = {size.id: size for one in ARCHITECTURES for size in architecture(one).sizes}
    if name not in sizes:
        raise UnknownName("model", name, sizes, f"Known are {', '.join(sizes)}.")
    return sizes[name]


@dataclass(frozen=True, slots=True)
class Other:
    """A kind of file that has no table: what its keys look like, and what to tell about it."""

    id: str
    title: str
    pattern: re.Pattern[str]
    #: True: no LoRA of any model that albumkit knows; such a file is refused.
    refused: bool


@functools.cache
def others() -> tuple[Other, ...]:
    """Architectures and kinds of files that are known by a few names only, the most telling first."""
    rows = read_table("others.json")["others"]
    return tuple(Other(r["id"], r["title"], re.compile(r["pattern"]), r["refused"]) for r in rows)


def _size(row: Mapping[str, Any], name: str) -> Size:
    blocks = {kind: row[kind] for kind in ("double", "single")}
    words = {"id", "title", "guidance", *blocks}
    dimensions = {key: value for key, value in row.items() if key not in words}
    return Size(row["id"], row["title"], name, blocks, dimensions, row["guidance"])


def read_table(name: str) -> Any:
    """One of the JSON files of this folder."""
    return json.loads((files(__package__) / name).read_text(encoding="utf-8"))


def _fill(template: str, block: int | None) -> str:
    return template if block is None else template.replace("{i}", str(block))


def _flat(template: str, flat: bool) -> str:
    return template.replace(".", "_") if flat else template


def _sum(numbers: Iterator[int | None]) -> int | None:
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total
