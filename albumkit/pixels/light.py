"""How the light of a picture is spread: its levels, and how much of its area holds anything.

Luma (ITU-R 601) of the small picture, in which single pixels and grain are averaged away.
"""

from __future__ import annotations

import bisect
import itertools
from typing import Any

import numpy as np

from albumkit.pixels.picture import Picture

#: Luma up to which a pixel is black, and from which it is white, whatever was there.
BLACK, WHITE = 5, 250
#: Pixels of a side of the squares in which structure is looked for, and the levels that are structure:
#: twice what the grain of a camera leaves in the small picture.
SQUARE, STRUCTURE = 8, 12


def levels(picture: Picture) -> dict[str, Any]:
    """All in percent.

    ``bright_level``, ``dark_level``: luma that only one in a hundred pixels passes, and that all but two in
    a hundred reach, of full white. ``black_share``, ``white_share``: pixels without any detail left.
    """
    small = picture.small_image
    below = list(itertools.accumulate(small.histogram()))
    one = below[-1] / 100
    return {
        "bright_level": _percent(bisect.bisect_left(below, 99 * one) * 100 / 255),
        "dark_level": _percent(bisect.bisect_left(below, 2 * one) * 100 / 255),
        "black_share": _percent(below[BLACK] / one),
        "white_share": _percent(100 - below[WHITE - 1] / one),
    }


def structure(picture: Picture) -> dict[str, Any]:
    """``structured_share``: percent of the area's squares in which something is to be seen."""
    small = picture.small
    rows, columns = small.shape[0] // SQUARE, small.shape[1] // SQUARE
    if not rows or not columns:
        return {}
    bands = small[: rows * SQUARE, : columns * SQUARE].reshape(rows, SQUARE, -1)
    # The squares of a band are turned into columns: along short rows a reduction takes three times as long.
    high = np.maximum.reduce(np.maximum.reduce(bands, 1).reshape(-1, SQUARE).T.copy())
    low = np.minimum.reduce(np.minimum.reduce(bands, 1).reshape(-1, SQUARE).T.copy())
    with_any = np.count_nonzero(high - low >= STRUCTURE)
    return {"structured_share": _percent(with_any / high.size * 100)}


def _percent(value: float) -> float:
    return round(value, 1)
