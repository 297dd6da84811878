"""What a person reads: findings by severity, then rule, with their files and what to do.

Every function returns rich Text lines of at most ``width`` columns, so that the same words appear with and
without colour, on a terminal and in a file.
"""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from albumkit.lint import AlbumResult, Finding, Skipped
from albumkit.paths import quoted
from albumkit.report.safe import visible
from albumkit.trainer import LOCAL

if TYPE_CHECKING:
    from albumkit.workflows import LintReport

_HEADINGS = {
    "error": ("errors: the trainer would refuse this, or you would pay for nothing", "bold red"),
    "warning": ("warnings: it would train, and you would see it in the result", "bold yellow"),
    "note": ("notes: nothing to do, but good to know", "bold cyan"),
}
_RUNTIMES = {"comfy": "ComfyUI", "fal": "fal", "diffusers": "diffusers"}
#: A rule names at most so many files; the rest is a count.
_MOST_NAMES = 6


def plain(report: LintReport, strict: bool, *, verbose: bool = False, by: str = "rule") -> list[str]:
    """The report as a file holds it: 80 columns, no colour."""
    return [f"{visible(line.plain)}\n" for line in lint_lines(report, verbose=verbose, by=by)]


def lint_lines(report: LintReport, *, width: int = 80, verbose: bool = False, by: str = "rule") -> list[Text]:
    """The whole report. Of several albums, those without anything to say get one line each.

    ``by``: "rule" or "file", what findings are grouped by.
    """
    width = max(40, min(width, 100))
    if not report.albums and report.unchanged:
        return [Text(f"nothing has changed in {many(report.unchanged, 'albums')}")]
    if not report.albums:
        return [Text("no album here: git holds no picture, clip or album.toml below this folder")]
    lines: list[Text] = []
    quiet = [a for a in report.albums if len(report.albums) > 1 and not _speaks(a, verbose)]
    for album in report.albums:
        if album not in quiet:
            lines += [*_album_lines(album, width, verbose, by), Text()]
    if quiet:
        lines += [*_quiet_lines(quiet, width), Text()]
    return lines + _totals(report, width)


def _speaks(album: AlbumResult, verbose: bool) -> bool:
    shown = [f for f in album.findings if f.ignored is None and (verbose or f.severity != "note")]
    return bool(shown) or verbose


def _album_lines(album: AlbumResult, width: int, verbose: bool, by: str) -> list[Text]:
    if by == "file":
        from albumkit.report.text_by_file import file_lines

        body = file_lines(album, width, verbose)
    else:
        body = _rule_lines(album, width, verbose)
    lines = [*_header(album, width), *body]
    tail = [
        *_handled_lines(album, width, verbose),
        *_ignored_lines(album, width),
        *_baseline_lines(album, width),
        *_skipped_lines(album, width),
    ]
    return [*lines, Text(), *tail] if tail else lines


def _rule_lines(album: AlbumResult, width: int, verbose: bool) -> list[Text]:
    lines: list[Text] = []
    for severity, (heading, style) in _HEADINGS.items():
        groups = _by_rule(f for f in album.findings if f.severity == severity and f.ignored is None)
        if groups:
            lines += [Text(), Text(heading, style)]
        for group in groups:
            lines += _group_lines(album, group, width, verbose)
    return lines


def _header(album: AlbumResult, width: int) -> list[Text]:
    settings = album.settings
    if settings is None:
        return [Text(album.album, "bold")]
    facts = [settings.kind, many(album.examples, album.noun), many(album.captions, "captions")]
    trigger = settings.trigger_phrase
    facts.append(
        f'trigger "{trigger}"' if trigger else "no trigger" if trigger == "" else "trigger not given"
    )
    first = Text.assemble((album.album, "bold"), "   ", ", ".join(facts))
    place = f"({album.config_file or 'no album.toml'})"
    if len(first) + len(place) + 2 <= width:
        first.append(" " * (width - len(first) - len(place)) + place, "dim")
    indent = " " * min(len(album.album) + 3, 6)
    judged = f"judged for {settings.trainer.id}"
    if settings.trainer_origin.startswith("default"):
        judged += f" ({settings.trainer_origin})"
    if settings.runtimes:
        judged += ", to be used in " + " and ".join(_RUNTIMES[r] for r in settings.runtimes)
    return [first, *wrapped(judged, width, indent)]


def _by_rule(findings: Iterable[Finding]) -> list[list[Finding]]:
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.rule].append(finding)
    return list(groups.values())


def _group_lines(album: AlbumResult, group: Sequence[Finding], width: int, verbose: bool) -> list[Text]:
    first = group[0]
    lines = [title_line(first.rule, _where(album, group, width - len(first.rule) - 4), width)]
    most = len(group) if verbose else _MOST_NAMES
    if len({f.message for f in group}) == 1:
        if first.path and first.scope in ("example", "clip", "caption", "pair", "mask"):
            lines += _names(group, most, width)
        lines += wrapped(_sentence(first.message), width, "      ")
    else:
        lines += _each(group, most, width)
    lines += remedy_lines(first, width)
    return lines


def _where(album: AlbumResult, group: Sequence[Finding], room: int) -> str:
    """How many of the album, or the place in a file (without the album where ``room`` is short)."""
    first = group[0]
    if first.scope in ("knob", "settings"):
        if len(group) > 1 or not first.path:
            return ""
        line = f" line {first.line}" if first.line else ""
        place = f"{album.album}/{first.path}{line}".replace("//", "/")
        return place if len(place) <= room else first.path + line
    if first.scope == "album":
        return ""
    total = album.examples
    return f"{len(group)} of {many(total, album.noun)}" if len(group) <= total else many(len(group), "files")


def title_line(rule: str, where: str, width: int) -> Text:
    """A rule, and at the right end how much of what it concerns."""
    gap = width - 2 - len(rule) - len(where)
    line = Text.assemble("  ", (rule, "bold"))
    if where and gap >= 2:
        line.append(" " * gap + where, "dim")
    elif where:
        line.append("  " + where, "dim")
    return line


def _names(group: Sequence[Finding], most: int, width: int) -> list[Text]:
    names = [f.path for f in group]
    stems = [_stem(name) for name in names]
    if group[0].scope == "caption" and len(set(stems)) == len(stems):
        names = stems
    shown = names[:most]
    if len(names) > most:
        shown = [*shown, f"and {len(names) - most} more"]
    return wrapped("  ".join(name.replace(" ", "\0") for name in shown), width, "      ", style="cyan")


def _each(group: Sequence[Finding], most: int, width: int) -> list[Text]:
    """Findings of one rule whose words differ: a line each, the names in a column."""
    in_file = group[0].scope in ("knob", "settings")
    labels = [f"line {f.line}" if in_file and f.line else "" if in_file else f.path for f in group[:most]]
    column = min(max(map(len, labels)), 28)
    lines: list[Text] = []
    for finding, label in zip(group, labels, strict=False):
        hang = " " * (6 + column + 2)
        body = wrapped(_sentence(finding.message), width, hang)
        if len(label) > column:
            lines += [Text.assemble("      ", (label, "cyan")), *body]
        else:
            head = Text.assemble("      ", (label.ljust(column), "cyan"), "  ", body[0].plain.strip())
            lines += [head, *body[1:]]
    if len(group) > most:
        lines.append(Text(f"      and {len(group) - most} more", "cyan"))
    return lines


def remedy_lines(finding: Finding, width: int, indent: str = " " * 6) -> list[Text]:
    """What mends it: ``do`` and what that gives, ``or`` for each further way."""
    lines: list[Text] = []
    hang = indent + " " * 5
    for number, remedy in enumerate(finding.remedies):
        word = "or" if number else "do"
        one = f"{remedy.do}   {remedy.gives}" if remedy.gives else remedy.do
        if len(one) + len(hang) <= width:
            lines.append(Text.assemble(indent, (word, "green"), f"   {one}"))
            continue
        body = wrapped(remedy.do, width, hang)
        lines.append(Text.assemble(indent, (word, "green"), "   ", body[0].plain.strip()))
        lines += body[1:]
        if remedy.gives:
            lines += wrapped(remedy.gives, width, hang, style="dim")
    return lines


def _handled_lines(album: AlbumResult, width: int, verbose: bool) -> list[Text]:
    if not album.handled:
        return []
    counts = Counter(h.words for h in album.handled)
    words = ", ".join(f"{n} {what}" for what, n in counts.most_common())
    hint = "" if verbose else " (-v names the files)"
    lines = [Text.assemble(("pack does these by itself, nothing to do", "bold"), hint)]
    if not verbose:
        return lines + wrapped(words, width, "  ")
    for what, count in counts.most_common():
        lines.append(Text(f"  {count} {what}"))
        paths = [h.path for h in album.handled if h.words == what]
        lines += wrapped("  ".join(p.replace(" ", "\0") for p in paths), width, "      ", style="cyan")
    return lines


def _ignored_lines(album: AlbumResult, width: int) -> list[Text]:
    counts = Counter((f.rule, f.ignored or "") for f in album.findings if f.ignored is not None)
    return [
        line
        for (rule, reason), count in sorted(counts.items())
        for line in counted("ignored", count, f"{rule}: {reason}", width)
    ]


def _baseline_lines(album: AlbumResult, width: int) -> list[Text]:
    lines: list[Text] = []
    if album.baselined:
        lines += counted("known", album.baselined, "findings of the baseline (see --no-baseline)", width)
    if album.mended:
        words = "findings of the baseline are gone; albumkit lint --add-baseline forgets them"
        lines += counted("mended", album.mended, words, width)
    return lines


def _skipped_lines(album: AlbumResult, width: int) -> list[Text]:
    by_reason: dict[str, list[Skipped]] = defaultdict(list)
    for skip in album.skipped:
        by_reason[skip.reason].append(skip)
    lines: list[Text] = []
    for reason, skips in by_reason.items():
        rules = sorted({s.rule for s in skips})
        named = ", ".join(rules) if len(rules) <= 3 else f"{len(rules)} rules"
        files = {s.path for s in skips if s.path}
        on_files = f" on {many(len(files), 'files')}" if files else ""
        lines += counted("not judged", len(rules), f"{named}{on_files}: {reason}", width)
    return lines


def counted(label: str, count: int, words: str, width: int) -> list[Text]:
    head = f"{label:<10}{count:>3}   "
    body = wrapped(words, width, " " * len(head))
    return [Text.assemble((head, "dim"), body[0].plain.strip()), *body[1:]]


def _quiet_lines(albums: Sequence[AlbumResult], width: int) -> list[Text]:
    lines = [Text("nothing to mend in", "bold green")]
    for album in albums:
        kind = album.settings.kind if album.settings else ""
        what = f"{kind}, {many(album.examples, album.noun)}"
        gap = width - 2 - len(album.album) - len(what)
        lines.append(Text.assemble(f"  {album.album}", " " * max(2, gap), (what, "dim")))
    return lines


def _totals(report: LintReport, width: int) -> list[Text]:
    counts = {severity: report.count(severity) for severity in _HEADINGS}
    parts = [many(counts["error"], "errors"), many(counts["warning"], "warnings")]
    if counts["note"]:
        parts.append(many(counts["note"], "notes"))
    if skipped := sum(len({s.rule for s in a.skipped}) for a in report.albums):
        parts.append(f"{skipped} not judged")
    left_out = {rule for a in report.albums for rule in a.left_out}
    if left_out:
        parts.append(f"{len(left_out)} left out by --cost")
    rules = {rule for a in report.albums for rule in a.rules}
    examples = sum(a.examples for a in report.albums)
    noun = report.albums[0].noun if len({a.noun for a in report.albums}) == 1 else "examples"
    right = [many(examples, noun), many(len(rules), "rules"), f"{report.seconds:.1f} s"]
    if len(report.albums) > 1:
        right.insert(0, many(len(report.albums), "albums"))
    if report.unchanged:
        right.insert(0, f"{many(report.unchanged, 'albums')} unchanged")
    left, end = ", ".join(parts), ", ".join(right)
    style = "bold red" if counts["error"] else "bold yellow" if counts["warning"] else "bold green"
    gap = width - len(left) - len(end)
    if gap < 2:
        return [Text(left, style), Text(end, "dim"), *_next(report, width)]
    return [Text.assemble((left, style), " " * gap, (end, "dim")), *_next(report, width)]


def _next(report: LintReport, width: int) -> list[Text]:
    """The commands that make sense now."""
    worst = next((f for s in _HEADINGS for a in report.albums for f in a.findings if f.severity == s), None)
    commands = []
    if worst is not None:
        commands.append(f"albumkit explain {worst.rule}")
    if len(report.albums) == 1:
        album = report.albums[0]
        if not album.config_file and album.examples and not album.album.endswith(".zip"):
            commands.append(f"albumkit init {quoted(album.album)}")
        if not report.count("error"):
            command = f"albumkit {_use(report)} {quoted(album.album)}"
            if album.settings and album.settings.trainer_origin == "command line":
                command += f" --trainer {album.settings.trainer.id}"
            commands.append(command)
    elif report.albums and not report.count("error"):
        commands.append(f"albumkit {_use(report)} ALBUM")
    line = "  |  ".join(commands)
    rows = [line] if len(line) + 7 <= width else commands
    return [
        Text.assemble(("next   " if number == 0 else " " * 7, "green"), row)
        for number, row in enumerate(rows)
        if commands
    ]


def _use(report: LintReport) -> str:
    """What good albums are for: trained here, or packed for a hosted trainer."""
    here = all(album.settings is not None and album.settings.trainer.id == LOCAL for album in report.albums)
    return "train" if here else "pack"


def next_lines(rows: Sequence[tuple[str, str]]) -> list[Text]:
    """The commands that make sense now, each with what it does."""
    column = max((len(command) for command, _ in rows), default=0)
    return [
        Text.assemble(
            ("next   " if number == 0 else " " * 7, "green"), row.ljust(column), "   ", (words, "dim")
        )
        for number, (row, words) in enumerate(rows)
    ]


def wrapped(text: str, width: int, indent: str, style: str = "") -> list[Text]:
    """Lines of at most ``width`` columns; a NUL stands for a blank that must not break."""
    rows = textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return [Text(row.replace("\0", " "), style) for row in rows or [indent]]


def many(count: int, noun: str) -> str:
    return f"{count} {noun[:-1] if count == 1 and noun.endswith('s') else noun}"


def file_size(count: int) -> str:
    if count >= 1_000_000_000:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def _stem(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name


def _sentence(message: str) -> str:
    return message
