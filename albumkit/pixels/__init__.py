"""Measurements of decoded pixels: one decoding, many plain numbers, no opinion.

The only package that uses numpy. ``examine`` is what the fact cache keeps of a picture by the sha256 of its
file: raise ``albumkit.facts.cache.VERSION`` whenever a measurement comes, goes or changes its meaning.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from albumkit.images import Header, read_header, reason_of
from albumkit.pixels import jpeg, light, sharpness
from albumkit.pixels.alpha import hidden_colours
from albumkit.pixels.borders import bars_at_edges
from albumkit.pixels.likeness import thumbnail_and_detail
from albumkit.pixels.picture import Picture, reduction

__all__ = ["MEASURES", "Picture", "examine", "reduction"]

#: Each takes a picture and returns plain JSON values by name; one module a kind of measurement.
MEASURES: tuple[Callable[[Picture], dict[str, Any]], ...] = (
    light.levels,
    light.structure,
    sharpness.edge_width,
    jpeg.table_quality,
    jpeg.blockiness,
    hidden_colours,
    bars_at_edges,
    thumbnail_and_detail,
)


def examine(
    data: bytes, room: Callable[[Header], AbstractContextManager[None] | None]
) -> tuple[Header, dict[str, Any] | None]:
    """Decode a picture to its last byte and measure it.

    Args:
        room: Called with its header; holds the memory that its pixels take while they are there. None: it is
            not decoded.

    Returns:
        Its header (from the same opening: a file may change between two), and its facts; None where it was
        not decoded. ``decode_error``: why its pixels cannot be had, or "". Without an error also every
        measurement of ``MEASURES``, by name.

    Raises:
        MemoryError: there was not enough for it, which says nothing about the file.
    """
    try:
        picture = Picture.open(data)
    except MemoryError:
        raise
    except Exception as error:  # plugins raise nearly anything for a broken file
        return read_header(io.BytesIO(data)), {"decode_error": reason_of(error)}
    held = room(picture.header)
    if held is None:
        return picture.header, None
    with held:
        return picture.header, _measured(picture)


def _measured(picture: Picture) -> dict[str, Any]:
    try:
        picture.load()
    except MemoryError:
        raise
    except Exception as error:
        return {"decode_error": reason_of(error)}
    facts: dict[str, Any] = {"decode_error": ""}
    for measure in MEASURES:
        facts.update(measure(picture))
    return facts
