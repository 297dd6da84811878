"""The hook albumkit-verify under real pre-commit: a LoRA that does nothing where it is used is refused."""

from __future__ import annotations

import shutil

import pytest
from repositories import call, git
from sample_loras import COMFY, FAL, lora
from test_hooks import albums, hooked  # noqa: F401 - fixtures

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def test_a_lora_that_would_do_nothing_is_refused(albums, hooked):  # noqa: F811
    config = albums / ".pre-commit-config.yaml"
    config.write_text(config.read_text().replace("albumkit-lint", "albumkit-verify"))
    settings = albums / "cat" / "album.toml"
    settings.write_text(settings.read_text() + '[use]\nruntime = ["comfy"]\n')
    lora(albums / "cat" / "loras" / "cat.safetensors", FAL, rank=1)
    git(albums, "add", "-A")
    env = {"PRE_COMMIT_HOME": str(hooked.environments), "COLUMNS": "80"}
    first = call(["git", "commit", "-m", "a LoRA"], albums, **env)
    assert first.returncode == 1, first.stdout
    assert "albumkit verify....." in first.stdout
    assert "cat/loras/cat.safetensors: ComfyUI takes it without an error and uses nothing" in first.stdout
    assert "cat/loras/cat_comfy.safetensors --to comfy" in " ".join(first.stdout.split())
    lora(albums / "cat" / "loras" / "cat.safetensors", COMFY, rank=1)
    git(albums, "add", "-A")
    second = call(["git", "commit", "-m", "a LoRA"], albums, **env)
    assert second.returncode == 0, second.stdout


def test_a_commit_without_loras_is_not_judged(albums, hooked):  # noqa: F811
    config = albums / ".pre-commit-config.yaml"
    config.write_text(config.read_text().replace("albumkit-lint", "albumkit-verify"))
    git(albums, "add", "-A")
    env = {"PRE_COMMIT_HOME": str(hooked.environments), "COLUMNS": "80"}
    done = call(["git", "commit", "-m", "the hook"], albums, **env)
    assert done.returncode == 0, done.stdout
    assert "(no files to check)Skipped" in done.stdout
