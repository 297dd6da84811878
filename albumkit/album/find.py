"""From the paths of a command line to albums."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from albumkit.album import names
from albumkit.errors import UsageError

CONFIG_NAME = "album.toml"


def expand(paths: Iterable[Path]) -> list[Path]:
    """The albums that the given paths name, each once, in order.

    A folder is an album when it has an album.toml or pictures of its own; else it is a folder of albums.
    A file stands for the album that it lies in; a zip is an album.

    Raises:
        UsageError: for a path that is not there, or a folder without any album.
    """
    albums: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            found = find_albums(path)
        elif path.is_file():
            found = [path] if path.suffix.lower() == ".zip" else [_album_of(path)]
        else:
            raise UsageError(f"{path.as_posix()}: there is no such file or folder.")
        for album in found:
            albums.setdefault(album.resolve(), album)
    return list(albums.values())


def find_albums(folder: Path) -> list[Path]:
    """The folder itself when it is an album (an empty one too), else the albums below it."""
    if (folder / CONFIG_NAME).is_file() and not _shares_settings(folder):
        return [folder]
    if _has_media(folder) or _is_layout(folder):
        return [folder]
    return sorted(_below(folder)) or [folder]


def _below(folder: Path) -> Iterator[Path]:
    for child in _folders(folder):
        looks_like_one = (child / CONFIG_NAME).is_file() or _has_media(child) or _is_layout(child)
        if looks_like_one and not _shares_settings(child):
            yield child
        else:
            yield from _below(child)


def _shares_settings(folder: Path) -> bool:
    """An album.toml above albums, without pictures beside it, only holds what they extend."""
    if not (folder / CONFIG_NAME).is_file() or _has_media(folder) or _is_layout(folder):
        return False
    return any((child / CONFIG_NAME).is_file() for child in _walk(folder))


def _is_layout(folder: Path) -> bool:
    """kohya's ``10_name`` folders or the sides of edit pairs: one album in several folders."""
    children = [child.name for child in _folders(folder)]
    kohya = [child for child in children if names.KOHYA_FOLDER.match(child)]
    controls = [child for child in children if names.CONTROL_FOLDER.match(child)]
    targets = [child for child in children if child.lower() in names.TARGET_FOLDERS]
    return bool((kohya and len(kohya) == len(children)) or (controls and targets))


def _has_media(folder: Path) -> bool:
    try:
        with os.scandir(folder) as listing:
            return any(
                not item.name.startswith(".")
                and names.split_name(item.name)[2] in names.PICTURES | names.CLIPS
                and item.is_file()
                for item in listing
            )
    except OSError:
        return False


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as listing:
            return sorted(
                folder / item.name
                for item in listing
                if item.is_dir(follow_symlinks=False) and not item.name.startswith(".")
            )
    except OSError:
        return []


def _walk(folder: Path) -> Iterator[Path]:
    for child in _folders(folder):
        yield child
        yield from _walk(child)


def _album_of(file: Path) -> Path:
    """The nearest folder above a file that has an album.toml, else the folder it lies in.

    A file in ``masks``, ``target`` or a control folder belongs to the folder above.
    """
    for folder in file.absolute().parents:
        if (folder / CONFIG_NAME).is_file() and not _shares_settings(folder):
            return Path(os.path.relpath(folder))
    parent = file.parent
    if parent.name.lower() == "masks" or _is_layout(parent.parent):
        return parent.parent
    return parent
