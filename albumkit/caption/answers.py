"""Answers of captioners, kept the moment they are given: what was asked once is never asked again.

One SQLite file in the user's cache folder, keyed by content: the pictures' sha256, the captioner, the
question. A process that is killed loses nothing but the question that was under way, and the next call goes
on from there. What the policy says of answers is no part of the key: a changed limit asks nobody anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from albumkit.paths import cache_dir

#: How long another albumkit may hold the file before this one does without.
_PATIENCE_S = 5.0
_TABLE = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT, time REAL) WITHOUT ROWID"


def key_of(pictures: Sequence[str], captioner: str, *question: str | int) -> str:
    """One question's identity. ``pictures``: the sha256 of their files, in order; ``question``: its parts."""
    whole = json.dumps([list(pictures), captioner, *question])
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


class Answers:
    """Opened for one command. Trouble with the file turns it off; ``problem`` says why. A damaged file is
    begun anew: it is ours, and may always be thrown away.
    """

    def __init__(self, file: Path | None = None, *, fresh: bool = False) -> None:
        """``fresh``: answers of earlier commands count for nothing; those of this one are kept."""
        self.file = file or cache_dir() / "answers.sqlite"
        self.problem = ""
        self._since = time.time() if fresh else 0.0
        self._db: sqlite3.Connection | None = None
        try:
            self._open()
        except sqlite3.OperationalError as error:  # locked, read-only, full
            self._give_up(error)
        except sqlite3.DatabaseError:
            self.close()
            with contextlib.suppress(OSError):
                self.file.unlink()
            try:
                self._open()
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)
        except OSError as error:
            self._give_up(error)

    def _open(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.file, timeout=_PATIENCE_S, isolation_level=None)
        self._db.execute(_TABLE)

    def find(self, key: str) -> str | None:
        """The answer that was given to this question, or None."""
        if self._db is None:
            return None
        try:
            row = self._db.execute(
                "SELECT text FROM answers WHERE key = ? AND time >= ?", (key, self._since)
            ).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        return str(row[0]) if row else None

    def keep(self, answers: Iterable[tuple[str, str]]) -> None:
        """(key, text) of answers just given; on the disk when this returns."""
        if self._db is None:
            return
        rows = [(key, text.encode("utf-8", "replace").decode(), time.time()) for key, text in answers]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO answers VALUES (?,?,?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.close()
        self.problem = f"{self.file.as_posix()}: {error}; answers are not kept for the next call."

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None
