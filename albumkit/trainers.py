"""What each training service or engine accepts: one JSON file a trainer under ``rules/trainers``.

The files are the truth. Their shape is ``rules/trainer.schema.json``; the tests check it, not the run time,
since loading one trainer must cost less than a few milliseconds. This module turns a file into frozen
dataclasses, gives every knob its canonical name and its plain words (``rules/knobs.json``), and answers what
the other parts ask: which knob is meant, what a training costs, how its request looks, what an error means.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumkit.documents import unusable
from albumkit.errors import AlbumkitError, UnknownName
from albumkit.paths import rules_root

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class KnobWords:
    """What a knob does, for an artist; ``more`` and ``less``: what raising and lowering it does, or ""."""

    title: str
    what: str
    sources: tuple[str, ...]
    more: str = ""
    less: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting of one trainer; ``name`` is canonical, ``own_name`` the trainer's, ``schema`` JSON Schema.

    ``default`` is None when there is none: ask ``has_default``.
    """

    name: str
    own_name: str
    schema: Mapping[str, Any]
    required: bool
    has_default: bool
    default: Any
    words: KnobWords

    @property
    def multiple_of(self) -> int | None:
        """The step of the accepted numbers: 100 for 100, 200, ...; 8 for 1, 9, 17, ... (see ``offset``)."""
        if plus := self.schema.get("x-multiple-plus"):
            return int(plus["multiple"])
        return self.schema.get("multipleOf")

    @property
    def offset(self) -> int:
        """What is added to the multiple: 1 for 8n+1, which JSON Schema cannot say; otherwise 0."""
        plus = self.schema.get("x-multiple-plus")
        return int(plus["plus"]) if plus else 0

    @property
    def note(self) -> str:
        """What a person should know about this knob on this trainer, or ""."""
        return str(self.schema.get("x-note", ""))


@dataclass(frozen=True, slots=True)
class Formats:
    """Pillow names of images, or extensions of clips; ``assumed`` when no source states the list."""

    formats: tuple[str, ...]
    assumed: bool
    source: str


@dataclass(frozen=True, slots=True)
class Media:
    """Which media an album may hold; ``mixed`` tells whether images and clips may stand together."""

    images: Formats | None
    clips: Formats | None
    mixed: bool


@dataclass(frozen=True, slots=True)
class TrainingResolution:
    """Side of the square whose area is trained at, in pixels; or the knob (canonical name) that says it."""

    pixels: int | None = None
    knob: str | None = None
    assumed: bool = False
    source: str = ""


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """How many frames of a clip are trained on, and how many a second they stand for, where no knobs say so
    (``number_of_frames``, ``frame_rate``).
    """

    frames: int
    frame_rate: float
    source: str


@dataclass(frozen=True, slots=True)
class CaptionPolicy:
    """What becomes of an example without caption.

    ``without``: "default-or-refuse" (it gets ``knob``; without that the training fails), "trigger" (``knob``
    is its caption), "automatic" (the trainer writes one; ``knob``, if any, switches that), "unstated".
    """

    without: str
    knob: str | None
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class TriggerPolicy:
    """How the trigger gets into the training.

    ``policy``: "captions" (it lives there; a knob, if any, only names the result), "ignored-when-captioned",
    "placeholder" ("[trigger]" in captions is replaced), "prepended" (before every caption), "fallback" (only
    the caption of examples without one), "unstated".
    """

    policy: str
    knob: str | None
    source: str


@dataclass(frozen=True, slots=True)
class TextLimit:
    """``tokens`` of ``tokenizer`` are read, of which ``before`` stand ahead of the caption (a chat template);
    what comes after them is cut off.
    """

    tokens: int
    before: int
    tokenizer: str
    source: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """File stems of an edit example, ROOT being its name; ``references`` are the optional further inputs."""

    start: str
    end: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layers:
    """File stems of a layered example; N in ``further`` counts from 2. At most ``most`` layers."""

    whole: str
    first: str
    further: str
    most: int
    same_count: bool


@dataclass(frozen=True, slots=True)
class Largest:
    """The most that a trainer takes, in bytes."""

    bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class Archive:
    """How the packed album must look; ``knob`` is canonical, None where the pack is handed over by path."""

    knob: str | None
    container: str
    layout: str
    caption_suffix: str
    pairs: Pairs | None
    layers: Layers | None
    masks: str | None
    source: str
    #: The largest archive that it takes; None where no source says.
    largest: Largest | None = None


@dataclass(frozen=True, slots=True)
class MinimumExamples:
    """The least number of examples that a source asks for."""

    count: int
    source: str


@dataclass(frozen=True, slots=True)
class ExamplesPerStep:
    """How many examples a step learns from: ``count``, or the product of ``knobs`` (canonical names)."""

    count: int | None = None
    knobs: tuple[str, ...] = ()
    assumed: bool = False
    source: str = ""


@dataclass(frozen=True, slots=True)
class Pricing:
    """USD a training step, None when not known; ``by_references`` are factors for 1, 2, ... inputs a pair."""

    usd_per_step: float | None
    date: str = ""
    source: str = ""
    by_references: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownError:
    """A failure text: ``pattern`` is a regex (case ignored), ``rule`` what would have told, or None."""

    pattern: str
    rule: str | None
    remedy: str
    example: str
    source: str


@dataclass(frozen=True, slots=True)
class ErrorHit:
    """A known error found in a text: the trainers that print it, and the line of the text that it is in."""

    trainers: tuple[str, ...]
    error: KnownError
    line: str


@dataclass(frozen=True, slots=True)
class Trainer:
    """One trainer file. ``schema`` is the request's JSON Schema; ``knobs`` is keyed by canonical name.

    ``lora_formats`` maps each value of output_lora_format ("" without that knob) to the runtimes that load it
    in full, or to None when not known.
    """

    id: str
    title: str
    service: str
    family: str
    kinds: tuple[str, ...]
    reads: str
    media: Media
    training_resolution: TrainingResolution | None
    training_clip: TrainingClip | None
    captions: CaptionPolicy
    text_limit: TextLimit | None
    trigger: TriggerPolicy
    archive: Archive
    minimum_examples: MinimumExamples | None
    examples_per_step: ExamplesPerStep | None
    schema: Mapping[str, Any]
    knobs: Mapping[str, Knob]
    lora_formats: Mapping[str, tuple[str, ...] | None]
    pricing: Pricing
    errors: tuple[KnownError, ...]
    sources: tuple[str, ...]

    def knob(self, name: str) -> Knob | None:
        """The knob with this canonical or own name, or None."""
        if hit := self.knobs.get(name):
            return hit
        return next((k for k in self.knobs.values() if k.own_name == name), None)

    def price(self, steps: int, references: int = 0) -> float | None:
        """USD for a training, or None when not known.

        ``references`` counts the inputs of an edit example (start, start2, ...): a pair has at least one, so
        0 means 1. More inputs than the price list names: not known.
        """
        if self.pricing.usd_per_step is None:
            return None
        factors = self.pricing.by_references or (1.0,)
        inputs = max(references, 1) if self.pricing.by_references else 1
        return self.pricing.usd_per_step * steps * factors[inputs - 1] if inputs <= len(factors) else None

    def request(self, values: Mapping[str, object]) -> dict[str, object]:
        """``values`` under the trainer's own names, archive knob left out; UnknownName for a foreign knob."""
        out: dict[str, object] = {}
        for name, value in values.items():
            knob = self.knob(name)
            if knob is None:
                raise UnknownName(f"knob of {self.id}", name, self.knobs)
            if knob.name != self.archive.knob:
                out[knob.own_name] = value
        return out


def _folder() -> Path:
    return rules_root() / "trainers"


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@functools.cache
def trainer_ids() -> tuple[str, ...]:
    """Every trainer id, sorted. What lies in a folder with an underscore is shared by several trainers."""
    folder = _folder()
    ids = (p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.json"))
    return tuple(sorted(i for i in ids if not i.startswith("_")))


@functools.cache
def knob_words() -> Mapping[str, KnobWords]:
    """The plain words of every knob, by canonical name."""
    raw = _read(rules_root() / "knobs.json")
    return {name: KnobWords(**{**words, "sources": tuple(words["sources"])}) for name, words in raw.items()}


@functools.cache
def load_trainer(trainer_id: str) -> Trainer:
    """The trainer with exactly this id; raises UnknownName, naming the nearest, when there is none."""
    path = _folder() / f"{trainer_id}.json"
    # The pattern keeps "../x" out; comparing the id keeps "Local" from meaning "local" where case is ignored.
    if _ID.fullmatch(trainer_id) and path.is_file():
        try:
            raw = _read(path)
            if raw["id"] == trainer_id:
                return _trainer(raw)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise unusable(path, "a trainer", "trainer.schema.json") from error
    raise _unknown(trainer_id)


def all_trainers() -> list[Trainer]:
    """Every trainer, sorted by id."""
    return [load_trainer(i) for i in trainer_ids()]


@functools.cache
def all_knob_names() -> frozenset[str]:
    """Every canonical and own knob name over all trainers, for "did you mean"."""
    return frozenset(n for t in all_trainers() for k in t.knobs.values() for n in (k.name, k.own_name))


def match_error(text: str) -> list[ErrorHit]:
    """The known errors found in ``text``, each once with all its trainers; the longest match comes first."""
    trainers: dict[KnownError, list[str]] = {}
    for trainer in all_trainers():
        for error in trainer.errors:
            trainers.setdefault(error, []).append(trainer.id)
    found = {e: m for e in trainers if (m := re.search(e.pattern, text, re.IGNORECASE))}
    ordered = sorted(found, key=lambda e: -len(found[e].group()))
    return [ErrorHit(tuple(trainers[e]), e, _line_around(text, found[e])) for e in ordered]


def _line_around(text: str, match: re.Match[str]) -> str:
    """The whole line that a match begins in."""
    start = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.start())
    return text[start : len(text) if end < 0 else end].strip()


def _unknown(name: str) -> UnknownName:
    """People leave the service out ("flux-2-trainer") or type a part only ("klein-9b"); look there too."""
    spelt: dict[str, str] = {}
    for known in trainer_ids():
        parts = known.split("/")
        for i in range(len(parts)):
            spelt.setdefault("/".join(parts[i:]), known)
    typed = name.lower()
    close = difflib.get_close_matches(typed, list(spelt), n=1, cutoff=0.6)
    close = close or [s for s in spelt if len(typed) > 2 and typed in s][:1]
    error = UnknownName("trainer", name, [], "albumkit trainers   lists them all")
    if close:
        error.nearest = spelt[close[0]]
        error.message = f"{error.message} The nearest is {error.nearest}."
        error.args = (error.message,)
    return error


def _formats(raw: Mapping[str, Any] | None) -> Formats | None:
    return Formats(tuple(raw["formats"]), raw["assumed"], raw["source"]) if raw else None


def _archive(raw: Mapping[str, Any]) -> Archive:
    pairs, layers, largest = raw["pairs"], raw.get("layers"), raw.get("largest")
    typed = {
        "pairs": Pairs(pairs["start"], pairs["end"], tuple(pairs["references"])) if pairs else None,
        "layers": Layers(**layers) if layers else None,
        "largest": Largest(**largest) if largest else None,
    }
    return Archive(**{**raw, **typed})


def _knobs(raw: Mapping[str, Any]) -> dict[str, Knob]:
    canonical = {own: name for name, own in raw["aliases"].items()}
    required, words = set(raw["knobs"]["required"]), knob_words()
    knobs: dict[str, Knob] = {}
    for own, schema in raw["knobs"]["properties"].items():
        name = canonical.get(own, own)
        if name not in words:
            raise AlbumkitError(
                f"rules/knobs.json lacks the knob {name} of {raw['id']}.", "Describe it there."
            )
        has_default = "default" in schema
        knobs[name] = Knob(
            name, own, schema, own in required, has_default, schema.get("default"), words[name]
        )
    return knobs


@functools.cache
def _shared_errors(group: str) -> tuple[KnownError, ...]:
    return tuple(KnownError(**e) for e in _read(_folder() / "_errors" / f"{group}.json"))


def _trainer(raw: Mapping[str, Any]) -> Trainer:
    media, resolution, minimum = raw["media"], raw["training_resolution"], raw["minimum_examples"]
    price, step = raw["price"], raw["examples_per_step"]
    return Trainer(
        id=raw["id"],
        title=raw["title"],
        service=raw["service"],
        family=raw["family"],
        kinds=tuple(raw["kinds"]),
        reads=raw["reads"],
        media=Media(_formats(media["images"]), _formats(media["clips"]), media["mixed"]),
        training_resolution=TrainingResolution(**resolution) if resolution else None,
        training_clip=TrainingClip(**raw["training_clip"]) if "training_clip" in raw else None,
        captions=CaptionPolicy(**raw["captions"]),
        text_limit=TextLimit(**raw["text_limit"]) if raw.get("text_limit") else None,
        trigger=TriggerPolicy(**raw["trigger"]),
        archive=_archive(raw["archive"]),
        minimum_examples=MinimumExamples(**minimum) if minimum else None,
        examples_per_step=ExamplesPerStep(**{**step, "knobs": tuple(step.get("knobs", ()))})
        if step
        else None,
        schema=raw["knobs"],
        knobs=_knobs(raw),
        lora_formats={k: tuple(v) if v is not None else None for k, v in raw["lora_formats"].items()},
        pricing=Pricing(**{**price, "by_references": tuple(price.get("by_references", ()))}),
        errors=(
            *(KnownError(**e) for e in raw["errors"]),
            *(e for group in raw["shared_errors"] for e in _shared_errors(group)),
        ),
        sources=tuple(raw["sources"]),
    )
