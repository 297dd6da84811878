"""From what a masker found to the mask of a picture: grown, softened, cut off, of the picture's size."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, ImageFilter

from albumkit.parallel import MOST_PIXELS

#: The longer side, at most, at which a mask is grown and feathered. It is scaled up after that, once.
_WORKING_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Shaping:
    """What is done to a mask. ``grow`` and ``feather`` are per cent of the picture's longer side: 1 is 10
    pixels of 1000. ``grow`` below 0 shrinks; ``feather`` is the standard deviation of a Gaussian. From
    ``threshold`` (0 to 1) on a pixel is white, below it black; None keeps the soft edges. ``invert`` comes
    last.
    """

    grow: float = 0.0
    feather: float = 0.0
    threshold: float | None = None
    invert: bool = False

    @property
    def words(self) -> str:
        """The options that make it; "" for a mask as it was found."""
        parts = [
            f"--grow {self.grow:g}" if self.grow else "",
            f"--feather {self.feather:g}" if self.feather else "",
        ]
        parts += [f"--threshold {self.threshold:g}" if self.threshold is not None else ""]
        parts += ["--invert" if self.invert else ""]
        return " ".join(part for part in parts if part)


#: Soft edges and all.
AS_FOUND = Shaping()


def shape_mask(found: Image.Image, size: tuple[int, int], shaping: Shaping) -> Image.Image:
    """The mask of a picture.

    Args:
        found: Grey, of any size, laid over the whole picture.
        size: Width and height of the upright picture in pixels. The mask is as large, unless that is more
            than albumkit decodes: then it is half as large, or a quarter.
    """
    if shaping.grow or shaping.feather:
        found = _worked(found, size, shaping)
    while size[0] * size[1] > MOST_PIXELS:
        size = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    mask = found.resize(size, Image.Resampling.BICUBIC)
    if shaping.threshold is not None and not shaping.feather:  # growing and cutting off may change places
        mask = _cut_off(mask, shaping.threshold)
    return mask.point([255 - value for value in range(256)]) if shaping.invert else mask


def _worked(found: Image.Image, size: tuple[int, int], shaping: Shaping) -> Image.Image:
    import numpy as np

    from albumkit.pixels.grow import grow

    by = min(1.0, _WORKING_SIDE / max(size))
    width, height = (max(1, round(side * by)) for side in size)
    working = found.resize((width, height), Image.Resampling.BICUBIC)
    pixels_each = max(width, height) / 100
    if radius := round(shaping.grow * pixels_each):
        working = Image.fromarray(grow(np.asarray(working), radius))
    if shaping.feather:
        if shaping.threshold is not None:
            working = _cut_off(working, shaping.threshold)
        working = working.filter(ImageFilter.GaussianBlur(shaping.feather * pixels_each))
    return working


def _cut_off(mask: Image.Image, threshold: float) -> Image.Image:
    return mask.point([255 if value >= 255 * threshold else 0 for value in range(256)])


def encode_mask(mask: Image.Image) -> bytes:
    """The mask as 8-bit grey PNG."""
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()
