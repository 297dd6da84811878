"""Small pictures for the contact sheet: upright, of about 256 pixels, as JPEG in the page itself.

Made in parallel with a bound on the pixels that are decoded at a time, as lint does it. A JPEG is decoded at
the smallest scale that still holds the thumbnail.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image, ImageFile, ImageOps

from albumkit.album import Album, Entry, Example
from albumkit.album.names import known_reason
from albumkit.album.source import LARGEST_MEMBER
from albumkit.clips import read_clip_header, rgb_of
from albumkit.images import FORMAT_NAMES, Header, open_image, read_header, reason_of
from albumkit.parallel import MOST_PIXELS, Budget, in_order

#: Pixels of a thumbnail's longer side.
SIDE = 256
_QUALITY = 74
#: Bytes of a colour profile that a thumbnail keeps: a phone's Display P3 takes 536, those for print more.
_LARGEST_PROFILE = 4096


@dataclass(frozen=True, slots=True)
class Thumb:
    """A thumbnail, or why there is none (``problem``).

    ``width`` and ``height`` are those of the whole picture, upright, in pixels; ``words`` is its format, or
    the length of a clip. ``uri`` is a data URI.
    """

    path: str
    uri: str = ""
    width: int = 0
    height: int = 0
    words: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """An example with the thumbnails of its files, in the order of ``Example.media``."""

    example: Example
    media: tuple[Thumb, ...]
    mask: Thumb | None


class Thumbs:
    """The thumbnails of one album."""

    def __init__(self, album: Album, jobs: int | None = None) -> None:
        self._album = album
        self._jobs = jobs or os.cpu_count() or 1
        self._budget = Budget(MOST_PIXELS)
        self._clips = {media.path for media in album.media if media.media == "clip"}
        self._known: dict[str, Thumb] = {}

    def remember(self, paths: Sequence[str]) -> dict[str, Thumb]:
        """Thumbnails of these pictures and clips, kept so that :meth:`tiles` need not make them again."""
        wanted = [path for path in dict.fromkeys(paths) if path in self._album.entries]
        for path, thumb in in_order(wanted, lambda path: self._of(self._album.entries[path]), self._jobs):
            self._known[path] = thumb
        return self._known

    def tiles(self, examples: Sequence[Example]) -> Iterator[Tile]:
        """One example after the other, with few of them in memory."""
        yield from (tile for _, tile in in_order(examples, self._tile, self._jobs))

    def _tile(self, example: Example) -> Tile:
        media = tuple(self._known.get(m.path) or self._of(m.entry) for m in example.media)
        return Tile(example, media, self._of(example.mask, mask=True) if example.mask else None)

    def _of(self, entry: Entry, *, mask: bool = False) -> Thumb:
        if problem := _unreadable(entry):
            return Thumb(entry.path, problem=problem)
        try:
            with self._album.source.open(entry) as stream:
                if entry.path in self._clips:
                    return _poster(entry.path, stream)
                return self._picture(entry.path, stream, mask=mask)
        except MemoryError:
            return Thumb(entry.path, problem="there was not enough memory to decode it")
        except Exception as error:  # plugins raise nearly anything for a broken file
            return Thumb(entry.path, problem=reason_of(error))

    def _picture(self, path: str, stream: BinaryIO, *, mask: bool) -> Thumb:
        header = read_header(stream)
        if header.error or not header.width:
            return Thumb(path, problem=header.error or f"{header.pixels // 1_000_000} megapixels")
        stream.seek(0)
        with open_image(stream) as image:
            if isinstance(image, ImageFile.ImageFile):
                image.draft(None, (SIDE, SIDE))
            # A progressive JPEG holds all of its coefficients, however small it is decoded.
            held = header.pixels if header.progressive else image.width * image.height
            if held > MOST_PIXELS and header.format != "JPEG":
                return Thumb(path, problem=f"{held // 1_000_000} megapixels: too large for a thumbnail")
            with self._budget.take(held):
                small = _small(image)
        width, height = header.width, header.height
        if header.orientation >= 5:  # those that turn by a quarter (EXIF 2.3, tag 0x0112)
            width, height = height, width
        words = FORMAT_NAMES.get(header.format, header.format)
        return Thumb(path, _jpeg(small.convert("L") if mask else small), width, height, words)


def _unreadable(entry: Entry) -> str:
    if entry.lfs:
        return "a Git LFS pointer: the picture is not here"
    if entry.size > LARGEST_MEMBER:
        return "too large for a thumbnail"
    if not entry.size:
        return entry.problem or "the file is empty (0 bytes)"
    return entry.problem or known_reason(entry.path)


def _small(image: Image.Image) -> Image.Image:
    """Upright, RGB or L, at most ``SIDE`` long; what is transparent is seen against white."""
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "L") else None
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode not in ("RGB", "L"):
        upright = _plain(upright)
    upright.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    upright.info = {"icc_profile": profile} if profile and len(profile) <= _LARGEST_PROFILE else {}
    return upright


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV", "P") and not image.has_transparency_data:
        return image.convert("RGB")
    from albumkit.pixels import Picture  # numpy: only for the modes that need it

    return Picture(b"", Header(), image).working


def _jpeg(image: Image.Image) -> str:
    data = io.BytesIO()
    keep: dict[str, Any] = {"icc_profile": image.info["icc_profile"]} if "icc_profile" in image.info else {}
    image.save(data, "JPEG", quality=_QUALITY, optimize=True, **keep)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def _poster(path: str, stream: BinaryIO) -> Thumb:
    """A frame from the middle of a clip, or the words that say what is missing for it."""
    try:
        import av
    except ImportError:
        return Thumb(path, problem='a clip: pip install "albumkit[video]" shows a frame of it')
    if broken := read_clip_header(stream).error:
        return Thumb(path, problem=broken)
    stream.seek(0)
    with av.open(stream, mode="r") as container:
        seconds = float(container.duration or 0) / av.time_base
        if container.duration:
            container.seek(container.duration // 2)
        frame = next(container.decode(container.streams.video[0]), None)
        if frame is None:
            return Thumb(path, problem="no frame of it can be shown")
        image = rgb_of(frame)
        width, height = image.size
        words = f"{int(seconds) // 60}:{seconds % 60:04.1f}"
        return Thumb(path, _jpeg(_small(image)), width, height, words)
