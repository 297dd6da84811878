"""Settings: every knob resolved against a trainer, with where its value came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from albumkit.config import Config, load_config, parse_config
from albumkit.errors import ConfigError, UnknownName
from albumkit.settings import DEFAULT_TRAINERS, Settings, resolve
from albumkit.trainers import load_trainer

KLEIN = "fal-ai/flux-2-klein-9b-base-trainer"
#: A trainer that no kind of album gets by default.
WAN = "fal-ai/wan-trainer"


def config_of(text: str) -> Config:
    return parse_config(text.encode(), Path("album.toml"))[0]


def settle(text: str = "", guessed: str = "subject", **given: Any) -> Settings:
    return resolve(config_of(text), guessed_kind=guessed, **given)


@pytest.mark.parametrize("kind", ["subject", "style", "edit", "video"])
def test_the_kind_picks_the_trainer(kind: str) -> None:
    settings = settle(f'[album]\nkind = "{kind}"')
    assert settings.trainer.id == DEFAULT_TRAINERS[kind]
    article = "an" if kind == "edit" else "a"
    assert settings.trainer_origin == f"default for {article} {kind} album"
    assert settings.kind_origin == "album.toml"
    assert kind in settings.trainer.kinds


def test_the_guess_counts_while_nobody_says() -> None:
    settings = settle(guessed="edit")
    assert (settings.kind, settings.kind_origin) == ("edit", "what its files look like")
    assert settle('[album]\nkind = "style"', guessed="edit").kind == "style"


def test_defaults_of_the_trainer() -> None:
    settings = settle()
    steps = settings.knobs["steps"]
    assert (steps.value, steps.origin, steps.is_set) == (1000, "trainer default", False)
    assert "default_caption" not in settings.knobs
    assert settings.value("default_caption") is None
    assert settings.value("no_such_knob") is None


def test_the_archive_is_no_setting() -> None:
    assert load_trainer(KLEIN).archive.knob == "image_data_url"
    assert "image_data_url" not in settle().knobs


PRECEDENCE = [
    ("[train]\nsteps = 100", None, 100, "album.toml"),
    (f'[train]\nsteps = 100\n[train."{KLEIN}"]\nsteps = 200', None, 200, "album.toml"),
    (f'[train."{KLEIN}"]\nsteps = 200\n[train.local]\nsteps = 300', None, 200, "album.toml"),
    (f'[train."{KLEIN}"]\nsteps = 200', {"steps": 400}, 400, "command line"),
]


@pytest.mark.parametrize(("text", "overrides", "value", "origin"), PRECEDENCE)
def test_stronger_beats_weaker(text: str, overrides: dict[str, Any] | None, value: int, origin: str) -> None:
    steps = settle(text, overrides=overrides).knobs["steps"]
    assert (steps.value, steps.origin, steps.is_set) == (value, origin, True)


@pytest.mark.parametrize(
    ("near", "far", "expected"),
    [
        ("[train]\nsteps = 1", "[train]\nsteps = 2", 1),
        ("[train]\nsteps = 1", f'[train."{KLEIN}"]\nsteps = 2', 1),
        (f'[train."{KLEIN}"]\nsteps = 1', "[train]\nsteps = 2", 1),
        ("", f'[train]\nsteps = 3\n[train."{KLEIN}"]\nsteps = 2', 2),
    ],
)
def test_the_near_file_beats_the_far_one_also_where_that_names_the_trainer(
    near: str, far: str, expected: int, tmp_path: Path
) -> None:
    """[train."ID"] > [train] > extended files, as the design has it."""
    (tmp_path / "far.toml").write_text(far)
    (tmp_path / "album.toml").write_text(f'extend = "far.toml"\n{near}')
    settings = resolve(load_config(tmp_path / "album.toml"), guessed_kind="subject")
    assert settings.value("steps") == expected


def test_own_and_canonical_names_are_one_knob() -> None:
    trainer = next(
        t for t in map(load_trainer, DEFAULT_TRAINERS.values()) if t.id == DEFAULT_TRAINERS["video"]
    )
    renamed = next(
        k for k in trainer.knobs.values() if k.own_name != k.name and k.name != trainer.archive.knob
    )
    value = {"integer": 7, "number": 0.5, "boolean": True}.get(renamed.schema["type"], "x")
    for name in (renamed.name, renamed.own_name):
        settings = settle(guessed="video", overrides={name: value})
        assert settings.value(renamed.name) == value
        assert not settings.unknown


def test_a_name_that_the_trainer_does_not_know_is_kept_apart() -> None:
    settings = settle("[train]\nlearning_rat = 1e-4\n", overrides={"rank": 16})
    assert {name: value.value for name, value in settings.unknown.items()} == {
        "learning_rat": 1e-4,
        "rank": 16,
    }
    place = settings.unknown["learning_rat"].place
    assert place is not None
    assert (place.file, place.line) == (Path("album.toml"), 2)


@pytest.mark.parametrize(("kind", "is_style", "masks"), [("subject", False, True), ("style", True, False)])
def test_the_kind_turns_knobs(kind: str, is_style: bool, masks: bool) -> None:
    fast = "fal-ai/flux-lora-fast-training"
    settings = settle(f'[album]\nkind = "{kind}"', trainer=fast)
    assert (settings.value("is_style"), settings.value("create_masks")) == (is_style, masks)
    assert settings.knobs["is_style"].origin == f"derived from kind = {kind}"
    told = settle(f'[album]\nkind = "{kind}"\n[train]\nis_style = {str(not is_style).lower()}', trainer=fast)
    assert told.value("is_style") is not is_style


class TestTrigger:
    fast = "fal-ai/flux-lora-fast-training"

    def test_the_album_feeds_the_knob(self) -> None:
        settings = settle('[album]\ntrigger_phrase = "TOK"', trainer=self.fast)
        assert (settings.trigger_phrase, settings.value("trigger_phrase")) == ("TOK", "TOK")
        assert settings.knobs["trigger_phrase"].origin == "album.trigger_phrase"

    def test_the_knob_beats_the_album(self) -> None:
        settings = settle(
            '[album]\ntrigger_phrase = "TOK"\n[train]\ntrigger_phrase = "sks"', trainer=self.fast
        )
        assert (settings.trigger_phrase, settings.value("trigger_phrase")) == ("sks", "sks")

    @pytest.mark.parametrize(("text", "expected"), [("", None), ('[album]\ntrigger_phrase = ""', "")])
    def test_unsaid_is_not_none_on_purpose(self, text: str, expected: str | None) -> None:
        assert settle(text).trigger_phrase == expected


def test_the_command_line_names_the_trainer() -> None:
    settings = settle(f'[train]\ntrainer = "{WAN}"', trainer="local")
    assert (settings.trainer.id, settings.trainer_origin) == ("local", "command line")
    with pytest.raises(UnknownName, match="The nearest is local"):
        settle(trainer="locall")


@pytest.mark.parametrize("trainer", [None, "local"])
def test_a_misspelt_table_is_an_error_whoever_is_asked(trainer: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        settle("[train.locall]\nrank = 3", trainer=trainer)
    assert caught.value.message.startswith("album.toml line 2: [train.'locall']: There is no trainer named")


def test_a_misspelt_trainer_is_an_error_with_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        settle('[album]\n[train]\ntrainer = "locall"')
    assert caught.value.message.startswith("album.toml line 3: There is no trainer named locall.")


def test_the_archive_knob_is_not_foreign() -> None:
    """The trainer does have it; pack fills it in."""
    assert "image_data_url" not in settle('[train]\nimage_data_url = "https://example.org/a.zip"').unknown
