"""A copy of this working tree, uncommitted work included, for tests that install or change it."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent


def copy_checkout(target: Path) -> Path:
    """Put into ``target`` what a build and the hook read; no tests, no sample albums, no git history."""
    target.mkdir(parents=True)
    for name in (".gitignore", ".pre-commit-hooks.yaml", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, target)
    for name in ("albumkit", "rules"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    return target
