"""Fixes that die at chosen moments: ``python fix_killed.py KIND MOMENT ALBUM...`` (see killing.py)."""

from __future__ import annotations

from pathlib import Path

from fix_albums import WANTED, apply
from killing import main

from albumkit.fixing import rename_trigger, undo_fixes


def apply_all(album: Path) -> None:
    apply(album, WANTED)


def set_trigger(album: Path) -> None:
    assert rename_trigger([album], "sks", apply=True).exit_code == 0


def undo(album: Path) -> None:
    assert undo_fixes([album]).exit_code == 0


if __name__ == "__main__":
    main({"apply": apply_all, "set": set_trigger, "undo": undo})
