"""The one command that mends a file: run, and the new file asked about again."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from adapters import make
from click.testing import CliRunner
from sample_loras import BLOCKS, EVERYTHING, KOHYA, lora
from test_adapter_matrix import MATRIX, SIZES, of_row

from albumkit.adapter import open_adapter
from albumkit.adapter.predict import RUNTIMES, Runtime, predict
from albumkit.cli.main import main


@pytest.mark.parametrize("groups", [BLOCKS, EVERYTHING], ids=["blocks", "everything"])
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row["scheme"]) for row in MATRIX["flux2"] if "made_for" not in row["file"]]
)
def test_what_stands_behind_do_mends_it(row, runtime: Runtime, groups, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    size, _ = of_row(row, SIZES["flux2"])
    make(Path("my cat.safetensors"), size, row["file"], groups, seed=1)
    found = predict(open_adapter("my cat.safetensors"), runtime, size=size)
    if not found.remedy.startswith("albumkit "):
        known = ("train it again without DoRA", "train it again as a plain LoRA")
        assert found.ok or found.remedy in known or (runtime == "fal" and not found.remedy)
        return
    words = shlex.split(found.remedy)[1:]
    done = CliRunner().invoke(main, words, standalone_mode=False)
    assert done.exception is None, done.exception
    assert predict(open_adapter(words[2]), runtime, size=size).ok


@pytest.mark.parametrize(("alpha", "wanted"), [(1 / 3, " --to comfy --lossy"), (0.5, " --to comfy")])
def test_a_scale_that_must_be_rounded_is_told_in_the_command(alpha, wanted, tmp_path):
    """diffusers drops the modulation of this form."""
    groups = (*BLOCKS, "modulation")
    file = lora(tmp_path / "cat.safetensors", replace(KOHYA, alpha=alpha), groups=groups, rank=3)
    found = predict(open_adapter(file), "diffusers")
    assert found.result == "partial"
    assert found.remedy.removesuffix(wanted).endswith("/cat_comfy.safetensors")
    words = shlex.split(found.remedy)[1:]
    assert CliRunner().invoke(main, words, standalone_mode=False).exception is None
    assert predict(open_adapter(words[2]), "diffusers").ok
