"""The fact cache: one SQLite file in the user's cache folder.

Header facts are keyed by stat (folder, name, size, mtime, inode), pixel facts by the sha256 of the file, so
a renamed or copied picture is never decoded twice and an edited one never mistaken for the old. The cache
may always be thrown away: any trouble with it turns it off for the run and is no error.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from albumkit.album import Entry
from albumkit.paths import cache_dir

#: Raise when a measurement changes its meaning.
VERSION = 1
#: A file younger than this may still change within its time stamp's grain (git's "racy" files): not kept.
RACY_NS = 2_000_000_000

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
        try:
            path = file or cache_dir() / "facts.sqlite"
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
            self._prepare(f"{VERSION} {libraries}")
        except (sqlite3.Error, OSError):
            self._db = None

    @classmethod
    def none(cls) -> FactCache:
        """A cache that knows nothing and remembers nothing."""
        cache = cls.__new__(cls)
        cache._db = None
        return cache

    def _prepare(self, version: str) -> None:
        assert self._db is not None
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS about (version TEXT)")
        row = self._db.execute("SELECT version FROM about").fetchone()
        if row is None or row[0] != version:
            self._db.executescript(
                "DROP TABLE IF EXISTS header; DROP TABLE IF EXISTS pixels; DELETE FROM about;"
            )
            self._db.execute("INSERT INTO about VALUES (?)", (version,))
        self._db.executescript(_TABLES)

    def headers(
        self, folder: str
    ) -> dict[str, tuple[tuple[int, int, int], dict[str, Any] | None, str | None]]:
        """name -> ((size, mtime, inode), header facts or None, sha256 or None), for one album."""
        rows = self._ask(
            "SELECT name, size, mtime, inode, facts, sha256 FROM header WHERE folder = ?", (folder,)
        )
        return {
            name: ((size, mtime, inode), json.loads(facts) if facts else None, sha256)
            for name, size, mtime, inode, facts, sha256 in rows
        }

    def pixels(self, hashes: Iterable[str]) -> dict[str, dict[str, Any]]:
        """sha256 -> pixel facts, for those that are known."""
        wanted = list(hashes)
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._ask(f"SELECT sha256, facts FROM pixels WHERE sha256 IN ({marks})", part)
            found.update((sha256, json.loads(facts)) for sha256, facts in rows)
        return found

    def keep(
        self,
        folder: str,
        headers: Mapping[str, tuple[Entry, dict[str, Any] | None, str | None]],
        pixels: Mapping[str, dict[str, Any]],
    ) -> None:
        """Write what was measured anew, in one transaction."""
        if self._db is None or not (headers or pixels):
            return
        young = time.time_ns() - RACY_NS
        header_rows = [
            (folder, e.path, e.size, e.mtime_ns, e.inode, json.dumps(facts) if facts else None, sha256)
            for e, facts, sha256 in headers.values()
            if e.mtime_ns < young
        ]
        pixel_rows = [(sha256, json.dumps(facts)) for sha256, facts in pixels.items()]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO header VALUES (?,?,?,?,?,?,?)", header_rows)
            self._db.executemany("INSERT OR REPLACE INTO pixels VALUES (?,?)", pixel_rows)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self.close()

    def _ask(self, query: str, values: Iterable[Any]) -> list[Any]:
        if self._db is None:
            return []
        try:
            return self._db.execute(query, tuple(values)).fetchall()
        except sqlite3.Error:
            self.close()
            return []

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None
