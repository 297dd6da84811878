"""What shows when a picture's transparency is dropped: the colours that its maker never saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from albumkit.pixels.picture import SMALL_SIDE, Picture

#: A change of this many of 255 levels in one channel is seen beside the unchanged picture.
_SEEN = 16


def hidden_colours(picture: Picture) -> dict[str, Any]:
    """``hidden_percent``: how much of the picture's area looks different when a loader drops transparency
    (``convert("RGB")``) instead of laying the picture on white. 0.0 for a picture without transparency.
    """
    image = picture.image
    # Deep grey with a transparent value: convert() would clip it, which is another fault.
    if not image.has_transparency_data or image.mode.startswith(("I", "F")):
        return {"hidden_percent": 0.0}
    side = 2 * SMALL_SIDE
    # Whole pixels are picked, not averaged: an average mixes the hidden colours into the seen ones.
    size = (min(image.width, side), min(image.height, side))
    few = image.resize(size, Image.Resampling.NEAREST)
    seen = Image.new("RGBA", size, "white")
    seen.alpha_composite(few.convert("RGBA"))
    dropped = np.asarray(few.convert("RGB"), dtype=np.int16)
    change = np.abs(dropped - np.asarray(seen.convert("RGB"), dtype=np.int16)).max(axis=2)
    return {"hidden_percent": round(100 * float((change > _SEEN).mean()), 1)}
