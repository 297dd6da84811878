"""Reads the trainers: one JSON file each under ``rules/trainers``.

The files are the truth. Their shape is ``rules/trainer.schema.json``; the tests check it, not the run time,
since loading one trainer must cost less than a few milliseconds. This module turns a file into the
dataclasses of :mod:`albumkit.trainer`, gives every knob its canonical name and its plain words
(``rules/knobs.json``), and says what an error text means.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albumkit.documents import unusable
from albumkit.errors import AlbumkitError, UnknownName
from albumkit.paths import rules_root
from albumkit.trainer import (
    Archive,
    CaptionPolicy,
    ErrorHit,
    ExamplesPerStep,
    Formats,
    Knob,
    KnobWords,
    KnownError,
    Largest,
    Layers,
    Media,
    MinimumExamples,
    Pairs,
    Pricing,
    TextLimit,
    Trainer,
    TrainingClip,
    TrainingResolution,
    TriggerPolicy,
)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


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
