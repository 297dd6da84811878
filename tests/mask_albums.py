"""Albums to be masked, and a masker that finds what is bright: what the tests of mask share."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

from albumkit.errors import AlbumkitError
from albumkit.mask.shaping import AS_FOUND, Shaping
from albumkit.masking import MaskReport, make_masks

LOCAL = '[album]\nkind = "subject"\ntrigger_phrase = "TOK"\n[train]\ntrainer = "local"\n'


class Bright:
    """Finds what is bright. ``asked`` counts; ``log``: a line for each question, for other processes."""

    name = "bright"
    identity = "bright 1"
    notes: tuple[str, ...] = ()

    def __init__(self, side: int = 64, log: Path | None = None) -> None:
        self.side, self.asked, self._log = side, 0, log
        self._counting = threading.Lock()

    def find(self, picture: Image.Image) -> Image.Image:
        self.count()
        return self.bright(picture)

    def count(self) -> int:
        """How often it was asked, this time included; it may be asked in several threads."""
        with self._counting:
            self.asked += 1
            return self.asked

    def bright(self, picture: Image.Image) -> Image.Image:
        if self._log is not None:
            handle = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(handle, b"asked\n")
            os.close(handle)
        return picture.convert("L").resize((self.side, self.side), Image.Resampling.BILINEAR)


class Failing(Bright):
    """Fails at the picture whose number (from 1) is given, with the error that is given."""

    def __init__(self, at: int, error: BaseException) -> None:
        super().__init__()
        self._at, self._error = at, error

    def find(self, picture: Image.Image) -> Image.Image:
        number, found = self.count(), self.bright(picture)
        if number == self._at:
            raise self._error
        return found


def disc(place: Path, number: int = 0, size: tuple[int, int] = (96, 64), **save: Any) -> Path:
    """A bright disc with a soft edge on a dark ground, another one for each number."""
    picture = Image.new("RGB", size, (3 * number % 20, 0, 10))
    reach = min(size) // 4
    left = reach + 2 * number % (size[0] - 2 * reach)
    ImageDraw.Draw(picture).ellipse((left - reach, reach, left + reach, 3 * reach), fill="white")
    place.parent.mkdir(parents=True, exist_ok=True)
    picture.filter(ImageFilter.GaussianBlur(2)).save(place, **save)
    return place


def discs(folder: Path, count: int = 4, toml: str = LOCAL) -> Path:
    """``a.jpg``, ``b.jpg`` ... with captions."""
    for number in range(count):
        name = chr(ord("a") + number)
        disc(folder / f"{name}.jpg", number)
        (folder / f"{name}.txt").write_text(f"a photo of TOK ball number {number}")
    (folder / "album.toml").write_text(toml)
    return folder


def hand_made(place: Path, size: tuple[int, int] = (96, 64)) -> bytes:
    """A person's mask; gives its bytes."""
    place.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.new("L", size)
    mask.paste(255, (30, 20, 60, 40))
    mask.save(place)
    return place.read_bytes()


def masked(
    album: Path,
    masker: Bright | None = None,
    which: Any = "missing",
    *,
    shaping: Shaping = AS_FOUND,
    only: Sequence[str] = (),
    dry: bool = False,
    resume: bool = False,
) -> MaskReport:
    return make_masks(
        album, lambda: masker or Bright(), which=which, shaping=shaping, only=only, dry=dry, resume=resume
    )


def no_masker() -> Bright:
    """Stands for a masker that must not be opened."""
    raise AlbumkitError("the masker was opened")


def masks(album: Path) -> dict[str, bytes]:
    """Every PNG of the album but those of .albumkit, by its path."""
    return {
        path.relative_to(album).as_posix(): path.read_bytes()
        for path in sorted(album.rglob("*.png"))
        if ".albumkit" not in path.parts
    }
