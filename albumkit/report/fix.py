"""What fix would do, did, or took back: for a person and for other programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from albumkit.fix import FIXES, Edit, Refusal, safety_of
from albumkit.paths import quoted
from albumkit.report.text import many, next_lines, wrapped

if TYPE_CHECKING:
    from albumkit.fixing import AlbumFix, FixReport


def fix_lines(report: FixReport, width: int = 80) -> list[Text]:
    """Each album that there is something to say about, then what to do next."""
    width = max(40, min(width, 100))
    lines: list[Text] = []
    quiet = 0
    for album in report.albums:
        alone = len(report.albums) == 1 and album.handled
        if album.edits or album.refusals or album.error or alone:
            lines += [*_album_lines(report, album, width), Text()]
        else:
            quiet += 1
    if not lines and not report.albums:
        return [Text("no album here")]
    if quiet:
        nothing = (
            "nothing to fix" if len(report.albums) == 1 else f"nothing to fix in {many(quiet, 'albums')}"
        )
        lines.append(Text(nothing, "bold green"))
    return lines + _next(report)


def _album_lines(report: FixReport, album: AlbumFix, width: int) -> list[Text]:
    if album.error is not None:
        lines = [Text.assemble((album.album, "bold"), "   ", ("not changed", "bold red"))]
        lines += wrapped(album.error.message, width, "  ")
        return lines + wrapped(f"do   {album.error.remedy}", width, "  ") if album.error.remedy else lines
    chosen = [edit for edit in album.edits if report.chosen(edit)]
    others = [edit for edit in album.edits if not report.chosen(edit)]
    lines = [Text.assemble((album.album, "bold"), "   ", _headline(report, album, chosen))]
    lines += _edit_lines(report, chosen)
    if others:
        lines += [Text(), Text("unsafe: look at each of these before you let them be done", "bold yellow")]
        lines += _edit_lines(report, others)
    if album.refusals:
        lines += [Text(), Text("left as it is", "bold")]
        for refusal in album.refusals:
            lines += refusal_lines(refusal, width)
    if album.handled:
        counts = ", ".join(f"{count} {fix}" for fix, count in album.handled.items())
        lines += [Text(), Text("pack does these by itself; --select does them in your own files", "bold")]
        lines += wrapped(counts, width, "  ")
    return lines


def _headline(report: FixReport, album: AlbumFix, chosen: Sequence[Edit]) -> str:
    files = many(len({edit.path for edit in chosen}), "files")
    if report.what == "undo":
        return f"undone: {files}" if album.edits else "nothing undone"
    if not chosen:
        nothing = "nothing that can be fixed" if album.refusals else "nothing to fix"
        return "nothing safe to do" if album.edits else nothing
    if report.what == "set":
        return f"{'changed' if report.written else 'would change'} {files}"
    fixes = many(len({edit.fix for edit in chosen}), "fixes")
    fixes = "1 fix" if fixes.startswith("1 ") else fixes
    return f"{'did' if report.written else 'would do'} {fixes} in {files}"


def _edit_lines(report: FixReport, edits: Iterable[Edit]) -> list[Text]:
    lines: list[Text] = []
    fix = ""
    for edit in edits:
        if edit.fix != fix:
            fix = edit.fix
            if report.what == "fix":
                lines += [Text(), Text.assemble((fix, "bold cyan"), "   ", (FIXES[fix].words, "dim"))]
        lines += edit_lines(edit)
    return lines


def edit_lines(edit: Edit) -> list[Text]:
    """One file, what happens to it, and the lines of a text that change."""
    lines = [Text.assemble("  ", edit.path, " " if edit.words.startswith("->") else "   ", edit.words)]
    lines += [Text(f"    - {line}", "red") for line in edit.before]
    return lines + [Text(f"    + {line}", "green") for line in edit.after]


def refusal_lines(refusal: Refusal, width: int) -> list[Text]:
    """A fault that stays, and why."""
    label = f"  {refusal.path}" if refusal.path else "  -"
    named = f"{refusal.fix}: " if refusal.fix in FIXES else ""
    return [Text(label), *wrapped(f"{named}{refusal.reason}", width, "      ")]


def _next(report: FixReport) -> list[Text]:
    """The commands that make sense now."""
    places = [quoted(album.album) for album in report.albums if album.edits]
    if not places:
        return []
    where = places[0] if len(report.albums) == 1 else "PATH"
    call = f"albumkit fix {where}"
    edits = [edit for album in report.albums for edit in album.edits]
    if report.what == "undo":
        left = sum(album.left for album in report.albums)
        rows = [(f"{call} --undo", f"takes the fix before back ({left} left)")] if left else []
    elif report.written:
        rows = [(f"{call} --undo", "takes it back")]
    elif report.what == "set":
        rows = [("the same with --apply", "writes it")]
    else:
        safe = sum(safety_of(edit) == "safe" for edit in edits)
        unsafe = len(edits) - safe
        rows = [(f"{call} --apply", f"does {'the safe ones' if unsafe else 'it'}")] if safe else []
        rows += [(f"{call} --apply --unsafe", "does all of it")] if unsafe else []
    head = [] if report.written else [Text("nothing was written", "bold")]
    return head + next_lines(rows)


def fix_document(report: FixReport) -> dict[str, Any]:
    """albumkit-fix/1: every edit and every refusal of every album."""
    return {
        "schema": "albumkit-fix/1",
        "what": report.what,
        "written": report.written,
        "albums": [
            {
                "album": album.album,
                "record": album.record or None,
                "error": album.error.message if album.error else None,
                "left_to_pack": dict(album.handled),
                "edits": [_edit_document(report, edit) for edit in album.edits],
                "refusals": [
                    {"fix": refusal.fix, "path": refusal.path, "reason": refusal.reason}
                    for refusal in album.refusals
                ],
            }
            for album in report.albums
        ],
    }


def _edit_document(report: FixReport, edit: Edit) -> dict[str, Any]:
    return {
        "fix": edit.fix,
        "safety": "safe" if report.what == "undo" else safety_of(edit),
        "path": edit.path,
        "words": edit.words,
        "before": list(edit.before),
        "after": list(edit.after),
    }
