"""What verify found: the answer in one sentence, then why, then what mends it. Of several files a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from albumkit.adapter import Adapter, Size
from albumkit.adapter.naming import architecture
from albumkit.adapter.predict import NEWEST, TITLES, Prediction
from albumkit.bases import all_bases
from albumkit.report.blockmap import coverage, map_lines
from albumkit.report.text import many, wrapped

if TYPE_CHECKING:
    from albumkit.engine.effect import Effect
    from albumkit.verifying import Verified, VerifyReport

_LABEL = 12
STYLES = {"fully": "bold green", "not known": "bold yellow"}
_MOST_NAMES = 6


def verify_lines(report: VerifyReport, width: int = 80, *, ascii_only: bool = False) -> list[Text]:
    """The whole report."""
    width = max(40, min(width, 100))
    if len(report.files) == 1:
        return file_lines(report.files[0], width, ascii_only)
    from albumkit.report.verify_table import table_lines

    return table_lines(report.files, width)


def file_lines(file: Verified, width: int, ascii_only: bool = False) -> list[Text]:
    """One file: first the answer, last what else it can be or what to do."""
    lines = wrapped(answer(file), width, "", style=_answer_style(file))
    if file.error is not None:
        return lines + do_lines(file.error.remedy, width, "  ") if file.error.remedy else lines
    adapter = file.adapter
    assert adapter is not None
    lines += [Text(), *_identity(file, adapter, width)]
    shown = coverage(adapter, states_of(file))
    if shown is not None:
        lines += [Text(), _row("coverage", f"{shown.covered} of {many(shown.total, 'layers')}")]
        lines += map_lines(shown, width, ascii_only)
    lines.append(Text())
    remedies_told: set[str] = set()
    for prediction in file.predictions:
        lines += _prediction_lines(file, prediction, width, again=prediction.remedy in remedies_told)
        remedies_told.add(prediction.remedy)
    if file.effect is not None:
        lines += [Text(), *_effect_lines(file, file.effect, width)]
    if not file.fails:
        lines += [Text(), *_else_lines(file, adapter, width)]
    return lines


def _answer_style(file: Verified) -> str:
    if file.fails:
        return "bold red"
    return "bold green" if all(found.ok for found in told(file)) else "bold yellow"


def told(file: Verified) -> list[Prediction]:
    """The predictions that count: of the programs that were asked for, else of all that are known."""
    if file.asked.runtimes:
        return [found for found in file.predictions if file.is_asked(found)]
    return [found for found in file.predictions if found.result != "unknown"]


# The answer


def answer(file: Verified) -> str:
    """What a person asks for, in one sentence."""
    if file.error is not None:
        return file.error.message
    if all(one.result == "unknown" for one in file.predictions):
        return f"{file.path}: whether it loads is not known: {file.predictions[0].why}."
    if file.effect is not None and not file.effect.ok:
        return f"{file.path} {_no_effect(file.effect)}."
    good = [TITLES[one.runtime] for one in told(file) if one.ok]
    bad = [clause(one) for one in told(file) if not one.ok]
    for_what = ""
    if file.wrong_base and file.adapter and file.adapter.size and file.base:
        for_what = f"it is for {file.adapter.size.title}, not for {file.base.title}: "
    if not bad:
        problem = "" if file.fails else ", so the file is not the problem"
        if file.effect is not None:
            problem = f", and changes what {file.effect.base} predicts by {percent(file.effect)}"
        return f"{file.path} loads fully in {conjoined(good)}{problem}."
    if not good:
        return f"{file.path}: {for_what}{'; '.join(bad)}."
    return f"{file.path} loads fully in {conjoined(good)}, but {'; '.join(bad)}."


def clause(found: Prediction) -> str:
    """What one program does that it should not, to go on a sentence with."""
    title = TITLES[found.runtime]
    if found.result == "unknown":
        return f"what {title} does with it is not known"
    if found.result == "error":
        return f"{title} refuses it ({found.error})"
    if found.result == "nothing":
        return f"{title} takes it without an error and uses nothing of it"
    if found.result == "partial":
        lost = len(found.dropped)
        return f"{title} drops {lost} of its {many(found.total, 'modules')} without an error"
    return f"{title} loads it with other values than were meant ({found.faults[0].words})"


def word(found: Prediction) -> str:
    """The same in one word, for a row of a table."""
    if found.result == "full":
        return "fully" if found.ok else "wrongly"
    return {"partial": "partly", "unknown": "not known"}.get(found.result, found.result)


# What it is


def _identity(file: Verified, adapter: Adapter, width: int) -> list[Text]:
    scheme = adapter.scheme.title
    if adapter.scheme.written_by and adapter.scheme.written_by not in scheme:
        scheme += f", as written by {adapter.scheme.written_by}"
    size = adapter.size
    made_for = size.title if size else adapter.other.title if adapter.other else "a model that no table knows"
    fitting = [other.title for other in adapter.candidates if other != size]
    if fitting:
        made_for += f", or {' or '.join(fitting)}: its few modules fit them all"
    if file.base is not None:
        made_for += f"; to be used with {file.base.title}"
    megabytes = f"{adapter.header.size / 1e6:,.1f} MB"
    kind = adapter.kind.replace("lora", "LoRA").replace("dora", "DoRA").replace("lok", "LoK")
    facts = [kind, _ranks(adapter), scale_words(adapter), many(len(adapter.modules), "modules")]
    rows = [
        ("scheme", scheme),
        ("made for", made_for),
        ("holds", ", ".join([*(fact for fact in facts if fact), *adapter.dtypes, megabytes])),
    ]
    if file.asked.by not in ("", "--for"):
        wanted = conjoined([TITLES[runtime] for runtime in file.asked.runtimes])
        rows.append(("asked for", f"{wanted}, by [use] of {file.asked.by}"))
    if adapter.leftovers:
        rows.append(
            ("left over", f"{many(len(adapter.leftovers), 'keys')} of no layer: {_some(adapter.leftovers)}")
        )
    return [line for label, words in rows for line in _rows(label, words, width)]


def _ranks(adapter: Adapter) -> str:
    ranks = sorted(adapter.ranks)
    if not ranks:
        return ""
    return f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {conjoined([str(rank) for rank in ranks])}"


def scale_words(adapter: Adapter) -> str:
    """The effective scale, and where it comes from."""
    scales = sorted({round(adapter.scale(module), 6) for module in adapter.modules})
    shown = f"{scales[0]:g}" if len(scales) == 1 else f"{scales[0]:g} to {scales[-1]:g}"
    alphas = sorted({module.alpha for module in adapter.modules if module.alpha is not None})
    if adapter.peft is not None and not alphas:
        return f"alpha {adapter.peft.alpha:g} in the header, so scale {shown}"
    if not alphas:
        return f"no alpha, so scale {shown}"
    named = f"alpha {alphas[0]:g}" if len(alphas) == 1 else f"alpha {alphas[0]:g} to {alphas[-1]:g}"
    return f"{named}, so scale {shown}"


def states_of(file: Verified) -> dict[str, str]:
    """Name of a module -> what is wrong with it, for the map."""
    states: dict[str, str] = {}
    for found in file.predictions:
        if found.result == "partial" and found in told(file):
            states |= {dropped.module: "dropped" for dropped in found.dropped}
    for health in file.health.modules if file.health else ():
        if health.nonfinite or health.constant:
            states[health.module.name] = "broken"
        elif health.up_is_zero:
            states[health.module.name] = "zero"
    return states


# What each program does


def _prediction_lines(file: Verified, found: Prediction, width: int, *, again: bool) -> list[Text]:
    """A line for a program that loads it or that nobody asked for; else the reason and what mends it.

    ``again``: the same remedy stands above.
    """
    title = TITLES[found.runtime]
    matters = found in told(file)
    style = STYLES.get(word(found), "bold red") if matters else "dim"
    line = Text.assemble(f"{title:<{_LABEL}}", (word(found), style))
    if found.ok:
        since = f", since {title} {found.since}" if found.since else ""
        return [line.append(since, "dim")]
    if not matters and file.asked.runtimes:
        return [line]
    hang = " " * _LABEL
    body = wrapped(f"{word(found)}: {_why(found)}", width, hang)
    body[0] = Text.assemble(
        f"{title:<{_LABEL}}", (word(found), style), body[0].plain.strip()[len(word(found)) :]
    )
    if found.result == "partial":
        names = _collapsed(dropped.module for dropped in found.dropped)
        body += wrapped(f"dropped: {names}", width, hang, style="yellow")
    if found.remedy and matters and not again:
        body += do_lines(found.remedy, width, hang)
    return body


def _why(found: Prediction) -> str:
    total = many(found.total, "modules")
    if found.result == "unknown":
        return found.why
    if found.result == "error":
        return f"{found.error}: {found.why}"
    if found.result == "nothing":
        return f"none of its {total} has an effect, and no error says so: {found.why}"
    if found.result == "partial":
        return f"{len(found.loaded)} of its {total} have an effect, and no error says so: {found.why}"
    faults = "; ".join(f"{fault.words} ({many(len(fault.modules), 'modules')})" for fault in found.faults)
    return f"all of it is loaded, but {faults}"


def percent(effect: Effect) -> str:
    """How much it changes the prediction."""
    return (
        f"{effect.change:.3%}".replace("%", " %")
        if effect.change < 0.01
        else f"{effect.change:.1%}".replace("%", " %")
    )


def _no_effect(effect: Effect) -> str:
    """What went wrong with a trial, to go on a sentence with."""
    if effect.error:
        return f"cannot be loaded into {effect.base} ({effect.error})"
    if not effect.received:
        return f"was taken by {effect.base} without an error, and no layer received it"
    if effect.received < effect.expected:
        return f"reached {effect.received} of {effect.expected} layers of {effect.base}"
    return f"changes nothing in {effect.base}: with it and without, the prediction is the same"


def _effect_lines(file: Verified, effect: Effect, width: int) -> list[Text]:
    """What a base that was really run did with it."""
    lines = _rows("effect", f"in {effect.base}: {effect.pipeline} on {effect.device}, {effect.dtype}", width)
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


def _else_lines(file: Verified, adapter: Adapter, width: int) -> list[Text]:
    """A file that loads is not why pictures stay as they are: what else it can be."""
    size = adapter.size
    assert size is not None
    asked = [one for one in told(file) if one.ok]
    rows = [("trigger", _trigger_words(file))]
    rows.append(("model", _model_words(size)))
    rows.append(("strength", "1.0 to begin with; 0 is off, and a LoRA of few steps may need more"))
    rows += [("node", _WIRING[one.runtime]) for one in asked]
    needed = [f"{TITLES[one.runtime]} {one.since} or newer" for one in asked if one.since]
    if needed:
        rows.append(("version", f"{conjoined(needed)} (known up to {_newest(asked)})"))
    where = conjoined([TITLES[one.runtime] for one in asked])
    heading = f"in {where} the file is not the problem; if pictures stay as they are, look at"
    lines = wrapped(heading, width, "", style="bold")
    last = ""
    for label, words in rows:
        lines += _rows("" if label == last else label, words, width, indent="  ")
        last = label
    return lines


_WIRING = {
    "comfy": "ComfyUI: the model must go through a Load LoRA node on its way to the sampler",
    "diffusers": "diffusers: pipe.load_lora_weights stands before the call of pipe",
    "fal": "fal: the file's address belongs into loras of an endpoint for this model",
}


def _model_words(size: Size) -> str:
    distilled = ", base or distilled" if any(base.train_on == size.id for base in all_bases()) else ""
    twins = [other.title for other in architecture(size.architecture).sizes if other.id != size.id]
    wrong = f"; it does nothing in {' or '.join(twins)}" if twins and size.known else ""
    return f"it must be {size.title}{distilled}{wrong}"


def _trigger_words(file: Verified) -> str:
    if file.trigger:
        return f'the prompt needs "{file.trigger}" ({file.trigger_from} says so)'
    return "the file names none: the prompt needs the words that the captions had in common"


def _newest(asked: Sequence[Prediction]) -> str:
    return conjoined([f"{TITLES[one.runtime]} {NEWEST[one.runtime]}" for one in asked if NEWEST[one.runtime]])


def remedies(file: Verified) -> list[str]:
    """What mends a file for the programs that it is asked for."""
    if file.error is not None:
        return [f"{file.error.remedy} ({file.path})"] if file.error.remedy else []
    return [found.remedy for found in told(file) if found.remedy and not found.ok]


# Words


def _collapsed(names: Iterable[str]) -> str:
    """Names of modules, those that differ by the block alone as one: ``double_blocks.0-4.img_attn.qkv``."""
    blocks: dict[str, list[int]] = {}
    for name in names:
        number = re.search(r"(?<=blocks[._])\d+", name)
        template = name if number is None else f"{name[: number.start()]}\0{name[number.end() :]}"
        blocks.setdefault(template, []).extend([int(number[0])] if number else [])
    shown = [template.replace("\0", _ranges(numbers)) for template, numbers in blocks.items()]
    return _some(shown)


def _ranges(numbers: Sequence[int]) -> str:
    """``0-4,7``"""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def conjoined(names: Sequence[str]) -> str:
    """``a, b and c``"""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _row(label: str, words: str) -> Text:
    return Text.assemble((f"{label:<{_LABEL}}", "dim"), words)


def _rows(label: str, words: str, width: int, indent: str = "") -> list[Text]:
    body = wrapped(words, width, indent + " " * _LABEL)
    return [Text.assemble((f"{indent}{label:<{_LABEL}}", "dim"), body[0].plain.strip()), *body[1:]]


def do_lines(remedy: str, width: int, indent: str) -> list[Text]:
    """What mends it."""
    body = wrapped(remedy, width, indent + " " * 5)
    return [Text.assemble(indent, ("do", "green"), "   ", body[0].plain.strip()), *body[1:]]
