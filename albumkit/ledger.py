"""The ledger: which captions and masks albumkit itself wrote.

A sidecar is the machine's only while its bytes equal what we wrote for the same picture; one changed letter
makes it a person's, and a person's work is never overwritten. The ledger lies outside the album, in the
user's state folder, so that it neither travels with an album nor shows in its repository; an album that is
moved, renamed or copied on the same machine keeps its entries, because they are keyed by content alone. A
ledger that is lost makes everything a person's, which is the safe side.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from albumkit.errors import AlbumkitError
from albumkit.paths import state_dir

Kind = Literal["caption", "mask"]

#: How long another albumkit may hold the file.
_PATIENCE_S = 10.0
_TABLE = """
CREATE TABLE IF NOT EXISTS written (
  kind TEXT, media TEXT, sidecar TEXT, time REAL, note TEXT,
  PRIMARY KEY (kind, media, sidecar)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Written:
    """One sidecar of ours. ``media`` and ``sidecar`` are the sha256 of the bytes, in hex; ``note`` says what
    made it (model, policy), as plain JSON.
    """

    kind: Kind
    media: str
    sidecar: str
    note: Mapping[str, Any]


class Ledger:
    """Opened for one command; :meth:`record` is on the disk when it returns."""

    def __init__(self, file: Path | None = None) -> None:
        """``file``: by default ``written.sqlite`` in the user's state folder.

        Raises:
            AlbumkitError: the file cannot be opened or is no ledger; it is left as it is.
        """
        self.file = file or state_dir() / "written.sqlite"
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.file, timeout=_PATIENCE_S, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            raise self._broken(error) from error
        try:
            self._db.executescript(_TABLE)
        except sqlite3.Error as error:
            self._db.close()
            raise self._broken(error) from error

    def record(self, entries: Iterable[Written]) -> None:
        """Note what is about to be written, before it is: a process killed in between leaves an entry for
        bytes that are nowhere, which hurts nobody; the other way round our own work would be locked to us.

        Raises:
            AlbumkitError: the ledger cannot be written; then nothing may be written into the album either.
        """
        rows = [(e.kind, e.media, e.sidecar, time.time(), json.dumps(e.note)) for e in entries]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO written VALUES (?,?,?,?,?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise self._broken(error) from error

    def find(self, kind: Kind, media: str, sidecar: str) -> Written | None:
        """What we know of a sidecar with these bytes beside this picture; None: it is a person's.

        Raises:
            AlbumkitError: the ledger cannot be read.
        """
        try:
            row = self._db.execute(
                "SELECT note FROM written WHERE kind = ? AND media = ? AND sidecar = ?",
                (kind, media, sidecar),
            ).fetchone()
        except sqlite3.Error as error:
            raise self._broken(error) from error
        return Written(kind, media, sidecar, json.loads(row[0])) if row else None

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _broken(self, error: Exception) -> AlbumkitError:
        return AlbumkitError(
            f"{self.file.as_posix()}: {error}. The album was not changed.",
            "It tells albumkit's captions and masks from yours. Make it writable, or move it away: then "
            "all that stands in your albums counts as yours. ALBUMKIT_STATE_DIR puts it elsewhere.",
        )
