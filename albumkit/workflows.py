"""One function per command: composes the parts, draws nothing."""

from __future__ import annotations

import bisect
import os
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit.album import expand, names
from albumkit.album.find import CONFIG_NAME
from albumkit.errors import AlbumError, PackRefused, UsageError
from albumkit.facts import Cost, FactCache, Measured
from albumkit.lint import AlbumResult, lint, unreadable
from albumkit.opening import OpenAlbum, open_album
from albumkit.settings import resolve

if TYPE_CHECKING:
    from albumkit.pack import Pack

#: (what is being measured, done, of how many)
Progress = Callable[[str, int, int], None]


@dataclass
class LintReport:
    """What one call of lint found."""

    albums: list[AlbumResult] = field(default_factory=list)
    seconds: float = 0.0

    def exit_code(self, strict: bool = False) -> int:
        return int(any(album.fails(strict) for album in self.albums))

    def count(self, severity: str) -> int:
        return sum(album.count(severity) for album in self.albums)


def lint_paths(
    paths: Sequence[Path],
    *,
    trainer: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    cost: Cost = "pixels",
    tracked: bool = False,
    cache: FactCache | None = None,
    progress: Progress | None = None,
) -> LintReport:
    """Judge every album that the paths name. An album that cannot be opened is a finding, not an end.

    Raises:
        UsageError: a path that is not there, an unusable album.toml, an unknown trainer or rule.
    """
    start = time.perf_counter()
    cache = cache or FactCache(libraries=image_libraries())
    report = LintReport()
    found = _Index().albums(paths) if tracked else [(path, None) for path in expand(paths)]
    for path, files in found:
        try:
            opened = open_album(path, tracked=files)
        except AlbumError as error:
            report.albums.append(unreadable(path.as_posix(), path.name, error))
            continue
        settings = resolve(
            opened.config, guessed_kind=opened.guessed_kind, trainer=trainer, overrides=overrides
        )
        measured = Measured(opened.album, cache, decode=cost in ("pixels", "model"))
        if progress:
            measured.progress = lambda done, total, shown=opened.display: progress(shown, done, total)
        try:
            report.albums.append(lint(opened, settings, measured, cost=cost))
        finally:
            measured.save()
    cache.close()
    report.seconds = time.perf_counter() - start
    return report


def pack_album(
    path: Path,
    out: Path | None = None,
    *,
    trainer: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    force: bool = False,
    strict: bool = False,
    background: str = "#ffffff",
    progress: Progress | None = None,
) -> tuple[AlbumResult, Pack]:
    """Lint, then write the archive with its manifest and request beside it.

    Args:
        path: One album.
        out: The archive, or the folder to put NAME.zip into; the working folder by default.
        force: Pack in spite of errors; the manifest records them.

    Raises:
        PackRefused: the album has errors (``result`` holds them), or the archive cannot be made.
    """
    from albumkit.pack import write_pack

    albums = expand([path])
    if len(albums) != 1:
        raise UsageError(f"{path.as_posix()} holds {len(albums)} albums; pack takes one at a time.")
    opened = open_album(albums[0])
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=trainer, overrides=overrides)
    cache = FactCache(libraries=image_libraries())
    measured = Measured(opened.album, cache)
    if progress:
        measured.progress = lambda done, total: progress("checking", done, total)
    result = lint(opened, settings, measured)
    measured.save()
    cache.close()
    if result.fails(strict) and not force:
        raise Refused(result)
    forced = [
        {"rule": f.rule, "path": f.path, "message": f.message}
        for f in result.findings
        if f.severity == "error" and f.ignored is None
    ]
    on_pack = (lambda done, total: progress("packing", done, total)) if progress else None
    pack = write_pack(
        opened.album,
        settings,
        archive_path(opened, out),
        background=background,
        forced=forced,
        progress=on_pack,
    )
    return result, pack


class Refused(PackRefused):
    """The album has errors; ``result`` is what lint found."""

    def __init__(self, result: AlbumResult) -> None:
        count = result.count("error")
        what = f"{count} error{'s' if count != 1 else ''}" if count else "warnings, and --strict"
        super().__init__(
            f"{result.album} was not packed: {what}.",
            "Mend them, or pack all the same with --force (the manifest records it).",
        )
        self.result = result


def archive_path(opened: OpenAlbum, out: Path | None) -> Path:
    """NAME.zip in the working folder; never inside the album, where it would become a part of it."""
    name = f"{opened.album.name}.zip" if opened.path.is_dir() else f"{opened.album.name}-packed.zip"
    if out is None:
        here, album = Path.cwd().resolve(), opened.path.resolve()
        inside = album.is_dir() and (here == album or album in here.parents)
        return album.parent / name if inside else Path(name)
    if out.is_dir():
        return out / name
    if out.suffix.lower() != ".zip":
        raise UsageError(f"{out.as_posix()}: the archive must end in .zip, or name a folder that is there.")
    return out


def image_libraries() -> str:
    """The versions that measurements depend on; a new one empties the fact cache."""
    from importlib.metadata import version

    return f"pillow {version('pillow')} pi-heif {version('pi-heif')}"


class _Index:
    """What git's index holds, asked once per repository.

    In the middle of a commit that is what the commit will hold: GIT_INDEX_FILE, which git gives to its
    hooks, is then another index than the repository's own (``git commit -a``, ``git commit FILE``).
    """

    #: What git tells its hooks about their repository, and what would mislead it about any other.
    _OF_ONE_REPOSITORY = (
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    )

    def __init__(self) -> None:
        self._known: dict[Path, list[str]] = {}

    def albums(self, paths: Sequence[Path]) -> list[tuple[Path, frozenset[str] | None]]:
        """The albums that the paths name, each with its files in the index (relative to it).

        A folder is an album by what git holds of it: a stray picture beside three albums does not make
        one album of them all. Repositories inside of the named ones (submodules, clones) are passed over:
        a commit here cannot mend them. There may be none at all.

        Raises:
            UsageError: a path is not there or lies in no git repository, or git does not answer.
        """
        found: dict[Path, tuple[Path, frozenset[str] | None]] = {}
        albums = expand(paths)
        named = {self._top(path) for path in paths}
        for path in albums:
            for album in self._held(path) if self._top(path) in named else ():
                found.setdefault(album.resolve(), (album, self._of(album)))
        return list(found.values())

    def _held(self, path: Path) -> Iterator[Path]:
        """The path, when what makes it an album is in the index; else the albums below it."""
        files = self._of(path)
        here = [file for file in files if "/" not in file]
        shared = any(file.endswith(f"/{CONFIG_NAME}") for file in files)
        if path.is_file() or any(map(_is_media, here)) or (CONFIG_NAME in here and not shared):
            if files:
                yield path
        elif self._has_strays(path):
            below = {file.partition("/")[0] for file in files if "/" in file and not file.startswith(".")}
            for album in expand(sorted(path / name for name in below if (path / name).is_dir())):
                yield from self._held(album)
        elif any(map(_is_media, files)):
            yield path

    @staticmethod
    def _has_strays(folder: Path) -> bool:
        """Whether an album.toml or pictures lie here (which git, so says the caller, does not hold)."""
        try:
            return any(name == CONFIG_NAME or _is_media(name) for name in os.listdir(folder))
        except OSError:
            return False

    def _of(self, album: Path) -> frozenset[str]:
        top = self._top(album)
        if top not in self._known:
            self._known[top] = self._ask(top)
        files = self._known[top]
        inside = album.resolve().relative_to(top).as_posix()
        if album.is_file():
            return frozenset({album.name} if inside in files else ())
        if inside == ".":
            return frozenset(files)
        first, last = (bisect.bisect_left(files, f"{inside}{after}") for after in "/0")  # "0" follows "/"
        return frozenset(file[len(inside) + 1 :] for file in files[first:last])

    def _top(self, path: Path) -> Path:
        folder = (path if path.is_dir() else path.parent).resolve()
        top = _repository(folder)
        if top is None:
            raise UsageError(f"{path.as_posix()} is in no git repository, so nothing is tracked.")
        return top

    def _ask(self, top: Path) -> list[str]:
        own = _repository(Path.cwd().resolve()) == top
        env = {k: v for k, v in os.environ.items() if own or k not in self._OF_ONE_REPOSITORY}
        command = ["git", "-C", str(top), "ls-files", "-z", "--cached"]
        try:
            done = subprocess.run(command, capture_output=True, check=True, env=env)
        except OSError as error:
            raise UsageError(f"git cannot be run: {error.strerror}.", "Install git.") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode("utf-8", "replace").strip().replace("\n", "\n  ")
            raise UsageError(f"git could not list the files of {top.as_posix()}:\n  {said}") from error
        files = [name for name in done.stdout.decode("utf-8", "surrogateescape").split("\0") if name]
        if sys.platform == "darwin":  # git composes accents there (core.precomposeunicode), the disk need not
            files += [unicodedata.normalize("NFD", name) for name in files if not name.isascii()]
        return sorted(set(files))


def _repository(folder: Path) -> Path | None:
    """The nearest folder with a ``.git``: a folder, or a file in worktrees and submodules."""
    if (folder / ".git").exists():
        return folder
    return None if folder == folder.parent else _repository(folder.parent)


def _is_media(path: str) -> bool:
    """A picture or clip by its name, outside of hidden folders."""
    return "/." not in f"/{path}" and names.split_name(path)[2] in names.PICTURES | names.CLIPS


def tracked_albums(paths: Sequence[Path]) -> list[tuple[Path, frozenset[str] | None]]:
    """The albums in git's index below the paths, each with its tracked files; errors as ``lint_paths``."""
    return _Index().albums(paths)
