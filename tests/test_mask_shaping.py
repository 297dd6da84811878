"""Growing, feathering, cutting off and inverting masks, and their size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from albumkit.mask.shaping import AS_FOUND, Shaping, encode_mask, shape_mask
from albumkit.pixels.grow import grow

SIZE = (800, 600)


def found(radius: int = 60, soft: float = 0.0) -> Image.Image:
    """A white disc in the middle of 320 x 320, which lie over 800 x 600 pixels."""
    image = Image.new("L", (320, 320))
    ImageDraw.Draw(image).ellipse((160 - radius, 160 - radius, 160 + radius, 160 + radius), fill=255)
    return image.filter(ImageFilter.GaussianBlur(soft)) if soft else image


def white(mask: Image.Image) -> int:
    return int((np.asarray(mask) >= 128).sum())


def widths(mask: Image.Image) -> tuple[int, int]:
    """White pixels along the middle row and column."""
    pixels = np.asarray(mask) >= 128
    return int(pixels[mask.height // 2].sum()), int(pixels[:, mask.width // 2].sum())


@pytest.mark.parametrize("radius", [1, 2, 5, 12, 40])
def test_a_point_grows_to_an_octagon_as_large_as_the_disc(radius):
    point = np.zeros((101, 101), dtype=np.uint8)
    point[50, 50] = 200
    grown = grow(point, radius)
    y, x = np.nonzero(grown)
    assert grown.max() == 200
    assert (x.min(), x.max(), y.min(), y.max()) == (50 - radius, 50 + radius, 50 - radius, 50 + radius)
    far = np.hypot(x - 50, y - 50).max()
    assert radius <= far <= 1.1 * radius + 1
    true = sum((i - 50) ** 2 + (j - 50) ** 2 <= (radius + 0.25) ** 2 for i in range(101) for j in range(101))
    assert len(x) / true == pytest.approx(1, abs=0.1)


def test_what_grows_and_shrinks_keeps_its_soft_edge():
    soft = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    for radius in (3, -3):
        moved = grow(soft, radius)
        inner = slice(8, -8)
        assert np.array_equal(moved[:, inner], np.roll(soft, -radius, axis=1)[:, inner])


def test_growing_does_not_run_out_of_the_picture():
    corner = np.zeros((20, 30), dtype=np.uint8)
    corner[0, 0] = 255
    grown = grow(corner, 4)
    assert grown.shape == corner.shape
    assert not grown[10:].any()
    assert not grown[:, 15:].any()


def test_per_cent_are_of_the_longer_side():
    plain = widths(shape_mask(found(), SIZE, AS_FOUND))
    for grow_by in (2.0, -2.0):
        wider = widths(shape_mask(found(), SIZE, Shaping(grow=grow_by)))
        moved = [(new - old) / 2 for new, old in zip(wider, plain, strict=True)]
        assert moved == pytest.approx([grow_by * 8, grow_by * 8], abs=1.5)
    large = widths(shape_mask(found(), (4000, 3000), Shaping(grow=2)))[0]
    small = widths(shape_mask(found(), SIZE, Shaping(grow=2)))[0]
    assert large == pytest.approx(5 * small, rel=0.02)


def test_a_threshold_leaves_black_and_white_at_the_full_size():
    soft = found(soft=8)
    mask = shape_mask(soft, SIZE, Shaping(threshold=0.5))
    assert {value for value, count in enumerate(mask.histogram()) if count} == {0, 255}
    shares = [white(shape_mask(soft, SIZE, Shaping(threshold=t))) for t in (0.2, 0.5, 0.8)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 1.2 * shares[2]


def test_growing_and_cutting_off_may_change_places():
    soft = found(soft=8)
    hard = soft.point([255 if value >= 128 else 0 for value in range(256)])
    one = np.asarray(shape_mask(soft, SIZE, Shaping(grow=3, threshold=0.5))) > 0
    two = np.asarray(shape_mask(hard, SIZE, Shaping(grow=3, threshold=0.5))) > 0
    assert (one != two).mean() < 0.003


def test_feathering_softens_also_what_was_cut_off():
    for shaping in (Shaping(feather=2), Shaping(feather=2, threshold=0.5)):
        row = np.asarray(shape_mask(found(), SIZE, shaping))[300].astype(int)
        ramp = np.flatnonzero((row[:400] > 25) & (row[:400] < 230))
        # A Gaussian edge rises from 10 to 90 % within 2.56 standard deviations: 16 pixels here.
        assert len(ramp) == pytest.approx(2.56 * 16, rel=0.2)
        assert (
            abs(white(shape_mask(found(), SIZE, shaping)) / white(shape_mask(found(), SIZE, AS_FOUND)) - 1)
            < 0.05
        )


def test_inverting_comes_last():
    for shaping in (Shaping(), Shaping(threshold=0.3), Shaping(grow=2, feather=1)):
        plain = np.asarray(shape_mask(found(soft=4), SIZE, shaping)).astype(int)
        inverted = Shaping(shaping.grow, shaping.feather, shaping.threshold, invert=True)
        assert (np.asarray(shape_mask(found(soft=4), SIZE, inverted)) + plain == 255).all()


def test_a_mask_is_never_larger_than_albumkit_decodes():
    assert shape_mask(found(), (8001, 8001), AS_FOUND).size == (4001, 4001)


def test_words_are_the_options():
    assert AS_FOUND.words == ""
    assert Shaping(1.5, 0.5, 0.4, True).words == "--grow 1.5 --feather 0.5 --threshold 0.4 --invert"


def test_a_mask_is_encoded_as_grey_png():
    assert encode_mask(found())[:8] == b"\x89PNG\r\n\x1a\n"
    assert encode_mask(found())[24:26] == b"\x08\x00"  # 8 bits, grey
