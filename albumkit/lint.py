"""Rules over facts: how an album is judged by all of them.

Nothing here holds an opinion: this module finds the facts that a rule asks for, asks the schema, and tells
passed from failed, from not measured and from not applicable.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from albumkit.album.names import Excluder
from albumkit.errors import AlbumkitError
from albumkit.facts import (
    COSTS,
    Cost,
    Measured,
    NotDecoded,
    Scope,
    Table,
    Unmeasured,
)
from albumkit.facts.registry import State, state_of
from albumkit.house import profile_for
from albumkit.opening import OpenAlbum
from albumkit.rule import SEVERITIES, Remedy, Rule, find_rule, load_rules
from albumkit.settings import Settings, Value


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule failing on one subject."""

    album: str
    rule: str
    scope: str
    severity: str
    path: str
    paths: tuple[str, ...]
    line: int | None
    fact: str
    value: Any
    limit: Any
    message: str
    remedies: tuple[Remedy, ...]
    fix: Mapping[str, str] | None
    fingerprint: str
    ignored: str | None = None
    #: The module of an adapter that it is about.
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Handled:
    """A fault that pack mends; ``words`` is what the counted line calls it."""

    album: str
    rule: str
    path: str
    words: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A rule that could not be judged; ``path`` is "" when that holds for every subject."""

    album: str
    rule: str
    severity: str
    path: str
    reason: str
    count: int = 1


@dataclass
class AlbumResult:
    """What lint found in one album."""

    album: str
    name: str
    kind: str = ""
    settings: Settings | None = None
    config_file: str = ""
    examples: int = 0
    captions: int = 0
    noun: str = "pictures"
    findings: list[Finding] = field(default_factory=list)
    handled: list[Handled] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    #: Rules that ran, and rules that the chosen cost left out.
    rules: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    #: Findings that the baseline knows, and entries of the baseline whose fault is gone.
    baselined: int = 0
    mended: int = 0

    def count(self, severity: str) -> int:
        """Faults of a severity that nobody ignored: a rule counts once however many files it names, and
        once for each knob.
        """
        return len(
            {
                (f.rule, f.fingerprint if f.scope == "knob" else "")
                for f in self.findings
                if f.severity == severity and f.ignored is None
            }
        )

    def fails(self, strict: bool = False) -> bool:
        """Whether this album makes lint exit 1, and pack refuse."""
        if self.count("error"):
            return True
        return strict and (bool(self.count("warning")) or any(s.severity == "error" for s in self.skipped))


def lint(
    opened: OpenAlbum,
    settings: Settings,
    measured: Measured,
    *,
    rules: Sequence[Rule] | None = None,
    cost: Cost = "pixels",
) -> AlbumResult:
    """Judge one album.

    Args:
        opened: The album with its album.toml.
        settings: Resolved for the trainer that it is judged for.
        measured: Where facts of bytes come from; its cache is filled but not written.
        rules: The rules to run; by default all shipped ones but those that are opt-in.
        cost: Dearer rules are left out, but for pixel facts that the cache already has.
    """
    run = _Run(opened, settings, measured)
    wanted = [r for r in load_rules() if not r.opt_in] if rules is None else rules
    severities = profile_for(opened.config, settings.kind)
    active = [r for r in wanted if r.of_album and severities.get(r.id) != "off" and run.speaks(r)]
    of_pictures = any(r.cost == "pixels" and r.scope != "mask" for r in active)  # masks have pixels too
    if COSTS.index(cost) >= COSTS.index("pixels") and of_pictures:
        measured.decode_all(opened.album.media)
    by_scope: dict[Scope, list[Rule]] = defaultdict(list)
    for rule in active:
        if COSTS.index(rule.cost) <= max(COSTS.index(cost), COSTS.index("pixels")):
            by_scope[rule.scope].append(rule)
        else:
            run.result.left_out.append(rule.id)
    for scope, scoped in by_scope.items():
        table = run.table(scope)
        for rule in scoped:
            run.judge(rule, table, severities.get(rule.id, rule.severity))
    for link in opened.album.source.skipped_links:
        reason = "a link to a folder, which is not followed"
        run.result.skipped.append(Skipped(run.result.album, "album/unreadable", "error", link, reason))
    run.result.findings.sort(key=lambda f: (SEVERITIES.index(f.severity), f.rule, f.path, f.line or 0))
    return run.result


class _Run:
    """One album being judged: its subjects, and the result as it grows."""

    def __init__(self, opened: OpenAlbum, settings: Settings, measured: Measured) -> None:
        album = opened.album
        self.opened, self.settings, self.album = opened, settings, album
        context = {"album": album, "measured": measured, "settings": settings, "trainer": settings.trainer}
        top = Table("album", [""], {name: [value] for name, value in context.items()})
        self.parent = Table("settings", [""], {}, top)
        captions = [album.caption(example) for example in album.examples]
        self.result = AlbumResult(
            album=opened.display,
            name=album.name,
            kind=settings.kind,
            settings=settings,
            config_file=opened.config.files[0].as_posix() if opened.config.files else "",
            examples=len(album.examples),
            captions=sum(1 for c in captions if c is not None),
            noun=_noun(opened),
        )
        self._ignores: dict[str, list[tuple[Excluder | None, str]]] = defaultdict(list)
        for ignore in opened.config.ignores:
            self._ignores[ignore.rule].append(
                (Excluder(ignore.paths) if ignore.paths else None, ignore.reason)
            )

    def speaks(self, rule: Rule) -> bool:
        """Whether the rule is about a knob that there is."""
        return rule.needs_knob is None or rule.needs_knob in self.settings.trainer.knobs

    def table(self, scope: Scope) -> Table:
        """All subjects of a scope, with the objects that their facts are measured of."""
        album, parent = self.album, self.parent
        if scope == "example":
            return Table(scope, [m.path for m in album.media], {"media": album.media}, parent)
        if scope == "clip":
            clips = [m for m in album.media if m.media == "clip"]
            return Table(scope, [m.path for m in clips], {"media": clips}, parent)
        if scope in ("caption", "mask", "pair"):
            examples = [e for e in album.examples if e.is_pair or scope != "pair"]
            paths = [e.mask.path if scope == "mask" and e.mask else e.path for e in examples]
            return Table(scope, paths, {"example": examples}, parent)
        if scope == "knob":
            written = {**self.settings.knobs, **self.settings.unknown}
            knobs = {name: value for name, value in written.items() if value.is_set}
            paths = [self._place(value)[0] for value in knobs.values()]
            return Table(scope, paths, {"name": list(knobs), "setting": list(knobs.values())}, parent)
        return parent

    def judge(self, rule: Rule, table: Table, severity: str) -> None:
        """Hold one rule against every subject of its scope."""
        columns = [table.column(name) for name in rule.needs]
        rows = list(zip(*columns, strict=True))
        states = {values: state_of(values) for values in set(rows)}
        left_out = self._skip(rule, table, rows, states)
        verdicts = {
            values: rule.validator.is_valid(_plain(rule, values))
            for values, state in states.items()
            if state is None
        }
        if not all(verdicts.values()):
            for row, values in enumerate(rows):
                if verdicts.get(values) is False:
                    self._fail(rule, table, row, values, severity)
        (self.result.left_out if left_out else self.result.rules).append(rule.id)

    def _skip(
        self,
        rule: Rule,
        table: Table,
        rows: Sequence[tuple[Any, ...]],
        states: Mapping[tuple[Any, ...], State | None],
    ) -> bool:
        """Note what could not be measured; True when that was this run's choice rather than a lack."""
        reasons = {values: str(state) for values, state in states.items() if isinstance(state, Unmeasured)}
        if not reasons:
            return False
        left_out = False
        skipped: dict[str, list[str]] = defaultdict(list)
        for path, values in zip(table.paths, rows, strict=True):
            if isinstance(states[values], NotDecoded):
                left_out = True
            elif values in reasons:
                skipped[reasons[values]].append(path)
        for reason, paths in skipped.items():
            whole = len(paths) == len(rows)
            for path in [""] if whole else paths:
                count = len(paths) if whole else 1
                self.result.skipped.append(
                    Skipped(self.result.album, rule.id, rule.severity, path, reason, count)
                )
        return left_out

    def _fail(self, rule: Rule, table: Table, row: int, values: tuple[Any, ...], severity: str) -> None:
        words = self._words(rule, table, row)
        if rule.handled_when is not None and self.settings.trainer.reads == "archive":
            wanted = rule.handled_when.get("required", ())
            if rule.handled_validator.is_valid({name: table.cell(row, name) for name in wanted}):
                handled_as = rule.handled_as.format(**words)
                self.result.handled.append(Handled(self.result.album, rule.id, table.paths[row], handled_as))
                return
        name, value, limit = rule.violation(_plain(rule, values)) or (rule.needs[0], values[0], None)
        path, line = self._where(rule, table, row)
        related = tuple(table.cell(row, rule.related)) if rule.related else ()
        identity = [rule.id, self.album.name, path, str(words.get("knob_name", ""))]
        self.result.findings.append(
            Finding(
                album=self.result.album,
                rule=rule.id,
                scope=rule.scope,
                severity=severity,
                path=path,
                paths=(path, *related) if path else related,
                line=line,
                fact=name,
                value=value,
                limit=limit,
                message=rule.message.format(**words),
                remedies=tuple(Remedy(r.do.format(**words), r.gives.format(**words)) for r in rule.remedies),
                fix=rule.fix,
                fingerprint=fingerprint(identity),
                ignored=self._ignored(rule, path),
            )
        )

    def _words(self, rule: Rule, table: Table, row: int) -> dict[str, Any]:
        """Values of the message fields: facts, and how the album is called on the command line."""
        words: dict[str, Any] = {"album_path": self.result.album}
        fields = (*rule.fields, "knob_name") if rule.scope == "knob" else rule.fields
        words.update((name, table.cell(row, name)) for name in fields if name not in words)
        return words

    def _where(self, rule: Rule, table: Table, row: int) -> tuple[str, int | None]:
        if rule.scope == "knob":
            return self._place(table.cell(row, "setting"))
        if rule.scope == "settings":
            value = self.settings.knobs.get(rule.about_knob or "")
            return self._place(value) if value and value.is_set else self._place(None)
        return table.paths[row], None

    def _place(self, value: Value | None) -> tuple[str, int | None]:
        """album.toml as the album sees it, and the line; ("", None) when there is no file to point at."""
        if value is not None and value.place is not None:
            return self.opened.relative(value.place.file), value.place.line
        if value is None and self.opened.config.files:
            return self.opened.relative(self.opened.config.files[0]), None
        return "", None

    def _ignored(self, rule: Rule, path: str) -> str | None:
        for name in (rule.id, *rule.aliases):
            for matches, reason in self._ignores.get(name, ()):
                if matches is None or matches(path):
                    return reason
        return None


def _plain(rule: Rule, values: tuple[Any, ...]) -> dict[str, Any]:
    """Facts as JSON has them: a tuple is a list."""
    return {n: list(v) if isinstance(v, tuple) else v for n, v in zip(rule.needs, values, strict=True)}


def fingerprint(parts: Sequence[str]) -> str:
    """16 hex digits that stay the same while the fault does: of rule, album and path, never of position."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _noun(opened: OpenAlbum) -> str:
    if opened.album.has_pairs:
        return "pairs"
    return "clips" if opened.album.has_clips and opened.guessed_kind == "video" else "pictures"


def unreadable(display: str, name: str, error: AlbumkitError) -> AlbumResult:
    """The result of an album that could not even be opened, so that the others are still judged."""
    rule = find_rule("album/unreadable")
    result = AlbumResult(album=display, name=name, rules=[rule.id])
    result.findings.append(
        Finding(
            album=display,
            rule=rule.id,
            scope=rule.scope,
            severity=rule.severity,
            path="",
            paths=(),
            line=None,
            fact="album_problem",
            value=error.message,
            limit="",
            message=error.message,
            remedies=(Remedy(error.remedy),) if error.remedy else (),
            fix=None,
            fingerprint=fingerprint([rule.id, name]),
        )
    )
    return result
