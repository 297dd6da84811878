"""albumkit-lint/1: findings for other programs. Keys may be added, never removed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from albumkit import __version__
from albumkit.lint import AlbumResult, Finding

if TYPE_CHECKING:
    from albumkit.workflows import LintReport


def render(report: LintReport, strict: bool) -> list[str]:
    """The document as text, readable, in ASCII: safe for every stream."""
    return [json.dumps(lint_document(report), indent=2) + "\n"]


def lint_document(report: LintReport) -> dict[str, Any]:
    """The report as JSON values. Paths are POSIX, relative to their album, and ``album.zip!name`` in zips."""
    albums = report.albums
    return {
        "schema": "albumkit-lint/1",
        "version": __version__,
        "albums": [
            {
                "album": a.album,
                "trainer": a.settings.trainer.id if a.settings else None,
                "kind": a.kind or None,
                "summary": _summary([a]),
            }
            for a in albums
        ],
        "findings": [_finding(a, f) for a in albums for f in a.findings],
        "handled": [
            {"album": h.album, "rule": h.rule, "path": _shown(a, h.path)} for a in albums for h in a.handled
        ],
        "skipped": [
            {"album": s.album, "rule": s.rule, "path": _shown(a, s.path), "reason": s.reason}
            for a in albums
            for s in a.skipped
        ],
        "left_out": sorted({rule for a in albums for rule in a.left_out}),
        "unchanged": report.unchanged,
        "summary": _summary(albums),
    }


def _finding(album: AlbumResult, finding: Finding) -> dict[str, Any]:
    remedies = [f"{r.do} ({r.gives})" if r.gives else r.do for r in finding.remedies]
    return {
        "album": finding.album,
        "rule": finding.rule,
        "scope": finding.scope,
        "severity": finding.severity,
        "path": _shown(album, finding.path),
        "paths": [_shown(album, path) for path in finding.paths],
        "line": finding.line,
        "fact": finding.fact,
        "value": finding.value,
        "limit": finding.limit,
        "message": finding.message,
        "remedy": "; or ".join(remedies),
        "fix": dict(finding.fix) if finding.fix else None,
        "ignored": finding.ignored,
        "fingerprint": finding.fingerprint,
    }


def _shown(album: AlbumResult, path: str) -> str:
    if path and album.album.lower().endswith(".zip"):
        return f"{album.album.rpartition('/')[2]}!{path}"
    return path


def _summary(albums: list[AlbumResult]) -> dict[str, int]:
    findings = [f for a in albums for f in a.findings]
    return {
        **{s: sum(a.count(s) for a in albums) for s in ("error", "warning", "note")},
        "ignored": sum(f.ignored is not None for f in findings),
        "baselined": sum(a.baselined for a in albums),
        "skipped": sum(s.count for a in albums for s in a.skipped),
        "handled": sum(len(a.handled) for a in albums),
        "examples": sum(a.examples for a in albums),
        "rules": len({rule for a in albums for rule in a.rules}),
    }
