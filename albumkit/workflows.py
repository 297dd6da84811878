"""One function per command: composes the parts, draws nothing."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit.album import expand
from albumkit.baseline import Baseline, find_baseline, new_baseline
from albumkit.errors import AlbumError, PackRefused, UsageError
from albumkit.facts import Cost, FactCache, Measured
from albumkit.git import Changes, Index
from albumkit.house import rules_for
from albumkit.lint import AlbumResult, lint, unreadable
from albumkit.opening import OpenAlbum, open_album
from albumkit.selection import EVERYTHING, Selection
from albumkit.settings import Settings, resolve
from albumkit.since import Touched

if TYPE_CHECKING:
    from albumkit.adapter import Conversion
    from albumkit.adapter.predict import Prediction
    from albumkit.pack import Pack

#: (what is being measured, done, of how many)
Progress = Callable[[str, int, int], None]


@dataclass
class LintReport:
    """What one call of lint found."""

    albums: list[AlbumResult] = field(default_factory=list)
    seconds: float = 0.0
    #: Albums in which nothing changed (``--since``); they were not judged.
    unchanged: int = 0
    #: The albums themselves, in the same order; None where one could not be opened. Empty unless kept.
    opened: list[OpenAlbum | None] = field(default_factory=list)
    _baselines: dict[Path | None, Baseline] = field(default_factory=dict, repr=False)

    def apply_baseline(self, opened: OpenAlbum, result: AlbumResult) -> None:
        """Count what the nearest baseline knows of an album's findings instead of telling it."""
        file = find_baseline(opened.path)
        if file is not None:
            if file not in self._baselines:
                self._baselines[file] = Baseline.load(file)
            self._baselines[file].apply(opened.path, result)

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
    selection: Selection = EVERYTHING,
    tracked: bool = False,
    since: str | None = None,
    baseline: bool = True,
    cache: FactCache | None = None,
    progress: Progress | None = None,
    keep: bool = False,
) -> LintReport:
    """Judge every album that the paths name. An album that cannot be opened is a finding, not an end.

    Args:
        since: A git revision: only what changed since the branch left it is judged.
        baseline: Whether findings that a baseline knows are counted instead of told.
        keep: Hold on to the opened albums, for formats that show pictures or point into captions.

    Raises:
        UsageError: a path that is not there, an unusable album.toml, an unknown trainer, rule or revision.
    """
    start = time.perf_counter()
    cache = cache or FactCache(libraries=image_libraries())
    report = LintReport()
    changes = Changes(since, tracked=tracked) if since is not None else None
    found = Index().albums(paths) if tracked else [(path, None) for path in expand(paths)]
    for path, files in found:
        try:
            opened = open_album(path, tracked=files)
        except AlbumError as error:
            report.albums.append(unreadable(path.as_posix(), path.name, error))
            report.opened += [None] if keep else []
            continue
        touched = Touched.of(opened, changes) if changes else None
        if touched is not None and not touched:
            report.unchanged += 1
            continue
        report.opened += [opened] if keep else []
        settings = resolve(
            opened.config, guessed_kind=opened.guessed_kind, trainer=trainer, overrides=overrides
        )
        measured = Measured(opened.album, cache, decode=cost in ("pixels", "model"))
        measured.progress = _steps(progress, opened.display)
        result = _judge(opened, settings, measured, selection=selection, cost=cost)
        if touched is not None:
            result.findings = [f for f in result.findings if touched.concerns(f)]
        if baseline:
            report.apply_baseline(opened, result)
        report.albums.append(result)
    cache.close()
    report.seconds = time.perf_counter() - start
    return report


def _judge(
    opened: OpenAlbum, settings: Settings, measured: Measured, *, selection: Selection, cost: Cost = "pixels"
) -> AlbumResult:
    """Lint with the rules that are wanted; what was measured is kept even when this fails."""
    rules = selection.choose(rules_for(opened.config), opened)
    try:
        return lint(opened, settings, measured, rules=rules, cost=cost)
    finally:
        measured.save()


def _steps(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return functools.partial(progress, what) if progress else None


def add_baseline(paths: Sequence[Path], report: LintReport) -> tuple[Path, int]:
    """Write what a lint without baseline found into the baseline.

    Returns:
        The file, and how many findings of these albums it knows now.
    """
    albums = [Path(result.album) for result in report.albums]
    known = new_baseline(albums or [Path(path) / "any" for path in paths])
    for path, result in zip(albums, report.albums, strict=True):
        known.record(path, result)
    known.write()
    return known.file, sum(f.ignored is None for result in report.albums for f in result.findings)


def pack_album(
    path: Path,
    out: Path | None = None,
    *,
    trainer: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    force: bool = False,
    strict: bool = False,
    background: str = "#ffffff",
    proposed: Mapping[str, bytes | None] | None = None,
    progress: Progress | None = None,
) -> tuple[AlbumResult, Pack]:
    """Lint, then write the archive with its manifest and request beside it.

    Args:
        path: One album.
        out: The archive, or the folder to put NAME.zip into; the working folder by default.
        force: Pack in spite of errors; the manifest records them.
        proposed: Captions and masks that the album itself does not have, by path.

    Raises:
        PackRefused: the album has errors (``result`` holds them), or the archive cannot be made.
    """
    from albumkit.pack import write_pack

    albums = expand([path])
    if len(albums) != 1:
        raise UsageError(f"{path.as_posix()} holds {len(albums)} albums; pack takes one at a time.")
    opened = open_album(albums[0], proposed=proposed)
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=trainer, overrides=overrides)
    cache = FactCache(libraries=image_libraries())
    measured = Measured(opened.album, cache)
    if progress:
        measured.progress = lambda done, total: progress("checking", done, total)
    result = _judge(opened, settings, measured, selection=EVERYTHING)
    cache.close()
    if (file := find_baseline(opened.path)) is not None:
        Baseline.load(file).apply(opened.path, result)
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

    def __init__(
        self,
        result: AlbumResult,
        done: str = "packed",
        remedy: str = "Mend them, or pack all the same with --force (the manifest records it).",
    ) -> None:
        count = result.count("error")
        what = f"{count} error{'s' if count != 1 else ''}" if count else "warnings, and --strict"
        super().__init__(f"{result.album} was not {done}: {what}.", remedy)
        self.result = result


def convert_adapter(
    path: Path,
    out: Path,
    to: str,
    *,
    lossy: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> tuple[Conversion, list[Prediction]]:
    """Write a LoRA in another form, and predict what each program does with the new file.

    Args:
        to: ``comfy``, ``fal``, ``diffusers`` or ``kohya``.
        lossy: Round what is not exact, and leave out keys that no form can hold.
        force: Replace ``out``.

    Raises:
        UsageError: ``out`` cannot be written to.
        AdapterError: ``path`` is no LoRA, or something of it would be lost.
    """
    from albumkit.adapter import convert, open_adapter
    from albumkit.adapter.predict import RUNTIMES, predict

    step = (lambda done, total: progress("converting", done, total)) if progress else None
    conversion = convert(path, out, to, lossy=lossy, force=force, progress=step)
    adapter = open_adapter(conversion.path)
    return conversion, [predict(adapter, runtime) for runtime in RUNTIMES]


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
    from importlib.metadata import PackageNotFoundError, version

    try:
        clips = version("av")
    except PackageNotFoundError:
        clips = "none"
    return f"pillow {version('pillow')} pi-heif {version('pi-heif')} av {clips}"


def tracked_albums(paths: Sequence[Path]) -> list[tuple[Path, frozenset[str] | None]]:
    """The albums in git's index below the paths, each with its tracked files; errors as ``lint_paths``."""
    return Index().albums(paths)
