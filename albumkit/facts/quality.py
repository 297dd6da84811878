"""How good the pixels of a picture are: sharpness, light, content, traces of JPEG.

Only of pictures that are learnt from: what an edit starts from may be as poor as its owner likes, for
mending it may be what the pair teaches.
"""

from __future__ import annotations

import math
from typing import Any

from albumkit.album import MediaFile
from albumkit.facts import example as _example  # noqa: F401 - registered first
from albumkit.facts.measure import Measured
from albumkit.facts.registry import NotApplicable, fact
from albumkit.images import Header

#: Pixels of training that a JPEG block must cover at least for its edges not to be averaged away.
_LEAST_BLOCK = 4


@fact("example", cost="pixels")
def seen(decode_error: str, media: MediaFile, measured: Measured) -> dict[str, Any]:
    """Every measurement of the pixels that are learnt from; the facts of quality are parts of it."""
    if decode_error:
        raise NotApplicable("unreadable")
    if media.role != "target":
        raise NotApplicable("what an edit starts from")
    return measured.pixels(media)


def _part(seen: dict[str, Any], name: str) -> float:
    """One measurement, where the picture had what it takes."""
    if name not in seen:
        raise NotApplicable(f"too small, or nothing in it, to tell its {name}")
    return float(seen[name])


@fact("example", cost="pixels")
def edge_width(seen: dict[str, Any], good_header: Header, training_side: int) -> float:
    """How many pixels the sharpest edges are wide at the training size (a smaller picture: at its own), in
    the direction in which they are widest: about 1 to 2 when sharp, 2.5 times sigma under a Gaussian.
    """
    side = min(training_side, math.sqrt(good_header.pixels))
    return round(_part(seen, "edge_width") * side / 1024, 1)


@fact("example", cost="header")
def edge_size(good_header: Header, training_side: int, assumed: str) -> str:
    """The size at which the width of edges is told, in words."""
    if math.sqrt(good_header.pixels) < training_side:
        return f"its own size of {good_header.width} x {good_header.height} px"
    return f"the training size of {training_side} px{assumed}"


@fact("example", cost="pixels")
def bright_level(seen: dict[str, Any]) -> int:
    """Luma that only one in a hundred pixels passes, in percent of full white."""
    return round(_part(seen, "bright_level"))


@fact("example", cost="pixels")
def dark_level(seen: dict[str, Any]) -> int:
    """Luma that all but two in a hundred pixels reach, in percent of full white."""
    return round(_part(seen, "dark_level"))


@fact("example", cost="pixels")
def black_share(seen: dict[str, Any]) -> int:
    """Percent of the area that is black without any detail."""
    return round(_part(seen, "black_share"))


@fact("example", cost="pixels")
def white_share(seen: dict[str, Any]) -> int:
    """Percent of the area that is white without any detail."""
    return round(_part(seen, "white_share"))


@fact("example", cost="pixels")
def structured_share(seen: dict[str, Any]) -> float:
    """Percent of the area in which anything is to be seen: an edge, a texture, more than grain."""
    return _part(seen, "structured_share")


@fact("example", cost="pixels")
def jpeg_quality(seen: dict[str, Any], good_header: Header, training_side: int) -> int:
    """Quality of the last saving as JPEG on libjpeg's scale of 1 to 100; 100 for any other format. Not
    applicable to a picture so large that its 8 x 8 blocks are averaged away in training.
    """
    if 8 * training_side / math.sqrt(good_header.pixels) < _LEAST_BLOCK:
        raise NotApplicable("its blocks are averaged away")
    return int(seen.get("jpeg_quality", 100))


@fact("example", cost="pixels")
def blockiness(seen: dict[str, Any]) -> float:
    """How many times as rough the picture is where 8 x 8 blocks meet as inside of them; 1 also where that
    was not looked for, in pictures of less than 32 or more than about 2000 pixels.
    """
    return float(seen.get("blockiness", 1.0))


@fact("example", cost="pixels")
def saved_as(jpeg_quality: int, good_header: Header) -> str:
    """How the file was saved, in words."""
    return (
        f"saved as JPEG of quality {jpeg_quality}" if good_header.format == "JPEG" else "saved as JPEG once"
    )
