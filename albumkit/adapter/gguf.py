"""Names and shapes of a GGUF file, the form in which quantised bases go round; nothing of its data.

The format: the magic word, its version, the numbers of tensors and of entries; the entries (a name, a type, a
value); the tensors (a name, a shape with the fastest dimension first, a type, an offset). Everything is
little-endian. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from albumkit.errors import AdapterError

_MAGIC = b"GGUF"
#: Type of an entry's value -> its bytes; 8 is a text, 9 a list.
_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_TEXT, _LIST = 8, 9
#: More than any real file has; what a damaged one claims must not keep us busy.
_MOST = 1 << 20


def is_gguf(path: Path) -> bool:
    """Whether the file begins like one."""
    try:
        with open(path, "rb") as stream:
            return stream.read(4) == _MAGIC
    except OSError:
        return False


def read_gguf(path: Path) -> dict[str, tuple[int, ...]]:
    """Name without ``.weight`` -> shape, rows first.

    Raises:
        AdapterError: it is damaged.
    """
    try:
        with open(path, "rb") as stream:
            stream.seek(len(_MAGIC) + 4)
            tensors, entries = _numbers(stream, "QQ")
            for _ in range(_checked(entries)):
                _text(stream)
                _skip(stream, *_numbers(stream, "I"))
            found = {}
            for _ in range(_checked(tensors)):
                name = _text(stream)
                (dimensions,) = _numbers(stream, "I")
                shape = _numbers(stream, f"{min(dimensions, 8)}Q")
                _numbers(stream, "IQ")
                if name.endswith(".weight"):
                    found[name.removesuffix(".weight")] = shape[::-1]
            return found
    except (OSError, ValueError, struct.error) as error:
        raise AdapterError(path, f"its GGUF header is damaged: {error}.", "download it again") from error


def _numbers(stream: BinaryIO, form: str) -> tuple[int, ...]:
    form = f"<{form}"
    return struct.unpack(form, stream.read(struct.calcsize(form)))


def _text(stream: BinaryIO) -> str:
    (length,) = _numbers(stream, "Q")
    return stream.read(_checked(length)).decode("utf-8", "replace")


def _skip(stream: BinaryIO, kind: int) -> None:
    """Pass over one value."""
    if kind == _TEXT:
        _text(stream)
    elif kind == _LIST:
        inner, count = _numbers(stream, "IQ")
        if inner == _TEXT:
            for _ in range(_checked(count)):
                _text(stream)
        else:
            stream.seek(_checked(count) * _size(inner), 1)
    else:
        stream.seek(_size(kind), 1)


def _size(kind: int) -> int:
    """The bytes of a plain value; lists in lists nobody writes."""
    if kind not in _BYTES:
        raise ValueError(f"there is no plain type {kind}")
    return _BYTES[kind]


def _checked(count: int) -> int:
    if count > _MOST:
        raise ValueError(f"it claims {count:,} of something")
    return count
