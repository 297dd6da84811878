"""The planned tensors as a safetensors file, streamed into a file that appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from albumkit.adapter.conversion.matrix import Source
from albumkit.adapter.conversion.plan import Entry
from albumkit.adapter.header import LONGEST_HEADER
from albumkit.atomic import whole_file
from albumkit.errors import AdapterError

#: (done, total) bytes.
Progress = Callable[[int, int], None]


def write_file(
    out: Path,
    entries: Sequence[Entry],
    texts: Mapping[str, str],
    source: Source,
    progress: Progress | None = None,
) -> int:
    """Write a file; return its size.

    Raises:
        AlbumkitError: it cannot be written; nothing of it is there then.
        AdapterError: the source changed, or numbers cannot be scaled as they should.
    """
    total = sum(entry.size for entry in entries)
    done = 0
    head = _header(out, entries, texts)
    with whole_file(out) as stream:
        stream.write(head)
        for entry in entries:
            if isinstance(entry.content, bytes):
                stream.write(entry.content)
            else:
                for chunk in source.chunks(entry.content):
                    stream.write(chunk)
            done += entry.size
            if stream.tell() != len(head) + done:
                raise AssertionError(f"{entry.name} is not as long as its header says")
            if progress is not None:
                progress(done, total)
        source.must_be_unchanged()
    return len(head) + total


def _header(out: Path, entries: Sequence[Entry], texts: Mapping[str, str]) -> bytes:
    """Eight bytes with the length, then JSON, blanks to its end so that the data begins on a full word."""
    held: dict[str, object] = {"__metadata__": dict(texts)}
    end = 0
    for entry in entries:
        start, end = end, end + entry.size
        held[entry.name] = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": (start, end)}
    raw = json.dumps(held, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    if len(raw) > LONGEST_HEADER:
        words = f"its header would be {len(raw):,} bytes long; the format allows {LONGEST_HEADER:,}."
        raise AdapterError(out, words)
    return len(raw).to_bytes(8, "little") + raw
