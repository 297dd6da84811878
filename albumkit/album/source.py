"""Folders and zips behind one interface.

A zip is data from elsewhere: a member that would land outside (absolute name, ``..``, drive letter), a
link, or two members of one name make the whole archive unreadable; an encrypted or absurdly inflating
member makes only itself unreadable. Nothing is ever extracted to disk.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from albumkit.album.names import Excluder, is_junk, passed_over
from albumkit.errors import AlbumError

#: No single file of an album is read past this many bytes into memory (a zip member is read whole).
LARGEST_MEMBER = 1 << 30
#: Deflate reaches about 1030:1 at its limit; a picture or caption that packs better than this is a bomb.
BOMB_RATIO, BOMB_SIZE = 200, 64 << 20
LFS_HEAD = b"version https://git-lfs.github.com/spec/v1"
_LFS = re.compile(rb"oid sha256:([0-9a-f]{64})\nsize (\d+)\s*\Z")
_LINK, _ENCRYPTED = 0o120000, 0x1


@dataclass(frozen=True, slots=True)
class LfsPointer:
    """The text that git-lfs leaves in place of a file that was not fetched."""

    oid: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an album. ``path`` is POSIX and relative to the album, spelt as the source spells it."""

    path: str
    size: int
    mtime_ns: int
    inode: int
    #: Why its bytes cannot be had; empty when they can.
    problem: str = ""
    lfs: LfsPointer | None = None


class Source(Protocol):
    """Where the files of an album come from."""

    location: Path
    problems: list[str]
    #: Links to folders, passed over.
    skipped_links: list[str]
    #: Files and folders that were passed over because systems and tools leave such behind.
    junk: list[str]
    #: What ``exclude`` leaves out; a folder stands for all that is in it.
    excluded: list[str]

    def entries(self, exclude: Excluder) -> list[Entry]: ...
    def open(self, entry: Entry) -> BinaryIO: ...
    def read(self, entry: Entry, most: int) -> bytes: ...
    def display(self, path: str) -> str: ...
    def cache_key(self) -> str: ...
    def changed(self, entries: Iterable[Entry]) -> list[tuple[str, str]]:
        """Which files are not what they were when they were listed: (file, "" or "vanished")."""
        ...


def lfs_pointer(head: bytes) -> LfsPointer | None:
    """Parse a Git LFS pointer (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md)."""
    if not head.startswith(LFS_HEAD):
        return None
    match = _LFS.search(head)
    return LfsPointer(match[1].decode(), int(match[2])) if match else None


class FolderSource:
    """A folder on disk. Hidden names are passed over; links to files are followed, links to folders are
    not (they may lead in a circle or out of the album) and are named.
    """

    def __init__(self, root: Path, tracked: frozenset[str] | None = None) -> None:
        self.location = root
        self._prefix = os.path.join(root, "")
        self.problems: list[str] = []
        self.skipped_links: list[str] = []
        self.junk: list[str] = []
        self.excluded: list[str] = []
        self._tracked = tracked

    def entries(self, exclude: Excluder) -> list[Entry]:
        """Every visible file, sorted by path. A folder that cannot be listed goes into ``problems``."""
        found: list[Entry] = []
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self.location / folder) as listing:
                    for item in listing:
                        path = f"{folder}/{item.name}" if folder else item.name
                        if exclude(path):
                            self.excluded.append(path)
                        elif passed_over(item.name):
                            self._pass_over(item.name, path)
                        elif item.is_dir(follow_symlinks=False):
                            folders.append(path)
                        elif self._tracked is None or path in self._tracked:
                            self._add(item, path, found)
            except OSError as error:
                if not folder:
                    raise AlbumError(f"{self.location.as_posix()}: {error.strerror or error}") from error
                self.problems.append(f"{folder}: {error.strerror or error}")
        found.sort(key=lambda entry: entry.path)
        return found

    def _pass_over(self, name: str, path: str) -> None:
        if is_junk(name) and (self._tracked is None or self._holds(path)):
            self.junk.append(path)

    def _holds(self, path: str) -> bool:
        """Whether git's index has this file, or a file in this folder."""
        return any(one == path or one.startswith(f"{path}/") for one in self._tracked or ())

    def _add(self, item: os.DirEntry[str], path: str, found: list[Entry]) -> None:
        try:
            info = item.stat()
        except OSError as error:
            reason = "a link to a file that is not there" if item.is_symlink() else str(error.strerror)
            found.append(Entry(path, 0, 0, 0, reason))
            return
        if stat.S_ISDIR(info.st_mode):
            self.skipped_links.append(path)
        elif stat.S_ISREG(info.st_mode):
            entry = Entry(path, info.st_size, info.st_mtime_ns, info.st_ino)
            found.append(entry if info.st_size > 1024 else self._with_pointer(entry))
        else:
            found.append(Entry(path, 0, 0, 0, "a device, pipe or socket, not a file"))

    def _with_pointer(self, entry: Entry) -> Entry:
        if not 100 <= entry.size <= 1024 or entry.path.endswith(".txt"):
            return entry
        try:
            with self.open(entry) as stream:
                pointer = lfs_pointer(stream.read(1024))
        except OSError:
            return entry
        return Entry(entry.path, entry.size, entry.mtime_ns, entry.inode, lfs=pointer) if pointer else entry

    def open(self, entry: Entry) -> BinaryIO:
        return open(f"{self._prefix}{entry.path}", "rb")

    def read(self, entry: Entry, most: int) -> bytes:
        """At most ``most`` bytes. Bare system calls: ten thousand captions in a third of open()'s time."""
        handle = os.open(f"{self._prefix}{entry.path}", os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            # One byte more than listed: a short answer is then the whole file, without asking again.
            # (A buffer of the full ``most`` would cost more than the file.)
            data = os.read(handle, min(most, entry.size + 1))
            while len(data) < most and len(data) != entry.size:
                more = os.read(handle, most - len(data))
                if not more:
                    break
                data += more
            return data
        finally:
            os.close(handle)

    def display(self, path: str) -> str:
        return path

    def cache_key(self) -> str:
        return self.location.resolve().as_posix()

    def changed(self, entries: Iterable[Entry]) -> list[tuple[str, str]]:
        """By size, time and inode."""
        found = []
        for entry in entries:
            try:
                info = (self.location / entry.path).stat()
            except OSError:
                found.append((entry.path, "vanished"))
                continue
            if (info.st_size, info.st_mtime_ns, info.st_ino) != (entry.size, entry.mtime_ns, entry.inode):
                found.append((entry.path, ""))
        return found


class ZipSource:
    """A zip archive, read in place."""

    def __init__(self, file: Path) -> None:
        self.location = file
        self.problems: list[str] = []
        self.skipped_links: list[str] = []
        self.junk: list[str] = []
        self.excluded: list[str] = []
        try:
            self._zip = zipfile.ZipFile(file)
            self._stat = file.stat()
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise AlbumError(
                f"{file.as_posix()} is not a zip that can be read: {error}",
                "Pack it again, or point albumkit at the folder it was made from.",
            ) from error
        self._members: dict[str, zipfile.ZipInfo] = {}

    def entries(self, exclude: Excluder) -> list[Entry]:
        """Every visible member, sorted by path.

        Raises:
            AlbumError: for a name that would leave the archive, a link, or two members of one name.
        """
        found = []
        self._members = {}
        for info in self._zip.infolist():
            path = self._safe_name(info)
            if not path or info.filename.endswith(("/", "\\")) or self._left_out(path, exclude):
                continue
            if path in self._members:
                raise self._refuse(f"holds two members named {path}")
            self._members[path] = info
            found.append(self._entry(info, path))
        found.sort(key=lambda entry: entry.path)
        return found

    def _entry(self, info: zipfile.ZipInfo, path: str) -> Entry:
        problem = ""
        if info.flag_bits & _ENCRYPTED:
            problem = "encrypted in the zip"
        elif info.file_size > LARGEST_MEMBER:
            problem = f"unpacks to {info.file_size / (1 << 30):.1f} GiB"
        elif info.file_size > BOMB_SIZE and info.file_size > BOMB_RATIO * max(info.compress_size, 1):
            problem = f"unpacks to {info.file_size // max(info.compress_size, 1)} times its packed size"
        entry = Entry(path, info.file_size, self._stat.st_mtime_ns, info.CRC, problem)
        if not problem and 100 <= info.file_size <= 1024 and not path.endswith(".txt"):
            try:
                pointer = lfs_pointer(self.open(entry).read())
            except OSError:
                pointer = None
            return Entry(path, entry.size, entry.mtime_ns, entry.inode, lfs=pointer)
        return entry

    def _safe_name(self, info: zipfile.ZipInfo) -> str:
        name = info.filename.replace("\\", "/")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name):
            raise self._refuse(
                f"holds a member named {info.filename!r}, which would be written outside of it"
            )
        if (info.external_attr >> 16) & 0o170000 == _LINK:
            raise self._refuse(f"holds a link ({info.filename!r})")
        return "/".join(parts)

    def _left_out(self, path: str, exclude: Excluder) -> bool:
        if exclude(path):
            self.excluded.append(path)
            return True
        parts = path.split("/")
        over = next((part for part in parts if passed_over(part)), None)
        if over is not None and (is_junk(over) or is_junk(parts[-1])):
            self.junk.append(path)
        return over is not None

    def _refuse(self, what: str) -> AlbumError:
        return AlbumError(
            f"{self.location.as_posix()} {what}.",
            "Do not unpack it. Ask its maker for a clean archive, or pack the folder again.",
        )

    def open(self, entry: Entry) -> BinaryIO:
        """The member's bytes in memory, never more than it declared."""
        if entry.problem:
            raise OSError(entry.problem)
        try:
            with self._zip.open(self._members[entry.path]) as member:
                data = member.read(entry.size + 1)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
            raise OSError(f"damaged in the zip: {error}") from error
        except Exception as error:  # zlib.error, lzma.LZMAError: no common base
            raise OSError(f"damaged in the zip: {error}") from error
        if len(data) > entry.size:
            raise OSError("longer than the zip declares")
        return io.BytesIO(data)

    def read(self, entry: Entry, most: int) -> bytes:
        return self.open(entry).read(most)

    def display(self, path: str) -> str:
        return f"{self.location.name}!{path}"

    def cache_key(self) -> str:
        return self.location.resolve().as_posix() + "!"

    def changed(self, entries: Iterable[Entry]) -> list[tuple[str, str]]:
        """The zip itself: members carry its time."""
        try:
            now = self.location.stat().st_mtime_ns
        except OSError:
            return [(self.location.name, "vanished")]
        return [(self.location.name, "")] if any(entry.mtime_ns != now for entry in entries) else []
