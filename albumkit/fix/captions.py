"""Captions changed where they stand: in a file of their own, in metadata.jsonl, .csv or kohya's .json."""

from __future__ import annotations

import codecs
import difflib
import functools
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

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
    for path, owners in _by_file(examples).items():
        with draft.refusing(fix, path):
            if _is_sidecar(owners[0]):
                _edit_sidecar(draft, fix, words, path, edit)
            else:
                _edit_metadata(draft, fix, words, path, [(owner, edit) for owner in owners])


def set_captions(draft: Draft, fix: str, words: str, texts: Mapping[str, str]) -> None:
    """New texts for captions that are there, where they stand; a sidecar becomes plain UTF-8.

    Args:
        texts: Example path -> its new caption, one line.
    """
    examples = [example for example in draft.album.examples if example.path in texts]
    for path, owners in _by_file(examples).items():
        with draft.refusing(fix, path):
            if _is_sidecar(owners[0]):
                _set_sidecar(draft, fix, words, path, texts[owners[0].path])
            else:
                edits = [(owner, _Instead(texts[owner.path])) for owner in owners]
                _edit_metadata(draft, fix, words, path, edits)


def _by_file(examples: Iterable[Example]) -> dict[str, list[Example]]:
    files: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if example.caption is not None:
            files[example.caption.path].append(example)
    return files


def _is_sidecar(owner: Example) -> bool:
    return owner.caption is not None and owner.caption.kind in ("txt", "caption")


def _set_sidecar(draft: Draft, fix: str, words: str, path: str, text: str) -> None:
    old = draft.read(path)
    try:
        before = decode(old)[0].removeprefix("\ufeff")
    except Cannot:
        before = ""  # bytes that nobody can read: what they were is kept all the same
    draft.write(path, f"{text}\n".encode())
    draft.note(fix, path, words, *changed_lines(before, text))


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
    draft: Draft, fix: str, words: str, path: str, edits: Iterable[tuple[Example, TextEdit]]
) -> None:
    """Rows of several pictures in one file; of two rows for one picture the first counts."""
    data = draft.read(path)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Cannot("it is not UTF-8") from error
    folder, _, ending = split_name(path)
    wanted: dict[str, TextEdit] = {}
    for owner, edit in edits:
        name = same_name(draft.now(owner.path))
        wanted[name] = wanted[name.rpartition(".")[0]] = edit
    rows = _Rows(folder, wanted)
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

    def __init__(self, folder: str, wanted: Mapping[str, TextEdit]) -> None:
        self.folder, self.wanted = folder, wanted
        self.seen: set[str] = set()
        self.done: set[str] = set()

    def edit_of(self, name: object) -> TextEdit | None:
        if not isinstance(name, str) or not name:
            return None
        place = album_path(self.folder, name)
        first = place not in self.seen
        self.seen.add(place)
        return self.wanted.get(place) if first else None

    def json_line(self, line: str) -> str:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return line
        edit = self.edit_of(row.get("file_name")) if isinstance(row, dict) else None
        if edit is None:
            return line
        column = next((name for name in TEXT_COLUMNS if isinstance(row.get(name), str)), None)
        return edit_json(line, lambda keys, value: edit(value) if keys == (column,) else value)

    def csv_row(self, row: dict[str, str]) -> dict[str, str]:
        if edit := self.edit_of(row.get("file_name")):
            column = next((name for name in TEXT_COLUMNS if name in row), None)
            if column is not None:
                row[column] = edit(row[column])
        return row

    def kohya(self, keys: tuple[str, ...], value: str) -> str:
        """Caption and tags count as one text; what the edit does to one of them it need not do to both."""
        if len(keys) != 2 or keys[1] not in ("caption", "tags") or not value:
            return value
        name = keys[0]
        edit = self.wanted.get(album_path(self.folder, name))
        if edit is None or name in self.done:
            return value
        new = edit(value)
        if new != value and getattr(edit, "once", False):
            self.done.add(name)
        return new


class _Instead:
    """An edit that puts one text in the place of a caption, whatever parts it has."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, old: str) -> str:
        text, self._text = self._text, ""
        return text


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
