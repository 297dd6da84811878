"""The cache of the Hugging Face hub on this machine: where it lies, what is in it, and what fetches the rest.

Its layout (https://huggingface.co/docs/huggingface_hub/guides/manage-cache) is read as it is; nothing is ever
downloaded here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from albumkit import bases


def is_name(text: str) -> bool:
    """Whether it has the form of a name on the hub: ``owner/name``."""
    return re.fullmatch(r"\w[\w.-]*/[\w.-]+", text) is not None


def cache_folder() -> Path:
    """Where the hub's own programs keep what they fetched."""
    if own := os.environ.get("HF_HUB_CACHE"):
        return Path(own)
    shared = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HF_HOME") or shared / "huggingface") / "hub"


def find_snapshot(name: str) -> Path | None:
    """The folder of a repository's files, as far as they were fetched: of main, else the newest."""
    repository = cache_folder() / f"models--{name.replace('/', '--')}"
    try:
        commit = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = ""
    if commit and (repository / "snapshots" / commit).is_dir():
        return repository / "snapshots" / commit
    folders = [folder for folder in (repository / "snapshots").glob("*") if folder.is_dir()]
    return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)


def all_snapshots() -> Iterator[tuple[str, Path]]:
    """Names of the repositories in the cache, each with its folder, by name."""
    for repository in sorted(cache_folder().glob("models--*--*")):
        name = repository.name.removeprefix("models--").replace("--", "/", 1)
        if (folder := find_snapshot(name)) is not None:
            yield name, folder


def fetch_command(name: str, *files: str) -> str:
    """The command that fetches a repository, or some of its files; and what the hub wants done first."""
    command = " ".join(("hf download", name, *files))
    known = bases.find_base(name)
    if known is None or known.hub != name or not known.gated:
        return command
    return (
        f"{command}   (accept the {known.licence} on https://huggingface.co/{name} first, then hf auth login)"
    )
