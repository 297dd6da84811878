"""Masks: 8-bit grey, upright, in the size of their picture."""

from __future__ import annotations

import contextlib

import pytest
from corpus import png_claiming
from pack_pictures import UNTURN, decoded, encoded, exif
from PIL import Image, PngImagePlugin

from albumkit.pack.model import Unpackable
from albumkit.pack.pixels import make_mask
from albumkit.pack.recipe import inspect_mask


def mask_of(data: bytes, size=(48, 32), ending="png") -> tuple[Image.Image, str, list[str]]:
    inspect_mask(data, size)
    made, how, changes = make_mask(data, size, ending)
    return decoded(made), how, [change.what for change in changes]


def test_masks_become_grey_of_eight_bits():
    left = Image.new("L", (48, 32))
    left.paste(255, (0, 0, 24, 32))
    grey = encoded(left, "PNG")
    assert make_mask(grey, (48, 32), "png") == (grey, "copied", ())
    for picture in (
        left.convert("1"),
        left.convert("RGB"),
        left.convert("P"),
        left.convert("I").convert("RGB"),
    ):
        made, how, changes = mask_of(encoded(picture, "PNG"))
        assert (made.mode, made.tobytes(), how, changes) == ("L", left.tobytes(), "encoded", ["mask to grey"])
    white = Image.new("RGBA", (48, 32), (255, 255, 255, 0))
    white.putalpha(left)
    assert mask_of(encoded(white, "PNG"))[0].tobytes() == left.tobytes()
    seen = encoded(left, "PNG", transparency=0)
    assert mask_of(seen)[0].tobytes() == left.tobytes()
    deep = left.convert("I").point(lambda v: v * 257).convert("I;16")
    assert mask_of(encoded(deep, "PNG"))[0].tobytes() == left.tobytes()


def test_masks_lose_metadata_without_being_encoded():
    text = PngImagePlugin.PngInfo()
    text.add_text("author", "me")
    made, how, _ = mask_of(encoded(Image.new("L", (48, 32), 9), "PNG", pnginfo=text))
    assert (how, made.info) == ("cleaned", {})


def test_masks_are_turned_scaled_and_put_into_the_trainers_format():
    left = Image.new("L", (96, 64))
    left.paste(255, (0, 0, 48, 64))
    turned = encoded(left.transpose(UNTURN[6]), "PNG", exif=exif(6))
    made, _, changes = mask_of(turned)
    assert (made.size, changes) == ((48, 32), ["mask scaled"])
    assert (made.getpixel((4, 16)), made.getpixel((44, 16))) == (255, 0)
    made, _, _ = mask_of(encoded(left, "PNG"), (96, 64), "jpg")
    assert (made.format, made.mode) == ("JPEG", "L")


def test_masks_that_do_not_fit_are_refused():
    with pytest.raises(Unpackable, match="32x48 for a picture that is 48x32 when upright"):
        inspect_mask(encoded(Image.new("L", (32, 48)), "PNG"), (48, 32))
    with pytest.raises(Unpackable, match="not a picture"):
        inspect_mask(b"nothing of the kind", (48, 32))
    with pytest.raises(Unpackable, match="3600 megapixels: too large for a mask"):
        inspect_mask(png_claiming(60000, 60000), (48, 32))
    for width, fits in ((103, False), (101, True), (99, True), (97, False)):  # two in a hundred are rounding
        data = encoded(Image.new("L", (width, 100)), "PNG")
        with contextlib.nullcontext() if fits else pytest.raises(Unpackable, match="for a picture that is"):
            assert inspect_mask(data, (1000, 1000)) == 1000 * 1000  # it will be as large as its picture
    assert inspect_mask(encoded(Image.new("L", (300, 200)), "PNG"), (48, 32)) == 300 * 200
    cut = encoded(Image.effect_noise((48, 32), 90), "PNG")[:-200]
    with pytest.raises(Unpackable):
        make_mask(cut, (48, 32), "png")
    with pytest.raises(Unpackable, match="outside of 16 bits"):
        make_mask(encoded(Image.new("I", (48, 32), 70000), "TIFF"), (48, 32), "png")
