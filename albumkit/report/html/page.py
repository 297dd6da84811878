"""The frame of the contact sheet: head, totals, filters, list of albums."""

from __future__ import annotations

import base64
import hashlib
import string
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit import __version__
from albumkit.report.html.album import counts
from albumkit.report.html.words import many, text
from albumkit.rule import SEVERITIES

if TYPE_CHECKING:
    from albumkit.workflows import LintReport

#: Where the template is cut in two: the albums go between.
_CUT = "<!-- albums -->"


def page_start(report: LintReport, strict: bool, command: str) -> str:
    """Everything before the first album."""
    style, script = _file("style.css"), _file("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The browser enforces what the page promises: no request, and no script but the one below.
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return string.Template(_template().partition(_CUT)[0]).substitute(
        policy=policy,
        style=style,
        command=text(command),
        # Captions name what a mask would darken: place and light. There a person asks for masks.
        unmasked="" if command == "lint" else ' class="unmasked"',
        checked=" checked" if command == "lint" else "",
        title=text(_title(report)),
        totals=_totals(report),
        about=text(" \u00b7 ".join(_about(report, strict, command))),
        rules="".join(f'<option value="{text(rule)}">{text(rule)}</option>' for rule in _rules(report)),
        index=_index(report),
    )


def page_end(report: LintReport) -> str:
    """Everything behind the last album."""
    left_out = sorted({rule for album in report.albums for rule in album.left_out})
    words = f"--cost left out {', '.join(left_out)}." if left_out else ""
    script = _file("script.js")
    return string.Template(_template().partition(_CUT)[2]).substitute(
        left_out=text(words), version=text(__version__), script=script
    )


def _title(report: LintReport) -> str:
    if len(report.albums) == 1:
        return report.albums[0].album
    return many(len(report.albums), "albums")


def _totals(report: LintReport) -> str:
    """The faults that nobody ignored, by severity."""
    found = [(severity, report.count(severity)) for severity in SEVERITIES]
    parts = [f'<span class="{s}">{many(n, f"{s}s")}</span>' for s, n in found if n]
    return ", ".join(parts) or '<span class="clean">nothing to mend</span>'


def _about(report: LintReport, strict: bool, command: str) -> list[str]:
    """What was judged, and whether lint fails (exit code 1)."""
    examples = Counter[str]()
    for album in report.albums:
        examples[album.noun] += album.examples
    rules = {rule for album in report.albums for rule in album.rules}
    parts = [many(len(report.albums), "albums"), *(many(n, noun) for noun, n in examples.items())]
    parts.append(many(len(rules), "rules"))
    if command == "lint":
        parts.append("lint fails" if report.exit_code(strict) else "lint passes")
    return parts


def _rules(report: LintReport) -> list[str]:
    return sorted({finding.rule for album in report.albums for finding in album.findings})


def _index(report: LintReport) -> str:
    if len(report.albums) < 2:
        return ""
    rows = "".join(
        f'<li><a href="#a{number}"><bdi>{text(album.album)}</bdi></a> <span class="share">'
        f"{many(album.examples, album.noun)}</span> {counts(album)}</li>"
        for number, album in enumerate(report.albums)
    )
    return f'<nav aria-label="Albums"><h2>Albums</h2><ol class="index">{rows}</ol></nav>'


def _template() -> str:
    return _file("template.html")


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
