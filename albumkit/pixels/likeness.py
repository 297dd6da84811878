"""How alike pictures are, whatever was done to the file: scaled, recompressed, brightened, cropped a little.

Each picture keeps a thumbnail. Of two thumbnails one is laid onto the other (moved, scaled, turned a little,
its tones fitted), and what then still differs is measured part by part. A copy or the next shot of a burst
fits everywhere about equally well; of two photographs of one thing in one room the room fits and the thing
does not: so it is the worst part, and how unevenly the parts fit, that tell them apart. A hash that
judges the picture as a whole (pHash, dHash) takes such a pair for a copy.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from albumkit.images import TURNED_BY_PLUGIN, UPRIGHT
from albumkit.pixels.align import SIDE, differences
from albumkit.pixels.picture import Grey, Picture, deviation, steps

Floats: TypeAlias = NDArray[np.float32]

#: A picture with less contrast than this (standard deviation of 255 levels) has no shapes to compare.
_FLAT = 4.0
#: Of the picture's rows and columns (see Picture) every so many are looked at for detail: they tell the same
#: as all of them, in a fraction of the time. Of a line no more than so many pixels are looked at: an enlarged
#: picture is no sharper for it.
_EVERY, _LINE = 8, 1000
#: Side of the thumbnail that candidates are looked for with.
_COARSE = 4
#: Correlation of two coarse thumbnails below which they are not compared further. It saves time: of the
#: copies that are found at all, 98 of 100 reach it (those cropped by a tenth on every side, 8 of 10).
_CANDIDATE = 0.85
#: How many of the most alike sharper pictures are compared with each picture.
_CANDIDATES = 3
#: Cells of the table of correlations that are in memory at once, and rows of it that are sorted at once.
_CELLS, _ROWS = 1 << 22, 64
#: Likeness of the same shot saved twice varies by about so many points with the encoder.
_NOISE = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Alike:
    """The pictures, by index, that one is most like. ``likeness``: 0 to 100, 100 for the same pixels."""

    likeness: int
    others: tuple[int, ...]


def thumbnail_and_detail(picture: Picture) -> dict[str, Any]:
    """``thumbnail``: the upright picture in grey, ``SIDE`` x ``SIDE`` bytes in base64; "" where it has no
    shapes. ``detail``: how much brightness goes up and down along a line across the picture, in units of its
    contrast: of two shots of the same thing the sharper has more of it.
    """
    contrast = deviation(picture.small[::2, ::2])
    if contrast < _FLAT:
        return {"thumbnail": "", "detail": 0.0}
    columns = np.ascontiguousarray(picture.columns[:, ::_EVERY].T)
    ups = _variation(picture.rows[::_EVERY]) + _variation(columns)
    # With LANCZOS, in three times the time, fewer shots of a burst are found.
    thumbnail = picture.small_image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    header = picture.header
    if header.orientation in UPRIGHT and header.format not in TURNED_BY_PLUGIN:
        thumbnail = thumbnail.transpose(UPRIGHT[header.orientation])
    text = base64.b64encode(thumbnail.tobytes()).decode("ascii")
    return {"thumbnail": text, "detail": round(ups / contrast, 1)}


def _variation(lines: Grey) -> float:
    """How many levels brightness goes up and down along a line, on average."""
    length = lines.shape[1]
    if length > _LINE:
        lines = lines[:, np.arange(_LINE) * length // _LINE]
    return int(steps(lines[:, 1:], lines[:, :-1]).sum(dtype=np.uint32)) / len(lines)


def most_alike(thumbnails: Sequence[str]) -> list[Alike]:
    """For each picture those earlier in the order that it is most like.

    Where several are about equally alike, all are named, in their order. ``Alike(0, ())`` where none is.

    Args:
        thumbnails: As :func:`thumbnail_and_detail` returns them, none empty; the preferred picture first.
    """
    count = len(thumbnails)
    if count < 2:
        return [Alike(0, ()) for _ in thumbnails]
    pixels = np.frombuffer(b"".join(map(base64.b64decode, thumbnails)), dtype=np.uint8)
    pixels = pixels.reshape(count, SIDE, SIDE)
    later, earlier = _candidates(pixels)
    found = np.round(100 * (1 - np.clip(differences(pixels, later, earlier), 0, 1))).astype(int)
    best = np.zeros(count, dtype=int)
    np.maximum.at(best, later, found)
    others: list[list[int]] = [[] for _ in thumbnails]
    near = (found >= best[later] - _NOISE) & (found > 0)
    for one, other in zip(later[near].tolist(), earlier[near].tolist(), strict=True):
        others[one].append(other)
    return [Alike(int(value), tuple(sorted(some))) for value, some in zip(best, others, strict=True)]


def _candidates(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs (later, earlier) worth a comparison: correlation in blocks of rows, as many as memory holds."""
    count, by = len(pixels), SIDE // _COARSE
    coarse = pixels.reshape(count, _COARSE, by, _COARSE, by).mean(axis=(2, 4), dtype=np.float32)
    vectors: Floats = coarse.reshape(count, -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + np.float32(1e-6)
    pairs: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    rows = max(1, _CELLS // count)
    for start in range(0, count, rows):
        stop = min(start + rows, count)
        table = vectors[start:stop] @ vectors[:stop].T
        table[:, start:][np.triu_indices(stop - start)] = -1.0  # itself and those after it
        some = np.flatnonzero(table.max(axis=1) >= _CANDIDATE)
        most = min(_CANDIDATES, stop)
        for few in (some[at : at + _ROWS] for at in range(0, len(some), _ROWS)):
            near = table[few]
            columns = np.argpartition(near, stop - most, axis=1)[:, stop - most :]
            good = (np.take_along_axis(near, columns, axis=1) >= _CANDIDATE).ravel()
            pairs.append((np.repeat(few + start, most)[good], columns.ravel()[good]))
    if not pairs:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])
