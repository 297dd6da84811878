"""What JPEG took away: by the tables in the file, and by the edges of its 8 x 8 blocks in the pixels.

The tables tell how the file was saved last; the blocks also tell of an earlier saving, as long as the
picture was not resized since.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from albumkit.pixels.picture import Grey, Picture

#: Sum of table K.1 of ITU-T T.81, which libjpeg scales by its quality.
_LUMA = 3688
BLOCK = 8
#: Levels added to both sides of the comparison: in a picture without any texture all steps are tiny.
FLOOR = 1.0
#: So many third differences of pixels, each at most 4 x 255, are summed up in 16 bits.
_SUMMED = 32


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
    rows, columns = picture.rows, picture.columns
    of_columns = _third_differences(rows, 1, rows.shape[1])[: (rows.shape[1] - 3) // BLOCK * BLOCK]
    across = _rough(of_columns.reshape(-1, BLOCK).mean(0) / (len(rows) - 1))
    of_rows = _third_differences(columns, columns.shape[1], BLOCK * columns.shape[1])
    down = _rough(of_rows.reshape(BLOCK, -1).mean(1) / ((len(columns) - 3) // BLOCK))
    if not across[1] and not down[1]:
        return {"blockiness": 1.0}
    return {"blockiness": round(min((edge + FLOOR) / (inside + FLOOR) for edge, inside in (across, down)), 2)}


def _third_differences(lines: Grey, apart: int, period: int) -> NDArray[np.int32]:
    """Sums, without their signs, of the third differences of pixels that lie ``apart`` in memory: of all that
    lie a whole number of periods apart, shape (period,).

    All lines are gone through as one, in half the time. What reaches from one line into the next is for the
    caller to leave out.
    """
    third = lines.ravel().astype(np.int16)
    for _ in range(3):
        third = third[apart:] - third[:-apart]
    periods = np.abs(third, out=third)[: third.size // period * period].reshape(-1, period)
    sums = [
        np.add.reduce(periods[start : start + _SUMMED], 0, dtype=np.int16)
        for start in range(0, len(periods), _SUMMED)
    ]
    total: NDArray[np.int32] = np.add.reduce(sums, 0, dtype=np.int32)
    return total


def _rough(phases: NDArray[np.float64]) -> tuple[float, float]:
    """The roughest of the eight phases of lines, and the median of all."""
    values = np.sort(phases).tolist()
    return float(values[-1]), float((values[BLOCK // 2 - 1] + values[BLOCK // 2]) / 2)
