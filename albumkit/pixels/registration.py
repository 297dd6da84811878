"""Two pictures of one frame: how far one is shifted against the other, and how much they differ.

The taught change of an edit pair may turn day into night or a photo into a sketch, so brightness and colour
say nothing here. What stays is where edges run: every pixel becomes the direction of its gradient with the
angle doubled, so that an edge counts alike whichever side of it is bright, and both sides of a pen stroke
agree. The correlation of the two fields peaks at the shift (orientation correlation: Fitch, Kadyrov,
Christmas and Kittler, BMVC 2002, who do not double the angle).
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from albumkit.images import open_image, read_header, reason_of, upright
from albumkit.pixels.picture import Picture, reduction

Field = NDArray[np.complex64]
#: Longer side, in pixels, of the pictures that are compared.
_SIDE = 512
#: No shift beyond this share of a side is looked for: what is farther off is another picture.
_FARTHEST = 0.19
#: Side of the blocks whose difference is told, in pixels of the reduced pictures.
_BLOCK = 16
#: Pixels around a peak that belong to it.
_NEAR = 4
# The three below keep a chance peak from being told as a shift. Fitted with benchmarks/registration.py on 49
# photographs (lomiri-wallpapers, mate-backgrounds, scikit-image, some of OpenCV's samples) and measured on 15
# others (scikit-learn, imgaug, other samples of OpenCV), each with twelve changes from night to a covered
# middle: of 180 aligned pairs none was told as shifted, of 180 shifted by 8 pixels of at most 1100, 163.
#: A peak must stand so many times above every other place of the correlation,
_CLEAR = 1.3
#: and so many standard deviations above its mean.
_HIGH = 7.0
#: No shift at all is as good an explanation when it reaches this share of the peak.
_AS_GOOD = 0.8


def compare(start: BinaryIO, end: BinaryIO) -> dict[str, Any]:
    """What two pictures have in common once both are upright and brought to one size.

    Returns:
        ``error``: why one of them cannot be decoded, or "". Without an error also ``difference``, of the
        block that differs most: its mean over pixels and channels, 0 (equal) to 255; ``shift``: [right, down]
        in pixels of the upright end picture by which it lies off the start, or None where they have too
        little in common to tell, or not the same shape: ``same_shape``.

    Raises:
        MemoryError: there was not enough for it, which says nothing about the files.
    """
    try:
        first, _ = _reduced(start)
        second, second_size = _reduced(end)
    except MemoryError:
        raise
    except Exception as error:  # plugins raise nearly anything for a broken file
        return {"error": reason_of(error)}
    same_shape = max(abs(a - b) for a, b in zip(first.size, second.size, strict=True)) <= 1
    if first.size != second.size:
        first = first.resize(second.size, Image.Resampling.BICUBIC)
    facts: dict[str, Any] = {"error": "", "difference": _difference(first, second), "same_shape": same_shape}
    found = _shift(_directions(first), _directions(second)) if same_shape else None
    scale = max(second_size) / max(second.size)
    facts["shift"] = [round(part * scale, 1) + 0.0 for part in found] if found else None
    return facts


def _reduced(stream: BinaryIO) -> tuple[Image.Image, tuple[int, int]]:
    """RGB, upright, longer side at most ``_SIDE``; and the upright size in the file."""
    data = stream.read()
    header = read_header(io.BytesIO(data))
    if header.error or not header.width:
        raise ValueError(header.error or "not a picture that can be read")
    stored = open_image(io.BytesIO(data))
    if header.format == "JPEG":  # in colour: what is taught may be one
        part = reduction(header)
        stored.draft(None, (max(1, header.width // part), max(1, header.height // part)))
    stored.load()
    working = Picture(data, header, stored).working.convert("RGB")
    image = upright(working, header.format, header.orientation)
    by = min(1.0, _SIDE / max(image.size))
    size = (max(1, round(image.width * by)), max(1, round(image.height * by)))
    return image if size == image.size else image.resize(size, Image.Resampling.BOX), header.upright_size


def _difference(first: Image.Image, second: Image.Image) -> float:
    apart = np.abs(np.asarray(first, dtype=np.int16) - np.asarray(second, dtype=np.int16)).mean(axis=2)
    height, width = (side // _BLOCK * _BLOCK for side in apart.shape)
    if not (height and width):
        return round(float(apart.mean()), 2)
    blocks = apart[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    return round(float(blocks.mean(axis=(1, 3)).max()), 2)


def _directions(image: Image.Image) -> Field:
    """Doubled gradient directions, shape (height, width); length 0 (flat) to 1 (a strong edge)."""
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    field = np.zeros(grey.shape, dtype=np.complex64)
    field[:, 1:-1].real = grey[:, 2:] - grey[:, :-2]
    field[1:-1].imag = grey[2:] - grey[:-2]
    power = field.real**2 + field.imag**2
    strength = np.sqrt(power)
    noise = 2 * float(np.median(strength)) + float(strength.mean()) + 0.002
    return np.asarray(field * field / (power + np.float32(noise**2)), dtype=np.complex64)


def _shift(first: Field, second: Field) -> tuple[float, float] | None:
    """(right, down) of ``second`` against ``first`` in pixels; None where no shift explains them."""
    height, width = first.shape
    reach_y, reach_x = int(height * _FARTHEST), int(width * _FARTHEST)
    if min(reach_y, reach_x) < _NEAR + 2:
        return None
    fade = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    across = np.conj(np.fft.fft2(first * fade)) * np.fft.fft2(second * fade)
    whole = np.roll(np.fft.ifft2(across).real, (reach_y, reach_x), (0, 1))
    seen = whole[: 2 * reach_y + 1, : 2 * reach_x + 1]
    y, x = (int(at) for at in np.unravel_index(int(seen.argmax()), seen.shape))
    peak = float(seen[y, x])
    if peak <= 0:
        return None
    if seen[reach_y - 1 : reach_y + 2, reach_x - 1 : reach_x + 2].max() >= _AS_GOOD * peak:
        return 0.0, 0.0
    rest = np.ma.array(seen, mask=False)
    rest[max(0, y - _NEAR) : y + _NEAR + 1, max(0, x - _NEAR) : x + _NEAR + 1] = np.ma.masked
    if peak < _CLEAR * rest.max() or peak < rest.mean() + _HIGH * rest.std():
        return None
    down = y + _between(seen[:, x], y) - reach_y
    return x + _between(seen[y], x) - reach_x, down


def _between(line: NDArray[np.floating[Any]], at: int) -> float:
    """Where between the pixels the peak lies, -0.5 to 0.5: the top of a parabola through three of them."""
    if not 0 < at < len(line) - 1:
        return 0.0
    left, middle, right = (float(value) for value in line[at - 1 : at + 2])
    bend = left - 2 * middle + right
    return min(0.5, max(-0.5, 0.5 * (left - right) / bend)) if bend < 0 else 0.0
