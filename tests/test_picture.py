"""A decoded picture as the measurements see it: its memory borrowed, its lines picked."""

from __future__ import annotations

import gc
import io

import numpy as np
import pytest
from PIL import Image

from albumkit.pixels.picture import LOOKED_AT, Picture
from albumkit.pixels.sharpness import edge_width


def picture(size: tuple[int, int], mode: str = "L") -> tuple[Picture, Image.Image]:
    """Noise, and the same as PNG opened by albumkit."""
    image = Image.effect_noise(size, 60).convert(mode)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return Picture.decode(stream.getvalue()), image


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_grey_is_what_pillow_makes_of_it(mode):
    seen, image = picture((61, 47), mode)
    assert np.array_equal(seen.grey, np.asarray(image.convert("RGB").convert("L")))
    assert not seen.grey.flags.writeable


def test_grey_lives_longer_than_its_picture():
    seen, image = picture((300, 200))
    grey = seen.grey[10:20, 5:]
    del seen
    gc.collect()
    others = [picture((300, 200))[0].grey for _ in range(20)]
    assert np.array_equal(grey, np.asarray(image)[10:20, 5:])
    assert len(others) == 20


def test_memory_in_several_pieces_is_copied():
    usual = Image.core.get_block_size()
    Image.core.set_block_size(4096)
    try:
        seen, image = picture((300, 200))
        with pytest.raises(ValueError, match="contiguous"):
            seen.image.__arrow_c_array__()
        assert np.array_equal(seen.grey, np.asarray(image))
    finally:
        Image.core.set_block_size(usual)


@pytest.mark.parametrize("size", [(40, 30), (400, 300), (1024, 1024), (1600, 1200), (1999, 300)])
def test_as_many_pixels_are_looked_at_whatever_the_size(size):
    seen, _ = picture(size)
    height, width = seen.grey.shape
    for lines, whole in ((seen.rows, width), (seen.columns, height)):
        assert whole in lines.shape
        assert min(seen.grey.size, LOOKED_AT) <= lines.size < 2 * LOOKED_AT + whole
    assert np.array_equal(seen.rows[1], seen.grey[seen.spacing])
    assert np.array_equal(seen.columns[:, 1], seen.grey[:, seen.spacing])


@pytest.mark.parametrize(("side", "found"), [(16, {}), (48, {"edge_width": 1.0})])
def test_a_small_thing_on_an_empty_ground_is_sharp_and_a_speck_tells_nothing(side, found):
    image = Image.new("L", (1024, 1024), 200)
    image.paste(20, (500, 500, 500 + side, 500 + side))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    assert edge_width(Picture.decode(stream.getvalue())) == found
