"""``albumkit init``: what it proposes, asks, writes, and never loses."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from albumkit.cli import init as cli
from albumkit.config import RUNTIMES, load_config
from albumkit.errors import AlbumError, AlbumkitError, UnknownName, UsageError
from albumkit.init import choose_format
from albumkit.opening import open_album
from albumkit.settings import resolve
from albumkit.trainers import all_trainers, load_trainer

MakePicture = Callable[..., Path]
KLEIN = "fal-ai/flux-2-klein-9b-base-trainer"


@pytest.fixture
def album(tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``cat``, in the working folder: three pictures, all captioned, of a TOK cookie box."""
    monkeypatch.chdir(tmp_path)
    for number, setting in enumerate(["on a table", "held upright, soft light", "in a garden"]):
        make_picture(tmp_path / "cat" / f"{number}.jpg")
        (tmp_path / "cat" / f"{number}.txt").write_text(f"a photo of TOK cookie box {setting}")
    return Path("cat")


def run(*args: str, answers: str | None = None, monkeypatch: pytest.MonkeyPatch | None = None) -> Result:
    """Run init; with ``answers`` as if on a terminal."""
    if answers is not None:
        assert monkeypatch
        monkeypatch.setattr(cli, "_is_terminal", lambda: True)
    result = CliRunner().invoke(cli.command, args, input=answers)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


WRITTEN = """\
# Settings of this album for albumkit. Every key is optional; a # in front switches a line off.

[album]
kind = "subject"                 # subject | style | edit | video
trigger_phrase = "TOK"           # the made-up word that calls it up; once in every caption
class_phrase = "cookie box"      # what it is, in plain words, behind the trigger
# exclude = ["rejects/*"]        # files that every command passes over

[use]
runtime = ["comfy"]              # where the LoRA will be used: comfy | fal | diffusers
# prompts = ["a photo of TOK cookie box on a beach"]   # what you want to make with it

[train]
trainer = "fal-ai/flux-2-klein-9b-base-trainer"   # `albumkit trainers` lists them all
steps = 1000                     # this trainer takes hundreds
# learning_rate = 5e-5           # the trainer's own; halve it when results look fried
output_lora_format = "comfy"     # loads in ComfyUI and diffusers
"""

SAID = """\
cat   3 pictures, 3 captions

  kind          subject                  captions name a thing: "TOK cookie box"
  trigger       TOK                                               all 3 captions
  class phrase  cookie box                          follows it in all 3 captions
  used in       ComfyUI                                              as you said
  trainer       fal-ai/flux-2-klein-9b-base-trainer          default for subject
  LoRA format   comfy                             loads in ComfyUI and diffusers

wrote  cat/album.toml
next   albumkit lint cat
"""


def test_what_it_writes_and_says(album: Path) -> None:
    result = run("cat", "--use", "comfy")
    assert result.output == SAID
    assert (album / "album.toml").read_bytes().decode() == WRITTEN


def test_flags_win_over_proposals(album: Path) -> None:
    result = run(
        *("cat", "--kind", "style", "--trigger", "zib", "--class-phrase", "ink style", "--steps", "700"),
        *("--use", "fal", "--use", "diffusers", "--trainer", "fal-ai/flux-2-klein-4b-base-trainer"),
    )
    config = load_config(album / "album.toml")
    assert (config.album.kind, config.album.trigger_phrase) == ("style", "zib")
    assert (config.album.class_phrase, config.use.runtime) == ("ink style", ("fal", "diffusers"))
    assert config.train.trainer == "fal-ai/flux-2-klein-4b-base-trainer"
    assert {n: w.value for n, w in config.train.knobs.items()} == {"steps": 700, "output_lora_format": "fal"}
    assert result.output.count("as you said") == 5


def test_the_class_phrase_follows_the_trigger_that_counts(album: Path) -> None:
    """TOK is proposed; with another trigger its class phrase is looked for anew."""
    run("cat", "--trigger", "cookie")
    assert load_config(album / "album.toml").album.class_phrase == "box"


def test_without_captions_the_trigger_is_left_open(tmp_path: Path, make_picture: MakePicture) -> None:
    make_picture(tmp_path / "a.jpg")
    result = run(str(tmp_path))
    text = (tmp_path / "album.toml").read_text()
    assert '\n# trigger_phrase = "TOK" ' in text
    assert '\n# runtime = ["comfy"] ' in text
    assert '\n# default_caption = "a photo of TOK ceramic cat figurine"   # the caption of the one' in text
    config = load_config(tmp_path / "album.toml")
    assert (config.album.trigger_phrase, config.use.runtime) == (None, ())
    assert "none found in the captions: write it in" in result.output


def test_an_edit_album_has_no_trigger_on_purpose(tmp_path: Path, make_picture: MakePicture) -> None:
    for name in ("a_start.jpg", "a_end.jpg"):
        make_picture(tmp_path / name)
    (tmp_path / "a.txt").write_text("turn this sketch into a photo")
    run(str(tmp_path))
    config = load_config(tmp_path / "album.toml")
    assert (config.album.kind, config.album.trigger_phrase) == ("edit", "")
    assert config.train.trainer == f"{KLEIN}/edit"


def test_clips_make_a_video_album(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"clip")
    run(str(tmp_path), "--trigger", "TOK")
    config = load_config(tmp_path / "album.toml")
    assert (config.album.kind, config.train.trainer) == ("video", "fal-ai/ltx23-video-trainer")


class TestQuestions:
    def test_enter_takes_what_is_proposed(self, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        result = run("cat", answers="\n\n\n\n", monkeypatch=monkeypatch)
        assert (album / "album.toml").read_bytes().decode() == WRITTEN
        for question in (
            "kind [subject]:",
            "trigger [TOK]:",
            "class phrase [cookie box]:",
            "used in [comfy]:",
        ):
            assert question in result.output

    def test_answers_count(self, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run("cat", answers="nope\nstyle\n none \nshoe\nComfyUI, diffusers\n", monkeypatch=monkeypatch)
        config = load_config(album / "album.toml")
        assert (config.album.kind, config.album.trigger_phrase) == ("style", "")
        assert config.use.runtime == ("comfy", "diffusers")

    def test_flags_leave_no_question(self, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        flags = ["--kind", "subject", "--trigger", "TOK", "--class-phrase", "cookie box", "--use", "comfy"]
        run("cat", *flags, answers="", monkeypatch=monkeypatch)
        assert (album / "album.toml").read_bytes().decode() == WRITTEN

    def test_yes_asks_nothing(self, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        result = run("cat", "--yes", "--use", "comfy", answers="", monkeypatch=monkeypatch)
        assert result.output == SAID

    def test_enter_without_proposal_leaves_it_open(
        self, tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_picture(tmp_path / "a.jpg")
        run(str(tmp_path), answers="\n\n\n\n", monkeypatch=monkeypatch)
        config = load_config(tmp_path / "album.toml")
        assert (config.album.trigger_phrase, config.album.class_phrase) == (None, None)

    def test_nothing_is_written_when_the_answers_end(
        self, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert run("cat", answers="\n", monkeypatch=monkeypatch).exit_code == 1
        assert not (album / "album.toml").exists()


class TestRefusals:
    """Before anything is asked or written."""

    def refused(self, *args: str) -> AlbumkitError:
        with pytest.raises(AlbumkitError) as caught:
            run(*args)
        return caught.value

    def test_a_zip(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with zipfile.ZipFile("cat.zip", "w") as archive:
            archive.writestr("a.jpg", "x")
        error = self.refused("cat.zip")
        assert (error.message, error.exit_code) == ("cat.zip is a zip, and init cannot write into a zip.", 2)
        assert error.remedy.startswith("Unpack it")

    def test_an_empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("my cat").mkdir()
        error = self.refused("my cat")
        assert isinstance(error, AlbumError)
        assert error.message == "my cat holds no pictures and no clips."
        assert error.remedy == 'Put some into it (.jpg .png .heic .mp4 ...), then albumkit init "my cat"'

    def test_a_folder_of_albums(self, tmp_path: Path, make_picture: MakePicture) -> None:
        for name in ("a", "b"):
            make_picture(tmp_path / name / "1.jpg")
        error = self.refused(str(tmp_path))
        assert isinstance(error, UsageError)
        root = tmp_path.as_posix()
        assert error.message == f"{root} holds 2 albums: {root}/a, {root}/b"

    def test_no_folder_and_a_picture(self, album: Path) -> None:
        assert self.refused("dog").message == "dog: there is no such folder."
        assert self.refused("cat/0.jpg").message == "cat/0.jpg is a file."

    def test_a_misspelt_trainer(self, album: Path) -> None:
        assert isinstance(self.refused("cat", "--trainer", "locall"), UnknownName)
        assert not (album / "album.toml").exists()

    def test_a_file_that_is_there(self, album: Path) -> None:
        (album / "album.toml").write_text("# mine")
        error = self.refused("cat")
        assert (error.message, error.exit_code) == ("cat/album.toml is there already.", 1)
        assert (album / "album.toml").read_text() == "# mine"

    def test_text_that_is_not_utf8(self, album: Path) -> None:
        assert "is not UTF-8 text" in self.refused("cat", "--trigger", "T\udcff").message


def test_force_keeps_every_older_file(album: Path) -> None:
    file = album / "album.toml"
    for old in ("# first", "not = toml = at all", "\u00fc # third"):
        file.write_text(old, encoding="utf-8")
        result = run("cat", "--force", "--use", "comfy")
        assert file.read_bytes().decode() == WRITTEN
    kept = [(album / f"album.toml.bak{n}").read_text(encoding="utf-8") for n in ("", "2", "3")]
    assert kept == ["# first", "not = toml = at all", "\u00fc # third"]
    assert "kept   cat/album.toml.bak3, as it was\n" in result.output


def test_shared_settings_above_are_offered(album: Path) -> None:
    Path("album.toml").write_text("[train]\nsteps = 300\n")
    run("cat")
    text = (album / "album.toml").read_text()
    assert '\n# extend = "../album.toml" ' in text
    (album / "album.toml").write_text(text.replace("# extend", "extend"))
    assert load_config(album / "album.toml").files[1].resolve() == Path("album.toml").resolve()


class TestFormats:
    @pytest.mark.parametrize(
        ("trainer", "runtimes", "value", "why", "fits"),
        [
            (KLEIN, ["comfy"], "comfy", "loads in ComfyUI and diffusers", True),
            (KLEIN, ["diffusers"], "fal", "loads in fal and diffusers", True),
            (KLEIN, ["diffusers", "comfy"], "comfy", "loads in ComfyUI and diffusers", True),
            (
                KLEIN,
                ["comfy", "fal"],
                "comfy",
                "loads in ComfyUI and diffusers, not in fal; no form does",
                False,
            ),
            (
                KLEIN,
                ["fal", "comfy"],
                "fal",
                "loads in fal and diffusers, not in ComfyUI; no form does",
                False,
            ),
            (KLEIN, [], None, "not chosen: nobody said where the LoRA will be used", True),
            (
                "fal-ai/flux-kontext-trainer",
                ["comfy"],
                "comfy",
                "made for ComfyUI; that it loads in full is not proven",
                False,
            ),
            ("fal-ai/wan-trainer", ["comfy"], None, "where its LoRA loads in full is not known", False),
        ],
    )
    def test_one_that_loads(
        self, trainer: str, runtimes: Sequence[str], value: str | None, why: str, fits: bool
    ) -> None:
        chosen = choose_format(load_trainer(trainer), runtimes)
        assert (chosen.value, chosen.why, chosen.fits) == (value, why, fits)

    def test_every_trainer_gets_a_value_that_it_offers(self) -> None:
        for trainer in all_trainers():
            for runtime in RUNTIMES:
                value = choose_format(trainer, [runtime]).value
                assert value is None or value in trainer.knobs["output_lora_format"].schema["enum"]


def test_the_written_file_is_what_the_other_commands_read(album: Path) -> None:
    run("cat", "--use", "comfy", "--steps", "800")
    opened = open_album(album)
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind)
    assert (settings.trainer.id, settings.value("steps"), settings.unknown) == (KLEIN, 800, {})
    assert settings.runtimes == ("comfy",)
