"""Facts of edit pairs: which sides there are, their sizes, and what their pixels have in common."""

from __future__ import annotations

from typing import Any

from albumkit.album import Album, Example, MediaFile
from albumkit.album.names import pair_name, split_name
from albumkit.facts import album as _album  # noqa: F401 - registered first
from albumkit.facts.measure import Measured
from albumkit.facts.registry import NotApplicable, Unmeasured, fact
from albumkit.images import Header
from albumkit.settings import Settings
from albumkit.trainer import Pairs, Trainer


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


@fact("pair")
def pair_names(trainer: Trainer) -> Pairs:
    """How the trainer names the sides; not applicable to one that takes no pairs, which is another fault."""
    if trainer.archive.pairs is None:
        raise NotApplicable("this trainer takes no pairs")
    return trainer.archive.pairs


@fact("pair")
def reference_count(example: Example) -> int:
    """Input pictures besides the start."""
    return len(example.references)


@fact("pair")
def reference_words(reference_count: int) -> str:
    """The input pictures besides the start, counted in words."""
    return "1 picture" if reference_count == 1 else f"{reference_count} pictures"


@fact("pair")
def most_references(pair_names: Pairs) -> int:
    """How many input pictures besides the start the trainer takes."""
    return len(pair_names.references)


@fact("pair")
def surplus_references(reference_count: int, most_references: int) -> int:
    """Input pictures beyond those that the trainer takes."""
    return max(0, reference_count - most_references)


@fact("pair")
def surplus_names(example: Example, most_references: int) -> str:
    """The names of the input pictures that are too many."""
    return ", ".join(split_name(m.path)[1] for m in example.references[most_references:])


@fact("pair")
def missing_reference(example: Example, pair_root: str) -> str:
    """The first name left out in ROOT_start2, ROOT_start3, ...; "" where none is. Folders of pairs count the
    pictures themselves and leave none out.
    """
    named = [pair_name(split_name(media.path)[1]) for media in example.references]
    numbers = {name.number for name in named if name and name.role == "start"}
    if not all(named) or not numbers:
        return ""
    left_out = next((n for n in range(2, max(numbers)) if n not in numbers), None)
    return f"{pair_root}_start{left_out}" if left_out else ""


@fact("pair")
def next_reference(example: Example, missing_reference: str) -> str:
    """The reference that would move into the place of the one left out; "" where none is."""
    if not missing_reference:
        return ""
    number = int(missing_reference.rpartition("_start")[2])
    names = (split_name(media.path)[1] for media in example.references)
    return next(n for n in names if (found := pair_name(n)) and found.number > number)


@fact("pair", cost="header")
def start_header(example: Example, measured: Measured) -> Header:
    """The header of the start picture."""
    return _header(example.start, measured)


@fact("pair", cost="header")
def end_header(example: Example, measured: Measured) -> Header:
    """The header of the end picture."""
    return _header(example.target, measured)


@fact("pair", cost="header")
def start_size(start_header: Header) -> str:
    """Width and height of the upright start in pixels, in words."""
    return "{} x {}".format(*start_header.upright_size)


@fact("pair", cost="header")
def end_size(end_header: Header) -> str:
    """Width and height of the upright end in pixels, in words."""
    return "{} x {}".format(*end_header.upright_size)


@fact("pair")
def frame_kept(settings: Settings) -> bool:
    """Always true: not applicable where the edit itself changes the frame (``edit = "geometry"``)."""
    if settings.edit == "geometry":
        raise NotApplicable("the edit changes the frame")
    return True


@fact("pair", cost="header")
def size_gap_percent(start_header: Header, end_header: Header, frame_kept: bool) -> float:
    """By how many percent the longer width, or height, exceeds the shorter; the larger of the two."""
    sides = zip(start_header.upright_size, end_header.upright_size, strict=True)
    return round(max(max(pair) / min(pair) - 1 for pair in sides) * 100, 2)


@fact("album", cost="pixels")
def compared_pairs(album: Album, measured: Measured) -> int:
    """How many pairs have both sides as pictures; comparing them at once is quicker than one by one."""
    jobs = []
    for example in album.examples if album.has_pairs else ():
        try:
            for side in (example.start, example.target):
                _decodable(side, measured)
        except (Unmeasured, NotApplicable):
            continue
        assert example.start
        assert example.target
        jobs.append((example.start.entry, example.target.entry))
    if jobs:
        measured.derive_all("pair", jobs, _compare)
    return len(jobs)


@fact("pair", cost="pixels")
def comparison(example: Example, measured: Measured, compared_pairs: int) -> dict[str, Any]:
    """What the pixels of start and end have in common; see :func:`albumkit.pixels.registration.compare`."""
    start, end = (_decodable(side, measured) for side in (example.start, example.target))
    found = measured.derive("pair", (start.entry, end.entry), _compare)
    if found["error"]:
        raise NotApplicable("cannot be decoded")
    return found


@fact("pair", cost="pixels")
def pair_difference(comparison: dict[str, Any]) -> float:
    """How far the part that differs most does so: levels of 255, over blocks of a thirtieth of the side."""
    return float(comparison["difference"])


@fact("pair", cost="pixels")
def pair_difference_words(pair_difference: float) -> str:
    """The difference as a person would say it."""
    return f"nowhere more than {pair_difference:.1f} of 255 apart" if pair_difference else "pixel for pixel"


@fact("pair", cost="pixels")
def pair_shift(comparison: dict[str, Any], frame_kept: bool) -> tuple[float, float]:
    """Pixels of the upright end picture by which it lies right of and below the start."""
    if not comparison["same_shape"]:
        raise NotApplicable("start and end differ in shape")
    if comparison["shift"] is None:
        raise Unmeasured("start and end have too few edges in common to tell whether one is shifted")
    right, down = comparison["shift"]
    return float(right), float(down)


@fact("pair", cost="pixels")
def pair_shift_percent(pair_shift: tuple[float, float], end_header: Header) -> float:
    """Length of the shift in percent of the end's longer side."""
    length: float = (pair_shift[0] ** 2 + pair_shift[1] ** 2) ** 0.5
    return round(length / max(end_header.upright_size) * 100, 2)


@fact("pair", cost="pixels")
def pair_shift_words(pair_shift: tuple[float, float]) -> str:
    """The shift in whole pixels: "8 px right and 4 px up"."""
    right, down = (round(part) for part in pair_shift)
    parts = [f"{abs(right)} px {'right' if right > 0 else 'left'}"] if right else []
    parts += [f"{abs(down)} px {'down' if down > 0 else 'up'}"] if down else []
    return " and ".join(parts) or "less than 1 px"


def _compare(*streams: Any) -> dict[str, Any]:
    from albumkit.pixels.registration import compare  # numpy: only where pixels are measured

    return compare(*streams)


def _header(media: MediaFile | None, measured: Measured) -> Header:
    if media is None or media.media != "image":
        raise NotApplicable("no picture")
    found = measured.header(media)
    if found.error or not found.width or not found.height:
        raise NotApplicable("unreadable")
    return found


def _decodable(media: MediaFile | None, measured: Measured) -> MediaFile:
    _header(media, measured)
    assert media
    if reason := measured.too_large(media):
        raise Unmeasured(reason)
    return media
