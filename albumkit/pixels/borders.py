"""Bars of one tone along the edges: letterbox, pillarbox, the white rim of a scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from albumkit.pixels.picture import Grey, Picture, deviation

#: A line of a bar varies by no more than this (standard deviation, levels of 255): JPEG leaves less in a flat
#: area, a photographed wall or sky more.
_FLAT = 2.5
#: and its mean is no farther than this from that of the outermost line; so are two bars that belong together.
_SAME_TONE = 6.0
#: A bar ends along a straight line, and for good. Within the next few lines (a JPEG block smears the edge
#: over 8 pixels of the file) one differs from the bar's tone, by ``_DIFFERS``, in this share of its pixels.
_STRAIGHT, _DIFFERS, _SMEARED = 0.6, 12, 9
#: The first line that does so in this share comes out of nothing: the last but one does in none; and so many
#: lines after it do as well. A dark sky or a white studio ground ends along a mountain or a shoe instead, and
#: behind a horizon drawn in ink there is paper again.
_STEP, _STAYS = 0.4, 4


def bars_at_edges(picture: Picture) -> dict[str, Any]:
    """``bars``: how thick the bars at top, right, bottom and left are, in percent of the picture's height or
    width as stored; 0.0 where there is none. Only bars of one tone on opposite sides count, and only
    strips that end along a straight line. ``bar_level``: their tone, 0 black to 255 white; -1 without bars.
    """
    grey = picture.small
    top, bottom, tone = _pair(grey)
    height, width = grey.shape
    inner = grey[top : height - bottom]
    left, right, side_tone = _pair(inner.T)
    if top and bottom and left and right and abs(tone - side_tone) > _SAME_TONE:
        left = right = 0
    lines = [(top, height), (right, width), (bottom, height), (left, width)]
    level = tone if top and bottom else side_tone
    return {
        "bars": [round(100 * count / of, 1) for count, of in lines],
        "bar_level": round(level) if any((top, left)) else -1,
    }


def _pair(grey: Grey) -> tuple[int, int, float]:
    """Lines of the bars at both ends of the first axis, and their tone; (0, 0, -1) without a pair."""
    if min(grey.shape) < 16 or max(deviation(grey[0]), deviation(grey[-1])) > _FLAT:
        return 0, 0, -1.0
    means, spread = grey.mean(axis=1), grey.std(axis=1)
    first, last = _thickness(means, spread), _thickness(means[::-1], spread[::-1])
    if not (first and last and abs(means[0] - means[-1]) <= _SAME_TONE and first + last < len(grey)):
        return 0, 0, -1.0
    tone = float(means[0])
    if not (_ends_straight(grey, first, tone) and _ends_straight(grey[::-1], last, tone)):
        return 0, 0, -1.0
    return first, last, tone


def _thickness(means: Any, spread: Any) -> int:
    """How many lines from the start are of one tone."""
    flat = (spread <= _FLAT) & (np.abs(means - means[0]) <= _SAME_TONE)
    return int(len(flat) if flat.all() else flat.argmin())


def _ends_straight(grey: Grey, count: int, tone: float) -> bool:
    lines = grey[max(0, count - 2) : count + 2 * _SMEARED].astype(np.int16)
    differs = (np.abs(lines - round(tone)) > _DIFFERS).mean(axis=1)
    end = next((line for line, share in enumerate(differs[: _SMEARED + 2]) if share >= _STEP), None)
    return (
        end is not None
        and differs[end] - differs[max(0, end - 2)] >= _STEP
        and differs[end : end + _STAYS].min() >= _STEP
        and differs[end : end + _SMEARED].max() >= _STRAIGHT
    )
