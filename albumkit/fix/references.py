"""Files that name renamed files: metadata rows, and the globs of album.toml."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping

from albumkit.album.captions import album_path, is_metadata
from albumkit.album.find import CONFIG_NAME
from albumkit.album.names import Excluder, same_name, split_name
from albumkit.fix.captions import changed_lines
from albumkit.fix.draft import Cannot, Draft
from albumkit.fix.rows import edit_csv, edit_json, edit_lines
from albumkit.tomledit import NotEditable, Place, edit_texts, extend_list

#: A .json larger than this is some other program's.
_LARGEST = 64 << 20


def update_references(draft: Draft, fix: str, moved: Mapping[str, str]) -> None:
    """Let everything that names a file by its old name say the new one.

    Args:
        moved: Old path -> new path, both as the album sees them.

    Raises:
        Cannot: a file that names one of them cannot be edited.
    """
    if not moved:
        return
    for path, entry in draft.album.entries.items():
        _, stem, ending = split_name(path)
        if is_metadata(stem, ending) and entry.size <= _LARGEST and not entry.problem and not entry.lfs:
            try:
                _update_metadata(draft, fix, path, moved)
            except Cannot as error:
                raise Cannot(f"{path} names the files, and {error}") from error
    if draft.is_there(CONFIG_NAME):
        try:
            before, after = draft.edit_config(lambda text: _updated_globs(draft, text, moved))
        except (NotEditable, Cannot) as error:
            raise Cannot(f"{CONFIG_NAME} names the files, and {error}") from error
        if before != after:
            draft.note(fix, CONFIG_NAME, "follows the new names", *changed_lines(before, after))


def _update_metadata(draft: Draft, fix: str, path: str, moved: Mapping[str, str]) -> None:
    try:
        text = draft.read(path).decode()
    except UnicodeDecodeError:
        return  # its captions are not read either
    folder, _, ending = split_name(path)
    names = {same_name(old): new for old, new in moved.items()}
    roots = {same_name(old).rpartition(".")[0]: new.rpartition(".")[0] for old, new in moved.items()}

    def follow(name: str) -> str:
        place = album_path(folder, name) if name else ""
        new = names.get(place) or roots.get(place)
        last = re.split(r"[/\\]", name)[-1]
        return name[: len(name) - len(last)] + new.rpartition("/")[2] if new else name

    def line(raw: str) -> str:
        try:
            is_row = isinstance(json.loads(raw), dict)
        except (ValueError, RecursionError):
            is_row = False
        if not is_row:
            return raw
        return edit_json(raw, lambda keys, value: follow(value) if keys == ("file_name",) else value)

    mark = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix(mark)
    if ending == "jsonl":
        new = edit_lines(body, line)
    elif ending == "csv":
        new = edit_csv(body, lambda row: {k: follow(v) if k == "file_name" else v for k, v in row.items()})
    else:
        try:
            new = edit_json(body, lambda _, value: value, follow)
        except Cannot:
            return  # no JSON, so nobody's captions
    if new != body:
        draft.write(path, (mark + new).encode())
        draft.note(fix, path, "follows the new names", *changed_lines(body, new))


def _updated_globs(draft: Draft, text: str, moved: Mapping[str, str]) -> str:
    """``exclude`` and the ``paths`` of ignores match the same files as before."""
    document = tomllib.loads(text.replace("\r\n", "\n"))
    album = document.get("album", {})
    lists: dict[Place, list[str]] = {("album", "exclude"): album.get("exclude", [])}
    for number, ignore in enumerate(document.get("lint", {}).get("ignore", [])):
        lists["lint", "ignore", number, "paths"] = ignore.get("paths", [])
    staying = [now for now in map(draft.now, draft.album.entries) if now not in moved.values()]
    changed: dict[Place, str] = {}
    added: dict[Place, list[str]] = {}
    for place, patterns in lists.items():
        more: list[str] = []
        now: list[str] = []
        for number, pattern in enumerate(patterns):
            new, extra = _updated_glob(pattern, moved, staying)
            if new != pattern:
                changed[(*place, number)] = new
            now.append(new)
            more += extra
        covered = Excluder(now)
        if items := [escaped(path) for path in dict.fromkeys(more) if not covered(path)]:
            added[place] = items
    if changed:
        text = edit_texts(text, lambda place, old: changed.get(place, old))
    for place, items in added.items():
        text = extend_list(text, place, items)
    return text


def _updated_glob(pattern: str, moved: Mapping[str, str], staying: list[str]) -> tuple[str, list[str]]:
    """The pattern as it must read now, and paths that it cannot cover."""
    matches = Excluder([pattern])
    lost = {old: new for old, new in moved.items() if matches(old) and not matches(new)}
    if not lost:
        return pattern, []
    candidate = pattern
    for old, new in lost.items():
        (_, stem, ending), (_, new_stem, new_ending) = split_name(old), split_name(new)
        candidate = same_name(candidate).replace(same_name(stem), new_stem)
        if ending != new_ending:
            candidate = re.sub(rf"\.{re.escape(ending)}\Z", f".{new_ending}", candidate, flags=re.IGNORECASE)
    covers = Excluder([candidate])
    same = {path for path in staying if matches(path)} == {path for path in staying if covers(path)}
    if same and all(map(covers, lost.values())):
        return candidate, []
    return pattern, list(lost.values())


def escaped(path: str) -> str:
    """A path as a glob that matches only it; in the top folder ``./`` keeps it from matching below."""
    glob = re.sub(r"([*?\[])", r"[\1]", path)
    return glob if "/" in glob else f"./{glob}"
