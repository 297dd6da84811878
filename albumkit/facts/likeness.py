"""Facts of pictures that look alike: the same shot saved twice, the next shot of a burst."""

from __future__ import annotations

import math
from typing import TypeAlias

from albumkit.album import Album, MediaFile
from albumkit.facts import example as _example  # noqa: F401 - registered first
from albumkit.facts.measure import Measured
from albumkit.facts.registry import NotApplicable, Unmeasured, fact

#: Path -> likeness in percent to the most alike pictures that are at least as sharp, and those, the sharpest
#: first.
Alikes: TypeAlias = dict[str, tuple[int, tuple[str, ...]]]


@fact("album", cost="pixels")
def look_alikes(album: Album, measured: Measured, same_content: dict[str, tuple[str, ...]]) -> Alikes:
    """Path of a target -> how alike its most alike picture of at least its sharpness is, and which it is.

    Left out: start and reference images (a pair is alike on purpose), all but the first of files with equal
    bytes (another fault), pictures without shapes, and those that cannot be measured here. Colours do not
    count: a picture and its grey copy are alike.
    """
    known = []
    for example in album.examples:
        media = example.target
        if media is None or media.media != "image":
            continue
        if (twins := same_content.get(media.path)) and twins[0] < media.path:
            continue
        try:
            header = measured.header(media)
            found = {} if header.error or not header.width else measured.pixels(media)
        except Unmeasured:
            continue
        if thumbnail := found.get("thumbnail"):
            known.append((-_worth(found["detail"], header.pixels, media), media.path, thumbnail))
    if not known:
        return {}
    from albumkit.pixels.likeness import most_alike

    known.sort()
    paths = [path for _, path, _ in known]
    alikes = most_alike([thumbnail for _, _, thumbnail in known])
    return {
        path: (alike.likeness, tuple(paths[i] for i in alike.others))
        for path, alike in zip(paths, alikes, strict=True)
    }


@fact("example", cost="pixels")
def alike(media: MediaFile, decode_error: str, look_alikes: Alikes) -> tuple[str, ...]:
    """The pictures of at least its sharpness that this one is most like, the sharpest first."""
    if decode_error or media.path not in look_alikes:
        raise NotApplicable("not compared")
    return look_alikes[media.path][1]


@fact("example", cost="pixels")
def likeness(media: MediaFile, alike: tuple[str, ...], look_alikes: Alikes) -> int:
    """Percent of likeness to the most alike of them; 0 where none is like it."""
    return look_alikes[media.path][0] if alike else 0


@fact("example", cost="pixels")
def alike_sharpest(alike: tuple[str, ...]) -> str:
    """The sharpest of them; empty where no picture is like this one."""
    return alike[0] if alike else ""


def _worth(detail: float, pixels: int, media: MediaFile) -> float:
    """What decides which of two pictures of one thing stays: detail, and where that is about the same (it
    varies by a tenth with the encoder) size and compression. Ten times the pixels, or ten times the bytes,
    count like a quarter more detail.
    """
    size = media.entry.lfs.size if media.entry.lfs else media.entry.size
    return round(
        math.log(max(detail, 1e-3)) + 0.1 * math.log(max(pixels, 1)) + 0.1 * math.log(max(size, 1)), 4
    )
