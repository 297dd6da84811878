"""Settings: every knob of one training, resolved against a trainer, each with where its value came from.

Precedence: command line > [train."ID"] > [train] > files that album.toml extends > derived from the kind
of album > the trainer's default. Torch-free, so that rules can judge settings before a GPU is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from albumkit.config import Config, Origin, Written
from albumkit.errors import ConfigError, UnknownName
from albumkit.trainer import Knob, Trainer
from albumkit.trainers import load_trainer

#: What lint and pack judge for when nobody names a trainer.
DEFAULT_TRAINERS = {
    "subject": "fal-ai/flux-2-klein-9b-base-trainer",
    "style": "fal-ai/flux-2-klein-9b-base-trainer",
    "edit": "fal-ai/flux-2-klein-9b-base-trainer/edit",
    "video": "fal-ai/ltx23-video-trainer",
}


@dataclass(frozen=True, slots=True)
class Value:
    """One resolved value. ``origin`` is words, such as "trainer default"; ``place`` a file and line."""

    value: Any
    origin: str
    place: Origin | None = None

    @property
    def is_set(self) -> bool:
        """Whether a person wrote it, rather than us or the trainer."""
        return self.place is not None or self.origin == "command line"


@dataclass(frozen=True, slots=True)
class Settings:
    """What one training of one album will be told."""

    trainer: Trainer
    #: "album.toml", "command line" or "default for a subject album".
    trainer_origin: str
    kind: str
    kind_origin: str
    #: None: nobody said. "": none, on purpose.
    trigger_phrase: str | None
    class_phrase: str | None
    runtimes: tuple[str, ...]
    prompts: tuple[str, ...]
    #: "content" or "geometry": what an edit album teaches.
    edit: str
    #: Side in pixels of the square whose area the pictures made with the LoRA will have; None: not said.
    use_resolution: int | None
    #: Whether money will be made with the LoRA; None: not said.
    commercial: bool | None
    #: Knobs that the trainer offers, by canonical name; the archive knob is left out.
    knobs: Mapping[str, Value]
    #: Names that somebody set and the trainer does not offer.
    unknown: Mapping[str, Value]

    def value(self, name: str) -> Any:
        """The value of a knob by canonical name; None when the trainer has none or it is unset."""
        known = self.knobs.get(name)
        return known.value if known else None


def resolve(
    config: Config,
    *,
    guessed_kind: str,
    trainer: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Lay command line, album.toml, kind and trainer defaults over each other.

    Args:
        config: The album's album.toml (an empty Config when there is none).
        guessed_kind: What the files look like (subject, edit or video), used when nobody says.
        trainer: A trainer id from the command line.
        overrides: Knobs from the command line, by canonical or own name.

    Raises:
        UnknownName: the command line names a trainer that does not exist.
        ConfigError: album.toml does.
    """
    kind = config.album.kind or guessed_kind
    chosen, origin = _trainer(config, kind, trainer)
    written: dict[str, Value] = {}
    for name, value in _weakest_first(config, chosen):
        written[_canonical(chosen, name)] = _from_file(value)
    for name, given in (overrides or {}).items():
        written[_canonical(chosen, name)] = Value(given, "command line")
    knobs = {
        knob.name: written.get(knob.name) or _unwritten(knob, kind, config)
        for knob in chosen.knobs.values()
        if knob.name != chosen.archive.knob
    }
    trigger = config.album.trigger_phrase
    if (own := written.get("trigger_phrase")) and isinstance(own.value, str):
        trigger = own.value
    return Settings(
        trainer=chosen,
        trainer_origin=origin,
        kind=kind,
        kind_origin="album.toml" if config.album.kind else "what its files look like",
        trigger_phrase=trigger,
        class_phrase=config.album.class_phrase,
        runtimes=config.use.runtime,
        prompts=config.use.prompts,
        edit=config.album.edit or "content",
        use_resolution=config.use.resolution,
        commercial=config.use.commercial,
        knobs={name: value for name, value in knobs.items() if value is not None},
        unknown={n: v for n, v in written.items() if n not in knobs and n != chosen.archive.knob},
    )


def _weakest_first(config: Config, trainer: Trainer) -> list[tuple[str, Written]]:
    """Knobs from files: the farthest file first, in each [train] before [train."ID"]."""
    ranks = {file: number for number, file in enumerate(config.files)}
    layers = (config.train.knobs, config.train.per_trainer.get(trainer.id, {}))
    knobs = [item for layer in layers for item in layer.items()]
    return sorted(knobs, key=lambda item: -ranks.get(item[1].origin.file, 0))


def _trainer(config: Config, kind: str, named: str | None) -> tuple[Trainer, str]:
    _check_tables(config)
    if named is not None:
        return load_trainer(named), "command line"
    if config.train.trainer is None:
        return load_trainer(DEFAULT_TRAINERS[kind]), f"default for {_a(kind)} album"
    try:
        return load_trainer(config.train.trainer), "album.toml"
    except UnknownName as error:
        raise _in_file(config, "train.trainer", error) from error


def _check_tables(config: Config) -> None:
    for trainer_id, knobs in config.train.per_trainer.items():
        try:
            load_trainer(trainer_id)
        except UnknownName as error:
            place = next(iter(knobs.values())).origin if knobs else None
            file = place.file if place else config.files[0]
            line = place.line if place else None
            raise ConfigError(file, f"[train.{trainer_id!r}]: {error.message}", error.remedy, line) from error


def _in_file(config: Config, key: str, error: UnknownName) -> ConfigError:
    place = config.origins.get(key) or Origin(config.files[0])
    return ConfigError(place.file, error.message, error.remedy, place.line)


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _canonical(trainer: Trainer, name: str) -> str:
    knob = trainer.knob(name)
    return knob.name if knob else name


def _from_file(written: Written) -> Value:
    return Value(written.value, written.origin.file.name, written.origin)


def _unwritten(knob: Knob, kind: str, config: Config) -> Value | None:
    """The value of a knob that nobody wrote: from the album, its kind or the trainer, else None."""
    if knob.name == "trigger_phrase" and config.album.trigger_phrase:
        return Value(config.album.trigger_phrase, "album.trigger_phrase")
    derived: dict[str, Any] = {
        "is_style": kind == "style",
        "create_masks": kind == "subject",
        "training_style": kind,
    }
    if knob.name in derived and derived[knob.name] in knob.schema.get("enum", [derived[knob.name]]):
        return Value(derived[knob.name], f"derived from kind = {kind}")
    if knob.has_default:
        return Value(knob.default, "trainer default")
    return None
