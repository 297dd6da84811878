"""Texts inside JSON and CSV, changed where they stand: everything around them keeps its bytes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator

from albumkit.fix.draft import Cannot

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
#: (keys down to the value, the value) -> the new value.
EditText = Callable[[tuple[str, ...], str], str]


def edit_json(text: str, edit: EditText, edit_key: Callable[[str], str] | None = None) -> str:
    """Every text value of a JSON document goes through ``edit``; keys of the outermost object through
    ``edit_key``. Values in lists are left alone: no caption stands there.

    Raises:
        Cannot: it is no JSON, or the result would not be what was meant.
    """
    try:
        json.loads(text)
        splices = [
            (start, end, new)
            for start, end, old, new in _edited(text, edit, edit_key or (lambda key: key))
            if old != new
        ]
    except (ValueError, RecursionError, IndexError) as error:
        raise Cannot("it is no JSON that can be edited") from error
    for start, end, new in reversed(splices):
        is_ascii = text[start:end].isascii() and "\\u" in text[start:end]
        text = text[:start] + json.dumps(new, ensure_ascii=is_ascii) + text[end:]
    return text


def _edited(text: str, edit: EditText, edit_key: Callable[[str], str]) -> Iterator[tuple[int, int, str, str]]:
    """(start, end, old, new) of every text that may change, in order."""
    keys: list[str | None] = []  # one for each open bracket; None inside a list
    opened: list[str] = []
    key, is_key = "", False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "{[":
            keys.append(key)
            opened.append(word)
            is_key = word == "{"
        elif word in "}]":
            keys.pop()
            opened.pop()
        elif word == ",":
            is_key = opened[-1] == "{"
        elif word == ":":
            is_key = False
        elif word.startswith('"') and opened and opened[-1] == "{":
            value = json.loads(word)
            if is_key:
                key = value
                if len(opened) == 1:
                    yield token.start(), token.end(), value, edit_key(value)
            elif "[" not in opened:
                yield token.start(), token.end(), value, edit((*map(str, keys[1:]), key), value)


def edit_lines(text: str, edit: Callable[[str], str]) -> str:
    """Each line through ``edit``, without its line end (LF or CRLF), which stays."""
    lines = text.split("\n")
    return "\n".join(
        edit(line.removesuffix("\r")) + ("\r" if line.endswith("\r") else "") if line.strip() else line
        for line in lines
    )


def edit_csv(text: str, edit: Callable[[dict[str, str]], dict[str, str]]) -> str:
    """Each row as a dict through ``edit``; rows that come back as they were keep their bytes.

    Raises:
        Cannot: a row could not be written so that it reads as meant.
    """
    records = list(_records(text))
    if not records:
        return text
    names = next(csv.reader([records[0]]))
    out = [records[0]]
    for record in records[1:]:
        cells = next(csv.reader(io.StringIO(record, newline="")), [])
        row = dict(zip(names, cells, strict=False))
        new = edit(dict(row))
        if not cells or new == row:
            out.append(record)
            continue
        ending = re.search(r"\r?\n?\Z", record)
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(
            [new[name] for name in names[: len(cells)]] + cells[len(names) :]
        )
        out.append(line.getvalue() + (ending[0] if ending else ""))
        if dict(zip(names, next(csv.reader(io.StringIO(out[-1], newline=""))), strict=False)) != new:
            raise Cannot("a row of it cannot be written again as it is")
    return "".join(out)


def _records(text: str) -> Iterator[str]:
    """Rows with their line ends; a quoted cell may hold line ends of its own."""
    start, quoted = 0, False
    for match in re.finditer(r'["\n]', text):
        if match[0] == '"':
            quoted = not quoted
        elif not quoted:
            yield text[start : match.end()]
            start = match.end()
    if start < len(text):
        yield text[start:]
