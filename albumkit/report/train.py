"""What train is going to do, and what came of it, one screen each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from albumkit.adapter.predict import TITLES
from albumkit.report.text import file_size, many, wrapped

if TYPE_CHECKING:
    from albumkit.training import Prepared, Trained

_LABEL = 12


def plan_lines(prepared: Prepared, width: int = 80) -> list[Text]:
    """The effective quantities, before the first step."""
    width = max(40, min(width, 100))
    knobs, found, base = prepared.knobs, prepared.forecast, prepared.base
    lines = [Text.assemble((prepared.album.as_posix(), "bold"), "   training ", (base.title, "bold"))]
    modules = ", ".join(f"{count} in {kind} blocks" for kind, count in found.modules.items())
    masks = f", {prepared.masked} with a mask" if knobs.masks else ""
    sizes = sorted({str(one.bucket) for one in prepared.placed})
    factors = f"{knobs.learning_rate:g} x {knobs.alpha:g} / {knobs.rank}"
    rate = f"lr x alpha / rank = {factors} = {knobs.effective_rate:g}"
    batch = f", {knobs.examples_per_step} examples a step" if knobs.examples_per_step > 1 else ""
    rows = [
        ("album", f"{many(len(prepared.placed), 'examples')}{masks}, none left out; {', '.join(sizes)}"),
        ("steps", f"{knobs.steps}{batch}: each example is seen {prepared.passes:.4g} times"),
        ("rate", f"{rate}, {knobs.lr_schedule}"),
        ("adapter", f"rank {knobs.rank} on {modules}: {found.trainable:,} numbers learn"),
        ("noise", knobs.timestep_sampling),
        ("licence", f"{base.id}: {base.licence}"),
        ("memory", _memory(prepared)),
        ("time", f"about {_duration(found.step_seconds * knobs.steps)}, by the speed of this machine"),
        ("disk", f"about {file_size(found.disk)} in {prepared.run.as_posix()}"),
    ]
    for name, words in rows:
        lines += _row(name, words, width)
    if prepared.since:
        lines += _row("goes on", f"from step {prepared.since}", width)
    cropped = [one for one in prepared.placed if one.lost >= 0.005 or one.scale > 1]
    if cropped:
        lines.append(Text("how examples are cropped", "bold"))
        for one in cropped:
            lines += wrapped(one.words, width, "  ")
    return lines


def end_lines(trained: Trained, width: int = 80) -> list[Text]:
    """What came of it, and what to do with it."""
    width = max(40, min(width, 100))
    prepared, knobs = trained.prepared, trained.prepared.knobs
    size = file_size(trained.adapter.stat().st_size)
    lines = [Text(), Text.assemble((trained.adapter.as_posix(), "bold cyan"), f"   {size}")]
    for words, style in _proofs(trained):
        lines += wrapped(words, width, "  ", style)
    times = trained.times
    split = ", ".join(f"{_duration(s)} {what}" for what, s in times.items() if what != "all" and s >= 0.5)
    rows = [
        (
            "album",
            f"{many(len(prepared.placed), 'examples')}, none dropped, each seen {prepared.passes:.4g} times",
        ),
        ("base", f"{prepared.base.id}, {prepared.base.licence}"),
        ("knobs", f"rank {knobs.rank}, lr x alpha / rank = {knobs.effective_rate:g}, {knobs.steps} steps"),
        ("time", f"{_duration(times['all'])}: {split}"),
    ]
    if trained.peak is not None:
        expected = file_size(prepared.forecast.memory)
        rows.append(("memory", f"{file_size(trained.peak)} at most, {expected} were forecast"))
    for name, words in rows:
        lines += _row(name, words, width)
    lines.append(Text())
    lines += wrapped(
        f"The loss cannot say whether it is good. Look at {prepared.run.as_posix()}/sheet.png: prompts "
        "across, steps down, step 0 is the base alone.",
        width,
        "",
    )
    return lines + _use(trained, width) + _try_next(trained, width) + _warning(prepared, width)


def train_document(trained: Trained) -> dict[str, Any]:
    """albumkit-trained/1: where the file is and what was found out about it."""
    prepared = trained.prepared
    return {
        "schema": "albumkit-trained/1",
        "adapter": trained.adapter.as_posix(),
        "run": prepared.run.as_posix(),
        "loads": {one.runtime: one.result for one in trained.verified.files[0].predictions},
        "effect": {"ok": trained.effect.ok, "change": trained.effect.change, "error": trained.effect.error},
        "times": {name: round(seconds, 2) for name, seconds in trained.times.items()},
        "peak_memory": trained.peak,
        "forecast": _forecast(prepared),
    }


def plan_document(prepared: Prepared) -> dict[str, Any]:
    """albumkit-plan/1: the effective quantities."""
    found, knobs = prepared.forecast, prepared.knobs
    return {
        "schema": "albumkit-plan/1",
        "album": prepared.album.as_posix(),
        "run": prepared.run.as_posix(),
        "base": prepared.base.id,
        "licence": prepared.base.licence,
        "knobs": knobs.to_json(),
        "effective_rate": knobs.effective_rate,
        "passes_per_example": prepared.passes,
        "modules": dict(found.modules),
        "trainable": found.trainable,
        "memory": found.memory,
        "room": found.room,
        "checkpointing": found.checkpointing,
        "seconds": found.step_seconds * knobs.steps,
        "disk": found.disk,
        "since": prepared.since,
        "examples": [
            {"root": one.item.root, "bucket": str(one.bucket), "lost": round(one.lost, 4), "scale": one.scale}
            for one in prepared.placed
        ],
    }


def _forecast(prepared: Prepared) -> dict[str, Any]:
    found = prepared.forecast
    return {
        "memory": found.memory,
        "room": found.room,
        "checkpointing": found.checkpointing,
        "step_seconds": found.step_seconds,
    }


def _memory(prepared: Prepared) -> str:
    found = prepared.forecast
    words = f"about {file_size(found.memory)}"
    if found.room is not None:
        words += f" of {file_size(found.room)} that the card has free"
    if found.checkpointing:
        words += ", with everything computed twice to save memory"
    return words if found.fits else f"{words}: TOO MUCH"


def _proofs(trained: Trained) -> list[tuple[str, str]]:
    """Whether it loads: on paper, then in fact."""
    file, effect = trained.verified.files[0], trained.effect
    loads = [TITLES[one.runtime] for one in file.told if one.ok]
    proofs = [(f"loads in {', '.join(loads)}, by its names and shapes", "green")] if loads else []
    proofs += [(f"{TITLES[one.runtime]}: {one.result}", "yellow") for one in file.told if not one.ok]
    change = f"{effect.change * 100:.2g} %"
    if effect.ok:
        words = f"loaded into the base: {effect.received} layers, its predictions change by {change}"
        return [*proofs, (words, "green")]
    why = effect.error or f"{effect.received} of {effect.expected} layers arrived, and change {change}"
    return [*proofs, (f"loaded into the base it does not work: {why}", "red")]


def _use(trained: Trained, width: int) -> list[Text]:
    knobs, base = trained.prepared.knobs, trained.prepared.base
    prompt = knobs.prompts[0].text
    lines = [Text(), Text("how to use it", "bold")]
    steps = []
    if base.id != "pocket" and "comfy" in (trained.prepared.runtimes or ("comfy",)):
        steps.append("ComfyUI: copy the file into models/loras and load it with the node Load LoRA.")
    file = trained.adapter.as_posix()
    steps.append(f"Here: albumkit generate {_quoted(prompt)} --base {base.asked} --adapter {file}")
    if knobs.trigger:
        steps.append(f"The prompt needs {knobs.trigger}: without it you get the plain model.")
    else:
        steps.append("It was trained without a trigger: it works on every prompt.")
    for step in steps:
        lines += wrapped(step, width, "  ")
    return lines


def _try_next(trained: Trained, width: int) -> list[Text]:
    knobs, run = trained.prepared.knobs, trained.prepared.run.as_posix()
    lines = [Text(), Text("if it is not what you want", "bold")]
    slower = f"--set learning_rate={knobs.learning_rate / 2:g}"
    fried = "Fried (hard contrast, mud, always the same picture): take an earlier file of"
    advice = [
        f"{fried} {run}/checkpoints, or {slower}",
        f"Not yet alike: albumkit train --resume {run} --steps {knobs.steps * 3 // 2}",
    ]
    for words in advice:
        lines += wrapped(words, width, "  ")
    return lines


def _warning(prepared: Prepared, width: int) -> list[Text]:
    if prepared.base.id != "pocket":
        return []
    words = "A rehearsal: a LoRA for pocket works in nothing but albumkit."
    return [Text(), *wrapped(words, width, "", "yellow")]


def _row(name: str, words: str, width: int) -> list[Text]:
    body = wrapped(words, width - _LABEL, "")
    first = Text.assemble((f"  {name:<{_LABEL - 2}}", "dim"), body[0])
    return [first, *(Text(" " * _LABEL) + line for line in body[1:])]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
