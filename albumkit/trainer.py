"""What one training service or engine accepts, as frozen dataclasses; :mod:`albumkit.trainers` reads them.

Every knob has its canonical name here, and the trainer's own beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from albumkit.errors import UnknownName


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


#: The id of the own engine among the trainers.
LOCAL = "local"


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
