"""What a picture's header says, and whether its pixels can be had: every format, every trap."""

from __future__ import annotations

import io
import struct
import subprocess
import warnings
import zlib
from pathlib import Path

import pytest
from corpus import encoded, noise, png_chunk, png_claiming
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from albumkit import images
from albumkit.images import Header, decode_error, open_image, read_header, reason_of

DATA = Path(__file__).parent / "data"
BERLIN = {1: "N", 2: (52.0, 31.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)}
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description %b/></x:xmpmeta>'


def exif(orientation: int | None = None, gps: dict | None = None) -> bytes:
    block = Image.Exif()
    if orientation is not None:
        block[0x0112] = orientation
    if gps:
        block.get_ifd(0x8825).update(gps)
    return block.tobytes()


def saved(name: str, size: tuple[int, int] = (40, 24), mode: str = "RGB", **options) -> io.BytesIO:
    stream = io.BytesIO()
    noise(1, size).convert(mode).save(stream, name, **options)
    stream.seek(0)
    return stream


# Headers


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "I;16"),
        ("WEBP", "RGB"),
        ("AVIF", "RGB"),
        ("TIFF", "RGB"),
        ("BMP", "RGB"),
        ("GIF", "P"),
        ("JPEG2000", "RGB"),
        ("TGA", "RGB"),
    ],
)
def test_format_size_and_mode(name, mode):
    if mode == "I;16":
        stream = io.BytesIO()
        Image.new("I;16", (40, 24)).save(stream, name)
        stream.seek(0)
    else:
        stream = saved(name, mode=mode)
    header = read_header(stream)
    assert (header.format, header.width, header.height, header.mode) == (name, 40, 24, mode)
    assert (header.pixels, header.error, header.orientation, header.has_location) == (960, "", 1, False)
    assert decode_error(stream) == ""


def test_a_phones_multi_picture_file_is_a_jpeg():
    stream = saved("MPO", save_all=True, append_images=[noise(2, (20, 12))])
    assert Image.open(stream).format == "MPO"
    header = read_header(stream)
    assert (header.format, header.width) == ("JPEG", 40)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "MPO"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(name, orientation):
    options = {"save_all": True} if name == "MPO" else {}
    header = read_header(saved(name, exif=exif(orientation), **options))
    assert (header.error, header.orientation, header.has_location) == ("", orientation, False)


@pytest.mark.parametrize("orientation", [0, 9, 90, 65535])
def test_an_orientation_that_does_not_exist_is_upright(orientation):
    assert read_header(saved("JPEG", exif=exif(orientation))).orientation == 1


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize(
    ("gps", "tells"),
    [
        (BERLIN, True),
        ({20: (52.0, 31.0, 0.0), 22: (13.0, 24.0, 0.0)}, True),
        ({0: b"\x02\x03\x00\x00"}, False),
        ({29: "2026:11:23"}, False),
    ],
)
def test_a_gps_block_tells_a_place_only_with_a_position(name, gps, tells):
    header = read_header(saved(name, exif=exif(6, gps)))
    assert (header.has_location, header.orientation) == (tells, 6)


@pytest.mark.parametrize("name", ["JPEG", "WEBP", "AVIF", "PNG"])
def test_xmp_counts_where_exif_is_silent(name):
    block = XMP % b'tiff:Orientation="6" exif:GPSLatitude="52,31.0N"'
    if name == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", block.decode())
        stream = saved("PNG", pnginfo=info)
    else:
        stream = saved(name, xmp=block)
    header = read_header(stream)
    assert (header.error, header.orientation, header.has_location) == ("", 6, True)


def test_a_header_does_not_decode(monkeypatch):
    """Not even a PNG with XMP, for which Pillow's own getexif() reads all pixels."""
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", (XMP % b'tiff:Orientation="3"').decode())
    streams = [saved("PNG", pnginfo=info), saved("JPEG", exif=exif(6, BERLIN)), saved("TIFF", exif=exif(6))]

    def load(self):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert [read_header(s).orientation for s in streams] == [3, 6, 6]


@pytest.mark.parametrize(
    "block", [b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_a_broken_exif_block_does_not_break_the_picture(block):
    header = read_header(stream := saved("JPEG", exif=block))
    assert (header.error, header.orientation, header.has_location, header.width) == ("", 1, False, 40)
    assert decode_error(stream) == ""


def test_progressive_jpegs_are_told_apart():
    assert [read_header(saved("JPEG", progressive=p)).progressive for p in (False, True)] == [False, True]


def test_the_header_survives_json():
    header = read_header(saved("JPEG", exif=exif(6, BERLIN)))
    assert Header(**header.to_json()) == header


# HEIC (tests/data/README.md says how phone.heic was made)


def test_heic_is_read_and_lies_upright():
    data = (DATA / "phone.heic").read_bytes()
    header = read_header(io.BytesIO(data))
    assert (header.format, header.width, header.height, header.error) == ("HEIF", 64, 48, "")
    assert (header.orientation, header.has_location) == (1, True)
    assert decode_error(io.BytesIO(data)) == ""
    with open_image(io.BytesIO(data)) as image:
        red, green, blue = image.convert("RGB").getpixel((50, 5))
    assert red > 150 > green > blue, "the corner is brick red"


@pytest.mark.parametrize("length", [20, 300, 600, 900, 966])
def test_a_cut_heic_says_what_it_began_as(length):
    data = (DATA / "phone.heic").read_bytes()[:length]
    assert read_header(io.BytesIO(data)).error == "begins like HEIC, but is cut off or damaged"


# Broken files


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a picture that can be read"),
        (b"hello world", "not a picture that can be read"),
        (b"\xff\xd8\xff\xe0", "begins like JPEG, but is cut off or damaged"),
        (b"\n <HTML><title>404</title>", "a web page, not a picture: the download went wrong"),
        (b"<!doctype html>\n", "a web page, not a picture: the download went wrong"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture that can be read"),
        (b"%PDF-1.4\n", "not a picture that can be read"),
    ],
)
def test_what_is_no_picture_says_so(data, words):
    assert read_header(io.BytesIO(data)).error == words


def test_postscript_never_reaches_a_program(monkeypatch):
    """Pillow's EPS plugin would start Ghostscript on a stranger's file."""

    def forbidden(*args, **kwargs):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "EPS")
    assert decode_error(stream) == "not a picture that can be read"


def test_pixels_beyond_pillows_limit_are_counted_not_decoded():
    header = read_header(io.BytesIO(png_claiming(60000, 60000)))
    assert (header.pixels, header.width, header.error) == (3_600_000_000, 0, "")


def test_a_large_picture_is_one_even_where_warnings_are_errors():
    """Pillow warns from 89 megapixels on; between there and 179 the picture is fine."""
    stream = io.BytesIO(png_claiming(10000, 9500))
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            header = read_header(stream)
        assert (header.width, header.error) == (10000, "")


def test_other_warnings_are_left_to_the_program_around_us():
    read_header(saved("JPEG"))
    with pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", UserWarning, stacklevel=1)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000", "AVIF", "PPM"])
def test_decoding_agrees_with_pillow_on_every_cut(name):
    """The short cut for JPEG (an eighth of the size) must not miss what a full decode finds."""
    whole = saved(name, (120, 90)).getvalue()
    missed = []
    for length in [len(whole) * i // 60 for i in range(60)] + [len(whole) - n for n in range(1, 40)]:
        part = whole[:length]
        try:
            with Image.open(io.BytesIO(part)) as image:
                image.load()
            broken = False
        except Exception:
            broken = True
        ours = read_header(io.BytesIO(part)).error or decode_error(io.BytesIO(part))
        if bool(ours) != broken:
            missed.append((length, ours))
    assert missed == []


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}, {}]
)
def test_every_kind_of_jpeg_is_read_to_its_end(options):
    whole = saved("JPEG", (400, 300), quality=90, **options).getvalue()
    assert decode_error(io.BytesIO(whole)) == ""
    for part in (0.3, 0.6, 0.95):
        assert "truncated" in decode_error(io.BytesIO(whole[: int(len(whole) * part)]))


def test_a_jpeg_is_decoded_small(monkeypatch):
    sizes = []
    real = ImageFile.ImageFile.load

    def load(self):
        result = real(self)
        sizes.append(self.size)
        return result

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    for name in ("JPEG", "PNG"):
        assert decode_error(saved(name, (800, 640))) == ""
    assert sizes == [(100, 80), (800, 640)]


def test_memory_is_not_the_files_fault(monkeypatch):
    def load(self):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(MemoryError):
        decode_error(saved("PNG"))


def test_a_failing_drive_is_not_the_files_fault():
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() >= 64:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(OSError, match="Input/output"):
        read_header(Failing(encoded("jpg")))


def test_chunks_of_text_may_not_unpack_without_end():
    text = b"Comment\0\0" + zlib.compress(bytes(80_000_000))
    head = png_claiming(8, 8)
    data = head[:33] + png_chunk(b"zTXt", text) + head[33:]
    assert "too large" in read_header(io.BytesIO(data)).error


# Words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("broken data stream when reading image file"), "broken data stream when reading image file"),
        (OSError(13, "Permission denied"), "Permission denied"),
        (OSError(22, "Invalid argument"), "its parts point to places outside of it"),
        (FileNotFoundError(2, "No such file or directory"), "the file vanished while it was read"),
        (ValueError("cannot read <_io.BytesIO object at 0x7f00aa>."), "cannot read"),
        (struct.error("unpack requires a buffer of 4 bytes"), None),
        (KeyError(7), "its structure is broken (KeyError: 7)"),
        (IndexError(), "its structure is broken (IndexError)"),
        (ValueError(""), "its structure is broken (ValueError)"),
    ],
)
def test_reasons_are_words(error, words):
    expected = words or "its structure is broken (error: unpack requires a buffer of 4 bytes)"
    assert reason_of(error) == expected


def test_every_raster_format_is_a_safe_one():
    assert not images._NEVER & set(images._raster_formats())
