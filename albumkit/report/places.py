"""Where a finding is, as tools outside of albumkit see it: a file below the working folder, and a line."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit.album.captions import CaptionSource
from albumkit.lint import AlbumResult, Finding
from albumkit.opening import OpenAlbum
from albumkit.rule import SEVERITIES

if TYPE_CHECKING:
    from albumkit.workflows import LintReport


@dataclass(frozen=True, slots=True)
class Place:
    """``file`` is POSIX: relative to the working folder, or absolute when it lies outside of it. ``line``
    counts from 1; None is the whole file. ``member`` is the path inside, where the file is a zip.
    """

    file: str
    line: int | None = None
    member: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding with its album, its place, the places of the other files, and a fingerprint of its own.

    ``subject`` names what the message speaks of, relative to the album; "" for settings and whole albums.
    """

    album: AlbumResult
    finding: Finding
    place: Place
    others: tuple[Place, ...]
    subject: str
    fingerprint: str

    @property
    def text(self) -> str:
        """The message as a sentence that stands alone."""
        return f"{self.subject}: {self.finding.message}" if self.subject else self.finding.message


def placed(report: LintReport) -> list[Placed]:
    """Every finding of a report, ignored ones last, worst first, then in the report's order."""
    found = [one for album, opened in kept(report) for one in _of_album(album, opened)]
    # Albums of one name in two folders share fingerprints, which must stay the same when a folder moves.
    counts = Counter(one.finding.fingerprint for one in found)
    found = [one if counts[one.fingerprint] == 1 else _apart(one) for one in found]
    return sorted(found, key=lambda p: (p.finding.ignored is not None, SEVERITIES.index(p.finding.severity)))


def kept(report: LintReport) -> Iterator[tuple[AlbumResult, OpenAlbum | None]]:
    """Each album's result with the album itself, as far as the report kept it."""
    return zip_longest(report.albums, report.opened)


def album_file(album: AlbumResult, path: str = "") -> Place:
    """The place of an album's file; of its settings, else of the album itself, when ``path`` is ""."""
    if album.album.lower().endswith(".zip"):
        return Place(_from_here(album.album), member=path)
    if not path and album.config_file:
        return Place(_from_here(album.config_file))
    return Place(_from_here(posixpath.join(album.album, path)))


def _of_album(album: AlbumResult, opened: OpenAlbum | None) -> Iterator[Placed]:
    captions: dict[str, CaptionSource] = {}
    if opened is not None:
        captions = {e.path: e.caption for e in opened.album.examples if e.caption is not None}
    for finding in album.findings:
        path, line = finding.path or next(iter(finding.paths), ""), finding.line
        others = [other for other in finding.paths if other != path]
        if finding.scope == "caption" and path in captions:  # mended there, not in the picture
            others.insert(0, path)
            path, line = captions[path].path, captions[path].line
        place = album_file(album, path)
        yield Placed(
            album=album,
            finding=finding,
            place=Place(place.file, line, place.member),
            others=tuple(album_file(album, other) for other in others),
            subject=finding.path if finding.scope not in ("knob", "settings", "album") else "",
            fingerprint=finding.fingerprint,
        )


def _apart(one: Placed) -> Placed:
    identity = "\0".join((one.fingerprint, one.place.file, one.place.member))
    digest = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return Placed(one.album, one.finding, one.place, one.others, one.subject, digest)


def _from_here(path: str) -> str:
    full = os.path.abspath(path)
    try:
        inside = Path(os.path.relpath(full)).as_posix()
    except ValueError:  # two drives of Windows have no path between them
        return Path(full).as_posix()
    return Path(full).as_posix() if inside.startswith("../") or inside == ".." else inside
