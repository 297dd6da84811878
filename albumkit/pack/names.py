"""Names inside an archive: safe on every system, and each example's files under one ROOT."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from albumkit.album.names import DEVICE

#: A member's file name is never longer than this many characters.
LONGEST_NAME = 100
_FINE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
#: Letters that have no accent to take away.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d"}
)


@dataclass(frozen=True, slots=True)
class Wish:
    """The name an example would like. ``room`` is the length of the longest ending it needs after ROOT."""

    folder: str
    stem: str
    ending: str
    room: int = 4


def is_fine(stem: str) -> bool:
    """Only ASCII letters, digits, ``. _ -``, no hidden, option-like or reserved name."""
    return _FINE.fullmatch(stem) is not None and DEVICE.match(stem) is None


def portable(stem: str) -> str:
    """A fine name as it is; else accents dropped, everything odd as ``_``, ``picture`` for nothing."""
    if is_fine(stem):
        return stem
    plain = unicodedata.normalize("NFKD", stem.translate(_LETTERS))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"_*[^A-Za-z0-9._-]+_*", "_", plain).strip("._-") or "picture"
    return plain if is_fine(plain) else f"_{plain}"


def allot_roots(wishes: Sequence[Wish], misread: re.Pattern[str] | None = None) -> list[str]:
    """One ROOT for each wish, unique whatever a file system thinks of case; the same for the same wishes.

    Names that can stay do so first (the least deep folder wins); of the others each takes the first free of
    its stem, its folder with its stem, its stem with its ending, then its stem with a number.

    Args:
        wishes: In the album's order, which breaks ties.
        misread: Endings of a stem that would make the trainer take it for a part of another example, such
            as ``_start``.
    """
    roots: dict[int, str] = {}
    taken: set[str] = set()
    by_depth = sorted(range(len(wishes)), key=lambda i: wishes[i].folder.count("/") + bool(wishes[i].folder))
    for i in by_depth:
        stem = wishes[i].stem
        if _tame(stem, misread, wishes[i].room) == stem and stem.lower() not in taken:
            roots[i] = stem
            taken.add(stem.lower())
    for i, wish in enumerate(wishes):
        if i not in roots:
            roots[i] = _free_name(wish, misread, taken)
            taken.add(roots[i].lower())
    return [roots[i] for i in range(len(wishes))]


def _free_name(wish: Wish, misread: re.Pattern[str] | None, taken: set[str]) -> str:
    folder = wish.folder.replace("/", "_")
    candidates = [wish.stem, f"{folder}_{wish.stem}" if folder else "", f"{wish.stem}_{wish.ending}"]
    for candidate in filter(None, candidates):
        name = _tame(candidate, misread, wish.room)
        if name.lower() not in taken:
            return name
    number = 2
    while True:
        tail = f"-{number}"
        name = _tame(wish.stem, misread, wish.room + len(tail)) + tail
        if name.lower() not in taken:
            return name
        number += 1


def _tame(stem: str, misread: re.Pattern[str] | None, room: int) -> str:
    """Portable, short enough, and not to be misread: ``x_start`` becomes ``x-start``."""
    name = portable(portable(stem)[: LONGEST_NAME - room])
    while misread is not None and (match := misread.search(name)):
        head, tail = name[: match.start()], name[match.start() :].lstrip("_")
        name = f"{head}-{tail}" if head else tail
    return name
