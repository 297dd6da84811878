"""What lies on this machine of the Hugging Face hub, what fetches the rest, and the identity of files by
content. Nothing is ever downloaded.

The cache's layout (https://huggingface.co/docs/huggingface_hub/guides/manage-cache) is read as it is.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from albumkit import bases
from albumkit.errors import AlbumkitError

#: Of a large file this many pieces of this size are looked at to tell whether it is the same.
_PIECES, _PIECE = 16, 1 << 16


def is_hub_name(name: str) -> bool:
    """Whether it has the form ``owner/name``."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None and not name.startswith(".")


def hub_cache() -> Path:
    """The folder that ``hf download`` fills."""
    if own := os.environ.get("HF_HUB_CACHE"):
        return Path(own)
    home = (
        os.environ.get("HF_HOME")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    )
    return Path(home) / "hub"


def fetch_line(asked: str, *files: str) -> str:
    """What brings a model, or some of its files, onto this machine, by how it was named; and what the hub
    wants done first.
    """
    if not is_hub_name(asked):
        return "copy or download the folder again"
    command = " ".join(("hf download", asked, *files))
    known = bases.find_base(asked)
    if known is None or known.hub != asked or not known.gated:
        return command
    page = f"https://huggingface.co/{asked}"
    return f"{command}   (accept the {known.licence} on {page} first, then hf auth login)"


def find_snapshot(name: str) -> Path | None:
    """The folder of a repository's files, as far as they were fetched: of main, else the newest. Its name is
    the revision.
    """
    repository = hub_cache() / f"models--{name.replace('/', '--')}"
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
    for repository in sorted(hub_cache().glob("models--*--*")):
        name = repository.name.removeprefix("models--").replace("--", "/", 1)
        if (folder := find_snapshot(name)) is not None:
            yield name, folder


def in_cache(name: str) -> Path:
    """The folder of a snapshot in the cache.

    Raises:
        AlbumkitError: it is not there; the remedy is the command that fetches it.
    """
    folder = find_snapshot(name)
    if folder is None:
        raise AlbumkitError(f"{name} is not on this machine.", fetch_line(name))
    return folder


def fingerprint(files: Iterable[tuple[str, Path]]) -> str:
    """Identity of files by content, in an instant also for many gigabytes: every small file whole, of each
    large one the size, the header and pieces evenly spread (never a date or a path).

    Args:
        files: Each with the name that counts, in an order that does not depend on the machine.
    """
    digest = hashlib.sha256()
    for name, file in files:
        digest.update(f"{name}\0{file.stat().st_size}\0".encode())
        _feed(digest, file)
    return digest.hexdigest()


def _feed(digest: Any, file: Path) -> None:
    size = file.stat().st_size
    with open(file, "rb") as stream:
        if size <= _PIECES * _PIECE * 2:
            digest.update(stream.read())
            return
        head = int.from_bytes(stream.read(8), "little")
        digest.update(stream.read(min(head, size // 2)))
        for number in range(_PIECES):
            stream.seek((size - _PIECE) * number // (_PIECES - 1))
            digest.update(stream.read(_PIECE))
