"""What lies on this machine of the Hugging Face hub, and the identity of files by content. Nothing is ever
downloaded.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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


def fetch_line(asked: str) -> str:
    """What brings a model whole onto this machine, by how it was named."""
    return f"hf download {asked}" if is_hub_name(asked) else "copy or download the folder again"


def in_cache(name: str) -> Path:
    """The folder of a snapshot in the cache; its name is the revision.

    Raises:
        AlbumkitError: it is not there; the remedy is the command that fetches it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, cache_dir=hub_cache(), local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise AlbumkitError(f"{name} is not on this machine.", fetch_line(name)) from error


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
