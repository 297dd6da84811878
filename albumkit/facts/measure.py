"""Measuring many files: lazy, parallel, cached.

Headers are read in one thread (Python's lock allows no more), pixels in one thread a core with at most
``MEGAPIXELS_AT_ONCE`` being decoded at any moment.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from albumkit.album import Album, Entry, MediaFile
from albumkit.album.names import known_reason
from albumkit.facts.cache import FactCache
from albumkit.facts.registry import NotDecoded, Unmeasured
from albumkit.images import Header, decode_error, read_header, reason_of

MEGAPIXELS_AT_ONCE = 64
_PROBE_BYTES = 4096
Progress = Callable[[int, int], None]


@dataclass
class Measured:
    """All that is known of the bytes of one album's files."""

    album: Album
    cache: FactCache
    #: False: pixel facts only where the cache has them (``--cost header``).
    decode: bool = True
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    progress: Progress | None = None
    _headers: dict[str, Header] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)
    _decoded: dict[str, dict[str, Any]] = field(default_factory=dict)
    _new: dict[str, tuple[Entry, dict[str, Any] | None, str | None]] = field(default_factory=dict)
    _new_pixels: dict[str, dict[str, Any]] = field(default_factory=dict)
    _loaded: bool = False

    def header(self, media: MediaFile) -> Header:
        """Raises Unmeasured for a Git LFS pointer; a broken file is a Header with ``error``."""
        entry = media.entry
        if entry.lfs:
            raise Unmeasured(self._lfs_remedy())
        self._load()
        found = self._headers.get(entry.path)
        if found is None:
            found = self._headers[entry.path] = self._read_header(entry)
            self._note(entry, found.to_json(), None)
        return found

    def sha256(self, media: MediaFile) -> str:
        """Plain sha256 of the file in hex; for a Git LFS pointer that of the file it stands for."""
        entry = media.entry
        if entry.lfs:
            return entry.lfs.oid
        self._load()
        found = self._hashes.get(entry.path)
        if found is None:
            try:
                with self.album.source.open(entry) as stream:
                    found = _digest(stream)
            except OSError as error:
                raise Unmeasured(reason_of(error)) from error
            self._hashes[entry.path] = found
            self._note(entry, None, found)
        return found

    def probe(self, media: MediaFile) -> int:
        """A cheap checksum of a picture: equal files have equal ones. 0 for what has no header here."""
        if media.media != "image" or media.entry.lfs:
            return 0
        return self.header(media).probe

    def pixels(self, media: MediaFile) -> dict[str, Any]:
        """Facts of the decoded picture.

        Raises:
            Unmeasured: not decoded in this run, a Git LFS pointer nobody has decoded, or too large.
        """
        self._load()
        entry = media.entry
        sha256 = entry.lfs.oid if entry.lfs else self._hashes.get(entry.path)
        if sha256 and (known := self._decoded.get(sha256)) is not None:
            return known
        if entry.lfs:
            raise Unmeasured(self._lfs_remedy())
        if not self.decode:
            raise NotDecoded("its pixels were not decoded in this run")
        header = self.header(media)
        if header.pixels > MEGAPIXELS_AT_ONCE * 1_000_000 and header.format != "JPEG":
            raise Unmeasured(
                f"{header.pixels // 1_000_000} megapixels: decoded here only up to {MEGAPIXELS_AT_ONCE}"
            )
        self._decode(media, header)
        return self._decoded[self._hashes[entry.path]]

    def decode_all(self, media: Iterable[MediaFile]) -> None:
        """Decode in parallel whatever is neither known nor too large; failures are kept as facts."""
        work = []
        for one in media:
            if one.media != "image" or one.entry.lfs or self.header(one).error or not self.header(one).width:
                continue
            sha256 = self._hashes.get(one.path)
            too_large = self.header(one).pixels > MEGAPIXELS_AT_ONCE * 1_000_000
            if (sha256 and sha256 in self._decoded) or (too_large and self.header(one).format != "JPEG"):
                continue
            work.append(one)
        budget = _Budget(MEGAPIXELS_AT_ONCE * 1_000_000)
        done = 0

        def one_picture(media: MediaFile) -> None:
            header = self._headers[media.path]
            with budget.take(header.pixels // (64 if header.format == "JPEG" else 1)):
                self._decode(media, header)

        with ThreadPoolExecutor(max(1, self.jobs)) as pool:
            for _ in pool.map(one_picture, work):
                done += 1
                if self.progress:
                    self.progress(done, len(work))

    def save(self) -> None:
        """Hand everything new to the cache."""
        self.cache.keep(self.album.source.cache_key(), self._new, self._new_pixels)
        self._new, self._new_pixels = {}, {}

    def _decode(self, media: MediaFile, header: Header) -> None:
        """Read once, hash, decode from memory."""
        try:
            with self.album.source.open(media.entry) as stream:
                data = stream.read()
        except OSError as error:
            self._hashes[media.path] = f"unread {media.path}"
            self._decoded[self._hashes[media.path]] = {"decode_error": reason_of(error)}
            return
        sha256 = hashlib.sha256(data).hexdigest()
        facts = {"decode_error": decode_error(io.BytesIO(data))}
        self._decoded[sha256] = self._new_pixels[sha256] = facts
        self._hashes[media.path] = sha256
        self._note(media.entry, header.to_json(), sha256)

    def _read_header(self, entry: Entry) -> Header:
        if entry.problem:
            return Header(error=entry.problem)
        if entry.size == 0:
            return Header(error="the file is empty (0 bytes)")
        try:
            with self.album.source.open(entry) as stream:
                stream.seek(entry.size // 2)
                probe = zlib.crc32(stream.read(_PROBE_BYTES))
                stream.seek(0)
                header = replace(read_header(stream), probe=probe)
        except OSError as error:
            return Header(error=reason_of(error))
        if header.error and (known := known_reason(entry.path)):
            return Header(error=known)
        return header

    def _note(self, entry: Entry, header: dict[str, Any] | None, sha256: str | None) -> None:
        _, old_header, old_hash = self._new.get(entry.path, (entry, None, None))
        known = self._headers.get(entry.path)
        header = header or old_header or (known.to_json() if known else None)
        self._new[entry.path] = (entry, header, sha256 or old_hash or self._hashes.get(entry.path))

    def _load(self) -> None:
        """Everything that the cache knows of this album, in two queries."""
        if self._loaded:
            return
        self._loaded = True
        rows = self.cache.headers(self.album.source.cache_key())
        hashes = [m.entry.lfs.oid for m in self.album.media if m.entry.lfs]
        for path, row in rows.items():
            entry = self.album.entries.get(path)
            if entry is None or row[0] != (entry.size, entry.mtime_ns, entry.inode):
                continue
            if row[1] is not None:
                self._headers[path] = Header(**row[1])
            if row[2] is not None:
                self._hashes[path] = row[2]
                hashes.append(row[2])
        if hashes:
            self._decoded.update(self.cache.pixels(hashes))

    def _lfs_remedy(self) -> str:
        return f'Git LFS pointer; run: git lfs pull --include "{lfs_include(self.album)}"'


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def lfs_include(album: Album) -> str:
    """The pattern for ``git lfs pull --include``: the album's folder as the repository's root sees it."""
    here = album.location.resolve()
    for folder in (here, *here.parents):
        if (folder / ".git").exists():
            inside = here.relative_to(folder).as_posix()
            return "*" if inside == "." else f"{inside}/**"
    return "*"


class _Budget:
    """A bound on pixels in flight; one item larger than the whole bound still goes through alone."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    def take(self, amount: int) -> _Taken:
        amount = min(amount, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        return _Taken(self, amount)

    def give(self, amount: int) -> None:
        with self._changed:
            self._free += amount
            self._changed.notify_all()


@dataclass
class _Taken:
    budget: _Budget
    amount: int

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self.budget.give(self.amount)
