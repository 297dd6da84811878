"""The bases on this machine: pocket, the hub's cache, ComfyUI's usual folders. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from albumkit import bases
from albumkit.engine import hub
from albumkit.engine.base import POCKET, POCKET_FOLDER, Base
from albumkit.engine.comfy.base import open_comfy
from albumkit.engine.comfy.files import files_of, usual_folders
from albumkit.errors import AlbumkitError, UsageError


@dataclass(frozen=True)
class Found:
    """A base by the name that ``--base`` takes, where it lies, and why it cannot be used (None: it can)."""

    name: str
    folder: Path
    problem: AlbumkitError | None


def survey() -> Iterator[Found]:
    """Every base that is here and that albumkit can train, whole or not."""
    yield _checked(Base(POCKET, POCKET_FOLDER, bases.find_base(POCKET)))
    for name, folder in hub.all_snapshots():
        found = _checked(Base(name, folder, bases.find_base(name)))
        if (folder / "model_index.json").is_file() and not isinstance(found.problem, UsageError):
            yield found
    for models in usual_folders():
        for file in files_of(models, "transformer")[0]:
            name = file.path.as_posix()
            try:
                open_comfy(name, "--base")
            except AlbumkitError as error:
                yield Found(name, models, error)
            else:
                yield Found(name, models, None)


def bases_here() -> list[str]:
    """Names of those that can be used as they are."""
    return [found.name for found in survey() if found.problem is None]


def _checked(base: Base) -> Found:
    try:
        base.check()
    except AlbumkitError as error:
        return Found(base.asked, base.folder, error)
    return Found(base.asked, base.folder, None)
