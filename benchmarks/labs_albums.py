"""The albums of labs.py: the sample album, four pictures of it, and one room that leads into temptation.

    python benchmarks/labs_albums.py /tmp/made [--model u2net]

makes masks for two of them with ``albumkit mask``, for the runs that learn with such, and prints how well
they fit the exact ones that the renderer drew.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from make_pocket_albums import ALBUMS as SAMPLES
from make_pocket_albums import chosen, write_caption
from PIL import Image
from torch import Tensor

from albumkit.engine.pocket.exam import Subject, read_subject
from albumkit.engine.pocket.judge import SIDE
from albumkit.engine.pocket.world import figurine, names, render
from albumkit.engine.pocket.world.captions import figurine_caption
from albumkit.engine.pocket.world.scenes import concatenate

_ROOM = "on a carpet"


@dataclass(frozen=True)
class LabAlbum:
    """``subject`` has all pictures of the sample album, whatever the training sees, so that identity is
    measured alike; its settings are the places and lights that the album shows.
    """

    folder: Path
    subject: Subject

    @property
    def places(self) -> set[str]:
        """Where its pictures were taken."""
        return {place for place, _ in self.subject.settings}

    @property
    def shown(self) -> Subject:
        """For a contact sheet: without the sample album's pictures, where they are not the album's."""
        if len(self.subject.settings) == len(self.subject.pixels):
            return self.subject
        return replace(self.subject, pixels=self.subject.pixels[:0], settings=())

    def held_out(self, device: torch.device) -> tuple[Tensor, Tensor, list[str]]:
        """(pixels in -1..1, masks, captions) of the subject in every second place and light that the album
        lacks."""
        wanted = self.subject.elsewhere(1)[::2]
        pool = figurine(77, 4000)
        scenes = concatenate(
            [
                chosen(pool, place=names.PLACES.index(one.place), light=names.LIGHTS.index(one.light))
                for one in wanted
            ]
        )
        images, masks = render(scenes, SIDE, device)
        captions = [figurine_caption(scenes, number) for number in range(len(scenes))]
        return images.permute(0, 3, 1, 2).float() / 127.5 - 1, masks, captions


def sample(folder: Path, bare: bool = False, masks: Path | None = None) -> LabAlbum:
    """The sample album.

    Args:
        bare: Its captions say nothing but the subject's name.
        masks: Take masks from there instead of the exact ones.
    """
    album = SAMPLES / "tok_figurine"
    subject = read_subject(album)
    if not bare and masks is None:
        return LabAlbum(album, subject)
    shutil.copytree(album, folder)
    _changed(folder, subject.name if bare else None, masks / "tok_figurine" if masks else None)
    return LabAlbum(folder, subject)


def four(folder: Path, bare: bool = False) -> LabAlbum:
    """Four of the sixteen, so that what they share by chance is learned soon; without masks where bare."""
    folder.mkdir(parents=True)
    album = SAMPLES / "tok_figurine"
    subject = read_subject(album)
    shutil.copy(album / "album.toml", folder)
    (folder / "masks").mkdir()
    for number in (1, 5, 11, 15):
        root = f"figurine_{number:02}"
        shutil.copy(album / f"{root}.jpg", folder)
        shutil.copy(album / f"{root}.txt", folder)
        if not bare:
            shutil.copy(album / "masks" / f"{root}.png", folder / "masks")
    _changed(folder, subject.name if bare else None, None)
    return LabAlbum(folder, subject)


def room(folder: Path, bare: bool = False, masks: Path | None = None) -> LabAlbum:
    """Sixteen pictures in one room, in every light; the captions say nothing of the room.

    Args:
        bare: Nor of anything else but the subject's name.
        masks: Take masks from there instead of the exact ones.
    """
    (folder / "masks").mkdir(parents=True)
    shutil.copy(SAMPLES / "tok_figurine" / "album.toml", folder)
    place, pool = names.PLACES.index(_ROOM), figurine(17, 4000)
    scenes = concatenate(
        [
            chosen(pool, place=place, light=light, framing=framing)
            for light in range(len(names.LIGHTS))
            for framing in (0, 1, 3, 4)
        ]
    )
    images, exact = render(scenes, 256)
    for number in range(len(scenes)):
        root = f"room_{number + 1:02}"
        Image.fromarray(images[number].numpy()).save(folder / f"{root}.png")
        Image.fromarray(exact[number].numpy()).save(folder / "masks" / f"{root}.png")
        write_caption(folder / f"{root}.txt", figurine_caption(scenes, number).replace(f" {_ROOM}", ""))
    whole = read_subject(SAMPLES / "tok_figurine")
    _changed(folder, whole.name if bare else None, masks / "one_room" if masks else None)
    return LabAlbum(folder, replace(whole, settings=tuple((_ROOM, light) for light in names.LIGHTS)))


def _changed(folder: Path, name: str | None, masks: Path | None) -> None:
    """Other captions and other masks for an album that was just made."""
    for file in folder.glob("*.txt") if name else ():
        write_caption(file, f"a photo of {name}")
    if masks:
        shutil.copytree(masks, folder / "masks", dirs_exist_ok=True)


def all_albums(made: Path | None) -> dict[str, Callable[[Path], LabAlbum]]:
    """How each album is made in a new folder.

    Args:
        made: What this module's command wrote; without it there are no albums with made masks.
    """
    albums: dict[str, Callable[[Path], LabAlbum]] = {"four": four, "four_bare": partial(four, bare=True)}
    for name, make in (("tok_figurine", sample), ("one_room", room)):
        for ending, bare in (("", False), ("_bare", True)):
            albums[name + ending] = partial(make, bare=bare)
            if made is not None:
                albums[f"{name}{ending}_made"] = partial(make, bare=bare, masks=made)
    return albums


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write the masks")
    parser.add_argument("--model", default="u2net")
    given = parser.parse_args()
    for name, make in (("tok_figurine", sample), ("one_room", room)):
        with tempfile.TemporaryDirectory() as work:
            album = Path(work) / name
            shutil.copytree(make(Path(work) / "exact").folder, album)
            exact = (album / "masks").rename(Path(work) / "masks")
            run = "from albumkit.cli.main import run; run()"
            command = [sys.executable, "-c", run, "mask", str(album), "--model", given.model]
            subprocess.run(command, check=True)
            fits = [_iou(file, exact / file.name) for file in sorted((album / "masks").glob("*.png"))]
            shutil.copytree(album / "masks", given.folder / name, dirs_exist_ok=True)
        print(f"{name}: {len(fits)} masks, IoU {np.mean(fits):.3f} on average, {min(fits):.3f} at worst")


def _iou(one: Path, other: Path) -> float:
    areas = [np.asarray(Image.open(file).convert("L")) >= 128 for file in (one, other)]
    return float(np.logical_and(*areas).sum() / np.logical_or(*areas).sum())


if __name__ == "__main__":
    main()
