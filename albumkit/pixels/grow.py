"""Growing and shrinking the white of a mask."""

from __future__ import annotations

import numpy as np

from albumkit.pixels.picture import Grey


def grow(weights: Grey, radius: int) -> Grey:
    """Each pixel takes the largest value within ``radius`` pixels; a negative radius shrinks the white.

    The disc is an octagon: squares and crosses of 3 x 3, one after the other, so many of each that it is as
    wide along its diagonals as along its axes (a square reaches 1.41 pixels along a diagonal, a cross 0.71).
    Soft edges stay as soft as they are. ``weights``: shape (height, width), 0 black to 255 white.
    """
    if radius < 0:
        shrunk: Grey = 255 - grow(255 - weights, -radius)
        return shrunk
    grown = weights
    squares = 0
    for step in range(1, radius + 1):
        if round(step * (np.sqrt(2) - 1)) > squares:
            squares += 1
            grown = _wider(_wider(grown, 0, grown), 1, None)
        else:
            grown = _wider(_wider(grown, 0, grown), 1, grown)
    return grown


def _wider(weights: Grey, axis: int, beside: Grey | None) -> Grey:
    """The maximum of ``weights`` and both neighbours along an axis; those of ``beside``, or its own."""
    source = np.moveaxis(weights if beside is None else beside, axis, 0)
    wider = weights.copy()
    turned = np.moveaxis(wider, axis, 0)
    np.maximum(turned[1:], source[:-1], out=turned[1:])
    np.maximum(turned[:-1], source[1:], out=turned[:-1])
    return wider
