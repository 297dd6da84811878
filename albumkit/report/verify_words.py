"""What verify says of a file in a sentence, of a program in a clause and in a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from albumkit.adapter import Adapter
from albumkit.adapter.predict import TITLES, Prediction
from albumkit.report.text import many

if TYPE_CHECKING:
    from albumkit.engine.effect import Effect
    from albumkit.verifying import Verified

#: Styles of the words below; another word is trouble.
STYLES = {"fully": "bold green", "not known": "bold yellow"}
TROUBLE = "bold red"
_MOST_NAMES = 6


def answer(file: Verified) -> str:
    """What a person asks for, in one sentence."""
    if file.error is not None:
        return file.error.message
    if all(one.result == "unknown" for one in file.predictions):
        return f"{file.path}: whether it loads is not known: {file.predictions[0].why}."
    if file.effect is not None and not file.effect.ok:
        return f"{file.path} {effect_words(file.effect)}."
    good = conjoined([TITLES[one.runtime] for one in file.told if file.is_good(one)])
    bad = "; ".join(_clauses([one for one in file.told if not file.is_good(one)]))
    if not good:
        return f"{file.path}: {_other_base(file)}{bad}."
    if wrong := "; ".join(words for words in (trouble(file), bad) if words):
        return f"{file.path} loads fully in {good}, but {wrong}."
    if file.effect is not None:
        return f"{file.path} loads fully in {good}, and {effect_words(file.effect)}."
    return f"{file.path} loads fully in {good}, so the file is not the problem."


def _other_base(file: Verified) -> str:
    size = file.adapter.size if file.adapter else None
    if file.base is None or size is None or file.base == size:
        return ""
    return f"it is for {size.title}, not for {file.base.title}: "


def trouble(file: Verified) -> str:
    """What is wrong with the file itself, to go on a sentence with; "" for nothing."""
    errors = [finding for finding in file.own_findings if finding.severity == "error"]
    if not errors:
        return ""
    total = len(file.adapter.modules) if file.adapter else 0
    if file.health is not None and len(file.health.zero) == total:
        return f"it changes nothing: each of its {many(total, 'modules')} has a factor that is all zero"
    first = errors[0].message.rstrip(".")
    return first if len(errors) == 1 else f"{first} ({many(len(errors) - 1, 'findings')} more)"


def _clauses(bad: Sequence[Prediction]) -> list[str]:
    """What programs do that they should not, to go on a sentence with."""
    clauses = [_clause(found) for found in bad if found.result != "nothing"]
    silent = [TITLES[found.runtime] for found in bad if found.result == "nothing"]
    if silent:
        takes, uses = ("takes", "uses") if len(silent) == 1 else ("take", "use")
        clauses.insert(0, f"{conjoined(silent)} {takes} it without an error and {uses} nothing of it")
    return clauses


def _clause(found: Prediction) -> str:
    title = TITLES[found.runtime]
    if found.result == "unknown":
        return f"what {title} does with it is not known"
    if found.result == "error":
        return f"{title} refuses it ({found.error})"
    if found.result == "partial":
        lost = len(found.dropped)
        return f"{title} drops {lost} of its {many(found.total, 'modules')} without an error"
    return f"{title} loads it with other values than were meant ({found.faults[0].words})"


def word(file: Verified, found: Prediction) -> str:
    """The same in one word, for a row of a table."""
    if found.result == "full":
        return "fully" if file.is_good(found) else "wrongly"
    return {"partial": "partly", "unknown": "not known"}.get(found.result, found.result)


def reason(found: Prediction) -> str:
    """Why, in full; "" for a program that loads it as it was meant."""
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
    return f"all of it is loaded, but {faults}" if faults else ""


def remedy(file: Verified) -> str:
    """What mends a file, else what makes the first program load it that it is asked for; "" for nothing."""
    if file.error is not None:
        return file.error.remedy
    errors = [finding for finding in file.own_findings if finding.severity == "error"]
    if errors:
        return errors[0].remedies[0].do
    return next((found.remedy for found in file.told if found.remedy and not file.is_good(found)), "")


# What the file holds


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


def module_states(file: Verified) -> dict[str, str]:
    """Name of a module -> the last word of the first rule that it breaks."""
    states: dict[str, str] = {}
    for finding in file.own_findings:
        if finding.subject:
            states.setdefault(finding.subject, finding.rule.rpartition("/")[2])
    return states


# What it did


def percent(effect: Effect) -> str:
    """How much the adapter changes the prediction."""
    digits = 1 if effect.change >= 0.01 else 3
    return f"{effect.change * 100:.{digits}f} %"


def effect_words(effect: Effect) -> str:
    """What came of a trial, to go on a sentence with."""
    if effect.ok:
        return f"changes what {effect.base} predicts by {percent(effect)}"
    if effect.error:
        return f"cannot be loaded into {effect.base} ({effect.error})"
    if not effect.received:
        return f"was taken by {effect.base} without an error, and no layer received it"
    if effect.received < effect.expected:
        return f"reached {effect.received} of {effect.expected} layers of {effect.base}"
    return f"changes nothing in {effect.base}: with it and without, the prediction is the same"


# Names


def collapsed(names: Iterable[str]) -> str:
    """Names of modules, those that differ by the block alone as one: ``double_blocks.0-4.img_attn.qkv``."""
    blocks: dict[str, list[int]] = {}
    for name in names:
        number = re.search(r"(?<=blocks[._])\d+", name)
        template = name if number is None else f"{name[: number.start()]}\0{name[number.end() :]}"
        blocks.setdefault(template, []).extend([int(number[0])] if number else [])
    shown = [template.replace("\0", _ranges(numbers)) for template, numbers in blocks.items()]
    more = f" and {len(shown) - _MOST_NAMES} more" if len(shown) > _MOST_NAMES else ""
    return ", ".join(shown[:_MOST_NAMES]) + more


def _ranges(numbers: Sequence[int]) -> str:
    """``0-4,7``"""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)


def conjoined(names: Sequence[str]) -> str:
    """``a, b and c``; "" of none."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
