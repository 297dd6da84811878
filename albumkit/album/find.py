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
    A file stands for the album that it lies in; a zip is an album. Links to folders are not followed below
    what was named.

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
    return [folder] if _is_album(folder) else sorted(_below(folder)) or [folder]


def _is_album(folder: Path) -> bool:
    if _has_media(folder) or _is_layout(folder):
        return True
    return _has_config(folder) and not _shares_settings(folder)


def _below(folder: Path) -> Iterator[Path]:
    waiting = _folders(folder)
    while waiting:
        child = waiting.pop()
        if _is_album(child):
            yield child
        else:
            waiting += _folders(child)


def _has_config(folder: Path) -> bool:
    return os.path.isfile(folder / CONFIG_NAME)  # noqa: PTH113 - Path.is_file raises where permission is denied


def _shares_settings(folder: Path) -> bool:
    """An album.toml above albums, without pictures beside it, only holds what they extend."""
    if not _has_config(folder) or _has_media(folder) or _is_layout(folder):
        return False
    return any(_has_config(child) for child in _walk(folder))


def _is_layout(folder: Path) -> bool:
    """kohya's ``10_name`` folders or the sides of edit pairs: one album in several folders.

    Folders with an album.toml each are albums of their own, however they are called.
    """
    below = _folders(folder)
    if any(_has_config(child) for child in below):
        return False
    children = [child.name for child in below]
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
                if item.is_dir(follow_symlinks=False) and not names.passed_over(item.name)
            )
    except OSError:
        return []


def _walk(folder: Path) -> Iterator[Path]:
    waiting = _folders(folder)
    while waiting:
        child = waiting.pop()
        yield child
        waiting += _folders(child)


def _album_of(file: Path) -> Path:
    """The nearest folder above a file that has an album.toml, else the folder it lies in.

    A file in ``masks``, ``target`` or a control folder belongs to the folder above.
    """
    inside = file.absolute().parent
    for folder in (inside, *inside.parents):
        if _has_config(folder) and not _shares_settings(folder):
            return _from_here(folder)
    if inside.name.lower() == "masks" or _is_layout(inside.parent):
        return _from_here(inside.parent)
    return file.parent


def config_above(file: Path) -> Path | None:
    """The nearest album.toml in the folders above a file that is no part of an album, such as a LoRA; None
    without one.
    """
    inside = file.absolute().parent
    folder = next((one for one in (inside, *inside.parents) if _has_config(one)), None)
    return None if folder is None else _from_here(folder) / CONFIG_NAME


def _from_here(folder: Path) -> Path:
    try:
        return Path(os.path.relpath(folder))
    except ValueError:  # two drives of Windows have no path between them
        return folder
