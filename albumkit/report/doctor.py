"""What ``albumkit doctor`` shows: a line for each thing looked for, then the rules that cannot run."""

from __future__ import annotations

import dataclasses
from itertools import groupby
from typing import Any

from rich.text import Text

from albumkit import __version__
from albumkit.doctor import Check, Diagnosis
from albumkit.report.text import many, wrapped

_MARKS = {"there": ("ok", "green"), "missing": ("-", "dim"), "broken": ("!", "bold red")}
_HEADINGS = {
    "albumkit": "albumkit and what it stands on",
    "extras": "extras",
    "tools": "programs",
    "graphics": "graphics",
    "models": "models",
}


def doctor_lines(found: Diagnosis, width: int) -> list[Text]:
    """The diagnosis in lines of at most ``width`` columns."""
    width = max(40, min(width, 100))
    lines: list[Text] = []
    for group, checks in groupby(found.checks, key=lambda check: check.group):
        lines.append(Text(_HEADINGS[group], "bold"))
        for check in checks:
            lines += _check_lines(check, width)
        lines.append(Text())
    idle = {rule for reason in found.idle for rule in reason.rules}
    if not idle:
        return [*lines, Text(f"all {found.rules} rules can run here", "bold green")]
    lines.append(Text(f"{many(len(idle), 'rules')} of {found.rules} cannot run here", "bold yellow"))
    for reason in found.idle:
        lines += wrapped(f"{reason.reason}:", width, "  ")
        lines += wrapped("  ".join(reason.rules), width, "      ", style="cyan")
        lines.append(Text.assemble("      ", ("do", "green"), f"   {reason.remedy}"))
    return lines


def _check_lines(check: Check, width: int) -> list[Text]:
    mark, style = _MARKS[check.state]
    head = f"  {mark:<3} {check.name:<14} "
    body = wrapped(check.detail, width, " " * len(head))
    rest = body[0].plain.strip()
    if len(check.name) > 14:
        head = f"  {mark:<3} {check.name}  "
        body = wrapped(check.detail, width, " " * 21)
        rest = check.detail if len(head) + len(check.detail) <= width else body[0].plain.strip()
    lines = [Text.assemble(("  ", ""), (f"{mark:<3}", style), head[5:], (rest, "dim")), *body[1:]]
    if check.remedy:
        lines.append(Text.assemble("      ", ("do", "green"), f"   {check.remedy}"))
    return lines


def doctor_document(found: Diagnosis) -> dict[str, Any]:
    """albumkit-doctor/1. Keys may be added, never removed."""
    return {
        "schema": "albumkit-doctor/1",
        "version": __version__,
        "checks": [dataclasses.asdict(check) for check in found.checks],
        "rules": found.rules,
        "rules_not_run": [
            {"reason": one.reason, "rules": list(one.rules), "remedy": one.remedy} for one in found.idle
        ],
    }
