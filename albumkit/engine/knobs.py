"""The settings of one training as the engine reads them: every knob typed, nothing else, and storable as
JSON.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from albumkit.errors import UsageError
from albumkit.settings import Settings


@dataclass(frozen=True)
class Prompt:
    """One picture to try: what to write, and the seed of its noise."""

    text: str
    seed: int


@dataclass(frozen=True)
class Knobs:
    """Knobs of the trainer ``local`` (rules/trainers/local.json has their defaults and bounds)."""

    steps: int
    learning_rate: float
    rank: int
    alpha: float
    target: str
    resolution: int
    aspect_ratio: str
    batch_size: int
    accumulation: int
    caption_dropout: float
    seed: int
    deterministic: bool
    timestep_sampling: str
    lr_schedule: str
    warmup_steps: int
    max_grad_norm: float
    weight_decay: float
    masks: bool
    mask_floor: float
    validation_every: int
    save_every: int
    keep: int | None
    output_lora_format: str
    trigger: str
    class_phrase: str
    prompts: tuple[Prompt, ...]

    @classmethod
    def of(cls, settings: Settings, side: int) -> Knobs:
        """From the settings of an album, and the side of the base's own pictures in pixels, which counts
        where nobody set ``resolution``.
        """
        value = settings.value
        seed = value("seed")
        asked = value("validation") or [{"prompt": text} for text in settings.prompts]
        resolution = settings.knobs["resolution"]
        return cls(
            **{name: value(name) for name in _ALIKE},
            alpha=float(value("alpha") or value("rank")),
            resolution=resolution.value if resolution.is_set else min(side, resolution.value),
            masks=bool(value("create_masks")),
            keep=value("keep"),
            trigger=settings.trigger_phrase or "",
            class_phrase=settings.class_phrase or "",
            prompts=tuple(
                Prompt(one["prompt"], one.get("seed", seed + place)) for place, one in enumerate(asked)
            ),
        )

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Knobs:
        """What ``to_json`` gave.

        Raises:
            UsageError: the document is of another version of albumkit.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        if set(document) != names:
            odd = ", ".join(sorted(names ^ set(document)))
            raise UsageError(f"The run's settings are of another version of albumkit ({odd}).")
        prompts = tuple(Prompt(**one) for one in document["prompts"])
        return cls(**{**document, "prompts": prompts})

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"prompts": [dataclasses.asdict(one) for one in self.prompts]}

    @property
    def effective_rate(self) -> float:
        """lr x alpha / rank: what recipes can be compared by."""
        return self.learning_rate * self.alpha / self.rank

    @property
    def examples_per_step(self) -> int:
        return self.batch_size * self.accumulation


_ALIKE = (
    *("steps", "learning_rate", "rank", "target", "aspect_ratio", "batch_size", "accumulation"),
    *(
        "caption_dropout",
        "seed",
        "deterministic",
        "timestep_sampling",
        "lr_schedule",
        "warmup_steps",
        "max_grad_norm",
    ),
    *("weight_decay", "mask_floor", "validation_every", "save_every", "output_lora_format"),
)
