"""Measurements of masks: how much is white, where, in how many parts, and whether it is grey at all.

Sizes and places are those of the upright mask, reduced to ``SIDE`` pixels: a trainer reduces it to the latent
grid, 64 by 64 for 1024 pixels, anyway.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from albumkit.images import open_image, read_header, reason_of, upright
from albumkit.parallel import MOST_PIXELS

#: The longer side, at most, at which a mask is measured.
SIDE = 256
#: From this on a pixel is white, and from this on it weighs something at all: a tenth.
_HALF, _LIT = 128, 26
#: A part of fewer pixels, at ``SIDE``, is the frayed edge of another.
_SMALLEST_PART = 4
#: By how much red, green and blue of a grey picture may differ when it was stored as JPEG in colour, and in
#: what share of its pixels by more.
_JPEG_TINT, _TINTED = 24, 0.005

Weights = NDArray[np.float32]


def measure_mask(stream: BinaryIO) -> dict[str, Any]:
    """Decode and measure one mask.

    Returns:
        ``mask_error``: why its pixels cannot be had, or "". Without an error also

        - ``kind``: grey (also stored as RGB), palette, transparency (something is in the alpha channel) or
          colours;
        - ``share``: the mean weight, 0 all black to 1 all white; ``lit``: the share of pixels that weigh a
          tenth or more; ``peak``: the largest value, 0 to 255;
        - ``rim`` and ``middle``: the mean weight of the outermost twentieth and of the middle half;
        - ``sides``: which share of the left, top, right and bottom side is white;
        - ``parts``: white parts that do not touch, specks left out.

    Raises:
        MemoryError: there was not enough for it, which says nothing about the file.
    """
    header = read_header(stream)
    if header.error or not header.width:
        return {"mask_error": header.error or "more pixels than Pillow opens"}
    if header.pixels > MOST_PIXELS:
        return {"mask_error": f"{header.pixels // 1_000_000} megapixels: too large for a mask"}
    stream.seek(0)
    try:
        with open_image(stream) as image:
            image.load()
            kind, grey = _kind(image), _grey(image)
            grey = upright(grey, header.format, header.orientation)
    except MemoryError:
        raise
    except Exception as error:  # plugins raise nearly anything for a broken file
        return {"mask_error": reason_of(error)}
    return {"mask_error": "", "kind": kind, **_measures(grey)}


def _kind(image: Image.Image) -> str:
    """What a loader has to make of it before it is a weight for each pixel."""
    if image.mode in ("1", "L") or image.mode.startswith(("I", "F")):
        return "transparency" if _is_seen_through(image) else "grey"
    if _is_tinted(image):
        return "colours"
    if _is_seen_through(image):
        return "transparency"
    return "palette" if image.mode in ("P", "PA") else "grey"


def _is_seen_through(image: Image.Image) -> bool:
    if not image.has_transparency_data:
        return False
    extrema: Any = image.convert("RGBA").getchannel("A").getextrema()
    return bool(extrema[0] < 255)


def _is_tinted(image: Image.Image) -> bool:
    """Whether any of it that can be seen has a colour."""
    if image.mode == "LA":
        return False
    pixels = np.asarray(_small(image.convert("RGBA"))).astype(np.int16)
    colours = pixels[..., :3]
    spread = (colours.max(axis=2) - colours.min(axis=2)) * (pixels[..., 3] > _HALF)
    return bool((spread > _JPEG_TINT).mean() > _TINTED)


def _grey(image: Image.Image) -> Image.Image:
    """8-bit grey as ``pack`` makes it: deep values scaled, what is transparent black."""
    if image.mode.startswith(("I", "F")):
        factor = 255.0 if image.mode == "F" else 1 / 257
        values = np.nan_to_num(np.asarray(image, dtype=np.float32)) * np.float32(factor)
        return Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        black = Image.new("RGBA", seen.size, "black")
        black.alpha_composite(seen)
        return black.convert("L")
    return image.convert("L")


def _small(image: Image.Image) -> Image.Image:
    by = -(-max(image.size) // SIDE)
    return image.reduce(by) if by > 1 else image


def _measures(grey: Image.Image) -> dict[str, Any]:
    counts = np.asarray(grey.histogram(), dtype=np.int64)
    pixels = grey.width * grey.height
    small = np.asarray(_small(grey))
    weights: Weights = small.astype(np.float32) / np.float32(255)
    white = small >= _HALF
    height, width = small.shape
    rim = max(1, round(min(height, width) / 20))
    inner = weights[rim : height - rim, rim : width - rim]
    ring = weights.size - inner.size
    rim_mean = (float(weights.sum()) - float(inner.sum())) / ring if ring else float(weights.mean())
    middle = weights[height // 4 : height - height // 4, width // 4 : width - width // 4]
    sides = (white[:, 0], white[0], white[:, -1], white[-1])
    return {
        "share": round(float(counts @ np.arange(256)) / (255 * pixels), 5),
        "lit": round(float(counts[_LIT:].sum()) / pixels, 5),
        "peak": int(np.flatnonzero(counts)[-1]),
        "rim": round(rim_mean, 3),
        "middle": round(float(middle.mean()), 3),
        "sides": [round(float(side.mean()), 3) for side in sides],
        "parts": int((part_sizes(white) >= _SMALLEST_PART).sum()),
    }


def part_sizes(white: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pixels of each connected part of the white (corners touch too), in no order.

    Rows are cut into runs; runs that touch are linked, each to the first of its part: a few dozen passes over
    arrays, without a loop over pixels.
    """
    height, width = white.shape
    row = width + 2
    padded = np.zeros((height + 2, row), dtype=bool)
    padded[1:-1, 1:-1] = white
    flat = padded.ravel()
    begins = flat.copy()
    begins[1:] &= ~flat[:-1]
    run = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    # Of two runs that touch, the one that starts further right has the other above or below its start.
    beside = [step + shift for step in (-row, row) for shift in (-1, 0, 1)]
    first = np.concatenate([run[starts[flat[starts + step]]] for step in beside])
    second = np.concatenate([run[starts[flat[starts + step]] + step] for step in beside])
    part = np.arange(starts.size)
    while first.size:
        one, two = part[first], part[second]
        apart = one != two
        first, second, one, two = first[apart], second[apart], one[apart], two[apart]
        np.minimum.at(part, np.maximum(one, two), np.minimum(one, two))
        while not np.array_equal(part, further := part[part]):
            part = further
    sizes = np.bincount(part[run[flat]], minlength=1)
    return sizes[sizes > 0]
