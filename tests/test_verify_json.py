"""albumkit-verify/1: its form, and that it tells what the text tells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from adapters import make
from click.testing import CliRunner
from sample_loras import COMFY, DIFFUSERS, EVERYTHING, FAL, TRIGGER, lora, write_samples
from test_adapter_matrix import MATRIX, SIZES, of_row
from test_verify import broken, dora, other_model

from albumkit import __version__
from albumkit.cli.main import main
from albumkit.report.verify import verify_lines
from albumkit.report.verify_json import verify_document
from albumkit.verifying import verify_files


def of(**properties: Any) -> dict[str, Any]:
    """An object with exactly these keys."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def many(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def maybe(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


TEXT, NUMBER, COUNT, FLAG = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))
RUNTIME = of(
    result={"enum": ["full", "partial", "nothing", "error", "unknown"]},
    ok=FLAG,
    version=maybe("string"),
    loaded=COUNT,
    dropped=many(TEXT),
    faults=many(of(fault=TEXT, words=TEXT, modules=many(TEXT))),
    error=maybe("string"),
    why=TEXT,
    since=TEXT,
    remedy=TEXT,
)
FILE = of(
    path=TEXT,
    answer=TEXT,
    ok=FLAG,
    asked_for=many({"enum": ["comfy", "diffusers", "fal"]}),
    asked_by=maybe("string"),
    error=maybe("string"),
    remedy=TEXT,
    base=maybe("string"),
    trigger=maybe("string"),
    scheme=maybe("string"),
    architecture=maybe("string"),
    model={"oneOf": [of(id=maybe("string"), title=TEXT), {"type": "null"}]},
    kind=maybe("string"),
    rank=maybe("integer"),
    alpha=maybe("number"),
    modules=many(of(name=TEXT, rank=maybe("integer"), alpha=maybe("number"), scale=NUMBER, state=TEXT)),
    leftovers=many(TEXT),
    runtimes={
        "type": "object",
        "properties": {"comfy": RUNTIME, "diffusers": RUNTIME, "fal": RUNTIME},
        "additionalProperties": False,
    },
    findings=many(
        of(
            rule={"type": "string", "pattern": "^adapter/"},
            severity={"enum": ["error", "warning", "note"]},
            module=maybe("string"),
            fact=TEXT,
            value={},
            limit={},
            message=TEXT,
            remedy=TEXT,
            fingerprint={"type": "string", "pattern": "^[0-9a-f]{16}$"},
        )
    ),
    effect={"type": "null"},
)
SCHEMA = of(schema={"const": "albumkit-verify/1"}, version={"const": __version__}, files=many(FILE))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def document(*words: str) -> Any:
    """What the command prints, after its form was checked."""
    done = CliRunner().invoke(main, ["verify", *words, "--format", "json"], standalone_mode=False)
    assert done.exception is None
    found = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    assert done.return_value == int(not all(file["ok"] for file in found["files"]))
    return found


def test_every_kind_of_file_keeps_to_the_schema(here):
    write_samples(here)
    for kind in (broken, dora, other_model):
        kind(here / f"{kind.__name__}.safetensors")
    lora(here / "alpha.safetensors", replace(COMFY, alpha=0.5))
    files = document(*sorted(file.name for file in here.iterdir()))["files"]
    assert len(files) == 11
    pointer = next(file for file in files if file["path"] == "pot_pointer.safetensors")
    assert pointer["error"] == pointer["answer"]
    assert (pointer["runtimes"], pointer["modules"], pointer["remedy"]) == ({}, [], "git lfs pull")


@pytest.mark.parametrize(
    ("architecture", "row"),
    [pytest.param(a, row, id=f"{a}-{row['scheme']}") for a in SIZES for row in MATRIX[a]],
)
def test_every_spelling_that_was_ever_measured_gets_an_answer(architecture, row, here):
    made_for, base = of_row(row, SIZES[architecture])
    some = (0, 18, 37) if architecture == "flux1" else None
    make(Path("cat.safetensors"), made_for, row["file"], EVERYTHING, only_blocks=some)
    wrong = base.id if base != made_for else None
    report = verify_files([Path("cat.safetensors")], base=wrong)
    found = json.loads(json.dumps(verify_document(report)))
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    assert set(found["files"][0]["runtimes"]) == {"comfy", "diffusers", "fal"}
    lines = [line.plain for line in verify_lines(report)]
    assert lines[0].startswith("cat.safetensors")
    assert all(len(line) <= 80 or " do " in line for line in lines)


def test_a_file_in_full(here):
    lora(here / "cat.safetensors", replace(COMFY, alpha=0.5), metadata=TRIGGER)
    (file,) = document("cat.safetensors", "--for", "diffusers", "--base", "klein-4b")["files"]
    assert file["answer"] == "cat.safetensors: diffusers refuses it (ValueError)."
    names = ("asked_for", "asked_by", "base", "trigger", "scheme", "architecture", "kind", "rank", "alpha")
    assert [file[name] for name in names] == [
        ["diffusers"],
        "--for",
        "flux2-klein-4b",
        "TOK",
        "comfy",
        "flux2",
        "lora",
        4,
        2.0,
    ]
    assert file["model"] == {"id": "flux2-klein-4b", "title": "FLUX.2 klein 4B"}
    first = file["modules"][0]
    assert first == {
        "name": "double_blocks.0.img_attn.proj",
        "rank": 4,
        "alpha": 2.0,
        "scale": 0.5,
        "state": "good",
    }
    assert len(file["modules"]) == 68
    assert file["runtimes"]["comfy"]["result"] == "full"
    refused = file["runtimes"]["diffusers"]
    assert (refused["result"], refused["error"], refused["ok"]) == ("error", "ValueError", False)
    assert refused["remedy"] == "albumkit convert cat.safetensors cat_comfy.safetensors --to comfy"
    (finding,) = file["findings"]
    assert (finding["rule"], finding["severity"]) == ("adapter/refused", "error")


def test_dropped_modules_are_named_in_full(here):
    lora(here / "cat.safetensors", DIFFUSERS)
    (file,) = document("cat.safetensors", "--for", "comfy")["files"]
    comfy = file["runtimes"]["comfy"]
    assert (comfy["result"], comfy["loaded"], comfy["version"]) == ("partial", 83, "0.33.0")
    assert comfy["dropped"] == [
        "double_stream_modulation_img.linear",
        "double_stream_modulation_txt.linear",
        "single_stream_modulation.linear",
        "time_guidance_embed.timestep_embedder.linear_1",
        "time_guidance_embed.timestep_embedder.linear_2",
    ]


def test_modules_with_bad_numbers_say_so(here):
    broken(here / "cat.safetensors")
    (file,) = document("cat.safetensors")["files"]
    assert {module["name"]: module["state"] for module in file["modules"]} == {
        "double_blocks.0.img_attn.proj": "zero-lora-b",
        "double_blocks.0.img_attn.qkv": "non-finite",
        "txt_in": "factors-too-large",
    }
    assert {finding["module"] for finding in file["findings"]} == {m["name"] for m in file["modules"]}


def test_since_when(here):
    lora(here / "cat.safetensors", FAL)
    (file,) = document("cat.safetensors")["files"]
    assert file["runtimes"]["diffusers"]["since"] == "0.37.0"
    assert (file["asked_for"], file["asked_by"]) == ([], None)
