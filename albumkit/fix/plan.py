"""From what lint found to a draft of what will be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from albumkit.album.names import Excluder
from albumkit.errors import AlbumkitError, UnknownName
from albumkit.fix.draft import Cannot, Draft, Edit, Refusal
from albumkit.fix.registry import FIXES, Safety
from albumkit.fix.trigger import RENAME, plan_rename
from albumkit.journal import Change
from albumkit.lint import AlbumResult
from albumkit.opening import OpenAlbum
from albumkit.rule import find_rule, load_rules
from albumkit.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done to one album.

    ``edits``: in the order of doing. ``changes``: the same as whole files, for the journal. ``refusals``:
    faults that a fix is named for and that it cannot mend.
    """

    edits: tuple[Edit, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    changes: tuple[Change, ...] = ()


def wanted_fixes(opened: OpenAlbum, result: AlbumResult, select: Sequence[str] = ()) -> dict[str, list[str]]:
    """Fix name -> the files that it is wanted for, ignored findings left out.

    Faults that pack mends by itself for the album's trainer are left to it, because originals need no change
    then; whoever selects the fix or the rule wants the files themselves mended.

    Args:
        select: Names of fixes or rules (:func:`check_select`); none: every fix.
    """
    wanted: dict[str, list[str]] = {}
    for finding in result.findings:
        if finding.fix is None or finding.ignored is not None or finding.fix["name"] not in FIXES:
            continue
        if not select or finding.rule in select or finding.fix["name"] in select:
            # A finding about one file names it; one about the album names them all.
            paths = (finding.path,) if finding.path else finding.paths
            wanted.setdefault(finding.fix["name"], []).extend(paths)
    for handled in result.handled if select else ():
        fix = find_rule(handled.rule).fix
        chosen = fix is not None and (handled.rule in select or fix["name"] in select)
        if fix is not None and chosen and not _ignored(opened, handled.rule, handled.path):
            wanted.setdefault(fix["name"], []).append(handled.path)
    return wanted


def left_to_pack(result: AlbumResult) -> dict[str, int]:
    """Fix name -> in how many files pack will do it by itself, so that nothing was done here."""
    fixes = [find_rule(handled.rule).fix for handled in result.handled]
    return dict(Counter(fix["name"] for fix in fixes if fix is not None and fix["name"] in FIXES))


def _ignored(opened: OpenAlbum, rule: str, path: str) -> bool:
    names = (rule, *find_rule(rule).aliases)
    return any(
        ignore.rule in names and (not ignore.paths or Excluder(ignore.paths)(path))
        for ignore in opened.config.ignores
    )


def check_select(select: Sequence[str]) -> tuple[str, ...]:
    """Names of fixes, and rules by their present id.

    Raises:
        UnknownName: neither a fix nor a rule; names the nearest.
    """
    rules = {name: rule.id for rule in load_rules() for name in (rule.id, *rule.aliases)}
    for name in select:
        if name not in FIXES and name not in rules:
            raise UnknownName("fix or rule", name, [*FIXES, *rules], f"Fixes are {', '.join(FIXES)}.")
    return tuple(rules.get(name, name) for name in select)


def make_plan(
    opened: OpenAlbum,
    settings: Settings,
    wanted: Mapping[str, Sequence[str]],
    safeties: Sequence[Safety] = ("safe", "unsafe"),
) -> Plan:
    """Draft the wanted fixes.

    Args:
        wanted: Fix name -> paths of the album, as :func:`wanted_fixes` gives them.
        safeties: Which kinds of fixes to draft.
    """
    draft = Draft(opened, settings)
    for fix in FIXES.values():
        if fix.safety in safeties and wanted.get(fix.name):
            fix.plan(draft, wanted[fix.name])
    return _finished(draft)


def make_rename_plan(opened: OpenAlbum, settings: Settings, trigger: str) -> Plan:
    """Draft another trigger for the whole album.

    Raises:
        AlbumkitError: there is none to rename, or album.toml cannot be edited.
    """
    draft = Draft(opened, settings)
    try:
        plan_rename(draft, trigger)
    except Cannot as error:
        raise AlbumkitError(f"{opened.display}: {error}.") from error
    return _finished(draft)


def _finished(draft: Draft) -> Plan:
    refusals = tuple(dict.fromkeys(draft.refusals))
    return Plan(tuple(draft.edits), refusals, tuple(draft.changes()))


def safety_of(edit: Edit) -> Safety:
    """How safe an edit is; another trigger for all was asked for by name."""
    return "safe" if edit.fix == RENAME else FIXES[edit.fix].safety
