"""What caption did, would do, or found: for a person and for other programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from albumkit.paths import quoted
from albumkit.report.fix import edit_lines, refusal_lines
from albumkit.report.text import many, next_lines, wrapped

if TYPE_CHECKING:
    from albumkit.captioning import CaptionReport, CheckReport, Outcome, Overview, Reason, Wrote
    from albumkit.fix import Edit

#: Captions that are shown; the rest is a count.
_MOST_SHOWN = 40
_MOST_NAMES = 6
_WORDS = {"places": "places", "lights": "light", "framings": "framing"}


def caption_lines(report: CaptionReport, width: int = 80) -> list[Text]:
    """What was written, what is left to the person, and what all captions together say."""
    width = max(40, min(width, 100))
    lines = [_headline(report), *_by(report, width)]
    done = [one for one in report.outcomes if one.state == "captioned"]
    lines += _caption_lines(done)
    left = [one for one in report.outcomes if one.state in ("left", "failed")]
    if left:
        lines += [Text(), Text("left for you", "bold yellow")]
        for one in left:
            lines += _left_lines(one, width)
    if report.wrote.refusals:
        lines += [Text(), Text("left as it is", "bold")]
        for refusal in report.wrote.refusals:
            lines += refusal_lines(refusal, width)
    if report.not_kept:
        lines += [Text(), *wrapped(report.not_kept, width, "", "bold yellow")]
    if report.stopped:
        lines += [Text(), Text("stopped before all was asked", "bold red")]
        lines += wrapped(report.stopped.message, width, "  ")
        lines += wrapped(f"do   {report.stopped.remedy}", width, "  ") if report.stopped.remedy else []
    if report.overview is not None:
        lines += overview_lines(report.overview, width)
    return [*lines, Text(), *_next(report)]


def _headline(report: CaptionReport) -> Text:
    count = report.count("captioned")
    verb = "would caption" if report.dry else "captioned"
    if not report.outcomes:
        words = f"nothing to caption: {many(report.there, 'captions')} are there"
    else:
        words = f"{verb} {count} of {len(report.outcomes)}"
        words += f", {report.there} were there" if report.there else ""
    style = "bold green" if count == len(report.outcomes) else "bold yellow"
    return Text.assemble((report.album, "bold"), "   ", (words, style))


def _by(report: CaptionReport, width: int) -> list[Text]:
    if not report.captioner:
        return []
    words = f"by {report.captioner}, asked as {report.policy} says"
    return wrapped(words, width, "  ", "dim")


def _caption_lines(done: Sequence[Outcome]) -> list[Text]:
    lines: list[Text] = [Text()] if done else []
    for one in done[:_MOST_SHOWN]:
        lines.append(Text(f"  {one.path}"))
        if one.before and one.before != one.caption:
            lines.append(Text(f"    - {one.before}", "red"))
        lines.append(Text(f"    + {one.caption}", "green"))
    if len(done) > _MOST_SHOWN:
        lines.append(Text(f"  and {len(done) - _MOST_SHOWN} more: --sheet FILE shows them all", "dim"))
    return lines


def _left_lines(one: Outcome, width: int) -> list[Text]:
    asked = f"   asked {one.asked} times" if one.asked > 1 else ""
    lines = [Text.assemble(f"  {one.path}", (asked, "dim"))]
    if one.caption:
        lines.append(Text(f"    {one.caption}", "dim"))
    return lines + reason_lines(one.reasons, width)


def reason_lines(reasons: Iterable[Reason], width: int) -> list[Text]:
    """Each reason with the rule that it comes from."""
    lines: list[Text] = []
    for reason in reasons:
        lines += wrapped(f"{reason.rule}: {reason.words}", width, "      ")
    return lines


def overview_lines(overview: Overview, width: int) -> list[Text]:
    """What all captions together say, and what none of them does; nothing where there is none."""
    if not overview.captions:
        return []
    rows: list[tuple[str, str]] = []
    if overview.common and overview.fused:
        said = ", ".join(f'"{word}" in {count}' for word, count in overview.common)
        rows.append(("in nearly all", f"{said} of {overview.captions}: learned as a part of the trigger"))
    for kind, named in overview.named.items():
        said = ", ".join(f"{name} {count}" for name, count in list(named.counts.items())[:_MOST_NAMES])
        more = len(named.counts) - _MOST_NAMES
        said += f" and {more} more" if more > 0 else ""
        missing = f"; in none: {', '.join(named.missing)}" if named.missing else ""
        rows.append((_WORDS[kind], f"{said or 'none is named'}{missing}"))
    rows += [("", finding.message) for finding in overview.findings if finding.rule != "caption/fused-term"]
    if not rows:
        return []
    column = max(len(name) for name, _ in rows)
    lines = [Text(), Text(f"all {many(overview.captions, 'captions')} together", "bold")]
    for name, words in rows:
        body = wrapped(words, width, " " * (column + 5))
        first = body[0].plain.strip()
        lines += [Text.assemble(f"  {name.ljust(column)}   ", first), *body[1:]]
    return lines


def _next(report: CaptionReport) -> list[Text]:
    call = f"albumkit caption {quoted(report.album)}"
    rows: list[tuple[str, str]] = []
    if report.dry:
        rows.append(("the same without --dry-run", "writes them; nobody is asked again"))
    elif report.stopped or report.interrupted:
        rows.append((call, "goes on from here"))
    if report.wrote.record:
        rows.append((f"{call} --review", "shows them one by one"))
        rows.append((f"{call} --undo", "takes them back"))
    elif report.there and not report.outcomes:
        rows.append((f"{call} --check", "judges those that are there"))
    return [*([Text("nothing was written", "bold")] if report.dry else []), *next_lines(rows)]


def check_lines(report: CheckReport, width: int = 80) -> list[Text]:
    """The captions that would be refused, and why."""
    width = max(40, min(width, 100))
    missing = f", {report.missing} missing" if report.missing else ""
    count = len(report.found)
    words = f"{count} of {many(report.checked, 'captions')} to look at" if count else "nothing to say"
    words = f"{words}{missing}"
    lines = [Text.assemble((report.album, "bold"), "   ", (words, "bold yellow" if count else "bold green"))]
    for one in report.found:
        lines += [Text(), Text(f"  {one.path}"), Text(f"    {one.caption}", "dim")]
        lines += reason_lines(one.reasons, width)
    if report.overview is not None:
        lines += overview_lines(report.overview, width)
    call = f"albumkit caption {quoted(report.album)}"
    rows = [(f"{call} --review", "shows them one by one")] if count else []
    rows += [(call, "writes the missing ones")] if report.missing else []
    return [*lines, *([Text()] if rows else []), *next_lines(rows)]


def change_lines(what: str, album: str, wrote: Wrote, width: int = 80, *, again: str = "") -> list[Text]:
    """What ``--replace`` or ``--undo`` did, or would do, file by file.

    ``again``: the call that writes what this one only shows; "" where it was written.
    """
    width = max(40, min(width, 100))
    files = many(len({edit.path for edit in wrote.edits}), "files")
    words = f"would change {files}" if again else f"{what}: {files}"
    lines = [Text.assemble((album, "bold"), "   ", words if wrote.edits else f"nothing {what}")]
    for edit in wrote.edits:
        lines += edit_lines(edit)
    if wrote.refusals:
        lines += [Text(), Text("left as it is", "bold")]
        for refusal in wrote.refusals:
            lines += refusal_lines(refusal, width)
    if wrote.edits and again:
        return [*lines, Text(), Text("nothing was written", "bold"), *next_lines([(again, "writes it")])]
    if wrote.record and what != "undone":
        call = f"albumkit caption {quoted(album)} --undo"
        return [*lines, Text(), *next_lines([(call, "takes it back")])]
    return lines


def caption_document(report: CaptionReport) -> dict[str, Any]:
    """albumkit-caption/1 of a call that wrote captions."""
    return {
        "schema": "albumkit-caption/1",
        "what": "caption",
        "album": report.album,
        "kind": report.kind,
        "policy": report.policy,
        "captioner": report.captioner or None,
        "written": bool(report.wrote.record),
        "record": report.wrote.record or None,
        "there": report.there,
        "seconds": round(report.seconds, 3),
        "interrupted": report.interrupted,
        "stopped": report.stopped.message if report.stopped else None,
        "captions": [_outcome_document(one) for one in report.outcomes],
        "refusals": _refusals(report.wrote),
        "together": _overview_document(report.overview),
    }


def _outcome_document(one: Outcome) -> dict[str, Any]:
    return {
        "path": one.path,
        "state": one.state,
        "caption": one.caption or None,
        "before": one.before or None,
        "answer": one.answer or None,
        "asked": one.asked,
        "reasons": _reasons(one.reasons),
    }


def check_document(report: CheckReport) -> dict[str, Any]:
    """albumkit-caption/1 of ``--check``."""
    return {
        "schema": "albumkit-caption/1",
        "what": "check",
        "album": report.album,
        "kind": report.kind,
        "checked": report.checked,
        "missing": report.missing,
        "captions": [
            {"path": one.path, "caption": one.caption, "reasons": _reasons(one.reasons)}
            for one in report.found
        ],
        "together": _overview_document(report.overview),
    }


def change_document(what: str, album: str, wrote: Wrote) -> dict[str, Any]:
    """albumkit-caption/1 of ``--replace`` and ``--undo``."""
    return {
        "schema": "albumkit-caption/1",
        "what": what,
        "album": album,
        "written": bool(wrote.record),
        "record": wrote.record or None,
        "edits": [_edit_document(edit) for edit in wrote.edits],
        "refusals": _refusals(wrote),
    }


def _edit_document(edit: Edit) -> dict[str, Any]:
    return {
        "path": edit.path,
        "words": edit.words,
        "before": list(edit.before),
        "after": list(edit.after),
    }


def _refusals(wrote: Wrote) -> list[dict[str, str]]:
    return [{"path": one.path, "reason": one.reason} for one in wrote.refusals]


def _reasons(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    return [{"rule": reason.rule, "words": reason.words} for reason in reasons]


def _overview_document(overview: Overview | None) -> dict[str, Any] | None:
    if overview is None:
        return None
    named: Mapping[str, Any] = {
        kind: {"counts": dict(one.counts), "missing": list(one.missing)}
        for kind, one in overview.named.items()
    }
    return {
        "captions": overview.captions,
        "common": [{"word": word, "captions": count} for word, count in overview.common],
        "fused": overview.fused,
        "named": named,
        "findings": [{"rule": one.rule, "message": one.message} for one in overview.findings],
    }
