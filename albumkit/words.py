"""Words: how a text is cut into them, and the lists that facts count words of.

Lists that hold an opinion lie under ``rules/words``, where people read and edit them: one entry a line,
``#`` starts a comment, a comma parts spellings of the same thing. ``^`` before an entry: only where the text
begins. An entry in capitals is found in capitals only ("TODO"; "todo" is Spanish). The dictionary of English
holds none and lies in ``albumkit/data``, its licence beside it.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from albumkit.paths import rules_root

# <sks> as textual inversion writes it; else letters, digits and underscores, joined by hyphen or apostrophe.
WORD = re.compile(r"<[\w.:-]{1,40}>|\w+(?:[-'\u2019]\w+)*")
_OTHER_SCRIPTS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_DATA = Path(__file__).parent / "data"


def words_of(text: str) -> list[str]:
    """The words of a text as they are spelt; "TOK's" counts as TOK."""
    if text.isascii():
        found = WORD.findall(text)
        return [_owner(word) for word in found] if "'" in text else found
    found = [_owner(word) for word in WORD.findall(unicodedata.normalize("NFC", text))]
    return [part for word in found for part in _split_scripts(word)]


def _owner(word: str) -> str:
    return word[:-2] if word[-2:].casefold() in ("'s", "\u2019s") else word


def _split_scripts(word: str) -> list[str]:
    """Chinese and Japanese put no blank between a Latin trigger and what follows: TOK + the rest."""
    if word.isascii() or not _OTHER_SCRIPTS.search(word):
        return [word]
    return re.findall(r"[A-Za-z0-9_-]+|[^A-Za-z0-9_-]+", word)


@dataclass(frozen=True, slots=True)
class Entry:
    """One spelling on a list: ``name`` is the first spelling of its line."""

    name: str
    pattern: re.Pattern[str]


class Phrases:
    """A list whose entries are looked for in many texts: only a text that holds the first word of an entry
    is searched.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._by_first: dict[str, list[Entry]] = {}
        for line in lines:
            spellings = [spelling.strip() for spelling in line.split(",")]
            for spelling in spellings:
                first, pattern = _entry(spelling)
                self._by_first.setdefault(first, []).append(Entry(spellings[0].lstrip("^"), pattern))
        self._firsts = frozenset(self._by_first)

    def find(self, text: str, words: Sequence[str]) -> dict[str, str]:
        """Name of each entry that the text holds -> how it stands there, in the order of the list.

        Args:
            text: In composed form (NFC).
            words: The text's words, in lower case.
        """
        if self._firsts.isdisjoint(words):
            return {}
        held = self._firsts.intersection(words)
        found: dict[str, str] = {}
        for first, entries in self._by_first.items():
            for entry in entries if first in held else ():
                if entry.name not in found and (match := entry.pattern.search(text)):
                    found[entry.name] = match.group()
        return found


def _entry(spelling: str) -> tuple[str, re.Pattern[str]]:
    literal = spelling.lstrip("^")
    words = words_of(literal)
    if not words:
        raise ValueError(f"a list entry without a word: {spelling!r}")
    before = r"\A\W*" if spelling.startswith("^") else r"(?<!\w)" if literal[0].isalnum() else ""
    after = r"(?!\w)" if literal[-1].isalnum() else ""
    body = r"[\s,]+".join(re.escape(part) for part in literal.split())
    flags = 0 if literal.isupper() else re.IGNORECASE
    return words[0].casefold(), re.compile(before + body + after, flags)


@functools.cache
def word_lines(name: str) -> tuple[str, ...]:
    """The entries of ``rules/words/NAME.txt``, comments and blank lines left out."""
    text = (rules_root() / "words" / f"{name}.txt").read_text(encoding="utf-8")
    lines = (line.partition("#")[0].strip() for line in text.split("\n"))
    return tuple(line for line in lines if line)


@functools.cache
def phrases(name: str) -> Phrases:
    """The list ``rules/words/NAME.txt``, to be looked for."""
    return Phrases(word_lines(name))


@functools.cache
def word_set(*names: str) -> frozenset[str]:
    """The single words of several lists as one set."""
    return frozenset(word for name in names for line in word_lines(name) for word in line.split())


@functools.cache
def _dictionary() -> frozenset[str]:
    """A line is three letters, a blank, and the rests of the words that start with them; "-" is no rest."""
    found: set[str] = set()
    for line in (_DATA / "english-words.txt").read_text(encoding="ascii").splitlines():
        start, *rests = line.split(" ")
        found.update(start + rest.removeprefix("-") for rest in rests)
    return frozenset(found)


@functools.cache
def _given_names() -> frozenset[str]:
    return frozenset((_DATA / "given-names.txt").read_text(encoding="ascii").split())


def is_given_name(word: str) -> bool:
    """Whether it is among the commonest given names of the United States."""
    return word.casefold() in _given_names()


def is_english(word: str) -> bool:
    """Whether it is a common English word, or the usual inflection of one ("cats", "painted")."""
    key = word.casefold()
    known = _dictionary()
    return key in known or any(base in known for base in bases(key))


#: Endings of regular inflection, and what may stand in the base instead.
_ENDINGS = (
    ("iness", ("y",)),
    ("ness", ("",)),
    ("ies", ("y",)),
    ("ied", ("y",)),
    ("es", ("", "e")),
    ("s", ("",)),
    ("ed", ("", "e")),
    ("ing", ("", "e")),
    ("ly", ("", "le")),
)


def bases(word: str) -> list[str]:
    """What a word may be an inflection of; a base has three letters or more."""
    found = []
    for ending, instead in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem == word:
            continue
        found += [stem + letters for letters in instead if len(stem + letters) > 2]
        if ending in ("ed", "ing") and len(stem) > 3 and stem[-1] == stem[-2]:
            found.append(stem[:-1])
    return found
