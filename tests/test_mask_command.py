"""``albumkit mask`` on the command line: what it prints, its sheet, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from mask_albums import Bright, disc, discs, hand_made, masked, masks
from PIL import Image

from albumkit.cli.main import main
from albumkit.errors import UsageError
from albumkit.mask.shaping import Shaping
from albumkit.report.mask import mask_lines
from albumkit.report.sheet import draw_masks


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the album ``cat`` of four pictures; a masker stands for rembg's."""
    discs(tmp_path / "cat")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("albumkit.mask.rembg.open_rembg", lambda model, tell: Bright())
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["mask", *words], standalone_mode=False)


def printed(*words: str, code: int = 0) -> str:
    result = run(*words)
    assert result.exception is None, result.exception
    assert result.return_value == code, result.output
    return result.stdout


def night(album: Path) -> None:
    Image.new("RGB", (96, 64), (8, 8, 8)).save(album / "night shot.png")


def test_masks_are_made_and_the_next_steps_told(place):
    assert printed("cat") == (
        "cat   wrote 4 masks\n"
        "  by bright\n"
        "\n"
        "next   albumkit mask cat --sheet masks.jpg   draws all masks over their pictures\n"
        "       albumkit mask cat --undo              takes them back\n"
    )
    assert len(masks(place / "cat")) == 4


def test_what_is_left_is_counted_with_the_way_to_change_it(place):
    hand_made(place / "cat" / "masks" / "a.png")
    (place / "cat" / "clip.mp4").write_bytes(b"x")
    printed("cat")
    shown = printed("cat")
    assert shown.startswith("cat   nothing to mask\n\nleft as it is\n")
    assert "  1 mask is yours: made or changed by hand (--overwrite makes it anew" in shown
    assert "  3 masks were made by an earlier call (--redo makes them anew)\n" in shown
    assert "  no mask for 1: a clip: only pictures are masked\n      clip.mp4\n" in shown


def test_a_refused_mask_says_why_and_what_to_do(place):
    night(place / "cat")
    shown = printed("cat", code=1)
    assert "cat   wrote 4 of 5 masks\n" in shown
    assert "not written: worse than no mask\n  masks/night shot.png\n      mask/empty: 0 % of it is" in shown
    call = 'albumkit mask cat --files "night shot.png" --model isnet-general-use'
    assert f"      do   {call}\n" in shown
    assert "      or   draw masks/night shot.png: white where the subject is" in shown


def test_no_line_is_wider_than_the_terminal(place):
    night(place / "cat")
    hand_made(place / "cat" / "masks" / "a.png")
    report = masked(Path("cat"), shaping=Shaping(invert=True))
    for width in (60, 80):
        lines = [line.plain for line in mask_lines(report, width)]
        assert any("look at these" in line for line in lines)
        assert [line for line in lines if len(line) > width and "albumkit" not in line] == []


def test_options_reach_the_masks(place):
    printed("cat", "--threshold", "0.5", "--grow", "2", "--invert", "--files", "a.jpg")
    ((name, data),) = masks(place / "cat").items()
    assert name == "masks/a.png"
    (place / "look.png").write_bytes(data)
    with Image.open(place / "look.png") as mask:
        assert {value for value, count in enumerate(mask.histogram()) if count} == {0, 255}
        assert mask.getpixel((0, 0)) == 255


def test_the_model_is_handed_on(place, monkeypatch):
    asked = []
    monkeypatch.setattr("albumkit.mask.rembg.open_rembg", lambda model, tell: asked.append(model) or Bright())
    printed("cat")
    printed("cat", "--redo", "--model", "birefnet-general")
    assert asked == ["u2net", "birefnet-general"]


def test_a_dry_run_says_that_nothing_was_written(place):
    shown = printed("cat", "--dry-run")
    assert shown.startswith("cat   would write 4 masks\n")
    assert "nothing was written\nnext   the same without --dry-run" in shown
    assert not masks(place / "cat")


def test_undo_names_what_it_took_away(place):
    printed("cat")
    shown = printed("cat", "--undo")
    assert shown.startswith("cat   undone: 4 files\n")
    assert "  masks/a.png   taken away; it was made by mask\n" in shown
    assert not masks(place / "cat")


def test_json_is_one_document(place):
    night(place / "cat")
    hand_made(place / "cat" / "masks" / "b.png")
    document = json.loads(printed("cat", "--format", "json", code=1))
    assert document["schema"] == "albumkit-mask/1"
    assert document["written"] is True
    assert document["kept"] == {"ours": [], "yours": ["masks/b.png"]}
    by_mask = {one["mask"]: one for one in document["masks"]}
    assert by_mask["masks/a.png"] == {
        "path": "a.jpg",
        "mask": "masks/a.png",
        "replaces": None,
        "refused": False,
        "findings": [],
    }
    assert by_mask["masks/night shot.png"]["refused"] is True
    undone = json.loads(printed("cat", "--undo", "--format", "json"))
    assert (undone["what"], len(undone["edits"])) == ("undo", 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--redo", "--overwrite"), "--overwrite does all that --redo does"),
        (("--undo", "--grow", "2"), "--undo takes no other option"),
        (("--undo", "--sheet", "x.png"), "--undo takes no other option"),
        (("--sheet", "masks.gif"), "a sheet is a PNG, JPEG or WebP"),
        (("--sheet", "no/masks.png"), "there is no folder no"),
        (("--sheet", "cat/masks.png"), "lies in the album, where it would be one of its pictures"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(place, words, message):
    result = run("cat", *words)
    assert isinstance(result.exception, UsageError)
    assert message in result.exception.message
    assert not masks(place / "cat")


# The sheet


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_the_sheet_is_written_in_the_format_of_its_name(place, ending):
    shown = printed("cat", "--sheet", f"masks.{ending}")
    assert f"wrote  masks.{ending}\n" in shown
    assert "--sheet" not in shown
    with Image.open(place / f"masks.{ending}") as sheet:
        assert sheet.format == {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[ending]


def test_the_sheet_shows_what_is_learned_bright_and_the_rest_dim(place):
    picture = disc(place / "dog" / "a.jpg", size=(520, 340), quality=95)
    sheet = np.asarray(draw_masks(masked(place / "dog"))).astype(int)
    tile = sheet[37 : 37 + 170, 10 : 10 + 260]
    with Image.open(picture) as photo:
        photo = np.asarray(photo.convert("RGB").resize((260, 170))).astype(int)
    bright, dark = photo.min(axis=2) > 250, photo.max(axis=2) < 12
    assert tile[bright].mean() > 180
    assert tile[bright][:, 1].mean() > tile[bright][:, 0].mean() + 10  # tinted green
    assert tile[dark].mean() < 12
    lime = (tile == (90, 255, 150)).all(axis=2)
    assert 100 < lime.sum() < 1500


def test_the_sheet_holds_every_picture_also_those_without_mask(place):
    night(place / "cat")
    (place / "cat" / "clip.mp4").write_bytes(b"x")
    (place / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    whole = draw_masks(masked(place / "cat"))
    three = draw_masks(masked(discs(place / "dog", 3)))
    assert whole.width > three.width
    assert whole.height > three.height


def test_a_sheet_of_masks_that_are_there_asks_no_masker(place, monkeypatch):
    printed("cat")

    def never(model: str, tell: object) -> Bright:
        raise AssertionError

    monkeypatch.setattr("albumkit.mask.rembg.open_rembg", never)
    printed("cat", "--sheet", "masks.png")
    assert (place / "masks.png").stat().st_size > 10_000


def test_a_dry_run_draws_what_it_would_write(place):
    printed("cat", "--dry-run", "--sheet", "would.png")
    printed("cat", "--sheet", "did.png")
    with Image.open(place / "would.png") as would, Image.open(place / "did.png") as did:
        assert would.tobytes() == did.tobytes()


def test_hundreds_of_pictures_have_smaller_tiles(place):
    few = draw_masks(masked(discs(place / "few", 6)))
    for number in range(45):
        Image.new("RGB", (8, 8), (number, 90, 200)).save(place / "few" / f"{number}.png")
    many = draw_masks(masked(place / "few", dry=True))
    assert many.width < 7.5 * (few.width / 3)
