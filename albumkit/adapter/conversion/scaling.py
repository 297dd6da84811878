"""Raw words multiplied by a number, without numpy.

By a power of two only exponents change. They stand in the last byte of a word and in the one before, and a
column of bytes is translated or added up at once, in C. It is exact unless a number leaves the range of
normal numbers. Those, and all if the factor is no power of two, are calculated one by one and rounded to the
nearest, and :class:`Rounding` keeps what that costs.
"""

from __future__ import annotations

import functools
import math
import re
import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from albumkit.adapter.words import FLOATS, to_floats
from albumkit.errors import AdapterError

#: Bits of the mantissa as it is stored; sign and exponent are the rest of the word.
_MANTISSA = {"BF16": 7, "F16": 10, "F32": 23, "F64": 52}


def power_of_two(factor: float) -> int | None:
    """The k of a factor 2^k or -2^k; None for any other."""
    mantissa, exponent = math.frexp(abs(factor))
    return exponent - 1 if mantissa == 0.5 else None


def worst_rounding(dtype: str) -> float:
    """By how much rounding to this dtype changes a normal number at most, as a share of it."""
    return 2.0 ** -(_MANTISSA[dtype] + 1)


@dataclass
class Rounding:
    """What rounding did to the numbers that were not exact.

    Attributes:
        path: The file, for messages.
        allowed: Whether anything may be rounded at all.
        tensors: Names of tensors that lost something.
    """

    path: Path
    allowed: bool
    tensors: dict[str, None] = field(default_factory=dict)
    _error: float = 0.0
    _norm: float = 0.0

    @property
    def error(self) -> float:
        """The root mean square of what was lost, as a share of that of the numbers that it was lost from."""
        return math.sqrt(self._error / self._norm) if self._norm else 0.0

    def count(self, name: str, dtype: str, error: float, norm: float) -> None:
        """Add what a chunk lost, and what its numbers come to.

        Raises:
            AdapterError: that is not allowed, or what was lost is not even a number.
        """
        if not math.isfinite(error):
            raise AdapterError(
                self.path, f"{name} holds numbers that are not finite, or are not in {dtype} once scaled."
            )
        if not self.allowed:
            raise AdapterError(
                self.path,
                f"{name} holds numbers so small that its scale cannot be multiplied into them exactly in "
                f"{dtype}: {error / norm:.1g} of it would be lost.",
                "convert --to kohya keeps the scale beside the factors; or allow the loss with --lossy",
            )
        self.tensors[name] = None
        self._error += error**2
        self._norm += norm**2


def scaled(raw: bytes | bytearray, dtype: str, factor: float, name: str, rounding: Rounding) -> bytearray:
    """The words multiplied and, where that is not exact, rounded to the nearest.

    Args:
        raw: Little-endian words.
        name: The tensor, for messages.

    Raises:
        AdapterError: see :meth:`Rounding.count`.
    """
    shift, width = power_of_two(factor), FLOATS[dtype]
    if shift is None or dtype == "F64":
        return _multiplied(raw, dtype, factor, name, rounding, raw)
    words, others = _shifted(raw, dtype, shift, negative=factor < 0)
    if len(others) > len(raw) // 16:
        return _multiplied(raw, dtype, factor, name, rounding, raw)
    if others:
        picked = b"".join(raw[at : at + width] for at in others)
        mended = _multiplied(picked, dtype, factor, name, rounding, raw)
        for number, at in enumerate(others):
            words[at : at + width] = mended[number * width : (number + 1) * width]
    return words


def _multiplied(
    raw: bytes | bytearray,
    dtype: str,
    factor: float,
    name: str,
    rounding: Rounding,
    beside: bytes | bytearray,
) -> bytearray:
    """Number by number. ``beside`` are all words of which ``raw`` has some: a loss is a share of these."""
    exact = [number * factor for number in to_floats(raw, dtype)]
    words = _from_floats(exact, dtype)
    error = math.dist(exact, to_floats(words, dtype))
    if error:
        rounding.count(name, dtype, error, _norm(beside, dtype) * abs(factor))
    return words


def _norm(raw: bytes | bytearray, dtype: str) -> float:
    """The root of the sum of squares, estimated from every 32nd number where there are many."""
    width = FLOATS[dtype]
    stride = 32 if len(raw) > 4096 * width else 1
    sample = b"".join(raw[at : at + width] for at in range(0, len(raw), stride * width))
    return math.hypot(*to_floats(sample, dtype)) * math.sqrt(stride)


def _shifted(
    raw: bytes | bytearray, dtype: str, shift: int, *, negative: bool
) -> tuple[bytearray, list[int]]:
    """``shift`` added to every exponent, and where (in bytes) words stand that this is not right for."""
    width = FLOATS[dtype]
    table, unsafe, odd = _last_bytes(dtype, shift, negative)
    words, last = bytearray(raw), raw[width - 1 :: width]
    others = []
    if any(byte in last for byte in unsafe):
        pattern = b"[" + b"".join(b"\\x%02x" % byte for byte in unsafe) + b"]"
        others = [match.start() * width for match in re.finditer(pattern, last)]
    last = last.translate(table)
    if odd:  # the lowest bit of the exponent is the highest of the byte before
        before = raw[width - 2 :: width]
        words[width - 2 :: width] = before.translate(_FLIPPED)
        carried = int.from_bytes(last, "little") + int.from_bytes(before.translate(_TOP), "little")
        last = carried.to_bytes(len(last), "little")
    words[width - 1 :: width] = last
    return words, others


#: A byte with its highest bit turned over, and that bit alone.
_FLIPPED = bytes(n ^ 0x80 for n in range(256))
_TOP = bytes(n >> 7 for n in range(256))


@functools.lru_cache(maxsize=8)
def _last_bytes(dtype: str, shift: int, negative: bool) -> tuple[bytes, bytes, bool]:
    """What the last byte of a word becomes; which last bytes need another way; and whether to carry.

    Behind its sign stand seven bits: all but one of the exponent of BF16 and F32, and the exponent and two
    more of F16. As a number they are counted up by ``step``. The first and the last exponent are those of
    zeros and subnormal numbers, and of infinities and NaNs.
    """
    step, odd = (4 * shift, 0) if dtype == "F16" else divmod(shift, 2)
    first, end = (4, 0x7C) if dtype == "F16" else (1, 0x7F)
    table, unsafe = bytearray(256), bytearray()
    for byte in range(256):
        new = (byte & 0x7F) + step
        if first <= byte & 0x7F < end and first <= new and new + odd < end:
            table[byte] = (byte & 0x80) ^ (0x80 if negative else 0) | new
        else:
            unsafe.append(byte)
    return bytes(table), bytes(unsafe), bool(odd)


def _from_floats(numbers: Sequence[float], dtype: str) -> bytearray:
    """Numbers as raw words, rounded to the nearest, halves to even; infinite where the dtype ends."""
    if dtype == "F16":
        held = (math.copysign(math.inf, x) if abs(x) >= 65520 else x for x in numbers)
        return bytearray(struct.pack(f"<{len(numbers)}e", *held))
    wide = array("d" if dtype == "F64" else "f", numbers)
    if sys.byteorder == "big":
        wide.byteswap()
    raw = wide.tobytes()
    if dtype != "BF16":
        return bytearray(raw)
    # The upper half of a float32; half of its last place is added first, and a little less to even ones.
    # That is one addition: the words are taken as one very long integer in which each has a lane of its own.
    ones = int.from_bytes(b"\1\0\0\0" * len(numbers), "little")
    words = int.from_bytes(raw, "little")
    raw = (words + ones * 0x7FFF + ((words >> 16) & ones)).to_bytes(len(raw), "little")
    narrow = bytearray(len(raw) // 2)
    narrow[0::2], narrow[1::2] = raw[2::4], raw[3::4]
    return narrow
