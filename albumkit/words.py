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
class _Entry:
    """One spelling on a list: ``name`` is the first spelling of its line, ``place`` its position."""

    place: int
    name: str
    spelling: str


class Phrases:
    """A list whose entries are looked for in thousands of texts: a text is searched only for entries whose
    longest word it holds, and patterns are made when they are first needed.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._by_word: dict[str, list[_Entry]] = {}
        openings: list[str] = []
        for place, line in enumerate(lines):
            spellings = [spelling.strip() for spelling in line.split(",")]
            openings += [spelling[1:] for spelling in spellings if spelling.startswith("^")]
            for spelling in spellings:
                if not spelling.startswith("^"):
                    entry = _Entry(place, spellings[0], spelling)
                    self._by_word.setdefault(_longest_word(spelling), []).append(entry)
        self._words = frozenset(self._by_word)
        self._openings = tuple(openings)
        self._first_words = frozenset(words_of(opening.casefold())[0] for opening in openings)

    def find(self, text: str, words: Sequence[str], more: Sequence[str] = ()) -> dict[str, str]:
        """Name of each entry that the text holds -> how it stands there, in the order of the list; an entry
        with ``^`` comes first, under the words that it was found by.

        Args:
            text: In composed form (NFC).
            words: The text's words, in lower case.
            more: Further words that it may hold.
        """
        found: dict[str, str] = {}
        if words and words[0] in self._first_words and (opening := _opening(self._openings).match(text)):
            found[opening[1]] = opening[1]
        if self._words.isdisjoint(words) and self._words.isdisjoint(more):
            return found
        held = self._words.intersection((*words, *more))
        for entry in sorted((e for word in held for e in self._by_word[word]), key=lambda e: e.place):
            if entry.name not in found and (match := _pattern(entry.spelling).search(text)):
                found[entry.name] = match.group()
        return found


@functools.cache
def _pattern(spelling: str) -> re.Pattern[str]:
    return re.compile(_body(spelling), 0 if spelling.isupper() else re.IGNORECASE)


@functools.cache
def _opening(spellings: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"\W*({'|'.join(map(_body, spellings))})", re.IGNORECASE)


def _body(spelling: str) -> str:
    """The entry as a pattern: whole words, any blanks and commas between them."""
    before = r"(?<!\w)" if spelling[0].isalnum() else ""
    after = r"(?!\w)" if spelling[-1].isalnum() else ""
    return before + r"[\s,]+".join(re.escape(part) for part in spelling.split()) + after


def _longest_word(spelling: str) -> str:
    return max(words_of(spelling.casefold()), key=len)


@functools.cache
def word_lists() -> tuple[str, ...]:
    """The names of all lists."""
    return tuple(sorted(file.stem for file in (rules_root() / "words").glob("*.txt")))


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
def spellings(name: str) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    """Each line of a list: the name of its entry, and all its spellings as words in lower case."""
    lines = ([part.strip() for part in line.split(",")] for line in word_lines(name))
    return tuple((parts[0], tuple(tuple(words_of(part.casefold())) for part in parts)) for parts in lines)


@functools.cache
def word_set(*names: str) -> frozenset[str]:
    """The single words of several lists as one set."""
    return frozenset(w for name in names for line in word_lines(name) for w in line.replace(",", " ").split())


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
