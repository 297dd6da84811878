"""Masks whose making dies at chosen moments: ``python mask_killed.py KIND MOMENT ALBUM...`` (see killing.py).

Each album has a cache and a ledger of its own beside it, and ``asked``: a line for each question that its
masker got.
"""

from __future__ import annotations

import os
from pathlib import Path

import jsonschema  # noqa: F401 - here once, rather than in every fork
import jsonschema_rs  # noqa: F401
from killing import main
from mask_albums import Bright, masked

from albumkit.kept import Kept
from albumkit.ledger import Ledger
from albumkit.masking import undo_masks


def mask(album: Path) -> None:
    for name in ("CACHE", "STATE"):
        os.environ[f"ALBUMKIT_{name}_DIR"] = str(album.parent / name.lower())
    assert masked(album, Bright(log=album.parent / "asked"), "overwrite").exit_code == 0


def undo(album: Path) -> None:
    assert not undo_masks(album).refusals


if __name__ == "__main__":
    main({"mask": mask, "undo": undo}, [(Kept, "keep"), (Ledger, "record")])
