"""Masks of an album: nothing is lost, whoever stops or stands in the way."""

from __future__ import annotations

import pytest
from fix_albums import files
from mask_albums import Bright, Failing, discs, hand_made, masked, masks
from PIL import Image

from albumkit.errors import AlbumkitError, UsageError
from albumkit.mask.shaping import Shaping


def test_what_was_found_is_never_looked_for_again(tmp_path):
    masker = Bright()
    masked(discs(tmp_path), masker)
    masked(tmp_path, masker, "redo", shaping=Shaping(grow=2, feather=1, threshold=0.4))
    masked(tmp_path, masker, "redo")
    assert masker.asked == 4
    other = Bright(side=32)
    other.identity = "bright 2"
    masked(tmp_path, other, "redo")
    assert other.asked == 4


def test_ctrl_c_writes_what_is_finished_and_the_same_call_goes_on(tmp_path):
    report = masked(discs(tmp_path, 12), Failing(6, KeyboardInterrupt()))
    assert report.stopped
    assert report.exit_code == 130
    assert 0 < len(masks(tmp_path)) == len(report.good) < 12
    masker = Bright()
    rest = masked(tmp_path, masker)
    assert rest.exit_code == 0
    assert len(masks(tmp_path)) == 12
    assert masker.asked <= 7


def test_resume_goes_on_with_what_was_found_and_begins_nothing(tmp_path):
    discs(tmp_path, 12)
    with pytest.raises(UsageError, match="nothing that bright found in its pictures was kept") as refused:
        masked(tmp_path, Bright(), resume=True)
    assert refused.value.remedy.startswith("albumkit mask ")
    masked(tmp_path, Bright(), dry=True, only=["a.jpg"])
    masker = Bright()
    assert masked(tmp_path, masker, resume=True).exit_code == 0
    assert masker.asked == 11
    with pytest.raises(UsageError, match="no picture waits for a mask"):
        masked(tmp_path, resume=True)


def test_resume_goes_on_with_a_call_that_wrote_what_it_had(tmp_path):
    masked(discs(tmp_path), only=["a.jpg"])
    masker = Bright()
    assert masked(tmp_path, masker, resume=True).exit_code == 0
    assert (masker.asked, len(masks(tmp_path))) == (3, 4)


def test_a_file_that_appears_meanwhile_is_in_the_way_and_stays(tmp_path):
    discs(tmp_path)

    class Meanwhile(Bright):
        def find(self, picture: Image.Image) -> Image.Image:
            if not self.asked:
                hand_made(tmp_path / "masks" / "c.png")
            return super().find(picture)

    with pytest.raises(AlbumkitError, match=r"masks/c\.png: .* Nothing was changed"):
        masked(tmp_path, Meanwhile())
    assert list(masks(tmp_path)) == ["masks/c.png"]
    assert masked(tmp_path).plan.yours == ("masks/c.png",)


def test_a_mask_that_is_changed_meanwhile_is_not_replaced(tmp_path):
    masked(discs(tmp_path))

    class Meanwhile(Bright):
        def find(self, picture: Image.Image) -> Image.Image:
            hand_made(tmp_path / "masks" / "c.png", (98, 64))
            return super().find(picture)

    before = masks(tmp_path)
    other = Meanwhile()
    other.identity = "another"
    with pytest.raises(AlbumkitError, match=r"masks/c\.png: it changed meanwhile"):
        masked(tmp_path, other, "redo", shaping=Shaping(invert=True))
    assert {name for name in before if masks(tmp_path)[name] != before[name]} == {"masks/c.png"}


def test_without_a_ledger_nothing_is_written(tmp_path, monkeypatch):
    (tmp_path / "state").write_text("a file where the folder should be")
    monkeypatch.setenv("ALBUMKIT_STATE_DIR", str(tmp_path / "state"))
    with pytest.raises(AlbumkitError, match="The album was not changed"):
        masked(discs(tmp_path / "cat"))
    assert not masks(tmp_path / "cat")


def test_without_a_cache_masks_are_made_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    monkeypatch.setenv("ALBUMKIT_CACHE_DIR", str(tmp_path / "cache"))
    report = masked(discs(tmp_path / "cat"))
    assert len(masks(tmp_path / "cat")) == 4
    assert any("answers are not kept" in note for note in report.notes)


def test_a_dry_run_judges_and_writes_nothing(tmp_path):
    discs(tmp_path)
    Image.new("RGB", (96, 64), (8, 8, 8)).save(tmp_path / "night.png")
    before = files(tmp_path)
    report = masked(tmp_path, dry=True)
    assert (len(report.good), len(report.refused), report.record) == (4, 1, "")
    assert files(tmp_path) == before
    masker = Bright()
    masked(tmp_path, masker)
    assert masker.asked == 0


def test_only_the_named_pictures_are_masked(tmp_path):
    masked(discs(tmp_path), only=["b.*", "d.jpg"])
    assert list(masks(tmp_path)) == ["masks/b.png", "masks/d.png"]
    with pytest.raises(UsageError, match=r"--files \*\.tif matches no picture"):
        masked(tmp_path, only=["*.tif"])
