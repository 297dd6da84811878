"""Facts of single pictures: what the header says, and whether the pixels can be had."""

from __future__ import annotations

import math

from albumkit.album import MediaFile
from albumkit.facts import training as _training  # noqa: F401 - registered first
from albumkit.facts.measure import Measured
from albumkit.facts.registry import NotApplicable, fact
from albumkit.images import FORMAT_NAMES, Header
from albumkit.trainer import Trainer

_TURNS = {
    2: "mirrored",
    3: "upside down",
    4: "mirrored and upside down",
    5: "mirrored and lying on its side",
    6: "lying on its side",
    7: "mirrored and lying on its side",
    8: "lying on its side",
}


@fact("example", cost="header")
def header(media: MediaFile, measured: Measured) -> Header:
    """Everything that the first bytes say; the other header facts are parts of it."""
    if media.media != "image":
        raise NotApplicable("not a picture")
    return measured.header(media)


@fact("example", cost="header")
def header_error(header: Header) -> str:
    """Why the file is no picture; empty when it is one."""
    return header.error


@fact("example", cost="header")
def pixel_count(header: Header) -> int:
    """Width times height, as declared."""
    if header.error:
        raise NotApplicable("unreadable")
    return header.pixels


@fact("example", cost="header")
def megapixels(pixel_count: int) -> int:
    """Declared pixels in whole millions."""
    return round(pixel_count / 1e6)


@fact("example", cost="header")
def good_header(header: Header) -> Header:
    """The header of a picture that can be read; everything else is somebody else's fault."""
    if header.error or not header.width:
        raise NotApplicable("unreadable")
    return header


@fact("example", cost="header")
def width(good_header: Header) -> int:
    """Stored width in pixels, before orientation."""
    return good_header.width


@fact("example", cost="header")
def height(good_header: Header) -> int:
    """Stored height in pixels, before orientation."""
    return good_header.height


@fact("example", cost="header")
def media_format(media: MediaFile, measured: Measured) -> str:
    """Format by content in Pillow's names for a picture (JPEG also for a phone's MPO, HEIF for HEIC), the
    lower-case ending for a clip.
    """
    if media.media == "clip":
        return media.path.rpartition(".")[2].lower()
    found = measured.header(media)
    if found.error or not found.format:
        raise NotApplicable("unreadable")
    return found.format


@fact("example", cost="header")
def format_name(media_format: str) -> str:
    """The format as people call it."""
    return FORMAT_NAMES.get(media_format, media_format)


@fact("example")
def accepted_formats(media: MediaFile, trainer: Trainer) -> str:
    """The formats of this kind of media that the trainer takes, in words; says where the list is assumed."""
    taken = trainer.media.images if media.media == "image" else trainer.media.clips
    if taken is None:
        return "no pictures" if media.media == "image" else "no clips"
    names = [FORMAT_NAMES.get(name, name) for name in taken.formats]
    return ", ".join(names) + (" (assumed)" if taken.assumed else "")


@fact("example", cost="header")
def format_accepted(media: MediaFile, media_format: str, trainer: Trainer) -> bool:
    """Whether the trainer takes this kind of media, and in this format."""
    taken = trainer.media.images if media.media == "image" else trainer.media.clips
    return taken is not None and media_format in taken.formats


@fact("example")
def convertible(media: MediaFile, trainer: Trainer) -> bool:
    """Whether pack can turn it into what the trainer takes: any picture, where it takes pictures."""
    return media.media == "image" and trainer.media.images is not None


@fact("example", cost="header")
def orientation(good_header: Header) -> int:
    """EXIF orientation, 1 (upright) to 8."""
    return good_header.orientation


@fact("example", cost="header")
def turn(orientation: int) -> str:
    """How the stored pixels lie when nobody applies the orientation."""
    return _TURNS.get(orientation, "upright")


@fact("example", cost="header")
def has_location(good_header: Header) -> bool:
    """Whether EXIF holds a GPS position."""
    return good_header.has_location


@fact("example", cost="header")
def upscale_factor(width: int, height: int, training_side: int) -> float:
    """How much each side grows when the picture is brought to the training area; below 1 it shrinks."""
    return round(training_side / math.sqrt(width * height), 2)


@fact("example", cost="pixels")
def decode_error(good_header: Header, media: MediaFile, measured: Measured) -> str:
    """Why the pixels cannot be decoded to the end; empty when they can."""
    return str(measured.pixels(media)["decode_error"])


@fact("example", cost="header")
def duplicates(media: MediaFile, same_content: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Other targets with exactly these bytes."""
    return same_content.get(media.path, ())


@fact("example", cost="header")
def duplicate_of(media: MediaFile, duplicates: tuple[str, ...]) -> str:
    """The first file in path order with the same bytes; empty for that first one itself."""
    return duplicates[0] if duplicates and duplicates[0] < media.path else ""
