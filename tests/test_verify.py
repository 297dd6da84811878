"""albumkit verify: its words, its exit codes, and what it asks of which program.

Refresh the golden outputs with: UPDATE_GOLDEN=1 pytest tests/test_verify.py
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from adapters import Spelling, places_of, tensors, words, write
from click.testing import CliRunner
from sample_loras import COMFY, DIFFUSERS, FAL, KOHYA, TRIGGER, lora, write_samples

from albumkit.adapter import find_size
from albumkit.cli.main import main
from albumkit.errors import ConfigError, UsageError
from albumkit.paths import rules_root
from albumkit.report.verify import verify_lines
from albumkit.verifying import verify_files

GOLDEN = Path(__file__).parent / "golden"
BARE = Spelling("", "bfl")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verify(*args: str, **env: str) -> tuple[int, str]:
    done = CliRunner(env=env).invoke(main, ["verify", *args], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.stdout


def broken(path: Path) -> Path:
    """Of three modules one has a NaN, one is all zero, one is far too large."""
    size = find_size("flux2-klein-4b")
    places = [p for p in places_of(size, "bfl", ("blocks",)) if p.block == 0 and ".img_attn." in p.name]
    places += [p for p in places_of(size, "bfl", ("globals",)) if p.name == "txt_in"]
    made = tensors(places, size, COMFY, rank=2, dtype="F32", seed=1)
    first, second, third = (f"diffusion_model.{place.name}.lora_B.weight" for place in places)
    dtype, shape, raw = made[first]
    assert raw is not None
    made[first] = (dtype, shape, words([float("nan")], "F32") + raw[4:])
    made[second] = (*made[second][:2], None)
    rows, columns = made[third][1]
    made[third] = ("F32", (rows, columns), words([2e4] * (rows * columns - 1) + [1.0], "F32"))
    return write(path, made)


def dora(path: Path) -> Path:
    size = find_size("flux2-klein-4b")
    places = places_of(size, "bfl", ("blocks",))
    return write(path, tensors(places, size, COMFY, seed=1, magnitude="dora_scale"))


def other_model(path: Path) -> Path:
    names = {
        f"diffusion_model.layers.{n}.attention.to_q.lora_{x}.weight": (4, 4) for n in (0, 1) for x in "AB"
    }
    raw = words([0.01, -0.02] * 8, "F32")
    return write(path, {name: ("F32", shape, raw) for name, shape in names.items()})


def header_alpha(path: Path) -> Path:
    config = '{"transformer.r": 4, "transformer.lora_alpha": 8}'
    return lora(path, DIFFUSERS, groups=("blocks",), metadata={"lora_adapter_metadata": config})


#: Golden file -> how cat.safetensors is made, the options, the exit code.
CASES: dict[str, tuple[Callable[[Path], object], str, int]] = {
    "full": (lambda p: lora(p, COMFY, metadata=TRIGGER), "--for comfy --for diffusers", 0),
    "wrongly": (lambda p: lora(p, COMFY, like_fal=False), "--for comfy --for diffusers", 1),
    "partly": (lambda p: lora(p, DIFFUSERS), "--for comfy", 1),
    "nothing": (lambda p: lora(p, FAL), "--for comfy", 1),
    "refused": (lambda p: lora(p, replace(COMFY, alpha=0.5)), "--for diffusers", 1),
    "any": (lambda p: lora(p, FAL), "", 0),
    "nowhere": (lambda p: lora(p, BARE), "", 1),
    "fal_asked": (lambda p: lora(p, COMFY), "--for fal", 1),
    "wrong_base": (lambda p: lora(p, COMFY), "--for comfy --base klein-9b", 1),
    "broken": (broken, "--for comfy", 1),
    "dora": (dora, "--for comfy", 0),
    "other_model": (other_model, "--for comfy", 1),
    "header_alpha": (header_alpha, "--for comfy --for diffusers", 1),
    "large": (lambda p: lora(p, KOHYA, model="flux2-dev", rank=1, like_fal=False), "--for comfy", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(name, here):
    make, options, wanted = CASES[name]
    make(Path("cat.safetensors"))
    code, said = verify("cat.safetensors", *options.split())
    compare(f"verify_{name}.txt", said)
    assert code == wanted


def test_golden_table(here):
    (here / "loras").mkdir()
    write_samples(here / "loras")
    code, said = verify(*sorted(file.as_posix() for file in Path("loras").iterdir()), "--for", "comfy")
    compare("verify_table.txt", said)
    assert code == 1


def compare(name: str, said: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(said, encoding="utf-8", newline="\n")
    assert said == golden.read_text(encoding="utf-8")


# How it is drawn


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_lines_fit_and_only_commands_are_never_broken(name, width, here):
    make, options, _ = CASES[name]
    make(Path("cat.safetensors"))
    runtimes = [word for word in ("comfy", "diffusers", "fal") if word in options.split()]
    base = "klein-9b" if "klein-9b" in options else None
    report = verify_files([Path("cat.safetensors")], runtimes=runtimes, base=base)
    lines = [line.plain for line in verify_lines(report, width)]
    long = [line for line in lines if len(line) > min(width, 100) and "albumkit convert" not in line]
    # A name without a blank is not broken either.
    assert all(" " not in line.strip() for line in long)
    assert not [line for line in lines if line != line.rstrip()]


def test_a_stream_that_speaks_ascii_gets_ascii(here):
    lora(Path("cat.safetensors"), COMFY, groups=("blocks",), zero=True)
    report = verify_files([Path("cat.safetensors")])
    text = "\n".join(line.plain for line in verify_lines(report, ascii_only=True))
    assert text.isascii()
    assert "image attention  00000\n" in text
    assert "image MLP        .....\n" in text
    made = CliRunner(charset="ascii").invoke(main, ["verify", "cat.safetensors"], standalone_mode=False)
    assert "\\u" not in made.stdout


def test_parts_of_a_layer_are_drawn_as_a_part(here):
    size = find_size("flux2-klein-4b")
    places = [
        p for p in places_of(size, "diffusers", ("blocks",)) if p.diffusers_names[0].endswith("attn.to_q")
    ]
    write(Path("cat.safetensors"), tensors(places, size, DIFFUSERS, seed=1))
    _, said = verify("cat.safetensors")
    assert "image attention  ▄▄▄▄▄\n" in said
    assert "▄ a part of it" in said
    assert "coverage    5 of 89 layers" in said


# Exit codes


@pytest.mark.parametrize(
    ("spelling", "options", "code"),
    [
        (COMFY, "", 0),
        (COMFY, "--for comfy", 0),
        (COMFY, "--for comfy --for diffusers", 0),
        (COMFY, "--for fal", 1),
        (COMFY, "--for all", 0),  # what nobody knows is no answer when all are asked for
        (FAL, "", 0),
        (FAL, "--for comfy", 1),
        (FAL, "--for all", 1),
        (FAL, "--for fal --for diffusers", 0),
        (BARE, "", 1),
        (COMFY, "--base klein-9b", 1),
        (COMFY, "--base klein-4b", 0),
    ],
)
def test_exit_code(spelling, options, code, here):
    lora(Path("cat.safetensors"), spelling, rank=1)
    assert verify("cat.safetensors", *options.split())[0] == code


def test_one_bad_file_of_several_fails_all(here):
    lora(Path("a.safetensors"), COMFY, rank=1)
    lora(Path("b.safetensors"), COMFY, rank=1)
    assert verify("a.safetensors", "b.safetensors")[0] == 0
    lora(Path("b.safetensors"), COMFY, rank=1, zero=True)
    assert verify("a.safetensors", "b.safetensors")[0] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.safetensors"], "none.safetensors: there is no such file."),
        (["."], ". is a folder."),
        (["cat.safetensors", "--base", "none"], "There is no base named none."),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(words, message, here):
    lora(Path("cat.safetensors"), COMFY, rank=1)
    with pytest.raises(UsageError, match=re.escape(message)):
        verify(*words)


# Files that are none


BAD = {
    "a.pt": (b"anything", "a.pt: it was not opened: a pickle can run any program that its author put"),
    "b.safetensors": (b"PK\x03\x04" + bytes(40), "b.safetensors: it is no safetensors file: it is a zip"),
    "c.safetensors": (b"", "c.safetensors: it is no safetensors file: it has 0 bytes."),
    "d.safetensors": (
        b"<!DOCTYPE html>" + bytes(40),
        "d.safetensors: it is no safetensors file: it is a web page",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_none_is_answered_in_a_sentence(name, here):
    data, sentence = BAD[name]
    Path(name).write_bytes(data)
    code, said = verify(name)
    assert code == 1
    assert " ".join(said.split()).startswith(sentence)


def test_a_whole_model_and_a_text_encoder_are_answered_too(here):
    weight = {"double_blocks.0.img_attn.qkv.weight": ("BF16", (8, 8), None)}
    write(Path("model.safetensors"), weight)
    assert "it is a whole model or a part of one" in " ".join(verify("model.safetensors")[1].split())
    name = "lora_te_text_model_encoder_layers_0_mlp_fc1"
    both = {f"{name}.lora_{x}.weight": ("BF16", (4, 4), None) for x in ("up", "down")}
    write(Path("text.safetensors"), both)
    assert "it is a LoRA for a text encoder" in " ".join(verify("text.safetensors")[1].split())


def test_in_a_table_they_are_lines(here):
    for name, (data, _) in BAD.items():
        Path(name).write_bytes(data)
    lora(Path("z.safetensors"), COMFY, rank=1)
    code, said = verify(*BAD, "z.safetensors")
    assert code == 1
    assert said.startswith("1 of 5 files would work in one program at least.\n")
    for name in BAD:
        assert f"\n{name}" in said


def test_names_cannot_steer_the_terminal(here):
    lora(Path("a\x1b[31m.safetensors"), COMFY, rank=1)
    _, said = verify("a\x1b[31m.safetensors")
    assert "\x1b" not in said
    assert "a\\x1b[31m.safetensors" in said


# [use] of album.toml


def test_runtimes_come_from_the_album_above(here):
    file = lora(here / "cat" / "loras" / "cat.safetensors", FAL, rank=1)
    assert verify("cat/loras/cat.safetensors")[0] == 0
    (here / "cat" / "album.toml").write_text('[use]\nruntime = ["comfy"]\n')
    code, said = verify("cat/loras/cat.safetensors")
    assert code == 1
    assert "asked for   ComfyUI, by [use] of cat/album.toml" in said
    assert verify("cat/loras/cat.safetensors", "--for", "fal")[0] == 0
    os.chdir(file.parent)
    assert "by [use] of ../album.toml" in verify("cat.safetensors")[1]


def test_shared_settings_above_all_albums_count(here):
    """To lint an album.toml that only holds what albums share is no album; of a LoRA it tells enough."""
    (here / "album.toml").write_text('[use]\nruntime = ["comfy"]\n')
    (here / "cat").mkdir()
    (here / "cat" / "album.toml").write_text('extend = "../album.toml"\n[album]\ntrigger_phrase = "TOK"\n')
    lora(here / "loras" / "a.safetensors", FAL, rank=1)
    lora(here / "cat" / "a.safetensors", COMFY, rank=1)
    assert verify("loras/a.safetensors")[0] == 1
    code, said = verify("cat/a.safetensors")
    assert code == 0
    assert "asked for   ComfyUI, by [use] of cat/../album.toml" in said
    assert 'the prompt needs "TOK" (cat/album.toml says so)' in said


def test_files_of_different_albums_are_asked_different_things(here):
    for name, runtime in (("a", "comfy"), ("b", "fal")):
        lora(here / name / "x.safetensors", FAL, rank=1)
        (here / name / "album.toml").write_text(f'[use]\nruntime = ["{runtime}"]\n')
    code, said = verify("a/x.safetensors", "b/x.safetensors")
    assert code == 1
    assert said.startswith("1 of 2 files would work in every program that they are asked for.\n")


def test_an_album_toml_that_cannot_be_used_is_told(here):
    lora(here / "x.safetensors", COMFY, rank=1)
    (here / "album.toml").write_text('[use]\nruntime = ["forge"]\n')
    with pytest.raises(ConfigError, match='names "forge"; it takes comfy'):
        verify("x.safetensors")
    (here / "album.toml").write_text('required_version = ">=99"\n')
    with pytest.raises(ConfigError, match="asks for albumkit >=99"):
        verify("x.safetensors")


def test_a_house_rule_judges_loras_too(here):
    """Zeros are an error in ours; here they are a note, and no exit code."""
    lora(Path("cat.safetensors"), COMFY, rank=1, zero=True)
    assert verify("cat.safetensors")[0] == 1
    rule = json.loads((rules_root() / "adapter" / "zero-lora-b.json").read_text(encoding="utf-8"))
    rule["x-albumkit"]["severity"] = "note"
    Path("rules/adapter").mkdir(parents=True)
    Path("rules/adapter/zero-lora-b.json").write_text(json.dumps(rule))
    Path("album.toml").write_text('[lint]\nrules = "rules"\n')
    assert verify("cat.safetensors")[0] == 0


# The trigger


@pytest.mark.parametrize(
    ("metadata", "trigger"),
    [
        (TRIGGER, "TOK"),
        ({"modelspec.trigger_phrase": "my cat"}, "my cat"),
        ({"ss_tag_frequency": '{"img": {"a cat": 3, "a dog": 1}}'}, None),
        ({"ss_tag_frequency": "[1"}, None),
        ({"ss_tag_frequency": '{"img": 3}'}, None),
        ({}, None),
    ],
)
def test_the_trigger_is_read_from_the_header(metadata, trigger, here):
    lora(Path("cat.safetensors"), COMFY, rank=1, metadata=metadata)
    _, said = verify("cat.safetensors")
    if trigger:
        assert f'the prompt needs "{trigger}" (the file\'s header says so)' in said
    else:
        assert "the file names none" in said
