"""The albums of labs.py: the sample album, four pictures of it, and one room that leads into temptation."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

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
    """``place``: where all of its pictures were taken, "" if in several places.

    ``subject`` has all pictures of the sample album, whatever the training sees: identity is measured
    alike.
    """

    folder: Path
    subject: Subject
    place: str = ""

    @property
    def shown(self) -> Subject:
        """For a contact sheet: without the sample album's pictures, where they are not the album's."""
        return (
            replace(self.subject, pixels=self.subject.pixels[:0], settings=()) if self.place else self.subject
        )

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


def sample(folder: Path) -> LabAlbum:
    album = SAMPLES / "tok_figurine"
    return LabAlbum(album, read_subject(album))


def four(folder: Path) -> LabAlbum:
    """Four of the sixteen, so that what they share by chance is learned soon."""
    folder.mkdir(parents=True)
    shutil.copy(SAMPLES / "tok_figurine" / "album.toml", folder)
    (folder / "masks").mkdir()
    for number in (1, 5, 11, 15):
        root = f"figurine_{number:02}"
        for name in (f"{root}.jpg", f"{root}.txt", f"masks/{root}.png"):
            shutil.copy(SAMPLES / "tok_figurine" / name, folder / name)
    return LabAlbum(folder, read_subject(SAMPLES / "tok_figurine"))


def room(folder: Path) -> LabAlbum:
    """Sixteen pictures in one room, in every light; the captions say nothing of the room."""
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
    images, masks = render(scenes, 256)
    for number in range(len(scenes)):
        root = f"room_{number + 1:02}"
        Image.fromarray(images[number].numpy()).save(folder / f"{root}.png")
        Image.fromarray(masks[number].numpy()).save(folder / "masks" / f"{root}.png")
        write_caption(folder / f"{root}.txt", figurine_caption(scenes, number).replace(f" {_ROOM}", ""))
    whole = read_subject(SAMPLES / "tok_figurine")
    return LabAlbum(folder, replace(whole, settings=tuple((_ROOM, light) for light in names.LIGHTS)), _ROOM)


ALBUMS: dict[str, Callable[[Path], LabAlbum]] = {"tok_figurine": sample, "four": four, "one_room": room}
