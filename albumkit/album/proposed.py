"""A folder as it would be: files that were not written yet, judged by the same rules as files on disk."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from albumkit.album.names import Excluder
from albumkit.album.source import Entry, FolderSource


class ProposedSource(FolderSource):
    """A folder with some files added, replaced or taken away in memory.

    ``proposed``: bytes by path (POSIX, relative to the folder); None: taken away. Entries of new files are as
    young as this object, so the fact cache never keeps them.
    """

    def __init__(
        self, root: Path, proposed: Mapping[str, bytes | None], tracked: frozenset[str] | None = None
    ) -> None:
        super().__init__(root, tracked)
        self._proposed = proposed
        self._born = time.time_ns()

    def entries(self, exclude: Excluder) -> list[Entry]:
        there = [entry for entry in super().entries(exclude) if entry.path not in self._proposed]
        new = [
            Entry(path, len(data), self._born, 0)
            for path, data in self._proposed.items()
            if data is not None and not exclude(path)
        ]
        return sorted(there + new, key=lambda entry: entry.path)

    def open(self, entry: Entry) -> BinaryIO:
        data = self._proposed.get(entry.path)
        return super().open(entry) if data is None else io.BytesIO(data)

    def read(self, entry: Entry, most: int) -> bytes:
        data = self._proposed.get(entry.path)
        return super().read(entry, most) if data is None else data[:most]

    def changed(self, entries: Iterable[Entry]) -> list[tuple[str, str]]:
        """What is in memory cannot change under whoever reads it."""
        return super().changed(entry for entry in entries if self._proposed.get(entry.path) is None)
