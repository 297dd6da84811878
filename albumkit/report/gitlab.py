"""GitLab's Code Quality report (docs.gitlab.com, "Code Quality report format"): a list of issues.

Ignored findings are left out: a merge request shows every entry as a fault.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from albumkit.report.places import Placed, placed
from albumkit.report.safe import visible

if TYPE_CHECKING:
    from albumkit.workflows import LintReport

#: GitLab knows info, minor, major, critical and blocker.
_SEVERITIES = {"error": "major", "warning": "minor", "note": "info"}


def render(report: LintReport, strict: bool) -> list[str]:
    return [json.dumps(gitlab_issues(report), indent=2) + "\n"]


def gitlab_issues(report: LintReport) -> list[dict[str, Any]]:
    """One issue a finding. Paths are relative to the working folder, which must be the repository's top."""
    return [_issue(one) for one in placed(report) if one.finding.ignored is None]


def _issue(one: Placed) -> dict[str, Any]:
    text = f"{one.place.member}: {one.finding.message}" if one.place.member else one.text
    return {
        "description": visible(text),
        "check_name": one.finding.rule,
        "fingerprint": one.fingerprint,
        "severity": _SEVERITIES[one.finding.severity],
        "location": {"path": visible(one.place.file), "lines": {"begin": one.place.line or 1}},
    }
