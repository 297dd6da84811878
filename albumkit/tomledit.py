"""TOML as we write it, and edits of a person's TOML that keep every comment, blank and line end.

:func:`strings_of` tells where each text value stands; the editing functions splice new text there, parse the
result and compare it with what was meant. What cannot be edited so is left to the person.
"""

from __future__ import annotations

import copy
import functools
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from albumkit.errors import UsageError

#: A step into a document: the key of a table or the number in a list.
Step = str | int
Place = tuple[Step, ...]


class NotEditable(Exception):
    """The file is written in a way that cannot be edited safely; the message says what to do by hand."""


@dataclass
class Layout:
    """Where things stand in a TOML text, as character positions.

    ``texts`` and ``lists``: place of a value -> start and end of it. ``tables``: place of a table -> the end
    of the last line that belongs to it (its header's, or that of its last key).
    """

    texts: dict[Place, tuple[int, int]] = field(default_factory=dict)
    lists: dict[Place, tuple[int, int]] = field(default_factory=dict)
    tables: dict[Place, int] = field(default_factory=dict)


def toml_value(value: Any) -> str:
    """A value as album.toml writes it: text in quotes, true, 5e-5, ["a", "b"], { key = 1 }."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _toml_text(value)
    if isinstance(value, float):
        return repr(value).replace("e-0", "e-")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{_toml_key(key)} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return str(value)


def _toml_text(text: str) -> str:
    """A TOML basic string. What cannot be seen is escaped, so that one text stays on one line."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = text.encode("utf-8", "backslashreplace").decode()
        raise UsageError(f"{shown}: that is not UTF-8 text.", "Use a terminal set to UTF-8.") from error
    short = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    out = []
    for char in text:
        code = ord(char)
        if char in short:
            out.append(short[char])
        elif char.isprintable():
            out.append(char)
        else:
            out.append(f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}")
    return f'"{"".join(out)}"'


def _toml_key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else _toml_text(key)


_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BASIC, _LITERAL = r'"(?:[^"\\\n]|\\.)*"', r"'[^'\n]*'"
_LONG_BASIC, _LONG_LITERAL = r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}', r"'{3}(?:[^']|'{1,2}(?!'))*'{3,5}"
_TEXT = re.compile(f"{_LONG_BASIC}|{_LONG_LITERAL}|{_BASIC}|{_LITERAL}", re.DOTALL)
_KEY = re.compile(f"[A-Za-z0-9_-]+|{_BASIC}|{_LITERAL}")
_BARE = re.compile(r"[^,\]}#\n]+")


def layout_of(text: str) -> Layout:
    """Scan a text that tomllib takes.

    Raises:
        NotEditable: this scanner does not follow it.
    """
    scanner = _Scanner(text)
    try:
        scanner.document()
    except (AttributeError, IndexError, ValueError, RecursionError) as error:
        raise NotEditable("it is written in an unusual way: edit it by hand") from error
    return scanner.layout


class _Scanner:
    """One pass over the text. A match that is None (AttributeError) means: not what was expected here."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.layout = Layout()
        self.counts: dict[Place, int] = {}

    def document(self) -> None:
        table: Place = ()
        self.layout.tables[()] = 0
        while True:
            self._skip(_BLANK)
            if self.at >= len(self.text):
                return
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_SPACE)
            end = self.text.find("\n", self.at)
            self.layout.tables[table] = len(self.text) if end < 0 else end + 1

    def _header(self) -> Place:
        is_list = self.text.startswith("[[", self.at)
        self.at += 2 if is_list else 1
        keys = self._keys()
        self._expect("]]" if is_list else "]")
        place: Place = ()
        for key in keys[:-1]:
            place = self._inside((*place, key))
        place = (*place, keys[-1])
        if is_list:
            self.counts[place] = self.counts.get(place, -1) + 1
        return self._inside(place)

    def _inside(self, place: Place) -> Place:
        """A list of tables stands for its last table so far."""
        return (*place, self.counts[place]) if place in self.counts else place

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            raw = self._take(_KEY)
            keys.append(str(tomllib.loads(f"k = {raw}")["k"]) if raw[0] in "\"'" else raw)
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def _pair(self, table: Place) -> None:
        keys = self._keys()
        self._expect("=")
        self._value((*table, *keys))

    def _value(self, place: Place) -> None:
        self._skip(_SPACE)
        start, first = self.at, self.text[self.at]
        if first in "\"'":
            self._take(_TEXT)
            self.layout.texts[place] = (start, self.at)
        elif first == "[":
            self._items("]", lambda number: self._value((*place, number)))
            self.layout.lists[place] = (start, self.at)
        elif first == "{":
            self._items("}", lambda _: self._pair(place))
        else:
            self._take(_BARE)

    def _items(self, end: str, item: Callable[[int], None]) -> None:
        self.at += 1
        number = 0
        while True:
            self._skip(_BLANK)
            if self.text[self.at] == end:
                self.at += 1
                return
            item(number)
            number += 1
            self._skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at).group()  # type: ignore[union-attr]
        self.at += len(found)
        return found

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _expect(self, what: str) -> None:
        if not self.text.startswith(what, self.at):
            raise ValueError(what)
        self.at += len(what)


def edit_texts(text: str, edit: Callable[[Place, str], str]) -> str:
    """Give every text value to ``edit`` and put its answer in place, written as the old one where possible.

    Raises:
        NotEditable: the result would not be what was meant.
    """
    document = tomllib.loads(text.replace("\r\n", "\n"))
    wanted = copy.deepcopy(document)
    splices = []
    for place, (start, end) in layout_of(text).texts.items():
        old = _at(document, place)
        new = edit(place, old)
        if new != old:
            _put(wanted, place, new)
            splices.append((start, end, _rewritten(text[start:end], new, functools.partial(edit, place))))
    for start, end, new in sorted(splices, reverse=True):
        text = text[:start] + new + text[end:]
    return _checked(text, wanted)


def _rewritten(raw: str, new: str, edit: Callable[[str], str]) -> str:
    """The same edit on the value as it is written keeps its quotes and escapes; else it is written anew."""
    kept = edit(raw)
    try:
        if tomllib.loads(f"v = {kept}".replace("\r\n", "\n")) == {"v": new}:
            return kept
    except ValueError:
        pass
    return toml_value(new)


def set_text(text: str, table: str, key: str, value: str) -> str:
    """``[table] key = "value"``, changed in place or added to its table; errors as :func:`edit_texts`."""
    document = tomllib.loads(text.replace("\r\n", "\n"))
    if isinstance(document.get(table, {}).get(key), str):
        return edit_texts(text, lambda place, old: value if place == (table, key) else old)
    return _insert(text, document, table, key, value)


def extend_list(text: str, place: Place, items: Sequence[str], inherited: Iterable[str] = ()) -> str:
    """Append texts to a list; a list that is not there yet begins with what it would otherwise hide.

    Errors as :func:`edit_texts`.
    """
    document = tomllib.loads(text.replace("\r\n", "\n"))
    layout = layout_of(text)
    if place not in layout.lists:
        table, key = place
        return _insert(text, document, str(table), str(key), [*inherited, *items])
    _, end = layout.lists[place]
    inner = [span for found, span in layout.texts.items() if found[:-1] == place]
    wanted = copy.deepcopy(document)
    _put(wanted, place, [*_at(document, place), *items])
    if not inner:
        new = text[: end - 1] + ", ".join(map(toml_value, items)) + text[end - 1 :]
    else:
        new = _appended(text, inner[-1], end - 1, [toml_value(item) for item in items])
    return _checked(_same_ends(new, text), wanted)


def _appended(text: str, last: tuple[int, int], end: int, written: Sequence[str]) -> str:
    """New items behind the last one: on lines of their own, behind its comment, where it has its own line."""
    at = last[1]
    has_comma = re.compile(r"\s*,").match(text, at, end)
    head = text[:at] + ("" if has_comma else ",")
    at_comma = has_comma.end() if has_comma else at
    head += text[at:at_comma]
    line = re.search(r"\n([ \t]*)\Z", text[: last[0]])
    if not line:
        return f"{head} {', '.join(written)}{text[at_comma:]}"
    stop = text.find("\n", at_comma)  # there is one: the bracket stands on a later line
    stop = end if stop < 0 or stop > end else stop
    lines = f",\n{line[1]}".join(written) + ("," if has_comma else "")
    return f"{head}{text[at_comma:stop].rstrip()}\n{line[1]}{lines}{text[stop:]}"


def _insert(text: str, document: dict[str, Any], table: str, key: str, value: Any) -> str:
    """A new key behind the last one of its table, in a table that may be new too."""
    layout = layout_of(text)
    wanted = copy.deepcopy(document)
    wanted.setdefault(table, {})[key] = value
    at = layout.tables.get((table,))
    if at is not None:
        line, at = f"{key} = {toml_value(value)}\n", at
    elif table in document:  # written as album.kind = "..." or album = { ... }
        at, line = layout.tables[()], f"{table}.{key} = {toml_value(value)}\n"
    else:
        gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
        at, line = len(text), f"{gap}[{table}]\n{key} = {toml_value(value)}\n"
    if at and text[at - 1] != "\n" and not line.startswith("\n"):
        line = f"\n{line}"
    return _checked(_same_ends(text[:at] + line + text[at:], text), wanted)


def _same_ends(new: str, old: str) -> str:
    """Windows line ends throughout, where the file had them."""
    return re.sub(r"\r?\n", "\r\n", new) if "\r\n" in old else new


def _checked(text: str, wanted: dict[str, Any]) -> str:
    try:
        same = tomllib.loads(text.replace("\r\n", "\n")) == wanted
    except ValueError:
        same = False
    if not same:
        raise NotEditable("it is written in an unusual way: edit it by hand")
    return text


def _at(document: Any, place: Place) -> Any:
    for step in place:
        document = document[step]
    return document


def _put(document: Any, place: Place, value: Any) -> None:
    _at(document, place[:-1])[place[-1]] = value
