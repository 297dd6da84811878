"""What the tests of measuring, cache and Git LFS share: a small album, and a count of the work done."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from conftest import write_picture

import albumkit.pixels
from albumkit.album import Album, read_album
from albumkit.facts import FactCache, Measured
from albumkit.facts import measure as measure_module

#: Long past: files have such time stamps that nobody is writing at this moment.
OLD = 1_700_000_000


def age(folder: Path, seconds: int = OLD) -> None:
    """Give every file a time stamp long past."""
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (seconds, seconds))


def small_album(folder: Path) -> Path:
    """Four pictures with captions, written long ago."""
    for number in range(4):
        write_picture(folder / f"IMG_{number}.jpg", shade=number * 31)
        (folder / f"IMG_{number}.txt").write_text(f"TOK {number}")
    age(folder)
    return folder


def count_work(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count the pictures opened for their header alone, and those decoded, from here on."""
    counts = {"headers": 0, "decoded": 0}
    real_header, real_examine = measure_module.read_header, albumkit.pixels.examine
    inside = threading.local()

    def read_header(stream):
        if not getattr(inside, "decoding", False):
            counts["headers"] += 1
        return real_header(stream)

    def examine(*args):
        counts["decoded"] += 1
        return real_examine(*args)

    real = Measured._decode

    def decode_one(*args):
        inside.decoding = True
        try:
            real(*args)
        finally:
            inside.decoding = False

    monkeypatch.setattr(measure_module, "read_header", read_header)
    monkeypatch.setattr(albumkit.pixels, "examine", examine)
    monkeypatch.setattr(Measured, "_decode", decode_one)
    return counts


def measure(folder: Path, cache: FactCache | None = None, decode: bool = True) -> tuple[Album, Measured]:
    found = read_album(folder)
    measured = Measured(found, cache or FactCache(), decode=decode)
    measured.decode_all(found.media if decode else ())
    for media in found.media:
        measured.header(media)
    measured.save()
    return found, measured


def errors(folder: Path, cache: FactCache | None = None) -> dict[str, str]:
    """Path -> why its pixels cannot be had, for those that cannot."""
    found, measured = measure(folder, cache)
    facts = {m.path: measured.pixels(m)["decode_error"] for m in found.media if not measured.header(m).error}
    return {path: error for path, error in facts.items() if error}


def cut(file: Path) -> None:
    """Break a picture without changing its size."""
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 3] + bytes(len(data) - len(data) // 3))
