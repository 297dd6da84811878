"""What a model said, kept the moment it is said: what was asked once need not be asked again.

One SQLite file in the user's cache folder, keyed by content. A process that is killed loses nothing but the
question that was under way, and the next call goes on from there.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path

#: How long another albumkit may hold the file before this one does without.
_PATIENCE_S = 5.0
_TABLE = "CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, answer, time REAL) WITHOUT ROWID"


class Kept:
    """Opened for one command; may be asked from several threads. Trouble with the file turns it off;
    ``problem`` says why. A damaged file is begun anew: it is ours, and may always be thrown away.
    """

    def __init__(self, file: Path, *, fresh: bool = False) -> None:
        """``fresh``: answers of earlier commands count for nothing; those of this one are kept."""
        self.file = file
        self.problem = ""
        self._since = time.time() if fresh else 0.0
        self._db: sqlite3.Connection | None = None
        self._asking = threading.Lock()
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
        self._db = sqlite3.connect(
            self.file, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
        )
        self._db.execute(_TABLE)

    def find(self, key: str) -> bytes | None:
        """The answer that was given to this question, or None."""
        with self._asking:
            if self._db is None:
                return None
            try:
                row = self._db.execute(
                    "SELECT answer FROM kept WHERE key = ? AND time >= ?", (key, self._since)
                ).fetchone()
            except sqlite3.Error as error:
                self._give_up(error)
                return None
        return bytes(row[0]) if row else None

    def keep(self, answers: Iterable[tuple[str, bytes]]) -> None:
        """(key, answer) of what was just said; on the disk when this returns."""
        rows = [(key, answer, time.time()) for key, answer in answers]
        with self._asking:
            if self._db is None:
                return
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?,?,?)", rows)
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
