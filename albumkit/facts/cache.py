"""The fact cache: one SQLite file in the user's cache folder.

Header facts are keyed by stat (folder, name, size, mtime, inode), pixel facts by the sha256 of the file, so
a renamed or copied picture is never decoded twice and an edited one never mistaken for the old. The cache
may always be thrown away: any trouble with it turns it off for the run and is no error, and a damaged file
is begun anew.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import NoneType
from typing import Any

from albumkit.album import Entry
from albumkit.paths import cache_dir

#: Raise when a measurement changes its meaning.
VERSION = 7
#: A file younger than this may still change within its time stamp's grain (git's "racy" files): not kept.
RACY_NS = 2_000_000_000
#: How long another albumkit may hold the file before this one does without.
_PATIENCE_S = 2.0
_LARGEST_INTEGER = (1 << 63) - 1

_TABLES = """
CREATE TABLE IF NOT EXISTS header (
  folder TEXT, name TEXT, size INTEGER, mtime INTEGER, inode INTEGER, facts TEXT, sha256 TEXT,
  PRIMARY KEY (folder, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pixels (sha256 TEXT PRIMARY KEY, facts TEXT) WITHOUT ROWID;
"""


class FactCache:
    """Bulk look-ups at the start of an album, one transaction at its end."""

    def __init__(self, file: Path | None = None, libraries: str = "") -> None:
        self._db: sqlite3.Connection | None = None
        self._file = file
        self._version = f"{VERSION} {libraries}"
        if not self._open() and self._damaged:
            self._open()

    def _open(self) -> bool:
        self._damaged = False
        try:
            self._file = self._file or cache_dir() / "facts.sqlite"
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                self._file, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        return self._db is not None

    def _give_up(self, error: Exception) -> None:
        """Do without from here on. A file that is no database, or a broken one, is removed: it is ours, and
        would be of no use at the next run either. One that is locked or read-only stays.
        """
        self.close()
        # The plain class: "not a database", "malformed"; locked, full and read-only are OperationalError.
        if type(error) is sqlite3.DatabaseError and self._file is not None:
            self._damaged = True
            for file in (self._file, self._file.with_name(f"{self._file.name}-journal")):
                with contextlib.suppress(OSError):
                    file.unlink()

    @classmethod
    def none(cls) -> FactCache:
        """A cache that knows nothing and remembers nothing."""
        cache = cls.__new__(cls)
        cache._db = cache._file = None
        return cache

    def _prepare(self) -> None:
        assert self._db is not None
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS about (version TEXT)")
        row = self._db.execute("SELECT version FROM about").fetchone()
        if row is None or row[0] != self._version:
            self._db.executescript(
                "DROP TABLE IF EXISTS header; DROP TABLE IF EXISTS pixels; DELETE FROM about;"
            )
            self._db.execute("INSERT INTO about VALUES (?)", (self._version,))
        self._db.executescript(_TABLES)

    def headers(
        self, folder: str
    ) -> dict[str, tuple[tuple[int, int, int], dict[str, Any] | None, str | None]]:
        """name -> ((size, mtime, inode), header facts or None, sha256 or None), for one album."""
        rows = self._ask(
            "SELECT name, size, mtime, inode, facts, sha256 FROM header WHERE folder = ?", (_key(folder),)
        )
        facts = _parsed_all([row[4] for row in rows])
        return {
            name: ((size, mtime, inode), known, sha256)
            for (name, size, mtime, inode, _, sha256), known in zip(rows, facts, strict=True)
        }

    def pixels(self, hashes: Iterable[str]) -> dict[str, dict[str, Any]]:
        """sha256 -> pixel facts, for those that are known."""
        wanted = list(hashes)
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._ask(f"SELECT sha256, facts FROM pixels WHERE sha256 IN ({marks})", part)
            facts = _parsed_all([row[1] for row in rows])
            found.update((row[0], known) for row, known in zip(rows, facts, strict=True) if known)
        return found

    def keep(
        self,
        folder: str,
        headers: Iterable[tuple[Entry, dict[str, Any] | None, str | None]],
        pixels: Iterable[tuple[str, dict[str, Any]]],
        started: int,
    ) -> None:
        """Write what was measured anew, in one transaction, row by row as they come.

        Args:
            headers: (entry, header facts, sha256), the latter two where they are known.
            pixels: (sha256, pixel facts).
            started: When reading began. A file changed shortly before, or after, may have changed once more
                within the grain of its time stamp, unseen: it is not kept.
        """
        if self._db is None:
            return
        folder = _key(folder)
        header_rows = (
            (folder, e.path, e.size, e.mtime_ns, e.inode, json.dumps(facts) if facts else None, sha256)
            for e, facts, sha256 in headers
            if e.mtime_ns < started - RACY_NS and _storable(e)
        )
        pixel_rows = ((sha256, json.dumps(facts)) for sha256, facts in pixels)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO header VALUES (?,?,?,?,?,?,?)", header_rows)
            self._db.executemany("INSERT OR REPLACE INTO pixels VALUES (?,?)", pixel_rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._give_up(error)

    def _ask(self, query: str, values: Iterable[Any]) -> list[Any]:
        if self._db is None:
            return []
        try:
            return self._db.execute(query, tuple(values)).fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return []

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None

    def __del__(self) -> None:
        self.close()  # an open connection that is dropped makes Python 3.13 complain


def _key(folder: str) -> str:
    """The folder as text that SQLite takes: a name that is not UTF-8 (Linux allows any bytes) spelt out."""
    return folder if folder.isascii() else folder.encode("utf-8", "backslashreplace").decode()


def _storable(entry: Entry) -> bool:
    """Whether SQLite can hold the row: no half characters, no number beyond 64 bits with sign."""
    if max(entry.size, abs(entry.mtime_ns), entry.inode) > _LARGEST_INTEGER:
        return False
    return entry.path.isascii() or not any("\ud800" <= c <= "\udfff" for c in entry.path)


def _parsed_all(texts: list[str | None]) -> list[dict[str, Any] | None]:
    """As :func:`_parsed`, for many: one document of ten thousand is read in a third of the time, and their
    keys are kept once.
    """
    try:
        known: list[dict[str, Any] | None] = json.loads(f"[{','.join(text or 'null' for text in texts)}]")
    except (ValueError, TypeError):
        return [_parsed(text) for text in texts]
    if len(known) != len(texts) or not all(isinstance(one, (dict, NoneType)) for one in known):
        return [_parsed(text) for text in texts]
    return known


def _parsed(facts: str | None) -> dict[str, Any] | None:
    """Facts as they were kept; None for anything that albumkit did not write."""
    try:
        known = json.loads(facts) if facts else None
    except (ValueError, TypeError):
        return None
    return known if isinstance(known, dict) else None
