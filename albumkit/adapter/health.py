"""Whether the numbers of an adapter can be any good: zero, constant, not finite, absurdly large.

A file of 660 MB has 330 million numbers, and plain Python looks at some ten million a second. So every byte
is read and looked at, but in C, by what ``bytes`` can do with 64 KB at once. Sign and size of a
floating-point number stand in its last byte (little-endian): in BF16 and F32 the sign and seven of the
eight bits of the exponent. From the column of these bytes follow, exactly and over all numbers: whether any
is not finite, and the power of two of the largest. Zeros and constants are compared as memory. Only the norm
is an estimate: the root mean square of at least 4096 numbers spread evenly over the tensor, which is within
5 % of the true one for numbers that are spread like normal ones; it is never below the largest number. Small
tensors are measured whole.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from albumkit.adapter.header import Tensor
from albumkit.adapter.model import Adapter, Module
from albumkit.adapter.words import FLOATS, to_floats
from albumkit.errors import AdapterError

#: Bytes looked at at once: they stay in the processor's cache. A multiple of every word.
_CHUNK = 1 << 16
#: Numbers that the norm is estimated from.
_SAMPLE = 4096
#: (done, total) bytes.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Factor:
    """What is known of one factor.

    Attributes:
        tensor: It.
        zero: Every number is zero.
        constant: Every number is the same one, but not zero; False for a single number.
        nonfinite: How many are infinite or not a number.
        peak: The largest magnitude, rounded down: at most four times too small (of F64, which nobody writes,
            65,536 times). Infinite where a number is not finite.
        norm: The root of the sum of squares of the finite numbers (Frobenius norm), estimated.
        sampled: From how many numbers; ``tensor.count`` of them means that it is exact.
    """

    tensor: Tensor
    zero: bool
    constant: bool
    nonfinite: int
    peak: float
    norm: float
    sampled: int


@dataclass(frozen=True, slots=True)
class ModuleHealth:
    """What is known of the factors of one module, and what they come to together.

    Attributes:
        module: It.
        factors: In the order of ``module.factors``.
        scale: What the product is multiplied with.
    """

    module: Module
    factors: tuple[Factor, ...]
    scale: float

    @property
    def up_is_zero(self) -> bool:
        """The factor that training starts from zero is still zero, or another one is: it changes nothing."""
        return any(factor.zero for factor in self.factors)

    @property
    def constant(self) -> tuple[Factor, ...]:
        """Factors that hold one and the same number throughout."""
        return tuple(factor for factor in self.factors if factor.constant)

    @property
    def nonfinite(self) -> int:
        """Numbers that are infinite or not a number."""
        return sum(factor.nonfinite for factor in self.factors)

    @property
    def bound(self) -> float:
        """|scale| * |A| * |B|: the norm of the change is at most this. Factors are judged by it together,
        because a large one beside a small one is as good as two of middling size.
        """
        return abs(self.scale) * math.prod(factor.norm for factor in self.factors)

    @property
    def change(self) -> float:
        """``bound`` for each weight that is changed, as a root mean square: compare it with 0.02 to 0.05,
        what the weights of an image model are like.
        """
        rows, columns = self.module.shape
        return self.bound / math.sqrt(rows * columns) if rows and columns else 0.0


@dataclass(frozen=True)
class Health:
    """What is known of all factors, module by module, in the order of ``adapter.modules``."""

    modules: tuple[ModuleHealth, ...]

    @property
    def zero(self) -> tuple[ModuleHealth, ...]:
        """Modules that change nothing."""
        return tuple(one for one in self.modules if one.up_is_zero)


def scan(adapter: Adapter, progress: Progress | None = None) -> Health:
    """Look at every number of an adapter.

    Args:
        adapter: Opened; its file is read once, from start to end, 64 KB at a time.
        progress: Called after every tensor.

    Raises:
        AdapterError: the file changed or cannot be read any more.
    """
    wanted = {tensor: None for module in adapter.modules for tensor in module.factors}
    order = sorted(wanted, key=lambda tensor: tensor.start)
    total, done = sum(tensor.size for tensor in order), 0
    found: dict[str, Factor] = {}
    try:
        with open(adapter.path, "rb", buffering=0) as stream:
            for tensor in order:
                found[tensor.name] = _look(adapter.path, stream, tensor)
                done += tensor.size
                if progress is not None:
                    progress(done, total)
    except OSError as error:
        raise AdapterError(adapter.path, f"it cannot be read: {error.strerror or error}.") from error
    return Health(
        tuple(
            ModuleHealth(module, tuple(found[t.name] for t in module.factors), adapter.scale(module))
            for module in adapter.modules
        )
    )


def _look(path: Path, stream: BinaryIO, tensor: Tensor) -> Factor:
    """All chunks of one tensor."""
    width = FLOATS[tensor.dtype]
    suspects = _suspects(tensor.dtype)
    stride = max(1, tensor.count // _SAMPLE) | 1
    stream.seek(tensor.start)
    zero = constant = True
    nonfinite, peak, word, sample, seen = 0, 0, b"", bytearray(), 0
    for chunk in _chunks(path, stream, tensor):
        last = chunk[width - 1 :: width]
        zero = zero and _is_zero(chunk, last, width)
        word = word or bytes(chunk[:width])
        constant = constant and chunk == word * len(last)
        if any(suspect in last for suspect in suspects):
            nonfinite += sum(not math.isfinite(x) for x in to_floats(chunk, tensor.dtype))
        peak = _peak(last, peak)
        sample += _every(chunk, width, stride, -seen % stride)
        seen += len(last)
    finite: Sequence[float] = to_floats(sample, tensor.dtype)
    if nonfinite:
        finite = [x for x in finite if math.isfinite(x)]
    norm = math.hypot(*finite) * math.sqrt(tensor.count / max(1, len(finite)))
    largest = math.inf if nonfinite else to_floats(bytes(width - 1) + bytes([peak]), tensor.dtype)[0]
    return Factor(
        tensor=tensor,
        zero=zero,
        constant=constant and not zero and tensor.count > 1,
        nonfinite=nonfinite,
        peak=largest,
        norm=norm if nonfinite else max(norm, largest),
        sampled=len(sample) // width,
    )


def _chunks(path: Path, stream: BinaryIO, tensor: Tensor) -> Iterator[bytearray]:
    left = tensor.size
    buffer = bytearray(min(_CHUNK, left))
    while left:
        if left < len(buffer):
            del buffer[left:]
        if stream.readinto(buffer) != len(buffer):  # type: ignore[attr-defined]
            raise AdapterError(path, f"it changed while it was read: {tensor.name} is no longer there.")
        left -= len(buffer)
        yield buffer


def _is_zero(chunk: bytearray, last: bytearray, width: int) -> bool:
    """Whether all numbers are zero, of either sign."""
    if last.translate(None, b"\x00\x80"):
        return False
    return not any(chunk[byte::width].strip(b"\x00") for byte in range(width - 1))


def _peak(last: bytearray, peak: int) -> int:
    """The largest last byte without its sign: ``peak``, or a larger one of this chunk."""
    peak = peak or max(byte & 0x7F for byte in last[:1024])  # so that next to nothing is larger
    larger = last.translate(None, _up_to(peak))
    return max(byte & 0x7F for byte in set(larger)) if larger else peak


def _every(chunk: bytearray, width: int, stride: int, first: int) -> bytearray:
    """The words ``first``, ``first + stride`` and so on of a chunk."""
    picked = bytearray(len(chunk[first * width :: stride * width]) * width)
    for byte in range(width):
        picked[byte::width] = chunk[first * width + byte :: stride * width]
    return picked


@functools.cache
def _up_to(peak: int) -> bytes:
    """The last bytes of all numbers that are not larger."""
    return bytes(byte for byte in range(256) if byte & 0x7F <= peak)


@functools.cache
def _suspects(dtype: str) -> tuple[int, ...]:
    """The last bytes that infinities and NaNs have, among few other numbers."""
    first = 0x7C if dtype == "F16" else 0x7F
    return tuple(byte for byte in range(256) if byte & 0x7F >= first)
