"""``location``: GPS positions out of EXIF and XMP, with every other byte of metadata and all pixels kept.

Places are overwritten where they stand, so no length changes and nothing has to be understood but the two
blocks themselves; that holds for JPEG, WebP, TIFF, HEIC and AVIF alike. PNG has checksums, and packs text.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Sequence

from albumkit.fix.draft import Cannot, Draft
from albumkit.fix.exif import Exif, NotExif
from albumkit.images import FORMAT_NAMES, open_image, read_header, reason_of
from albumkit.pack.strip import STRIPPABLE, Irregular, jpeg_segments, png_chunks, strip_metadata

NAME = "location"
_TIFF = re.compile(rb"II\*\x00|MM\x00\*")
_RDF = re.compile(rb"<rdf:RDF\b.*?</rdf:RDF>", re.DOTALL)
#: ``exif:GPSLatitude="..."``, drones' ``drone-dji:GpsLatitude``, and the same as elements.
_PLACE = re.compile(
    rb"""\s[\w.-]+:(?i:gps)\w*\s*=\s*(?:"[^"]*"|'[^']*')|<([\w.-]+:(?i:gps)\w*)\b[^>]*(?:/>|>.*?</\1\s*>)""",
    re.DOTALL,
)
_RAW_PROFILE = re.compile(rb"(Raw profile type (?:exif|APP1|xmp))\0", re.IGNORECASE)
_XMP_KEY = b"XML:com.adobe.xmp\0"


def plan(draft: Draft, paths: Sequence[str]) -> None:
    """Pictures of any format, by path."""
    words = "GPS position out, pixels and other metadata as they are"
    draft.rewrite(NAME, paths, without_location, words)


def without_location(data: bytes) -> bytes:
    """The same picture without a position.

    Raises:
        Cannot: no picture, or the position is where it cannot be reached.
    """
    header = read_header(io.BytesIO(data))
    if header.error:
        raise Cannot(header.error)
    edit = {"JPEG": _jpeg, "PNG": _png}.get(header.format, _anywhere)
    try:
        new = edit(data)
    except (NotExif, Irregular, struct.error, IndexError, zlib.error, ValueError) as error:
        raise Cannot(f"its metadata is built irregularly ({error}); albumkit pack leaves it out") from error
    if new == data and not header.has_location:
        return data
    name = FORMAT_NAMES.get(header.format, header.format)
    if read_header(io.BytesIO(new)).has_location:
        raise Cannot(f"its position cannot be reached inside this {name}; albumkit pack leaves it out")
    if not _same_picture(data, new, header.format):
        raise Cannot(f"taking it out would change this {name} in other ways; albumkit pack leaves it out")
    return new


def _same_picture(old: bytes, new: bytes, format_name: str) -> bool:
    """Exact where the format can be taken apart, else by decoding both."""
    if format_name in STRIPPABLE:
        try:
            return strip_metadata(old, format_name)[0] == strip_metadata(new, format_name)[0]
        except Irregular:
            pass
    try:
        with open_image(io.BytesIO(old)) as one, open_image(io.BytesIO(new)) as other:
            return (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())
    except MemoryError:
        raise
    except Exception as error:  # plugins raise nearly anything for a broken file
        raise Cannot(f"it cannot be decoded: {reason_of(error)}") from error


def _jpeg(data: bytes) -> bytes:
    """Its own segments, then whatever follows the picture: phones put a second one there."""
    out = bytearray(data)
    end = 2
    for marker, _, start, end in jpeg_segments(data):
        if marker != 0xE1:
            continue
        if data.startswith(b"Exif\0", start):
            Exif(out, start + 6, end).remove_location()
        elif data.startswith(b"http://ns.adobe.com/xmp/extension/\0", start):
            if _PLACE.search(data, start, end):
                raise Irregular("a position in extended XMP, whose checksum would no longer fit")
        else:
            _blank_xmp(out, start, end)
    _scan(out, end)
    return bytes(out)


def _anywhere(data: bytes) -> bytes:
    """Formats whose structure need not be known: blocks of EXIF and XMP are found by how they begin."""
    out = bytearray(data)
    _scan(out, 0)
    return bytes(out)


def _scan(out: bytearray, start: int) -> None:
    """Every block behind ``start``. Pixels that begin like one by chance are found out afterwards."""
    for match in list(_TIFF.finditer(out, start)):
        saved = bytes(out)
        try:
            Exif(out, match.start()).remove_location()
        except NotExif:
            out[:] = saved
    _blank_xmp(out, start, len(out))


def _blank_xmp(out: bytearray, start: int, end: int) -> None:
    """Blanks over every position: XML does not mind them between attributes and elements."""
    for block in list(_RDF.finditer(out, start, end)):
        for place in list(_PLACE.finditer(out, block.start(), block.end())):
            out[place.start() : place.end()] = b" " * (place.end() - place.start())


def _png(data: bytes) -> bytes:
    out = [data[:8]]
    end = 8
    for kind, start, end in png_chunks(data):
        body = data[start + 8 : end - 4]
        new = body
        if kind == b"eXIf":
            block = bytearray(body)
            Exif(block).remove_location()
            new = bytes(block)
        elif kind == b"iTXt" and body.startswith(_XMP_KEY):
            new = _png_xmp(body)
        elif kind in (b"tEXt", b"zTXt") and (match := _RAW_PROFILE.match(body)):
            new = _raw_profile(kind, body, match.end())
        if new == body:
            out.append(data[start:end])
        else:
            checksum = zlib.crc32(kind + new)
            out.append(struct.pack(">I", len(new)) + kind + new + struct.pack(">I", checksum))
    out.append(data[end:])
    return b"".join(out)


def _png_xmp(body: bytes) -> bytes:
    """iTXt: keyword, flag and method of compression, language, translated keyword, text."""
    packed = body[len(_XMP_KEY)] == 1
    at = body.index(b"\0", body.index(b"\0", len(_XMP_KEY) + 2) + 1) + 1
    text = bytearray(zlib.decompress(body[at:]) if packed else body[at:])
    before = bytes(text)
    _blank_xmp(text, 0, len(text))
    if text == before:
        return body
    return body[:at] + (zlib.compress(text) if packed else bytes(text))


def _raw_profile(kind: bytes, body: bytes, at: int) -> bytes:
    """ImageMagick's: a name, a length and the bytes in hex, in lines."""
    text = zlib.decompress(body[at + 1 :]) if kind == b"zTXt" else body[at:]
    head = re.match(rb"\s*\w+\s+\d+\s", text)
    if head is None:
        raise Irregular("a raw profile of another form")
    digits = [m.start() for m in re.finditer(rb"[0-9A-Fa-f]", text[head.end() :])]
    raw = bytearray.fromhex(re.sub(rb"\s", b"", text[head.end() :]).decode())
    before = bytes(raw)
    _scan(raw, 0)
    if raw == before:
        return body
    new = bytearray(text)
    for place, digit in zip(digits, raw.hex().encode(), strict=True):
        new[head.end() + place] = digit
    return body[:at] + (b"\0" + zlib.compress(new) if kind == b"zTXt" else bytes(new))
