"""A repository's own rules: laid over ours, refused when broken, and checked by ``explain --check``."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from albums import set_in
from click.testing import CliRunner
from PIL import Image

from albumkit.cli.explain import command
from albumkit.config import load_config
from albumkit.errors import UsageError
from albumkit.facts import FactCache, Measured
from albumkit.house import house_rules, profile_for, rules_for
from albumkit.lint import lint
from albumkit.opening import open_album
from albumkit.rule import find_rule, load_rules, profile
from albumkit.rulecheck import check_folder, faults
from albumkit.settings import resolve

PAGE = (Path(__file__).parent.parent / "docs" / "house-rules.md").read_text(encoding="utf-8")
RULE, PROFILE = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
SHOWN = re.findall(r"```text\n\$ albumkit explain --check rules\n(.*?)\n```", PAGE, re.DOTALL)


def write(file: Path, document: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def case(folder: Path, caption: str) -> None:
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    (folder / "a.txt").write_text(caption)


def changed(**parts: Any) -> dict[str, Any]:
    """The worked example with other words (top-level keys of the schema in ``schema``)."""
    document: dict[str, Any] = json.loads(json.dumps(RULE))
    document.update(parts.pop("schema", {}))
    document["x-albumkit"].update(parts)
    return document


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The folder of the worked example in docs/house-rules.md, with its fixtures."""
    folder = tmp_path / "rules"
    write(folder / "caption" / "short.json", RULE)
    case(
        folder / "fixtures" / "caption" / "short" / "good" / "long",
        "a photo of a cat on a wall in the evening",
    )
    case(folder / "fixtures" / "caption" / "short" / "bad" / "three", "one grey cat")
    return folder


@pytest.fixture
def album(tmp_path: Path, house: Path) -> Path:
    """An album beside the folder that names it, with one long and one short caption."""
    case(tmp_path / "cat", "a photo of TOK ceramic cat on a wall in the evening sun")
    case(tmp_path / "cat" / "more", "TOK ceramic cat")
    (tmp_path / "cat" / "album.toml").write_text('[lint]\nrules = "../rules"\n')
    return tmp_path / "cat"


def found(album: Path) -> dict[str, str]:
    """What the rules about short captions say, ours and the house's."""
    opened = open_album(album)
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind)
    measured = Measured(opened.album, FactCache.none())
    rules = [rule for rule in rules_for(opened.config) if "caption_length" in rule.needs]
    result = lint(opened, settings, measured, rules=rules, cost="header")
    return {f.rule: f.message for f in result.findings}


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(words), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.output


def test_a_house_rule_speaks(album: Path) -> None:
    assert found(album) == {"caption/short": '15 characters: "TOK ceramic cat"; at least 30 are wanted here.'}


def test_without_a_folder_only_ours_speak(album: Path) -> None:
    set_in(album, '[lint]\nrules = "../rules"\n', "")
    assert rules_for(load_config(album / "album.toml")) == load_rules()
    assert found(album) == {}


def test_a_house_rule_replaces_ours(album: Path, house: Path) -> None:
    document = json.loads(json.dumps(RULE))
    write(house / "caption" / "empty.json", document)
    rules = rules_for(load_config(album / "album.toml"))
    assert [r.id for r in rules] == sorted({r.id for r in load_rules()} | {"caption/short"})
    assert find_rule("caption/empty", rules).title == RULE["title"]
    assert find_rule("caption/empty").title != RULE["title"]


def test_the_path_counts_from_the_file_that_names_it(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared.toml").write_text('[lint]\nrules = "rules"\n')
    set_in(album, '[lint]\nrules = "../rules"\n', "")
    (album / "album.toml").write_text('extend = "../shared.toml"\n' + (album / "album.toml").read_text())
    monkeypatch.chdir(album)
    assert "caption/short" in {rule.id for rule in rules_for(load_config(album / "album.toml"))}


def test_house_profiles_are_laid_over_ours(album: Path, house: Path) -> None:
    write(house / "profiles" / "style.json", PROFILE)
    config = load_config(album / "album.toml")
    assert profile_for(config, "style") == {**profile("style"), "caption/short": "off"}
    assert profile_for(config, "edit") == profile("edit")


def test_a_folder_that_is_not_there_is_named_with_its_line(album: Path) -> None:
    set_in(album, '"../rules"', '"../rulez"')
    with pytest.raises(UsageError, match=r"album\.toml line \d+: lint\.rules names no folder: .*rulez"):
        rules_for(load_config(album / "album.toml"))


def test_a_zip_takes_no_rules_from_outside(album: Path, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", album)
    with pytest.raises(UsageError, match=r"lint\.rules names a folder outside of the zip"):
        open_album(Path(packed))


BROKEN = [
    ("{", r"caption/short\.json is not JSON"),
    ('{"title": "x"}', "is a required property"),
    (json.dumps(changed(severity="fatal")), r"x-albumkit\.severity"),
    (json.dumps(changed(sevrity="note")), "sevrity"),
    (json.dumps(changed(message="{caption_length")), "expected '}'"),
    (json.dumps(changed(message="{caption_lenght}")), "the nearest fact is caption_length"),
    (json.dumps(changed(message="{caption_length:>5}")), "a field is a plain name"),
    (json.dumps(changed(schema={"required": ["caption_lenght"]})), "required lacks caption_length"),
    (json.dumps(changed(schema={"minProperties": 1})), "minProperties"),
    (
        json.dumps(changed(schema={"properties": {"caption_length": {"type": "number", "minimum": 3}}})),
        r"properties\.caption_length\.type is number; the fact is integer",
    ),
    (json.dumps(changed(schema={"properties": {"caption_length": {"minimum": 3}}})), "'type' is a required"),
]


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_a_broken_house_rule_is_an_error_naming_file_and_place(tmp_path: Path, text: str, words: str) -> None:
    """Loading refuses it (exit 2), and the check says the same."""
    file = tmp_path / "rules" / "caption" / "short.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(UsageError, match=words) as error:
        house_rules(tmp_path / "rules")
    assert "caption/short.json" in error.value.message
    assert error.value.exit_code == 2
    (checked,) = check_folder(tmp_path / "rules")
    assert checked.name == "caption/short"
    assert any(re.search(words, fault) for fault in checked.faults)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("captions/short.json", "no folder of rules is called captions. The nearest is caption."),
        ("short.json", "a rule lies in a folder, such as"),
        ("caption/deep/short.json", "too deep; it belongs right below caption/"),
        ("profiles/styles.json", "there is no such kind of album; they are subject, style, edit, video."),
    ],
)
def test_a_file_that_nothing_would_read_is_an_error(house: Path, path: str, words: str) -> None:
    write(house / path, RULE)
    with pytest.raises(UsageError, match=re.escape(words)):
        house_rules(house)
    assert words in " ".join(fault for one in check_folder(house) for fault in one.faults)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            {"title": "x", "rules": {"caption/shorts": {"severity": "off", "why": "No."}}},
            "nearest is caption/short",
        ),
        ({"title": "x", "rules": {"caption/short": "off"}}, "is not a profile"),
        ({"title": "x", "rules": {"caption/short": {"severity": "of", "why": "No."}}}, "'of' is not one of"),
    ],
)
def test_a_broken_profile_is_an_error(house: Path, document: dict[str, Any], words: str) -> None:
    write(house / "profiles" / "style.json", document)
    with pytest.raises(UsageError, match=words):
        house_rules(house)
    assert words in " ".join(fault for one in check_folder(house) for fault in one.faults)


WRONG = [
    (changed(examples=[{"caption_length": 3}]), "example 1 does not pass: caption_length = 3, limit 30"),
    (changed(examples=[{}]), "example 1 must give these facts and no others: caption_length"),
    (
        changed(counterexamples=[{"facts": {"caption_length": 40, "caption_start": "x"}, "message": "x"}]),
        "counterexample 1 passes",
    ),
    (
        changed(
            counterexamples=[{"facts": {"caption_length": 4, "caption_start": "a cat"}, "message": "4 chars"}]
        ),
        'counterexample 1 says: 4 characters: "a cat"; at least 30 are wanted here.',
    ),
    (
        changed(counterexamples=[{"facts": {"caption_length": 4}, "message": "x"}]),
        "counterexample 1 lacks caption_start",
    ),
    (changed(scope="album"), "nothing measures caption_length for album"),
    (changed(needs_knob="rankk"), "needs_knob: no trainer has the knob rankk"),
    (changed(handled={"when": {"type": "object", "required": ["zzz"], "properties": {}}, "as": "x"}), "zzz"),
]


@pytest.mark.parametrize(("document", "words"), WRONG)
def test_the_check_finds_what_is_wrong(tmp_path: Path, document: dict[str, Any], words: str) -> None:
    write(tmp_path / "caption" / "short.json", document)
    (checked,) = check_folder(tmp_path)
    assert words in " ".join(checked.faults)


def test_a_fixture_without_its_rule_is_told(house: Path) -> None:
    (house / "album").mkdir()
    (house / "caption" / "short.json").rename(house / "album" / "short.json")
    faults = {one.name: one.faults for one in check_folder(house)}
    assert faults == {
        "album/short": [],
        "fixtures/caption/short": ["belongs to no rule of this folder"],
    }


def test_validators_that_disagree_are_told(house: Path) -> None:
    """The form of a rule allows whole multiples only: of others the validators think differently."""
    (rule,) = house_rules(house)
    limit = {"type": "integer", "multipleOf": 0.1}
    odd = replace(rule, schema={**rule.schema, "properties": {"caption_length": limit}})
    assert any("two validators disagree" in fault for fault in faults(odd))
    assert not any("two validators disagree" in fault for fault in faults(rule))


def test_fixtures_are_asked(house: Path) -> None:
    folder = house / "fixtures" / "caption" / "short"
    case(folder / "good" / "short_too", "a cat")
    case(folder / "bad" / "long_too", "a photo of a cat on a wall in the evening sun")
    case(folder / "missed" / "blanks", "a cat" + " on a very very very very very very long wall")
    (one,) = check_folder(house)
    assert one.cases == 5
    says = '5 characters: "a cat"; at least 30 are wanted here.'
    assert one.faults == [
        f"fixtures/caption/short/good/short_too: the rule fires: {says}",
        "fixtures/caption/short/bad/long_too: the rule does not fire",
    ]


def test_a_side_without_a_case_is_told(house: Path) -> None:
    (house / "fixtures" / "caption" / "short" / "good").rename(
        house / "fixtures" / "caption" / "short" / "missed"
    )
    (one,) = check_folder(house)
    assert one.faults == ["fixtures/caption/short/good holds no case"]


def test_a_rule_over_pixels_needs_all_three_sides(house: Path) -> None:
    document = changed(
        scope="example",
        message="no",
        examples=[{"decode_error": ""}],
        counterexamples=[{"facts": {"decode_error": "x"}, "message": "no"}],
        schema={
            "required": ["decode_error"],
            "properties": {"decode_error": {"type": "string", "const": ""}},
        },
    )
    write(house / "example" / "broken.json", document)
    faults = {one.name: one.faults for one in check_folder(house)}
    assert faults["example/broken"] == [
        f"fixtures/example/broken/{s} holds no case" for s in ("good", "bad", "missed")
    ]


def test_an_opt_in_rule_is_asked_too(house: Path) -> None:
    write(house / "caption" / "short.json", changed(opt_in=True))
    assert [one.faults for one in check_folder(house)] == [[]]


def test_the_page_shows_what_the_command_prints(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.parent)
    assert run("--check", "rules") == (0, SHOWN[0] + "\n")
    text = (house / "caption" / "short.json").read_text()
    (house / "caption" / "short.json").write_text(text.replace("caption_length", "caption_lenght"))
    code, output = run("--check", "rules")
    assert (code, output.splitlines()[0]) == (1, SHOWN[1])


def test_our_own_rules_are_checked_when_no_folder_is_named() -> None:
    code, output = run("--check")
    assert (code, [line for line in output.splitlines() if not line.startswith("ok ")]) == (0, [])
    assert "ok     caption/missing" in output
    assert "ok     profiles/edit.json" in output


def test_a_folder_without_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no rules"):
        run("--check", str(tmp_path))
    with pytest.raises(UsageError, match="is no folder"):
        run("--check", str(tmp_path / "none"))


def test_facts_are_listed_with_type_cost_and_meaning() -> None:
    code, output = run("--facts", "caption")
    assert code == 0
    assert "caption caption_length   integer, cost stat\n    Characters after normalising; 0" in output
    assert "album " not in output.replace("of album", "")
    assert "own_caption" not in output, "a fact that only other facts can use"
    assert "Rules of caption can also ask for the facts of settings and of album." in output
    everything = run("--facts")[1]
    assert "settings passes   integer" in everything
    with pytest.raises(UsageError, match="The nearest is caption"):
        run("--facts", "captoin")


@pytest.mark.parametrize("words", [("--facts", "--check"), ("caption/missing", "--log", "-")])
def test_explain_answers_one_question_at_a_time(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="explain takes one of"):
        run(*words)
