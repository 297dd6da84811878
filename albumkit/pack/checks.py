"""What pack refuses before it reads a single picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import ImageColor

from albumkit.album import Album, Example, MediaFile
from albumkit.errors import PackRefused, UsageError
from albumkit.pack.model import refuse_files, shown
from albumkit.pack.sources import lfs_refusal
from albumkit.settings import Settings
from albumkit.trainer import Trainer


def parse_background(text: str) -> tuple[str, tuple[int, int, int]]:
    """``#ffffff``, ``white`` or any other CSS colour as (``#rrggbb``, (red, green, blue)).

    Raises:
        UsageError: not a colour.
    """
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise UsageError(f"{text!r} is not a colour.", "Write for example --background '#ffffff'.") from error
    return f"#{red:02x}{green:02x}{blue:02x}", (red, green, blue)


def check_output(album: Album, out: Path) -> None:
    """The archive must not become a part of the album, nor replace what it is made from.

    Raises:
        PackRefused: with where to put it instead.
    """
    if out.suffix.lower() != ".zip" or not out.stem:
        raise PackRefused(f"{out.as_posix()}: the archive's name must end in .zip.")
    if out.is_dir():
        raise PackRefused(f"{out.as_posix()} is a folder.", "Give the archive another name with --out.")
    if not out.parent.is_dir():
        where = out.parent.as_posix()
        raise PackRefused(f"There is no folder {where} to put the archive into.", f"Make it: mkdir {where}")
    target, source = Path(os.path.realpath(out)), album.location.resolve()
    if source.is_dir() and source in target.parents:
        raise PackRefused(
            f"{out.as_posix()} lies inside the album and would become a part of it.",
            f"Put it beside the album: --out {_relative(source.parent / out.name)}",
        )
    if source.is_file() and target.exists() and target.samefile(source):
        raise PackRefused(
            f"{out.as_posix()} is the album itself.",
            f"Give the archive another name: --out {out.stem}-packed.zip",
        )


def _relative(path: Path) -> str:
    try:
        return Path(os.path.relpath(path)).as_posix()
    except ValueError:  # another drive of Windows
        return path.as_posix()


def check_album(album: Album, settings: Settings) -> None:
    """Whether an archive for this trainer can be made of these files at all.

    Raises:
        PackRefused: naming the files and what mends it.
    """
    trainer = settings.trainer
    if trainer.archive.layout == "layered":
        raise PackRefused(
            f"{trainer.id} learns pictures with their layers; an album holds single pictures or pairs.",
            f"Zip the layers by hand, named as `albumkit trainers {trainer.id}` says.",
        )
    if not album.examples:
        raise PackRefused(f"{album.name} holds no pictures or clips.", "Put some into it.")
    entries = [m.entry for m in album.media] + [e.mask for e in album.examples if e.mask]
    if pointers := [entry.path for entry in entries if entry.lfs]:
        raise lfs_refusal(album, pointers)
    if unread := [(entry.path, entry.problem) for entry in entries if entry.problem]:
        raise refuse_files("Some files cannot be read", unread)
    _check_media(album, trainer)
    _check_pairs(album.examples, trainer)


def _check_media(album: Album, trainer: Trainer) -> None:
    pictures = [m for m in album.media if m.media == "image"]
    clips = [m for m in album.media if m.media == "clip"]
    takes = trainer.media
    if pictures and clips and not takes.mixed and takes.images and takes.clips:
        few = min(pictures, clips, key=len)
        raise refuse_files(f"{trainer.id} takes pictures or clips, never both", [(m.path, "") for m in few])
    if pictures and takes.images is None:
        raise refuse_files(f"{trainer.id} takes no pictures", [(m.path, "") for m in pictures])
    if not clips:
        return
    if takes.clips is None:
        raise refuse_files(f"{trainer.id} takes no clips", [(m.path, "") for m in clips])
    foreign = [m for m in clips if _ending(m) not in takes.clips.formats]
    if foreign:
        first = shown(foreign[0].path)
        new = takes.clips.formats[0]
        raise refuse_files(
            f"{trainer.id} takes clips only as {', '.join(takes.clips.formats)}",
            [(m.path, "") for m in foreign],
            f'Convert each: ffmpeg -i "{first}" -c:v libx264 -crf 16 "{first.rpartition(".")[0]}.{new}"',
        )


def _ending(media: MediaFile) -> str:
    return media.path.rpartition(".")[2].lower()


def _check_pairs(examples: Sequence[Example], trainer: Trainer) -> None:
    pairs = trainer.archive.pairs
    paired = [e for e in examples if e.is_pair]
    if pairs is None:
        if paired:
            raise refuse_files(
                f"{trainer.id} takes single pictures, not pairs",
                [(e.path, "") for e in paired],
                'Choose an edit trainer, or say kind = "subject" under [album] in album.toml.',
            )
        return
    if trainer.archive.layout == "pairs" and (single := [e for e in examples if not e.is_pair]):
        raise refuse_files(
            f"{trainer.id} takes pairs (ROOT_start and ROOT_end), not single pictures",
            [(e.path, "") for e in single],
        )
    half = [
        (e.path, "no end" if e.target is None else "no start") for e in paired if not (e.target and e.start)
    ]
    if half:
        raise refuse_files("Half of a pair is missing", half)
    most = len(pairs.references)
    if many := [(e.path, f"{1 + len(e.references)}") for e in paired if len(e.references) > most]:
        raise refuse_files(f"{trainer.id} takes at most {1 + most} input pictures a pair", many)
