"""Metadata cut out of JPEG, PNG and WebP without touching a pixel."""

from __future__ import annotations

import struct

import pytest
from corpus import png_chunk
from pack_pictures import decoded, encoded, exif, pack_one, quarters
from PIL import Image, ImageCms, PngImagePlugin

from albumkit.errors import PackRefused
from albumkit.pack.strip import Irregular, strip_metadata

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><secret/></x:xmpmeta>'


def noisy() -> Image.Image:
    """A picture whose compressed data hold about every byte, stuffed ones included."""
    return Image.merge("RGB", [Image.effect_noise((97, 61), 90 + i) for i in range(3)])


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def full_jpeg(**save) -> bytes:
    """A JPEG with everything that a camera, an editor and a phone leave in one."""
    data = encoded(
        noisy(),
        "JPEG",
        quality=90,
        exif=exif(1, location=True),
        icc_profile=SRGB,
        comment=b"secret",
        xmp=XMP,
        **save,
    )
    extra = segment(0xED, b"Photoshop 3.0\0secret") + segment(0xE2, b"MPF\0secret") + segment(0xE5, b"secret")
    return data[:2] + extra + data[2:] + b"a second picture, secret"


def scans(data: bytes) -> bytes:
    """Everything from the first start of scan to the end of the picture."""
    return data[data.index(b"\xff\xda") : data.rindex(b"\xff\xd9") + 2]


@pytest.mark.parametrize(
    "save", [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"subsampling": 2}], ids=str
)
def test_a_jpeg_keeps_its_pixels_to_the_bit(save):
    data = full_jpeg(**save)
    bare, dropped = strip_metadata(data, "JPEG")
    assert decoded(bare).tobytes() == decoded(data).tobytes()
    assert scans(bare) == scans(data[: -len(b"a second picture, secret")])
    assert b"secret" not in bare
    assert b"ICC_PROFILE" not in bare
    assert set(decoded(bare).info) <= {
        "jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression",
    }  # fmt: skip
    assert {"Exif", "XMP", "IPTC", "comment", "sRGB profile", "second picture", "trailing data"} <= set(
        dropped
    )
    assert strip_metadata(bare, "JPEG") == (bare, ())


def test_adobes_segment_stays_because_it_says_how_colours_are_stored():
    data = encoded(noisy(), "JPEG", keep_rgb=True, exif=exif())
    assert b"Adobe" in data
    bare, _ = strip_metadata(data, "JPEG")
    assert b"Adobe" in bare
    assert decoded(bare).tobytes() == decoded(data).tobytes()


def test_thumbnails_in_jfif_go_and_jfif_stays():
    data = encoded(noisy(), "JPEG")
    assert data[2:4] == b"\xff\xe0"
    thumb = segment(0xE0, data[6:18] + b"\x01\x01" + b"abc")
    bare, dropped = strip_metadata(data[:2] + thumb + segment(0xE0, b"JFXX\0\x10") + data[20:], "JPEG")
    assert (bare, dropped) == (data, ("thumbnail",))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"\0" + data[1:],
        lambda data: data[:2] + b"\0" + data[2:],
        lambda data: data[:2] + b"\xff\xe1\xff\xff" + data[2:200],
        lambda data: data[:2] + b"\xff\xe1\x00\x00" + data[2:],
        lambda data: data[:-2],
        lambda data: data[:3],
    ],
)
def test_a_jpeg_that_is_built_otherwise_is_irregular(spoil):
    with pytest.raises(Irregular):
        strip_metadata(spoil(encoded(quarters(), "JPEG")), "JPEG")


def test_markers_without_a_body_and_fill_bytes_pass():
    data = encoded(noisy(), "JPEG")
    odd = data[:2] + b"\xff\x01" + b"\xff\xff\xff" + data[2:]
    assert strip_metadata(odd, "JPEG") == (odd, ())


def full_png() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "secret prompt")
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    text.add_text("long", "secret" * 50, zip=True)
    data = encoded(
        noisy(), "PNG", exif=exif(1, location=True), icc_profile=SRGB, pnginfo=text, dpi=(300, 300)
    )
    extra = png_chunk(b"tIME", b"\x07\xea\x01\x01\x00\x00\x00") + png_chunk(b"caBX", b"secret")
    end = data.index(b"IEND") - 4
    return data[:end] + extra + data[end:] + b"secret"


def test_a_png_keeps_its_pixels_to_the_bit():
    data = full_png()
    bare, dropped = strip_metadata(data, "PNG")
    assert decoded(bare).tobytes() == decoded(data).tobytes()
    assert b"secret" not in bare
    assert set(decoded(bare).info) == {"dpi"}
    assert set(dropped) == {"Exif", "text", "time", "sRGB profile", "caBX chunk", "trailing data"}
    assert strip_metadata(bare, "PNG") == (bare, ())


def test_chunks_that_say_how_a_png_looks_stay():
    data = encoded(quarters().quantize(4), "PNG", transparency=1)
    head_end = data.index(b"PLTE") - 4
    chunks = png_chunk(b"gAMA", struct.pack(">I", 45455)) + png_chunk(b"cICP", b"\x01\x0d\x00\x01")
    data = data[:head_end] + chunks + data[head_end:]
    assert strip_metadata(data, "PNG") == (data, ())


@pytest.mark.parametrize("spoil", [lambda d: d[1:], lambda d: d[:-30], lambda d: d[:-12]])
def test_a_png_that_is_cut_is_irregular(spoil):
    with pytest.raises(Irregular):
        strip_metadata(spoil(encoded(noisy(), "PNG")), "PNG")


@pytest.mark.parametrize("save", [{"lossless": True}, {"quality": 80}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_webp_keeps_its_pixels_to_the_bit(save, mode):
    picture = noisy().convert(mode)
    if mode == "RGBA":
        picture.putalpha(Image.effect_noise(picture.size, 50))
    data = (
        encoded(picture, "WEBP", exif=exif(1, location=True), xmp=XMP, icc_profile=SRGB, **save) + b"secret"
    )
    bare, dropped = strip_metadata(data, "WEBP")
    assert decoded(bare).tobytes() == decoded(data).tobytes()
    assert decoded(bare).mode == mode
    assert b"secret" not in bare
    assert set(decoded(bare).info) <= {"background", "timestamp", "duration", "loop"}
    assert set(dropped) == {"Exif", "XMP", "sRGB profile", "trailing data"}
    assert struct.unpack_from("<I", bare, 4)[0] == len(bare) - 8
    assert bare[20] & 0x2C == 0  # what VP8X announces
    assert strip_metadata(bare, "WEBP") == (bare, ())


def test_a_simple_webp_is_as_it_was():
    data = encoded(noisy(), "WEBP")
    assert strip_metadata(data, "WEBP") == (data, ())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: b"X" + d[1:],
        lambda d: d[:-40],
        lambda d: d[:16] + b"\xff\xff\xff\x0f" + d[20:],
        lambda d: d[:9],
    ],
)
def test_a_webp_that_is_cut_is_irregular(spoil):
    with pytest.raises(Irregular):
        strip_metadata(spoil(encoded(noisy(), "WEBP")), "WEBP")


@pytest.mark.parametrize(("kind", "data"), [("jpg", full_jpeg()), ("png", full_png())])
def test_in_the_archive_a_clean_copy_stands_and_the_place_is_gone(tmp_path, kind, data):
    made, file, name = pack_one(tmp_path, f"a.{kind}", data)
    assert (name, file.how) == (f"a.{kind}", "cleaned")
    assert [change.what for change in file.changes] == ["location removed"]
    assert "Exif" in file.changes[0].why
    assert decoded(made).tobytes() == decoded(data).tobytes()
    assert b"secret" not in made


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_carries_nothing_is_copied_byte_for_byte(tmp_path, kind):
    data = encoded(noisy(), kind)
    made, file, _ = pack_one(tmp_path, f"a.{kind.lower()}", data)
    assert made == data
    assert (file.how, file.changes, file.sha256) == ("copied", (), file.source_sha256)


def test_a_png_whose_checksum_is_wrong_is_refused(tmp_path):
    data = bytearray(encoded(noisy(), "PNG"))
    data[data.index(b"IHDR") + 18] ^= 1
    with pytest.raises(PackRefused, match=r"a\.png"):
        pack_one(tmp_path, "a.png", bytes(data))
