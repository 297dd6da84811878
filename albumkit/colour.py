"""Colour profiles: which ones say sRGB, conversion of the others, and any picture as plain RGB.

Trainers take every picture for sRGB. Conversion is relative colorimetric with black point compensation:
colours that sRGB has stay what they are, the others become the nearest, and shadows keep their steps.
"""

from __future__ import annotations

import functools
import io
import itertools
from dataclasses import dataclass

from PIL import Image, ImageCms

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
#: A profile that moves no colour by more than this many of 255 levels is sRGB by another name: makers round
#: its curve and primaries differently.
_SAME = 3
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


@dataclass(frozen=True, slots=True)
class Profile:
    """``verdict``: srgb (nothing to do), convert, or broken (cannot be read, or is not for such pixels).

    ``mode`` is the Pillow mode of the pixels that it describes.
    """

    verdict: str
    name: str = ""
    mode: str = "RGB"


SRGB = Profile("srgb")


@functools.lru_cache(64)
def judge_profile(icc: bytes, image_mode: str) -> Profile:
    """What a picture's embedded profile means for pixels of this Pillow mode. Never raises."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        name = ImageCms.getProfileDescription(profile).strip()
        mode = _MODES.get(profile.profile.xcolor_space.strip(), "")
        if not mode or not _fits(mode, image_mode):
            return Profile("broken", name)
        probe = _probe(mode)
        moved = _apply(probe, profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return Profile("broken")
    pairs = zip(probe.convert("RGB").tobytes(), moved.tobytes(), strict=True)
    same = mode != "CMYK" and all(abs(a - b) <= _SAME for a, b in pairs)
    return Profile("srgb" if same else "convert", name, mode)


def _fits(profile_mode: str, image_mode: str) -> bool:
    if profile_mode == "CMYK" or image_mode == "CMYK":
        return profile_mode == image_mode
    if profile_mode == "L":
        return image_mode in ("1", "L", "LA", "La", "I", "F") or image_mode.startswith("I;16")
    return image_mode not in ("LAB", "HSV", "YCbCr")


def _probe(mode: str) -> Image.Image:
    """A tiny picture of colours from the whole space."""
    if mode == "L":
        return Image.frombytes("L", (256, 1), bytes(range(256)))
    if mode == "CMYK":
        return Image.new("CMYK", (1, 1))
    steps = range(0, 256, 17)
    return Image.frombytes("RGB", (256, 16), bytes(itertools.chain(*itertools.product(steps, repeat=3))))


def to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """RGB pixels in sRGB from pixels of the profile's mode.

    Raises:
        ImageCms.PyCMSError: the profile cannot be applied after all.
    """
    return _apply(image, ImageCms.ImageCmsProfile(io.BytesIO(icc)))


def _apply(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    transform = ImageCms.buildTransform(
        profile, ImageCms.createProfile("sRGB"), image.mode, "RGB", _INTENT, _FLAGS
    )
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # only an in-place call returns None
    return converted


def flat_rgb(
    image: Image.Image,
    icc: bytes | None,
    profile_mode: str,
    *,
    background: tuple[int, int, int] = (255, 255, 255),
    has_alpha: bool,
) -> Image.Image:
    """A decoded picture of any mode as 8-bit RGB in sRGB, what is transparent over ``background``.

    Depth first, then colours, then transparency: a background in sRGB must meet pixels in sRGB.

    Args:
        icc: The profile to convert from, for pixels of ``profile_mode``; None: sRGB already.

    Raises:
        ValueError: its values cannot be told, or the profile cannot be applied.
    """
    alpha = None
    if has_alpha:
        whole = image.convert("RGBA")
        alpha = whole.getchannel("A")
        image = _without_alpha(image, whole)
    image = eight_bits(image)
    if icc:
        try:
            rgb = to_srgb(image if image.mode == profile_mode else image.convert(profile_mode), icc)
        except ImageCms.PyCMSError as error:
            raise ValueError(f"its colour profile cannot be applied: {error}") from error
    else:
        rgb = image.convert("RGB")
    if alpha is None:
        return rgb
    flat = Image.new("RGB", rgb.size, background)
    flat.paste(rgb, mask=alpha)
    return flat


def _without_alpha(image: Image.Image, whole: Image.Image) -> Image.Image:
    """The colours alone. Grey stays grey (its profile may be one for grey) and deep grey stays deep: the
    conversion to RGBA would clip it.
    """
    if image.mode in ("1", "L", "RGB") or image.mode.startswith("I"):
        return image
    return image.getchannel("L") if image.mode == "LA" else whole.convert("RGB")


def eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, of 32 or in floating point, scaled to 8: Pillow's own conversion clips at 255.

    Raises:
        ValueError: its values lie outside of what these depths mean.
    """
    if image.mode.startswith("I"):
        wide = image.convert("I")
        low, high = wide.getextrema()
        if not (
            isinstance(low, (int, float)) and isinstance(high, (int, float)) and low >= 0 and high <= 65535
        ):
            raise ValueError("its grey values lie outside of 16 bits; export it with 8 or 16")
        return wide.point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if image.mode == "F":
        low, high = image.getextrema()
        if not (isinstance(low, (int, float)) and isinstance(high, (int, float)) and low >= 0 and high <= 1):
            raise ValueError("its floating point values lie outside of 0 to 1; export it with 8 or 16 bits")
        return image.point(lambda value: value * 255 + 0.5).convert("L")
    return image
