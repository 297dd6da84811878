"""`train --prepare`: captions and masks are made for the run, and the album stays as it is."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from caption_runs import Scripted  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from engine_runs import make_album, tiny_base  # noqa: E402
from fix_albums import files  # noqa: E402
from mask_albums import Bright, Failing, no_masker  # noqa: E402

from albumkit.cli.main import main  # noqa: E402
from albumkit.errors import AlbumkitError, UsageError  # noqa: E402
from albumkit.planning import Prepared, prepare_training, resume_training  # noqa: E402
from albumkit.preparing import FOLDER, Makers, kept_sidecars  # noqa: E402
from albumkit.workflows import Refused  # noqa: E402

TOML = """[album]
kind = "subject"
trigger_phrase = "TOK"
class_phrase = "cat"
[train]
trainer = "local"
steps = 2
[train.local]
resolution = 64
"""
WHERE = ("on a wall beside a door, pale light", "in the snow before a fence, low sun")


@pytest.fixture
def place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, and an album of four of which two have no caption and none has a mask."""
    (tmp_path / "base").symlink_to(tiny_base(tmp_path_factory.getbasetemp()))
    album = make_album(tmp_path / "cats")
    (album / "album.toml").write_text(TOML)
    for name in "ac":
        (album / f"{name}.txt").unlink()
    return tmp_path


def nobody() -> Any:
    raise AssertionError("nothing is missing: nobody should be asked")


def prepared(place: Path, captioner: Callable[[], Any], masker: Callable[[], Any], **more: Any) -> Prepared:
    return prepare_training(
        place / "cats",
        base=(place / "base").as_posix(),
        makers=Makers(captioner, masker),
        out=place / "run",
        **more,
    )


def test_what_is_missing_is_made_for_the_run_and_the_album_stays(place: Path) -> None:
    before = files(place / "cats")
    made = prepared(place, lambda: Scripted(WHERE), Bright)
    captions = {item.root: item.caption for item in made.pack.items}
    assert captions["a"] == f"a photo of TOK cat {WHERE[0]}"
    assert captions["b"] == "a photo of TOK cat in the snow"
    assert captions["c"] == f"a photo of TOK cat {WHERE[1]}"
    assert all(item.mask is not None for item in made.pack.items)
    assert files(place / "cats") == before
    kept = files(place / "run" / FOLDER)
    assert set(kept) == {"a.txt", "c.txt", *(f"masks/{name}.png" for name in "abcd")}


def test_a_run_that_is_gone_on_with_packs_the_same_and_asks_nobody(place: Path) -> None:
    made = prepared(place, lambda: Scripted(WHERE), Bright)
    again = resume_training(place / "run")
    assert [item.caption for item in again.pack.items] == [item.caption for item in made.pack.items]


def test_a_caption_that_a_person_wrote_meanwhile_counts(place: Path) -> None:
    prepared(place, lambda: Scripted(WHERE), Bright)
    (place / "cats" / "a.txt").write_text("a photo of TOK cat behind a window, rain")
    with pytest.raises(AlbumkitError, match=r"a\b"):
        resume_training(place / "run")
    again = resume_training(place / "run", accept_changes=True)
    assert again.pack.items[0].caption == "a photo of TOK cat behind a window, rain"
    assert all(item.mask is not None for item in again.pack.items)


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "a.caption", "A.TXT"])
def test_a_caption_counts_wherever_a_person_wrote_it(place: Path, name: str) -> None:
    """RUN/prepared/a.txt would win over most of these, were it a file of the album."""
    prepared(place, lambda: Scripted(WHERE), Bright)
    text = "a photo of TOK cat behind a window"
    row = {"metadata.jsonl": f'{{"file_name": "a.png", "text": "{text}"}}', "metadata.csv": f"a.png,{text}"}
    head = "file_name,text\n" if name.endswith("csv") else ""
    (place / "cats" / name).write_text(head + row.get(name, text))
    again = resume_training(place / "run", accept_changes=True)
    captions = {item.root: item.caption for item in again.pack.items}
    assert captions["a"] == text
    assert captions["c"] == f"a photo of TOK cat {WHERE[1]}"


def test_a_mask_counts_by_whichever_of_its_names(place: Path) -> None:
    """masks/a.png would win over a.mask.png, were it a file of the album."""
    prepared(place, lambda: Scripted(WHERE), Bright)
    drawn = Image.new("L", (64, 64))
    drawn.paste(255, (8, 8, 40, 56))
    drawn.save(place / "cats" / "a.mask.png")
    again = resume_training(place / "run", accept_changes=True)
    mask = again.pack.items[0].mask
    assert mask is not None
    with Image.open(io.BytesIO(again.pack.read(mask))) as packed:
        assert packed.convert("L").tobytes() == drawn.tobytes()


def test_only_what_is_of_a_picture_of_the_album_is_packed(place: Path) -> None:
    prepared(place, lambda: Scripted(WHERE), Bright)
    (place / "cats" / "a.png").rename(place / "run" / FOLDER / "a.png")
    assert set(kept_sidecars(place / "run" / FOLDER, place / "cats")) == {
        "c.txt",
        *(f"masks/{name}.png" for name in "bcd"),
    }


def test_where_nothing_is_missing_nobody_is_asked(place: Path) -> None:
    for name in "ac":
        (place / "cats" / f"{name}.txt").write_text(f"a photo of TOK cat beside a tree, {name}")
    prepared(place, nobody, no_masker, overrides={"create_masks": False})
    assert not (place / "run" / FOLDER).exists()


def test_a_caption_that_is_refused_stops_and_leaves_nothing(place: Path) -> None:
    answers = [WHERE[0], "I'm sorry, I can't help with that.", "I'm sorry.", "I'm sorry."]
    with pytest.raises(Refused):
        prepared(place, lambda: Scripted(answers), Bright)
    assert not (place / "run").exists()


def test_ctrl_c_while_they_are_made_keeps_what_was_answered(place: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        prepared(place, lambda: Scripted([WHERE[0], KeyboardInterrupt()]), Bright)
    assert not (place / "run").exists()
    asked = Scripted(WHERE[1:])
    with pytest.raises(KeyboardInterrupt):
        prepared(place, lambda: asked, lambda: Failing(2, KeyboardInterrupt()))
    assert len(asked.questions) == 1
    assert not (place / "run").exists()
    masker = Bright()
    made = prepared(place, Scripted, lambda: masker)
    assert {one.root: one.caption for one in made.pack.items}["c"] == f"a photo of TOK cat {WHERE[1]}"
    assert 0 < masker.asked < 4


@pytest.mark.parametrize("error", [KeyboardInterrupt, AlbumkitError("no memory")])
def test_what_stops_before_it_began_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """A folder that is no run could neither be gone on with nor begun again."""

    def stop(*_: object) -> None:
        assert files(place / "run" / "pack").keys() >= {"cats.zip"}
        raise error

    monkeypatch.setattr("albumkit.engine.memory.forecast", stop)
    with pytest.raises((KeyboardInterrupt, AlbumkitError)):
        prepared(place, lambda: Scripted(WHERE), Bright)
    assert not (place / "run").exists()


def test_an_album_that_has_errors_by_now_is_refused_in_words_of_train(place: Path) -> None:
    prepared(place, lambda: Scripted(WHERE), Bright)
    (place / "cats" / "b.txt").write_text("")
    with pytest.raises(Refused, match=r"was not trained on: 1 error") as refused:
        resume_training(place / "run", accept_changes=True)
    assert "--force" not in refused.value.remedy


def test_a_plan_leaves_nothing_behind(place: Path) -> None:
    before = sorted(os.listdir(place))
    made = prepared(place, lambda: Scripted(WHERE), Bright, dry=True)
    assert made.masked == 4
    assert sorted(os.listdir(place)) == before


def test_options_that_belong_to_it_say_so() -> None:
    result = CliRunner().invoke(main, ["train", "cats", "--captioner", "pocket"])
    assert isinstance(result.exception, UsageError)
    assert "--captioner belongs to --prepare" in result.exception.message
    result = CliRunner().invoke(main, ["train", "--resume", "run", "--prepare"])
    assert isinstance(result.exception, UsageError)
