"""Facts of masks: is there one, does it lie on its picture, and does it look like the others.

A mask weighs the loss: white is learned, black is not. Not applicable where the trainer reads no masks.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from albumkit.album import Album, Entry, Example, MediaFile
from albumkit.facts import example as _example  # noqa: F401 - registered first
from albumkit.facts.measure import Measured
from albumkit.facts.registry import NotApplicable, Unmeasured, fact
from albumkit.images import Header
from albumkit.settings import Settings
from albumkit.trainer import Trainer

#: Below so many masks nobody can say what is usual among them.
_FEWEST = 8
#: Share of a side from which on a subject reaches it rather than touches it.
_REACHES = 0.25
#: A spread of subject sizes below this, in logits, is taken for this: half or twice the odds is nothing.
_LEAST_SPREAD = 0.7
_KINDS = {
    "grey": "grey",
    "palette": "a picture with a palette: a loader that takes its numbers for grey sees other weights",
    "transparency": "partly transparent: a loader that ignores that sees what is hidden there",
    "colours": "in colours: loaders take the red channel or the brightness of each for its weight",
}

#: All black or all white but for less than this has no size to compare.
_LEAST = 0.001
_SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, slots=True)
class Shape:
    """What :func:`albumkit.pixels.mask.measure_mask` found in a mask that can be read."""

    kind: str
    share: float
    lit: float
    peak: int
    rim: float
    middle: float
    sides: tuple[float, float, float, float]
    parts: int


@fact("album")
def reads_masks(trainer: Trainer) -> bool:
    """Whether masks of the album reach the training; not applicable where they do not."""
    if trainer.archive.masks is None:
        raise NotApplicable("this trainer reads no masks")
    return True


@fact("album")
def mask_count(album: Album) -> int:
    """Examples that have a mask."""
    return sum(1 for example in album.examples if example.mask)


@fact("mask")
def mask_missing(example: Example, reads_masks: bool, mask_count: int, settings: Settings) -> bool:
    """Whether a picture has no mask although others have; not applicable without create_masks, and where no
    picture has one.
    """
    if not settings.value("create_masks") or not mask_count or example.target is None:
        raise NotApplicable("masks are not used, or there are none")
    return example.mask is None and example.target.media == "image"


@fact("mask")
def mask_name(example: Example) -> str:
    """Where a mask of this example would lie."""
    folder, _, stem = example.root.rpartition("/")
    return f"{folder}/masks/{stem}.png" if folder else f"masks/{stem}.png"


@fact("mask")
def mask_entry(example: Example, reads_masks: bool) -> Entry:
    """The mask's file; not applicable without one."""
    if example.mask is None:
        raise NotApplicable("no mask")
    return example.mask


@fact("mask", cost="header")
def mask_size(mask_entry: Entry, measured: Measured) -> tuple[int, int]:
    """Width and height of the mask in pixels, upright."""
    return _upright(measured.header(MediaFile(mask_entry, "image")))


@fact("mask", cost="header")
def masked_size(example: Example, measured: Measured) -> tuple[int, int]:
    """Width and height of its picture in pixels, upright."""
    if example.target is None or example.target.media != "image":
        raise NotApplicable("no picture")
    return _upright(measured.header(example.target))


@fact("mask", cost="header")
def mask_stretch(mask_size: tuple[int, int], masked_size: tuple[int, int]) -> float:
    """By how much the mask's proportions differ from its picture's, as a share; 0 when a plain scaling lays
    one on the other.
    """
    return round(abs(mask_size[0] * masked_size[1] / (mask_size[1] * masked_size[0]) - 1), 4)


@fact("mask", cost="header")
def mask_sizes(mask_size: tuple[int, int], masked_size: tuple[int, int]) -> str:
    """Both sizes in words; says when the mask was drawn before the picture was turned."""
    mask, picture = "x".join(map(str, mask_size)), "x".join(map(str, masked_size))
    lying = abs(mask_size[0] * masked_size[0] / (mask_size[1] * masked_size[1]) - 1) < 0.01
    hint = "; it seems to lie on its side" if lying and mask_size[0] != mask_size[1] else ""
    return f"{mask} for a picture of {picture} (upright){hint}"


@fact("album", cost="pixels")
def masks_measured(album: Album, measured: Measured, reads_masks: bool) -> dict[str, Shape]:
    """Path of a mask -> its measurements, for those that can be had; measured in parallel."""
    from albumkit.pixels.mask import measure_mask  # numpy: only where pixels are measured

    entries = [e.mask for e in album.examples if e.mask and not e.mask.problem]
    measured.derive_all("mask", [[entry] for entry in entries], measure_mask)
    found: dict[str, Shape] = {}
    for entry in entries:
        try:
            shape = measured.derive("mask", [entry], measure_mask)
        except Unmeasured:
            continue
        if not shape["mask_error"]:
            known = {name: value for name, value in shape.items() if name != "mask_error"}
            found[entry.path] = Shape(**{**known, "sides": tuple(shape["sides"])})
    return found


@fact("mask", cost="pixels")
def mask_error(mask_entry: Entry, masks_measured: dict[str, Shape], measured: Measured) -> str:
    """Why the mask's pixels cannot be had; "" when they can."""
    from albumkit.pixels.mask import measure_mask

    if mask_entry.path in masks_measured:
        return ""
    if mask_entry.problem or not mask_entry.size:
        return mask_entry.problem or "the file is empty (0 bytes)"
    return str(measured.derive("mask", [mask_entry], measure_mask)["mask_error"])


@fact("mask", cost="pixels")
def mask_shape(mask_entry: Entry, mask_error: str, masks_measured: dict[str, Shape]) -> Shape:
    """All measurements of a mask that can be read; the facts below are parts of it."""
    if mask_error:
        raise NotApplicable("unreadable")
    return masks_measured[mask_entry.path]


@fact("mask", cost="pixels")
def mask_kind(mask_shape: Shape) -> str:
    """grey (also when stored as RGB), palette, transparency or colours."""
    return mask_shape.kind


@fact("mask", cost="pixels")
def mask_kind_words(mask_kind: str) -> str:
    """What a loader has to make of it, in words."""
    return _KINDS[mask_kind]


@fact("mask", cost="pixels")
def mask_share(mask_shape: Shape) -> float:
    """The mean weight: 0 all black, 1 all white."""
    return mask_shape.share


@fact("mask", cost="pixels")
def mask_percent(mask_share: float) -> str:
    """The mean weight for messages, in per cent."""
    return f"{100 * mask_share:.2g}" if mask_share < 0.1 else f"{math.floor(1000 * mask_share) / 10:g}"


@fact("mask", cost="pixels")
def mask_lit(mask_shape: Shape) -> float:
    """The share of it that weighs a tenth or more: 0 also for classes 0 and 1 instead of black and white."""
    return mask_shape.lit


@fact("mask", cost="pixels")
def lit_percent(mask_lit: float) -> str:
    """The same for messages, in per cent."""
    return f"{100 * mask_lit:.2g}"


@fact("mask", cost="pixels")
def mask_peak(mask_shape: Shape) -> int:
    """The largest value in it, 0 to 255."""
    return mask_shape.peak


@fact("album", cost="pixels")
def usual_inversion(masks_measured: dict[str, Shape]) -> float:
    """By how much more than half of the album's masks have a rim that is mostly white, and whiter than the
    middle: 0 to 0.5. One subject may fill the frame and have a hole; most of an album do not. 0 below four.
    """
    hollow = sum(1 for s in masks_measured.values() if s.rim > 0.5 and s.rim > s.middle)
    return max(0.0, hollow / len(masks_measured) - 0.5) if len(masks_measured) >= 4 else 0.0


@fact("mask", cost="pixels")
def mask_inversion(mask_shape: Shape, usual_inversion: float) -> float:
    """How much whiter the rim is than the middle (-1 to 1), and more where the whole album is like that."""
    return round(mask_shape.rim - mask_shape.middle + usual_inversion, 3)


@fact("mask", cost="pixels")
def rim_percent(mask_shape: Shape) -> int:
    """Mean weight of the outermost twentieth of the mask, in per cent."""
    return round(100 * mask_shape.rim)


@fact("mask", cost="pixels")
def middle_percent(mask_shape: Shape) -> int:
    """Mean weight of the middle half of the mask, in per cent."""
    return round(100 * mask_shape.middle)


@fact("mask", cost="pixels")
def mask_parts(mask_shape: Shape) -> int:
    """White parts that do not touch each other, specks left out."""
    return mask_shape.parts


@fact("album", cost="pixels")
def usual_cut(masks_measured: dict[str, Shape]) -> float:
    """How much of a side, the lowest left out, is white at most in nine of ten of the album's masks; of the
    eight to ten masks of a small album in all but one.
    """
    if len(masks_measured) < _FEWEST:
        raise NotApplicable("too few masks to say what is usual")
    cuts = sorted(max(s.sides[:3]) for s in masks_measured.values())
    return cuts[min(len(cuts) - 2, len(cuts) * 9 // 10)]


@fact("mask", cost="pixels")
def cut_side(mask_shape: Shape) -> str:
    """The side, other than the lowest, at which most is white. A bust reaches the lower side, a close-up
    three sides: both are meant so, and a close-up is not applicable.
    """
    if sum(side >= _REACHES for side in mask_shape.sides) >= 3:
        raise NotApplicable("a close-up")
    return _SIDES[mask_shape.sides.index(max(mask_shape.sides[:3]))]


@fact("mask", cost="pixels")
def cut_share(mask_shape: Shape, cut_side: str) -> float:
    """How much of that side is white, as a share of it."""
    return mask_shape.sides[_SIDES.index(cut_side)]


@fact("mask", cost="pixels")
def mask_cut(cut_share: float, usual_cut: float) -> float:
    """How much more of that side is white than nine of ten of the album's masks have of any."""
    return round(cut_share - usual_cut, 3)


@fact("mask", cost="pixels")
def cut_percent(cut_share: float) -> int:
    """How much of that side is white, in per cent."""
    return round(100 * cut_share)


@fact("album", cost="pixels")
def usual_share(masks_measured: dict[str, Shape]) -> tuple[float, float]:
    """Median and spread (1.4826 times the median deviation) of the masks' white shares, in logits; masks that
    are all black or all white left out.
    """
    logits = [_logit(s.share) for s in masks_measured.values() if _LEAST <= s.share <= 1 - _LEAST]
    if len(logits) < _FEWEST:
        raise NotApplicable("too few masks to say what is usual")
    middle = statistics.median(logits)
    spread = 1.4826 * statistics.median(abs(one - middle) for one in logits)
    return middle, max(spread, _LEAST_SPREAD)


@fact("mask", cost="pixels")
def share_deviation(mask_share: float, usual_share: tuple[float, float]) -> float:
    """How many spreads the white share lies from the album's median; not applicable to all black or white."""
    if not _LEAST <= mask_share <= 1 - _LEAST:
        raise NotApplicable("all black or all white")
    return round(abs(_logit(mask_share) - usual_share[0]) / usual_share[1], 2)


@fact("mask", cost="pixels")
def usual_percent(usual_share: tuple[float, float]) -> int:
    """The album's median white share in per cent."""
    return round(100 / (1 + math.exp(-usual_share[0])))


def _upright(header: Header) -> tuple[int, int]:
    if header.error or not header.width:
        raise NotApplicable("unreadable")
    return header.upright_size


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
