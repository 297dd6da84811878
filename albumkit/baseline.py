"""The baseline: findings that a repository knows and has decided to live with for now.

One file, ``albumkit-baseline.json``, for all albums at and below its folder. A known finding becomes a count;
only new ones fail. Findings are named by fingerprint (rule, album, file), so a baseline survives any other
change, and one line each, so that git merges it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from albumkit.atomic import write_whole
from albumkit.errors import UsageError
from albumkit.git import repository
from albumkit.lint import AlbumResult

BASELINE_NAME = "albumkit-baseline.json"
SCHEMA = "albumkit-baseline/1"


@dataclass
class Baseline:
    """``albums``: path of the album from the file's folder, with ``/`` -> rule id -> fingerprints."""

    file: Path
    albums: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> Baseline:
        """Raises UsageError when the file cannot be used."""
        remedy = f"Mend it, or write it anew: delete it and run albumkit lint --add-baseline ({SCHEMA})"
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or "is not JSON"
            raise UsageError(f"{file.as_posix()}: {reason}.", remedy) from error
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise UsageError(f"{file.as_posix()}: is no baseline of this version of albumkit.", remedy)
        albums = document.get("albums")
        if not _well_formed(albums):
            raise UsageError(f"{file.as_posix()}: albums is not album -> rule -> fingerprints.", remedy)
        return cls(file, albums)

    def apply(self, path: Path, result: AlbumResult) -> None:
        """Turn the known findings of an album into a count.

        Args:
            path: Where the album lies.
            result: What lint found in it; changed in place.
        """
        known = self.albums.get(self._key(path), {})
        kept = [f for f in result.findings if f.fingerprint not in known.get(f.rule, ())]
        result.baselined = len(result.findings) - len(kept)
        here = {(f.rule, f.fingerprint) for f in result.findings}
        ran = set(result.rules)
        result.mended = sum(
            (rule, one) not in here for rule, all_known in known.items() if rule in ran for one in all_known
        )
        result.findings = kept

    def record(self, path: Path, result: AlbumResult) -> None:
        """Take over what an album has now, for every rule that ran; ignored findings need no baseline."""
        ran = set(result.rules)
        rules = {r: f for r, f in self.albums.get(self._key(path), {}).items() if r not in ran}
        for finding in result.findings:
            if finding.ignored is None:
                rules.setdefault(finding.rule, []).append(finding.fingerprint)
        self.albums[self._key(path)] = {rule: sorted(set(rules[rule])) for rule in sorted(rules)}

    def write(self) -> None:
        """Write the file whole. Albums without a known finding are left out."""
        albums = {name: self.albums[name] for name in sorted(self.albums) if self.albums[name]}
        text = json.dumps({"schema": SCHEMA, "albums": albums}, indent=1, ensure_ascii=False)
        write_whole(self.file, f"{text}\n".encode("utf-8", "surrogateescape"))

    def _key(self, path: Path) -> str:
        return Path(os.path.relpath(path.resolve(), self.file.parent.resolve())).as_posix()


def find_baseline(path: Path) -> Path | None:
    """The nearest baseline above an album (not in it), up to the top of its git repository."""
    folder = path.resolve().parent
    top = repository(folder)
    for place in (folder, *folder.parents):
        if (place / BASELINE_NAME).is_file():
            return place / BASELINE_NAME
        if place == top:
            break
    return None


def new_baseline(paths: Iterable[Path]) -> Baseline:
    """Where ``--add-baseline`` writes: the nearest that is there, else the top of the repository, else the
    folder that holds the albums.
    """
    albums = [path.resolve() for path in paths]
    common = Path(os.path.commonpath([album.parent for album in albums]))
    if (known := find_baseline(common / "any")) is not None:
        return Baseline.load(known)
    return Baseline((repository(common) or common) / BASELINE_NAME)


def _well_formed(albums: object) -> TypeGuard[dict[str, dict[str, list[str]]]]:
    if not isinstance(albums, dict) or not all(isinstance(rules, dict) for rules in albums.values()):
        return False
    known = [prints for rules in albums.values() for prints in rules.values()]
    return all(isinstance(prints, list) and all(isinstance(p, str) for p in prints) for prints in known)
