"""Colour profiles: which ones say sRGB, and conversion of the others.

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
