"""``lint --by file``: what is wrong with each file, for a person who mends them one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.text import Text

from albumkit.lint import AlbumResult, Finding
from albumkit.report.text import remedy_lines, wrapped
from albumkit.rule import Remedy

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
#: Columns of the severity, with a blank behind it.
_LABEL = 9


def file_lines(album: AlbumResult, width: int, verbose: bool) -> list[Text]:
    """An album's findings that nobody ignored, file by file; first those of the whole album, then of its
    settings by line. The same remedies are told only once; ``verbose``: each time.
    """
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in album.findings:
        if finding.ignored is None:
            groups[finding.path].append(finding)
    lines: list[Text] = []
    told: set[tuple[str, tuple[Remedy, ...]]] = set()
    for path in sorted(groups, key=lambda path: (_about(groups[path]), path)):
        lines += [Text(), Text(path or "the whole album", "bold cyan")]
        for finding in sorted(groups[path], key=lambda f: f.line or 0):
            key = (finding.rule, finding.remedies)
            lines += _finding_lines(finding, width, with_remedy=verbose or key not in told)
            told.add(key)
    return lines


def _about(group: Sequence[Finding]) -> int:
    """0: the album, 1: its settings, 2: one of its files."""
    if not group[0].path:
        return 0
    return 1 if group[0].scope in ("knob", "settings") else 2


def _finding_lines(finding: Finding, width: int, *, with_remedy: bool) -> list[Text]:
    line = f"  line {finding.line}" if finding.line else ""
    label = Text.assemble("  ", (f"{finding.severity:<{_LABEL}}", _STYLES[finding.severity]), finding.rule)
    label.append(line, "dim")
    body = wrapped(finding.message, width, " " * (2 + _LABEL))
    return [label, *body, *(remedy_lines(finding, width, " " * (2 + _LABEL)) if with_remedy else [])]
