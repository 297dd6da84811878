"""``albumkit doctor``: what it sees of a machine that lacks something, and which rules that silences."""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from albumkit.cli.main import main
from albumkit.doctor import Check, Diagnosis, examine
from albumkit.facts import find_fact
from albumkit.rule import load_rules


def by_name(found: Diagnosis) -> dict[str, Check]:
    return {check.name: check for check in found.checks}


def without(monkeypatch: pytest.MonkeyPatch, *packages: str, **versions: str) -> None:
    """Packages that are not installed here, or in another version."""
    real = metadata.version

    def version(name: str) -> str:
        if name in packages:
            raise metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(metadata, "version", version)


def program(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)


def test_a_missing_extra_names_its_rules_and_the_line_that_mends_it(monkeypatch):
    assert examine().idle == ()
    without(monkeypatch, "av")
    found = examine()
    assert by_name(found)["video"].state == "missing"
    (idle,) = found.idle
    assert idle.remedy == 'pip install "albumkit[video]"'
    clips = {rule.id for rule in load_rules() if rule.id.startswith("clip/")}
    assert "clip/unreadable" in clips
    assert set(idle.rules) == clips
    done = CliRunner().invoke(main, ["doctor"], standalone_mode=False)
    assert done.return_value == 0
    assert (
        f"{len(clips)} rule{'s' if len(clips) > 1 else ''} of {len(load_rules())} cannot run here"
        in done.stdout
    )


def test_a_copy_that_was_never_installed_is_told(monkeypatch):
    def nothing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", nothing)
    own = by_name(examine())["albumkit"]
    assert own.state == "broken"
    assert own.remedy.startswith("pip install -e .")


def test_facts_say_which_extra_they_need_and_hand_it_on():
    assert find_fact("clip", "clip_error").extras == {"video"}
    assert find_fact("example", "width").extras == frozenset()


def test_a_package_that_is_too_old_is_a_fault(monkeypatch):
    without(monkeypatch, pillow="9.0")
    check = by_name(examine())["pillow"]
    assert (check.state, check.remedy) == ("broken", "pip install --upgrade albumkit")
    assert check.detail == "9.0, but >=12 is needed"
    done = CliRunner().invoke(main, ["doctor"], standalone_mode=False)
    assert done.return_value == 1


@pytest.mark.skipif(os.name == "nt", reason="shell scripts stand in for programs")
def test_a_card_and_a_torch_that_cannot_use_it(monkeypatch, tmp_path):
    program(tmp_path / "bin", "nvidia-smi", "NVIDIA H100, 81559, 570.1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    built = tmp_path / "torch"
    built.mkdir()
    (built / "__init__.py").write_text("raise RuntimeError('doctor must not import it')")
    (built / "version.py").write_text("cuda: Optional[str] = None\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    without(monkeypatch, torch="2.13.0+cpu")
    checks = by_name(examine())
    assert checks["NVIDIA H100"].detail == "80 GiB, driver 570.1"
    assert checks["torch"].state == "broken"
    assert "download.pytorch.org" in checks["torch"].remedy
    (built / "version.py").write_text("cuda: Optional[str] = '12.8'\n")
    assert by_name(examine())["torch"].detail == "2.13.0+cpu, built for CUDA 12.8"


def test_programs_and_models(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    checks = by_name(examine())
    assert (checks["git"].state, checks["git"].remedy) == ("missing", "install git")
    assert checks["pocket"].state == "there"
    for name in ("black-forest-labs--FLUX.2-klein-base-4B", "Qwen--Qwen3-4B", "somebody--bert"):
        (tmp_path / "hub" / f"models--{name}" / "snapshots" / "0123").mkdir(parents=True)
    index = tmp_path / "hub/models--black-forest-labs--FLUX.2-klein-base-4B/snapshots/0123/model_index.json"
    index.write_text('{"_class_name": "Flux2KleinPipeline", "vae": ["diffusers", "AutoencoderKLFlux2"]}')
    models = {check.name: check for check in examine().checks if check.group == "models"}
    assert list(models) == ["pocket", "black-forest-labs/FLUX.2-klein-base-4B", "Qwen/Qwen3-4B"]
    klein = models["black-forest-labs/FLUX.2-klein-base-4B"]
    assert (klein.state, klein.remedy) == ("missing", "hf download black-forest-labs/FLUX.2-klein-base-4B")
    assert klein.detail.endswith("is not whole on this machine: vae/config.json is missing, and 1 more.")


def test_a_cache_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ALBUMKIT_CACHE_DIR", str(tmp_path / "file" / "cache"))
    check = by_name(examine())["cache"]
    assert check.state == "broken"
    assert "ALBUMKIT_CACHE_DIR" in check.remedy


def test_json_holds_the_same(monkeypatch):
    without(monkeypatch, "av")
    done = CliRunner().invoke(main, ["doctor", "--format", "json"], standalone_mode=False)
    document = json.loads(done.stdout)
    assert document["schema"] == "albumkit-doctor/1"
    assert document["rules"] == len(load_rules())
    assert document["rules_not_run"][0]["remedy"] == 'pip install "albumkit[video]"'
    assert {"group", "name", "state", "detail", "remedy"} == set(document["checks"][0])
