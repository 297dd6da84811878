"""``albumkit config`` and the options that commands share."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from albumkit.cli.config import command
from albumkit.cli.options import format_option, parse_set, parse_value, set_option, trainer_option
from albumkit.errors import AlbumError, ConfigError, UnknownName, UsageError
from albumkit.report.config import Line, aligned

MakePicture = Callable[..., Path]

SETTINGS = """\
extend = "../album.toml"
[album]
kind = "subject"
trigger_phrase = "TOK"
exclude = ["rejects/*", "*.tmp.jpg"]
[use]
runtime = ["comfy"]
prompts = ["a photo of TOK cookie box on a picnic blanket in a park, morning sun", "TOK cookie box"]
[train]
steps = 1200
learning_rat = 1e-4
rank = 8
[train.local]
rank = 16
[[lint.ignore]]
rule = "example/blurry"
paths = ["IMG_0415.*"]
reason = "motion blur wanted"
"""

SHOWN = """\
cat   subject, 1 picture                             (album.toml, ../album.toml)

[album]
  kind                "subject"                                album.toml line 3
  trigger_phrase      "TOK"                                    album.toml line 4
  class_phrase        "cookie box"                          ../album.toml line 2
  exclude             "rejects/*"                              album.toml line 5
                      "*.tmp.jpg"

[use]
  runtime             ["comfy"]                                album.toml line 7
  prompts             "a photo of TOK cookie box on a picnic   album.toml line 8
                      blanket in a park, morning sun"
                      "TOK cookie box"
  resolution          -                                                  not set
  commercial          -                                                  not set

[train]
  trainer             "fal-ai/flux-2-klein-9b-base-trainer"        default for a
                                                                   subject album
  default_caption     -                                                  not set
  steps               1200                                    album.toml line 10
  learning_rate       5e-5                                       trainer default
  output_lora_format  "fal"                                         command line

unknown   this trainer has no such knob
  learning_rat        0.0001        album.toml line 11, nearest is learning_rate
  rank                8               album.toml line 12, other trainers have it

[[lint.ignore]]
  example/blurry      IMG_0415.*                              motion blur wanted

not used here: the settings for local

next   albumkit lint cat
"""


@pytest.fixture
def album(tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``cat`` with one picture and every kind of setting, in the working folder."""
    monkeypatch.chdir(tmp_path)
    make_picture(tmp_path / "cat" / "a.jpg")
    (tmp_path / "cat" / "album.toml").write_text(SETTINGS)
    (tmp_path / "album.toml").write_text('[album]\nclass_phrase = "cookie box"\n')
    return Path("cat")


def run(*args: str, **environment: str) -> str:
    result = CliRunner().invoke(command, args, env=environment, color=True)
    if result.exception:
        raise result.exception
    return result.stdout


def document(*args: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(run(*args, "--format", "json"))
    return loaded


def test_everything_at_80_columns(album: Path) -> None:
    assert run("cat", "--set", "output_lora_format=fal") == SHOWN


def test_colour_changes_no_word(album: Path) -> None:
    coloured = run("cat", "--set", "output_lora_format=fal", FORCE_COLOR="1", TERM="xterm", COLUMNS="80")
    assert "\x1b[" in coloured
    assert click.unstyle(coloured) == SHOWN


@pytest.mark.parametrize("width", [60, 72, 100, 140])
def test_lines_fit(width: int, album: Path) -> None:
    (album / "album.toml").write_text(SETTINGS.replace("cookie", "\u732b\u732b\u732b"), encoding="utf-8")
    lines = run("cat", COLUMNS=str(width)).splitlines()
    assert max(map(cell_len, lines)) <= min(width, 100)
    assert not any(line != line.rstrip() for line in lines)


def test_without_any_file(tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_picture(tmp_path / "my cat" / "a.jpg")
    output = run("my cat")
    assert output.splitlines()[0] == "my cat   subject, 1 picture" + " " * 38 + "(no album.toml)"
    assert '  kind                "subject"                         what its files look like\n' in output
    assert output.endswith('next   albumkit init "my cat"  |  albumkit lint "my cat"\n')


def test_a_zip_with_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("z.zip", "w") as archive:
        archive.writestr("cat/a.jpg", "x")
        archive.writestr("cat/album.toml", '[album]\nclass_phrase = "cat"\n')
    rows = document("z.zip")["settings"]
    phrase = next(row for row in rows if row["name"] == "class_phrase")
    assert (phrase["file"], phrase["line"]) == ("cat/album.toml", 2)
    assert "albumkit init" not in run("z.zip")


ROW = {
    "type": "object",
    "required": ["name", "value", "origin", "file", "line"],
    "properties": {
        "name": {"type": "string"},
        "origin": {"type": "string", "minLength": 1},
        "file": {"type": ["string", "null"]},
        "line": {"type": ["integer", "null"]},
    },
}
SCHEMA = {
    "type": "object",
    "required": [
        *("schema", "version", "album", "examples", "files", "trainer", "kind"),
        *("settings", "knobs", "unknown", "ignores"),
    ],
    "properties": {
        "schema": {"const": "albumkit-config/1"},
        "settings": {"items": {**ROW, "required": ["table", *ROW["required"]]}},
        "knobs": {"items": {**ROW, "required": ["own_name", *ROW["required"]]}},
        "unknown": {"items": {**ROW, "required": ["nearest", *ROW["required"]]}},
    },
}


def test_json_holds_all_of_it(album: Path) -> None:
    shown = document("cat", "--set", "output_lora_format=fal")
    jsonschema.validate(shown, SCHEMA)
    assert shown["files"] == ["album.toml", "../album.toml"]
    settings = {f"{row['table']}.{row['name']}": row for row in shown["settings"]}
    assert list(settings) == [
        *("album.kind", "album.trigger_phrase", "album.class_phrase", "album.exclude"),
        *("use.runtime", "use.prompts", "use.resolution", "use.commercial"),
        *("caption.never_say", "caption.instruction", "train.trainer"),
    ]
    assert settings["album.class_phrase"]["file"] == "../album.toml"
    assert settings["train.trainer"]["origin"] == "default for a subject album"
    knobs = {row["name"]: row for row in shown["knobs"]}
    assert knobs["steps"] == {
        "name": "steps",
        "value": 1200,
        "origin": "file",
        "file": "album.toml",
        "line": 10,
        "own_name": "steps",
    }
    assert (knobs["default_caption"]["value"], knobs["default_caption"]["origin"]) == (None, "not set")
    assert knobs["output_lora_format"]["origin"] == "command line"
    near = {row["name"]: row["nearest"] for row in shown["unknown"]}
    assert near == {"learning_rat": "learning_rate", "rank": None}
    assert shown["ignores"][0]["reason"] == "motion blur wanted"


def test_json_of_what_json_cannot_hold(album: Path) -> None:
    (album / "album.toml").write_text("[train]\nlearning_rate = nan\nsteps = 2026-11-24\n")
    knobs = {row["name"]: row["value"] for row in document("cat")["knobs"]}
    assert (knobs["learning_rate"], knobs["steps"]) == ("nan", "2026-11-24")
    assert " 2026-11-24 " in run("cat")


def test_a_trigger_from_the_command_line_wins(album: Path) -> None:
    rows = document("cat", "--trainer", "fal-ai/flux-lora-fast-training", "--set", "trigger_phrase=zib")
    assert next(row for row in rows["settings"] if row["name"] == "trigger_phrase")["value"] == "zib"
    rows = document("cat", "--set", "trigger_phrase=zib")  # this trainer has no such knob
    row = next(row for row in rows["settings"] if row["name"] == "trigger_phrase")
    assert (row["value"], row["origin"]) == ("zib", "command line")


def test_no_trigger_on_purpose_is_shown_as_such(album: Path) -> None:
    (album / "album.toml").write_text('[album]\ntrigger_phrase = ""\n')
    assert '  trigger_phrase      ""  ' in run("cat")


def test_every_knob_of_the_trainer_is_there(album: Path) -> None:
    shown = document("cat", "--trainer", "local")
    base = next(row for row in shown["knobs"] if row["name"] == "base")
    assert (base["value"], base["origin"]) == (None, "not set, required")
    rank = next(row for row in shown["knobs"] if row["name"] == "rank")
    assert (rank["value"], rank["line"]) == (16, 14)
    assert "not used here" not in run("cat", "--trainer", "local")


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (["dog"], AlbumError, "there is no such folder or zip"),
        (["cat", "--trainer", "locall"], UnknownName, "The nearest is local"),
        (["cat", "--set", "steps"], UsageError, "--set steps: that is not NAME=VALUE"),
        (["cat", "--set", "=5"], UsageError, "--set =5: that is not NAME=VALUE"),
    ],
)
def test_what_cannot_be_shown(args: list[str], error: type[Exception], message: str, album: Path) -> None:
    with pytest.raises(error, match=message):
        run(*args)


def test_an_unusable_file(album: Path) -> None:
    (album / "album.toml").write_text("[albun]")
    with pytest.raises(ConfigError, match=r"cat/album\.toml line 1: unknown key albun"):
        run("cat")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1000", 1000),
        ("5e-5", 5e-5),
        ("true", True),
        ('"quoted"', "quoted"),
        ("[1, 2]", [1, 2]),
        ("{ a = 1 }", {"a": 1}),
        ("", ""),
        ("a photo of TOK cat", "a photo of TOK cat"),
        ("True", "True"),
        ("#TOK", "#TOK"),
        ("a = b", "a = b"),
        ('"open', '"open'),
        ("1\nb = 2", "1\nb = 2"),
        ("nan", "nan"),
        ("[inf]", "[inf]"),
        ("2026-11-24", "2026-11-24"),
        ("9" * 5000, "9" * 5000),
        ("[" * 20_000, "[" * 20_000),
    ],
)
def test_values_of_set(text: str, value: object) -> None:
    assert parse_value(text) == value


def test_the_last_set_of_a_name_counts() -> None:
    assert parse_set(("steps=1", " rank = 16 ", "steps=2")) == {"steps": 2, "rank": 16}
    assert parse_set(("default_caption=a=b",)) == {"default_caption": "a=b"}


def test_shared_options_reach_the_command() -> None:
    @click.command()
    @trainer_option
    @set_option
    @format_option("text", "json", "sarif")
    def probe(trainer: str | None, overrides: dict[str, Any], style: str) -> None:
        click.echo(repr((trainer, overrides, style)))

    assert CliRunner().invoke(probe, []).output == "(None, {}, 'text')\n"
    given = ["--trainer", "local", "--set", "a=1", "--set", "b=x", "--format", "sarif"]
    assert CliRunner().invoke(probe, given).output == "('local', {'a': 1, 'b': 'x'}, 'sarif')\n"


def test_columns_fold_instead_of_overflowing() -> None:
    rows = [Line("a", "one two three four five", "from somewhere far away"), Line("b", "x" * 60, "here")]
    lines = [line.plain for line in aligned(rows, 40, 0)]
    assert max(map(len, lines)) <= 40
    assert sum(line.count("x") for line in lines) == 60


def test_what_captions_keep_to_is_shown_where_it_is_said(album: Path) -> None:
    assert "[caption]" not in run("cat", NO_COLOR="1")
    with (album / "album.toml").open("a", encoding="utf-8") as file:
        file.write('[caption]\nnever_say = ["glazed"]\n')
    lines = [line.split() for line in run("cat", NO_COLOR="1").splitlines()]
    place = lines.index(["[caption]"])
    assert lines[place + 1][:3] == ["never_say", '["glazed"]', "album.toml"]
    assert lines[place + 2 : place + 4] == [[], ["[train]"]]
    rows = {f"{row['table']}.{row['name']}": row for row in document("cat")["settings"]}
    assert rows["caption.never_say"]["value"] == ["glazed"]
    assert rows["caption.instruction"]["value"] is None
