"""Where the white of a mask lies, so that a crop can be held against it."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps

from albumkit.images import is_drive_error, open_image, reason_of

#: Parts that each side is divided into.
PARTS = 64


def spread_of_mask(stream: BinaryIO) -> dict[str, Any]:
    """How the white of a mask is spread over columns and rows, upright.

    Returns:
        ``columns`` and ``rows``: ``PARTS`` shares each, in thousandths of all white, from left to right and
        top to bottom; both empty for a mask without white. ``error``: why it cannot be read, or "".

    Raises:
        OSError: the drive failed, which says nothing about the file.
        MemoryError: there was not enough for it.
    """
    try:
        with open_image(stream) as image:
            mask = ImageOps.exif_transpose(image)
            if mask.has_transparency_data:
                black = Image.new("RGBA", mask.size, "black")
                black.alpha_composite(mask.convert("RGBA"))
                mask = black
            grey = mask.convert("L").resize((PARTS, PARTS), Image.Resampling.BOX)
    except MemoryError:
        raise
    except Exception as error:  # plugins raise nearly anything for a broken file
        if is_drive_error(error):
            raise
        return {"columns": [], "rows": [], "error": reason_of(error)}
    white = np.asarray(grey, dtype=np.float64)
    total = white.sum()
    if not total:
        return {"columns": [], "rows": [], "error": ""}
    columns, rows = (np.round(1000 * white.sum(axis=axis) / total, 2).tolist() for axis in (0, 1))
    return {"columns": columns, "rows": rows, "error": ""}


def share_outside(parts: list[float], kept: float) -> float:
    """What share of the white, 0 to 1, lies outside the middle ``kept`` (0 to 1) of the picture's side."""
    if not parts:
        return 0.0
    edges = np.linspace(0.0, 1.0, len(parts) + 1)
    below = np.concatenate(([0.0], np.cumsum(parts))) / sum(parts)
    low, high = np.interp([0.5 - kept / 2, 0.5 + kept / 2], edges, below)
    return float(1 - (high - low))
