"""The hook albumkit-fix under real pre-commit: it mends, fails so that a person looks, then passes."""

from __future__ import annotations

import shutil

import pytest
from repositories import call, git
from test_hooks import albums, hooked  # noqa: F401 - fixtures

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def test_a_commit_is_mended_and_then_passes(albums, hooked):  # noqa: F811
    config = albums / ".pre-commit-config.yaml"
    config.write_text(config.read_text().replace("albumkit-lint", "albumkit-fix"))
    caption = albums / "cat" / "IMG_3.txt"
    caption.write_bytes("a photo of TOK ceramic cat, view \u00e9".encode("utf-16"))
    git(albums, "add", "-A")
    env = {"PRE_COMMIT_HOME": str(hooked.environments), "COLUMNS": "80"}
    first = call(["git", "commit", "-m", "a change"], albums, **env)
    assert first.returncode == 1, first.stdout
    assert "files were modified by this hook" in first.stdout
    assert "IMG_3.txt   UTF-16 to UTF-8" in first.stdout
    assert caption.read_text(encoding="utf-8") == "a photo of TOK ceramic cat, view \u00e9"
    assert git(albums, "status", "--porcelain").splitlines()[-1].endswith("cat/IMG_3.txt")
    git(albums, "add", "-A")
    second = call(["git", "commit", "-m", "a change"], albums, **env)
    assert second.returncode == 0, second.stdout
