"""JUnit XML as GitLab, Jenkins and GitHub's reporters read it: a suite an album, a test case a rule.

Errors fail (with ``--strict`` warnings, too); what could not be judged is skipped; everything else that lint
has to say of a rule is its output. There is no standard; the elements are those that GitLab documents ("Unit
test reports": it shows the content of ``failure`` and ``skipped``, not their attributes).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from albumkit import __version__
from albumkit.lint import AlbumResult, Finding, Skipped
from albumkit.report.places import album_file
from albumkit.report.safe import visible

if TYPE_CHECKING:
    from albumkit.workflows import LintReport


def render(report: LintReport, strict: bool) -> list[str]:
    """The document as text, with a line break at the end."""
    root = ET.Element("testsuites", name="albumkit lint")
    root.extend(_suite(album, strict) for album in report.albums)
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    root.set("time", f"{report.seconds:.3f}")
    ET.indent(root)
    return ['<?xml version="1.0" encoding="UTF-8"?>\n', ET.tostring(root, encoding="unicode"), "\n"]


def _suite(album: AlbumResult, strict: bool) -> ET.Element:
    findings: dict[str, list[Finding]] = defaultdict(list)
    skipped: dict[str, list[Skipped]] = defaultdict(list)
    for finding in album.findings:
        findings[finding.rule].append(finding)
    for skip in album.skipped:
        skipped[skip.rule].append(skip)
    suite = ET.Element("testsuite", name=visible(album.album))
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(album).items():
        ET.SubElement(properties, "property", name=name, value=visible(value))
    for rule in sorted({*album.rules, *album.left_out, *findings, *skipped}):
        case = ET.SubElement(
            suite,
            "testcase",
            classname=visible(album.album),
            name=rule,
            file=visible(album_file(album).file),
            time="0",
        )
        _outcome(case, findings[rule], skipped[rule], rule in album.left_out, strict)
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.set("time", "0")
    return suite


def _properties(album: AlbumResult) -> dict[str, str]:
    settings = album.settings
    found = {"albumkit": __version__, "examples": str(album.examples), "captions": str(album.captions)}
    if settings is not None:
        found |= {"kind": album.kind, "trainer": settings.trainer.id}
        found |= {"trigger": settings.trigger_phrase} if settings.trigger_phrase else {}
    return found


def _outcome(
    case: ET.Element, findings: Sequence[Finding], skipped: Sequence[Skipped], left_out: bool, strict: bool
) -> None:
    """What became of one rule: at most one of failure and skipped, and the rest as output."""
    failing = ("error", "warning") if strict else ("error",)
    faults = [f for f in findings if f.severity in failing and f.ignored is None]
    said = [_line(f) for f in findings if f not in faults]
    reasons = [f"{s.path}: {s.reason}" if s.path else s.reason for s in skipped]
    reasons += ["left out by --cost"] if left_out else []
    if faults:
        words = faults[0].message if len(faults) == 1 else f"{len(faults)} findings"
        failure = ET.SubElement(case, "failure", message=visible(words), type=faults[0].severity)
        failure.text = visible("\n".join([*map(_line, faults), *_remedies(faults[0])]))
        said += [f"not judged: {reason}" for reason in reasons]
    elif reasons:
        skip = ET.SubElement(case, "skipped", message=visible(reasons[0]))
        skip.text = visible("\n".join(reasons))
    if said:
        ET.SubElement(case, "system-out").text = visible("\n".join(said))


def _line(finding: Finding) -> str:
    line = f" line {finding.line}" if finding.line else ""
    place = f"{finding.path}{line}: " if finding.path else ""
    state = f" (ignored: {finding.ignored})" if finding.ignored is not None else ""
    return f"{finding.severity}: {place}{finding.message}{state}"


def _remedies(finding: Finding) -> list[str]:
    return [
        f"{'or' if n else 'do'} {r.do}" + (f" ({r.gives})" if r.gives else "")
        for n, r in enumerate(finding.remedies)
    ]
