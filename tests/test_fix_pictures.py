"""Fixes of pictures: positions out of their metadata, JPEGs turned upright; pixels never change."""

from __future__ import annotations

import io
import struct
import types
import zlib
from pathlib import Path

import pytest
from albums import scene
from fix_albums import apply, exif, jpeg, picture, put
from PIL import ExifTags, Image, features

from albumkit.fix import turn
from albumkit.fix.draft import Cannot
from albumkit.fix.exif import Exif, NotExif
from albumkit.fix.location import without_location
from albumkit.images import open_image, read_header
from albumkit.pack.strip import jpeg_segments

XMP = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r">'
    b'<rdf:Description exif:GPSLatitude="52,31.2N" tiff:Make="ACME" drone-dji:GpsLongitude=\'13\'>'
    b"<exif:GPSAltitude>12/1</exif:GPSAltitude><dc:title>GPS walk</dc:title>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def located(data: bytes) -> bool:
    return read_header(io.BytesIO(data)).has_location


def opened(data: bytes) -> Image.Image:
    image = open_image(io.BytesIO(data))
    image.load()
    return image


def png_with(*chunks: tuple[bytes, bytes], behind: bool = False) -> bytes:
    """A PNG with chunks before (or behind) its pixels."""
    data = picture("PNG", 7)
    at = data.index(b"IEND") - 4 if behind else 33
    extra = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return data[:at] + extra + data[at:]


def tiff_block() -> bytes:
    return exif(gps=True).tobytes().removeprefix(b"Exif\0\0")


def loaded(block: Image.Exif) -> Image.Exif:
    """As read from a file, which is how Pillow's TIFF writer wants it."""
    read = Image.Exif()
    read.load(block.tobytes())
    return read


def raw_profile(body: bytes) -> bytes:
    block = b"Exif\0\0" + body
    lines = b"\n".join(block.hex().encode()[i : i + 72] for i in range(0, 2 * len(block), 72))
    return b"\nexif\n%8d\n%s\n" % (len(block), lines)


KINDS = {
    "jpeg": lambda: jpeg(5, exif=exif(gps=True)),
    "jpeg with xmp": lambda: jpeg(5, exif=exif(gps=True), xmp=XMP),
    "progressive": lambda: jpeg(5, exif=exif(gps=True), progressive=True),
    "webp": lambda: picture("WEBP", 5, exif=exif(gps=True)),
    "webp with xmp": lambda: picture("WEBP", 5, xmp=XMP, lossless=True),
    "tiff": lambda: picture("TIFF", 5, exif=loaded(exif(gps=True))),
    "png": lambda: picture("PNG", 5, exif=exif(gps=True)),
    "png, exif behind": lambda: png_with((b"eXIf", tiff_block()), behind=True),
    "png, xmp": lambda: png_with((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
    "png, packed xmp": lambda: png_with((b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP))),
    "png, ImageMagick": lambda: png_with((b"tEXt", b"Raw profile type exif\0" + raw_profile(tiff_block()))),
    "png, ImageMagick packed": lambda: png_with(
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(tiff_block())))
    ),
}
KINDS["heic"] = (Path(__file__).parent / "data" / "phone.heic").read_bytes
if features.check("avif"):
    KINDS["avif"] = lambda: picture("AVIF", 5, exif=exif(gps=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_position_goes_and_everything_else_stays(kind):
    data = KINDS[kind]()
    assert located(data) or kind == "png, exif behind"
    new = without_location(data)
    assert new != data
    assert not located(new)
    assert b"GPSLatitude" not in new
    old_image, new_image = opened(data), opened(new)
    assert new_image.tobytes() == old_image.tobytes()
    old_exif, new_exif = old_image.getexif(), new_image.getexif()
    assert ExifTags.Base.GPSInfo not in new_exif
    assert {k: v for k, v in old_exif.items() if k != ExifTags.Base.GPSInfo} == dict(new_exif)
    if "packed xmp" not in kind and "packed" not in kind.split(", ")[-1]:
        assert len(new) == len(data)
    assert struct.pack("<2d", 52.0, 31.0) not in new


def test_the_numbers_of_the_position_are_overwritten():
    data = jpeg(5, exif=exif(gps=True))
    start = data.index(b"Exif\0\0") + 6
    block = Image.Exif()
    block.load(data[start:])
    numbers = struct.pack(">2I", 52, 1) if data[start : start + 2] == b"MM" else struct.pack("<2I", 52, 1)
    assert numbers in data
    assert numbers not in without_location(data)


def test_xmp_keeps_what_tells_no_place():
    new = without_location(jpeg(5, xmp=XMP))
    assert b'tiff:Make="ACME"' in new
    assert b"<dc:title>GPS walk</dc:title>" in new
    assert b"52,31" not in new
    assert b"Altitude" not in new
    assert len(new) == len(jpeg(5, xmp=XMP))


def test_maker_notes_keep_their_offsets():
    block = exif(gps=True)
    block[0x8769] = {0x927C: b"MAKER" * 40, 0x9003: "2026:11:25 04:31:00"}
    data = jpeg(5, exif=block)
    new = without_location(data)
    assert new.index(b"MAKERMAKER") == data.index(b"MAKERMAKER")
    assert opened(new).getexif().get_ifd(0x8769) == opened(data).getexif().get_ifd(0x8769)


def test_a_second_picture_behind_the_first_loses_its_position_too():
    data = jpeg(5, exif=exif(gps=True)) + jpeg(6, exif=exif(gps=True))
    new = without_location(data)
    assert len(new) == len(data)
    assert not located(new[len(data) // 2 :])


def test_a_picture_without_position_is_left_alone(tmp_path):
    data = jpeg(5, exif=exif(), xmp=XMP.replace(b"GPS", b"FPS").replace(b"Gps", b"Fps"))
    assert without_location(data) == data
    cat = put(tmp_path / "cat", {"a.jpg": data})
    assert apply(cat, {"location": ["a.jpg"]}).changes == ()


def test_extended_xmp_is_refused():
    data = jpeg(5, exif=exif(gps=True))
    body = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + XMP
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    with pytest.raises(Cannot, match="extended XMP"):
        without_location(data[:2] + segment + data[2:])


@pytest.mark.parametrize("cut", [0, 3, 40, 200])
def test_broken_pictures_raise_nothing_else(cut):
    data = jpeg(5, exif=exif(gps=True))[:cut]
    with pytest.raises(Cannot):
        without_location(data)


def test_blocks_that_point_anywhere_are_refused():
    for value in (b"", b"II*\0", b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0\xff\xff"):
        with pytest.raises(NotExif):
            Exif(bytearray(value)).remove_location()
    circle = bytearray(b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0")
    assert Exif(circle).remove_location() is False


def test_a_gps_block_that_reaches_into_the_pixels_is_refused():
    """A crafted length would have us overwrite what follows; the picture is compared afterwards."""
    data = bytearray(picture("TIFF", 5, exif=loaded(exif(gps=True))))
    block = Exif(data)
    entry = block._find(block.first, 0x8825)
    gps = block._long(entry + 8)
    latitude = block._find(gps, 2)
    block._put(latitude + 4, struct.pack("<I", 12))
    block._put(latitude + 8, struct.pack("<I", 8))
    with pytest.raises(Cannot):
        without_location(bytes(data))


# Turning. Nothing of this needs the extra, but for the tests that turn.

needs_turner = pytest.mark.skipif(turn.find_turner() is None, reason="jpegtran is not installed")


def lying(orientation: int, size: tuple[int, int] = (64, 48), **save: object) -> bytes:
    block = exif(orientation, gps=True)
    block[0x8769] = {0xA002: size[0], 0xA003: size[1], 0x927C: b"MAKER" * 20}
    out = io.BytesIO()
    save.setdefault("quality", 90)
    scene(3, size).save(out, "JPEG", exif=block, **save)
    return out.getvalue()


@needs_turner
@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("save", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 50}])
def test_a_jpeg_stands_up_without_loss(orientation, save):
    data = lying(orientation, **save)
    new = turn.make_upright(data)
    header = read_header(io.BytesIO(new))
    assert header.orientation == 1
    assert header.progressive == ("progressive" in save)
    assert (header.width, header.height) == ((48, 64) if orientation >= 5 else (64, 48))
    old_exif, new_exif = opened(data).getexif(), opened(new).getexif()
    assert new_exif[0x010F] == "ACME"
    assert new_exif.get_ifd(0x8825) == old_exif.get_ifd(0x8825)
    inner = new_exif.get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003]) == (header.width, header.height)
    assert inner[0x927C] == b"MAKER" * 20
    assert len(new) < 1.05 * len(data)


@needs_turner
def test_there_and_back_is_the_same_file():
    turner = turn.find_turner()
    data = turn.make_upright(lying(6))
    back = turner(turner(data, "ROT270", False), "ROT90", False)
    assert back == turner(data, "NONE", False)


@needs_turner
def test_the_metadata_of_a_turned_picture():
    data = lying(
        6, xmp=XMP.replace(b'tiff:Make="ACME"', b'tiff:Orientation="6"'), comment=b"hello", dpi=(72, 96)
    )
    new = turn.make_upright(data)
    assert b'tiff:Orientation="1"' in new
    assert opened(new).info["comment"] == b"hello"
    assert [m for m, *_ in jpeg_segments(new) if 0xE0 <= m <= 0xEF or m == 0xFE] == [
        m for m, *_ in jpeg_segments(data) if 0xE0 <= m <= 0xEF or m == 0xFE
    ]
    assert opened(new).info.get("jfif_density") in (None, opened(data).info.get("jfif_density", ())[::-1])


@needs_turner
@pytest.mark.parametrize("size", [(64, 50), (66, 50)])
def test_a_strip_is_never_lost(size):
    with pytest.raises(Cannot, match=rf"{size[0]} x {size[1]} is no whole number of JPEG blocks"):
        turn.make_upright(lying(6, size))


@needs_turner
def test_what_would_no_longer_fit_is_refused():
    with pytest.raises(Cannot, match="something follows its picture"):
        turn.make_upright(lying(6) + b"a second picture")
    data = lying(6)
    mpf = b"\xff\xe2\x00\x08MPF\0II"
    with pytest.raises(Cannot, match="a second picture"):
        turn.make_upright(data[:2] + mpf + data[2:])


@needs_turner
def test_a_jpeg_of_an_album_stands_up(tmp_path):
    cat = put(tmp_path / "cat", {"a.jpg": lying(6), "b.jpg": lying(1)})
    plan = apply(cat, {"rotate": ["a.jpg", "b.jpg"]})
    assert [edit.path for edit in plan.edits] == ["a.jpg"]
    assert read_header(io.BytesIO((cat / "a.jpg").read_bytes())).orientation == 1


def test_the_thumbnail_lies_as_the_picture_did_and_goes():
    """Built by hand: Pillow writes no thumbnails."""
    first = struct.pack("<HHHIHH", 1, 0x0112, 3, 1, 6, 0) + struct.pack("<I", 26)
    second = (
        struct.pack("<H", 2) + struct.pack("<HHII", 0x0201, 4, 1, 56) + struct.pack("<HHII", 0x0202, 4, 1, 8)
    )
    block = bytearray(b"II*\0\x08\0\0\0" + first + second + struct.pack("<I", 0))
    block += b"THUMBNAI"
    Exif(block).set_upright(swap=True)
    assert b"THUMB" not in block
    read = Image.Exif()
    read.load(bytes(block))
    assert read[0x0112] == 1
    assert not read.get_ifd(ExifTags.IFD.IFD1)
    assert len(block) == 64


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_other_formats_are_left_to_pack(kind):
    with pytest.raises(Cannot, match="only a JPEG can be turned without encoding it anew; albumkit pack"):
        turn.make_upright(picture(kind, 3, exif=exif(6)))


def test_without_anything_to_turn_with_the_line_that_helps_is_said(monkeypatch):
    monkeypatch.setattr(turn, "find_turner", lambda: None)
    with pytest.raises(Cannot, match="apt install libjpeg-turbo-progs"):
        turn.make_upright(lying(6))


def test_a_turner_that_loses_something_is_found_out(monkeypatch):
    """Encoding anew with Pillow looks right and is not without loss."""

    def lossy(data: bytes, operation: str, progressive: bool) -> bytes:
        out = io.BytesIO()
        turns = {"ROT90": Image.Transpose.ROTATE_270, "ROT270": Image.Transpose.ROTATE_90}
        image = opened(data)
        (image.transpose(turns[operation]) if operation in turns else image).save(out, "JPEG", quality=70)
        return out.getvalue()

    monkeypatch.setattr(turn, "find_turner", lambda: lossy)
    with pytest.raises(Cannot, match="would not have been without loss"):
        turn.make_upright(lying(6))


def test_a_turner_that_turns_the_wrong_way_is_found_out(monkeypatch):
    monkeypatch.setattr(turn, "find_turner", lambda: lambda data, *_: data)
    with pytest.raises(Cannot, match="does not look like the upright one"):
        turn.make_upright(lying(6, (64, 64)))


def test_the_program_is_asked_for_a_perfect_turn(monkeypatch, tmp_path):
    words = []

    def run(command: list[str], **_: object) -> object:
        words.extend(command)
        return types.SimpleNamespace(returncode=1, stdout=b"", stderr=b"transformation is not perfect\n")

    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("subprocess.run", run)
    turn.find_turner.cache_clear()
    try:
        with pytest.raises(Cannot, match="no whole number of JPEG blocks"):
            turn.make_upright(lying(6))
    finally:
        turn.find_turner.cache_clear()
    assert words == ["/bin/jpegtran", "-copy", "none", "-optimize", "-perfect", "-rotate", "90"]
