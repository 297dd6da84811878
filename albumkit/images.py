"""Opening pictures safely with Pillow: the one place that knows its traps.

Only plain raster formats are tried: a plugin that starts another program (EPS starts Ghostscript) must
never see a stranger's file. HEIC needs pi-heif, which is loaded when the first such file turns up.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import re
import warnings
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from albumkit.colour import SRGB, flat_rgb, judge_profile

#: Formats that start programs, are vector graphics or containers of neither pictures nor pixels.
_NEVER = frozenset({"EPS", "PDF", "WMF", "EMF", "MPEG", "HDF5", "GRIB", "BUFR", "FPX", "MIC"})
#: Formats as people call them, where Pillow's name is not that.
FORMAT_NAMES = {"HEIF": "HEIC", "WEBP": "WebP", "JPEG2000": "JPEG 2000"}
#: Plugins that turn the pixels themselves while they decode, and tell the turned size (seen with Pillow 13.0
#: and pi-heif 1.4).
TURNED_BY_PLUGIN = frozenset({"TIFF", "HEIF"})
#: Endings that people give to a format. An ending that is missing here is not held against a file: many
#: programs write rare ones.
_ENDINGS = {
    "JPEG": "jpg jpeg jpe jfif mpo",
    "PNG": "png apng",
    "WEBP": "webp",
    "AVIF": "avif avifs heif hif",
    "TIFF": "tif tiff",
    "BMP": "bmp dib",
    "GIF": "gif",
    "HEIF": "heic heif hif",
    "JPEG2000": "jp2 j2k j2c jpc jpf jpx",
}
_FORMATS = {
    ending: tuple(name for name, endings in _ENDINGS.items() if ending in endings.split())
    for endings in _ENDINGS.values()
    for ending in endings.split()
}
#: Formats that hold several pictures one after the other. A phone's MPO is one picture with by-products.
_SEVERAL = frozenset({"GIF", "PNG", "WEBP", "AVIF", "TIFF"})
_TIFF_BITS = 258
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_BOMB_PIXELS = re.compile(r"\((\d+) pixels\)")
_ORIENTATION = ExifTags.Base.Orientation.value
_GPS = ExifTags.Base.GPSInfo.value
#: Latitude and longitude of the camera and of what it looks at (CIPA DC-008, GPS IFD). A GPS block without
#: them (many cameras write its version number alone) tells no place.
_PLACES = (2, 4, 20, 22)
_EXIF_KEYS = frozenset({"exif", "Raw profile type exif"})
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")
_PILLOW = re.compile(r"PIL\..*")
#: How files begin, for words about those that Pillow does not take: a cut-off picture is not "no picture".
_BEGINNINGS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
)
#: Those that Pillow knows without importing all of its plugins, which takes longer than opening 500 pictures.
_AT_HAND = _BEGINNINGS[:3]
#: What brings a picture upright, by its EXIF orientation.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: What Pillow says of such files when it says anything.
_VAGUE = ("could not create decoder object", "Truncated File Read")


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's first bytes say. Sizes are in pixels as stored, before any orientation.

    ``error`` is empty or says why the file is no picture; then only ``pixels`` may be known.
    """

    format: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    #: EXIF orientation, 1 to 8; 1 also where the file says nothing.
    orientation: int = 1
    has_location: bool = False
    #: A JPEG in several passes: all of its coefficients lie in memory at once, however small it is decoded.
    progressive: bool = False
    pixels: int = 0
    #: Bits a channel, as stored: 8, 16 and 32 mostly, 10 and 12 in HEIC.
    bits: int = 8
    #: Pictures in an animation or pages of a TIFF.
    frames: int = 1
    has_alpha: bool = False
    #: What the embedded profile means for these pixels (see :mod:`albumkit.colour`): srgb, convert or broken.
    profile: str = SRGB.verdict
    #: The profile by the name that its maker gave it; empty without one.
    profile_name: str = ""
    #: Checksum of a few kilobytes from the middle of the file: files that differ in it differ.
    probe: int = 0
    error: str = ""

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels as a viewer shows them."""
        sideways = self.orientation >= 5 and self.format not in TURNED_BY_PLUGIN
        return (self.height, self.width) if sideways else (self.width, self.height)

    def to_json(self) -> dict[str, Any]:
        """As a dict (dataclasses.asdict copies deeply, at ten times the price)."""
        return {name: getattr(self, name) for name in self.__slots__}


def upright(image: Image.Image, stored_format: str, orientation: int) -> Image.Image:
    """A decoded picture as the camera saw it; ``stored_format`` is Pillow's name of the file's format."""
    if stored_format in TURNED_BY_PLUGIN or orientation not in UPRIGHT:
        return image
    return image.transpose(UPRIGHT[orientation])


def open_image(stream: BinaryIO) -> Image.Image:
    """``Image.open`` with only safe formats, and HEIC when it is one.

    Raises whatever Pillow raises; see :func:`reason_of` for words.
    """
    _hush()
    head = stream.read(32)
    stream.seek(0)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and b"avif" not in head[8:32]:
        _register_heif()
        return Image.open(stream, formats=("HEIF",))
    for start, name in _AT_HAND:
        if head.startswith(start):
            with contextlib.suppress(UnidentifiedImageError):
                return Image.open(stream, formats=(name,))
            stream.seek(0)
    return Image.open(stream, formats=_raster_formats())


def _hush() -> None:
    """What Pillow warns of (large, malformed, odd metadata) is for rules to judge, file by file.

    Looked up each time and set when it is not there: a host program, or a test, that turns warnings into
    errors would otherwise make a good picture unreadable.
    """
    if not any(entry[3] == _PILLOW for entry in warnings.filters):
        warnings.filterwarnings("ignore", module=_PILLOW.pattern)


@functools.cache
def _raster_formats() -> tuple[str, ...]:
    """Pillow's usual formats first: it tries them in order."""
    Image.init()
    common = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")
    rest = (f for f in Image.ID if f not in common and f not in _NEVER and f != "HEIF")
    return (*(f for f in common if f in Image.ID), *rest)


@functools.cache
def _register_heif() -> None:
    import pi_heif

    pi_heif.register_heif_opener()


def format_of(image: Image.Image) -> str:
    """Pillow's format name, with a phone's multi-picture JPEG counted as the JPEG it is."""
    name = image.format or ""
    return "JPEG" if name == "MPO" else name


def read_header(stream: BinaryIO) -> Header:
    """Format, size and metadata of a picture without decoding it. A bad file is a Header with ``error``.

    Raises:
        OSError: the drive or network failed, which says nothing about the file.
    """
    try:
        with open_image(stream) as image:
            return header_of(image, stream)
    except Image.DecompressionBombError as error:
        match = _BOMB_PIXELS.search(str(error))
        return Header(pixels=int(match[1]) if match else 0, error="" if match else str(error))
    except Exception as error:  # plugins raise nearly anything for a broken file
        if is_drive_error(error):
            raise
        vague = isinstance(error, UnidentifiedImageError) or str(error) in _VAGUE
        return Header(error=(_begun(stream) if vague else "") or reason_of(error))


def header_of(image: Image.Image, stream: BinaryIO) -> Header:
    """What an opened picture, and the stream that it was opened from, say before it is decoded."""
    orientation, located = _exif_facts(image)
    width, height = image.size
    icc = image.info.get("icc_profile")
    profile = judge_profile(icc, image.mode) if icc and isinstance(icc, bytes) else SRGB
    return Header(
        format=format_of(image),
        width=width,
        height=height,
        mode=image.mode,
        orientation=orientation,
        has_location=located,
        progressive=bool(image.info.get("progressive")),
        pixels=width * height,
        bits=_bits(image, stream),
        has_alpha=image.has_transparency_data,
        profile=profile.verdict,
        profile_name=profile.name,
        frames=_frames(image),  # last: to count, some plugins leave the first one
    )


def _begun(stream: BinaryIO) -> str:
    """What a file that is no picture began to be, in words; "" when its first bytes tell nothing."""
    stream.seek(0)
    head = stream.read(256)
    name = next((name for start, name in _BEGINNINGS if head.startswith(start)), "")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        name = "WebP"
    elif head[4:8] == b"ftyp":
        name = "HEIC" if head[8:12] in _HEIF_BRANDS else "AVIF" if head[8:12] in (b"avif", b"avis") else ""
    if name:
        return f"begins like {name}, but is cut off or damaged"
    if re.match(rb"\s*<(?:!doctype )?html", head, re.IGNORECASE):
        return "a web page, not a picture: the download went wrong"
    return ""


def is_drive_error(error: Exception) -> bool:
    """Whether reading failed rather than understanding: such an error may be gone at the next try.

    Pillow's own OSErrors carry no number; EINVAL comes from a broken file that sends a reader before its
    own start.
    """
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def _exif_facts(image: Image.Image) -> tuple[int, bool]:
    """Orientation and whether a GPS position is inside; 1 and False where there is no readable metadata."""
    xmp = next((image.info[key] for key in _XMP_KEYS if key in image.info), b"")
    if not xmp and _EXIF_KEYS.isdisjoint(image.info) and image.format != "TIFF":
        return 1, False
    try:
        # Not image.getexif(): that of a PNG without EXIF decodes the whole picture to look behind its pixels.
        exif = Image.Image.getexif(image)
        orientation = exif.get(_ORIENTATION, 1)
        located = _GPS in exif and any(tag in exif.get_ifd(_GPS) for tag in _PLACES)
    except Exception:  # a broken block of metadata; the pixels may be fine
        return 1, False
    located = located or (b"GPSLatitude" in xmp if isinstance(xmp, bytes) else "GPSLatitude" in str(xmp))
    return (orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1), located


def _bits(image: Image.Image, stream: BinaryIO) -> int:
    """Bits a channel as stored. Pillow's mode does not tell: it opens a PNG of 3 x 16 bits as RGB."""
    if image.format == "PNG":
        place = stream.tell()
        stream.seek(24)  # IHDR: length, type, width and height come before it
        depth = stream.read(1)
        stream.seek(place)
        return max(8, depth[0]) if depth else 8
    known = image.info.get("bit_depth")  # pi-heif
    if image.format == "TIFF":
        tag = getattr(image, "tag_v2", {}).get(_TIFF_BITS, 8)
        known = max(tag) if isinstance(tag, tuple) and tag else tag
    if isinstance(known, int):
        return max(8, known)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return 16
    return 32 if image.mode in ("I", "F") else 8


def _frames(image: Image.Image) -> int:
    if image.format not in _SEVERAL:
        return 1
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except Exception:  # a broken second page is no reason to lose the first
        return 1


def formats_of_ending(ending: str) -> tuple[str, ...]:
    """Pillow's names of the formats that go by this lower-case ending; empty for a rare one."""
    return _FORMATS.get(ending, ())


def load_picture(stream: BinaryIO, enough: int) -> Image.Image:
    """One picture, upright, RGB in sRGB; what is transparent is seen on white. A JPEG is decoded at the
    smallest of 1/1, 1/2, 1/4 and 1/8 of its size that has ``enough`` pixels.

    Raises whatever Pillow raises; see :func:`reason_of`.
    """
    with open_image(stream) as image:
        header = header_of(image, stream)
        if header.frames > 1:  # counting them may have left the first one
            image.seek(0)
        if header.format == "JPEG" and isinstance(image, ImageFile.ImageFile):
            by = next((by for by in (8, 4, 2) if header.pixels >= enough * by * by), 1)
            image.draft(None, (max(1, image.width // by), max(1, image.height // by)))
        icc = image.info.get("icc_profile")
        profile = judge_profile(icc, image.mode) if icc and header.profile == "convert" else None
        image.load()
        turned = upright(image, header.format, header.orientation)
        mode = profile.mode if profile else "RGB"
        return flat_rgb(turned, icc if profile else None, mode, has_alpha=header.has_alpha)


def fitting(image: Image.Image, most: int) -> Image.Image:
    """The picture, scaled down to at most ``most`` pixels where it has more."""
    pixels = image.width * image.height
    if pixels <= most:
        return image
    by = math.sqrt(most / pixels)
    size = (max(1, int(image.width * by)), max(1, int(image.height * by)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def decode_error(stream: BinaryIO, reduce_jpeg: bool = True) -> str:
    """Decode a picture to its last byte and return what went wrong, or "".

    A JPEG is decoded at an eighth of its size: its stream is read to the end all the same, in a quarter of
    the time.

    Raises:
        MemoryError: there was not enough for it, which says nothing about the file.
    """
    try:
        with open_image(stream) as image:
            if reduce_jpeg and isinstance(image, ImageFile.ImageFile):
                image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
    except MemoryError:
        raise
    except Exception as error:
        return reason_of(error)
    return ""


def reason_of(error: Exception) -> str:
    """What a failure means to a person, without addresses of objects or an empty text."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture that can be read"
    if isinstance(error, FileNotFoundError):
        return "the file vanished while it was read"
    if isinstance(error, OSError) and error.errno == errno.EINVAL:
        return "its parts point to places outside of it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = re.sub(r"<[^>]* at 0x[0-9a-f]+>", "", str(error)).strip().rstrip(". ")
    if isinstance(error, (OSError, SyntaxError, ValueError, EOFError, RuntimeError)) and text:
        return text
    return f"its structure is broken ({type(error).__name__}{': ' + text if text else ''})"
