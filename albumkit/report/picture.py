"""A picture in a terminal: two pixels to a character, in half blocks."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

_UPPER_HALF = "\u2580"
#: Columns between pictures that stand side by side.
_GAP = 2


def picture_lines(
    images: Sequence[Image.Image], width: int, height: int, *, ascii_only: bool = False
) -> list[Text]:
    """Pictures side by side, whole, as large as fits ``width`` columns and ``height`` lines.

    Args:
        images: RGB.
        ascii_only: The stream has no half blocks: one pixel to a blank with a coloured ground, so half as
            fine.
    """
    room = (width - _GAP * (len(images) - 1)) // max(1, len(images))
    blocks = [_block(image, room, height, ascii_only) for image in images]
    rows = max((len(block) for block in blocks), default=0)
    lines = []
    for row in range(rows):
        line = Text()
        for number, block in enumerate(blocks):
            columns = len(block[0])
            line.append(" " * _GAP if number else "")
            line.append_text(block[row] if row < len(block) else Text(" " * columns))
        lines.append(line)
    return lines


def side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    """Several pictures as one, of the height of the lowest, for terminals that draw pixels."""
    height = min(image.height for image in images)
    fitted = [image.resize((max(1, image.width * height // image.height), height)) for image in images]
    gap = max(1, height // 50)
    whole = Image.new("RGB", (sum(one.width for one in fitted) + gap * (len(fitted) - 1), height))
    left = 0
    for one in fitted:
        whole.paste(one, (left, 0))
        left += one.width + gap
    return whole


def _block(image: Image.Image, width: int, height: int, ascii_only: bool) -> list[Text]:
    """A character is about twice as high as wide, so half of one is a square."""
    scale = min(width / image.width, 2 * height / image.height)
    columns = max(1, round(image.width * scale))
    rows = max(1, round(image.height * scale / 2))
    small = image.resize((columns, rows if ascii_only else 2 * rows), Image.Resampling.BOX, reducing_gap=2.0)
    if ascii_only:
        return [_line(small, row, row, " ") for row in range(rows)]
    return [_line(small, 2 * row, 2 * row + 1, _UPPER_HALF) for row in range(rows)]


def _line(small: Image.Image, upper: int, lower: int, sign: str) -> Text:
    line = Text()
    for x in range(small.width):
        style = Style(color=_colour(small, x, upper), bgcolor=_colour(small, x, lower))
        line.append(sign, style)
    return line


def _colour(small: Image.Image, x: int, y: int) -> Color:
    pixel = small.getpixel((x, y))
    assert isinstance(pixel, tuple)  # RGB
    return Color.from_rgb(*pixel[:3])
