"""What verify found: the answer in one sentence, then why, then what mends it. Of several files a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from albumkit.adapter import Adapter, Size
from albumkit.adapter.naming import architecture
from albumkit.adapter.predict import NEWEST, TITLES, Prediction
from albumkit.bases import all_bases
from albumkit.lint import Finding
from albumkit.report.blockmap import coverage, map_lines
from albumkit.report.text import file_size, many, remedy_lines, title_line, wrapped
from albumkit.report.verify_words import (
    STYLES,
    TROUBLE,
    answer,
    collapsed,
    conjoined,
    module_states,
    percent,
    reason,
    scale_words,
    word,
)

if TYPE_CHECKING:
    from albumkit.engine.effect import Effect
    from albumkit.verifying import Verified, VerifyReport

_LABEL = 12
_SEVERITIES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
_WIRING = {
    "comfy": "ComfyUI: the model must go through a Load LoRA node on its way to the sampler",
    "diffusers": "diffusers: pipe.load_lora_weights stands before the call of pipe",
    "fal": "fal: the file's address belongs into loras of an endpoint for this model",
}


def verify_lines(report: VerifyReport, width: int = 80, *, ascii_only: bool = False) -> list[Text]:
    """The whole report."""
    width = max(40, min(width, 100))
    if len(report.files) == 1:
        return _file_lines(report.files[0], width, ascii_only)
    from albumkit.report.verify_table import table_lines

    return table_lines(report.files, width)


def _file_lines(file: Verified, width: int, ascii_only: bool) -> list[Text]:
    """One file: first the answer, last what else it can be or what to do."""
    all_good = all(map(file.is_good, file.told))
    style = TROUBLE if file.fails else "bold green" if all_good else "bold yellow"
    lines = wrapped(answer(file), width, "", style=style)
    adapter = file.adapter
    if file.error is not None or adapter is None:
        return lines + do_lines(file.error.remedy, width, "  ") if file.error and file.error.remedy else lines
    lines += [Text(), *_identity(file, adapter, width)]
    shown = coverage(adapter, _signs(file))
    if shown is not None:
        lines += [Text(), *_row("coverage", f"{shown.covered} of {many(shown.total, 'layers')}", width)]
        lines += map_lines(shown, width, ascii_only)
    lines += [Text(), *_program_lines(file, width)]
    if file.effect is not None:
        lines += [Text(), *_effect_lines(file, file.effect, width)]
    if file.own_findings:
        lines += [Text(), *_finding_lines(file, adapter, width)]
    if not file.fails and adapter.size is not None:
        lines += [Text(), *_else_lines(file, adapter.size, width)]
    return lines


# What it is


def _identity(file: Verified, adapter: Adapter, width: int) -> list[Text]:
    scheme = adapter.scheme.title
    if adapter.scheme.written_by and adapter.scheme.written_by not in scheme:
        scheme += f", as written by {adapter.scheme.written_by}"
    size, other = adapter.size, adapter.other
    made_for = size.title if size else other.title if other else "a model that no table knows"
    if file.base is not None:
        made_for += f"; to be used with {file.base.title}"
    ranks = [str(rank) for rank in sorted(adapter.ranks)]
    facts = [
        adapter.kind.replace("lora", "LoRA").replace("dora", "DoRA").replace("lok", "LoK"),
        f"rank{'s' if len(ranks) > 1 else ''} {conjoined(ranks)}" if ranks else "",
        scale_words(adapter),
        many(len(adapter.modules), "modules"),
        *adapter.dtypes,
        file_size(adapter.header.size),
    ]
    lines = _row("scheme", scheme, width)
    lines += _row("made for", made_for, width)
    lines += _row("holds", ", ".join(fact for fact in facts if fact), width)
    if file.asked.by not in ("", "--for"):
        wanted = conjoined([TITLES[runtime] for runtime in file.asked.runtimes])
        lines += _row("asked for", f"{wanted}, by [use] of {file.asked.by}", width)
    return lines


def _signs(file: Verified) -> dict[str, str]:
    """Name of a module -> what is wrong with it, as the map draws that."""
    signs: dict[str, str] = {}
    for found in file.told:
        if found.result == "partial":
            signs |= {dropped.module: "dropped" for dropped in found.dropped}
    for name, state in module_states(file).items():
        signs[name] = "zero" if state == "zero-lora-b" else "broken"
    return signs


# What each program does


def _program_lines(file: Verified, width: int) -> list[Text]:
    """A line for a program that loads it; else the reason and what mends it, each once."""
    lines: list[Text] = []
    told: set[str] = set()
    for found in file.predictions:
        title, said, hang = f"{TITLES[found.runtime]:<{_LABEL}}", word(file, found), " " * _LABEL
        counts = found in file.told
        head = Text.assemble(title, (said, STYLES.get(said, TROUBLE) if counts else "dim"))
        why = reason(found)
        if not why:
            since = f", since {title.strip()} {found.since}" if found.since else ""
            lines.append(head.append(since, "dim"))
            continue
        if why in told or (not counts and file.asked.runtimes):
            lines.append(head)
            continue
        body = wrapped(f"{said}: {why}", width, hang)
        lines += [head.append(body[0].plain.strip().removeprefix(said)), *body[1:]]
        if found.result == "nothing" and file.adapter is not None:
            first = file.adapter.by_name[found.dropped[0].module]
            lines += wrapped(f"such as {first.stem}", width, hang, style="yellow") if not told else []
        if found.result == "partial":
            names = collapsed(dropped.module for dropped in found.dropped)
            lines += wrapped(f"dropped: {names}", width, hang, style="yellow")
        if found.remedy and counts and found.remedy not in told:
            lines += do_lines(found.remedy, width, hang)
        told |= {why, found.remedy}
    return lines


def _effect_lines(file: Verified, effect: Effect, width: int) -> list[Text]:
    """What a base that was really run did with it."""
    lines = _row("effect", f"in {effect.base}: {effect.pipeline} on {effect.device}, {effect.dtype}", width)
    hang = " " * _LABEL
    if effect.error:
        return lines + wrapped(effect.error, width, hang, style="red")
    style = "" if effect.ok else "red"
    lines += wrapped(f"{effect.received} of {effect.expected} layers received it", width, hang, style=style)
    words = f"its first prediction changes by {percent(effect)} (root mean square)"
    if effect.levels is not None:
        words += f", the picture by {effect.levels:.1f} of 255 levels on average"
    lines += wrapped(words, width, hang, style=style)
    lines += wrapped(f'asked for "{effect.prompt}", seed {effect.look.seed}', width, hang, style="dim")
    return lines + ([Text(f"{hang}wrote  {file.picture}")] if file.picture else [])


# What is wrong with the file itself


def _finding_lines(file: Verified, adapter: Adapter, width: int) -> list[Text]:
    """Findings by rule; of a rule about modules the first one's words, and the names of all."""
    lines: list[Text] = []
    groups: dict[str, list[Finding]] = {}
    for finding in file.own_findings:
        groups.setdefault(finding.rule, []).append(finding)
    for rule, group in groups.items():
        first, names = group[0], [finding.subject for finding in group if finding.subject]
        where = f"{len(names)} of {many(len(adapter.modules), 'modules')}" if names else first.severity
        title = title_line(rule, where, width)
        title.stylize(_SEVERITIES[first.severity], 2, 2 + len(rule))
        lines.append(title)
        if 1 < len(names) < len(adapter.modules):
            lines += wrapped(collapsed(names), width, " " * 6, style="cyan")
        same = len({finding.message.removeprefix(finding.subject) for finding in group}) == 1
        words = first.message.removeprefix(f"{first.subject}: ") if same and len(names) > 1 else first.message
        lines += wrapped(words, width, " " * 6)
        lines += remedy_lines(first, width)
    return lines


# What else it can be


def _else_lines(file: Verified, size: Size, width: int) -> list[Text]:
    """A file that loads is not why pictures stay as they are."""
    good = [found for found in file.told if file.is_good(found)]
    where = conjoined([TITLES[found.runtime] for found in good])
    heading = f"in {where} the file is not the problem; if nothing changes:"
    rows = [
        ("trigger", _trigger_words(file)),
        ("model", _model_words(size)),
        ("strength", "1.0 to begin with; 0 is off, and a LoRA of few steps may need more"),
        *(("node" if number == 0 else "", _WIRING[found.runtime]) for number, found in enumerate(good)),
    ]
    needed = [f"{TITLES[found.runtime]} {found.since} or newer" for found in good if found.since]
    if needed:
        rows.append(("version", f"{conjoined(needed)} (known up to {_newest(good)})"))
    lines = wrapped(heading, width, "", style="bold")
    for label, words in rows:
        lines += _row(label, words, width, indent="  ")
    return lines


def _trigger_words(file: Verified) -> str:
    if file.trigger:
        return f'the prompt needs "{file.trigger}" ({file.trigger_from} says so)'
    return "the file names none: the prompt needs the words that the captions had in common"


def _model_words(size: Size) -> str:
    distilled = ", base or distilled" if any(base.train_on == size.id for base in all_bases()) else ""
    twins = [other.title for other in architecture(size.architecture).sizes if other.id != size.id]
    wrong = f"; it does nothing in {' or '.join(twins)}" if twins and size.known else ""
    return f"it must be {size.title}{distilled}{wrong}"


def _newest(good: Sequence[Prediction]) -> str:
    return conjoined([f"{TITLES[one.runtime]} {NEWEST[one.runtime]}" for one in good if NEWEST[one.runtime]])


# Lines


def _row(label: str, words: str, width: int, indent: str = "") -> list[Text]:
    body = wrapped(words, width, indent + " " * _LABEL)
    return [Text.assemble((f"{indent}{label:<{_LABEL}}", "dim"), body[0].plain.strip()), *body[1:]]


def do_lines(remedy: str, width: int, indent: str) -> list[Text]:
    """What mends it. A command stays in one line, at the left if need be: it is there to be copied."""
    if remedy.startswith("albumkit "):
        indent = indent if len(indent) + 5 + len(remedy) <= width else indent[:2]
        return [Text.assemble(indent, ("do", "green"), f"   {remedy}")]
    body = wrapped(remedy, width, indent + " " * 5)
    return [Text.assemble(indent, ("do", "green"), "   ", body[0].plain.strip()), *body[1:]]
