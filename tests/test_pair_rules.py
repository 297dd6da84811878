"""Rules of edit pairs, on albums of made pictures."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from albums import scene
from measuring import age
from PIL import Image, ImageFilter, ImageOps

from albumkit.facts import FactCache
from albumkit.pixels import registration
from albumkit.workflows import lint_paths

KLEIN = "fal-ai/flux-2-klein-9b-base-trainer/edit"
KONTEXT = "fal-ai/flux-kontext-trainer"
NEW = {
    "pair/size-differs",
    "pair/identical",
    "pair/misaligned",
    "pair/too-many-references",
    "pair/reference-gap",
}
SIZE = (512, 384)


def night(image: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(image) * (0.3, 0.4, 0.7)).astype(np.uint8))


def window(seed: int, right: int = 0, down: int = 0, size: tuple[int, int] = SIZE) -> Image.Image:
    """A part of a made scene; windows of one seed show the same things, moved."""
    return scene(seed, (800, 600)).crop((right, down, right + size[0], down + size[1]))


def grain(seed: int) -> Image.Image:
    """A picture like no other, without the grid on which scenes are made."""
    levels = np.random.default_rng(seed).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    return Image.fromarray(levels).filter(ImageFilter.GaussianBlur(3))


def write_pair(folder: Path, root: str, start: Image.Image, end: Image.Image, **save) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    start.save(folder / f"{root}_start.png", **save)
    end.save(folder / f"{root}_end.png")
    (folder / f"{root}.txt").write_text("make it night")


def write_toml(album: Path, more: str = "", trainer: str = KLEIN) -> None:
    (album / "album.toml").write_text(
        f'[album]\nkind = "edit"\ntrigger_phrase = ""\n{more}\n[train]\ntrainer = "{trainer}"\n'
    )


def found(album: Path, **options) -> list[tuple[str, str, str]]:
    result = lint_paths([album], cache=FactCache.none(), **options).albums[0]
    return [(f.rule, f.path, f.message) for f in result.findings if f.rule in NEW]


def skipped(album: Path) -> list[tuple[str, str, str]]:
    result = lint_paths([album], cache=FactCache.none()).albums[0]
    return [(s.rule, s.path, s.reason) for s in result.skipped if s.rule in NEW]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three good pairs: day and night."""
    for number in range(3):
        day = window(number)
        write_pair(tmp_path / "p", f"a{number}", day, night(day))
    write_toml(tmp_path / "p")
    return tmp_path / "p"


def test_good_pairs_get_silence(album):
    assert found(album) == []
    assert skipped(album) == []


# size-differs


def test_another_size_is_told(album):
    write_pair(album, "b", window(9), window(9, size=(512, 300)))
    expected = "start 512 x 384, end 512 x 300: 28.0 % apart"
    assert found(album) == [("pair/size-differs", "b_end.png", expected)]


def test_a_start_of_half_the_size_is_told(album):
    day = window(9)
    write_pair(album, "b", day.resize((256, 192)), night(day))
    assert [(rule, path) for rule, path, _ in found(album)] == [("pair/size-differs", "b_end.png")]


def test_a_pixel_less_is_no_other_size(album):
    day = window(9)
    write_pair(album, "b", day, night(day.crop((0, 0, 511, 383))))
    assert found(album) == []


def test_sizes_are_compared_upright(album):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    day = window(9)
    write_pair(album, "b", day.rotate(90, expand=True), night(day), exif=exif)
    assert found(album) == []
    assert registration.compare(*streams(album, "b"))["shift"] == [0.0, 0.0]


def test_a_pair_that_teaches_geometry_may_change_its_frame(album):
    write_pair(album, "b", window(9), night(window(9, 40, 20)))
    write_pair(album, "c", window(8), night(window(8, size=(600, 500))))
    assert {rule for rule, _, _ in found(album)} == {"pair/misaligned", "pair/size-differs"}
    write_toml(album, 'edit = "geometry"')
    assert found(album) == []
    assert skipped(album) == []


# identical


def test_the_same_file_twice(album):
    shutil.copy(album / "a0_start.png", album / "a0_end.png")
    expected = "start and end are the same picture (pixel for pixel)."
    assert found(album) == [("pair/identical", "a0_end.png", expected)]
    assert lint_paths([album], cache=FactCache.none()).albums[0].count("error") == 1


def test_nearly_the_same_picture_in_another_format(album):
    day = window(9)
    write_pair(album, "b", day, day)
    day.point(lambda level: min(255, level + 1)).save(album / "b_end.webp", lossless=True)
    (album / "b_end.png").unlink()
    expected = "start and end are the same picture (nowhere more than 1.0 of 255 apart)."
    assert found(album) == [("pair/identical", "b_end.webp", expected)]


def test_a_small_retouch_is_a_change(album):
    day = window(9)
    retouched = day.copy()
    retouched.paste((128, 128, 128), (200, 200, 225, 225))
    write_pair(album, "b", day, retouched)
    assert found(album) == []


# misaligned


@pytest.mark.parametrize(("right", "down"), [(8, 4), (24, 0), (0, -16), (-40, 30)])
def test_a_shift_is_measured_through_the_change(album, right, down):
    write_pair(album, "b", window(9, 60, 60), night(window(9, 60 - right, 60 - down)))
    words = [f"{abs(right)} px {'right' if right > 0 else 'left'}"] if right else []
    words += [f"{abs(down)} px {'down' if down > 0 else 'up'}"] if down else []
    percent = round((right**2 + down**2) ** 0.5 / 5.12, 2)
    ((rule, path, message),) = found(album)
    assert (rule, path) == ("pair/misaligned", "b_end.png")
    assert message.startswith(f"the end lies {' and '.join(words)} of the start (")
    assert float(message.split("(")[1].split(" %")[0]) == pytest.approx(percent, abs=0.06)


def test_a_shift_is_told_in_pixels_of_the_file(tmp_path):
    big = scene(3, (1700, 1300))
    for name, at in (("start", 0), ("end", 24)):
        big.crop((at, 0, at + 1600, 1200)).save(tmp_path / f"b_{name}.png")
    shift = registration.compare(*streams(tmp_path, "b"))["shift"]
    assert shift == pytest.approx([-24, 0], abs=1)


@pytest.mark.parametrize("change", [night, ImageOps.invert, ImageOps.grayscale, lambda image: image])
def test_aligned_pairs_have_no_shift(change):
    for seed in range(4):
        day = window(seed)
        assert compared(day, change(day))["shift"] == [0.0, 0.0]


def test_pictures_with_nothing_in_common_are_not_passed(album):
    write_pair(album, "b", grain(1), grain(2))
    assert found(album) == []
    assert skipped(album) == [
        (
            "pair/misaligned",
            "b_end.png",
            "start and end have too few edges in common to tell whether one is shifted",
        )
    ]


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (20, 20), (37, 29)])
@pytest.mark.parametrize("mode", ["L", "RGB", "1", "P", "RGBA", "I;16"])
def test_odd_pictures_crash_nothing(size, mode):
    image = Image.new(mode, size)
    facts = compared(image, image)
    assert (facts["error"], facts["difference"], facts["same_shape"]) == ("", 0.0, True)
    assert facts["shift"] in (None, [0.0, 0.0])


def test_a_broken_side_is_another_fault(album):
    data = (album / "a0_start.png").read_bytes()
    (album / "a0_start.png").write_bytes(data[: len(data) // 2])
    (album / "a1_start.png").write_bytes(b"")
    (album / "a2_end.png").unlink()
    assert found(album) == []
    assert skipped(album) == []


def test_a_pointer_is_not_passed(album):
    (album / "a0_start.png").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n"
    )
    rules = {rule for rule, _, reason in skipped(album) if "git lfs pull" in reason}
    assert rules == {"pair/size-differs", "pair/identical", "pair/misaligned"}


def test_a_clip_as_a_side_is_no_picture(album):
    shutil.move(album / "a0_start.png", album / "a0_start.mp4")
    assert found(album) == []


def test_comparisons_come_out_of_the_cache(album, monkeypatch):
    write_pair(album, "b", window(9), night(window(9, 40, 20)))
    age(album)
    first = lint_paths([album], cache=FactCache()).albums[0]
    monkeypatch.setattr(registration, "compare", None)
    again = lint_paths([album], cache=FactCache()).albums[0]
    assert [f.message for f in again.findings] == [f.message for f in first.findings]
    assert "pair/misaligned" in {f.rule for f in again.findings}
    known = lint_paths([album], cache=FactCache(), cost="header").albums[0]
    assert "pair/misaligned" in {f.rule for f in known.findings}


def test_header_runs_leave_pixels_out(album):
    shutil.copy(album / "a0_start.png", album / "a0_end.png")
    result = lint_paths([album], cache=FactCache.none(), cost="header").albums[0]
    assert {"pair/identical", "pair/misaligned"} <= set(result.left_out)


# References


def add_references(album: Path, root: str, *numbers: int) -> None:
    for number in numbers:
        window(number + 40).save(album / f"{root}_start{number}.png")


def test_more_references_than_the_trainer_takes(album):
    add_references(album, "a1", 2, 3, 4)
    assert found(album) == []
    add_references(album, "a1", 5)
    expected = f"4 pictures beside the start; {KLEIN} takes 3. Too many: a1_start5."
    assert found(album) == [("pair/too-many-references", "a1_end.png", expected)]


def test_a_trainer_of_plain_pairs_takes_none(album):
    add_references(album, "a1", 2)
    expected = f"1 picture beside the start; {KONTEXT} takes 0. Too many: a1_start2."
    assert found(album, trainer=KONTEXT) == [("pair/too-many-references", "a1_end.png", expected)]


def test_a_trainer_without_pairs_is_told_elsewhere(album):
    add_references(album, "a1", 2)
    assert found(album, trainer="fal-ai/flux-2-klein-9b-base-trainer") == []


def test_a_number_left_out(album):
    add_references(album, "a0", 2, 3)
    add_references(album, "a1", 3)
    add_references(album, "a2", 2, 4)
    assert found(album) == [
        (
            "pair/reference-gap",
            "a1_end.png",
            "a1_start2 is missing, a1_start3 is there and would take its place.",
        ),
        (
            "pair/reference-gap",
            "a2_end.png",
            "a2_start3 is missing, a2_start4 is there and would take its place.",
        ),
    ]


def test_folders_of_pairs_leave_no_number_out(tmp_path):
    for side, seed in (("target", 0), ("control", 1), ("control_2", 2), ("control_10", 3)):
        (tmp_path / side).mkdir()
        window(seed).save(tmp_path / side / "a.png")
    write_toml(tmp_path)
    assert [rule for rule, _, _ in found(tmp_path) if "reference" in rule] == []


def streams(folder: Path, root: str) -> list[io.BytesIO]:
    return [io.BytesIO((folder / f"{root}_{side}.png").read_bytes()) for side in ("start", "end")]


def compared(start: Image.Image, end: Image.Image) -> dict:
    files = []
    for image in (start, end):
        data = io.BytesIO()
        image.save(data, "PNG")
        data.seek(0)
        files.append(data)
    return registration.compare(*files)
