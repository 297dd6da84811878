"""Laying one small picture onto another, and measuring what then still differs. Many pairs at once.

Alignment is by least squares on the gradient (Lucas and Kanade 1981), coarse to fine, with six numbers a
pair: a move, a scale for each axis, and a shear for each axis, which together are a small turn.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from albumkit.parallel import in_order

Floats: TypeAlias = NDArray[np.float32]
Flags: TypeAlias = NDArray[np.bool_]

#: Side of a thumbnail, and of what it is enlarged to: between the pixels of the latter it is nearly linear.
SIDE = 32
_LARGE = 48
#: The move is searched at half the size first: by how much the pictures are reduced, and how many steps are
#: made.
_STEPS = ((2, 4), (1, 3))
#: Parts are squares of a quarter of the side; they overlap, in steps of a third of theirs.
_CELLS, _CELLS_OF_PART = 12, 3
#: Farther than this (of the side) no copy is moved; scaled and sheared by no more.
_FARTHEST, _SCALES, _SHEAR = 0.15, (0.75, 1.3), 0.15
#: Before all that, thumbnails are halved and laid onto each other in so many steps; what then differs as a
#: whole by more than this share of the contrast is looked at no further: of 100 pairs that are found, one is
#: lost by it.
_ROUGH_STEPS, _HOPELESS = ((1, 4),), 0.45
#: At least this share of the picture must lie on the other for a comparison.
_OVERLAP = 0.55
#: Tones are fitted part by part within these factors; a flat part is not blown up to fit.
_GAINS = (0.5, 2.0)
#: Pairs that are aligned at once in one thread, with about 20 MB.
_AT_ONCE = 128
#: The two kinds of misfit on one scale: the worst part, and the spread over the parts (standard deviation).
#: See the module of likeness for what each tells; benchmarks/quiet.md for the figures.
_OF_WORST, _OF_SPREAD = 0.4, 4.0


def differences(
    pixels: NDArray[np.uint8], first: NDArray[np.intp], second: NDArray[np.intp]
) -> NDArray[np.float64]:
    """How different the pictures of each pair are: 0 the same; two unlike photographs exceed 0.25.

    Args:
        pixels: All pictures, shape (count, SIDE, SIDE).
        first, second: Indices of the pairs' pictures. Either is laid onto the other, the better fit counts:
            a cropped copy fits into the whole one, but not the other way round.
    """
    out = np.ones(len(first))

    def some(start: int) -> None:
        one, other = first[start : start + _AT_ONCE], second[start : start + _AT_ONCE]
        small, others = (_halved(pixels[which].astype(np.float32)) for which in (one, other))
        close = np.flatnonzero(_rough(small, others) < _HOPELESS)
        if len(close):
            a, b = _enlarged(pixels[one[close]]), _enlarged(pixels[other[close]])
            out[start + close] = np.minimum(_misfit(a, b), _misfit(b, a))

    for _ in in_order(range(0, len(first), _AT_ONCE), some, os.cpu_count() or 1):
        pass
    return out


def _rough(still: Floats, moving: Floats) -> NDArray[np.float64]:
    """What differs as a whole (root of the mean square), in units of the still picture's contrast."""
    field, offset = _aligned(still, moving, _ROUGH_STEPS)
    still, moving = _normed(_smoothed(still)), _normed(_smoothed(moving))
    moved, inside = _warped(moving, field, offset)
    error = np.where(inside, still - _tones_fitted(still, moved, inside), 0)
    there = np.maximum(inside.sum(axis=(1, 2)), 1)
    rough: NDArray[np.float64] = np.sqrt((error**2).sum(axis=(1, 2), dtype=np.float64) / there)
    return rough


def _enlarged(pixels: NDArray[np.uint8]) -> Floats:
    size = (_LARGE, _LARGE)
    large = [Image.fromarray(one).resize(size, Image.Resampling.LANCZOS) for one in pixels]
    return np.stack([np.asarray(one, dtype=np.float32) for one in large])


def _misfit(still: Floats, moving: Floats) -> NDArray[np.float64]:
    """What differs once ``moving`` lies on ``still``, in units of the still picture's contrast."""
    field, offset = _aligned(still, moving, _STEPS)
    still, moving = _normed(_smoothed(still)), _normed(_smoothed(moving))
    moved, inside = _warped(moving, field, offset)
    mask = inside.astype(np.float32)
    still, moved = still * mask, moved * mask
    count = _sums(mask)
    weight = np.maximum(count, 1)
    mean_a, mean_b = _sums(still) / weight, _sums(moved) / weight
    var_a = np.maximum(_sums(still * still) / weight - mean_a**2, 0)
    var_b = np.maximum(_sums(moved * moved) / weight - mean_b**2, 0)
    both = _sums(still * moved) / weight - mean_a * mean_b
    there = np.maximum(mask.sum(axis=(1, 2)), 1)
    middle = still.sum(axis=(1, 2)) / there
    contrast = np.maximum((still * still).sum(axis=(1, 2)) / there - middle**2, 1e-6)[:, None, None]
    gain = np.clip(both / (var_b + 4e-4 * contrast), *_GAINS)
    left = np.maximum(var_a - 2 * gain * both + gain**2 * var_b, 0) / contrast
    seen = count > count.max(axis=(1, 2), keepdims=True) / 2
    parts = np.where(seen, np.sqrt(left), 0.0)
    seen_count = np.maximum(seen.sum(axis=(1, 2)), 1)
    mean = parts.sum(axis=(1, 2)) / seen_count
    spread = np.sqrt(np.maximum((parts**2).sum(axis=(1, 2)) / seen_count - mean**2, 0))
    result = np.maximum(_OF_WORST * parts.max(axis=(1, 2)), _OF_SPREAD * spread)
    return np.where(there < _OVERLAP * still[0].size, 1.0, result)


def _aligned(still: Floats, moving: Floats, steps: Sequence[tuple[int, int]]) -> tuple[Floats, Floats]:
    """The linear field (pairs, 2, 2) and the offset in pixels (pairs, 2) that lay ``moving`` on ``still``."""
    pairs = len(still)
    field = np.tile(np.eye(2, dtype=np.float32), (pairs, 1, 1))
    offset = np.zeros((pairs, 2), dtype=np.float32)
    farthest = _FARTHEST * still.shape[1]
    for by, times in steps:
        target, source = (_normed(_smoothed(_halved(one) if by == 2 else one)) for one in (still, moving))
        for _ in range(times):
            moved, inside = _warped(source, field, offset / np.float32(by))
            step = _step(target, _tones_fitted(target, moved, inside), inside)
            offset = np.clip(offset + by * step[:, :2], -farthest, farthest)
            field = field + step[:, 2:].reshape(pairs, 2, 2)
            for i in (0, 1):
                field[:, i, i] = np.clip(field[:, i, i], *_SCALES)
                field[:, i, 1 - i] = np.clip(field[:, i, 1 - i], -_SHEAR, _SHEAR)
    return field.astype(np.float32), offset.astype(np.float32)


def _step(target: Floats, moved: Floats, inside: Flags) -> Floats:
    """By how much to correct a pair's six numbers, shape (pairs, 6), so that the error shrinks most."""
    pairs, side, _ = target.shape
    x = np.arange(side, dtype=np.float32) - (side - 1) / 2
    error = np.where(inside, target - moved, 0).reshape(pairs, -1, 1)
    down, right = np.gradient(moved, axis=(1, 2))
    columns = np.empty((pairs, side, side, 6), dtype=np.float32)
    for first, slope in ((0, right), (1, down)):
        slope = slope * inside
        columns[..., first] = slope
        columns[..., 2 + 2 * first] = slope * x
        columns[..., 3 + 2 * first] = slope * x[:, None]
    table = columns.reshape(pairs, -1, 6)
    rows = table.transpose(0, 2, 1)
    normal = rows @ table
    # A ridge keeps what the picture cannot tell (a wall of stripes: the move along them) at rest.
    ridge = 1e-3 * np.trace(normal, axis1=1, axis2=2) / 6 + 1e-3
    normal += np.eye(6, dtype=np.float32) * ridge[:, None, None].astype(np.float32)
    found: Floats = np.linalg.solve(normal, rows @ error)[..., 0]
    return found


def _halved(pictures: Floats) -> Floats:
    pairs, side, _ = pictures.shape
    halved: Floats = pictures.reshape(pairs, side // 2, 2, side // 2, 2).mean(axis=(2, 4))
    return halved


def _warped(pictures: Floats, field: Floats, offset: Floats) -> tuple[Floats, Flags]:
    """Each picture seen through its field, by linear interpolation, and where it lies inside."""
    pairs, side, _ = pictures.shape
    middle = (side - 1) / 2
    x = np.arange(side, dtype=np.float32) - middle
    columns, rows = x[None, None, :], x[None, :, None]
    at_x, at_y = (
        field[:, i, 0, None, None] * columns
        + field[:, i, 1, None, None] * rows
        + (offset[:, i] + middle)[:, None, None]
        for i in (0, 1)
    )
    inside = (at_x >= -0.5) & (at_y >= -0.5) & (at_x <= side - 0.5) & (at_y <= side - 0.5)
    at_x, at_y = np.clip(at_x, 0, side - 1.001), np.clip(at_y, 0, side - 1.001)
    left, top = at_x.astype(np.int32), at_y.astype(np.int32)
    part_x, part_y = at_x - left, at_y - top
    at = np.arange(pairs, dtype=np.int32)[:, None, None] * (side * side) + top * side + left
    flat = pictures.reshape(-1)
    upper = flat.take(at) * (1 - part_x) + flat.take(at + 1) * part_x
    lower = flat.take(at + side) * (1 - part_x) + flat.take(at + side + 1) * part_x
    return upper * (1 - part_y) + lower * part_y, inside


def _tones_fitted(target: Floats, moved: Floats, inside: Flags) -> Floats:
    """``moved`` with the contrast and brightness that fit the target best."""
    count = np.maximum(inside.sum(axis=(1, 2), keepdims=True), 1)
    mean_a = np.where(inside, target, 0).sum(axis=(1, 2), keepdims=True) / count
    mean_b = np.where(inside, moved, 0).sum(axis=(1, 2), keepdims=True) / count
    a, b = np.where(inside, target - mean_a, 0), np.where(inside, moved - mean_b, 0)
    gain = (a * b).sum(axis=(1, 2), keepdims=True) / ((b * b).sum(axis=(1, 2), keepdims=True) + 1e-6)
    fitted: Floats = ((moved - mean_b) * gain + mean_a).astype(np.float32)
    return fitted


def _smoothed(pictures: Floats) -> Floats:
    """Each pixel with its neighbours by 1 2 1, along both axes."""
    for axis in (1, 2):
        lines = np.moveaxis(pictures, axis, 0)
        wide: Floats = np.concatenate((lines[:1], lines, lines[-1:]))
        smooth: Floats = (wide[:-2] + 2 * wide[1:-1] + wide[2:]) / np.float32(4)
        pictures = np.moveaxis(smooth, 0, axis)
    return pictures


def _normed(pictures: Floats) -> Floats:
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    normed: Floats = (centred / (centred.std(axis=(1, 2), keepdims=True) + 1e-6)).astype(np.float32)
    return normed


def _sums(values: Floats) -> NDArray[np.float64]:
    """Sums over every part, shape (pairs, 10, 10)."""
    pairs, side, _ = values.shape
    cell, parts = side // _CELLS, _CELLS - _CELLS_OF_PART + 1
    cells = values.reshape(pairs, _CELLS, cell, _CELLS, cell).sum(axis=(2, 4), dtype=np.float64)
    rows = sum(cells[:, i : i + parts] for i in range(_CELLS_OF_PART))
    sums: NDArray[np.float64] = sum(rows[:, :, i : i + parts] for i in range(_CELLS_OF_PART))
    return sums
