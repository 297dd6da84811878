"""Masks of an album: what is written where, whose masks are touched, what is refused, and the way back."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import pytest
from fix_albums import files
from mask_albums import LOCAL, Failing, disc, discs, hand_made, masked, masks, no_masker
from PIL import Image

from albumkit.cli.main import main as albumkit
from albumkit.errors import AlbumkitError, UsageError
from albumkit.mask.shaping import Shaping
from albumkit.masking import make_masks, undo_masks
from albumkit.workflows import lint_paths, pack_album


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


# What is written


def test_a_mask_is_grey_with_soft_edges_and_as_large_as_the_upright_picture(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    disc(tmp_path / "lying.jpg", size=(96, 64), exif=turned)
    report = masked(tmp_path)
    assert report.exit_code == 0
    mask = opened(masks(tmp_path)["masks/lying.png"])
    assert (mask.format, mask.mode, mask.size) == ("PNG", "L", (64, 96))
    assert mask.getpixel((32, 24)) > 240
    assert mask.getpixel((4, 90)) < 20
    assert len([value for value, count in enumerate(mask.histogram()) if count and 30 < value < 220]) > 40


def test_the_album_lints_clean_with_its_masks(tmp_path):
    masked(discs(tmp_path, 10))
    assert len(masks(tmp_path)) == 10
    found = lint_paths([tmp_path]).albums[0].findings
    assert not [f for f in found if f.scope == "mask"]


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ("a.mask.png", "b.mask.png"),
        ("a-masklabel.png", "b-masklabel.png"),
        ("a_mask.png", "b_mask.png"),
        ("masks/a.png", "masks/b.png"),
    ],
)
def test_masks_lie_where_the_album_keeps_them(there, wanted, tmp_path):
    discs(tmp_path, 2)
    hand_made(tmp_path / there)
    masked(tmp_path)
    assert sorted(masks(tmp_path)) == sorted([there, wanted])
    assert lint_paths([tmp_path]).albums[0].examples == 2


@pytest.mark.parametrize(
    ("there", "wanted"),
    [("day/masks/a.png", "day/masks/b.png"), ("masks/day/a.png", "masks/day/b.png"), ("", "day/masks/b.png")],
)
def test_masks_of_folders_lie_in_the_same_way(there, wanted, tmp_path):
    discs(tmp_path, 0)  # album.toml: all below it is one album
    disc(tmp_path / "day" / "b.jpg")
    if there:
        disc(tmp_path / "day" / "a.jpg", 1)
        hand_made(tmp_path / there)
    masked(tmp_path)
    assert wanted in masks(tmp_path)


def test_of_a_pair_the_end_picture_is_masked(tmp_path):
    disc(tmp_path / "vase_start.jpg", 0)
    disc(tmp_path / "vase_end.jpg", 9)
    (tmp_path / "vase.txt").write_text("turn it")
    masked(tmp_path)
    assert list(masks(tmp_path)) == ["masks/vase.png"]
    alone = tmp_path / "alone"
    shutil.copy(tmp_path / "vase_end.jpg", disc(alone / "vase.jpg"))
    masked(alone)
    assert masks(alone)["masks/vase.png"] == masks(tmp_path)["masks/vase.png"]


def test_pack_takes_them_along(tmp_path):
    album = discs(tmp_path / "cat", 10)
    masked(album)
    _, pack = pack_album(album, tmp_path / "cat.zip", force=True)
    assert (pack.examples, pack.masks) == (10, 10)
    with zipfile.ZipFile(tmp_path / "cat.zip") as archive:
        assert archive.read("masks/a.png") == masks(album)["masks/a.png"]


# Whose masks are touched


def test_a_mask_by_hand_is_never_touched(tmp_path):
    by_hand = hand_made(discs(tmp_path) / "masks" / "b.png")
    for which in ("missing", "redo", "redo"):
        report = masked(tmp_path, which=which)
        assert report.plan.yours == ("masks/b.png",)
        assert masks(tmp_path)["masks/b.png"] == by_hand
    assert len(masks(tmp_path)) == 4


def test_a_mask_that_a_person_changed_is_hers(tmp_path):
    masked(discs(tmp_path))
    mask = opened(masks(tmp_path)["masks/a.png"])
    mask.putpixel((0, 0), 255)
    mask.save(tmp_path / "masks" / "a.png")
    hers = masks(tmp_path)["masks/a.png"]
    report = masked(tmp_path, which="redo", shaping=Shaping(grow=5))
    assert report.plan.yours == ("masks/a.png",)
    assert len(report.good) == 3
    assert masks(tmp_path)["masks/a.png"] == hers


def test_the_machines_masks_stay_unless_they_are_to_be_made_anew(tmp_path):
    masked(discs(tmp_path))
    before = masks(tmp_path)
    report = make_masks(tmp_path, no_masker, shaping=Shaping(invert=True))
    assert report.exit_code == 0
    assert len(report.plan.ours) == 4
    assert masks(tmp_path) == before
    masked(tmp_path, which="redo", shaping=Shaping(invert=True))
    assert all(opened(masks(tmp_path)[name]) != opened(before[name]) for name in before)


def test_a_mask_is_the_machines_in_a_copy_of_the_album_too(tmp_path):
    masked(discs(tmp_path / "cat"))
    shutil.copytree(tmp_path / "cat", tmp_path / "dog", ignore=shutil.ignore_patterns(".albumkit"))
    assert len(masked(tmp_path / "dog").plan.ours) == 4


def test_a_mask_made_for_another_picture_is_no_longer_ours(tmp_path):
    masked(discs(tmp_path, 2))
    disc(tmp_path / "a.jpg", 5)
    assert masked(tmp_path).plan.yours == ("masks/a.png",)


def test_overwriting_keeps_the_old_ones_and_undo_brings_them_back(tmp_path):
    discs(tmp_path)
    hand_made(tmp_path / "masks" / "a.png")
    hand_made(tmp_path / "masks" / "b.jpg")
    before = files(tmp_path)
    report = masked(tmp_path, which="overwrite")
    assert len(report.good) == 4
    assert sorted(masks(tmp_path)) == [f"masks/{name}.png" for name in "abcd"]
    assert not (tmp_path / "masks" / "b.jpg").exists()
    assert not undo_masks(tmp_path).refusals
    assert files(tmp_path) == before


def test_undo_takes_back_one_call_after_the_other_and_leaves_what_a_person_changed(tmp_path):
    discs(tmp_path, 2)
    before = files(tmp_path)
    masked(tmp_path)
    first = files(tmp_path)
    masked(tmp_path, which="redo", shaping=Shaping(threshold=0.5))
    assert files(tmp_path) != first
    assert undo_masks(tmp_path).left == 1
    assert files(tmp_path) == first
    hers = hand_made(tmp_path / "masks" / "a.png")
    done = undo_masks(tmp_path)
    assert [refusal.path for refusal in done.refusals] == ["masks/a.png"]
    assert masks(tmp_path) == {"masks/a.png": hers}
    (tmp_path / "masks" / "a.png").unlink()
    assert files(tmp_path) == before
    with pytest.raises(AlbumkitError, match="there is no mask to undo"):
        undo_masks(tmp_path)


def test_undoing_all_masks_takes_their_folder_away(tmp_path):
    masked(discs(tmp_path, 2))
    undo_masks(tmp_path)
    assert not (tmp_path / "masks").exists()


def test_undo_of_fix_takes_back_no_masks(tmp_path):
    masked(discs(tmp_path, 2))
    before = files(tmp_path)
    with pytest.raises(SystemExit):
        albumkit(["fix", "--undo", str(tmp_path)], standalone_mode=True)
    assert files(tmp_path) == before


def test_a_mask_of_another_name_makes_room_for_the_new_one(tmp_path):
    hand_made(discs(tmp_path) / "masks" / "a.webp")
    report = masked(tmp_path, which="overwrite", dry=True)
    assert report.proposed["masks/a.webp"] is None
    assert report.proposed["masks/a.png"]
    masked(tmp_path, which="overwrite")
    assert not (tmp_path / "masks" / "a.webp").exists()
    assert (tmp_path / "masks" / "a.png").exists()


# What is left, refused or fails


def test_what_cannot_be_masked_is_named_with_its_reason(tmp_path):
    discs(tmp_path, 1)
    for name in ("clip.mp4", "photo.dng"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "far.jpg").write_bytes(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"
    )
    disc(tmp_path / "twin.jpg", 3)
    disc(tmp_path / "twin.png", 4)
    report = masked(tmp_path)
    reasons = {left.path: left.reason for left in report.plan.left}
    assert reasons["clip.mp4"] == "a clip: only pictures are masked"
    assert reasons["photo.dng"].startswith("camera RAW")
    assert reasons["empty.jpg"] == "the file is empty (0 bytes)"
    assert reasons["far.jpg"] == "Git LFS has not fetched it: git lfs pull"
    shared = "another picture has this name too: masks/twin.png would be the mask of both"
    assert reasons["twin.jpg"] == reasons["twin.png"] == shared
    assert report.exit_code == 1
    assert list(masks(tmp_path)) == ["masks/a.png", "twin.png"]


def test_clips_alone_are_no_failure(tmp_path):
    discs(tmp_path, 1)
    (tmp_path / "clip.mp4").write_bytes(b"x")
    assert masked(tmp_path).exit_code == 0


def test_a_mask_that_exclude_would_hide_is_not_written(tmp_path):
    discs(tmp_path, 1, LOCAL.replace("[train]", 'exclude = ["masks/*"]\n[train]'))
    report = masked(tmp_path)
    assert report.plan.left[0].reason == "exclude in album.toml matches masks/a.png"
    assert not masks(tmp_path)


def test_a_broken_picture_stops_no_other(tmp_path):
    discs(tmp_path)
    data = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(data[: len(data) // 2])
    report = masked(tmp_path)
    (failed,) = report.failed
    assert (failed.job.media.path, failed.reason) == ("b.jpg", "begins like JPEG, but is cut off or damaged")
    assert report.exit_code == 1
    assert len(masks(tmp_path)) == 3


def test_what_a_masker_cannot_do_is_told_and_the_others_are_masked(tmp_path):
    report = masked(discs(tmp_path), Failing(2, AlbumkitError("out of memory", "take a smaller model")))
    (failed,) = report.failed
    assert (failed.reason, failed.remedy) == ("out of memory", "take a smaller model")
    assert len(masks(tmp_path)) == 3


def test_an_empty_mask_is_refused_and_the_picture_left_to_the_person(tmp_path):
    discs(tmp_path)
    Image.new("RGB", (96, 64), (8, 8, 8)).save(tmp_path / "night.png")
    report = masked(tmp_path)
    (refused,) = report.refused
    assert [f.rule for f in refused.findings if f.severity == "error"] == ["mask/empty"]
    assert report.exit_code == 1
    assert sorted(masks(tmp_path)) == [*(f"masks/{name}.png" for name in "abcd"), "night.png"]


def test_a_refusal_that_album_toml_ignores_is_none(tmp_path):
    toml = LOCAL + '[[lint.ignore]]\nrule = "mask/empty"\npaths = ["masks/*"]\nreason = "tried"\n'
    discs(tmp_path, 1, toml)
    Image.new("RGB", (96, 64), (8, 8, 8)).save(tmp_path / "night.png")
    assert masked(tmp_path).exit_code == 0
    assert "masks/night.png" in masks(tmp_path)


def test_a_doubtful_mask_is_written_and_reported(tmp_path):
    report = masked(discs(tmp_path), shaping=Shaping(invert=True))
    assert {f.rule for made in report.good for f in made.findings} == {"mask/inverted"}
    assert report.exit_code == 0
    assert len(masks(tmp_path)) == 4


def test_masks_are_judged_where_the_trainer_takes_none(tmp_path):
    klein = "fal-ai/flux-2-klein-9b-base-trainer"
    discs(tmp_path, 1, LOCAL.replace('"local"', f'"{klein}"'))
    Image.new("RGB", (96, 64), (8, 8, 8)).save(tmp_path / "night.png")
    report = masked(tmp_path)
    assert len(report.refused) == 1
    assert report.notes[0].startswith(f"{klein} takes no masks: pack leaves them out.")


def test_a_style_has_no_masks(tmp_path):
    discs(tmp_path, 1, LOCAL.replace('"subject"', '"style"'))
    with pytest.raises(AlbumkitError, match="teaches a style, and a style is in the whole picture"):
        make_masks(tmp_path, no_masker)


def test_a_zip_and_a_folder_of_albums_are_refused(tmp_path):
    discs(tmp_path / "some" / "one", 1)
    discs(tmp_path / "some" / "two", 1)
    packed = shutil.make_archive(str(tmp_path / "one"), "zip", tmp_path / "some" / "one")
    with pytest.raises(AlbumkitError, match=r"one\.zip is a zip: mask changes files in folders only"):
        make_masks(Path(packed), no_masker)
    with pytest.raises(UsageError, match="holds 2 albums; mask takes one at a time"):
        make_masks(tmp_path / "some", no_masker)
