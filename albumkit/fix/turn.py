"""Turning a JPEG without decoding it: its blocks of coefficients change places, none of them changes.

The work is done by ``jpegtran``, the program of libjpeg-turbo. It is not trusted: the turned picture is
turned back and must then hold the very coefficients it began with, and it must look like the upright one. Why
not a package: docs/decisions/0006-fixes-and-lossless-turns.md.
"""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
from collections.abc import Callable

from PIL import ImageChops, ImageStat

from albumkit.fix.draft import Cannot
from albumkit.fix.exif import Exif, NotExif
from albumkit.images import UPRIGHT, open_image, read_header
from albumkit.pack.strip import Irregular, jpeg_segments

#: EXIF orientation -> (the operation that makes the picture upright, the one that takes it back).
_OPERATIONS = {
    2: ("HFLIP", "HFLIP"),
    3: ("ROT180", "ROT180"),
    4: ("VFLIP", "VFLIP"),
    5: ("TRANSPOSE", "TRANSPOSE"),
    6: ("ROT90", "ROT270"),
    7: ("TRANSVERSE", "TRANSVERSE"),
    8: ("ROT270", "ROT90"),
}
_JPEGTRAN = {
    "NONE": [],
    "HFLIP": ["-flip", "horizontal"],
    "VFLIP": ["-flip", "vertical"],
    "ROT90": ["-rotate", "90"],
    "ROT180": ["-rotate", "180"],
    "ROT270": ["-rotate", "270"],
    "TRANSPOSE": ["-transpose"],
    "TRANSVERSE": ["-transverse"],
}
#: Decoders round a turned block and smooth its colours a little otherwise: 0.41 levels on average at most on
#: photographs of qualities 50 to 95. One turned the wrong way is ten away, or so flat that nobody can tell.
_MOST_DIFFERENCE = 2.0
_SECONDS = 120
_INSTALL = "install jpegtran (apt install libjpeg-turbo-progs, brew install jpeg-turbo)"
#: (a JPEG, an operation, whether it is progressive) -> the turned JPEG without any metadata.
Turner = Callable[[bytes, str, bool], bytes]


class Imperfect(Exception):
    """The operation cannot be done without cutting a strip off."""


def make_upright(data: bytes) -> bytes:
    """The same coefficients, upright, with orientation 1 and all metadata but the thumbnail.

    Raises:
        Cannot: not a JPEG, nothing to turn it with, or not possible without loss.
    """
    header = read_header(io.BytesIO(data))
    if header.error:
        raise Cannot(header.error)
    if header.format != "JPEG":
        raise Cannot("only a JPEG can be turned without encoding it anew; albumkit pack turns it")
    if header.orientation == 1:
        return data
    turn = find_turner()
    if turn is None:
        raise Cannot(f"nothing to turn it with: {_INSTALL}; albumkit pack turns it")
    there, back = _OPERATIONS[header.orientation]
    try:
        metadata = _metadata(data)
        turned = turn(data, there, header.progressive)
        if turn(turned, back, header.progressive) != turn(data, "NONE", header.progressive):
            raise Cannot("turning it would not have been without loss; albumkit pack turns it")
        new = _with_metadata(turned, metadata, swap=header.orientation >= 5)
    except Imperfect as error:
        size = f"{header.width} x {header.height}"
        raise Cannot(
            f"{size} is no whole number of JPEG blocks, so a strip would be lost; albumkit pack turns it"
        ) from error
    except (Irregular, NotExif, ValueError, IndexError) as error:
        raise Cannot(f"it is built irregularly ({error}); albumkit pack turns it") from error
    if not _looks_right(data, new, header.orientation):
        raise Cannot("the turned picture does not look like the upright one; albumkit pack turns it")
    return new


@functools.cache
def find_turner() -> Turner | None:
    """What this machine can turn JPEGs with, or None."""
    program = shutil.which("jpegtran")
    return functools.partial(_with_program, program) if program else None


def _with_program(program: str, data: bytes, operation: str, progressive: bool) -> bytes:
    words = [program, "-copy", "none", "-optimize", "-perfect", *_JPEGTRAN[operation]]
    words += ["-progressive"] if progressive else []
    try:
        done = subprocess.run(words, input=data, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"jpegtran: {error}") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip()
        if "perfect" in said.lower():
            raise Imperfect
        raise ValueError(f"jpegtran: {said.splitlines()[0] if said else 'no answer'}")
    return done.stdout


def _metadata(data: bytes) -> list[bytes]:
    """Every segment of metadata, as it is.

    Raises:
        Cannot: something follows the picture, or belongs to it, that would no longer fit.
    """
    found, end = [], 2
    for marker, start, body, end in jpeg_segments(data):
        if data.startswith(b"MPF\0", body) and marker == 0xE2:
            raise Cannot("it holds a second picture, which would no longer fit; albumkit pack turns it")
        if 0xE0 <= marker <= 0xEF or marker == 0xFE:
            found.append(data[start:end])
    if data[end:].strip(b"\0"):
        raise Cannot("something follows its picture, which would be lost; albumkit pack turns it")
    return found


def _with_metadata(turned: bytes, metadata: list[bytes], *, swap: bool) -> bytes:
    out = [turned[:2], *(_upright_segment(segment, swap) for segment in metadata)]
    out += [
        turned[start:end]
        for marker, start, _, end in jpeg_segments(turned)
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE)
    ]
    return b"".join(out)


def _upright_segment(segment: bytes, swap: bool) -> bytes:
    body = segment[4:]
    if body.startswith(b"Exif\0"):
        block = bytearray(segment)
        Exif(block, 10).set_upright(swap)
        return bytes(block)
    if body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
        return _upright_xmp(segment)
    if swap and body.startswith(b"JFIF\0") and len(segment) >= 16:  # density across and down
        return segment[:12] + segment[14:16] + segment[12:14] + segment[16:]
    return segment


def _upright_xmp(segment: bytes) -> bytes:
    """``tiff:Orientation="6"`` and ``<tiff:Orientation>6<`` say 1; the length stays."""
    for before, after in ((b'tiff:Orientation="', b'"'), (b"<tiff:Orientation>", b"<")):
        at = segment.find(before)
        if at >= 0 and segment[at + len(before) + 1 :].startswith(after):
            place = at + len(before)
            segment = segment[:place] + b"1" + segment[place + 1 :]
    return segment


def _looks_right(old: bytes, new: bytes, orientation: int) -> bool:
    header = read_header(io.BytesIO(new))
    if header.error or header.orientation != 1:
        return False
    with open_image(io.BytesIO(old)) as one, open_image(io.BytesIO(new)) as other:
        wanted = one.transpose(UPRIGHT[orientation])
        if (wanted.mode, wanted.size) != (other.mode, other.size):
            return False
        difference = ImageStat.Stat(ImageChops.difference(wanted, other)).mean
    return max(difference) <= _MOST_DIFFERENCE
