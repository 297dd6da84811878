"""Raw words multiplied by a number, without numpy.

By a power of two only exponents change, and those of 100,000 words can be changed by one addition: bytes are
taken as one very long integer in which every word has a lane of its own. It is exact unless a number leaves
the range of normal numbers. Those, and all if the factor is no power of two, are calculated one by one and
rounded to the nearest, and :class:`Rounding` keeps what that costs.
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


def scaled(raw: bytes | bytearray, dtype: str, factor: float, name: str, rounding: Rounding) -> bytes:
    """The words multiplied and, where that is not exact, rounded to the nearest.

    Args:
        raw: Little-endian words.
        name: The tensor, for messages.

    Raises:
        AdapterError: see :meth:`Rounding.count`.
    """
    shift = power_of_two(factor)
    if shift is None:
        return _multiplied(raw, dtype, factor, name, rounding, raw)
    words, others = _shifted(raw, dtype, shift, negative=factor < 0)
    if not others:
        return words
    width, patched = FLOATS[dtype], bytearray(words)
    picked = b"".join(raw[at : at + width] for at in others)
    mended = _multiplied(picked, dtype, factor, name, rounding, raw)
    for number, at in enumerate(others):
        patched[at : at + width] = mended[number * width : (number + 1) * width]
    return bytes(patched)


def _multiplied(
    raw: bytes | bytearray,
    dtype: str,
    factor: float,
    name: str,
    rounding: Rounding,
    beside: bytes | bytearray,
) -> bytes:
    """Number by number. ``beside`` are all words of which ``raw`` has some: a loss is a share of these."""
    exact = [number * factor for number in to_floats(raw, dtype)]
    words = _from_floats(exact, dtype)
    error = math.dist(exact, to_floats(words, dtype))
    if error:
        rounding.count(name, dtype, error, math.hypot(*to_floats(beside, dtype)) * abs(factor))
    return words


def _shifted(raw: bytes | bytearray, dtype: str, shift: int, *, negative: bool) -> tuple[bytes, list[int]]:
    """``shift`` added to every exponent, and where (in bytes) words stand that this is not right for.

    A word without its sign grows with the number's size. So a lane holds ``low`` or more exactly when
    lane + (top - low) reaches the top bit, where top is the place of the sign.
    """
    mantissa, width = _MANTISSA[dtype], FLOATS[dtype]
    ones = _lanes(width, len(raw) // width)
    sign = width * 8 - 1
    tops, top = ones << sign, 1 << sign
    low = min(max(1, 1 - shift) << mantissa, top)
    high = max(top - ((1 + max(0, shift)) << mantissa), 0)
    words = int.from_bytes(raw, "little")
    sizes = words & (tops - ones)
    normal = (sizes + ones * (top - low)) & tops
    large = (sizes + ones * (top - high)) & tops
    others = ((sizes + (tops - ones)) & tops) & ~normal | large
    words += ((normal & ~large) >> sign) * (shift * (1 << mantissa))
    shifted = (words ^ tops if negative else words).to_bytes(len(raw), "little")
    return shifted, _places(others, width, len(raw))


def _places(lanes: int, width: int, size: int) -> list[int]:
    """Where the words of the lanes begin that hold anything."""
    if not lanes:
        return []
    found = re.finditer(rb"\x80", lanes.to_bytes(size, "little"))
    return [match.start() - width + 1 for match in found]


@functools.lru_cache(maxsize=4)
def _lanes(width: int, count: int) -> int:
    """A one in every lane."""
    return int.from_bytes((b"\x01" + bytes(width - 1)) * count, "little")


def _from_floats(numbers: Sequence[float], dtype: str) -> bytes:
    """Numbers as raw words, rounded to the nearest, halves to even."""
    if dtype == "F16":
        try:
            return struct.pack(f"<{len(numbers)}e", *numbers)
        except OverflowError:
            return struct.pack(f"<{len(numbers)}e", *(math.inf if abs(x) >= 65520 else x for x in numbers))
    wide = array("d" if dtype == "F64" else "f", numbers)
    if sys.byteorder == "big":
        wide.byteswap()
    raw = wide.tobytes()
    if dtype != "BF16":
        return raw
    # The upper half of a float32; half of its last place is added first, and a little less to even ones.
    ones = _lanes(4, len(numbers))
    words = int.from_bytes(raw, "little")
    words += ones * 0x7FFF + ((words >> 16) & ones)
    raw = words.to_bytes(len(raw) + 4, "little")[: len(raw)]
    narrow = bytearray(len(raw) // 2)
    narrow[0::2], narrow[1::2] = raw[2::4], raw[3::4]
    return bytes(narrow)
