"""``fix`` for the albums of a command line: lint, draft, and on demand write or take back."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from albumkit.album import expand
from albumkit.errors import AlbumkitError, UsageError
from albumkit.facts import FactCache, Measured
from albumkit.fix import (
    FIXES,
    Edit,
    Plan,
    Refusal,
    Safety,
    check_select,
    left_to_pack,
    make_plan,
    make_rename_plan,
    safety_of,
    undo,
    wanted_fixes,
)
from albumkit.journal import locked, perform
from albumkit.lint import lint
from albumkit.opening import OpenAlbum, check_writable, open_album, recover_album
from albumkit.rule import load_rules
from albumkit.settings import Settings, resolve
from albumkit.workflows import Progress, image_libraries, tracked_albums

#: An album, what would be done to it, and what is left to pack.
_Drafted = tuple[OpenAlbum, Plan, Mapping[str, int]]


@dataclass
class AlbumFix:
    """What was, or would be, done to one album.

    ``record``: the change's name in the album's journal, "" where nothing was written. ``error``: why nothing
    could be. ``handled``: fix name -> how many files are left to pack, which mends them in the archive.
    ``left``: fixes that can still be undone (undo only).
    """

    album: str
    edits: tuple[Edit, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    record: str = ""
    error: AlbumkitError | None = None
    handled: Mapping[str, int] = field(default_factory=dict)
    left: int = 0


@dataclass
class FixReport:
    """One call of fix. ``what``: fix, set or undo; ``written``: whether files were to be changed."""

    what: str
    written: bool
    unsafe: bool = False
    albums: list[AlbumFix] = field(default_factory=list)

    def chosen(self, edit: Edit) -> bool:
        """Whether this call's options cover an edit."""
        return self.what == "undo" or self.unsafe or safety_of(edit) == "safe"

    @property
    def exit_code(self) -> int:
        """A preview fails when the same call with --apply would change something; a call that writes fails
        when it could not. Faults that no fix can mend are for lint to judge, but undo must undo.
        """
        if any(album.error for album in self.albums):
            return 1
        if self.what == "undo":
            return int(any(album.refusals for album in self.albums))
        return int(not self.written and any(self.chosen(e) for album in self.albums for e in album.edits))


def fix_paths(
    paths: Sequence[Path],
    *,
    select: Sequence[str] = (),
    apply: bool = False,
    unsafe: bool = False,
    trainer: str | None = None,
    tracked: bool = False,
    cache: FactCache | None = None,
    progress: Progress | None = None,
) -> FixReport:
    """Preview, or with ``apply`` write, what mends the albums' faults.

    Args:
        select: Only these fixes, or fixes of these rules.
        unsafe: With ``apply``: the unsafe ones too. A preview drafts all in any case.
        tracked: Albums and findings as git's index has them; sidecars that git does not hold move too.

    Raises:
        UsageError: a path, an album.toml, a trainer, a fix or a rule that is none.
    """
    chosen = check_select(select)
    cache = cache or FactCache(libraries=image_libraries())
    report = FixReport("fix", apply, unsafe)
    safeties: tuple[Safety, ...] = ("safe", "unsafe") if unsafe or not apply else ("safe",)
    rules = [rule for rule in load_rules() if rule.fix is not None and _may(rule.fix["name"], safeties)]
    found = tracked_albums(paths) if tracked else [(path, None) for path in expand(paths)]

    def draft(path: Path, files: frozenset[str] | None) -> _Drafted:
        opened = _opened(path)
        judged = opened if files is None else open_album(path, tracked=files)
        settings = resolve(judged.config, guessed_kind=judged.guessed_kind, trainer=trainer)
        measured = Measured(judged.album, cache)
        if progress:
            measured.progress = lambda done, total: progress(judged.display, done, total)
        try:
            result = lint(judged, settings, measured, rules=rules)
        finally:
            measured.save()
        plan = make_plan(opened, settings, wanted_fixes(judged, result, chosen), safeties)
        return opened, plan, {} if chosen else left_to_pack(result)

    for path, files in found:
        report.albums.append(_album(path, "apply", apply, functools.partial(draft, path, files)))
    cache.close()
    return report


def rename_trigger(paths: Sequence[Path], new: str, *, apply: bool = False) -> FixReport:
    """Another trigger for every caption, prompt and setting of the albums.

    Raises:
        UsageError: the new one is blank or holds what no caption can say.
    """
    new = " ".join(new.split())
    if not new or not new.isprintable():
        raise UsageError("trigger_phrase needs a word: --set trigger_phrase=NEW")

    def draft(path: Path) -> _Drafted:
        opened = _opened(path)
        return opened, make_rename_plan(opened, _settings(opened), new), {}

    albums = [_album(path, "set", apply, functools.partial(draft, path)) for path in expand(paths)]
    return FixReport("set", apply, albums=albums)


def undo_fixes(paths: Sequence[Path]) -> FixReport:
    """Take the last fix of each album back, and the one before at the next call."""
    report = FixReport("undo", True)
    for path in expand(paths):
        shown = path.as_posix()
        try:
            check_writable(path, "fix")
            recover_album(path)
            with locked(path) as workplace:
                done = undo(Path(os.path.realpath(path)), workplace, shown)
            record = done.record.name if done.edits else ""
            report.albums.append(AlbumFix(shown, done.edits, done.refusals, record, left=done.left))
        except UsageError:
            raise
        except AlbumkitError as error:
            report.albums.append(AlbumFix(shown, error=error))
    return report


def _album(path: Path, kind: str, apply: bool, draft: Callable[[], _Drafted]) -> AlbumFix:
    """Draft and write one album; what fails in one is no reason to leave the others.

    Files are drafted without the lock: every one of them is looked at again when it is written.
    """
    shown = path.as_posix()
    try:
        opened, plan, handled = draft()
        done = AlbumFix(opened.display, plan.edits, plan.refusals, handled=handled)
        if apply and plan.changes:
            note = {"fixes": list(dict.fromkeys(edit.fix for edit in plan.edits))}
            with locked(path) as workplace:
                root = Path(os.path.realpath(path))
                done.record = perform(root, workplace, kind, note, plan.changes).name
        return done
    except UsageError:
        raise
    except AlbumkitError as error:
        return AlbumFix(shown, error=error)


def _may(name: str, safeties: Sequence[Safety]) -> bool:
    """Whether a fix is wanted at all: rules of others need not be judged, and no picture decoded for them."""
    return name in FIXES and FIXES[name].safety in safeties


def _opened(path: Path) -> OpenAlbum:
    check_writable(path, "fix")
    return open_album(path)


def _settings(opened: OpenAlbum) -> Settings:
    return resolve(opened.config, guessed_kind=opened.guessed_kind)
