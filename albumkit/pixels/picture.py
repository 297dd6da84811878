"""A decoded picture as the measurements see it: once decoded, reduced to a working size, in grey and small.

A JPEG in colour is decoded as luma alone, which no measurement asks more of: its stream is read to the end
all the same, and a third of the time goes into chroma. A large one is decoded at the smallest of 1/1, 1/2,
1/4 and 1/8 whose longer side is still ``WORKING_SIDE``: what finer pixels hold, a training at 512 to 1024
pixels never sees.
"""

from __future__ import annotations

import ctypes
import functools
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from albumkit.images import Header, header_of, open_image

Grey = NDArray[np.uint8]
#: Pixels of the longer side below which nothing is reduced.
WORKING_SIDE = 1000
#: Modes that can be reduced as they are (alpha is weighed in): the copies made of them after are small.
_REDUCIBLE = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})
#: The longer side of ``small``.
SMALL_SIDE = 256
#: Of a picture with more pixels than this only every so many lines are looked at, about as many pixels: of
#: 1024 x 1024 every sixteenth line.
LOOKED_AT = 1 << 16


def reduction(header: Header) -> int:
    """By how much each side of a JPEG is divided while it is decoded: 1, 2, 4 or 8; 1 for all others."""
    if header.format != "JPEG":
        return 1
    side = max(header.width, header.height)
    return next((by for by in (8, 4, 2) if side // by >= WORKING_SIDE), 1)


_POINTER_OF = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


@dataclass
class Picture:
    """One picture, decoded unless it was only opened.

    ``image`` is what Pillow made of it (as stored, not turned upright; in the file's own mode, but a JPEG in
    colour as luma and reduced by :func:`reduction`), ``data`` the bytes of the file, ``header`` its
    :class:`Header`.
    """

    data: bytes
    header: Header
    image: Image.Image

    @classmethod
    def open(cls, data: bytes) -> Picture:
        """The picture with its header, not decoded yet.

        Raises whatever Pillow raises, as :meth:`load` does; see :func:`albumkit.images.reason_of`.
        """
        stream = io.BytesIO(data)
        image = open_image(stream)
        return cls(data, header_of(image, stream), image)

    @classmethod
    def decode(cls, data: bytes) -> Picture:
        """Opened and decoded."""
        picture = cls.open(data)
        picture.load()
        return picture

    def load(self) -> None:
        """Decode it to its last byte."""
        header, image = self.header, self.image
        if header.frames > 1:  # counting them may have left the first one
            image.seek(0)
        if header.format == "JPEG" and isinstance(image, ImageFile.ImageFile):
            by = reduction(header)
            image.draft("L", (max(1, header.width // by), max(1, header.height // by)))
            image.decodermaxblock = len(self.data)  # at one go: a decoder that waits for more takes longer
        image.load()

    @functools.cached_property
    def working(self) -> Image.Image:
        """RGB or L (a JPEG always L), reduced by a whole number so that the longer side is below twice
        ``WORKING_SIDE``; what is transparent is seen against white.
        """
        image = self.image
        by = max(1, max(image.size) // WORKING_SIDE)
        if image.mode not in _REDUCIBLE:
            image = _plain(image)
        image = image.reduce(by) if by > 1 else image
        return image if image.mode in ("L", "RGB") else _plain(image)

    @property
    def reduced(self) -> float:
        """By how much each side of ``working`` was divided, in decoding and after; 1 where it was not."""
        return max(self.header.width, self.header.height) / max(self.working.size)

    @functools.cached_property
    def _luma(self) -> Image.Image:
        return self.working if self.working.mode == "L" else self.working.convert("L")

    @functools.cached_property
    def grey(self) -> Grey:
        """``working`` as luma (ITU-R 601), shape (height, width), 0 black to 255 white."""
        return _without_copy(self._luma)

    @property
    def spacing(self) -> int:
        """Every which line is looked at by measurements that need no more: 1 (all), or so many that they have
        about ``LOOKED_AT`` pixels together.
        """
        return max(1, self.grey.size // LOOKED_AT)

    @functools.cached_property
    def rows(self) -> Grey:
        """Rows of ``grey``, ``spacing`` apart: shape (lines, width)."""
        return np.ascontiguousarray(self.grey[:: self.spacing])

    @functools.cached_property
    def columns(self) -> Grey:
        """Columns of ``grey``, ``spacing`` apart: shape (height, lines)."""
        return np.ascontiguousarray(self.grey[:, :: self.spacing])

    @functools.cached_property
    def small_image(self) -> Image.Image:
        """``working`` as luma, reduced by a whole number to a longer side of ``SMALL_SIDE`` to twice that."""
        by = max(1, max(self._luma.size) // SMALL_SIDE)
        return self._luma.reduce(by) if by > 1 else self._luma

    @functools.cached_property
    def small(self) -> Grey:
        """``small_image`` as ``grey`` is ``working``."""
        return _without_copy(self.small_image)


class _ArrowArray(ctypes.Structure):
    """The beginning of Arrow's ``struct ArrowArray`` (its C data interface), by which Pillow lends memory."""

    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    )


class _Lent:
    """Memory as NumPy takes it, read-only; an array made of it keeps the lender's ``hold``."""

    def __init__(self, address: int, shape: tuple[int, ...], hold: object) -> None:
        self.hold = hold
        self.__array_interface__ = {"version": 3, "typestr": "|u1", "shape": shape, "data": (address, True)}


def _without_copy(luma: Image.Image) -> Grey:
    """The pixels of a picture of mode L as they lie in its memory.

    ``np.asarray`` of the picture copies them twice, and lets no other thread work meanwhile.
    """
    try:
        _, capsule = luma.__arrow_c_array__()
    except ValueError:  # its rows do not lie in one piece: more than 16 MB, or PILLOW_BLOCK_SIZE says so
        return np.asarray(luma)
    told = _ArrowArray.from_address(_POINTER_OF(capsule, b"arrow_array"))
    return np.asarray(_Lent(told.buffers[1] + told.offset, (luma.height, luma.width), capsule))


def steps(first: Grey, second: Grey) -> Grey:
    """By how many levels each pixel differs from its partner."""
    apart: Grey = np.maximum(first, second)
    apart -= np.minimum(first, second)
    return apart


def deviation(levels: Grey) -> float:
    """Standard deviation; by whole numbers, in half the time of ``std``."""
    values = levels.ravel().astype(np.int64)
    mean: float = int(values.sum()) / values.size
    return math.sqrt(max(0.0, int(values.dot(values)) / values.size - mean * mean))


def _plain(image: Image.Image) -> Image.Image:
    """Any mode as RGB or L. 16 bits and floats are scaled to 8, which ``convert`` would clip."""
    if image.mode.startswith("I"):
        whole = np.asarray(image)
        if whole.dtype.itemsize > 2:
            whole = np.clip(whole, 0, 65535)
        return Image.fromarray((whole >> 8).astype(np.uint8))
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)
        values *= np.float32(255.0 / (float(values.max(initial=0.0)) or 1.0))
        return Image.fromarray(np.clip(values, 0, 255, out=values).astype(np.uint8))
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        white.alpha_composite(seen)
        return white.convert("RGB")
    return image.convert("L" if image.mode in ("1", "LA") else "RGB")
