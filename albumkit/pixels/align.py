"""Laying one small picture onto another, and measuring what then still differs. Many pairs at once.

Alignment is by least squares on the gradient (Lucas and Kanade 1981), coarse to fine, with six numbers a
pair: a move, a scale for each axis, and a shear for each axis, which together are a small turn.
"""

from __future__ import annotations

import os
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
#: Thumbnails are halved and laid onto each other in so many steps, then enlarged and laid on once more in so
#: many.
_ROUGH_STEPS, _STEPS = 6, 3
#: Parts are squares of a quarter of the side; they overlap, in steps of a third of theirs.
_CELLS, _CELLS_OF_PART = 12, 3
_PARTS = np.array(
    [
        [0 <= at // (_LARGE // _CELLS) - part < _CELLS_OF_PART for part in range(_CELLS - _CELLS_OF_PART + 1)]
        for at in range(_LARGE)
    ],
    dtype=np.float64,
)
#: Farther than this (of the side) no copy is moved; scaled and sheared by no more.
_FARTHEST, _SCALES, _SHEAR = 0.15, (0.75, 1.3), 0.15
#: Halved pictures that differ as a whole by more than this share of the contrast, whichever is laid onto the
#: other, are looked at no further: of 509 copies that would be found (likeness above 88), 2 are lost by it.
_HOPELESS = 0.33
#: At least this share of the picture must lie on the other for a comparison.
_OVERLAP = 0.55
#: Tones are fitted part by part within these factors; a flat part is not blown up to fit.
_GAINS = (0.5, 2.0)
#: Pairs that are aligned at once in one thread, with about 40 MB.
_AT_ONCE = 128
#: The two kinds of misfit on one scale: the worst part, and the spread over the parts (standard deviation).
#: See the module of likeness for what each tells; benchmarks/quiet.md for the figures.
_OF_WORST, _OF_SPREAD = 0.4, 4.0


#: The six numbers: which slope each belongs to (0 right, 1 down), and whether times x, or times y. Below, of
#: the product of two of them: which product of slopes it holds, and which powers.
_SLOPE, _X, _Y = np.array([[0, 1, 0, 0, 1, 1], [0, 0, 1, 0, 1, 0], [0, 0, 0, 1, 0, 1]])
_PRODUCT, _OF_X, _OF_Y = (np.add.outer(one, one) for one in (_SLOPE, _X, _Y))


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
        rough, field, offset = _rough(pixels[one], pixels[other])
        close = np.flatnonzero(rough.min(axis=0) < _HOPELESS)
        if not len(close):
            return
        each, places = np.unique(np.stack([one[close], other[close]]), return_inverse=True)
        large = _prepared(_enlarged(pixels[each]))  # of a picture once, for it is in several pairs
        ways = places.reshape(2, -1)
        still, moving = (large[which.ravel()] for which in (ways, ways[::-1]))
        scale = np.float32(_LARGE / (SIDE // 2))
        begun = (field[:, close].reshape(-1, 2, 2), offset[:, close].reshape(-1, 2) * scale)
        out[start + close] = _misfit(still, moving, *begun).reshape(2, -1).min(axis=0)

    for _ in in_order(range(0, len(first), _AT_ONCE), some, os.cpu_count() or 1):
        pass
    return out


def _rough(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[NDArray[np.float64], Floats, Floats]:
    """What differs of the halved pictures as a whole (root of the mean square, in units of contrast), and how
    they lie on each other: field and offset as of :func:`_aligned`. The first axis of each is the way: the
    second laid onto the first, and the first laid onto the second.
    """
    halves = [_prepared(_halved(which.astype(np.float32))) for which in (one, other)]
    still, moving = np.concatenate(halves), np.concatenate(halves[::-1])
    field = np.tile(np.eye(2, dtype=np.float32), (len(still), 1, 1))
    offset = np.zeros((len(still), 2), dtype=np.float32)
    field, offset = _aligned(still, moving, field, offset, _ROUGH_STEPS)
    moved, inside = _warped(moving, field, offset)
    error, _ = _error(still, moved, inside)
    there = np.maximum(inside.sum(axis=(1, 2)), 1)
    rough = np.sqrt((error**2).sum(axis=(1, 2), dtype=np.float64) / there)
    return rough.reshape(2, -1), field.reshape(2, -1, 2, 2), offset.reshape(2, -1, 2)


def _enlarged(pixels: NDArray[np.uint8]) -> Floats:
    size = (_LARGE, _LARGE)
    large = [Image.fromarray(one).resize(size, Image.Resampling.LANCZOS) for one in pixels]
    return np.stack([np.asarray(one, dtype=np.float32) for one in large])


def _prepared(pictures: Floats) -> Floats:
    """The pictures as they are compared: without grain, of one contrast."""
    return _normed(_smoothed(pictures))


def _misfit(still: Floats, moving: Floats, field: Floats, offset: Floats) -> NDArray[np.float64]:
    """What differs once ``moving`` lies on ``still``, in units of the still picture's contrast; it is laid on
    from where it lies already.
    """
    moved, inside = _warped(moving, *_aligned(still, moving, field, offset, _STEPS))
    still, moved = still * inside, moved * inside
    count = _sums(inside)
    weight = np.maximum(count, 1)
    mean_a, mean_b = _sums(still) / weight, _sums(moved) / weight
    var_a = np.maximum(_sums(still * still) / weight - mean_a**2, 0)
    var_b = np.maximum(_sums(moved * moved) / weight - mean_b**2, 0)
    both = _sums(still * moved) / weight - mean_a * mean_b
    there = np.maximum(inside.sum(axis=(1, 2)), 1)
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


def _aligned(
    still: Floats, moving: Floats, field: Floats, offset: Floats, steps: int
) -> tuple[Floats, Floats]:
    """The linear field (pairs, 2, 2) and the offset in pixels (pairs, 2) that lay ``moving`` on ``still``,
    found in so many steps from those given.
    """
    farthest = _FARTHEST * still.shape[1]
    field = field.copy()
    for _ in range(steps):
        step = _step(still, *_warped(moving, field, offset))
        offset = np.clip(offset + step[:, :2], -farthest, farthest)
        field += step[:, 2:].reshape(-1, 2, 2)
        for i in (0, 1):
            field[:, i, i] = np.clip(field[:, i, i], *_SCALES)
            field[:, i, 1 - i] = np.clip(field[:, i, 1 - i], -_SHEAR, _SHEAR)
    return field, offset


def _step(target: Floats, moved: Floats, inside: Floats) -> Floats:
    """By how much to correct a pair's six numbers, shape (pairs, 6), so that the error shrinks most."""
    pairs, side, _ = target.shape
    x = np.arange(side, dtype=np.float32) - (side - 1) / 2
    error, gain = _error(target, moved, inside)
    right, down = np.empty_like(moved), np.empty_like(moved)
    np.subtract(moved[:, :, 2:], moved[:, :, :-2], out=right[:, :, 1:-1])
    np.subtract(moved[:, 2:], moved[:, :-2], out=down[:, 1:-1])
    right[:, :, 0], right[:, :, -1] = (2 * (moved[:, :, i + 1] - moved[:, :, i]) for i in (0, -2))
    down[:, 0], down[:, -1] = (2 * (moved[:, i + 1] - moved[:, i]) for i in (0, -2))
    weight = inside * (gain / 2)
    right *= weight
    down *= weight
    # The slopes, each once, times x and times y, are what the error is explained by. All products of two of
    # them are products of two slopes times a power of x and one of y: summed up along rows, then columns.
    products = np.empty((pairs, 5, side, side), dtype=np.float32)
    for out, a, b in zip(
        range(5), (right, right, down, right, down), (right, down, down, error, error), strict=True
    ):
        np.multiply(a, b, out=products[:, out])
    powers = np.stack([np.ones_like(x), x, x * x], axis=1)
    rows = (products.reshape(pairs, -1, side) @ powers).reshape(pairs, 5, side, 3)
    sums = powers.T @ rows  # (pairs, product, power of y, power of x)
    normal = sums[:, _PRODUCT, _OF_Y, _OF_X]
    # A ridge keeps what the picture cannot tell (a wall of stripes: the move along them) at rest.
    ridge = 1e-3 * np.trace(normal, axis1=1, axis2=2) / 6 + 1e-3
    normal += np.eye(6, dtype=np.float32) * ridge[:, None, None].astype(np.float32)
    with_error = sums[:, 3 + _SLOPE, _Y, _X]
    found: Floats = np.linalg.solve(normal, with_error[..., None])[..., 0]
    return found


def _halved(pictures: Floats) -> Floats:
    pairs, side, _ = pictures.shape
    halved: Floats = pictures.reshape(pairs, side // 2, 2, side // 2, 2).mean(axis=(2, 4))
    return halved


def _warped(pictures: Floats, field: Floats, offset: Floats) -> tuple[Floats, Floats]:
    """Each picture seen through its field, by linear interpolation, and where it lies inside: 1, else 0."""
    pairs, side, _ = pictures.shape
    middle = np.float32((side - 1) / 2)
    x = np.arange(side, dtype=np.float32) - middle
    at_x, at_y = (
        (field[:, i, 0, None] * x + offset[:, i, None])[:, None, :] + (field[:, i, 1, None] * x)[:, :, None]
        for i in (0, 1)
    )
    inside = (np.maximum(np.abs(at_x), np.abs(at_y)) <= side / 2).astype(np.float32)
    for along in (at_x, at_y):
        along += middle
        np.clip(along, 0, np.float32(side - 1.001), out=along)
    left, top = np.floor(at_x), np.floor(at_y)
    at_x -= left
    at_y -= top
    top *= side
    top += left
    at = top.astype(np.intp)
    at += (np.arange(pairs) * (side * side))[:, None, None]
    flat = pictures.reshape(-1)
    upper, lower = (_between(flat.take(at + row), flat.take(at + (row + 1)), at_x) for row in (0, side))
    return _between(upper, lower, at_y), inside


def _between(first: Floats, second: Floats, part: Floats) -> Floats:
    """What lies that part of the way from the first to the second; the latter is used up."""
    second -= first
    second *= part
    second += first
    return second


def _error(target: Floats, moved: Floats, inside: Floats) -> tuple[Floats, Floats]:
    """Target less ``moved`` in the contrast and brightness that fit it best; and that contrast, as a factor
    of shape (pairs, 1, 1).
    """
    a, b = target * inside, moved * inside
    count, sum_a, sum_b = (one.sum(axis=(1, 2), keepdims=True) for one in (inside, a, b))
    count = np.maximum(count, 1)
    both, own = (np.einsum("pyx,pyx->p", one, b)[:, None, None] for one in (a, b))
    gain: Floats = (both - sum_a * sum_b / count) / (own - sum_b * sum_b / count + np.float32(1e-6))
    b *= gain
    a -= b
    a -= inside * ((sum_a - gain * sum_b) / count)
    return a, gain


def _smoothed(pictures: Floats) -> Floats:
    """Each pixel with its neighbours by 1 2 1, along both axes."""
    for axis in (1, 2):
        smooth = 2 * pictures
        lines, wide = (np.moveaxis(one, axis, 0) for one in (pictures, smooth))
        wide[1:] += lines[:-1]
        wide[0] += lines[0]
        wide[:-1] += lines[1:]
        wide[-1] += lines[-1]
        smooth /= 4
        pictures = smooth
    return pictures


def _normed(pictures: Floats) -> Floats:
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    normed: Floats = (centred / (centred.std(axis=(1, 2), keepdims=True) + 1e-6)).astype(np.float32)
    return normed


def _sums(values: Floats) -> NDArray[np.float64]:
    """Sums over every part, shape (pairs, parts, parts)."""
    # Picture by picture: a product of all at once is so large that it is given to threads, which then wait.
    sums: NDArray[np.float64] = _PARTS.T @ (values.astype(np.float64) @ _PARTS)
    return sums
