"""Captions whose making dies at chosen moments: ``python caption_killed.py KIND MOMENT ALBUM...`` (see
killing.py). Each album has a cache and a ledger of its own beside it, and ``asked``: what was asked.
"""

from __future__ import annotations

import os
from pathlib import Path

import caption_runs
import jsonschema  # noqa: F401 - here once, rather than in every fork
import jsonschema_rs  # noqa: F401
from killing import main

from albumkit.caption.answers import Answers
from albumkit.ledger import Ledger


def caption(album: Path) -> None:
    for name in ("CACHE", "STATE"):
        os.environ[f"ALBUMKIT_{name}_DIR"] = str(album.parent / name.lower())
    assert caption_runs.run(album, caption_runs.Noting(album.parent / "asked", batch=2)).exit_code == 0


if __name__ == "__main__":
    main({"caption": caption}, [(caption_runs.Looking, "ask"), (Answers, "keep"), (Ledger, "record")])
