"""How wide the sharpest edges of a picture are, in four directions.

A picture is as sharp as its subject, and its subject is where it is sharpest: a soft background counts for
nothing here (bokeh is not blur). A camera that moved blurs one direction only, so each is measured and the
worst counts.

A lens that spreads an edge out leaves its contrast and flattens its slope: contrast over steepest slope is
the width of the edge in pixels, 1 for a perfect step, about 2.5 sigma under a Gaussian. Widths of edges as a
measure of blur without a reference: Marziliano et al., "A no-reference perceptual blur metric", ICIP 2002.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from albumkit.pixels.picture import Grey, Picture, steps

#: Pixels of a line in which one edge is looked for.
PIECE = 32
#: Grey levels between the darkest and the brightest pixel of a piece that holds an edge.
CONTRAST = 40
#: Lines down and along diagonals are picked so many side by side: taken as one number of so many bytes they
#: are copied in half the time.
ABREAST = 2
#: The share of the pieces with an edge that are the sharp ones; a subject may be small.
SHARPEST = 0.02
#: Pieces with an edge below which a direction is not judged.
FEWEST = 6
#: The share of all pieces that are flat but for grain, and the most levels that are grain.
FLAT, GRAIN = 0.05, 12


def edge_width(picture: Picture) -> dict[str, Any]:
    """``edge_width``: width of the sharpest edges in the direction in which they are widest, in pixels of
    the picture brought to 1024 x 1024 pixels' area. Absent where no direction has edges to speak of.
    """
    grey = picture.grey
    if min(grey.shape) < 2 * PIECE:
        return {}
    widths = [width for pieces in _directions(picture) if (width := _sharpest(pieces)) is not None]
    return {"edge_width": round(max(widths) * 1024 / math.sqrt(grey.size), 3)} if widths else {}


def _directions(picture: Picture) -> list[Grey]:
    """Pieces of lines across, down and along both diagonals, each set as (PIECE, pieces): a piece is a
    column, so that all of them are worked on in long rows.
    """
    rows = picture.rows[:, : picture.grey.shape[1] // PIECE * PIECE]
    across = np.ascontiguousarray(rows.reshape(-1, PIECE).T)
    return [across, *(_pieces(picture.grey, ABREAST * picture.spacing, right) for right in (0, 1, -1))]


def _pieces(grey: Grey, every: int, right: int) -> Grey:
    """Pieces that run down, and with each row so many columns to the right; ABREAST of every so many."""
    (height, width), (row, column) = grey.shape, grey.strides
    last = width - ABREAST - abs(right) * (PIECE - 1)
    shape = (PIECE, height // PIECE, last // every + 1)
    first = (PIECE - 1) * column if right < 0 else 0
    strides = (row + right * column, PIECE * row, every * column)
    picked = np.ndarray(shape, f"u{ABREAST}", grey, first, strides)
    return np.ascontiguousarray(picked).view(np.uint8).reshape(PIECE, -1)


def _sharpest(pieces: Grey) -> float | None:
    """Width in pixels that only the sharpest edges fall below; None where there are hardly any edges.

    Grain makes every slope steeper: what the flattest pieces show of it is taken off.
    """
    steepest: Grey = np.maximum.reduce(steps(pieces[1:], pieces[:-1]))
    contrast: Grey = np.maximum.reduce(pieces)
    contrast -= np.minimum.reduce(pieces)
    edges = (contrast >= CONTRAST).nonzero()[0]
    if edges.size < FEWEST:
        return None
    grain = min(GRAIN, _quantile(steepest[::4], FLAT))
    widths = contrast[edges] / np.maximum(steepest[edges].astype(np.float32) - grain, 1)
    return _quantile(widths, SHARPEST)


def _quantile(values: NDArray[Any], share: float) -> float:
    nth = int(values.size * share)
    parted = values.copy()
    parted.partition(nth)
    return float(parted[nth])
