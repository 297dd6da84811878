"""What ``caption --look`` saw: for a person and for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from albumkit.paths import quoted
from albumkit.report.text import many, next_lines, wrapped

if TYPE_CHECKING:
    from albumkit.captioning.look import LookReport, Seen

_MOST_NAMES = 6


def look_lines(report: LookReport, width: int = 80) -> list[Text]:
    """Said because always there, there and never said, said and not there: what of these was found."""
    width = max(40, min(width, 100))
    count = many(len(report.terms), "words")
    what = f"looked at {many(report.pictures, 'pictures')} for {count}"
    lines = [
        Text.assemble((report.album, "bold"), f"   {what}"),
        *wrapped(f"by {report.captioner}", width, "  "),
    ]
    fused = [one for one in report.terms if one.always_said and one.always_there]
    unsaid = [one for one in report.terms if one.always_there and not one.said]
    wrong = [one for one in report.terms if one.said_not_there]
    lines += _part(
        "always said, because always there: only pictures without it can teach otherwise", fused, width
    )
    lines += _part("never said, though always there: it becomes a part of the trigger", unsaid, width)
    if wrong:
        lines += [Text(), Text("said, but not seen there", "bold yellow")]
        for one in wrong:
            lines += wrapped(f"{one.term}: {_names(one.said_not_there)}", width, "  ")
    if report.failed:
        lines += [Text(), Text("not looked at", "bold yellow")]
        for reason in report.failed.values():
            lines += wrapped(reason, width, "  ")
    if not (fused or unsaid or wrong):
        lines += [Text(), Text("captions and pictures agree", "bold green")]
        return lines
    call = f"albumkit caption {quoted(report.album)} --review --all"
    return [*lines, Text(), *next_lines([(call, "shows them one by one")])]


def _part(heading: str, found: Sequence[Seen], width: int) -> list[Text]:
    if not found:
        return []
    rows = ", ".join(f"{one.term} in {len(one.there)} of {len(one.asked)}" for one in found)
    return [Text(), Text(heading, "bold yellow"), *wrapped(rows, width, "  ")]


def _names(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _MOST_NAMES} more" if len(paths) > _MOST_NAMES else ""
    return ", ".join(paths[:_MOST_NAMES]) + more


def look_document(report: LookReport) -> dict[str, Any]:
    """albumkit-caption/1 of ``--look``."""
    return {
        "schema": "albumkit-caption/1",
        "what": "look",
        "album": report.album,
        "captioner": report.captioner,
        "pictures": report.pictures,
        "terms": [
            {
                "term": one.term,
                "asked": len(one.asked),
                "said": sorted(one.said),
                "there": sorted(one.there),
                "always_said": one.always_said,
                "always_there": one.always_there,
            }
            for one in report.terms
        ],
        "failed": report.failed,
    }
