"""What train is going to do, on one screen, before the first step."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from rich.text import Text

from albumkit.paths import quoted
from albumkit.report.text import file_size, many, wrapped

if TYPE_CHECKING:
    from albumkit.engine.data import Placed
    from albumkit.planning import Prepared

_LABEL = 12


def plan_lines(prepared: Prepared, width: int = 80) -> list[Text]:
    """The effective quantities."""
    width = max(40, min(width, 100))
    knobs, found, base = prepared.knobs, prepared.forecast, prepared.base
    lines = [Text.assemble((prepared.album.as_posix(), "bold"), "   training ", (base.title, "bold"))]
    modules = ", ".join(f"{count} in {kind} blocks" for kind, count in found.modules.items())
    masks = f", {prepared.masked} with a mask" if knobs.masks else ""
    factors = f"{knobs.learning_rate:g} x {knobs.alpha:g} / {knobs.rank}"
    rate = f"lr x alpha / rank = {factors} = {knobs.effective_rate:g}"
    batch = f", {knobs.examples_per_step} examples a step" if knobs.examples_per_step > 1 else ""
    prompts = many(len(knobs.prompts), "prompts")
    training, looking = prepared.seconds
    rows = [
        ("album", f"{many(len(prepared.placed), 'examples')}{masks}, none left out"),
        ("lint", _lint(prepared)),
        ("steps", f"{knobs.steps}{batch}: each example is seen {prepared.passes:.4g} times"),
        ("rate", f"{rate}, {knobs.lr_schedule}"),
        ("adapter", f"rank {knobs.rank} on {modules}: {found.trainable:,} numbers learn"),
        ("noise", knobs.timestep_sampling),
        ("looks", f"{prompts}, at first, {_every(knobs.validation_every, knobs.steps)}"),
        ("saved", _every(knobs.save_every, knobs.steps) + (f", the last {knobs.keep}" if knobs.keep else "")),
        ("base", base.note),
        ("licence", f"{base.id}: {base.licence}"),
        ("memory", _memory(prepared)),
        ("time", f"about {duration(training)} training and {duration(looking)} looking, by a forecast"),
        ("disk", f"about {file_size(found.disk)} in {prepared.run.as_posix()}"),
        ("goes on", f"from step {prepared.since}" if prepared.since else ""),
    ]
    for name, words in rows:
        lines += row(name, words, width) if words else []
    lines.append(Text("how examples are cropped", "bold"))
    crops = _crops(prepared.placed)
    for how, roots in crops.items():
        lines += wrapped(f"{how}: {', '.join(roots) if len(crops) > 1 else 'all'}", width, "  ")
    return lines


def _every(interval: int, steps: int) -> str:
    return f"every {interval} steps and at the end" if interval < steps else "at the end"


def _crops(placed: tuple[Placed, ...]) -> dict[str, list[str]]:
    """What happens to which, the worst first."""
    groups: dict[str, list[str]] = defaultdict(list)
    for one in sorted(placed, key=lambda one: (-round(one.lost, 2), one.item.root)):
        groups[one.words].append(one.item.root)
    return groups


def _lint(prepared: Prepared) -> str:
    """How many faults it begins with, and where to see them; errors would have refused."""
    if prepared.result is None:
        return ""
    counts = [(prepared.result.count("warning"), "warnings"), (prepared.result.count("note"), "notes")]
    told = ", ".join(many(count, noun) for count, noun in counts if count)
    command = f"albumkit lint {quoted(prepared.album.as_posix())}"
    return f"no errors, {told}: {command}" if told else "no errors"


def plan_document(prepared: Prepared) -> dict[str, Any]:
    """albumkit-plan/1: the effective quantities."""
    found, knobs = prepared.forecast, prepared.knobs
    training, looking = prepared.seconds
    return {
        "schema": "albumkit-plan/1",
        "album": prepared.album.as_posix(),
        "run": prepared.run.as_posix(),
        "base": prepared.base.id,
        "base_note": prepared.base.note,
        "licence": prepared.base.licence,
        "knobs": knobs.to_json(),
        "effective_rate": knobs.effective_rate,
        "passes_per_example": prepared.passes,
        "modules": dict(found.modules),
        "trainable": found.trainable,
        "memory": found.memory,
        "room": found.room,
        "checkpointing": found.checkpointing,
        "seconds": training,
        "look_seconds": looking,
        "disk": found.disk,
        "since": prepared.since,
        "examples": [
            {"root": one.item.root, "bucket": str(one.bucket), "lost": round(one.lost, 4), "scale": one.scale}
            for one in prepared.placed
        ],
    }


def forecast_document(prepared: Prepared) -> dict[str, Any]:
    """What was expected of memory and time."""
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


def row(name: str, words: str, width: int) -> list[Text]:
    """A label with its words, wrapped beside it."""
    body = wrapped(words, width - _LABEL, "")
    first = Text.assemble((f"  {name:<{_LABEL - 2}}", "dim"), body[0])
    return [first, *(Text(" " * _LABEL) + line for line in body[1:])]


def duration(seconds: float) -> str:
    """As a person would say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
