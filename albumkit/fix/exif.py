"""EXIF changed where it stands: same length, no offset moved.

A block of EXIF is a small TIFF file whose values point at each other by offset, and maker notes hold offsets
that nobody but the maker knows. So nothing is ever written anew: entries are closed up, values overwritten.
(TIFF 6.0 section 2; CIPA DC-008 4.6.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_ORIENTATION = 0x0112
_WIDTH, _HEIGHT = 0xA002, 0xA003
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
#: More directories or entries than any camera writes: a circle, or no EXIF.
_MOST_DIRECTORIES, _MOST_ENTRIES = 64, 1000


class NotExif(Exception):
    """The bytes are no TIFF structure."""


class Exif:
    """A block of EXIF inside ``data``, which is changed in place.

    Args:
        data: The file, or a part of it.
        start: Where the TIFF header (``II*`` or ``MM``) stands.
        end: Where the block ends; nothing outside is touched.

    Raises:
        NotExif: there is no TIFF structure. The methods raise it too, for one that is broken further on.
    """

    def __init__(self, data: bytearray, start: int = 0, end: int | None = None) -> None:
        self.data, self.start = data, start
        self.end = len(data) if end is None else end
        head = bytes(data[start : start + 4])
        if head not in (b"II*\0", b"MM\0*"):
            raise NotExif("no TIFF header")
        self.order = "<" if head[:2] == b"II" else ">"
        self.first = self._long(4)

    def remove_location(self) -> bool:
        """Take the GPS directory out and overwrite what it held; False when there is none."""
        found = False
        for directory in list(self._chain()):
            while (entry := self._find(directory, _GPS_IFD)) is not None:
                self._clear(self._long(entry + 8))
                self._drop(directory, entry)
                found = True
        return found

    def set_upright(self, swap: bool) -> None:
        """Orientation 1; width and height of the EXIF directory change places when ``swap``. The thumbnail,
        which still lies as the picture did, is taken out.
        """
        entry = self._find(self.first, _ORIENTATION)
        if entry is not None:
            self._put(entry + 8, struct.pack(f"{self.order}HH", 1, 0))
        pointer = self._find(self.first, _EXIF_IFD)
        if swap and pointer is not None:
            inner = self._long(pointer + 8)
            width, height = self._find(inner, _WIDTH), self._find(inner, _HEIGHT)
            if width is not None and height is not None:
                one, other = self._get(width + 2, 10), self._get(height + 2, 10)
                self._put(width + 2, other)
                self._put(height + 2, one)
        self._drop_thumbnail()

    def _drop_thumbnail(self) -> None:
        after = self.first + 2 + 12 * self._count(self.first)
        second = self._long(after)
        if not second:
            return
        place, length = self._find(second, _THUMBNAIL), self._find(second, _THUMBNAIL_LENGTH)
        if place is not None and length is not None:
            self._erase(self._long(place + 8), self._long(length + 8))
        self._clear(second)
        self._put(after, b"\0\0\0\0")

    def _chain(self) -> Iterator[int]:
        """The directories of the block, each page of a TIFF one; circles end."""
        at, seen = self.first, set[int]()
        while at and at not in seen and len(seen) < _MOST_DIRECTORIES:
            seen.add(at)
            yield at
            at = self._long(at + 2 + 12 * self._count(at))

    def _count(self, directory: int) -> int:
        count = int(struct.unpack(f"{self.order}H", self._get(directory, 2))[0])
        if count > _MOST_ENTRIES:
            raise NotExif("a directory without end")
        return count

    def _find(self, directory: int, tag: int) -> int | None:
        for number in range(self._count(directory)):
            at = directory + 2 + 12 * number
            if struct.unpack(f"{self.order}H", self._get(at, 2))[0] == tag:
                return at
        return None

    def _clear(self, directory: int) -> None:
        """Overwrite a directory and the values that lie outside of it."""
        count = self._count(directory)
        for number in range(count):
            at = directory + 2 + 12 * number
            kind, many = struct.unpack(f"{self.order}HI", self._get(at + 2, 6))
            length = _SIZES.get(kind, 0) * many
            if length > 4:
                self._erase(self._long(at + 8), length)
        self._erase(directory, 2 + 12 * count)

    def _drop(self, directory: int, entry: int) -> None:
        """Close the gap of an entry: those behind it and the link to the next directory move up."""
        count = self._count(directory)
        end = directory + 2 + 12 * count + 4
        rest = self._get(entry + 12, end - entry - 12)
        self._put(entry, rest + b"\0" * 12)
        self._put(directory, struct.pack(f"{self.order}H", count - 1))

    def _long(self, at: int) -> int:
        return int(struct.unpack(f"{self.order}I", self._get(at, 4))[0])

    def _get(self, at: int, length: int) -> bytes:
        if at < 0 or length < 0 or self.start + at + length > self.end:
            raise NotExif("it points outside of itself")
        return bytes(self.data[self.start + at : self.start + at + length])

    def _put(self, at: int, value: bytes) -> None:
        self._get(at, len(value))
        self.data[self.start + at : self.start + at + len(value)] = value

    def _erase(self, at: int, length: int) -> None:
        self._put(at, b"\0" * length)
