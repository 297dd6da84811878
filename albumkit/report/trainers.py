"""What ``albumkit trainers`` shows: the list of all trainers, or one of them knob by knob; text or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from albumkit import __version__
from albumkit.trainer import Archive, Formats, Knob, KnownError, Trainer

if TYPE_CHECKING:
    from rich.text import Text

SCHEMA = "albumkit-trainers/1"

_GROUPS = {
    "subject": "subject and style",
    "style": "subject and style",
    "edit": "edit: pairs, before and after",
    "video": "video",
    "layered": "layers of a picture",
}
_COLUMNS = "{:<18}  {:>5}  {:>9}"
_TABLE = 79  # columns that an id of 41 letters and _COLUMNS need
_RUNTIMES = {"comfy": "ComfyUI", "diffusers": "diffusers", "fal": "fal's endpoints"}


def list_json(trainers: Iterable[Trainer]) -> dict[str, Any]:
    """One short object a trainer."""
    rows = [
        {
            "id": t.id,
            "title": t.title,
            "service": t.service,
            "family": t.family,
            "kinds": list(t.kinds),
            "steps_default": _default_steps(t),
            "usd_per_1000_steps": t.price(1000),
        }
        for t in trainers
    ]
    return {"schema": SCHEMA, "version": __version__, "trainers": rows}


def detail_json(trainer: Trainer) -> dict[str, Any]:
    """Everything known about one trainer; knobs in order, each with its own name, schema and words."""
    raw = asdict(trainer)
    del raw["schema"]
    raw["knobs"] = [
        {
            "name": k.name,
            "own_name": k.own_name,
            "required": k.required,
            "schema": dict(k.schema),
            "words": asdict(k.words),
        }
        for k in trainer.knobs.values()
    ]
    return {"schema": SCHEMA, "version": __version__, "trainer": raw}


def list_lines(trainers: Iterable[Trainer], width: int) -> list[Text]:
    """All trainers, grouped by the kind of album that they are mainly for; ids whole at 80 columns."""
    from rich.text import Text

    groups: dict[str, list[Trainer]] = {}
    for trainer in trainers:
        groups.setdefault(_GROUPS[trainer.kinds[0]], []).append(trainer)
    lines: list[Text] = []
    for title in dict.fromkeys(_GROUPS.values()):
        if title not in groups:
            continue
        head = Text(f"{title:<43}", style="bold")
        lines.append(
            head
            if width < _TABLE
            else head.append(_COLUMNS.format("base", "steps", "for 1000"), "not bold dim")
        )
        for t in groups[title]:
            cells = _COLUMNS.format(t.title, _default_steps(t) or "-", _dollars(t.price(1000)))
            name = Text().append(f"{t.id:<43}", "cyan")
            lines += [name, Text(f"    {cells}")] if width < _TABLE else [name.append(cells)]
        lines.append(Text())
    legend = "steps: its default; for 1000: US dollars as read in 2026, edits with one input"
    lines += _wrapped(Text(legend, style="dim"), width)
    lines.append(Text("next   ").append("albumkit trainers ID", "bold").append("   explains one"))
    for line in lines:
        line.rstrip()
    return lines


def detail_lines(trainer: Trainer, width: int) -> list[Text]:
    """One trainer: what it takes, its knobs, price, where its LoRA loads, known errors, sources."""
    from rich.text import Text

    width = min(width, 100)  # longer lines of prose tire the eye
    where = "on your own machine" if trainer.service == "local" else f"at {trainer.service}.ai"
    first = f"{_capital(trainer.title)}, trained {where}, for {_either(trainer.kinds, 'and')} albums"
    lines = [Text(trainer.id, style="bold cyan"), *_wrapped(Text(first), width)]
    lines += _heading("What it takes", width)
    for label, text, doubt in _takes(trainer):
        body = Text(text).append(f"  {doubt}" if doubt else "", "dim")
        lines += _wrapped(body, width, f"  {label:<12}")
    renames = any(k.name != k.own_name for k in trainer.knobs.values())
    aside = "; ours -> the trainer's own name" if renames else ""
    lines += _heading("Knobs", width, f"set in album.toml under [train]{aside}")
    archive = trainer.archive.knob
    for position, knob in enumerate(sorted(trainer.knobs.values(), key=lambda k: k.name == archive)):
        lines += [Text()] if position else []
        lines += _knob_lines(knob, width, is_archive=knob.name == archive)
    lines += _heading("Price", width)
    lines += _wrapped(Text(_price(trainer)), width, "  ")
    lines += _heading("The LoRA it gives", width)
    for label, text in _loads(trainer):
        lines += _wrapped(Text(text), width, f"  {label:<12}")
    if trainer.errors:
        lines += _heading("When it fails", width, "albumkit explain --log FILE looks for these in its log")
        for error in trainer.errors:
            lines += _wrapped(Text(_says(error), style="cyan"), width, "  ")
            lines += _wrapped(Text(error.remedy).append(f"  {error.rule or ''}", "dim"), width, "      ")
    lines += _heading("Sources", width)
    for source in trainer.sources:
        lines += _wrapped(Text(source), width, "  - ")
    return lines


def _knob_lines(knob: Knob, width: int, is_archive: bool) -> list[Text]:
    from rich.text import Text

    words = knob.words
    renamed = f" -> {knob.own_name}" if knob.own_name != knob.name else ""
    head = Text().append(knob.name, "bold").append(f"{renamed}   {words.title}", "dim")
    state = "goes into the request once the archive is uploaded" if is_archive else _state(knob)
    lines = _wrapped(head, width, "  ")
    lines += _wrapped(Text(_capital(state), style="cyan"), width, "      ")
    lines += _wrapped(Text(words.what), width, "      ")
    for label, text in (
        ("more", words.more),
        ("less", words.less),
        ("advice", words.advice),
        ("note", knob.note),
    ):
        if text:
            lines += _wrapped(Text(text), width, f"      {label:<8}")
    return lines


def _heading(title: str, width: int, aside: str = "") -> list[Text]:
    from rich.text import Text

    body = Text().append(title, "bold").append(f"   {aside}" if aside else "", "dim")
    return [Text(), *_wrapped(body, width)]


def _wrapped(body: Text, width: int, prefix: str = "") -> list[Text]:
    """``body`` behind ``prefix``, wrapped beside it; no blanks at line ends, so that output compares."""
    from rich.console import Console
    from rich.text import Text

    body.rstrip()
    lines = []
    for number, part in enumerate(body.wrap(Console(width=width), width - len(prefix))):
        part.rstrip()
        lead = prefix if number == 0 else " " * len(prefix)
        lines.append(Text().append(lead, "dim").append_text(part))
    return lines


def _says(error: KnownError) -> str:
    """The words of the failure: fal wraps them in JSON, where "msg" or "detail" is for people."""
    found = re.search(r'"(?:msg|detail)": "([^"]+)"', error.example)
    return found.group(1) if found else error.example


def _takes(trainer: Trainer) -> list[tuple[str, str, str]]:
    """(label, text, why it is only assumed or "")."""
    media, archive = trainer.media, trainer.archive
    rows = [("pictures", *_media(media.images)), ("clips", *_media(media.clips))]
    if media.images and media.clips:
        together = "may stand together" if media.mixed else "never both in one album"
        rows.append(("", f"pictures and clips: {together}", ""))
    if minimum := trainer.minimum_examples:
        rows.append(("how many", f"{minimum.count} or more are advised", ""))
    rows.append(("trained at", *_size(trainer)))
    rows.append(("captions", _captions(trainer), ""))
    rows.append(("trigger", _trigger(trainer), ""))
    rows += [("archive" if i == 0 else "", line, "") for i, line in enumerate(_layout(archive))]
    rows.append(("masks", _named(archive.masks, ".jpg") if archive.masks else "none in the archive", ""))
    return rows


def _media(formats: Formats | None) -> tuple[str, str]:
    if formats is None:
        return "none", ""
    return _either(formats.formats), f"(assumed: {formats.source})" if formats.assumed else ""


def _size(trainer: Trainer) -> tuple[str, str]:
    size = trainer.training_resolution
    if size is None:
        return "not known in pixels", ""
    if size.knob:
        return f"the knob {size.knob}", ""
    return f"about {size.pixels} x {size.pixels} pixels", f"(assumed: {size.source})" if size.assumed else ""


def _captions(trainer: Trainer) -> str:
    policy = trainer.captions
    text = {
        "default-or-refuse": f"An example without one gets {policy.knob}; without both, the training fails.",
        "trigger": f"An example without one gets {policy.knob} as its caption.",
        "automatic": "The trainer writes one where none is" + (f" ({policy.knob})." if policy.knob else "."),
        "unstated": "What happens to an example without one is not stated.",
    }[policy.without]
    return f"{text} {policy.note}".strip()


def _trigger(trainer: Trainer) -> str:
    knob = trainer.trigger.knob
    if trainer.trigger.policy == "captions":
        return "Lives in your captions" + (
            f"; {knob} only names the result." if knob else "; there is no knob for it."
        )
    return {
        "ignored-when-captioned": f"{knob} counts only without captions. With captions it is ignored: "
        "write it into them.",
        "placeholder": f"Write [trigger] in your captions: {knob} takes its place.",
        "prepended": f"{knob} is put before every caption.",
        "fallback": f"{knob} is only the caption of examples that have none: write it into the others.",
        "unstated": f"There is {knob}, but no source says what it does: write it into your captions too.",
    }[trainer.trigger.policy]


def _layout(archive: Archive) -> list[str]:
    """What lies in the archive, one line a form, with photo as the example's name."""
    caption = f"photo{archive.caption_suffix}"
    lines = []
    if archive.layers:
        first, further = _named(archive.layers.first), _named(archive.layers.further).replace("N", "2")
        lines.append(
            f"{archive.container} of {_named(archive.layers.whole)} (the whole), {first}, {further} ... "
            f"with {caption}; at most {archive.layers.most} layers"
            + (", as many in every example" if archive.layers.same_count else "")
        )
    elif archive.layout == "flat":
        lines.append(f"{archive.container} of photo.jpg with {caption}")
    if archive.pairs:
        pair = (
            f"{_named(archive.pairs.start)} and {_named(archive.pairs.end)} with {caption}, the instruction"
        )
        if archive.pairs.references:
            pair += f"; further inputs {', '.join(_named(r) for r in archive.pairs.references)}"
        lines.append(f"or {pair}" if lines else f"{archive.container} of {pair}")
    return lines


def _named(stem: str, suffix: str = "") -> str:
    return stem.replace("ROOT", "photo") + ("" if "." in stem else suffix)


def _state(knob: Knob) -> str:
    """Default and accepted values in one sentence, without the full stop."""
    if knob.required:
        default = "required"
    elif not knob.has_default:
        default = "no default"
    else:
        default = f"default {_value(knob.default)}"
    accepts = _accepts(knob)
    return f"{default}; {accepts}" if accepts else default


def _accepts(knob: Knob) -> str:
    schema = knob.schema
    kind = schema["type"]
    if "enum" in schema:
        return _either(list(dict.fromkeys(str(v) for v in schema["enum"])))
    if kind == "boolean":
        return "true or false"
    if kind == "array":
        most = f"up to {schema['maxItems']} " if "maxItems" in schema else ""
        return f"a list of {most}entries with {_either(list(schema['items']['properties']), 'and')}"
    if kind == "string":
        return "an address" if schema.get("format") == "uri" else "text"
    return _numbers(knob)


def _numbers(knob: Knob) -> str:
    schema = knob.schema
    whole = "a whole number" if schema["type"] == "integer" else "a number"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        text = f"{_value(low)} to {_value(high)}"
    elif low is not None:
        text = f"{whole} from {_value(low)}"
    elif schema.get("exclusiveMinimum") is not None:
        text = f"{whole} above {_value(schema['exclusiveMinimum'])}"
    else:
        text = whole
    if knob.multiple_of and knob.offset:
        return f"{text}, of the form {knob.multiple_of}n + {knob.offset}"
    return f"{text}, in steps of {knob.multiple_of}" if knob.multiple_of else text


def _price(trainer: Trainer) -> str:
    pricing, steps = trainer.pricing, _default_steps(trainer) or 1000
    if pricing.usd_per_step is None:
        return f"not known to albumkit; see https://{trainer.service}.ai/models/{trainer.id}"
    if pricing.usd_per_step == 0:
        return f"free: {pricing.source}"
    stand = f"({pricing.date}, {pricing.source})"
    if not pricing.by_references:
        return f"{_dollars(trainer.price(steps))} for {steps} steps, ${pricing.usd_per_step:g} a step {stand}"
    inputs = range(1, len(pricing.by_references) + 1)
    each = ", ".join(f"{_dollars(trainer.price(steps, n))} with {n}" for n in inputs)
    return f"for {steps} steps: {each} input pictures a pair {stand}"


def _loads(trainer: Trainer) -> list[tuple[str, str]]:
    rows = []
    for form, runtimes in trainer.lora_formats.items():
        if runtimes is None:
            text = "where it loads in full is not known"
        else:
            text = f"loads in full in {_either([_RUNTIMES[r] for r in runtimes], 'and')}"
            if len(runtimes) < len(_RUNTIMES):
                text += "; elsewhere do not count on it"
        rows.append((form or "the file", text))
    return rows


def _default_steps(trainer: Trainer) -> int | None:
    steps = trainer.knobs.get("steps")
    return steps.default if steps and steps.has_default else None


def _dollars(amount: float | None) -> str:
    if amount is None:
        return "not known"
    return "free" if amount == 0 else f"${amount:.2f}"


def _value(value: object) -> str:
    """As people write it in album.toml: true, 0.5, 5e-5; an empty text by name."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        digits, power = f"{value:e}".split("e")
        small = 0 < abs(value) < 0.001
        return f"{digits.rstrip('0').rstrip('.')}e{int(power)}" if small else f"{value:g}"
    return "empty" if value == "" else str(value)


def _either(names: Sequence[str], word: str = "or") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
