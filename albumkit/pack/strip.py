"""Metadata out, pixel data untouched: JPEG, PNG and WebP taken apart and put together again.

Each function returns the file without anything that is not needed to draw its first picture, and the
names of what it left out; a file that holds nothing else comes back as it was, byte for byte. Colour
profiles go too: callers come here only where the profile says sRGB or nothing that can be read.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator


class Irregular(Exception):
    """The file's structure is not what its format's standard says; decode and encode it instead."""


def strip_metadata(data: bytes, format_name: str) -> tuple[bytes, tuple[str, ...]]:
    """Dispatch by Pillow's format name (JPEG, PNG, WEBP).

    Returns:
        The bare file, and what was left out, each kind once, in the file's order.

    Raises:
        Irregular: the file is not built as its standard says.
    """
    try:
        kept, dropped = _STRIPPERS[format_name](data)
    except (IndexError, struct.error) as error:
        raise Irregular("it ends too early") from error
    return kept, tuple(dict.fromkeys(dropped))


# JPEG: ISO/IEC 10918-1 annex B (markers), JFIF 1.02, CIPA DC-007 (multi-picture files).

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP1, _APP2, _APP13, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF, 0xFE
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
#: The next marker after entropy-coded data: not a stuffed zero, a restart or a fill byte.
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_JPEG_NAMES = {
    (_APP0, b"JFXX"): "thumbnail",
    (_APP1, b"Exif"): "Exif",
    (_APP1, b"http"): "XMP",
    (_APP2, b"ICC_"): "sRGB profile",
    (_APP2, b"MPF\0"): "second picture",
    (_APP13, b"Phot"): "IPTC",
}


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(marker, start, start of its body, end) of everything behind SOI up to EOI, the last one.

    A scan ends where its entropy-coded data ends; its body is its header with that data.

    Raises:
        Irregular: it is not built as the standard says. IndexError, struct.error: it ends too early.
    """
    if data[:2] != b"\xff\xd8":
        raise Irregular("no start of image")
    at = 2
    while True:
        start = at
        if data[at] != 0xFF:
            raise Irregular("no marker where one must be")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        body = at
        if marker == _EOI:
            yield marker, start, at, at
            return
        if marker not in _ALONE:
            (length,) = struct.unpack_from(">H", data, at)
            body, at = at + 2, at + length
            if length < 2 or at > len(data):
                raise Irregular("a segment is longer than the file")
        if marker == _SOS:
            found = _MARKER.search(data, at)
            if found is None:
                raise Irregular("no end of image")
            at = found.start()
        yield marker, start, body, at


def strip_jpeg(data: bytes) -> tuple[bytes, list[str]]:
    """Keeps tables, frames, scans, JFIF's APP0 (without its thumbnail) and Adobe's APP14, up to EOI.

    Adobe's segment says how the colours are stored, so a decoder would draw others without it.
    """
    kept, dropped, end = [data[:2]], list[str](), 2
    for marker, start, at, end in jpeg_segments(data):
        body = data[at:end]
        if name := _jpeg_metadata(marker, body):
            dropped.append(name)
        elif marker == _APP0 and body[12:14] != b"\0\0":
            dropped.append("thumbnail")
            kept.append(b"\xff\xe0\x00\x10" + body[:12] + b"\0\0")
        else:
            kept.append(data[start:end])
    if end < len(data):
        dropped.append("trailing data")
    return b"".join(kept), dropped


def _jpeg_metadata(marker: int, body: bytes) -> str:
    """The name of a segment that is metadata, or "" for one that the picture needs."""
    if marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 14:
        return ""
    if marker == _APP14 and body.startswith(b"Adobe"):
        return ""
    if _APP0 <= marker <= _APP15:
        return _JPEG_NAMES.get((marker, body[:4]), f"APP{marker - _APP0}")
    return "comment" if marker == _COM else ""


# PNG: https://www.w3.org/TR/png-3/

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_DRAWN = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT bKGD pHYs cICP mDCV cLLI mDCv cLLi hIST".split()
)
_PNG_NAMES = {
    b"eXIf": "Exif",
    b"iCCP": "sRGB profile",
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"tIME": "time",
    b"acTL": "animation",
    b"fcTL": "animation",
    b"fdAT": "animation",
}


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of every chunk up to IEND; start is that of its length field."""
    if not data.startswith(_PNG_HEAD):
        raise Irregular("no PNG signature")
    at = len(_PNG_HEAD)
    while True:
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise Irregular("a chunk is longer than the file")
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end


def strip_png(data: bytes) -> tuple[bytes, list[str]]:
    """Keeps what changes how the picture is drawn. Without its animation chunks an APNG shows its first
    picture, which is the one in IDAT.
    """
    kept, dropped, end = [_PNG_HEAD], list[str](), 0
    for kind, start, end in png_chunks(data):
        if kind in _PNG_DRAWN:
            kept.append(data[start:end])
        else:
            dropped.append(_PNG_NAMES.get(kind, f"{kind.decode('latin-1')} chunk"))
    if end < len(data):
        dropped.append("trailing data")
    return b"".join(kept), dropped


# WebP: https://developers.google.com/speed/webp/docs/riff_container

_WEBP_DRAWN = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH"})
_WEBP_NAMES = {b"EXIF": "Exif", b"XMP ": "XMP", b"ICCP": "sRGB profile"}
#: Bits of VP8X that announce a colour profile, EXIF, XMP.
_WEBP_FLAGS = 0x20 | 0x08 | 0x04


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end with padding) of every chunk inside the RIFF."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise Irregular("no WebP signature")
    at, stop = 12, 8 + struct.unpack_from("<I", data, 4)[0]
    if stop > len(data):
        raise Irregular("it ends too early")
    while at + 8 <= stop:
        (length,) = struct.unpack_from("<I", data, at + 4)
        end = at + 8 + length + (length & 1)
        if end > stop:
            raise Irregular("a chunk is longer than the file")
        yield data[at : at + 4], at, end
        at = end


def strip_webp(data: bytes) -> tuple[bytes, list[str]]:
    """Keeps the bitmap and its alpha; takes the announcements in VP8X back and corrects the length.

    Not for animations, whose frames it would drop.
    """
    kept, dropped, end = list[bytes](), list[str](), 12
    for kind, start, end in webp_chunks(data):
        if kind == b"VP8X":
            flags = data[start + 8] & ~_WEBP_FLAGS
            kept.append(data[start : start + 8] + bytes([flags]) + data[start + 9 : end])
        elif kind in _WEBP_DRAWN:
            kept.append(data[start:end])
        else:
            dropped.append(_WEBP_NAMES.get(kind, f"{kind.decode('latin-1').strip()} chunk"))
    if end < len(data):
        dropped.append("trailing data")
    body = b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body, dropped


_STRIPPERS = {"JPEG": strip_jpeg, "PNG": strip_png, "WEBP": strip_webp}
#: Formats that this module knows.
STRIPPABLE = frozenset(_STRIPPERS)
