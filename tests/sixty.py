"""Sixty small albums with various faults, the same every time: what golden outputs of many albums are of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from albums import good_album, set_in
from PIL import Image

Spoil = Callable[[Path], None]


def sixty_albums(folder: Path) -> Path:
    """``album_00`` to ``album_59`` below ``folder``. From the 21st on each has two faults."""
    good = good_album(folder.parent / "good")
    for number in range(60):
        album = folder / f"album_{number:02}"
        album.mkdir(parents=True)
        for file in sorted(good.iterdir()):
            _share(file, album / file.name)
        FAULTS[number % len(FAULTS)](album)
        if number >= len(FAULTS):
            FAULTS[(number + 7 * (number // len(FAULTS))) % len(FAULTS)](album)
    return folder


def _share(file: Path, target: Path) -> None:
    """Pictures are linked, being large and never written to; texts are copied."""
    if file.suffix == ".jpg":
        try:
            os.link(file, target)
            return
        except OSError:  # a drive without hard links
            pass
    shutil.copy(file, target)


def _replace(file: Path, data: bytes) -> None:
    """New bytes in a new file: the old one is other albums', too."""
    file.unlink()
    file.write_bytes(data)


def _without_caption(album: Path) -> None:
    (album / "IMG_03.txt").unlink(missing_ok=True)


def _blank(album: Path) -> None:
    (album / "IMG_04.txt").write_text(" \n")


def _utf16(album: Path) -> None:
    (album / "IMG_05.txt").write_bytes("a photo of TOK ceramic cat in a green vase".encode("utf-16"))


def _absent(album: Path) -> None:
    (album / "IMG_06.txt").write_text("a photo of a ceramic cat in front of a brick wall, flash")


def _misspelt(album: Path) -> None:
    (album / "IMG_07.txt").write_text("a photo of TOKK ceramic cat on a windowsill, silhouette")


def _identical(album: Path) -> None:
    for number in (8, 9):
        (album / f"IMG_{number:02}.txt").write_text("a photo of TOK ceramic cat, evening")


def _twice(album: Path) -> None:
    _share(album / "IMG_00.jpg", album / "IMG_00_copy.jpg")
    (album / "IMG_00_copy.txt").write_text("a photo of TOK ceramic cat on a shelf, once more")


def _truncated(album: Path) -> None:
    data = (album / "IMG_01.jpg").read_bytes()
    _replace(album / "IMG_01.jpg", data[: len(data) // 2])


def _web_page(album: Path) -> None:
    _replace(album / "IMG_02.jpg", b"<!doctype html><title>404</title>")


def _small(album: Path) -> None:
    with Image.open(album / "IMG_10.jpg") as image:
        small = image.resize((400, 400))
    (album / "IMG_10.jpg").unlink()
    small.save(album / "IMG_10.jpg", quality=90)


def _turned(album: Path) -> None:
    with Image.open(album / "IMG_11.jpg") as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(album / "new.jpg", exif=exif, quality=90)
    (album / "new.jpg").replace(album / "IMG_11.jpg")


def _tiff(album: Path) -> None:
    with Image.open(album / "IMG_09.jpg") as image:
        image.save(album / "IMG_09.tiff")
    (album / "IMG_09.jpg").unlink()


def _steps(album: Path) -> None:
    set_in(album, "steps = 1000", "steps = 1250")


def _knob(album: Path) -> None:
    set_in(album, "[train]\n", "[train]\nlerning_rate = 1e-4\n")


def _runtime(album: Path) -> None:
    set_in(album, '"comfy"\n', '"fal"\n')


def _few(album: Path) -> None:
    for number in (0, 1, 2, 11):
        for file in album.glob(f"IMG_{number:02}*"):
            file.unlink()


def _orphan(album: Path) -> None:
    (album / "IMG_99.txt").write_text("a photo of TOK ceramic cat that nobody took")


def _ignored(album: Path) -> None:
    _absent(album)
    with (album / "album.toml").open("a") as file:
        file.write('[[lint.ignore]]\nrule = "caption/trigger-absent"\nreason = "meant as it is"\n')


def _trigger(album: Path) -> None:
    set_in(album, 'trigger_phrase = "TOK"\n', "")


FAULTS: tuple[Spoil, ...] = (
    lambda album: None,
    _without_caption,
    _blank,
    _utf16,
    _absent,
    _misspelt,
    _identical,
    _twice,
    _truncated,
    _web_page,
    _small,
    _turned,
    _tiff,
    _steps,
    _knob,
    _runtime,
    _few,
    _orphan,
    _ignored,
    _trigger,
)
