"""Facts of the settings, and of each knob that somebody set."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from typing import Any

from albumkit.album import Album
from albumkit.errors import nearest
from albumkit.facts import caption as _caption
from albumkit.facts.registry import NotApplicable, Unmeasured, fact
from albumkit.phrases import find_phrase
from albumkit.settings import Settings, Value
from albumkit.trainer import Knob, Trainer
from albumkit.trainers import all_knob_names


@dataclass(frozen=True, slots=True)
class Fit:
    """How a value sits in what its knob accepts."""

    accepted: bool
    on_grid: bool
    words: str


_KIND_WORDS = {
    "edit": "pairs of start and end images",
    "video": "clips",
    "layered": "pictures taken apart into layers",
}


@fact("settings")
def kinds_wanted(trainer: Trainer) -> str:
    """What the trainer learns from, in words."""
    return " or ".join(dict.fromkeys(_KIND_WORDS.get(kind, "single pictures") for kind in trainer.kinds))


@fact("settings")
def kind_held(album: Album) -> str:
    """What the album holds, in words."""
    if album.has_pairs:
        return _KIND_WORDS["edit"]
    return "clips" if album.has_clips else "single pictures"


@fact("settings")
def kind_fits(album: Album, trainer: Trainer) -> bool:
    """Whether pairs meet a trainer of pairs, and anything else one of anything else."""
    if not album.examples:
        raise NotApplicable("empty")
    if album.has_pairs:
        return "edit" in trainer.kinds
    return bool(set(trainer.kinds) - {"edit", "layered"})


@fact("settings")
def default_caption(settings: Settings, trainer: Trainer) -> str:
    """The caption of examples that have none."""
    knob = trainer.captions.knob
    value = settings.value(knob) if knob else None
    if trainer.captions.without != "default-or-refuse" or not isinstance(value, str) or not value.strip():
        raise NotApplicable("no default caption")
    return value


@fact("settings")
def uncaptioned(album: Album) -> int:
    """Examples without a caption of their own."""
    return sum(album.caption(example) is None for example in album.examples)


@fact("settings")
def default_caption_has_trigger(default_caption: str, trigger: str, uncaptioned: int) -> bool:
    """Whether the stand-in caption holds the trigger; not applicable while every example has its own."""
    if not uncaptioned:
        raise NotApplicable("every example has a caption")
    return find_phrase(trigger, default_caption) is not None


@fact("settings")
def output_format(settings: Settings) -> str:
    """The key format that the trainer will write; "" where it offers no choice."""
    value = settings.value("output_lora_format")
    return value if isinstance(value, str) else ""


@fact("settings")
def runtimes(settings: Settings) -> tuple[str, ...]:
    """Where the LoRA will be used."""
    if not settings.runtimes:
        raise Unmeasured("album.toml does not say where the LoRA will be used ([use] runtime)")
    return settings.runtimes


@fact("settings")
def runtimes_without_lora(output_format: str, runtimes: tuple[str, ...], trainer: Trainer) -> str:
    """The runtimes, of those wanted, that would not load the chosen format fully; "" when all do."""
    loads = trainer.lora_formats.get(output_format)
    if loads is None:
        raise Unmeasured("which runtimes load what this trainer writes is not known")
    return " and ".join(_runtime_words(r) for r in runtimes if r not in loads)


@fact("settings")
def better_format(runtimes: tuple[str, ...], trainer: Trainer) -> str:
    """An output_lora_format that every wanted runtime loads; "" when there is none."""
    fits = (f for f, loads in trainer.lora_formats.items() if loads and set(runtimes) <= set(loads))
    return next(fits, "")


@fact("settings")
def deaf_trigger_knob(trainer: Trainer) -> str:
    """The trainer's own name of a trigger knob that it leaves unused once there are captions."""
    knob = trainer.knobs.get(trainer.trigger.knob or "")
    if knob is None or trainer.trigger.policy not in ("ignored-when-captioned", "fallback"):
        raise NotApplicable("this trainer has no trigger knob, or uses it")
    return knob.own_name


@fact("settings")
def captions_without_trigger(album: Album, trigger: str) -> int:
    """Captions in which the trigger, or its placeholder, does not stand."""
    texts = (album.caption(example) for example in album.examples)
    return sum(
        1
        for c in texts
        if c and c.text and not find_phrase(trigger, c.text) and _caption.PLACEHOLDER not in c.text.casefold()
    )


@fact("settings")
def trigger_knob_ignored(deaf_trigger_knob: str, captions_without_trigger: int) -> int:
    """Captions that will train without the trigger although it is set, because the trainer does not use
    its trigger knob once captions exist; 0 when all hold it.
    """
    return captions_without_trigger


@fact("knob")
def knob_offered(name: str, settings: Settings) -> bool:
    """Whether the trainer has this knob."""
    return name not in settings.unknown


@fact("knob")
def knob_near(name: str, trainer: Trainer) -> str:
    """The knob that was meant: the nearest of this trainer, else of any; "" when nothing is alike."""
    if name in all_knob_names():
        return ""
    return nearest(name, trainer.knobs) or nearest(name, all_knob_names()) or ""


@fact("knob")
def knob_elsewhere(name: str) -> bool:
    """Whether some other trainer has a knob of this name."""
    return name in all_knob_names()


@fact("knob")
def knob_name(name: str, trainer: Trainer) -> str:
    """The knob in the trainer's own spelling."""
    knob = trainer.knobs.get(name)
    return knob.own_name if knob else name


@fact("knob")
def knob_hint(knob_near: str, knob_elsewhere: bool, trainer: Trainer) -> str:
    """What to make of an unknown knob, in words."""
    if knob_near:
        return f"did you mean {knob_near}?"
    own = ", ".join(k.own_name for k in trainer.knobs.values() if k.name != trainer.archive.knob)
    where = "other trainers have it; " if knob_elsewhere else ""
    return f"{where}this one offers {own}."


@fact("knob")
def knob_value(setting: Value) -> str:
    """The value as album.toml would show it."""
    return _shown(setting.value)


@fact("knob")
def fit(name: str, setting: Value, trainer: Trainer) -> Fit:
    """The value against what the trainer states; not applicable to a knob that it does not have."""
    knob = trainer.knobs.get(name)
    if knob is None:
        raise NotApplicable("unknown knob")
    return _fit(knob, setting.value)


@fact("knob")
def knob_accepted(name: str, fit: Fit) -> bool:
    """Whether type, range and choice are as the trainer states; multiples and rank are other facts."""
    if name == "rank":
        raise NotApplicable("a rank is judged by rank_offered")
    return fit.accepted


@fact("knob")
def rank_offered(name: str, fit: Fit) -> bool:
    """Whether the trainer makes LoRAs of this rank; not applicable to other knobs."""
    if name != "rank":
        raise NotApplicable("another knob")
    return fit.accepted


@fact("knob")
def knob_on_grid(name: str, fit: Fit, trainer: Trainer) -> bool:
    """Whether the value is one of the multiples that the trainer takes; frames are another fact."""
    if trainer.knobs[name].offset:
        raise NotApplicable("frames are judged by frames_on_grid")
    return fit.on_grid


@fact("knob")
def frames_on_grid(name: str, fit: Fit, trainer: Trainer) -> bool:
    """Whether a number of frames is one that the trainer takes, such as 8n+1; not applicable to knobs that
    count in plain multiples.
    """
    if not trainer.knobs[name].offset:
        raise NotApplicable("plain multiples")
    return fit.on_grid


@fact("knob")
def knob_takes(fit: Fit) -> str:
    """What the trainer accepts, in words; for a value between multiples, the two beside it."""
    return fit.words


def _fit(knob: Knob, value: Any) -> Fit:
    step, offset = knob.multiple_of, knob.offset
    if isinstance(value, float) and not math.isfinite(value):  # TOML has nan and inf
        return Fit(False, True, _accepted_words(knob))
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
    plain = {key: v for key, v in knob.schema.items() if key != "multipleOf" and not key.startswith("x-")}
    if not _validator(json.dumps(plain)).is_valid(value):
        return Fit(False, True, _accepted_words(knob))
    if step and whole and (value - offset) % step:
        lower = max(int(value) - (int(value) - offset) % step, offset or step)
        grid = {100: "hundreds"}.get(step, f"multiples of {step}")
        if offset:
            grid = f"{step}n+{offset}"
        around = f"{lower} or {lower + step}" if lower < value else str(lower)
        return Fit(True, False, f"{grid}: {around}")
    return Fit(True, True, "")


@functools.lru_cache(256)
def _validator(schema: str) -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(json.loads(schema))


def _accepted_words(knob: Knob) -> str:
    schema = knob.schema
    if "enum" in schema:
        return " or ".join(_shown(v) for v in schema["enum"])
    low, high = schema.get("minimum"), schema.get("maximum")
    kind = {
        "integer": "a whole number",
        "number": "a number",
        "string": "a text in quotes",
        "boolean": "true or false",
        "array": "a list",
    }.get(str(schema.get("type")), "another kind of value")
    if low is not None and high is not None:
        return f"{kind} from {_shown(low)} to {_shown(high)}"
    if low is not None:
        return f"{kind}, {_shown(low)} or more"
    if high is not None:
        return f"{kind}, {_shown(high)} or less"
    return kind


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _runtime_words(runtime: str) -> str:
    return {"comfy": "ComfyUI", "fal": "fal", "diffusers": "diffusers"}.get(runtime, runtime)
