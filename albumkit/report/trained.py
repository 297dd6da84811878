"""What came of a training, on one screen: does it load, what was it, is it good, how to use it, what next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from rich.text import Text

from albumkit.adapter.predict import TITLES
from albumkit.engine.base import POCKET
from albumkit.report.text import file_size, many, wrapped
from albumkit.report.train import duration, forecast_document, row

if TYPE_CHECKING:
    from albumkit.training import Trained


def end_lines(trained: Trained, width: int = 80) -> list[Text]:
    """Everything that a person needs now."""
    width = max(40, min(width, 100))
    size = file_size(trained.adapter.stat().st_size)
    lines = [Text(), Text.assemble((trained.adapter.as_posix(), "bold cyan"), f"   {size}")]
    for title, part in (
        ("does it load", _loads(trained, width)),
        ("what it was", _was(trained, width)),
        ("is it good", _good(trained, width)),
        ("how to use it", _use(trained, width)),
        ("if it is not what you want", _next(trained, width)),
    ):
        lines += [Text(title, "bold"), *part]
    if trained.prepared.base.id == POCKET:
        words = "A rehearsal: a LoRA for pocket works in nothing but albumkit."
        lines += wrapped(words, width, "", "yellow")
    return lines


def train_document(trained: Trained) -> dict[str, Any]:
    """albumkit-trained/1: where the file is and what was found out about it."""
    prepared = trained.prepared
    return {
        "schema": "albumkit-trained/1",
        "adapter": trained.adapter.as_posix(),
        "run": prepared.run.as_posix(),
        "loads": {one.runtime: one.result for one in trained.verified.files[0].predictions},
        "effect": {
            "ok": trained.effect.ok,
            "change": trained.effect.change,
            "error": trained.effect.error,
            "picture": trained.picture.as_posix() if trained.picture else None,
        },
        "times": {name: round(seconds, 2) for name, seconds in trained.times.items()},
        "peak_memory": trained.peak,
        "forecast": forecast_document(prepared),
    }


def _loads(trained: Trained, width: int) -> list[Text]:
    """On paper, then in fact."""
    file, effect, base = trained.verified.files[0], trained.effect, trained.prepared.base
    lines = []
    for one in file.told:
        if one.ok:
            words = f"{TITLES[one.runtime]} knows all its names and shapes"
            if base.id == POCKET and one.runtime != "diffusers":
                words += ", but has no pocket to load it into"
        else:
            words = f"{TITLES[one.runtime]}: {one.result}; albumkit verify {trained.adapter.as_posix()}"
        lines += _row("on paper", words, width, "green" if one.ok else "yellow")
    change = f"{effect.change * 100:.2g} %"
    if effect.ok:
        words = f"diffusers put it into {effect.received} layers, and predictions change by {change}"
        lines += _row("in fact", words, width, "green")
    else:
        arrived = f"{effect.received} of {effect.expected} layers received it, and change {change}"
        lines += _row("in fact", f"it does not work: {effect.error or arrived}", width, "red")
    if trained.picture is not None:
        lines += _row("", f"without and with it: {trained.picture.as_posix()}", width)
    return lines


def _was(trained: Trained, width: int) -> list[Text]:
    prepared, knobs, times = trained.prepared, trained.prepared.knobs, trained.times
    examples = f"{prepared.album.name}: {many(len(prepared.placed), 'examples')}"
    rates = f"lr x alpha / rank = {knobs.effective_rate:g}, seed {knobs.seed}"
    parts = f"target {knobs.target}, masks {'on' if knobs.masks else 'off'}"
    split = ", ".join(f"{duration(s)} {what}" for what, s in times.items() if what != "all" and s >= 0.5)
    rows = [
        ("album", f"{examples}, none dropped, each seen {prepared.passes:.4g} times"),
        ("base", f"{prepared.base.id}, {prepared.base.licence}"),
        ("knobs", f"{knobs.steps} steps, rank {knobs.rank}, {rates}, {parts}"),
        ("time", f"{duration(times['all'])}: {split}"),
    ]
    if trained.peak is not None:
        expected = file_size(prepared.forecast.memory)
        rows.append(("memory", f"{file_size(trained.peak)} at most, {expected} were forecast"))
    return [line for name, words in rows for line in row(name, words, width)]


def _good(trained: Trained, width: int) -> list[Text]:
    sheet = f"{trained.prepared.run.as_posix()}/sheet.png"
    words = f"The loss cannot say. Look at {sheet}: prompts across, steps down; step 0 is the base alone."
    return wrapped(words, width, "  ")


def _use(trained: Trained, width: int) -> list[Text]:
    """Step by step; what is to be copied stands on a line of its own, however long."""
    knobs, base = trained.prepared.knobs, trained.prepared.base
    prompt, file = knobs.prompts[0].text, trained.adapter.as_posix()
    here = ["albumkit", "generate", prompt, "--base", base.asked, "--adapter", file]
    steps: list[tuple[str, str]] = []
    if base.id != POCKET:
        for runtime in trained.prepared.runtimes or ("comfy",):
            steps += [(words, copied.replace("FILE", file)) for words, copied in _STEPS[runtime]]
        steps.append(("Ask for it:", prompt))
    steps.append(("Or here:" if steps else "Ask for it:", shlex.join(here)))
    lines = []
    for number, (words, copied) in enumerate(steps, 1):
        lines += wrapped(f"{number}  {words}", width, "  ")
        lines += [Text(f"     {copied}", "cyan")] if copied else []
    trigger = f"Without {knobs.trigger} in the prompt you get the plain model."
    words = trigger if knobs.trigger else "It has no trigger: it works on every prompt."
    return lines + wrapped(words, width, "  ")


#: Program -> what to do there, each with what is to be copied; FILE is the adapter.
_STEPS: dict[str, tuple[tuple[str, str], ...]] = {
    "comfy": (
        ("Copy the file into ComfyUI:", "FILE -> ComfyUI/models/loras"),
        ("Put the node Load LoRA behind Load Diffusion Model, and choose it; strength 1.", ""),
    ),
    "diffusers": (("Load it into the pipeline:", 'pipe.load_lora_weights("FILE")'),),
    "fal": (("Upload the file, and pass its address:", '"loras": [{"path": "URL", "scale": 1}]'),),
}


def _next(trained: Trained, width: int) -> list[Text]:
    knobs, run = trained.prepared.knobs, trained.prepared.run.as_posix()
    slower = f"--set learning_rate={knobs.learning_rate / 2:g}"
    signs = "hard contrast, mud, always the same picture"
    earlier = f"take an earlier file of {run}/checkpoints, or train again with {slower}"
    advice = [
        ("too fried", f"({signs}) {earlier}"),
        ("not yet", f"albumkit train --resume {run} --steps {knobs.steps * 3 // 2}"),
    ]
    return [line for name, words in advice for line in row(name, words, width)]


def _row(name: str, words: str, width: int, style: str = "") -> list[Text]:
    lines = row(name, words, width)
    for line in lines:
        line.stylize(style, 12)
    return lines
