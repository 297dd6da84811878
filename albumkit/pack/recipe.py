"""What has to be done to a picture, decided from its header alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image

from albumkit.album.names import known_reason
from albumkit.colour import SRGB, Profile, judge_profile
from albumkit.images import FORMAT_NAMES, TURNED_BY_PLUGIN, Header, open_image, read_header, reason_of
from albumkit.pack.model import Change, Unpackable
from albumkit.pack.strip import STRIPPABLE, Irregular, png_chunks, strip_metadata, webp_chunks
from albumkit.parallel import MOST_PIXELS

#: How far a mask's proportions may be from its picture's before scaling it would be a guess.
_SAME_SHAPE = 0.02
#: Encoders that throw detail away; what they made is kept as JPEG, everything else as PNG.
_LOSSY = frozenset({"JPEG", "HEIF", "AVIF", "JPEG2000"})
_METADATA_KEYS = ("exif", "xmp", "XML:com.adobe.xmp", "photoshop", "comment", "Raw profile type exif")
_MODE_NAMES = {"CMYK": "CMYK", "LAB": "Lab", "YCbCr": "YCbCr", "HSV": "HSV", "P": "palette", "PA": "palette"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one picture goes into the archive.

    ``how``: copied, cleaned or encoded (see PackedFile). ``width`` and ``height`` are those of the result, in
    pixels; ``pixels`` is what decoding it costs.
    """

    how: str
    format: str
    stored_format: str
    width: int
    height: int
    pixels: int
    changes: tuple[Change, ...] = ()
    orientation: int = 1
    #: The profile to convert from; empty when the colours are sRGB already.
    icc: bytes = b""
    profile: Profile = SRGB
    has_alpha: bool = False
    halved: bool = False


@dataclass(frozen=True, slots=True)
class _Traits:
    header: Header
    width: int
    height: int
    orientation: int
    has_location: bool
    frames: int
    has_alpha: bool
    deep: bool
    lossless: bool
    icc: bytes
    profile: Profile | None
    metadata: bool


def inspect(data: bytes, path: str, accepted: Sequence[str], background: str) -> Recipe:
    """Choose between copying, cleaning and encoding.

    A picture that the trainer reads as it is, upright and in sRGB, is copied; with metadata, they are cut
    out. Everything else is decoded and encoded anew: as JPEG of quality 95 without colour subsampling where
    it came from an encoder that loses detail (one more loss of that size cannot be seen), as PNG where it
    did not, so that nothing is lost at all; as the other of the two where the trainer does not take one.

    Args:
        path: For the reason why a camera RAW or vector file is no picture.
        accepted: Pillow's names of the formats that the trainer takes.

    Raises:
        Unpackable: not a picture, or too large.
    """
    traits = _traits(data, path)
    header = traits.header
    if header.pixels > MOST_PIXELS and (header.format != "JPEG" or header.progressive):
        # A progressive JPEG unpacks in memory as a whole, whatever size is asked of it.
        limit = f"more than {MOST_PIXELS // 1_000_000} are read only of a plain (not progressive) JPEG"
        raise Unpackable(f"{round(header.pixels / 1e6)} megapixels: {limit}; make it smaller")
    changes = _pixel_changes(traits, background)
    accepts_it = header.format in accepted and header.format in STRIPPABLE
    if accepts_it and not changes:
        kept = _without_decoding(data, traits)
        if kept is not None:
            return kept
        changes.append(Change("encoded anew", "its file is built irregularly: nothing can be cut out safely"))
    return _encoding(traits, changes, accepted)


def _encoding(traits: _Traits, changes: list[Change], accepted: Sequence[str]) -> Recipe:
    header = traits.header
    target = _target_format(traits.lossless, accepted)
    if target != header.format:
        takes = ", ".join(FORMAT_NAMES.get(f, f) for f in accepted)
        why = "its pixels had to change" if header.format in accepted else f"this trainer takes {takes}"
        name = FORMAT_NAMES.get(header.format, header.format)
        changes = [Change(f"{name} to {target}", why), *(c for c in changes if c.what != "palette to RGB")]
    changes += _metadata_changes(traits, ())
    width, height = traits.width, traits.height
    halved = header.pixels > MOST_PIXELS
    if halved:
        width, height = (width + 1) // 2, (height + 1) // 2
        why = f"{round(header.pixels / 1e6)} megapixels: larger than any trainer uses, and than pack decodes"
        changes.append(Change("scaled to half", why))
    return Recipe(
        how="encoded",
        format=target,
        stored_format=header.format,
        width=width,
        height=height,
        pixels=width * height,
        changes=tuple(changes),
        orientation=traits.orientation,
        icc=traits.icc if traits.profile and traits.profile.verdict == "convert" else b"",
        profile=traits.profile or SRGB,
        has_alpha=traits.has_alpha,
        halved=halved,
    )


def inspect_mask(data: bytes, size: tuple[int, int]) -> int:
    """What decoding a mask costs, in pixels.

    Args:
        size: Width and height of its upright picture, which it must have the shape of.

    Raises:
        Unpackable: not a picture, too large, or of another shape.
    """
    header = read_header(io.BytesIO(data))
    if header.error:
        raise Unpackable(header.error)
    if header.pixels > MOST_PIXELS or not header.width:
        raise Unpackable(f"{round(header.pixels / 1e6)} megapixels: too large for a mask")
    width, height = header.upright_size
    if abs(width * size[1] / (height * size[0]) - 1) > _SAME_SHAPE:
        raise Unpackable(
            f"{width}x{height} for a picture that is {size[0]}x{size[1]} when upright; "
            "make the mask from the upright picture"
        )
    return max(header.pixels, size[0] * size[1])


def _without_decoding(data: bytes, traits: _Traits) -> Recipe | None:
    """Copied, or cleaned where there is something to cut out; None where that cannot be done safely."""
    header = traits.header
    try:
        bare, dropped = strip_metadata(data, header.format)
    except Irregular:
        return None
    changes: list[Change] = []
    if traits.frames > 1:
        changes.append(Change("first picture kept", f"an animation of {traits.frames} pictures"))
    if bare != data:
        changes += _metadata_changes(traits, tuple(name for name in dropped if name != "animation"))
    # A plain JPEG is proven readable at an eighth of its size.
    plain = header.format == "JPEG" and not header.progressive
    cost = header.pixels // 64 if plain else header.pixels
    how = "copied" if bare == data else "cleaned"
    return Recipe(
        how,
        header.format,
        header.format,
        traits.width,
        traits.height,
        cost,
        tuple(changes),
        traits.orientation,
    )


def _traits(data: bytes, path: str) -> _Traits:
    header = read_header(io.BytesIO(data))
    if header.error:
        raise Unpackable(known_reason(path) or header.error)
    if not header.width:
        raise Unpackable(f"{round(header.pixels / 1e6)} megapixels: more than Pillow opens")
    try:
        with open_image(io.BytesIO(data)) as image:
            info, mode = dict(image.info), image.mode
    except Exception as error:  # plugins raise nearly anything
        raise Unpackable(reason_of(error)) from error
    orientation, has_location = header.orientation, header.has_location
    if header.format == "PNG" and "exif" not in info and (late := _late_exif(data)):
        orientation, has_location = late
    icc = info.get("icc_profile")
    icc = icc if isinstance(icc, bytes) else b""
    sideways = orientation >= 5 and header.format not in TURNED_BY_PLUGIN
    return _Traits(
        header=header,
        width=header.height if sideways else header.width,
        height=header.width if sideways else header.height,
        orientation=1 if header.format == "HEIF" else orientation,
        has_location=has_location,
        frames=header.frames,
        has_alpha=header.has_alpha,
        deep=mode.startswith("I") or mode == "F" or (header.format == "PNG" and data[24] == 16),
        lossless=_is_lossless(header.format, info, data),
        icc=icc,
        profile=judge_profile(icc, mode) if icc else None,
        metadata=any(info.get(key) for key in _METADATA_KEYS),
    )


def _late_exif(data: bytes) -> tuple[int, bool] | None:
    """Orientation and presence of a position from an eXIf chunk that stands behind the pixels, where the
    standard allows it and a header reader does not look.
    """
    try:
        for kind, start, end in png_chunks(data):
            if kind == b"eXIf":
                exif = Image.Exif()
                exif.load(data[start + 8 : end - 4])
                orientation = exif.get(ExifTags.Base.Orientation, 1)
                located = ExifTags.Base.GPSInfo in exif
                return (orientation if orientation in range(1, 9) else 1), located
    except Exception:  # a broken file is found out when it is decoded, a broken EXIF block is dropped
        return None
    return None


def _is_lossless(format_name: str, info: dict[Any, Any], data: bytes) -> bool:
    if format_name == "WEBP":
        try:
            return any(kind == b"VP8L" for kind, _, _ in webp_chunks(data))
        except Irregular:
            return False
    if format_name == "TIFF":
        return info.get("compression") not in ("jpeg", "tiff_jpeg", "webp")
    return format_name not in _LOSSY


def _pixel_changes(traits: _Traits, background: str) -> list[Change]:
    """Everything that cannot be done without new pixels."""
    changes = []
    mode = traits.header.mode
    if traits.orientation != 1:
        why = f"EXIF orientation {traits.orientation}, which many trainers do not look at"
        changes.append(Change("turned upright", why))
    if traits.frames > 1 and traits.header.format != "PNG":  # an APNG's first picture is cut out whole
        changes.append(Change("first picture kept", f"a file of {traits.frames} pictures"))
    if traits.profile and traits.profile.verdict == "convert":
        why = f"its profile is {traits.profile.name or 'not sRGB'}; trainers take every picture for sRGB"
        changes.append(Change("colours to sRGB", why))
    if traits.deep:
        changes.append(Change("16 bits to 8", "trainers read 8 bits a channel and would clip the rest"))
    elif name := _MODE_NAMES.get(mode):
        changes.append(Change(f"{name} to RGB", "trainers read RGB"))
    elif mode == "1":
        changes.append(Change("1 bit to 8", "trainers read 8 bits a channel"))
    if traits.has_alpha:
        why = f"filled with {background}: without this a trainer shows what lies hidden under it"
        changes.append(Change("transparency filled", why))
    return changes


def _metadata_changes(traits: _Traits, dropped: tuple[str, ...]) -> list[Change]:
    changes = []
    if traits.profile and traits.profile.verdict == "broken" and traits.header.mode != "LAB":
        why = "it cannot be read or is for other pixels; the colours are taken for sRGB, as trainers do"
        changes.append(Change("unusable profile removed", why))
        dropped = tuple(name for name in dropped if name != "sRGB profile")
    what = ", ".join(dropped)
    if traits.has_location:
        changes.append(Change("location removed", f"{what or 'metadata'}: tells where the picture was taken"))
    elif dropped or traits.metadata:
        changes.append(Change("metadata removed", f"{what or 'metadata'}: nothing that a trainer needs"))
    return changes


def _target_format(lossless: bool, accepted: Sequence[str]) -> str:
    for choice in ("PNG", "JPEG") if lossless else ("JPEG", "PNG"):
        if choice in accepted:
            return choice
    raise Unpackable("the trainer takes neither JPEG nor PNG, and pack writes only these")
