"""Facts of a picture's form: the format behind its ending, colours, depth, frames, transparency, borders, and
what a crop takes away.
"""

from __future__ import annotations

import re
from typing import Any

from albumkit.album import Album, Entry, MediaFile
from albumkit.album.names import split_name
from albumkit.facts import example as _example  # noqa: F401 - registered first
from albumkit.facts.measure import Measured
from albumkit.facts.registry import NotApplicable, Unmeasured, fact
from albumkit.images import TURNED_BY_PLUGIN, Header, formats_of_ending
from albumkit.settings import Settings
from albumkit.trainer import Trainer

_MODELS = {"CMYK": "CMYK", "LAB": "Lab", "YCbCr": "YCbCr", "HSV": "HSV"}
#: Profiles without a description of themselves.
_NAMELESS = "a profile without a name"
_RATIO = re.compile(r"([1-9][0-9]?):([1-9][0-9]?)")
#: Knobs that make the trainer look for the subject, or for a face, before it crops.
_FINDERS = ("subject_crop", "face_crop", "use_face_detection")
_SIDES = ("top", "right", "bottom", "left")
#: EXIF orientation -> which stored side is seen at top, right, bottom and left (CIPA DC-008, tag 274).
_SEEN_FROM = {
    2: (0, 3, 2, 1),
    3: (2, 3, 0, 1),
    4: (2, 1, 0, 3),
    5: (3, 2, 1, 0),
    6: (3, 0, 1, 2),
    7: (1, 0, 3, 2),
    8: (1, 2, 3, 0),
}


# What the file is


@fact("example")
def ending(media: MediaFile) -> str:
    """The file name's ending, in lower case, with its dot."""
    return f".{split_name(media.path)[2]}"


@fact("example", cost="header")
def ending_fits(media: MediaFile, good_header: Header) -> bool:
    """Whether the ending is one of the format's own; a rare ending, which several formats share, fits."""
    formats = formats_of_ending(split_name(media.path)[2])
    return not formats or good_header.format in formats


@fact("example", cost="header")
def colour_model(good_header: Header) -> str:
    """RGB (grey and palette too, which any loader makes RGB of), or CMYK, Lab, YCbCr, HSV."""
    return _MODELS.get(good_header.mode, "RGB")


@fact("example", cost="header")
def bits(good_header: Header) -> int:
    """Bits a channel, as stored; 32 also for floating point."""
    return good_header.bits


@fact("example", cost="header")
def frames(good_header: Header) -> int:
    """Pictures in an animation, or pages of a TIFF; 1 for an ordinary picture."""
    return good_header.frames


@fact("example", cost="header")
def foreign_profile(good_header: Header) -> str:
    """The name of an embedded profile whose colours are not those of sRGB; "" for sRGB by any name, without a
    profile, and for one that cannot be used.
    """
    if good_header.mode in _MODELS:
        raise NotApplicable("colours of another model: example/cmyk-or-lab")
    return (good_header.profile_name or _NAMELESS) if good_header.profile == "convert" else ""


@fact("example", cost="header")
def transparency_lost(good_header: Header, trainer: Trainer) -> bool:
    """True for a picture with transparency: nearly every trainer drops it. The others are left out, so that
    nobody asks for their pixels.
    """
    if not good_header.has_alpha:
        raise NotApplicable("without transparency")
    if trainer.archive.layout == "layered":
        raise NotApplicable("transparency is what this trainer learns")
    return True


@fact("example", cost="pixels")
def hidden_percent(transparency_lost: bool, decode_error: str, media: MediaFile, measured: Measured) -> float:
    """Percent of the area that looks different when transparency is dropped instead of laid on white."""
    if decode_error or not transparency_lost:
        raise NotApplicable("not decoded")
    return float(_measured(media, measured, "hidden_percent"))


# Borders


@fact("example", cost="pixels")
def bars(decode_error: str, media: MediaFile, measured: Measured, good_header: Header) -> tuple[float, ...]:
    """How thick the bars at top, right, bottom and left are, percent of the upright picture's side."""
    if decode_error:
        raise NotApplicable("not decoded")
    stored = tuple(_measured(media, measured, "bars"))
    turned = good_header.format not in TURNED_BY_PLUGIN
    order = _SEEN_FROM.get(good_header.orientation, (0, 1, 2, 3)) if turned else (0, 1, 2, 3)
    return tuple(stored[side] for side in order)


@fact("example", cost="pixels")
def bar_percent(bars: tuple[float, ...]) -> float:
    """Percent of the height, or of the width, that is bars: of the two, the larger."""
    top, right, bottom, left = bars
    return round(max(top + bottom, left + right), 1)


@fact("example", cost="pixels")
def bar_places(bars: tuple[float, ...]) -> str:
    """Where the bars are, in words."""
    there = [side for side, share in zip(_SIDES, bars, strict=True) if share]
    if len(there) == len(_SIDES):
        return "on all four sides"
    return "at " + " and ".join(there) if there else "nowhere"


@fact("example", cost="pixels")
def bar_tone(media: MediaFile, measured: Measured, bars: tuple[float, ...]) -> str:
    """The tone of the bars in words."""
    level = _measured(media, measured, "bar_level")
    return "black" if level < 40 else "white" if level > 215 else "grey"


# Shape and crop


@fact("example", cost="header")
def upright_size(good_header: Header) -> str:
    """Width x height in pixels as seen, after orientation."""
    width, height = _upright(good_header)
    return f"{width} x {height}"


@fact("example", cost="header")
def aspect_ratio(good_header: Header) -> float:
    """The longer side divided by the shorter."""
    width, height = _upright(good_header)
    return round(max(width, height) / min(width, height), 2)


@fact("example")
def crop_shape(settings: Settings) -> str:
    """The shape, such as 16:9, that every picture is cropped to; a square where the trainer does not say how
    it crops (see ``crop_assumed``).
    """
    if any(settings.value(knob) is True for knob in _FINDERS):
        raise NotApplicable("this trainer looks for the subject before it crops")
    wanted = settings.value("aspect_ratio")
    if wanted is None:
        return "1:1"
    if not isinstance(wanted, str) or not _RATIO.fullmatch(wanted):
        raise NotApplicable("every picture keeps about its own shape")
    return wanted


@fact("example")
def crop_assumed(settings: Settings) -> str:
    """Words for a crop that no source states, else nothing."""
    stated = settings.value("aspect_ratio") is not None
    return "" if stated else " (assumed: this trainer does not say how it crops)"


@fact("example", cost="header")
def crop_keeps(good_header: Header, crop_shape: str) -> tuple[float, ...]:
    """The shares, 0 to 1, of the upright width and height that a crop around the middle keeps."""
    match = _RATIO.fullmatch(crop_shape)
    assert match
    width, height = _upright(good_header)
    wanted, is_now = int(match[1]) / int(match[2]), width / height
    return min(1.0, wanted / is_now), min(1.0, is_now / wanted)


@fact("album")
def crop_masks(album: Album) -> dict[str, Entry]:
    """Path of a target -> its mask."""
    return {e.target.path: e.mask for e in album.examples if e.target and e.mask}


@fact("album", cost="pixels")
def crop_masks_measured(crop_masks: dict[str, Entry], measured: Measured) -> bool:
    """Whether there are masks; all of them are then measured, in parallel, for the facts that ask for one."""
    if crop_masks and measured.decode:
        from albumkit.pixels.framing import spread_of_mask

        measured.derive_all("spread", [[mask] for mask in crop_masks.values()], spread_of_mask)
    return bool(crop_masks)


@fact("example", cost="pixels")
def subject_cut(
    media: MediaFile,
    measured: Measured,
    crop_masks: dict[str, Entry],
    crop_masks_measured: bool,
    crop_keeps: tuple[float, ...],
) -> int:
    """Percent of the masked subject that lies outside of the crop; 0 without a mask."""
    mask = crop_masks.get(media.path)
    if mask is None or not crop_masks_measured:
        return 0
    from albumkit.pixels.framing import share_outside, spread_of_mask

    spread = measured.derive("spread", [mask], spread_of_mask)
    if spread["error"]:
        raise Unmeasured(f"its mask cannot be read: {spread['error']}")
    if not spread["columns"]:
        raise NotApplicable("its mask is empty")
    # Only one of the two sides is cropped.
    wide, high = crop_keeps
    return round(100 * max(share_outside(spread["columns"], wide), share_outside(spread["rows"], high)))


@fact("example", cost="header")
def unseen_cut(media: MediaFile, crop_masks: dict[str, Entry], crop_keeps: tuple[float, ...]) -> int:
    """Percent of the picture that lies outside of the crop where no mask tells what of it matters; 0 with a
    mask.
    """
    return 0 if media.path in crop_masks else round(100 * (1 - min(crop_keeps)))


@fact("example", cost="pixels")
def cut_away(subject_cut: int, unseen_cut: int) -> str:
    """What the crop takes, in words."""
    return f"{subject_cut} % of the subject" if subject_cut else f"{unseen_cut} % of the picture"


def _upright(header: Header) -> tuple[int, int]:
    if header.orientation >= 5 and header.format not in TURNED_BY_PLUGIN:
        return header.height, header.width
    return header.width, header.height


def _measured(media: MediaFile, measured: Measured, name: str) -> Any:
    """A measurement of the decoded picture; silence where this version's cache does not hold it."""
    known = measured.pixels(media)
    if name not in known:
        raise NotApplicable("not measured")
    return known[name]
