"""``albumkit convert`` as it is called: what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from adapters import Spelling, places_of, tensors, write
from click.testing import CliRunner
from lora_values import FLUX2, QKV, SPELLINGS, one_module, with_alpha

from albumkit.adapter import FORMS, find_size
from albumkit.cli.convert import command
from albumkit.errors import AdapterError, UsageError

KLEIN = find_size("flux2-klein-4b")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def run(*words: str) -> str:
    result = CliRunner().invoke(command, list(words), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.output


def some(spelling: Spelling, *groups: str) -> Path:
    """A file with the first blocks of klein 4B and everything outside the blocks."""
    places = [p for p in places_of(KLEIN, spelling.layout, groups) if p.block in (None, 0)]
    return write(Path("cat.safetensors"), tensors(places, KLEIN, spelling, rank=2, seed=1))


def test_what_is_loaded_everywhere(folder):
    some(SPELLINGS["comfy"], "blocks")
    assert run("cat.safetensors", "out.safetensors", "--to", "diffusers") == (
        "out.safetensors   0.7 MB\n"
        "  from cat.safetensors: comfy became diffusers\n"
        "  FLUX.2 klein 4B, 14 modules, rank 2, BF16\n"
        "  2 modules split into q, k, v\n"
        "\n"
        "  ComfyUI >= 0.11.0 loads all of it\n"
        "  diffusers loads all of it\n"
    )


def test_mixed_ranks_name_the_version_of_diffusers(folder):
    some(SPELLINGS["diffusers"], "blocks")
    text = run("cat.safetensors", "out.safetensors", "--to", "comfy")
    assert "2 modules fused from q, k, v block-diagonally: the rank is their sum" in text
    assert "ranks 2, 6" in text
    assert "  diffusers >= 0.40.0 loads all of it; older ones scale modules of another rank" in text


def test_what_a_runtime_gets_wrong_is_warned_of(folder):
    some(SPELLINGS["diffusers"], "globals", "modulation", "adaln")
    text = run("cat.safetensors", "out.safetensors", "--to", "comfy")
    assert "1 module with the halves of its rows swapped" in text
    assert text.endswith(
        "  ComfyUI loads all of it\n"
        "warning  diffusers loads all, but not rightly: the delta of the last adaLN lands\n"
        "         on the wrong halves, shift on scale (1 module)\n"
        "  do     albumkit convert ... --to diffusers\n"
    )
    text = run("cat.safetensors", "diffusers.safetensors", "--to", "diffusers")
    assert "every number stays as it is\n" in text
    assert "warning  ComfyUI loads 4 of 9 modules: ComfyUI does not know this diffusers name\n" in text
    assert "  do     albumkit convert ... --to comfy\n" in text
    text = run("cat.safetensors", "fal.safetensors", "--to", "fal")
    assert "  fal loads all of it\n" in text
    assert "warning  ComfyUI loads nothing: ComfyUI knows no such name" in text


def test_flux1_in_comfyui_s_form_is_not_for_diffusers(folder):
    size = find_size("flux1-dev")
    places = [p for p in places_of(size, "diffusers", ("blocks",)) if p.block == 0]
    write(Path("cat.safetensors"), tensors(places, size, SPELLINGS["diffusers"], rank=1, seed=1))
    text = run("cat.safetensors", "out.safetensors", "--to", "comfy")
    assert "3 modules fused from q, k, v (single blocks: and mlp) block-diagonally" in text
    assert "warning  diffusers loads nothing" in text


def test_scales(folder):
    write(Path("cat.safetensors"), with_alpha(one_module(QKV, "kohya"), 2.0))
    text = run("cat.safetensors", "out.safetensors", "--to", "fal")
    assert "  scale of 1 module multiplied into lora_A\n  every number is exact\n" in text
    text = run("out.safetensors", "back.safetensors", "--to", "kohya")
    assert "  scale of 1 module taken out of lora_A again: it is the alpha\n" in text
    write(Path("cat.safetensors"), with_alpha(one_module(QKV, "kohya"), 0.7))
    with pytest.raises(AdapterError, match="no power of two"):
        run("cat.safetensors", "out.safetensors", "--to", "fal", "--force")
    text = run("cat.safetensors", "out.safetensors", "--to", "fal", "--force", "--lossy")
    assert re.search(r"1 tensor rounded: off by 0\.00\d+ of their size \(root mean square\)", text)


def test_what_was_left_out_is_said(folder):
    made = one_module(QKV, "comfy")
    made["diffusion_model.nobody.lora_A.weight"] = made["diffusion_model.nobody.lora_B.weight"] = (
        "BF16",
        (1, 1),
        bytes(2),
    )
    write(Path("cat.safetensors"), made, {"sshs_model_hash": "1"})
    text = run("cat.safetensors", "out.safetensors", "--to", "fal", "--lossy")
    assert "left out: diffusion_model.nobody.lora_A.weight" in text
    assert "left out of the header, checksums of the old bytes: sshs_model_hash" in text


def test_json(folder):
    some(Spelling("lora_unet_", "bfl", "down/up", 0.5, flat=True), "blocks", "adaln")
    document = json.loads(run("cat.safetensors", "out.safetensors", "--to", "comfy", "--format", "json"))
    assert document["schema"] == "albumkit-converted/1"
    assert (document["source_form"], document["form"]) == ("kohya", "comfy")
    assert (document["model"], document["modules"], document["ranks"]) == ("flux2-klein-4b", 11, {"2": 11})
    assert document["done"] == {"folded": 11}
    assert document["size"] == Path("out.safetensors").stat().st_size
    results = {one["runtime"]: one["result"] for one in document["predictions"]}
    assert results == {"comfy": "full", "diffusers": "full", "fal": "unknown"}
    faults = [fault["code"] for one in document["predictions"] for fault in one["faults"]]
    assert faults == ["adaln-halves-swapped"]


def test_wrong_calls(folder):
    write(Path("cat.safetensors"), one_module(QKV, "comfy"))
    with pytest.raises(UsageError, match="is the file that is read") as error:
        run("cat.safetensors", "cat.safetensors", "--to", "fal", "--force")
    assert error.value.exit_code == 2
    with pytest.raises(AdapterError, match="cannot be read: No such file") as error:
        run("dog.safetensors", "out.safetensors", "--to", "fal")
    assert error.value.exit_code == 1


def test_the_help_names_every_form():
    assert f"--to [{'|'.join(FORMS)}]" in run("--help")
    assert FLUX2.architecture in {name for form in FORMS.values() for name in form.architectures}
