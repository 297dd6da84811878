"""What must never be imported: heavy libraries by the light commands, and upper layers by lower ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import write_picture
from sample_loras import COMFY, FAL, lora

ROOT = Path(__file__).parent.parent
#: A hook environment holds none of these.
HEAVY = (
    "accelerate",
    "diffusers",
    "huggingface_hub",
    "onnxruntime",
    "peft",
    "rembg",
    "safetensors",
    "torch",
    "transformers",
)
KLEIN = "fal-ai/flux-2-klein-9b-base-trainer"

#: Runs the command line; the first argument names the modules that nobody may ask for. An attempt counts even
#: where the asker would live with its failure, for on another machine the module is installed.
GUARD = """\
import os, sys

class Guard:
    asked = []

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden:
            self.asked.append(name)
            raise ModuleNotFoundError(f"{name} must not be imported", name=name)

forbidden = sys.argv.pop(1).split(",")
sys.meta_path.insert(0, Guard())
from albumkit.cli.main import run

try:
    run()
finally:
    if Guard.asked:
        print("asked for", *Guard.asked, file=sys.stderr, flush=True)
        os._exit(99)
"""


def guarded(forbidden: tuple[str, ...], *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONUTF8": "1"}
    call = [sys.executable, "-c", GUARD, ",".join(forbidden), *words]
    return subprocess.run(call, cwd=cwd, env=env, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for number in range(10):
        write_picture(tmp_path / "cat" / f"IMG_{number}.jpg", (1024, 1024), shade=number * 25)
        (tmp_path / "cat" / f"IMG_{number}.txt").write_text(f"a photo of TOK cat, view {number}")
    lora(tmp_path / "cat.safetensors", COMFY, rank=1)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "--version",
        "lint cat",
        "lint cat --deep --format json",
        "lint cat --cost header",
        f"pack cat --trainer {KLEIN}",
        f"trainers {KLEIN}",
        "explain caption/missing",
        "config cat",
        "caption cat --check --only caption/missing",
        "caption cat --replace view sight --apply",
        "init cat --help",
        "verify cat.safetensors",
        "verify cat.safetensors cat.safetensors --for comfy --base klein-4b --format json",
        "verify --help",
    ],
)
def test_light_commands_ask_for_nothing_heavy(words, album):
    done = guarded(HEAVY, *words.split(), cwd=album)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


def test_numpy_is_imported_only_where_pixels_are_measured(album):
    """Its import takes longer than a hook's whole look at an album."""
    done = guarded(("numpy",), "lint", "cat", "--cost", "header", cwd=album)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_lora_is_converted_by_nothing_but_albumkit(tmp_path):
    lora(tmp_path / "cat_fal.safetensors", FAL, rank=1)
    words = ("convert", "cat_fal.safetensors", "cat.safetensors", "--to", "diffusers")
    done = guarded((*HEAVY, "numpy"), *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("words", ["--help", "--version", "lint --help", "convert --help", "caption --help"])
def test_help_loads_no_library_but_click(words, tmp_path):
    done = guarded(
        (*HEAVY, "numpy", "PIL", "pi_heif", "rich", "jsonschema_rs", "jsonschema", "av"),
        *words.split(),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_the_guard_sees_what_it_shall_see(album):
    """Else the tests above would pass with the rule broken."""
    done = guarded(("PIL",), "lint", "cat", cwd=album)
    assert done.returncode == 99
    assert "asked for PIL" in done.stderr


def test_the_effect_of_a_lora_asks_for_the_engine(album):
    """So that the tests above mean something: with --effect the same command wants torch."""
    done = guarded(HEAVY, "verify", "cat.safetensors", "--effect", "cat", cwd=album)
    assert done.returncode == 99
    assert "asked for torch" in done.stderr


def test_layers_import_downwards_only():
    """The contracts stand in pyproject.toml, [tool.importlinter]."""
    code = "from importlinter.cli import lint_imports_command as command; command()"
    env = {**os.environ, "PYTHONUTF8": "1"}
    call = [sys.executable, "-c", code, "--no-cache"]
    done = subprocess.run(call, cwd=ROOT, env=env, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
