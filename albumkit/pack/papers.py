"""What lies beside the archive: the manifest (what is inside and why) and the request (what to send)."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

from PIL import features

import albumkit
from albumkit.album import Album
from albumkit.errors import PackRefused
from albumkit.pack.captions import fill_trigger
from albumkit.pack.model import PackedFile
from albumkit.pack.plan import Plan
from albumkit.pack.publish import MANIFEST_SCHEMA, REQUEST_SCHEMA
from albumkit.settings import Settings

#: Libraries inside Pillow whose version may change an archive's bytes.
_LIBRARIES = ("libjpeg_turbo", "zlib", "zlib_ng", "webp", "avif", "libtiff", "jpg_2000", "littlecms2")


@dataclass(frozen=True, slots=True)
class Bill:
    """What a training takes: optimizer steps, passes over each example, USD; None where not known."""

    steps: int | None
    passes: float | None
    price: float | None
    price_note: str


def bill_of(album: Album, settings: Settings) -> Bill:
    """Passes are steps x batch / examples; the price follows the example with the most input pictures."""
    trainer = settings.trainer
    steps = _whole(settings.value("steps"))
    batch = (_whole(settings.value("batch_size")) or 1) * (_whole(settings.value("accumulation")) or 1)
    passes = round(steps * batch / len(album.examples), 2) if steps else None
    inputs = max(1 + len(e.references) if e.is_pair else 0 for e in album.examples)
    price = trainer.price(steps, inputs) if steps else None
    pricing = trainer.pricing
    if trainer.service == "local":
        note = "Your own machine: nothing to pay."
    elif pricing.usd_per_step is None:
        note = "Not known: no source that we read states a price for this trainer. Look at its page first."
    elif steps is None:
        note = f"{pricing.usd_per_step:g} USD a step; the number of steps is left to the trainer."
    elif price is None:
        note = f"Not known for {inputs} input pictures a pair."
    else:
        factor = f" x {pricing.by_references[max(inputs, 1) - 1]:g}" if pricing.by_references else ""
        read = f"as read in {pricing.date}. Prices change: look first."
        note = f"{pricing.usd_per_step:g} USD a step{factor}, {read}"
    return Bill(steps, passes, None if price is None else round(price, 4), note)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


class Hashed(Protocol):
    """What counts of a member of an archive."""

    @property
    def root(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def sha256(self) -> str: ...


def hash_album(files: Sequence[Hashed]) -> tuple[str, dict[str, str]]:
    """Identity by content: of the album, and of each example by ROOT.

    An example's hash covers its pictures, caption and mask with the part that each plays; the album's covers
    the sorted hashes of its examples. Names, order and folders do not matter; which caption belongs to which
    picture does.
    """
    parts: dict[str, list[str]] = defaultdict(list)
    for file in files:  # sorted by name, which keeps start2 before start3
        parts[file.root].append(f"{file.role} {file.sha256}\n")
    examples = {root: _sha256("".join(sorted(lines, key=_role))) for root, lines in sorted(parts.items())}
    return _sha256("".join(f"{one}\n" for one in sorted(examples.values()))), examples


def _role(line: str) -> str:
    return line.partition(" ")[0]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def manifest(
    album: Album,
    settings: Settings,
    plan: Plan,
    files: Sequence[PackedFile],
    archive: Mapping[str, Any],
    background: str,
    forced: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """``albumkit-pack/1``: no time, no absolute path of ours, so that equal packs have equal manifests."""
    whole, examples = hash_album(files)
    repeats = {root: e.repeats for e, root in zip(album.examples, plan.roots, strict=True)}
    versions = {name: found for name in _LIBRARIES if (found := features.version(name))}
    return {
        "schema": MANIFEST_SCHEMA,
        "albumkit": albumkit.__version__,
        "libraries": {"pillow": version("pillow"), "pi-heif": version("pi-heif"), **versions},
        "trainer": settings.trainer.id,
        "kind": settings.kind,
        "trigger_phrase": settings.trigger_phrase,
        "class_phrase": settings.class_phrase,
        "background": background,
        "archive": dict(archive),
        "album_hash": whole,
        "settings": {name: value.value for name, value in sorted(settings.knobs.items())},
        "examples": [{"root": root, "hash": one, "repeats": repeats[root]} for root, one in examples.items()],
        "captions": plan.captions,
        "files": [file.to_json() for file in files],
        "left_out": [{"path": path, "why": why} for path, why in plan.left_out],
        "forced": [dict(one) for one in forced],
    }


def request(
    album: Album, settings: Settings, files: Sequence[PackedFile], archive: Mapping[str, Any], bill: Bill
) -> dict[str, Any]:
    """What to send to the trainer; ``input`` holds its own knob names and nothing else.

    Defaults stay out of it: the service applies its own, and what is published about them may lag behind.
    """
    trainer = settings.trainer
    name = archive["name"]
    knob = trainer.knob(trainer.archive.knob) if trainer.archive.knob else None
    given = {key: value for key, value in settings.knobs.items() if value.value != ""}
    values = {k: _sent(v.value, settings) for k, v in given.items() if v.origin != "trainer default"}
    defaults = {k: v.value for k, v in given.items() if v.origin == "trainer default"}
    body: dict[str, Any] = {knob.own_name: f"<URL of {name} after upload>"} if knob else {}
    body.update(trainer.request(values))
    return {
        "schema": REQUEST_SCHEMA,
        "endpoint": trainer.id,
        "input": body,
        "defaults": trainer.request(defaults),
        "archive": dict(archive),
        "steps": bill.steps,
        "examples": len(album.examples),
        "pictures": sum(f.role not in ("caption", "mask") and f.width is not None for f in files),
        "passes_per_image": bill.passes,
        "price_usd": bill.price,
        "price_note": bill.price_note,
        "how": _how(settings, name, knob.own_name if knob else ""),
    }


def _sent(value: object, settings: Settings) -> object:
    """``[trigger]`` in a default caption is filled in as it is in the captions."""
    filled = fill_trigger(value, settings) if isinstance(value, str) else None
    return value if filled is None else filled


def _how(settings: Settings, name: str, knob: str) -> list[str]:
    trainer = settings.trainer
    if not knob:
        return [f"albumkit's own engine takes {name} by its path, with the values under input."]
    return [
        f"Form: open https://fal.ai/models/{trainer.id}, upload {name} and set the fields as under input.",
        f"API: upload {name} (fal_client.upload_file returns its URL) and put that URL into {knob};",
        f"then send input to {trainer.id} (fal_client.subscribe).",
    ]


def to_bytes(document: Mapping[str, Any], settings: Settings) -> bytes:
    """The document as it is written: UTF-8, LF, keys in order.

    Raises:
        PackRefused: a knob was given something that JSON cannot hold (a date, infinity).
    """
    try:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        names = [name for name, value in settings.knobs.items() if not _is_json(value.value)]
        raise PackRefused(
            f"No trainer can be sent this: {', '.join(names) or error}.",
            "Give it a number, a text or a list.",
        ) from error
    # Half a character (from a file name that is no UTF-8) stays the escape that JSON has for it.
    return f"{text}\n".encode("utf-8", "backslashreplace")


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
