"""Which model an adapter is for: by names and shapes of its modules, never by the name of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from albumkit.adapter.header import Header
from albumkit.adapter.model import Module
from albumkit.adapter.naming import ARCHITECTURES, Architecture, Other, Place, Size, architecture, others
from albumkit.adapter.schemes import Spelling, read_stem

Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Recognised:
    """The table that knows a file's stems, and what each means in it; or what kind of file it is instead.

    ``size`` and ``candidates`` are those of :class:`albumkit.adapter.Adapter`.
    """

    architecture: Architecture | None = None
    spellings: Mapping[str, Spelling] = field(default_factory=dict)
    size: Size | None = None
    candidates: tuple[Size, ...] = ()
    other: Other | None = None


def recognise(header: Header, shapes: Mapping[str, Shape | None]) -> Recognised:
    """The table that explains most stems with shapes that agree with each other, and with a published model.

    Args:
        header: All keys; names that no FLUX has tell of another model, beside attention that all have.
        shapes: Stem -> (out, in) of its change.
    """
    counts = [(sum(bool(o.pattern.search(t.name)) for t in header.tensors), o) for o in others()]
    stranger = next((other for count, other in counts if count and not other.refused), None)
    if stranger is not None:
        return Recognised(other=stranger)
    best, most = Recognised(), (0, 0, 0)
    candidates: tuple[Size, ...] = ()
    for name in ARCHITECTURES:
        table = architecture(name)
        known = {stem: found for stem in shapes if (found := read_stem(stem, table)) is not None}
        rows = [(known[stem].place, shape) for stem, shape in shapes.items() if stem in known and shape]
        alike = Size("other", "", name, {}, {"hidden": _hidden(rows)})
        fitting = {size.id: sum(_fits(place, shape, size) for place, shape in rows) for size in table.sizes}
        score = (sum(has_shape(*row, alike) for row in rows), max(fitting.values()), len(known))
        if len(rows) == len(shapes):
            candidates += tuple(size for size in table.sizes if fitting[size.id] == len(rows))
        if score > most:
            best, most = Recognised(table, known, _model(table, rows)), score
    if best.architecture is None:
        count, other = max(counts, key=lambda one: one[0])
        return Recognised(other=other if count else None)
    return replace(best, candidates=candidates)


def _model(table: Architecture, rows: Sequence[tuple[Place, Shape]]) -> Size:
    """The model that places and shapes speak for.

    Where several published ones fit, the one with just as many blocks is meant; where none does, it is one
    that nobody published (a tiny one of a test, a pruned one), with what the shapes tell of it.
    """
    blocks = dict.fromkeys(table.sizes[0].blocks, 0)
    for place, _ in rows:
        if place.block is not None:
            blocks[place.linear.kind] = max(blocks[place.linear.kind], place.block + 1)
    fitting = [size for size in table.sizes if all(_fits(place, shape, size) for place, shape in rows)]
    same = [size for size in fitting if size.blocks == blocks]
    if len(fitting) == 1 or same:
        return (same or fitting)[0]
    hidden = _hidden(rows)
    counts = " and ".join(f"{count} {kind}" for kind, count in blocks.items())
    title = f"{table.title} of hidden size {hidden or 'unknown'}, {counts} blocks or more"
    guidance = any(place.linear.only == "guidance" for place, _ in rows)
    return Size("other", title, table.id, blocks, {"hidden": hidden} if hidden else {}, guidance)


def fits_size(module: Module, size: Size) -> bool:
    """Whether a model of this size has the module's place, and a weight of its shape there."""
    return module.place is not None and _fits(module.place, module.shape, size)


def _fits(place: Place, shape: Shape, size: Size) -> bool:
    if place.block is not None and place.block >= size.blocks[place.linear.kind]:
        return False
    if place.linear.only == "guidance" and not size.guidance:
        return False
    return has_shape(place, shape, size)


def has_shape(place: Place, shape: Shape, size: Size) -> bool:
    """Whether the weight of a place has this shape in a model of this size, as far as the size tells."""
    wanted = place.shape(size)
    return all(want is None or want == have for want, have in zip(wanted, shape, strict=True))


def _hidden(rows: Iterable[tuple[Place, Shape]]) -> int:
    """The hidden size that most shapes speak for; 0 where none does."""
    votes: Counter[int] = Counter()
    one = Size("other", "", "", {}, {"hidden": 1})
    for place, shape in rows:
        for multiple, extent, have in zip(place.shape(one), place.dimensions, shape, strict=True):
            if extent == "hidden" and multiple and have % multiple == 0:
                votes[have // multiple] += 1
    return votes.most_common(1)[0][0] if votes else 0
