"""What mask did, or would do: for a person and for other programs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.text import Text

from albumkit.paths import quoted
from albumkit.report.fix import edit_lines, refusal_lines
from albumkit.report.text import many, next_lines, remedy_lines, wrapped
from albumkit.rule import Remedy

if TYPE_CHECKING:
    from albumkit.fix import Undone
    from albumkit.lint import Finding
    from albumkit.masking import Made, MaskReport

#: Pictures that are named for each reason why they have no mask; the rest is a count.
_MOST_NAMES = 6
#: Those that find what U-2-Net does not, the lighter first.
_OTHER_MODELS = ("isnet-general-use", "birefnet-general")


def mask_lines(report: MaskReport, width: int = 80, *, sheet: str = "") -> list[Text]:
    """What was made, what the rules say of it, what is left to the person, and what to do next.

    ``sheet``: the contact sheet that was drawn; "" without one.
    """
    width = max(40, min(width, 100))
    lines = [_headline(report), *_by(report, width)]
    told = [made for made in report.good if made.findings]
    if told:
        lines += [Text(), Text("look at these", "bold yellow")]
        for made in told:
            lines += _finding_lines(made, width)
    if report.refused:
        lines += [Text(), Text("not written: worse than no mask", "bold red")]
        for made in report.refused:
            lines += _finding_lines(made, width)
            lines += remedy_lines(_refusal(report, made), width)
    if report.failed:
        lines += [Text(), Text("no mask could be made", "bold red")]
        for failed in report.failed:
            lines += [Text(f"  {failed.job.media.path}"), *wrapped(f"{failed.reason}.", width, "      ")]
            lines += wrapped(f"do   {failed.remedy}", width, "      ") if failed.remedy else []
    lines += _kept_lines(report, width)
    lines += [Text(), Text(f"wrote  {sheet}")] if sheet else []
    return [*lines, Text(), *_next(report, bool(sheet))]


def _headline(report: MaskReport) -> Text:
    count, asked = len(report.good), len(report.plan.jobs)
    if not asked:
        words = "nothing to mask"
    else:
        verb = "would write" if report.dry else "wrote"
        words = (
            f"{verb} {many(count, 'masks')}"
            if count == asked
            else f"{verb} {count} of {many(asked, 'masks')}"
        )
    style = "bold red" if report.exit_code else "bold green"
    return Text.assemble((report.album, "bold"), "   ", (words, style))


def _by(report: MaskReport, width: int) -> list[Text]:
    lines: list[Text] = []
    if report.model:
        shaping = f", {report.shaping.words}" if report.shaping.words else ""
        lines += wrapped(f"by {report.model}{shaping}", width, "  ", "dim")
    for note in report.notes:
        lines += wrapped(note, width, "  ", "dim")
    if report.stopped:
        lines += [Text("  stopped before all pictures were masked", "bold yellow")]
    return lines


def _finding_lines(made: Made, width: int) -> list[Text]:
    lines = [Text(f"  {made.job.target}")]
    for finding in made.findings:
        known = f" (ignored: {finding.ignored})" if finding.ignored is not None else ""
        lines += wrapped(f"{finding.rule}: {finding.message}{known}", width, "      ")
    return lines


def _refusal(report: MaskReport, made: Made) -> Finding:
    """The finding that refuses a mask, with what mends it while there is no file yet."""
    other = next(model for model in _OTHER_MODELS if model != report.model)
    call = f"albumkit mask {quoted(report.album)} --files {quoted(made.job.media.path)} --model {other}"
    remedies = (
        Remedy(call, "lets another model look"),
        Remedy(f"draw {made.job.target}: white where the subject is, black elsewhere"),
    )
    worst = next(f for f in made.findings if f.severity == "error" and f.ignored is None)
    return replace(worst, remedies=remedies)


def _kept_lines(report: MaskReport, width: int) -> list[Text]:
    """The pictures that this call did not touch, by why."""
    plan = report.plan
    rows: list[tuple[str, list[str]]] = []
    if count := len(plan.yours):
        be, them, old = ("is", "it", "the old one") if count == 1 else ("are", "them", "the old ones")
        words = f"{be} yours: made or changed by hand (--overwrite makes {them} anew and keeps {old})"
        rows.append((f"{many(count, 'masks')} {words}", []))
    if count := len(plan.ours):
        be, them = ("was", "it") if count == 1 else ("were", "them")
        rows.append((f"{many(count, 'masks')} {be} made by an earlier call (--redo makes {them} anew)", []))
    for reason in dict.fromkeys(left.reason for left in plan.left):
        paths = [left.path for left in plan.left if left.reason == reason]
        rows.append((f"no mask for {len(paths)}: {reason}", paths))
    if not rows:
        return []
    lines = [Text(), Text("left as it is", "bold")]
    for words, paths in rows:
        lines += wrapped(words, width, "  ")
        more = [f"and {len(paths) - _MOST_NAMES} more"] if len(paths) > _MOST_NAMES else []
        shown = [path.replace(" ", "\0") for path in paths[:_MOST_NAMES]] + more
        lines += wrapped("  ".join(shown), width, "      ", "cyan") if shown else []
    return lines


def _next(report: MaskReport, drawn: bool) -> list[Text]:
    call = f"albumkit mask {quoted(report.album)}"
    rows: list[tuple[str, str]] = []
    if report.stopped:
        rows.append((call, "goes on from here"))
    elif report.dry and report.good:
        rows.append(("the same without --dry-run", "writes them; nothing is found anew"))
    if not drawn:
        rows.append((f"{call} --sheet masks.jpg", "draws all masks over their pictures"))
    if report.record:
        rows.append((f"{call} --undo", "takes them back"))
    return [*([Text("nothing was written", "bold")] if report.dry else []), *next_lines(rows)]


def undo_lines(album: str, done: Undone, width: int = 80) -> list[Text]:
    """What ``--undo`` took back, file by file."""
    width = max(40, min(width, 100))
    files = many(len(done.edits), "files")
    words = f"undone: {files}" if done.edits else "nothing undone"
    lines = [Text.assemble((album, "bold"), "   ", words)]
    for edit in done.edits:
        lines += edit_lines(edit)
    if done.refusals:
        lines += [Text(), Text("left as it is", "bold")]
        for refusal in done.refusals:
            lines += refusal_lines(refusal, width)
    if done.edits and done.left:
        lines += [
            Text(),
            *next_lines(
                [(f"albumkit mask {quoted(album)} --undo", f"takes the one before back ({done.left} left)")]
            ),
        ]
    return lines


def mask_document(report: MaskReport) -> dict[str, Any]:
    """albumkit-mask/1 of a call that made masks."""
    return {
        "schema": "albumkit-mask/1",
        "what": "mask",
        "album": report.album,
        "model": report.model or None,
        "shaping": report.shaping.words or None,
        "written": bool(report.record),
        "record": report.record or None,
        "stopped": report.stopped,
        "notes": list(report.notes),
        "masks": [_made_document(made) for made in report.made],
        "failed": [
            {"path": one.job.media.path, "reason": one.reason, "remedy": one.remedy or None}
            for one in report.failed
        ],
        "kept": {"ours": list(report.plan.ours), "yours": list(report.plan.yours)},
        "left": [
            {"path": left.path, "reason": left.reason, "fault": left.is_fault} for left in report.plan.left
        ],
    }


def _made_document(made: Made) -> dict[str, Any]:
    return {
        "path": made.job.media.path,
        "mask": made.job.target,
        "replaces": made.job.old.path if made.job.old else None,
        "refused": made.refused,
        "findings": [
            {"rule": f.rule, "severity": f.severity, "message": f.message, "ignored": f.ignored}
            for f in made.findings
        ],
    }


def undo_document(album: str, done: Undone) -> dict[str, Any]:
    """albumkit-mask/1 of ``--undo``."""
    return {
        "schema": "albumkit-mask/1",
        "what": "undo",
        "album": album,
        "written": bool(done.edits),
        "record": done.record.name if done.edits else None,
        "edits": [{"path": edit.path, "words": edit.words} for edit in done.edits],
        "refusals": [{"path": refusal.path, "reason": refusal.reason} for refusal in done.refusals],
    }
