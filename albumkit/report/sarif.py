"""SARIF 2.1.0 (OASIS), as GitHub code scanning and other viewers of static analysis read it.

One run for all albums: GitHub takes 20 runs of a file. Its other limits, from "SARIF support for code
scanning" and "SARIF results exceed limits" of docs.github.com, November 2026: 25,000 results a run (it keeps
5,000, worst first), 100 places a result, 1,024 characters of a description.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from albumkit import __version__
from albumkit.errors import UnknownName
from albumkit.lint import AlbumResult, Skipped
from albumkit.report.links import home_url, page_url
from albumkit.report.pages import rule_page
from albumkit.report.places import Place, Placed, album_file, placed
from albumkit.report.safe import visible
from albumkit.rule import find_rule

if TYPE_CHECKING:
    from albumkit.workflows import LintReport

MOST_RESULTS = 25_000
MOST_PLACES = 100
MOST_CHARACTERS = 1024
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "note": "note"}
#: GitHub's words for the severity of what is no security hole.
_PROBLEMS = {"error": "error", "warning": "warning", "note": "recommendation"}


def render(report: LintReport, strict: bool) -> list[str]:
    return [json.dumps(sarif_document(report, strict=strict), indent=2) + "\n"]


def sarif_document(report: LintReport, *, strict: bool = False) -> dict[str, Any]:
    """The report as a SARIF log. Ignored findings are suppressed results; what was not judged is a
    notification of the tool.
    """
    results = placed(report)
    skipped = [(album, skip) for album in report.albums for skip in album.skipped]
    rules = sorted({p.finding.rule for p in results} | {skip.rule for _, skip in skipped})
    index = {rule: number for number, rule in enumerate(rules)}
    notes = [_not_judged(album, skip, index) for album, skip in skipped]
    notes += [_note(text) for text in _left_out(report, len(results))]
    driver: dict[str, Any] = {"name": "albumkit", "semanticVersion": __version__}
    if home := home_url():
        driver["informationUri"] = home
    driver["rules"] = [_rule(rule) for rule in rules]
    any_ignored = any(p.finding.ignored is not None for p in results)
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "albumkit/lint/"},
        "originalUriBaseIds": {
            "%SRCROOT%": {"description": {"text": "The folder that albumkit was called in."}}
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": report.exit_code(strict),
                "toolExecutionNotifications": notes,
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [_result(p, index, any_ignored) for p in results[:MOST_RESULTS]],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str) -> dict[str, Any]:
    try:
        rule = find_rule(name)
    except UnknownName:  # a house rule of the albums' own repository
        return {"id": name}
    found: dict[str, Any] = {
        "id": rule.id,
        "name": rule.id,
        "shortDescription": {"text": _sentence(rule.title)},
        "fullDescription": {"text": _short(rule.why)},
        "help": {"text": rule.why, "markdown": rule_page(rule)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": [rule.id.partition("/")[0]],
            "problem.severity": _PROBLEMS[rule.severity],
        },
    }
    if url := page_url(rule.id):
        found["helpUri"] = url
    return found


def _result(one: Placed, index: dict[str, int], any_ignored: bool) -> dict[str, Any]:
    finding = one.finding
    remedies = [f"{r.do} ({r.gives})" if r.gives else r.do for r in finding.remedies]
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": _LEVELS[finding.severity],
        "message": {"text": _short(visible(one.text))},
        "locations": [_location(one.place)],
    }
    if one.others:
        result["relatedLocations"] = [
            {"id": number, **_location(place), "message": {"text": visible(place.member or place.file)}}
            for number, place in enumerate(one.others[:MOST_PLACES], 1)
        ]
    result["partialFingerprints"] = {"albumkitFinding/v1": one.fingerprint}
    if one.place.line is None:
        # What GitHub tells alerts apart by. Of a line of text it makes its own; a picture has none.
        result["partialFingerprints"]["primaryLocationLineHash"] = f"{one.fingerprint}:1"
    if any_ignored:  # a run says it of all its results or of none (SARIF 2.1.0, 3.27.23)
        result["suppressions"] = _suppressions(finding.ignored)
    result["properties"] = {
        "album": visible(one.album.album),
        "fact": finding.fact,
        "value": finding.value,
        "limit": finding.limit,
        "remedy": visible("; or ".join(remedies)),
    }
    return result


def _suppressions(reason: str | None) -> list[dict[str, str]]:
    if reason is None:
        return []
    return [{"kind": "external", "status": "accepted", "justification": visible(reason)}]


def _location(place: Place) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _artifact(place.file)}
    if place.line is not None:
        physical["region"] = {"startLine": place.line}
    location: dict[str, Any] = {"physicalLocation": physical}
    if place.member:
        location["logicalLocations"] = [
            {"fullyQualifiedName": visible(f"{place.file}!{place.member}"), "kind": "member"}
        ]
    return location


def _artifact(file: str) -> dict[str, str]:
    uri = quote(file, errors="surrogateescape")
    if file.startswith("/"):
        return {"uri": f"file://{uri}"}
    if file[1:3] == ":/":  # a drive of Windows
        return {"uri": f"file:///{file[:2]}{quote(file[2:], errors='surrogateescape')}"}
    return {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _not_judged(album: AlbumResult, skip: Skipped, index: dict[str, int]) -> dict[str, Any]:
    about = f"{skip.path}: " if skip.path else ""
    return {
        "level": "warning" if skip.severity == "error" else "note",
        "message": {"text": _short(visible(f"{about}not judged: {skip.reason}"))},
        "associatedRule": {"id": skip.rule, "index": index[skip.rule]},
        "locations": [_location(album_file(album, skip.path))],
    }


def _left_out(report: LintReport, results: int) -> Iterable[str]:
    if rules := sorted({rule for album in report.albums for rule in album.left_out}):
        yield f"--cost left out {_listed(rules)}"
    if results > MOST_RESULTS:
        yield f"{results - MOST_RESULTS} more findings are left out: code scanning takes {MOST_RESULTS}"


def _note(text: str) -> dict[str, Any]:
    return {"level": "note", "message": {"text": _short(text)}}


def _listed(words: Sequence[str], most: int = 20) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."
