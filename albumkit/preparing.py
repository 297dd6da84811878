"""``train --prepare``: captions and masks that an album lacks, made into the run and never into the album.

They lie in ``RUN/prepared`` under the paths that they would have in the album, so that a run that is gone on
with packs the same files, whatever the models would say by then. A file that the album has by now counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit.atomic import write_whole
from albumkit.captioning import caption_album, caption_files
from albumkit.errors import AlbumkitError
from albumkit.masking import make_masks
from albumkit.opening import open_album
from albumkit.paths import quoted
from albumkit.settings import Settings
from albumkit.trainer import LOCAL
from albumkit.workflows import Progress

if TYPE_CHECKING:
    from albumkit.caption.protocol import Captioner
    from albumkit.mask.protocol import Masker

FOLDER = "prepared"


@dataclass(frozen=True, slots=True)
class Makers:
    """What makes captions and masks; each is opened only where something is missing."""

    captioner: Callable[[], Captioner]
    masker: Callable[[], Masker]


def make_sidecars(
    album: Path, folder: Path, settings: Settings, makers: Makers, progress: Progress | None = None
) -> dict[str, bytes]:
    """Make what is missing: captions unless there is a default one, masks where ``create_masks`` is on.

    Args:
        folder: Where they are kept.

    Returns:
        The files by the path that they would have in the album.

    Raises:
        AlbumkitError: a captioner or masker is not on this machine, or some masks are none.
    """
    made: dict[str, bytes] = {}
    if not settings.value("default_caption"):
        made.update(_captions(album, makers, progress))
    if settings.value("create_masks"):
        made.update(_masks(album, makers, progress))
    for path, data in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / path, data)
    return made


def kept_sidecars(folder: Path, album: Path) -> dict[str, bytes]:
    """What :func:`make_sidecars` kept, but for what the album has itself by now."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    return {path: file.read_bytes() for path, file in files.items() if not (album / path).exists()}


def _captions(album: Path, makers: Makers, progress: Progress | None) -> Mapping[str, bytes]:
    """Those that are good. Of the others lint will say that they are missing."""
    report = caption_album(album, makers.captioner, trainer=LOCAL, dry=True, progress=progress)
    if report.interrupted:
        raise KeyboardInterrupt
    if report.stopped is not None:
        raise report.stopped
    texts = {one.path: one.caption for one in report.outcomes if one.state == "captioned"}
    return caption_files(open_album(album).album, texts)


def _masks(album: Path, makers: Makers, progress: Progress | None) -> Mapping[str, bytes]:
    report = make_masks(album, makers.masker, dry=True, progress=progress)
    if report.stopped:
        raise KeyboardInterrupt
    if bad := len(report.failed) + len(report.refused):
        raise AlbumkitError(
            f"{bad} of {len(report.made) + len(report.failed)} masks could not be made.",
            f"albumkit mask {quoted(album.as_posix())} --dry-run   says which, and what to do",
        )
    return {path: data for path, data in report.proposed.items() if data is not None}
