"""GitHub Actions: annotations as workflow commands, and a Markdown table for the step summary.

GitHub shows ten errors, ten warnings and ten notices of a step (actions/toolkit, docs/problem-matchers.md)
and takes 1 MiB of summary ("Workflow commands", docs.github.com; more makes the upload fail). So findings
are grouped when there are more, and the table stops before its end.
"""

from __future__ import annotations

import html
import os
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit.errors import AlbumkitError
from albumkit.report.links import page_url
from albumkit.report.places import Placed, placed
from albumkit.report.safe import visible
from albumkit.rule import SEVERITIES

if TYPE_CHECKING:
    from albumkit.workflows import LintReport

#: Annotations of one severity that GitHub shows of a step.
MOST_ANNOTATIONS = 10
#: Bytes of the summary that is written: below the 1 MiB, since other commands of the step may add theirs.
MOST_SUMMARY = 900_000
_MOST_NAMES = 5
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
_SIGNS = {"error": ":x: error", "warning": ":warning: warning", "note": ":information_source: note"}
#: From finest to coarsest: what shares an annotation when there are too many.
_GROUPINGS: tuple[Callable[[Placed], Hashable], ...] = (
    lambda p: (p.album.album, p.fingerprint),
    lambda p: (p.album.album, p.finding.rule),
    lambda p: p.finding.rule,
)


def render(report: LintReport, strict: bool) -> list[str]:
    """Workflow commands, a line each, and a last line for the log."""
    found = [p for p in placed(report) if p.finding.ignored is None]
    lines: list[str] = []
    for severity in SEVERITIES:
        lines += _annotations([p for p in found if p.finding.severity == severity])
    return [f"{line}\n" for line in [*lines, _totals(report)]]


def write_summary(report: LintReport, environment: Mapping[str, str] | None = None) -> None:
    """Append the table to the file that ``GITHUB_STEP_SUMMARY`` names; nothing without it.

    Raises:
        AlbumkitError: the file cannot be written.
    """
    environment = os.environ if environment is None else environment
    if not (file := environment.get("GITHUB_STEP_SUMMARY")):
        return
    try:
        with Path(file).open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(summary(report))
    except OSError as error:
        raise AlbumkitError(f"GITHUB_STEP_SUMMARY: {file}: {error.strerror or error}.") from error


def summary(report: LintReport, most: int = MOST_SUMMARY) -> str:
    """The report as a Markdown table, a row an album and rule, of at most about ``most`` bytes."""
    groups = _grouped([p for p in placed(report) if p.finding.ignored is None], _GROUPINGS[1])
    parts = [f"## albumkit lint\n\n{_cell(_totals(report))}\n\n"]
    if groups:
        parts.append("| | album | rule | where | what |\n|---|---|---|---|---|\n")
    size = 0
    for number, group in enumerate(groups):
        row = _row(group)
        size += len(row.encode())
        if size > most:
            parts.append(f"\n{len(groups) - number} more rows do not fit into a step summary.\n")
            break
        parts.append(row)
    parts += _asides(report)
    return "".join(parts) + "\n"


def _annotations(found: Sequence[Placed]) -> Iterator[str]:
    groups: list[list[Placed]] = []
    for grouping in _GROUPINGS:
        groups = _grouped(found, grouping)
        if len(groups) <= MOST_ANNOTATIONS:
            break
    shown = groups if len(groups) <= MOST_ANNOTATIONS else groups[: MOST_ANNOTATIONS - 1]
    yield from map(_annotation, shown)
    if rest := groups[len(shown) :]:
        rules = ", ".join(group[0].finding.rule for group in rest)
        command = _COMMANDS[rest[0][0].finding.severity]
        yield f"::{command} title={_property(f'{len(rest)} more rules')}::{_data(rules)}"


def _annotation(group: Sequence[Placed]) -> str:
    first = group[0]
    text = [first.text]
    if len(group) > 1:
        text = [f"{len(group)} times: {_names(group)}", first.finding.message]
    for number, remedy in enumerate(first.finding.remedies):
        gives = f" ({remedy.gives})" if remedy.gives else ""
        text.append(f"{'or' if number else 'do'}: {remedy.do}{gives}")
    title = first.finding.rule
    where = f"file={_property(first.place.file)},line={first.place.line or 1},title={_property(title)}"
    return f"::{_COMMANDS[first.finding.severity]} {where}::{_data(chr(10).join(text))}"


def _grouped(found: Sequence[Placed], key: Callable[[Placed], Hashable]) -> list[list[Placed]]:
    groups: dict[Hashable, list[Placed]] = defaultdict(list)
    for one in found:
        groups[key(one)].append(one)
    return list(groups.values())


def _names(group: Sequence[Placed]) -> str:
    names = list(dict.fromkeys(p.place.member or p.place.file for p in group))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _data(text: str) -> str:
    """Escaped as the runner unescapes the text of a command (actions/toolkit, command.ts)."""
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escaped as the runner unescapes a property; a colon or comma would end it."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _totals(report: LintReport) -> str:
    counts = [(report.count(s), s) for s in SEVERITIES]
    found = ", ".join(f"{n} {s}{'' if n == 1 else 's'}" for n, s in counts if n or s != "note")
    examples = sum(album.examples for album in report.albums)
    albums = len(report.albums)
    return (
        f"{found} in {albums} album{'' if albums == 1 else 's'} of {examples} "
        f"example{'' if examples == 1 else 's'}"
    )


def _row(group: Sequence[Placed]) -> str:
    first = group[0]
    rule, url = _cell(first.finding.rule), page_url(first.finding.rule)
    what = _cell(first.finding.message)
    for number, remedy in enumerate(first.finding.remedies):
        what += f"<br>{'or' if number else 'do'}: {_cell(remedy.do)}"
    lines = {p.place.line for p in group}
    where = _cell(_names(group)) + (
        f" line {first.place.line}" if lines != {None} and len(lines) == 1 else ""
    )
    times = f" ({len(group)} times)" if len(group) > 1 else ""
    cells = (
        _SIGNS[first.finding.severity],
        _cell(first.album.album),
        f"[{rule}]({url})" if url else rule,
        where + times,
        what,
    )
    return "| " + " | ".join(cells) + " |\n"


def _asides(report: LintReport) -> Iterator[str]:
    ignored = sum(f.ignored is not None for album in report.albums for f in album.findings)
    skipped = sorted({(skip.rule, skip.reason) for album in report.albums for skip in album.skipped})
    if ignored:
        yield f"\n{ignored} ignored on purpose.\n"
    if skipped:
        yield f"\n<details><summary>{len(skipped)} not judged</summary>\n\n"
        yield from (f"- {_cell(rule)}: {_cell(reason)}\n" for rule, reason in skipped[:100])
        yield "\n</details>\n"


def _cell(text: str) -> str:
    """Text that means nothing to Markdown, on one line."""
    escaped = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", html.escape(visible(text), quote=False))
    return escaped.replace("\n", "<br>")
