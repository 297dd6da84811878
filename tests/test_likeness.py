"""Pictures that look alike: what counts as the same shot, which one is named, and what many of them cost."""

from __future__ import annotations

import base64
import random
import shutil
from pathlib import Path

import pytest
from albums import KLEIN, good_album, scene
from pack_pictures import encoded, exif
from PIL import Image, ImageEnhance, ImageFilter

from albumkit.facts import FactCache, Measured
from albumkit.lint import AlbumResult, lint
from albumkit.opening import open_album
from albumkit.pixels import align, likeness
from albumkit.pixels.likeness import most_alike, thumbnail_and_detail
from albumkit.pixels.picture import Picture
from albumkit.rule import find_rule
from albumkit.settings import resolve

RULE = "example/near-duplicate"
SIZE = (400, 300)
BOX = Path(__file__).parent.parent / "sample_albums" / "cookie_box"


def judged(folder: Path) -> AlbumResult:
    opened = open_album(folder)
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=KLEIN)
    return lint(opened, settings, Measured(opened.album, FactCache.none()), rules=[find_rule(RULE)])


def alike(folder: Path) -> dict[str, tuple[str, ...]]:
    """Path of a near duplicate -> the other files of the finding."""
    result = judged(folder)
    assert result.skipped == []
    return {f.path: f.paths[1:] for f in result.findings}


def shot(seed: int) -> Image.Image:
    """A scene without its pixel noise, as a lens would draw it."""
    return scene(seed, SIZE).filter(ImageFilter.GaussianBlur(1))


def facts(picture: Image.Image, **save) -> dict:
    return thumbnail_and_detail(Picture.decode(encoded(picture, "JPEG", **save)))


CHANGES = {
    "scaled": lambda p: p.resize((200, 150)),
    "enlarged": lambda p: p.resize((1600, 1200)),
    "darker": lambda p: ImageEnhance.Brightness(p).enhance(0.6),
    "grey": lambda p: p.convert("L"),
    "softer": lambda p: p.filter(ImageFilter.GaussianBlur(2)),
    "cropped": lambda p: p.crop((16, 9, 388, 291)),
    "cropped on one side": lambda p: p.crop((0, 0, 372, 300)),
    "a hand's move": lambda p: p.rotate(1, Image.Resampling.BICUBIC).crop((12, 9, 392, 291)),
    "squeezed": lambda p: p.resize((300, 300)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_done_to_a_copy_does_not_hide_it(tmp_path, change):
    shot(1).save(tmp_path / "a.png")
    CHANGES[change](shot(1)).save(tmp_path / "b.jpg", quality=70)
    shot(2).save(tmp_path / "c.jpg")
    found = alike(tmp_path)
    assert len(found) == 1
    assert {*found, *next(iter(found.values()))} == {"a.png", "b.jpg"}


def test_a_turn_that_exif_notes_is_followed(tmp_path):
    shot(3).save(tmp_path / "a.png")
    shot(3).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "b.jpg", exif=exif(6))
    shot(3).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "c.jpg")  # lies on its side for everybody
    assert alike(tmp_path) == {"b.jpg": ("a.png",)}


def test_different_scenes_are_different(tmp_path):
    assert alike(good_album(tmp_path / "cat")) == {}


def test_one_thing_in_one_room_is_many_pictures():
    """Frames of one clip: the room stands still, the box is held differently."""
    assert alike(BOX) == {}


def test_a_thing_that_moved_in_a_room_that_did_not(tmp_path):
    """As a whole the two are as alike as a copy and its crop; only part by part they are not."""
    room, thing = shot(1), shot(2).resize((90, 70))
    for number, at in enumerate([(60, 100), (230, 150)]):
        picture = room.copy()
        picture.paste(thing, at)
        picture.save(tmp_path / f"{number}.jpg")
    assert alike(tmp_path) == {}


def test_the_sharpest_of_a_burst_is_named(tmp_path):
    for name, blur in {"a": 3, "b": 0, "c": 1.5}.items():
        shot(1).filter(ImageFilter.GaussianBlur(blur)).save(tmp_path / f"{name}.jpg")
    found = judged(tmp_path).findings
    assert sorted(f.path for f in found) == ["a.jpg", "c.jpg"]
    for finding in found:
        assert finding.paths[1] == "b.jpg"
        assert "% like b.jpg, which is at least as sharp." in finding.message


def test_of_two_that_are_as_sharp_the_larger_stays(tmp_path):
    shot(3).save(tmp_path / "b.png")
    shot(3).resize((360, 270), Image.Resampling.LANCZOS).save(tmp_path / "a.png")
    assert alike(tmp_path) == {"a.png": ("b.png",)}


def test_what_is_left_when_all_findings_are_left_out_is_not_alike(tmp_path):
    for number in range(6):
        shifted = shot(1).crop((number, 0, 380 + number, 300))
        shifted.filter(ImageFilter.GaussianBlur(0.8 * number)).save(tmp_path / f"{number}.png")
    for path in alike(tmp_path):
        (tmp_path / path).unlink()
    assert [p.name for p in tmp_path.iterdir()] == ["0.png"]


def test_equal_files_are_left_to_the_rule_of_their_own(tmp_path):
    shot(3).save(tmp_path / "a.jpg")
    shutil.copy(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert alike(tmp_path) == {}
    shot(3).save(tmp_path / "c.png")
    assert alike(tmp_path) == {"a.jpg": ("c.png",)}


def test_a_pair_is_alike_on_purpose(tmp_path):
    shot(1).save(tmp_path / "v_start.png")
    ImageEnhance.Color(shot(1)).enhance(0.2).save(tmp_path / "v_end.png")
    assert alike(tmp_path) == {}


def test_pictures_without_shapes_are_not_compared(tmp_path):
    for name in "abc":
        Image.new("RGB", SIZE, (200, 200, 200)).save(tmp_path / f"{name}.png")
    Image.new("RGB", SIZE, (201, 200, 200)).save(tmp_path / "d.png")
    assert alike(tmp_path) == {}


def test_a_broken_picture_is_nobodys_double(tmp_path):
    shot(1).save(tmp_path / "a.jpg")
    data = encoded(shot(1), "JPEG", quality=60)
    (tmp_path / "b.jpg").write_bytes(data[: len(data) // 2])
    (tmp_path / "c.jpg").write_bytes(b"nothing")
    assert alike(tmp_path) == {}


# The measurement


def test_detail_follows_sharpness_and_neither_size_nor_light():
    sharp = shot(1).resize((1200, 900), Image.Resampling.LANCZOS)
    detail = facts(sharp)["detail"]
    assert facts(sharp.filter(ImageFilter.GaussianBlur(8)))["detail"] < 0.8 * detail
    assert facts(sharp.resize((2400, 1800)))["detail"] == pytest.approx(detail, rel=0.1)
    assert facts(ImageEnhance.Brightness(sharp).enhance(0.5))["detail"] == pytest.approx(detail, rel=0.1)


def test_a_thumbnail_is_a_kilobyte():
    thumbnail = facts(shot(1))["thumbnail"]
    assert len(base64.b64decode(thumbnail)) == align.SIDE**2


def test_the_order_decides_who_is_compared_with_whom():
    one, two = facts(shot(1))["thumbnail"], facts(shot(2))["thumbnail"]
    found = most_alike([one, two, one, one])
    assert [(a.likeness, a.others) for a in found] == [(0, ()), (0, ()), (100, (0,)), (100, (0, 2))]
    assert most_alike([]) == []
    assert [a.others for a in most_alike([one])] == [()]


def test_blocks_and_batches_change_nothing(monkeypatch):
    dice = random.Random(5)
    shots = [facts(shot(seed))["thumbnail"] for seed in range(12)]
    many = [shots[dice.randrange(12)] for _ in range(60)]
    whole = most_alike(many)
    assert sum(a.likeness == 100 for a in whole) == 60 - len(set(many))
    monkeypatch.setattr(likeness, "_CELLS", 7 * 60)
    monkeypatch.setattr(align, "_AT_ONCE", 5)
    assert [a.likeness for a in most_alike(many)] == [a.likeness for a in whole]


def test_noise_of_one_kind_is_not_one_picture():
    """Gravel beside gravel: every part differs, all of them equally."""
    sheets = []
    for seed in range(8):
        raw = random.Random(seed).randbytes(40 * 30)
        sheets.append(Image.frombytes("L", (40, 30), raw).resize(SIZE, Image.Resampling.BICUBIC))
    assert max(a.likeness for a in most_alike([facts(s)["thumbnail"] for s in sheets])) < 60
