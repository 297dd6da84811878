"""The trainer files, what reads them, and what ``albumkit trainers`` shows of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator  # type: ignore[import-untyped, unused-ignore]

from albumkit import trainers
from albumkit.cli.trainers import command
from albumkit.errors import UnknownName
from albumkit.paths import rules_root
from albumkit.rule import load_rules
from albumkit.trainer import Trainer
from albumkit.trainers import load_trainer, match_error

FOLDER = rules_root() / "trainers"
DATA = Path(__file__).parent / "data"
SCHEMA = json.loads((rules_root() / "trainer.schema.json").read_text(encoding="utf-8"))
FACTS: dict[str, list[list[Any]]] = json.loads((DATA / "fal_endpoints.json").read_text(encoding="utf-8"))[
    "endpoints"
]
IDS = trainers.trainer_ids()
GROUPS = sorted(p.stem for p in (FOLDER / "_errors").glob("*.json"))
KLEIN = "fal-ai/flux-2-klein-9b-base-trainer"
KLEIN_4B_EDIT = "fal-ai/flux-2-klein-4b-base-trainer/edit"

# An error may point to no other rule.
RULES = {rule.id for rule in load_rules()}


def raw(trainer_id: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{trainer_id}.json").read_text(encoding="utf-8"))
    return document


# The files


def test_there_are_the_36_endpoints_and_three_more() -> None:
    more = {"local", "fal-ai/ltx23-video-trainer", "blackforestlabs/flux-3/klein/base/trainer"}
    assert len(FACTS) == 36
    assert set(IDS) == set(FACTS) | more


def test_the_schema_is_strict() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    good = raw(KLEIN)
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "remark": "x"})
    for key in SCHEMA["required"]:
        assert not validator.is_valid({k: v for k, v in good.items() if k != key}), key
    misspelt = json.loads(json.dumps(good).replace('"multipleOf"', '"multipleof"'))
    assert not validator.is_valid(misspelt)


@pytest.mark.parametrize("trainer_id", IDS)
def test_file_follows_the_schema_and_lies_at_its_id(trainer_id: str) -> None:
    document = raw(trainer_id)
    faults = [f"{e.json_path}: {e.message}" for e in Draft202012Validator(SCHEMA).iter_errors(document)]
    assert faults == []
    assert document["id"] == trainer_id


@pytest.mark.parametrize("trainer_id", IDS)
def test_knobs_are_sound(trainer_id: str) -> None:
    document = raw(trainer_id)
    schema, aliases = document["knobs"], document["aliases"]
    Draft202012Validator.check_schema(schema)
    assert set(schema["required"]) <= set(schema["properties"])
    assert set(aliases.values()) <= set(schema["properties"]), "an alias for a knob that is not there"
    assert not set(aliases) & set(schema["properties"]), (
        "a canonical name that is also another knob's own name"
    )
    for name, knob in schema["properties"].items():
        Draft202012Validator.check_schema(knob)
        if "default" in knob:
            assert Draft202012Validator(knob).is_valid(knob["default"]), (
                f"{name}: its default is not accepted"
            )
            if plus := knob.get("x-multiple-plus"):
                assert knob["default"] % plus["multiple"] == plus["plus"]
    trainer = load_trainer(trainer_id)
    resolution = trainer.training_resolution
    named = {
        trainer.captions.knob,
        trainer.trigger.knob,
        trainer.archive.knob,
        resolution and resolution.knob,
        *(trainer.examples_per_step.knobs if trainer.examples_per_step else ()),
    }
    assert named - {None} <= set(trainer.knobs), "a policy names a knob that is not there"
    forms = trainer.knobs.get("output_lora_format")
    assert set(trainer.lora_formats) == set(forms.schema["enum"] if forms else [""])
    assert trainer.media.images or trainer.media.clips
    assert not trainer.media.mixed or (trainer.media.images and trainer.media.clips)
    assert ("edit" in trainer.kinds) == (trainer.archive.pairs is not None)
    assert (trainer.captions.without == "default-or-refuse") == ("default_caption" in trainer.knobs)


@pytest.mark.parametrize("trainer_id", [*FACTS, "fal-ai/ltx23-video-trainer"])
def test_knobs_are_those_of_the_endpoint(trainer_id: str) -> None:
    facts = FACTS["fal-ai/ltx2-video-trainer" if trainer_id.endswith("ltx23-video-trainer") else trainer_id]
    schema = raw(trainer_id)["knobs"]
    assert set(schema["properties"]) == {row[0] for row in facts}
    assert set(schema["required"]) == {row[0] for row in facts if row[2]}
    for name, kind, _, *default in facts:
        knob = schema["properties"][name]
        assert [knob["default"]] == default if default else "default" not in knob, name
        assert same_type(knob, kind), f"{name}: {kind}"


def same_type(knob: dict[str, Any], kind: str) -> bool:
    """Whether a knob's schema says what the TypeScript type says; number covers whole numbers too."""
    if kind.startswith('"'):
        values = {part.strip().strip('"') for part in kind.split("|")}
        return values == {str(v) for v in knob["enum"]} and values <= set(knob["enum"])
    if kind == "url":
        return knob["type"] == "string" and knob.get("format") == "uri"
    if kind == "number":
        return knob["type"] in ("integer", "number")
    if kind == "Array<Validation>":
        return knob["type"] == "array" and set(knob["items"]["properties"]) == {"prompt", "image_url"}
    return bool(knob["type"] == kind)


@pytest.mark.parametrize("trainer_id", [i for i in IDS if "klein-4b" in i or "klein-9b" in i])
def test_klein_takes_steps_in_hundreds(trainer_id: str) -> None:
    steps = load_trainer(trainer_id).knobs["steps"]
    assert (steps.multiple_of, steps.offset, steps.default) == (100, 0, 1000)


def test_every_knob_has_words_and_no_words_are_unused() -> None:
    used = {name for t in trainers.all_trainers() for name in t.knobs}
    assert used == set(trainers.knob_words())
    document = json.loads((rules_root() / "knobs.json").read_text(encoding="utf-8"))
    assert list(document) == sorted(document)
    for name, words in document.items():
        assert set(words) <= {"title", "what", "more", "less", "advice", "sources"}, name
        assert len(words["what"]) <= 240, name
        assert words["sources"], name
        for key in set(words) - {"title", "sources"}:
            assert words[key].endswith("."), f"{name}.{key}"
            assert words[key].isascii(), f"{name}.{key}"


# Known errors


@pytest.mark.parametrize("group", GROUPS)
def test_shared_errors_follow_the_schema(group: str) -> None:
    document = json.loads((FOLDER / "_errors" / f"{group}.json").read_text(encoding="utf-8"))
    schema = {"$ref": "#/$defs/errors", "$defs": SCHEMA["$defs"]}
    assert [f"{e.json_path}: {e.message}" for e in Draft202012Validator(schema).iter_errors(document)] == []


def test_every_group_of_errors_is_used() -> None:
    assert {g for i in IDS for g in raw(i)["shared_errors"]} == set(GROUPS)


def test_every_pattern_finds_its_example_and_names_a_rule_that_exists() -> None:
    errors = {e for t in trainers.all_trainers() for e in t.errors}
    assert len(errors) >= 15
    for error in errors:
        assert re.search(error.pattern, error.example, re.IGNORECASE), error.pattern
        assert error.rule is None or error.rule in RULES
        assert not re.search(error.pattern, "step 400/1000, loss 0.41, 2.1 it/s", re.IGNORECASE)


@pytest.mark.parametrize(
    ("log", "rule"),
    [
        (
            '{"detail": [{"loc": ["body", "steps"], "msg": "Input should be a multiple of 100"}]}',
            "settings/not-a-multiple",
        ),
        ("{'type': 'multiple_of', 'ctx': {'multiple_of': 100}}", "settings/not-a-multiple"),
        ("number_of_frames must satisfy frames % 8 == 1", "settings/frame-count-not-offered"),
        ("Input should be less than or equal to 10000", "settings/out-of-range"),
        ("ERROR: TOO FEW FILES IN THE ARCHIVE. Expected at least 10", "album/too-few-examples"),
        ("ValueError: Missing caption for 0004.png", "caption/missing"),
        ("caption file not found: 0004.txt", "caption/missing"),
        ("UnidentifiedImageError: cannot identify image file <_io.BytesIO>", "example/unreadable"),
        ("OSError: image file is truncated (3 bytes not processed)", "example/truncated"),
        ("training finished", None),
    ],
)
def test_match_error(log: str, rule: str | None) -> None:
    hits = match_error(f"2026-11-23 10:00:00 start\n{log}\ndone\n")
    assert (hits[0].error.rule if hits else None) == rule
    for hit in hits:
        assert hit.trainers
        assert len(hits) == len({h.error for h in hits})


# Reading them


def test_a_name_that_does_not_exist_names_the_nearest() -> None:
    for typed, meant in {
        "flux-2-klein-9b-base-trainer": KLEIN,
        "fal-ai/flux-2-klein-9b-base-trainr": KLEIN,
        "flux-2-klein-9b-base-trainr": KLEIN,
        "Local": "local",
        "wan-trainer": "fal-ai/wan-trainer",
        "t2v-14b": "fal-ai/wan-trainer/t2v-14b",
        "klein-9b": KLEIN,
    }.items():
        with pytest.raises(UnknownName) as caught:
            load_trainer(typed)
        assert caught.value.nearest == meant, typed
        assert f"The nearest is {meant}." in caught.value.message
        assert caught.value.remedy == "albumkit trainers   lists them all"


@pytest.mark.parametrize(
    "name", ["", "zzzz", "../trainers/local", "fal-ai", "_errors/fal", "local/", "/local", "a\0b"]
)
def test_no_file_outside_the_folder_is_a_trainer(name: str) -> None:
    with pytest.raises(UnknownName):
        load_trainer(name)


def test_knobs_answer_to_both_names() -> None:
    ltx = load_trainer("fal-ai/ltx2-video-trainer")
    assert ltx.knob("steps") is ltx.knob("number_of_steps") is ltx.knobs["steps"]
    assert ltx.knob("nothing") is None
    frames = ltx.knobs["number_of_frames"]
    assert (frames.multiple_of, frames.offset) == (8, 1)
    assert ltx.knobs["frame_rate"].multiple_of is None
    names = trainers.all_knob_names()
    assert {"steps", "number_of_steps", "trigger_phrase", "trigger_word", "use_masks", "keep"} <= names


def test_request_speaks_the_trainers_language() -> None:
    trainer = load_trainer("fal-ai/flux-lora-fast-training")
    values = {"trigger_phrase": "TOK", "steps": 800, "image_data_url": "https://example.org/a.zip"}
    assert trainer.request(values) == {"trigger_word": "TOK", "steps": 800}
    with pytest.raises(UnknownName, match="The nearest is steps"):
        trainer.request({"stepz": 1})


def test_prices() -> None:
    edit = load_trainer(KLEIN_4B_EDIT)
    assert edit.price(1000) == edit.price(1000, 1) == pytest.approx(9.706)
    assert edit.price(1000, 4) == pytest.approx(31.97)
    assert edit.price(1000, 5) is None
    assert load_trainer("blackforestlabs/flux-3/klein/base/trainer").price(1000) == pytest.approx(4.3)
    assert load_trainer("fal-ai/ltx23-video-trainer").price(2000, 3) == pytest.approx(9.6)
    assert load_trainer("fal-ai/wan-trainer").price(400) == pytest.approx(2.0)
    assert load_trainer("local").price(1000) == 0
    assert load_trainer(KLEIN).price(1000) is None


def test_layouts() -> None:
    layers = load_trainer("fal-ai/qwen-image-layered-trainer").archive.layers
    assert layers is not None
    assert (layers.whole, layers.first, layers.most, layers.same_count) == ("ROOT_start", "ROOT_end", 8, True)
    pairs = load_trainer(KLEIN_4B_EDIT).archive.pairs
    assert pairs is not None
    assert pairs.references == ("ROOT_start2", "ROOT_start3", "ROOT_start4")
    assert load_trainer("local").archive.masks == "masks/ROOT.png"


def test_loading_is_fast_and_imports_little() -> None:
    load_trainer(KLEIN)
    best = min(timed_load() for _ in range(20))
    assert best < 0.003, f"{best * 1000:.1f} ms"
    heavy = "{'jsonschema', 'jsonschema_rs', 'rich', 'click', 'PIL'}"
    code = f"import sys, albumkit.trainers as t; t.load_trainer('local'); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def timed_load() -> float:
    load_trainer.cache_clear()
    start = time.perf_counter()
    load_trainer(KLEIN)
    return time.perf_counter() - start


# What people see


def show(*arguments: str, columns: int = 80) -> Result:
    env = {"COLUMNS": str(columns), "FORCE_COLOR": None, "TTY_COMPATIBLE": None}
    result = CliRunner(env=env).invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_list_shows_every_id_whole_at_80_columns() -> None:
    lines = show().output.splitlines()
    assert max(map(len, lines)) <= 80
    firsts = [line.split()[0] for line in lines if line.strip()]
    assert set(IDS) <= set(firsts)
    assert "\x1b" not in show().output
    assert f"{KLEIN_4B_EDIT}   FLUX.2 klein 4B      1000      $9.71" in lines
    assert f"{KLEIN}        FLUX.2 klein 9B      1000  not known" in lines
    narrow = show(columns=60).output.splitlines()
    assert max(map(len, narrow)) <= 60
    assert set(IDS) <= set(narrow)


@pytest.mark.parametrize("trainer_id", IDS)
@pytest.mark.parametrize("columns", [80, 100])
def test_one_trainer_fits_the_terminal(trainer_id: str, columns: int) -> None:
    output = show(trainer_id, columns=columns).output
    lines = output.splitlines()
    assert lines[0] == trainer_id
    assert output.isascii()
    assert "\x1b" not in output
    assert not [line for line in lines if line != line.rstrip()]
    long = [line for line in lines if len(line) > columns]
    assert all(" " not in line.strip() for line in long), long  # only an address may stick out
    trainer = load_trainer(trainer_id)
    for name in trainer.knobs:
        assert re.search(rf"^  {name}( -> \w+)?   ", output, re.MULTILINE), name


def test_golden_page() -> None:
    output = show(KLEIN).output
    golden = DATA / "trainer_flux2_klein_9b.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(output, encoding="utf-8", newline="\n")
    assert output == golden.read_text(encoding="utf-8"), (
        "look at the change, then run again with UPDATE_GOLDEN=1"
    )


def test_json_list() -> None:
    document = json.loads(show("--format", "json").output)
    assert document["schema"] == "albumkit-trainers/1"
    assert [t["id"] for t in document["trainers"]] == list(IDS)
    row = next(t for t in document["trainers"] if t["id"] == "fal-ai/wan-trainer")
    assert (row["steps_default"], row["usd_per_1000_steps"], row["kinds"]) == (400, 5.0, ["video"])


@pytest.mark.parametrize("trainer_id", IDS)
def test_json_of_one(trainer_id: str) -> None:
    document = json.loads(show(trainer_id, "--format", "json").output)
    assert document["schema"] == "albumkit-trainers/1"
    told: Trainer = load_trainer(trainer_id)
    assert document["trainer"]["id"] == trainer_id
    assert [k["name"] for k in document["trainer"]["knobs"]] == list(told.knobs)
    steps = next(k for k in document["trainer"]["knobs"] if k["name"] == "steps")
    assert steps["schema"] == told.knobs["steps"].schema
    assert steps["words"]["what"]


def test_an_unknown_id_is_a_usage_error() -> None:
    result = CliRunner().invoke(command, ["fal-ai/flux-2-trainer-v3"])
    assert isinstance(result.exception, UnknownName)
    assert result.exception.exit_code == 2
    assert result.exception.nearest == "fal-ai/flux-2-trainer-v2"
