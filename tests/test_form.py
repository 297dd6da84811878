"""A picture's form: what its header tells of depth, frames and colours, its bars, and what a crop takes."""

from __future__ import annotations

import dataclasses
import io
import struct
import zlib
from pathlib import Path

import pytest
from albums import KLEIN, scene
from corpus import png_chunk
from pack_pictures import cmyk_profile, encoded, exif, grey_profile, pack_one, wide_profile
from PIL import Image, ImageCms

from albumkit.facts import FactCache, Measured
from albumkit.images import formats_of_ending, read_header
from albumkit.lint import AlbumResult, lint
from albumkit.opening import open_album
from albumkit.pixels.framing import share_outside, spread_of_mask
from albumkit.rule import find_rule
from albumkit.settings import resolve
from albumkit.trainers import all_trainers

LTX = "fal-ai/ltx23-video-trainer"
LAYERED = "fal-ai/qwen-image-layered-trainer"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def header(data: bytes):
    return read_header(io.BytesIO(data))


def judged(folder: Path, rule: str, reads: str = "archive", trainer: str = KLEIN, **knobs) -> AlbumResult:
    opened = open_album(folder)
    settings = resolve(opened.config, guessed_kind="subject", trainer=trainer, overrides=knobs)
    settings = dataclasses.replace(settings, trainer=dataclasses.replace(settings.trainer, reads=reads))
    measured = Measured(opened.album, FactCache.none())
    return lint(opened, settings, measured, rules=[find_rule(f"example/{rule}")])


def messages(folder: Path, rule: str, **options) -> dict[str, str]:
    """What is said where the trainer reads the folder itself, so that nothing is handled; by path."""
    return {f.path: f.message for f in judged(folder, rule, reads="folder", **options).findings}


def handled(folder: Path, rule: str, **options) -> dict[str, str]:
    result = judged(folder, rule, **options)
    assert not result.findings
    return {h.path: h.words for h in result.handled}


# Headers


@pytest.mark.parametrize(
    ("mode", "format_name", "bits"),
    [
        ("RGB", "PNG", 8),
        ("1", "PNG", 8),
        ("P", "PNG", 8),
        ("I;16", "PNG", 16),
        ("I;16", "TIFF", 16),
        ("I;16", "PPM", 16),
        ("I", "TIFF", 32),
        ("F", "TIFF", 32),
        ("RGB", "TIFF", 8),
        ("L", "JPEG", 8),
    ],
)
def test_bits_a_channel(mode, format_name, bits):
    assert header(encoded(Image.new(mode, (8, 8)), format_name)).bits == bits


def test_sixteen_bits_of_colour_are_told_though_pillow_calls_them_rgb():
    start = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    chunks = (b"IHDR", start), (b"IDAT", zlib.compress(bytes(7))), (b"IEND", b"")
    deep = header(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks))
    assert (deep.mode, deep.bits) == ("RGB", 16)


@pytest.mark.parametrize("format_name", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_frames_are_counted(format_name):
    some = [Image.new("RGB", (40, 30), (shade, 0, 0)) for shade in (0, 90, 180)]
    moving = encoded(some[0], format_name, save_all=True, append_images=some[1:])
    assert header(moving).frames == 3
    assert (header(moving).width, header(moving).height) == (40, 30)
    assert header(encoded(some[0], format_name)).frames == 1


def test_a_phones_by_products_are_no_frames():
    two = encoded(Image.new("RGB", (8, 8)), "MPO", save_all=True, append_images=[Image.new("RGB", (4, 4))])
    assert header(two).frames == 1


@pytest.mark.parametrize(
    ("mode", "save", "alpha"),
    [
        ("RGBA", {}, True),
        ("LA", {}, True),
        ("P", {"transparency": 0}, True),
        ("RGB", {"transparency": (1, 2, 3)}, True),
        ("RGB", {}, False),
        ("P", {}, False),
    ],
)
def test_transparency_is_told_however_it_is_stored(mode, save, alpha):
    assert header(encoded(Image.new(mode, (8, 8)), "PNG", **save)).has_alpha is alpha


def test_a_broken_profile_is_no_foreign_one():
    told = header(encoded(Image.new("RGB", (8, 8)), "JPEG", icc_profile=b"nothing of a profile" * 9))
    assert (told.error, told.profile) == ("", "broken")


# Rules that headers decide


def test_an_ending_that_lies_is_named(tmp_path):
    picture = Image.new("RGB", (40, 30))
    for name, kind in {
        "a.jpg": "WEBP",
        "b.png": "JPEG",
        "c.JPEG": "JPEG",
        "d.jfif": "JPEG",
        "e.apng": "PNG",
        "f.webp": "WEBP",
        "g.jpg": "MPO",
        "h.tiff": "TIFF",
        "i.ico": "PNG",
    }.items():
        (tmp_path / name).write_bytes(encoded(picture, kind))
    assert messages(tmp_path, "extension-mismatch") == {
        "a.jpg": "ends in .jpg, but is WebP.",
        "b.png": "ends in .png, but is JPEG.",
    }
    assert set(handled(tmp_path, "extension-mismatch")) == {"a.jpg", "b.png"}


def test_every_format_that_a_trainer_takes_has_endings():
    taken = {name for t in all_trainers() if t.media.images for name in t.media.images.formats}
    endings = ("jpg", "png", "webp", "avif", "tif", "bmp", "gif", "heic")
    assert taken <= {name for ending in endings for name in formats_of_ending(ending)}


def test_colours_of_another_model(tmp_path):
    (tmp_path / "print.jpg").write_bytes(encoded(Image.new("CMYK", (8, 8)), "JPEG"))
    (tmp_path / "lab.tif").write_bytes(encoded(Image.new("LAB", (8, 8)), "TIFF"))
    for mode in ("RGB", "L", "1"):
        (tmp_path / f"{mode}.png").write_bytes(encoded(Image.new(mode, (8, 8)), "PNG"))
    assert messages(tmp_path, "cmyk-or-lab") == {
        "lab.tif": "its colours are stored as Lab; trainers read RGB.",
        "print.jpg": "its colours are stored as CMYK; trainers read RGB.",
    }
    assert handled(tmp_path, "cmyk-or-lab") == {"lab.tif": "Lab converted", "print.jpg": "CMYK converted"}


def test_sixteen_bits_are_handled_and_floating_point_is_not(tmp_path):
    (tmp_path / "scan.png").write_bytes(encoded(Image.new("I;16", (8, 8)), "PNG"))
    (tmp_path / "render.tif").write_bytes(encoded(Image.new("F", (8, 8)), "TIFF"))
    result = judged(tmp_path, "high-bit-depth")
    assert {h.path: h.words for h in result.handled} == {"scan.png": "16 bits scaled to 8"}
    assert [f.path for f in result.findings] == ["render.tif"]


def test_an_animation_is_noted_and_never_called_handled(tmp_path):
    some = [Image.new("RGB", (40, 30), (shade, 0, 0)) for shade in (0, 90, 180)]
    (tmp_path / "a.gif").write_bytes(encoded(some[0], "GIF", save_all=True, append_images=some[1:]))
    (tmp_path / "b.png").write_bytes(encoded(some[0], "PNG"))
    result = judged(tmp_path, "animated")
    assert [(f.path, f.message) for f in result.findings] == [
        ("a.gif", "holds 3 pictures; only the first is trained.")
    ]


def test_a_profile_is_named_only_when_its_colours_differ(tmp_path):
    picture = scene(1, (64, 48))
    (tmp_path / "wide.jpg").write_bytes(encoded(picture, "JPEG", icc_profile=wide_profile()))
    (tmp_path / "srgb.jpg").write_bytes(encoded(picture, "JPEG", icc_profile=SRGB))
    (tmp_path / "none.jpg").write_bytes(encoded(picture, "JPEG"))
    (tmp_path / "grey.png").write_bytes(encoded(picture.convert("L"), "PNG", icc_profile=grey_profile()))
    # Its profile belongs to CMYK, of which another rule speaks.
    (tmp_path / "cmyk.jpg").write_bytes(encoded(picture.convert("CMYK"), "JPEG", icc_profile=cmyk_profile()))
    assert set(messages(tmp_path, "wide-gamut-profile")) == {"wide.jpg", "grey.png"}
    assert set(handled(tmp_path, "wide-gamut-profile")) == {"wide.jpg", "grey.png"}


def test_what_is_handled_is_what_pack_does(tmp_path):
    """Each fault that lint calls handled, alone in an album, and the change that pack notes for it."""
    picture = scene(1, (64, 48))
    clear = picture.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(picture.size))
    cases = {
        "hidden-pixels-under-alpha": ("a.png", encoded(clear, "PNG"), "transparency filled"),
        "cmyk-or-lab": ("a.jpg", encoded(picture.convert("CMYK"), "JPEG"), "CMYK to RGB"),
        "high-bit-depth": ("a.png", encoded(Image.new("I;16", (64, 48), 700), "PNG"), "16 bits to 8"),
        "wide-gamut-profile": (
            "a.jpg",
            encoded(picture, "JPEG", icc_profile=wide_profile()),
            "colours to sRGB",
        ),
        "extension-mismatch": ("a.png", encoded(picture, "JPEG"), "renamed"),
    }
    for rule, (name, data, change) in cases.items():
        folder = tmp_path / rule
        folder.mkdir()
        (folder / name).write_bytes(data)
        assert set(handled(folder, rule)) == {name}, rule
        packed = pack_one(tmp_path / f"packed_{rule}", name, data)[1]
        assert change in [made.what for made in packed.changes], rule


# Rules that pixels decide


def cut_out(ground: tuple[int, int, int]) -> Image.Image:
    """A scene in the middle of a transparent ground that hides this colour."""
    picture = Image.new("RGB", (96, 64), ground)
    picture.paste(scene(3, (48, 64)), (24, 0))
    alpha = Image.new("L", picture.size)
    alpha.paste(255, (24, 0, 72, 64))
    picture.putalpha(alpha)
    return picture


def test_hidden_colours_are_measured_by_area(tmp_path):
    cut_out((0, 0, 0)).save(tmp_path / "black.png")
    cut_out((255, 255, 255)).save(tmp_path / "white.png")
    scene(4, (96, 64)).convert("RGBA").save(tmp_path / "opaque.png")
    scene(5, (96, 64)).save(tmp_path / "plain.png")
    told = (
        "50.0 % of it looks different when a loader drops its transparency: colours hidden under it appear."
    )
    assert messages(tmp_path, "hidden-pixels-under-alpha") == {"black.png": told}
    assert handled(tmp_path, "hidden-pixels-under-alpha") == {"black.png": "transparency filled"}


def test_layers_are_transparent_on_purpose(tmp_path):
    cut_out((0, 0, 0)).save(tmp_path / "layer.png")
    assert messages(tmp_path, "hidden-pixels-under-alpha", trainer=LAYERED) == {}


def with_bars(top: int, right: int, bottom: int, left: int, tone: int = 0) -> Image.Image:
    inner = scene(6, (320, 240))
    picture = Image.new("RGB", (320 + left + right, 240 + top + bottom), (tone,) * 3)
    picture.paste(inner, (left, top))
    return picture


def test_bars_are_named_by_side_and_tone(tmp_path):
    with_bars(30, 0, 30, 0).save(tmp_path / "film.jpg")
    with_bars(0, 40, 0, 40, 128).save(tmp_path / "pillar.jpg")
    with_bars(10, 20, 12, 8, 250).save(tmp_path / "scan.jpg")
    with_bars(0, 0, 30, 0).save(tmp_path / "one.jpg")
    with_bars(2, 0, 2, 0).save(tmp_path / "thin.jpg")
    with_bars(0, 0, 0, 0).save(tmp_path / "none.jpg")
    said = messages(tmp_path, "letterboxed")
    assert {path: text.partition(" take ")[0] for path, text in said.items()} == {
        "film.jpg": "black bars at top and bottom",
        "pillar.jpg": "grey bars at right and left",
        "scan.jpg": "white bars on all four sides",
    }
    assert said["film.jpg"] == "black bars at top and bottom take 20.0 % of the side."


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_bars_are_told_as_they_are_seen(tmp_path, orientation):
    turned = with_bars(30, 0, 30, 0)
    turned.save(tmp_path / "a.jpg", exif=exif(orientation))
    sides = "top and bottom" if orientation == 3 else "right and left"
    assert f"black bars at {sides}" in messages(tmp_path, "letterboxed")["a.jpg"]


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (17, 17)])
@pytest.mark.parametrize("mode", ["RGB", "L", "1", "RGBA", "P", "CMYK", "I;16", "F", "LA"])
def test_tiny_and_odd_pictures_are_measured_without_a_word(tmp_path, size, mode):
    kind = "TIFF" if mode in ("CMYK", "F") else "PNG"
    (tmp_path / "a.png").write_bytes(encoded(Image.new(mode, size), kind))
    for rule in ("letterboxed", "near-duplicate"):
        result = judged(tmp_path, rule)
        assert (result.findings, result.skipped) == ([], [])


# Shape and crop


def test_the_shape_is_judged_as_it_is_seen(tmp_path):
    scene(7, (600, 200)).save(tmp_path / "wide.jpg", exif=exif(6))
    scene(7, (478, 200)).save(tmp_path / "cinema.jpg")
    assert messages(tmp_path, "extreme-aspect-ratio") == {
        "wide.jpg": "200 x 600: one side is 3.0 times the other."
    }


def with_mask(folder: Path, size: tuple[int, int], white: tuple[int, int, int, int] | None) -> Path:
    """A picture, and its mask with one white rectangle; None: without a mask."""
    folder.mkdir()
    scene(8, size).save(folder / "a.jpg")
    if white is not None:
        (folder / "masks").mkdir()
        mask = Image.new("L", size)
        mask.paste(255, white)
        mask.save(folder / "masks" / "a.png")
    return folder


def test_a_camera_shape_survives_a_square_and_a_screen_does_not(tmp_path):
    assumed = " (assumed: this trainer does not say how it crops)."
    assert messages(with_mask(tmp_path / "a", (300, 200), None), "cropped-by-bucket") == {}
    assert messages(with_mask(tmp_path / "b", (320, 180), None), "cropped-by-bucket") == {}
    tall = with_mask(tmp_path / "c", (180, 390), None)
    assert messages(tall, "cropped-by-bucket") == {
        "a.jpg": f"cropped to 1:1, 54 % of the picture is lost{assumed}"
    }


def test_the_crop_is_that_of_the_knob(tmp_path):
    album = with_mask(tmp_path / "a", (320, 240), None)
    assert messages(album, "cropped-by-bucket", trainer=LTX) == {}
    assert messages(album, "cropped-by-bucket", trainer=LTX, aspect_ratio="9:16") == {
        "a.jpg": "cropped to 9:16, 58 % of the picture is lost."
    }
    tall = with_mask(tmp_path / "b", (180, 390), None)
    assert messages(tall, "cropped-by-bucket", trainer="local") == {}  # buckets of its own
    assert messages(tall, "cropped-by-bucket", trainer="fal-ai/flux-lora-portrait-trainer") == {}
    assert messages(tall, "cropped-by-bucket", trainer=LTX, aspect_ratio="9:16") == {}


def test_a_mask_tells_what_matters(tmp_path):
    middle = with_mask(tmp_path / "a", (400, 180), (150, 20, 250, 160))
    assert messages(middle, "cropped-by-bucket") == {}  # more than half is lost, and none of the subject
    edge = with_mask(tmp_path / "b", (300, 200), (0, 20, 100, 160))
    assert messages(edge, "cropped-by-bucket", trainer="local", aspect_ratio="1:1") == {
        "a.jpg": "cropped to 1:1, 50 % of the subject is lost."
    }
    empty = with_mask(tmp_path / "c", (400, 180), (0, 0, 0, 0))
    assert messages(empty, "cropped-by-bucket") == {}


def test_a_broken_mask_is_skipped_and_told(tmp_path):
    album = with_mask(tmp_path / "a", (300, 200), (0, 0, 9, 9))
    (album / "masks" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nand then nothing")
    (skipped,) = judged(album, "cropped-by-bucket").skipped
    assert skipped.reason.startswith("its mask cannot be read: ")


def test_a_mask_is_spread_over_columns_and_rows_upright():
    mask = Image.new("L", (100, 50))
    mask.paste(255, (0, 0, 50, 50))
    spread = spread_of_mask(io.BytesIO(encoded(mask, "PNG")))
    assert sum(spread["columns"][:32]) == pytest.approx(1000, abs=1)
    assert max(spread["rows"]) == pytest.approx(1000 / 64, abs=0.1)
    lying = encoded(mask.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif(6))
    assert spread_of_mask(io.BytesIO(lying)) == spread
    clear = Image.new("LA", (100, 50), (255, 0))
    assert spread_of_mask(io.BytesIO(encoded(clear, "PNG")))["columns"] == []


@pytest.mark.parametrize(
    ("parts", "kept", "outside"),
    [
        ([1, 1, 1, 1], 1.0, 0.0),
        ([1, 1, 1, 1], 0.5, 0.5),
        ([0, 1, 1, 0], 0.5, 0.0),
        ([1, 0, 0, 1], 0.5, 1.0),
        ([1, 0, 0, 0], 0.75, 0.5),
        ([], 0.5, 0.0),
    ],
)
def test_what_lies_outside_of_a_crop(parts, kept, outside):
    assert share_outside(parts, kept) == pytest.approx(outside)
