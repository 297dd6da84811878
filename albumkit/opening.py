"""From a path to an album with its album.toml: the first step of every command that reads one."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from albumkit import __version__
from albumkit.album import Album, ZipSource, read_album
from albumkit.album.find import CONFIG_NAME
from albumkit.album.names import Excluder
from albumkit.config import Config, load_config, parse_config
from albumkit.errors import AlbumkitError, ConfigError
from albumkit.journal import recover

#: Without a handler of the caller's, Python prints warnings to stderr: a person hears of a recovery whatever
#: the command, and machine formats on stdout stay whole.
_log = logging.getLogger(__name__)
#: An album.toml inside a zip is data from elsewhere; nobody writes one longer than this.
_LARGEST_CONFIG = 1 << 20


@dataclass(frozen=True, slots=True)
class OpenAlbum:
    """An album and what its maker decided about it.

    ``display`` is the path as typed, with ``/``. ``guessed_kind`` is what the files look like (edit, video
    or subject); it counts only while ``config.album.kind`` is None.
    """

    path: Path
    display: str
    config: Config
    album: Album
    guessed_kind: str

    @property
    def kind(self) -> str:
        return self.config.album.kind or self.guessed_kind

    def relative(self, file: Path) -> str:
        """A settings file as the album sees it: ``album.toml``, ``../album.toml``; a zip's member by name."""
        if file.as_posix().startswith(f"{self.display}!"):
            return file.as_posix().removeprefix(f"{self.display}!")
        try:
            return Path(os.path.relpath(file, self.path)).as_posix()
        except ValueError:  # two drives of Windows have no path between them
            return file.as_posix()


def open_album(
    path: Path, *, tracked: frozenset[str] | None = None, proposed: Mapping[str, bytes | None] | None = None
) -> OpenAlbum:
    """Read album.toml, if there is one, and then the album as it says (exclude, kind).

    A change that a killed process left half done is rolled back first, and said so on stderr: nobody may
    judge, pack or change an album that is neither as it was nor as it should be.

    Args:
        path: The folder or zip. In a zip album.toml lies at its top or in its single top folder.
        tracked: Only these paths exist (the files in git's index); an untracked album.toml does not.
        proposed: Files of a folder that are not written yet, by path (see :func:`read_album`).

    Raises:
        ConfigError: album.toml cannot be used.
        AlbumError: the album cannot be read.
    """
    if path.is_dir():
        recover_album(path)
        config, exclude = _of_folder(path, tracked)
    elif path.is_file():
        config, exclude = _of_zip(path)
    else:
        config, exclude = Config(), ()
    check_version(config)
    kind = config.album.kind
    pairs = None if kind is None else kind == "edit"
    album = read_album(path, exclude=exclude, pairs=pairs, tracked=tracked, proposed=proposed)
    return OpenAlbum(path, path.as_posix(), config, album, guess_kind(album))


def check_version(config: Config) -> None:
    """Whether this albumkit may judge the album, so that a team and its CI agree on the rules.

    Raises:
        ConfigError: ``required_version`` asks for another version, or is none.
    """
    if config.required_version is None:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    place = config.origins["required_version"]
    wanted = config.required_version
    try:
        fits = SpecifierSet(wanted).contains(__version__, prereleases=True)
    except InvalidSpecifier as error:
        raise ConfigError(
            place.file,
            f'required_version = "{wanted}" is no version range.',
            'Write for example required_version = ">=0.2"',
            place.line,
        ) from error
    if not fits:
        raise ConfigError(
            place.file,
            f"asks for albumkit {wanted}; this is {__version__}.",
            f'pip install "albumkit{wanted}"',
            place.line,
        )


def recover_album(path: Path) -> None:
    """Roll back what a killed process left half done in a folder, and say so.

    Raises:
        AlbumError: it waits to be rolled back and cannot be.
    """
    if done := recover(path):
        _log.warning("%s", done)


def check_writable(path: Path, command: str) -> None:
    """Raise AlbumkitError for a zip, which is read and never written; ``command`` is who wants to write."""
    if not path.is_dir():
        raise AlbumkitError(
            f"{path.as_posix()} is a zip: {command} changes files in folders only.",
            f"Unpack it, {command} the folder, and pack that.",
        )


def guess_kind(album: Album) -> str:
    """What the files look like. A subject and a style look alike: that is for a person to say."""
    if album.has_pairs:
        return "edit"
    if album.has_clips and all(media.media == "clip" for media in album.media):
        return "video"
    return "subject"


def _of_folder(path: Path, tracked: frozenset[str] | None) -> tuple[Config, tuple[str, ...]]:
    file = path / CONFIG_NAME
    if not os.path.lexists(file) or (tracked is not None and CONFIG_NAME not in tracked):
        return Config(), ()
    config = load_config(file)
    return config, config.album.exclude


def _of_zip(path: Path) -> tuple[Config, tuple[str, ...]]:
    """The settings inside a zip, and its exclude globs as they read from the top of the zip."""
    source = ZipSource(path)
    entries = {entry.path: entry for entry in source.entries(Excluder(()))}
    tops = {name.partition("/")[0] for name in entries}
    top = f"{tops.pop()}/" if len(tops) == 1 else ""
    member = CONFIG_NAME if CONFIG_NAME in entries else f"{top}{CONFIG_NAME}"
    if member not in entries:
        return Config(), ()
    entry, file = entries[member], Path(f"{path.as_posix()}!{member}")
    if entry.size > _LARGEST_CONFIG:
        raise ConfigError(file, f"is {entry.size} bytes long: no album.toml is.")
    try:
        with source.open(entry) as stream:
            data = stream.read()
    except OSError as error:
        raise ConfigError(file, f"{error.strerror or error}.") from error
    config, extend = parse_config(data, file)
    if extend is not None:
        raise ConfigError(
            file,
            "extend names a file outside of the zip.",
            "Copy the extended settings into this file and pack the zip again.",
            config.origins["extend"].line,
        )
    if config.rules is not None:
        raise ConfigError(
            file,
            "lint.rules names a folder outside of the zip.",
            "Unpack the zip beside its rules, or take the line out.",
            config.origins["lint.rules"].line,
        )
    folder = re.sub(r"[*?\[]", "?", member.removesuffix(CONFIG_NAME))
    globs = config.album.exclude
    return config, tuple(folder + g.removeprefix("./") if "/" in g.rstrip("/") else g for g in globs)
