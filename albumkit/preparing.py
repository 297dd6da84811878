"""``train --prepare``: captions and masks that an album lacks, made into the run and never into the album.

They lie in ``RUN/prepared`` under the paths that they would have in the album, so that a run that is gone on
with packs the same files, whatever the models would say by then. A caption or mask that the album has by now
counts, wherever it stands.
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
    """What :func:`make_sidecars` kept, but for the pictures that have a caption or mask of their own by now.

    Which of them that are is read off the album: a person's caption may stand in another file than ours, even
    in one that a file of ours would win over.
    """
    kept = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    if not kept:
        return {}
    files = {path: file.read_bytes() for path, file in kept.items()}
    own = {example.path: example for example in open_album(album).album.examples}
    wanted: set[str] = set()
    for example in open_album(album, proposed=files).album.examples:
        now = own.get(example.path)
        if now is None:  # no picture of the album: somebody put it among ours
            continue
        if now.caption is None and example.caption is not None:
            wanted.add(example.caption.path)
        if now.mask is None and example.mask is not None:
            wanted.add(example.mask.path)
    return {path: data for path, data in files.items() if path in wanted}


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
