"""What JPEG took away: by the tables in the file, and by the edges of its 8 x 8 blocks in the pixels.

The tables tell how the file was saved last; the blocks also tell of an earlier saving, as long as the
picture was not resized since.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from albumkit.pixels.picture import Grey, Picture

#: Sum of table K.1 of ITU-T T.81, which libjpeg scales by its quality.
_LUMA = 3688
BLOCK = 8
#: Levels added to both sides of the comparison: in a picture without any texture all steps are tiny.
FLOOR = 1.0
#: Lines looked at in each direction, about.
LINES = 128


def table_quality(picture: Picture) -> dict[str, Any]:
    """``jpeg_quality``: 1 to 100 on libjpeg's scale, from the table for luma; absent for other formats."""
    tables = getattr(picture.image, "quantization", None)
    if picture.header.format != "JPEG" or not tables:
        return {}
    table = tables[min(tables)]
    scale = 100 * sum(table) / _LUMA
    return {"jpeg_quality": max(1, min(100, round(5000 / scale if scale > 100 else 100 - scale / 2)))}


def blockiness(picture: Picture) -> dict[str, Any]:
    """``blockiness``: how many times as rough the picture is where blocks meet as elsewhere, the lesser of
    both directions; 1 without blocks. Absent where the picture was reduced.

    Rough is what a cubic step leaves: within a block there are the few smooth waves that its table let
    through, and only where two blocks meet does the third difference of the pixels jump. Inside of squares
    that are perfectly even both ways there are no waves at all: enlarged pixel art, which no JPEG has made.
    """
    if picture.reduced != 1 or min(picture.grey.shape) < 4 * BLOCK:
        return {}
    height, width = picture.grey.shape
    across = _rough(picture.grey[:: max(1, height // LINES)], 1)
    down = _rough(picture.grey[:, :: max(1, width // LINES)], 0)
    if not across[1] and not down[1]:
        return {"blockiness": 1.0}
    return {"blockiness": round(min((edge + FLOOR) / (inside + FLOOR) for edge, inside in (across, down)), 2)}


def _rough(lines: Grey, axis: int) -> tuple[float, float]:
    """How rough the roughest of the eight phases of lines along an axis is, and the median of all."""
    third = lines.astype(np.int16, order="C")
    for _ in range(3):
        third = third[1:] - third[:-1] if axis == 0 else third[:, 1:] - third[:, :-1]
    lines_met = np.float32(third.shape[1 - axis])
    rough = np.add.reduce(np.abs(third, out=third), 1 - axis, dtype=np.int32) / lines_met
    phases = np.sort(rough[: rough.size // BLOCK * BLOCK].reshape(-1, BLOCK).mean(0)).tolist()
    return float(phases[-1]), float((phases[BLOCK // 2 - 1] + phases[BLOCK // 2]) / 2)
