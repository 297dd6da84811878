"""Numbers as they lie in the file: raw little-endian words of F16, BF16, F32 and F64, without numpy.

For scanning much, see :mod:`albumkit.adapter.health`; here few numbers are turned into floats.
"""

from __future__ import annotations

import struct
import sys
from array import array
from pathlib import Path
from typing import BinaryIO

from albumkit.adapter.header import Tensor
from albumkit.errors import AdapterError

#: Dtypes that factors may have, with the bytes of one word.
FLOATS = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8}
_INTEGERS = {"I8": "b", "U8": "B", "I16": "h", "U16": "H", "I32": "i", "U32": "I", "I64": "q", "U64": "Q"}


def to_floats(raw: bytes | bytearray, dtype: str) -> array[float]:
    """The numbers of raw words as an array of doubles ("d") for F64, of floats ("f") otherwise; exact.

    Args:
        raw: Little-endian words.
        dtype: A key of :data:`FLOATS`.
    """
    if dtype == "F16":
        return array("f", struct.unpack(f"<{len(raw) // 2}e", raw))
    if dtype == "BF16":  # the upper half of a float32
        wide = bytearray(2 * len(raw))
        wide[2::4], wide[3::4] = raw[0::2], raw[1::2]
        raw = wide
    numbers = array("d" if dtype == "F64" else "f")
    numbers.frombytes(raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def scalar(raw: bytes, dtype: str) -> float | None:
    """The one number of a tensor of one element, such as an alpha; None for dtypes that hold none."""
    if dtype in FLOATS:
        return float(to_floats(raw, dtype)[0])
    if dtype in _INTEGERS:
        return float(struct.unpack(f"<{_INTEGERS[dtype]}", raw)[0])
    return None


def read_raw(stream: BinaryIO, path: Path, tensor: Tensor) -> bytes:
    """The bytes of a tensor.

    Raises:
        AdapterError: the file became shorter since its header was read.
    """
    stream.seek(tensor.start)
    raw = stream.read(tensor.size)
    if len(raw) != tensor.size:
        raise AdapterError(path, f"it changed while it was read: {tensor.name} is no longer there.")
    return raw
