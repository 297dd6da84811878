"""Raw words multiplied by a number, without numpy.

By a power of two only exponents change. They stand in the last byte of a word and in the one before, and a
column of bytes is translated or added up at once, in C. All of a BF16 stands in these two: what its mantissa
becomes, rounded, and what that carries, is a question of the byte before, whatever the factor. Numbers that
leave the range of normal numbers, and those of other dtypes if the factor is no power of two, are calculated
one by one and rounded to the nearest. :class:`Rounding` keeps what rounding costs.
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
from typing import NamedTuple

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
    shift = power_of_two(factor)
    if dtype == "F64" or (shift is None and dtype != "BF16"):
        words, error = _multiplied(raw, dtype, factor)
    else:
        words, others = _translated(raw, dtype, factor)
        if len(others) > len(raw) // 16:
            words, error = _multiplied(raw, dtype, factor)
        else:
            error = _mended(words, raw, dtype, factor, others)
            if shift is None:
                error = math.hypot(error, _loss(words, raw, dtype, factor))
    if error:
        sample, stride = _sample(raw, FLOATS[dtype])
        norm = math.hypot(*to_floats(sample, dtype)) * math.sqrt(stride)
        rounding.count(name, dtype, error, norm * abs(factor))
    return words


def _multiplied(raw: bytes | bytearray, dtype: str, factor: float) -> tuple[bytearray, float]:
    """Number by number; and the root of the sum of squares of what rounding changed."""
    exact = [number * factor for number in to_floats(raw, dtype)]
    words = _from_floats(exact, dtype)
    return words, math.dist(exact, to_floats(words, dtype))


def _mended(words: bytearray, raw: bytes | bytearray, dtype: str, factor: float, others: list[int]) -> float:
    """Put in what stands at ``others`` (in bytes), number by number; returns what rounding changed of it."""
    width = FLOATS[dtype]
    mended, error = _multiplied(b"".join(raw[at : at + width] for at in others), dtype, factor)
    for number, at in enumerate(others):
        words[at : at + width] = mended[number * width : (number + 1) * width]
    return error


def _loss(words: bytearray, raw: bytes | bytearray, dtype: str, factor: float) -> float:
    """What rounding changed, estimated from a sample; where that lost nothing, of all."""
    width = FLOATS[dtype]
    sample, stride = _sample(raw, width)
    exact = [number * factor for number in to_floats(sample, dtype)]
    error = math.dist(exact, to_floats(_sample(words, width)[0], dtype)) * math.sqrt(stride)
    return error or _multiplied(raw, dtype, factor)[1]


def _sample(raw: bytes | bytearray, width: int) -> tuple[bytearray, int]:
    """About 512 words where there are many more, and how many each stands for: an odd number, so that they
    come from all columns of a matrix.
    """
    count = len(raw) // width
    stride = count // 512 | 1 if count > 4096 else 1
    sample = bytearray(-(-count // stride) * width)
    for byte in range(width):
        sample[byte::width] = raw[byte :: stride * width]
    return sample, stride


def _translated(raw: bytes | bytearray, dtype: str, factor: float) -> tuple[bytearray, list[int]]:
    """The words multiplied, and where (in bytes) stand those that this is not right for."""
    width, table = FLOATS[dtype], _table(dtype, factor)
    words, last = bytearray(raw), raw[width - 1 :: width]
    others = []
    if any(byte in last for byte in table.unsafe):
        pattern = b"[" + b"".join(b"\\x%02x" % byte for byte in table.unsafe) + b"]"
        others = [match.start() * width for match in re.finditer(pattern, last)]
    last = last.translate(table.last)
    if table.before:
        before = raw[width - 2 :: width]
        words[width - 2 :: width] = before.translate(table.before)
        carried = int.from_bytes(last, "little") + int.from_bytes(before.translate(table.carry), "little")
        last = carried.to_bytes(len(last), "little")
    words[width - 1 :: width] = last
    return words, others


class _Table(NamedTuple):
    """What the last byte of a word becomes, and the one before it (empty: what it was); what that one carries
    into the last; and for which last bytes all this is not right.
    """

    last: bytes
    before: bytes
    carry: bytes
    unsafe: bytes


@functools.lru_cache(maxsize=8)
def _table(dtype: str, factor: float) -> _Table:
    """Both bytes together, but for the sign, are a number to which one is added that stands for the factor.

    In F16 there are the exponent and ten bits of the mantissa, in BF16 and F32 the exponent and seven bits.
    The first and the last exponent are those of zeros and subnormal numbers, and of infinities and NaNs.
    """
    mantissa, exponent = math.frexp(abs(factor))
    added = [(exponent - 1) << (10 if dtype == "F16" else 7)] * 256
    if mantissa != 0.5:  # BF16; by a factor of 1 to 2, which the rest of its exponent does not change
        old = [0x3F80 | byte & 0x7F for byte in range(256)]
        products, _ = _multiplied(struct.pack("<256H", *old), dtype, 2 * mantissa)
        new = struct.unpack("<256H", products)
        added = [after - before + moved for before, after, moved in zip(old, new, added, strict=True)]
    sums = [byte + number for byte, number in enumerate(added)]
    step, most = min(sums) >> 8, max(sums) >> 8
    first, end = (4, 0x7C) if dtype == "F16" else (1, 0x7F)
    last, unsafe = bytearray(256), bytearray()
    for byte in range(256):
        number = byte & 0x7F
        if first <= number < end and first <= number + step and number + most < end:
            last[byte] = (byte & 0x80) ^ (0x80 if factor < 0 else 0) | (number + step)
        else:
            unsafe.append(byte)
    before = bytes(number & 0xFF for number in sums)
    carry = bytes((number >> 8) - step for number in sums)
    return _Table(bytes(last), b"" if before == bytes(range(256)) else before, carry, bytes(unsafe))


def _from_floats(numbers: Sequence[float], dtype: str) -> bytearray:
    """Numbers as raw words, rounded to the nearest, halves to even; infinite where the dtype ends."""
    if dtype == "F16":
        form = f"<{len(numbers)}e"
        try:
            return bytearray(struct.pack(form, *numbers))
        except OverflowError:
            held = (math.copysign(math.inf, x) if abs(x) >= 65520 else x for x in numbers)
            return bytearray(struct.pack(form, *held))
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
