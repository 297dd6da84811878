"""What a captioner is shown of an example: pictures as people see them, no larger than a model looks at."""

from __future__ import annotations

import math
from typing import BinaryIO

from PIL import Image, ImageFile

from albumkit.album import Album, Example, MediaFile
from albumkit.album.names import known_reason
from albumkit.clips import frames_of
from albumkit.colour import flat_rgb, judge_profile
from albumkit.errors import AlbumkitError, CaptionerError
from albumkit.images import header_of, open_image, reason_of, upright

#: Pixels of one picture. What finer ones hold, no sentence of forty words says; Qwen3-VL makes some 1,500
#: tokens of so many.
MOST_PIXELS = 1_500_000


def pictures_of(album: Album, example: Example, frames: int = 1) -> tuple[Image.Image, ...]:
    """Upright RGB in sRGB: the start, the references and the end of a pair, ``frames`` frames of a clip.

    Raises:
        CaptionerError: one of them cannot be shown; names it.
    """
    media = [m for m in (example.start, *example.references, example.target) if m is not None]
    if example.is_pair and (example.start is None or example.target is None):
        raise CaptionerError(f"{example.path}: the other half of the pair is missing.")
    return tuple(picture for one in media for picture in _shown(album, one, frames))


def _shown(album: Album, media: MediaFile, frames: int) -> list[Image.Image]:
    entry = media.entry
    if entry.lfs:
        raise CaptionerError(f"{entry.path}: Git LFS has not fetched it.", "git lfs pull")
    reason = (
        entry.problem or known_reason(entry.path) or ("" if entry.size else "the file is empty (0 bytes)")
    )
    if reason:
        raise CaptionerError(f"{entry.path}: {reason}.")
    try:
        with album.source.open(entry) as stream:
            if media.media == "clip":
                return [fitting(frame) for frame in frames_of(stream, frames)]
            return [load_picture(stream)]
    except AlbumkitError as error:
        raise CaptionerError(f"{entry.path}: {error.message}", error.remedy) from error
    except Exception as error:  # plugins raise nearly anything for a broken file
        raise CaptionerError(f"{entry.path}: {reason_of(error)}.") from error


def load_picture(stream: BinaryIO, most: int = MOST_PIXELS) -> Image.Image:
    """One picture, upright, RGB in sRGB, of at most ``most`` pixels; what is transparent is seen on white.

    Raises whatever Pillow raises; see :func:`albumkit.images.reason_of`.
    """
    with open_image(stream) as image:
        header = header_of(image, stream)
        if header.frames > 1:  # counting them may have left the first one
            image.seek(0)
        if header.format == "JPEG" and isinstance(image, ImageFile.ImageFile):
            by = next((by for by in (8, 4, 2) if header.pixels >= most * by * by), 1)
            image.draft(None, (max(1, image.width // by), max(1, image.height // by)))
        icc = image.info.get("icc_profile")
        profile = judge_profile(icc, image.mode) if icc and header.profile == "convert" else None
        image.load()
        turned = upright(image, header.format, header.orientation)
        plain = flat_rgb(
            turned, icc if profile else None, profile.mode if profile else "RGB", has_alpha=header.has_alpha
        )
    return fitting(plain, most)


def fitting(image: Image.Image, most: int = MOST_PIXELS) -> Image.Image:
    pixels = image.width * image.height
    if pixels <= most:
        return image
    by = math.sqrt(most / pixels)
    size = (max(1, int(image.width * by)), max(1, int(image.height * by)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
