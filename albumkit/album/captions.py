"""Captions: where they may stand and how their bytes become text."""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections.abc import Callable
from dataclasses import dataclass

from albumkit.album.names import join, same_name, split_name
from albumkit.album.source import lfs_pointer

#: A caption longer than this is not one: 512 tokens of text come to about 3 KB.
LARGEST_CAPTION = 1 << 20
#: Columns that Hugging Face image folders and common scripts use for the caption, in order of trust.
TEXT_COLUMNS = ("text", "caption", "prompt", "description", "additional_feature")


@dataclass(frozen=True, slots=True)
class CaptionSource:
    """Where the caption of an example stands.

    ``kind``: txt, caption (a sidecar, read when asked for), jsonl, csv, kohya (``text`` is known already).
    """

    path: str
    kind: str
    text: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption as it will be trained on: LF line ends, no trailing blanks.

    ``encoding`` is what the bytes turned out to be; ``problem`` says why there is no usable text.
    """

    text: str
    source: CaptionSource
    encoding: str = "utf-8"
    problem: str = ""
    #: Whether the file begins with UTF-8's byte order mark, which ``text`` lacks.
    marked: bool = False


def normalise_caption(text: str) -> str:
    """One form for comparing, hashing and packing: LF, no blanks at line ends, none around the whole."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\n" in text:
        text = "\n".join(line.rstrip() for line in text.split("\n"))
    return text.strip()


def decode_caption(data: bytes, source: CaptionSource) -> Caption:
    """Bytes of a sidecar to a caption; never raises.

    Order of trust: UTF-8 (a byte order mark is dropped), UTF-16 and UTF-32 by their mark, Windows-1252.
    """
    if lfs_pointer(data):
        return Caption("", source, problem="a Git LFS pointer: run git lfs pull")
    if len(data) > LARGEST_CAPTION:
        return Caption("", source, problem=f"larger than {LARGEST_CAPTION >> 10} KiB: not a caption")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        wide = "utf-32" if data.startswith(b"\xff\xfe\x00\x00") else "utf-16"
        try:
            return Caption(normalise_caption(data.decode(wide)), source, wide)
        except UnicodeDecodeError:
            return Caption("", source, wide, f"starts like {wide} but is not")
    if b"\x00" in data:
        return Caption("", source, problem="holds NUL bytes: not text")
    try:
        text = normalise_caption(data.decode("utf-8-sig"))
        return Caption(text, source, marked=data.startswith(b"\xef\xbb\xbf"))
    except UnicodeDecodeError:
        return Caption(normalise_caption(data.decode("cp1252", "replace")), source, "latin-1")


def read_metadata(path: str, data: bytes) -> dict[str, CaptionSource]:
    """Captions of a ``metadata.jsonl``, ``metadata.csv`` or kohya ``.json``, by the picture's path.

    Keys are album paths in composed Unicode; kohya's may lack the ending. A .json that holds no captions is
    some other program's and gives {}.

    Raises:
        ValueError: a metadata.jsonl or metadata.csv that cannot be used, with the reason and the line.
    """
    folder, stem, ending = split_name(path)
    reader: Callable[[str, str, str], dict[str, CaptionSource]] | None = None
    if stem.lower() == "metadata" and ending in ("jsonl", "csv"):
        reader = _from_jsonl if ending == "jsonl" else _from_csv
    elif ending == "json":
        reader = _from_kohya
    if reader is None:
        return {}
    try:
        return reader(path, folder, data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        if ending == "json":
            return {}
        reason = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ValueError(reason) from error


def is_metadata(stem: str, ending: str) -> bool:
    """Whether a file may hold the captions of several pictures."""
    return ending == "json" or (stem.lower() == "metadata" and ending in ("jsonl", "csv"))


def _from_jsonl(path: str, folder: str, text: str) -> dict[str, CaptionSource]:
    found: dict[str, CaptionSource] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number} is not JSON") from error
        if isinstance(row, dict):
            _add_row(found, path, folder, row, number, "jsonl")
    return found


def _from_csv(path: str, folder: str, text: str) -> dict[str, CaptionSource]:
    found: dict[str, CaptionSource] = {}
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            _add_row(found, path, folder, row, reader.line_num, "csv")
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num + 1}: {error}") from error
    return found


def _add_row(
    found: dict[str, CaptionSource], path: str, folder: str, row: dict[str, object], line: int, kind: str
) -> None:
    name = row.get("file_name")
    if not isinstance(name, str) or not name:
        return
    for column in TEXT_COLUMNS:
        if isinstance(text := row.get(column), str):
            found.setdefault(album_path(folder, name), CaptionSource(path, kind, _whole(text), line))
            return


def _from_kohya(path: str, folder: str, text: str) -> dict[str, CaptionSource]:
    """sd-scripts: {picture key: {"caption": ..., "tags": ...}}; the key may be a path of another machine."""
    document = json.loads(text)
    found: dict[str, CaptionSource] = {}
    if not isinstance(document, dict):
        return found
    for key, value in document.items():
        if not isinstance(value, dict):
            continue
        words = [value[k] for k in ("caption", "tags") if isinstance(value.get(k), str) and value[k]]
        if words:
            found[album_path(folder, key)] = CaptionSource(path, "kohya", _whole(", ".join(words)))
    return found


def album_path(folder: str, name: str) -> str:
    """A picture as metadata names it: beside it, in a folder below, or by a path of another machine."""
    name = name.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":":
        name = name.rpartition("/")[2]
    return same_name(posixpath.normpath(join(folder, name)))


def _whole(text: str) -> str:
    """JSON may spell half of a character (a lone surrogate), which no file and no terminal takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
