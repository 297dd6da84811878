"""Captions changed where they stand: in a file of their own, in metadata.jsonl, .csv or kohya's .json."""

from __future__ import annotations

import codecs
import difflib
import functools
import json
from collections import defaultdict
from collections.abc import Callable, Iterable

from albumkit.album import Example
from albumkit.album.captions import LARGEST_CAPTION, TEXT_COLUMNS, album_path
from albumkit.album.names import same_name, split_name
from albumkit.fix.draft import Cannot, Draft
from albumkit.fix.rows import edit_csv, edit_json, edit_lines

#: A caption's text as it stands in its file -> as it shall stand there.
TextEdit = Callable[[str], str]
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes) -> tuple[str, str]:
    """The text of a caption file, a byte order mark included, and the codec that gives the bytes back.

    The order of trust is that of ``albumkit.album.captions``.

    Raises:
        Cannot: no codec gives these bytes back.
    """
    if len(data) > LARGEST_CAPTION:
        raise Cannot("it is too large for a caption")
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    for codec in (marked,) if marked else ("utf-8", "cp1252"):
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, codec
    raise Cannot("its bytes are no text that can be told: save it as UTF-8")


def edit_captions(draft: Draft, fix: str, words: str, examples: Iterable[Example], edit: TextEdit) -> None:
    """Let ``edit`` change the caption of each example; one that it leaves alone is left alone."""
    files: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if example.caption is not None:
            files[example.caption.path].append(example)
    for path, owners in files.items():
        kind = owners[0].caption.kind if owners[0].caption else ""
        with draft.refusing(fix, path):
            if kind in ("txt", "caption"):
                _edit_sidecar(draft, fix, words, path, edit)
            else:
                _edit_metadata(draft, fix, words, path, owners, edit)


def _edit_sidecar(draft: Draft, fix: str, words: str, path: str, edit: TextEdit) -> None:
    text, codec = decode(draft.read(path))
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    new = mark + edit(text.removeprefix(mark))
    if new == text:
        return
    try:
        data = new.encode(codec)
    except UnicodeEncodeError as error:
        raise Cannot(f"its encoding ({codec}) has no letter for that; mend the encoding first") from error
    draft.write(path, data)
    draft.note(fix, path, words, *changed_lines(text, new))


def _edit_metadata(
    draft: Draft, fix: str, words: str, path: str, owners: list[Example], edit: TextEdit
) -> None:
    """Rows of several pictures in one file; of two rows for one picture the first counts."""
    data = draft.read(path)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Cannot("it is not UTF-8") from error
    folder, _, ending = split_name(path)
    wanted = {same_name(draft.now(owner.path)) for owner in owners}
    wanted |= {same_name(draft.now(owner.path)).rpartition(".")[0] for owner in owners}
    rows = _Rows(folder, wanted, edit)
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix(mark)
    if ending == "jsonl":
        new = edit_lines(body, rows.json_line)
    elif ending == "csv":
        new = edit_csv(body, rows.csv_row)
    else:
        new = edit_json(body, rows.kohya)
    if new != body:
        draft.write(path, (mark + new).encode())
        draft.note(fix, path, words, *changed_lines(body, new))


class _Rows:
    """The rows of the wanted pictures, edited; every other one as it is."""

    def __init__(self, folder: str, wanted: set[str], edit: TextEdit) -> None:
        self.folder, self.wanted, self.edit = folder, wanted, edit
        self.seen: set[str] = set()
        self.done: set[str] = set()

    def is_wanted(self, name: object) -> bool:
        if not isinstance(name, str) or not name:
            return False
        place = album_path(self.folder, name)
        first = place not in self.seen
        self.seen.add(place)
        return first and place in self.wanted

    def json_line(self, line: str) -> str:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return line
        if not isinstance(row, dict) or not self.is_wanted(row.get("file_name")):
            return line
        column = next((name for name in TEXT_COLUMNS if isinstance(row.get(name), str)), None)
        return edit_json(line, lambda keys, value: self.edit(value) if keys == (column,) else value)

    def csv_row(self, row: dict[str, str]) -> dict[str, str]:
        if self.is_wanted(row.get("file_name")):
            column = next((name for name in TEXT_COLUMNS if name in row), None)
            if column is not None:
                row[column] = self.edit(row[column])
        return row

    def kohya(self, keys: tuple[str, ...], value: str) -> str:
        """Caption and tags count as one text; what the edit does to one of them it need not do to both."""
        if len(keys) != 2 or keys[1] not in ("caption", "tags") or not value:
            return value
        name = keys[0]
        if album_path(self.folder, name) not in self.wanted or name in self.done:
            return value
        new = self.edit(value)
        if new != value and getattr(self.edit, "once", False):
            self.done.add(name)
        return new


class Once:
    """An edit that a caption in two parts (kohya's caption and tags) needs only one of."""

    once = True

    def __init__(self, edit: TextEdit) -> None:
        functools.update_wrapper(self, edit)
        self._edit = edit

    def __call__(self, text: str) -> str:
        return self._edit(text)


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that go and the lines that come."""
    old, new = before.splitlines(), after.splitlines()
    gone: list[str] = []
    come: list[str] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            gone += old[a:b]
            come += new[c:d]
    return gone, come
