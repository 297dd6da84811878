"""What pack does to the pixels of a picture, and where it leaves them alone."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pi_heif
import pytest
from corpus import png_chunk, png_claiming
from pack_pictures import (
    BLUE,
    GREEN,
    GREY,
    LTX,
    RED,
    UNTURN,
    cmyk_profile,
    corners,
    decoded,
    encoded,
    exif,
    grey_profile,
    is_close,
    pack_one,
    quarters,
    wide_profile,
)
from PIL import Image, ImageCms

from albumkit.colour import judge_profile
from albumkit.errors import PackRefused
from albumkit.images import read_header
from albumkit.pack.model import Unpackable
from albumkit.pack.pixels import make_picture
from albumkit.pack.recipe import inspect

COLOURS = [RED, GREEN, BLUE, GREY]
ACCEPTED = ("JPEG", "PNG", "WEBP")
LOSSLESS = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}, "AVIF": {"quality": 95}}


def whats(file) -> list[str]:
    return [change.what for change in file.changes]


def made_of(data: bytes, accepted=ACCEPTED) -> tuple[Image.Image, list[str]]:
    recipe = inspect(data, "a.x", accepted, "#ffffff")
    picture = decoded(make_picture(data, recipe, (255, 255, 255)))
    assert picture.size == (recipe.width, recipe.height)
    return picture, [change.what for change in recipe.changes]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_of_every_format_comes_out_upright(tmp_path, kind, orientation):
    stored = quarters()
    if orientation > 1:
        stored = stored.transpose(UNTURN[orientation])
    data = encoded(stored, kind, exif=exif(orientation), **LOSSLESS.get(kind, {}))
    made, file, _ = pack_one(tmp_path, f"a.{kind.lower()}", data)
    picture = decoded(made)
    assert picture.size == (48, 32) == (file.width, file.height)
    assert is_close(corners(picture), COLOURS)
    assert ("turned upright" in whats(file)) == (orientation > 1)
    assert not picture.getexif()


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path):
    data = encoded(quarters().transpose(UNTURN[6]), "PNG", exif=exif(6, location=True))
    at = data.index(b"eXIf") - 4
    end = at + 12 + struct.unpack_from(">I", data, at)[0]
    tail = data.index(b"IEND") - 4
    late = data[:at] + data[end:tail] + data[at:end] + data[tail:]
    made, file, _ = pack_one(tmp_path, "a.png", late)
    assert is_close(corners(decoded(made)), COLOURS)
    assert whats(file) == ["turned upright", "location removed"]


def test_a_heic_becomes_a_jpeg_that_looks_the_same(tmp_path):
    source = (Path(__file__).parent / "data" / "hopper.heic").read_bytes()
    made, file, name = pack_one(tmp_path, "IMG_1.HEIC", source)
    assert (name, whats(file)[0]) == ("IMG_1.jpg", "HEIC to JPEG")
    wanted = pi_heif.read_heif(io.BytesIO(source)).to_pillow().convert("RGB")
    found = decoded(made)
    differences = [abs(a - b) for a, b in zip(wanted.tobytes(), found.tobytes(), strict=True)]
    assert found.format == "JPEG"
    assert sum(differences) / len(differences) < 2


def test_encoded_jpegs_keep_their_colour_resolution(tmp_path):
    made, _, _ = pack_one(tmp_path, "a.jpg", encoded(quarters(), "JPEG", exif=exif(3)))
    assert all(layer[1:3] == (1, 1) for layer in decoded(made).layer)


@pytest.mark.parametrize(
    ("kind", "save", "name", "what"),
    [
        ("BMP", {}, "a.png", "BMP to PNG"),
        ("TIFF", {}, "a.png", "TIFF to PNG"),
        ("TIFF", {"compression": "jpeg"}, "a.jpg", "TIFF to JPEG"),
        ("GIF", {}, "a.png", "GIF to PNG"),
        ("AVIF", {}, "a.jpg", "AVIF to JPEG"),
    ],
)
def test_a_format_that_is_not_taken_becomes_one_that_is(tmp_path, kind, save, name, what):
    made, file, new = pack_one(tmp_path, f"a.{kind.lower()}", encoded(quarters(), kind, **save))
    assert (new, whats(file)) == (name, [what])
    assert is_close(corners(decoded(made)), COLOURS, 10)
    assert "JPEG, PNG, WebP" in file.changes[0].why


@pytest.mark.parametrize(("save", "name"), [({"lossless": True}, "a.png"), ({"quality": 90}, "a.jpg")])
def test_webp_follows_how_it_was_compressed_where_it_is_not_taken(tmp_path, save, name):
    _, _, new = pack_one(tmp_path, "a.webp", encoded(quarters(), "WEBP", **save), LTX)
    assert new == name


def test_an_accepted_webp_that_must_be_turned_says_why_it_is_no_webp_any_more(tmp_path):
    _, file, _ = pack_one(tmp_path, "a.webp", encoded(quarters(), "WEBP", exif=exif(8)))
    assert (file.changes[0].what, file.changes[0].why) == ("WebP to JPEG", "its pixels had to change")


def test_a_wide_gamut_profile_is_converted_and_taken_out(tmp_path):
    data = encoded(quarters(), "PNG", icc_profile=wide_profile())
    made, file, _ = pack_one(tmp_path, "a.png", data)
    picture = decoded(made)
    wanted = ImageCms.profileToProfile(
        quarters(),
        ImageCms.ImageCmsProfile(io.BytesIO(wide_profile())),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert is_close(corners(picture), corners(wanted), 1)
    assert corners(picture)[0][0] > RED[0] + 10  # its red lies further out than sRGB's
    assert is_close(corners(picture)[3], GREY, 3)
    assert whats(file) == ["colours to sRGB"]
    assert "icc_profile" not in picture.info


def test_srgb_by_any_maker_is_recognised_by_its_colours():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert judge_profile(srgb, "RGB").verdict == "srgb"
    assert judge_profile(srgb, "L").verdict == "srgb"
    assert judge_profile(wide_profile(), "RGB").verdict == "convert"
    assert judge_profile(grey_profile(), "L").verdict == "convert"
    assert judge_profile(cmyk_profile(), "CMYK").verdict == "convert"


@pytest.mark.parametrize(
    ("icc", "mode"),
    [(b"no profile", "RGB"), (wide_profile()[:140], "RGB"), (cmyk_profile(), "RGB"), (grey_profile(), "RGB")],
)
def test_a_profile_that_cannot_be_used_is_broken(icc, mode):
    assert judge_profile(icc, mode).verdict == "broken"


def test_an_unusable_profile_is_cut_out_and_named():
    data = encoded(quarters(), "JPEG", icc_profile=b"no profile at all" * 20)
    picture, changes = made_of(data)
    assert changes == ["unusable profile removed"]
    assert picture.tobytes() == decoded(data).tobytes()
    assert "icc_profile" not in picture.info


def test_a_profile_that_fails_only_when_it_is_used_is_a_reason(monkeypatch):
    data = encoded(quarters(), "PNG", icc_profile=wide_profile())
    recipe = inspect(data, "a.png", ACCEPTED, "#ffffff")

    def fail(*_):
        raise ImageCms.PyCMSError("no transform")

    monkeypatch.setattr("albumkit.colour.to_srgb", fail)
    with pytest.raises(Unpackable, match="its colour profile cannot be applied: no transform"):
        make_picture(data, recipe, (0, 0, 0))


def test_grey_with_a_profile_of_its_own_is_converted():
    ramp = Image.frombytes("L", (16, 16), bytes(range(256)))
    for picture in (ramp, Image.merge("LA", (ramp, Image.new("L", (16, 16), 255)))):
        found, changes = made_of(encoded(picture, "PNG", icc_profile=grey_profile(1.0)))
        assert changes[0] == "colours to sRGB"
        assert is_close(found.getpixel((8, 4)), (145, 145, 145), 3)  # 72 of 255 in linear light


def test_cmyk_without_and_with_a_profile():
    inks = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    plain, changes = made_of(encoded(inks, "JPEG", quality=95))
    assert changes == ["CMYK to RGB"]
    assert plain.mode == "RGB"
    assert is_close(plain.getpixel((5, 5)), (255, 0, 0), 12)
    pressed, changes = made_of(encoded(inks, "TIFF", icc_profile=cmyk_profile()))
    assert changes == ["TIFF to PNG", "colours to sRGB", "CMYK to RGB"]
    red, green, blue = pressed.getpixel((5, 5))
    assert max(red, green, blue) - min(red, green, blue) <= 3  # that press prints only grey


def test_lab_becomes_rgb():
    lab = ImageCms.profileToProfile(
        quarters(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    picture, changes = made_of(encoded(lab, "TIFF"))
    assert changes == ["TIFF to PNG", "Lab to RGB"]
    assert is_close(corners(picture), COLOURS, 10)  # eight bits of Lab are coarse


def deep_grey() -> Image.Image:
    """0, 128 (a half of one of 255 levels), the middle and white, of 65535."""
    return Image.frombytes("I;16", (4, 1), struct.pack("<4H", 0, 128, 32896, 65535))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(kind):
    picture, changes = made_of(encoded(deep_grey(), kind))
    assert "16 bits to 8" in changes
    assert [picture.getpixel((x, 0)) for x in range(4)] == [(v, v, v) for v in (0, 0, 128, 255)]


def test_sixteen_bit_grey_with_a_transparent_value_is_scaled_too():
    picture, changes = made_of(encoded(deep_grey(), "PNG", transparency=0))
    assert changes == ["16 bits to 8", "transparency filled"]
    assert [picture.getpixel((x, 0))[0] for x in range(4)] == [255, 0, 128, 255]


def test_a_png_of_sixteen_bits_a_colour_is_seen():
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    row = b"\0" + struct.pack(">6H", 0, 32896, 65535, 65535, 0, 257)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(row)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)
    picture, changes = made_of(data)
    assert changes == ["16 bits to 8"]
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(0, 128, 255), (255, 0, 1)]


@pytest.mark.parametrize(("values", "grey"), [((0.0, 0.5, 1.0), [0, 128, 255]), ((0.0, 2.0, 1.0), None)])
def test_floating_point_is_scaled_where_its_range_is_known(values, grey):
    data = encoded(Image.frombytes("F", (3, 1), struct.pack("<3f", *values)), "TIFF")
    if grey is None:
        with pytest.raises(Unpackable, match="floating point values lie outside of 0 to 1"):
            made_of(data)
    else:
        picture, _ = made_of(data)
        assert [picture.getpixel((x, 0))[0] for x in range(3)] == grey


@pytest.mark.parametrize("value", [70000, -5])
def test_whole_numbers_beyond_sixteen_bits_are_refused(value):
    data = encoded(Image.new("I", (3, 2), value), "TIFF")
    with pytest.raises(Unpackable, match="outside of 16 bits"):
        made_of(data)


def test_palette_one_bit_and_grey():
    picture, changes = made_of(encoded(quarters().quantize(8), "PNG"))
    assert (picture.mode, changes) == ("RGB", ["palette to RGB"])
    assert is_close(corners(picture), COLOURS)
    picture, changes = made_of(encoded(quarters().convert("1"), "PNG"))
    assert (picture.mode, changes) == ("RGB", ["1 bit to 8"])
    grey = encoded(quarters().convert("L"), "JPEG")
    picture, changes = made_of(grey)
    assert (picture.mode, changes) == ("L", [])  # every trainer reads grey of 8 bits


def half_transparent(mode: str) -> Image.Image:
    picture = quarters().convert("RGBA")
    picture.putalpha(Image.new("L", picture.size, 0))
    picture.paste((*RED, 255), (0, 0, 24, 16))
    picture.paste((*GREEN, 128), (24, 0, 48, 16))
    return picture.convert(mode)


@pytest.mark.parametrize("background", ["#ffffff", "black"])
def test_transparent_parts_show_the_background_not_what_is_hidden(tmp_path, background):
    made, file, _ = pack_one(
        tmp_path, "a.png", encoded(half_transparent("RGBA"), "PNG"), background=background
    )
    shade = 255 if background == "#ffffff" else 0
    half = tuple((v * 128 + shade * 127) // 255 for v in GREEN)
    assert is_close(corners(decoded(made)), [RED, half, (shade,) * 3, (shade,) * 3], 2)
    assert whats(file) == ["transparency filled"]
    assert ("#ffffff" if shade else "#000000") in file.changes[0].why


def test_transparency_of_grey_palette_webp_and_gif():
    picture, _ = made_of(encoded(half_transparent("LA"), "PNG"))
    assert corners(picture)[2] == (255, 255, 255)
    palette = quarters().quantize(8)
    hidden = palette.getpixel((4, 20))
    for kind in ("PNG", "GIF"):
        picture, changes = made_of(encoded(palette, kind, transparency=hidden))
        assert "transparency filled" in changes
        assert is_close(corners(picture), [RED, GREEN, (255, 255, 255), GREY])
    picture, _ = made_of(encoded(half_transparent("RGBA"), "WEBP", lossless=True))
    assert is_close(corners(picture)[0], RED)
    picture, _ = made_of(encoded(quarters(), "PNG", transparency=BLUE))
    assert is_close(corners(picture), [RED, GREEN, (255, 255, 255), GREY])


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF"])
def test_an_animation_gives_its_first_picture(tmp_path, kind):
    save = {"save_all": True, "append_images": [Image.new("RGB", (48, 32))], **LOSSLESS.get(kind, {})}
    made, file, _ = pack_one(tmp_path, f"a.{kind.lower()}", encoded(quarters(), kind, **save))
    picture = decoded(made)
    assert is_close(corners(picture), COLOURS)
    assert getattr(picture, "n_frames", 1) == 1
    assert "first picture kept" in whats(file)
    assert (file.how == "cleaned") == (kind == "PNG")


def test_a_phones_multi_picture_jpeg_is_its_first_picture_untouched(tmp_path):
    data = encoded(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (48, 32))])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    made, file, _ = pack_one(tmp_path, "a.jpg", data)
    picture = decoded(made)
    assert (picture.format, file.how) == ("JPEG", "cleaned")
    assert "second picture" in file.changes[0].why
    assert picture.tobytes() == decoded(data).tobytes()


def test_the_jpeg_comment_does_not_survive_encoding(tmp_path):
    data = encoded(quarters(), "JPEG", comment=b"secret", exif=exif(3))
    made, _, _ = pack_one(tmp_path, "a.jpg", data)
    assert b"secret" not in made
    assert set(decoded(made).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def large(monkeypatch, pixels: int) -> None:
    monkeypatch.setattr("albumkit.pack.recipe.MOST_PIXELS", pixels)


def test_a_jpeg_beyond_the_limit_is_halved_only_where_pixels_must_change(tmp_path, monkeypatch):
    large(monkeypatch, 1000)
    stored = quarters(61, 41).transpose(UNTURN[6])
    made, file, _ = pack_one(tmp_path, "a.jpg", encoded(stored, "JPEG", exif=exif(6), quality=95))
    assert decoded(made).size == (31, 21) == (file.width, file.height)
    assert is_close(corners(decoded(made)), COLOURS, 10)
    assert whats(file) == ["turned upright", "metadata removed", "scaled to half"]
    untouched = encoded(quarters(), "JPEG")
    assert make_picture(untouched, inspect(untouched, "a", ACCEPTED, "#fff"), (0, 0, 0)) == untouched


@pytest.mark.parametrize(("kind", "save"), [("PNG", {}), ("JPEG", {"progressive": True})])
def test_other_pictures_beyond_the_limit_are_refused(tmp_path, monkeypatch, kind, save):
    large(monkeypatch, 1000)
    with pytest.raises(PackRefused, match=r"a\.\w+ \(0 megapixels: more than"):
        pack_one(tmp_path, f"a.{kind.lower()}", encoded(quarters(), kind, **save))


def test_broken_bombs_and_raw_files_are_refused_with_their_reason():
    with pytest.raises(Unpackable, match="3600 megapixels: more than Pillow opens"):
        inspect(png_claiming(60000, 60000), "a.png", ACCEPTED, "#fff")
    with pytest.raises(Unpackable, match="camera RAW"):
        inspect(b"II*\0 nothing", "a.cr2", ACCEPTED, "#fff")
    with pytest.raises(Unpackable):
        inspect(encoded(quarters(), "JPEG")[:30], "a.jpg", ACCEPTED, "#fff")
    with pytest.raises(Unpackable, match="neither JPEG nor PNG"):
        inspect(encoded(quarters(), "BMP"), "a.bmp", ("WEBP",), "#fff")


@pytest.mark.parametrize(("kind", "save"), [("JPEG", {}), ("PNG", {}), ("JPEG", {"exif": exif(6)})])
def test_a_truncated_picture_is_refused_by_name(tmp_path, kind, save):
    data = encoded(Image.effect_noise((200, 200), 90).convert("RGB"), kind, **save)
    with pytest.raises(PackRefused, match=r"a\.\w+ \("):
        pack_one(tmp_path, f"a.{kind.lower()}", data[: len(data) * 2 // 3])


def test_an_irregular_file_is_encoded_anew(tmp_path):
    data = encoded(quarters(), "JPEG", quality=95)
    at = data.index(b"\xff\xdb")
    made, file, _ = pack_one(tmp_path, "a.jpg", data[:at] + b"\0\0" + data[at:])
    assert (file.how, whats(file)) == ("encoded", ["encoded anew"])
    assert is_close(corners(decoded(made)), COLOURS)


def test_pixels_that_come_out_in_another_size_are_noticed():
    data = encoded(quarters(), "BMP")
    recipe = inspect(data, "a.bmp", ACCEPTED, "#fff")
    with pytest.raises(Unpackable, match="decodes to 20x20, not 48x32"):
        make_picture(encoded(quarters(20, 20), "BMP"), recipe, (0, 0, 0))


def test_the_written_picture_needs_nothing_more():
    """Packing what was packed changes nothing."""
    for kind, save in (("JPEG", {"exif": exif(5)}), ("PNG", {}), ("TIFF", {})):
        picture = half_transparent("RGBA") if kind == "PNG" else quarters()
        data = encoded(picture, kind, **save)
        once = make_picture(data, inspect(data, "a", ACCEPTED, "#fff"), (255, 255, 255))
        again = inspect(once, "a", ACCEPTED, "#fff")
        assert (again.how, again.changes) == ("copied", ())
        assert read_header(io.BytesIO(once)).orientation == 1
