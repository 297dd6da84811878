"""What pack hands back, and the words its parts share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumkit.errors import PackRefused

#: (pictures and clips written, of how many)
Progress = Callable[[int, int], None]


class Unpackable(Exception):
    """One file cannot go into the archive; the text says why, without naming the file."""


@dataclass(frozen=True, slots=True)
class Change:
    """What pack did to a file, in words that are counted (``what``), and the reason."""

    what: str
    why: str

    def to_json(self) -> dict[str, str]:
        return {"what": self.what, "why": self.why}


@dataclass(frozen=True, slots=True)
class PackedFile:
    """One member of the archive.

    ``role``: target, start, reference, mask or caption. ``how``: copied (byte for byte), cleaned (metadata
    cut out, pixel data untouched), encoded (new pixels) or written (captions). ``source`` is relative to the
    album (``album.zip!name`` in a zip), None for text that stands in no file. Sizes in pixels are those in
    the archive, None for clips and captions.
    """

    name: str
    root: str
    role: str
    how: str
    size: int
    sha256: str
    source: str | None
    source_sha256: str | None
    width: int | None = None
    height: int | None = None
    #: Line of ``source`` that holds the caption, where a file holds several.
    line: int | None = None
    changes: tuple[Change, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The file's entry in the manifest."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in ("changes", "line")}
        if self.line is not None:
            plain["line"] = self.line
        return {**plain, "changes": [change.to_json() for change in self.changes]}


@dataclass(frozen=True, slots=True)
class Pack:
    """A written archive with its manifest and request.

    ``changes`` counts what was done (``{"HEIC to JPEG": 22, "turned upright": 9}``), most frequent first.
    ``passes_per_image`` is steps x batch / examples; it and ``price`` (USD) are None where steps or price are
    not known, and ``price_note`` says which. ``notes`` are sentences that a person should read.
    """

    archive: Path
    manifest_path: Path
    request_path: Path
    trainer: str
    files: tuple[PackedFile, ...]
    size: int
    sha256: str
    album_hash: str
    examples: int
    pictures: int
    clips: int
    captions: int
    masks: int
    changes: Mapping[str, int]
    steps: int | None
    passes_per_image: float | None
    price: float | None
    price_note: str
    notes: tuple[str, ...] = ()

    @property
    def untouched(self) -> int:
        """Pictures and clips that were copied byte for byte."""
        return sum(f.how == "copied" and f.role != "mask" for f in self.files)


def count_changes(files: Sequence[PackedFile]) -> dict[str, int]:
    """How many files each change was made to, the most frequent first, then by name."""
    counts = Counter(what for file in files for what in {change.what for change in file.changes})
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def shown(path: str) -> str:
    """A path that can be printed: bytes that are no UTF-8 (Linux allows them in names) as escapes."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def listed(paths: Sequence[str], most: int = 6) -> str:
    """``a, b, c`` with a count of those left out."""
    rest = len(paths) - most
    return ", ".join(shown(p) for p in paths[:most]) + (f" and {rest} more" if rest > 0 else "")


def refuse_files(what: str, failures: Sequence[tuple[str, str]], remedy: str = "") -> PackRefused:
    """One refusal that names the files with their reasons, and by default how to leave them out."""
    named = [f"{path} ({reason})" if reason else path for path, reason in failures]
    if not remedy:
        globs = ", ".join(f'"{shown(path)}"' for path, _ in failures[:6])
        more = ", ..." if len(failures) > 6 else ""
        remedy = f"Replace them, or leave them out: exclude = [{globs}{more}] under [album] in album.toml."
    return PackRefused(f"{what}: {listed(named)}.", remedy)
