"""What a safetensors file holds, by its header alone: no library, no memory map, nothing of the data.

The format: eight bytes with the length of the header (little-endian), the header as JSON, then the data. The
header gives each tensor a dtype, a shape and where its bytes lie, counted from the end of the header; the
tensors cover the data without gap or overlap (https://huggingface.co/docs/safetensors). Files come from
strangers, so whatever the header claims is checked before anything is allocated by it.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from albumkit.errors import AdapterError

#: Bits of one element, of every dtype that the format knows.
DTYPE_BITS: Mapping[str, int] = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8", "U8", "BOOL"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
#: The format's own limit for a header; the reference library refuses more.
LONGEST_HEADER = 100_000_000
#: More dimensions no library has; a million of them would keep us multiplying for hours.
_MOST_DIMENSIONS = 64

_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
#: First bytes of what people take for a safetensors file, and what to do about it.
_IMPOSTORS: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "it is a zip, which is how PyTorch saves pickles", ""),
    (b"\x80\x02", "it is a pickle", ""),
    (b"GGUF", "it is a GGUF file: a whole quantised model, not a LoRA", ""),
    (b"version https://git-lfs", "it is a Git LFS pointer: the file itself was not fetched", "git lfs pull"),
    (b"<!DOCTYPE", "it is a web page: the download gave a page instead of the file", "download it again"),
    (b"<html", "it is a web page: the download gave a page instead of the file", "download it again"),
)
_AGAIN = "download or copy it again"


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the file: ``start`` and ``stop`` are positions in the file, in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.stop - self.start

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """All tensors of a file, in the order of their data, and the header's own texts."""

    path: Path
    size: int
    tensors: tuple[Tensor, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_header(path: Path) -> Header:
    """Read and check the header of a safetensors file.

    Raises:
        AdapterError: it is no such file, or a broken one; the message says what is wrong and where.
    """
    if path.suffix.lower() in _PICKLES:
        raise AdapterError(
            path,
            "it was not opened: a pickle can run any program that its author put into it.",
            "get it as .safetensors, or save it so with the program that you trust it in",
        )
    try:
        with open(path, "rb") as stream:
            return _read(path, stream)
    except OSError as error:
        raise AdapterError(path, f"it cannot be read: {error.strerror or error}.") from error


def _read(path: Path, stream: BinaryIO) -> Header:
    size = os.fstat(stream.fileno()).st_size
    start = stream.read(32)
    for magic, words, remedy in _IMPOSTORS:
        if start.startswith(magic) and start[8:9] != b"{":  # a header of 640 bytes begins like a pickle
            raise AdapterError(path, f"it is no safetensors file: {words}.", remedy)
    if size < 8:
        raise AdapterError(path, f"it is no safetensors file: it has {size} bytes.", _AGAIN)
    length = int.from_bytes(start[:8], "little")
    if length > LONGEST_HEADER:
        raise AdapterError(
            path,
            f"its header claims to be {length:,} bytes long; the format allows {LONGEST_HEADER:,}. "
            "It is damaged, or no safetensors file.",
            _AGAIN,
        )
    if length > size - 8:
        raise AdapterError(
            path,
            f"its header claims to be {length:,} bytes long, but only {size - 8:,} follow: "
            "it is cut short, or no safetensors file.",
            _AGAIN,
        )
    stream.seek(8)
    entries = _parse(path, stream.read(length))
    return _checked(path, size, 8 + length, entries)


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        for name in found:
            name.encode("utf-8")  # half a surrogate pair is no text: nobody could print it
        if len(found) < len(pairs):
            (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
            raise AdapterError(path, f"its header names {short(twice)} twice.", _AGAIN)
        return found

    def no_constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is no JSON")

    if not raw.startswith(b"{"):
        raise AdapterError(path, "its header does not begin with {: it is damaged, or no safetensors file.")
    try:
        entries = json.loads(raw.decode("utf-8"), object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise AdapterError(path, f"its header is no JSON: {reason}.", _AGAIN) from error
    if not isinstance(entries, dict):
        raise AdapterError(path, "its header is no JSON object.", _AGAIN)
    return entries


def _checked(path: Path, size: int, data: int, entries: dict[str, Any]) -> Header:
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise AdapterError(path, "the __metadata__ of its header must be texts only.")
    if not entries:
        raise AdapterError(path, "it holds no tensors.")
    tensors = [_tensor(path, name, entry, data) for name, entry in entries.items()]
    tensors.sort(key=lambda tensor: (tensor.start, tensor.stop))
    last = tensors[-1]
    if last.stop > size:
        raise AdapterError(
            path,
            f"it is cut short: {short(last.name)} ends at byte {last.stop:,}, the file at {size:,}.",
            _AGAIN,
        )
    end, before = data, ""
    for tensor in tensors:
        if tensor.start < end:
            raise AdapterError(path, f"{short(tensor.name)} lies over {short(before)} in the file.", _AGAIN)
        if tensor.start > end:
            raise AdapterError(
                path,
                f"{tensor.start - end:,} bytes before {short(tensor.name)} belong to no tensor.",
                _AGAIN,
            )
        end, before = tensor.stop, tensor.name
    if end < size:
        raise AdapterError(path, f"{size - end:,} bytes at its end belong to no tensor.", _AGAIN)
    return Header(path, size, tuple(tensors), metadata)


def _tensor(path: Path, name: str, entry: Any, data: int) -> Tensor:
    def refuse(words: str) -> NoReturn:
        raise AdapterError(path, f"{short(name)} {words}.", _AGAIN)

    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        refuse("must have dtype, shape and data_offsets in the header, and nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        refuse(f"has dtype {short(dtype)}, which the format does not know")
    if not isinstance(shape, list) or len(shape) > _MOST_DIMENSIONS or not all(map(_is_count, shape)):
        refuse(f"has shape {short(shape)}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_count, offsets)):
        refuse(f"has data_offsets {short(offsets)}")
    start, stop = offsets
    if start > stop:
        refuse(f"ends before it begins: data_offsets {short(offsets)}")
    bits = math.prod(shape) * DTYPE_BITS[dtype]
    if bits != (stop - start) * 8:
        shown = "x".join(map(str, shape)) or "one number"
        refuse(f"({dtype}, {shown}) needs {-(-bits // 8):,} bytes; its data_offsets give it {stop - start:,}")
    return Tensor(name, dtype, tuple(shape), data + start, data + stop)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63  # True is an int too, but no size


def short(value: Any) -> str:
    """A stranger's word for a message: no line of a terminal belongs to it alone."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= 120 else f"{text[:100]}... ({len(text):,} characters)"
