"""Measuring many files: lazy, parallel, cached.

Headers alone are read in one thread (Python's lock allows no more). Pixels are decoded in one thread a core,
at most ``MOST_PIXELS`` at any moment, and the same opening tells the header. What went wrong with the drive
rather than with the file (it vanished, permission denied, no memory) is told but never kept: it may be mended
by the next run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, cast

from albumkit.album import Album, Entry, MediaFile
from albumkit.album.names import known_reason
from albumkit.album.source import LARGEST_MEMBER
from albumkit.clips import ClipHeader, read_clip_header
from albumkit.errors import MissingExtra
from albumkit.facts.cache import FactCache
from albumkit.facts.registry import NotDecoded, Unmeasured
from albumkit.images import Header, read_header, reason_of
from albumkit.parallel import MOST_PIXELS, Budget, in_order

_PROBE_BYTES = 4096
#: Pictures that a thread takes at once: handing over a task costs as much as a small measurement.
_AT_ONCE = 16
_NO_MEMORY = "there was not enough memory to decode it"
Progress = Callable[[int, int], None]
#: Streams of one or more files to facts of their content; see :meth:`Measured.derive`.
Compute = Callable[..., dict[str, Any]]


@dataclass
class Measured:
    """All that is known of the bytes of one album's files."""

    album: Album
    cache: FactCache
    #: False: pixel facts only where the cache has them (``--cost header``).
    decode: bool = True
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    progress: Progress | None = None
    #: When reading began (nanoseconds since 1970): files changed later than this are not kept.
    started: int = field(default_factory=time.time_ns)
    _headers: dict[str, Header] = field(default_factory=dict)
    _clips: dict[str, ClipHeader] = field(default_factory=dict)
    _hashes: dict[str, str] = field(default_factory=dict)
    #: Pixel facts by sha256, and derived facts by the key of :meth:`derive`.
    _decoded: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Pixel facts of this run only, by path: the drive failed; or why there are none.
    _passing: dict[str, dict[str, Any] | str] = field(default_factory=dict)
    #: Not in the cache yet: by path, and by the key of ``_decoded`` with the header of that content.
    _new: dict[str, tuple[Entry, Header | ClipHeader | None, str | None]] = field(default_factory=dict)
    _new_pixels: dict[str, Header | None] = field(default_factory=dict)
    #: Headers of what Git LFS pointers stand for, by sha256; None: never seen on this machine.
    _pointers: dict[str, Header | None] = field(default_factory=dict)
    _loaded: bool = False
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def header(self, media: MediaFile) -> Header:
        """What the first bytes say; a broken file is a Header with ``error``.

        Raises:
            Unmeasured: a Git LFS pointer to a picture that was never measured on this machine.
        """
        entry = media.entry
        self._load()
        found = self._headers.get(entry.path)
        if found is None and entry.lfs:
            raise Unmeasured(self._lfs_remedy())
        if found is None:
            found, lasting = self._read_header(entry)
            self._headers[entry.path] = found
            if lasting:
                self._note(entry, found, None)
        return found

    def clip(self, media: MediaFile) -> ClipHeader:
        """What a clip's container says; a broken file is a ClipHeader with ``error``.

        Raises:
            Unmeasured: a Git LFS pointer, or PyAV is not installed.
        """
        entry = media.entry
        self._load()
        if (found := self._clips.get(entry.path)) is not None:
            return found
        if entry.lfs:
            raise Unmeasured(self._lfs_remedy())
        if entry.problem or not entry.size:
            found = ClipHeader(error=entry.problem or "the file is empty (0 bytes)")
        else:
            try:
                with self.album.source.open(entry) as stream:
                    found = read_clip_header(stream)
                self._note(entry, found, None)
            except MissingExtra as error:
                raise Unmeasured(f"{error.message} Install it: {error.remedy}") from error
            except OSError as error:
                found = ClipHeader(error=reason_of(error))
        self._clips[entry.path] = found
        return found

    def sha256(self, media: MediaFile) -> str:
        """Plain sha256 of the file in hex; for a Git LFS pointer that of the file it stands for."""
        self._load()
        return self._digest_of(media.entry)

    def _digest_of(self, entry: Entry) -> str:
        if entry.lfs:
            return entry.lfs.oid
        found = self._hashes.get(entry.path)
        if found is None:
            try:
                with self.album.source.open(entry) as stream:
                    found = hashlib.file_digest(cast(Any, stream), "sha256").hexdigest()
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
            Unmeasured: not decoded in this run, a Git LFS pointer nobody has decoded, too large, or more
                than the memory holds.
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
        if reason := _too_large(entry, header):
            raise Unmeasured(reason)
        if entry.path not in self._passing and self._hashes.get(entry.path) not in self._decoded:
            self._decode(media)
        if entry.path not in self._passing:
            return self._decoded[self._hashes[entry.path]]
        passing = self._passing[entry.path]
        if isinstance(passing, str):
            raise Unmeasured(passing)
        return passing

    def too_large(self, media: MediaFile) -> str:
        """Why a picture is not decoded, or "".

        Raises:
            Unmeasured: a Git LFS pointer to a picture that was never measured on this machine.
        """
        return _too_large(media.entry, self.header(media))

    def decode_all(self, media: Iterable[MediaFile]) -> None:
        """Decode in parallel whatever is neither known nor too large; failures become facts."""
        self._load()
        work = [one for one in media if self._to_decode(one)]
        budget = Budget(MOST_PIXELS)

        def some_pictures(some: Sequence[MediaFile]) -> None:
            for media in some:
                self._decode(media, budget)
                self.header(media)  # here and not later, one by one, where decoding did not tell it

        at_once = max(1, min(_AT_ONCE, len(work) // (8 * self.jobs)))
        parts = [work[start : start + at_once] for start in range(0, len(work), at_once)]
        done = 0
        for part, _ in in_order(parts, some_pictures, self.jobs):
            done += len(part)
            if self.progress:
                self.progress(done, len(work))

    def _to_decode(self, media: MediaFile) -> bool:
        entry = media.entry
        if media.media != "image" or entry.lfs or entry.path in self._passing:
            return False
        if self._hashes.get(entry.path) in self._decoded:
            return False
        header = self._headers.get(entry.path)
        if header is None:  # told by the opening that decodes it
            return _told_by_stat(entry) is None and not _too_large(entry, Header())
        return not header.error and bool(header.width) and not _too_large(entry, header)

    def derive(self, kind: str, entries: Sequence[Entry], compute: Compute) -> dict[str, Any]:
        """Facts of the content of one file, or of several together, cached by their sha256 and ``kind``.

        Args:
            kind: Name of the measurement; raise ``cache.VERSION`` when it changes its meaning.
            compute: Takes a readable, seekable stream an entry, in their order; returns plain JSON values. A
                broken file is a value too: it raises OSError only when the drive fails.

        Raises:
            NotDecoded: not known, and this run decodes nothing.
            Unmeasured: a Git LFS pointer, the drive failed, or there was not enough memory.
        """
        self._load()
        if not (self.decode or all(entry.lfs or entry.path in self._hashes for entry in entries)):
            raise NotDecoded("its pixels were not decoded in this run")  # nor is it read whole for its sha256
        key = f"{'+'.join(map(self._digest_of, entries))}:{kind}"
        if (known := self._decoded.get(key)) is not None:
            return known
        if not self._recall([key]):
            if not self.decode:
                raise NotDecoded("its pixels were not decoded in this run")
            if any(entry.lfs for entry in entries):
                raise Unmeasured(self._lfs_remedy())
            try:
                with contextlib.ExitStack() as open_files:
                    streams = [open_files.enter_context(self.album.source.open(e)) for e in entries]
                    self._decoded[key] = compute(*streams)
                    self._new_pixels[key] = None
            except OSError as error:
                raise Unmeasured(reason_of(error)) from error
            except MemoryError as error:
                raise Unmeasured(_NO_MEMORY) from error
        return self._decoded[key]

    def derive_all(self, kind: str, jobs: Sequence[Sequence[Entry]], compute: Compute) -> None:
        """:meth:`derive` in parallel, so that asking for each in turn afterwards costs nothing."""

        def one(entries: Sequence[Entry]) -> None:
            with contextlib.suppress(Unmeasured):
                self.derive(kind, entries, compute)

        for _ in in_order(jobs, one, self.jobs):
            pass

    def save(self) -> None:
        """Hand everything new to the cache."""
        if not (self._new or self._new_pixels):
            return
        headers = ((e, h.to_json() if h else None, sha256) for e, h, sha256 in self._new.values())
        pixels = (
            (key, {**self._decoded[key], "header": h.to_json()} if h else self._decoded[key])
            for key, h in self._new_pixels.items()
        )
        self.cache.keep(self.album.source.cache_key(), headers, pixels, self.started)
        self._new, self._new_pixels = {}, {}

    def _decode(self, media: MediaFile, budget: Budget | None = None) -> None:
        """Read once, hash, and decode from memory unless these bytes were decoded before, by any name."""
        entry = media.entry

        def room(header: Header) -> AbstractContextManager[None] | None:
            if not header.width or _too_large(entry, header):
                return None
            return budget.take(_pixels_taken(header)) if budget else contextlib.nullcontext()

        try:
            with self.album.source.open(entry) as stream:
                data = stream.read()
            sha256 = hashlib.sha256(data).hexdigest()
            if sha256 not in self._decoded and not self._recall([sha256]):
                from albumkit.pixels import examine  # numpy: only where pixels are measured

                # Not the header read before: the file may have changed, and these two stay together.
                header, facts = examine(data, room)
                header = replace(header, probe=_probe(memoryview(data)[len(data) // 2 :]))
                known = self._headers.setdefault(entry.path, header)
                if facts is None:
                    self._passing[entry.path] = _too_large(entry, header) or "a picture without pixels"
                else:
                    self._decoded[sha256] = facts
                    self._new_pixels[sha256] = known if known == header else header
        except OSError as failure:
            self._passing[entry.path] = {"decode_error": reason_of(failure)}
            return
        except MemoryError:
            self._passing[entry.path] = _NO_MEMORY
            return
        self._hashes[entry.path] = sha256
        self._note(entry, None, sha256)

    def _recall(self, hashes: list[str]) -> bool:
        """Take the pixel facts of these contents out of the cache; whether there were any."""
        with self._asking:
            known = self.cache.pixels(hashes)
        usable = {
            key: facts
            for key, facts in known.items()
            if ":" in key or isinstance(facts.get("decode_error"), str)
        }
        for key, facts in usable.items():
            header = _header_from(facts.pop("header", None))
            if header is not None and key in self._pointers:
                self._pointers[key] = header
        self._decoded.update(usable)
        return bool(usable)

    def _read_header(self, entry: Entry) -> tuple[Header, bool]:
        """The header, and whether it will still be so at the next run."""
        if (told := _told_by_stat(entry)) is not None:
            return told, not entry.problem
        try:
            with self.album.source.open(entry) as stream:
                return _probed_header(stream, entry.size), True
        except OSError as error:
            return Header(error=reason_of(error)), False

    def _note(self, entry: Entry, header: Header | ClipHeader | None, sha256: str | None) -> None:
        _, old_header, old_hash = self._new.get(entry.path, (entry, None, None))
        known = self._headers.get(entry.path) or self._clips.get(entry.path)
        header = header or old_header or known
        self._new[entry.path] = (entry, header, sha256 or old_hash or self._hashes.get(entry.path))

    def _load(self) -> None:
        """Everything that the cache knows of this album, in two queries."""
        if self._loaded:
            return
        self._loaded = True
        rows = self.cache.headers(self.album.source.cache_key())
        self._pointers = {m.entry.lfs.oid: None for m in self.album.media if m.entry.lfs}
        hashes = list(self._pointers)
        for path, row in rows.items():
            entry = self.album.entries.get(path)
            if entry is None or row[0] != (entry.size, entry.mtime_ns, entry.inode):
                continue
            if (header := _header_from(row[1])) is not None:
                self._headers[path] = header
            elif (clip := _clip_from(row[1])) is not None:
                self._clips[path] = clip
            if row[2] is not None:
                self._hashes[path] = row[2]
                hashes.append(row[2])
        self._recall(hashes)
        for media in self.album.media:
            if (lfs := media.entry.lfs) and (header := self._pointers[lfs.oid]):
                self._headers[media.path] = header  # measured before it became a pointer, or in another clone

    def _lfs_remedy(self) -> str:
        return f'Git LFS pointer; run: git lfs pull --include "{self.album.lfs_include}"'


def _told_by_stat(entry: Entry) -> Header | None:
    """The header of a file that need not be opened to know that it is no picture."""
    if entry.problem or not entry.size:
        return Header(error=entry.problem or "the file is empty (0 bytes)")
    reason = known_reason(entry.path)  # Pillow would take a camera's preview for the picture
    return Header(error=reason) if reason else None


def _probed_header(stream: BinaryIO, size: int) -> Header:
    stream.seek(size // 2)
    probe = _probe(stream.read(_PROBE_BYTES))
    stream.seek(0)
    return replace(read_header(stream), probe=probe)


def _probe(middle: bytes | memoryview) -> int:
    """Checksum of the bytes that follow the middle of a file."""
    return zlib.crc32(middle[:_PROBE_BYTES])


def _header_from(facts: Any) -> Header | None:
    """A header out of the cache; None when it is not the one that this version writes."""
    try:
        return Header(**facts) if facts else None
    except TypeError:
        return None


def _clip_from(facts: Any) -> ClipHeader | None:
    """As :func:`_header_from`, of a clip."""
    try:
        return ClipHeader(**facts) if facts else None
    except TypeError:
        return None


def _pixels_taken(header: Header) -> int:
    """How much a picture takes of what may be decoded at the same time."""
    from albumkit.pixels import reduction

    by = 1 if header.progressive else reduction(header)
    return header.pixels // by**2


def _too_large(entry: Entry, header: Header) -> str:
    """Why a picture is not decoded, or "". JPEG is let through: it is decoded at an eighth of its size."""
    if entry.size > LARGEST_MEMBER:
        return f"a file of {entry.size / (1 << 30):.1f} GiB: decoded here only up to 1 GiB"
    if header.pixels > MOST_PIXELS and header.format != "JPEG":
        return f"{header.pixels // 1_000_000} megapixels: decoded here only up to {MOST_PIXELS // 1_000_000}"
    return ""
