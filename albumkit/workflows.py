"""One function per command: composes the parts, draws nothing."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit.album import expand
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
    index = _Index() if tracked else None
    for path in expand(paths):
        files = index.of(path) if index else None
        if files is not None and not files:
            continue  # nothing of this folder is in git: not an album of the repository
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
    name = f"{opened.album.name}.zip"
    if out is None:
        folder = Path.cwd()
        album = opened.path.resolve()
        if album.is_dir() and (folder.resolve() == album or album in folder.resolve().parents):
            folder = album.parent
        return folder / name
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
    """The files that git tracks, asked once per repository."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[str, ...]] = {}

    def of(self, album: Path) -> frozenset[str]:
        """Paths relative to the album of the files in git's index.

        Raises:
            UsageError: the album does not lie in a git repository.
        """
        folder = (album if album.is_dir() else album.parent).resolve()
        top = next((f for f in (folder, *folder.parents) if (f / ".git").exists()), None)
        if top is None:
            raise UsageError(f"{album.as_posix()} is in no git repository, so nothing is tracked.")
        if top not in self._known:
            self._known[top] = self._ask(top)
        if album.is_file():
            own = album.resolve().relative_to(top).as_posix()
            return frozenset(f for f in self._known[top] if f == own)
        prefix = folder.relative_to(top).as_posix() + "/"
        if prefix == "./":
            return frozenset(self._known[top])
        return frozenset(f.removeprefix(prefix) for f in self._known[top] if f.startswith(prefix))

    @staticmethod
    def _ask(top: Path) -> tuple[str, ...]:
        try:
            listing = subprocess.run(
                ["git", "-C", str(top), "ls-files", "-z", "--cached"], capture_output=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise UsageError(f"git could not list the files of {top.as_posix()}: {error}") from error
        return tuple(listing.decode("utf-8", "surrogateescape").rstrip("\0").split("\0"))
