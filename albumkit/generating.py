"""``generate``: a picture from a base, with an adapter or without."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from albumkit.adapter import open_adapter
from albumkit.atomic import whole_file
from albumkit.doctor import nvidia_cards
from albumkit.errors import UsageError
from albumkit.phrases import find_phrase
from albumkit.verifying import trigger_of


def generate(
    prompt: str,
    *,
    base: str,
    adapter: Path | None = None,
    scale: float = 1.0,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    guidance: float | None = None,
    out: Path,
) -> str:
    """Make one picture.

    Args:
        size: Width and height in pixels; those of the base's own pictures by default.
        guidance: How far to lean away from the empty prompt, 1 for not at all; the base's own by default.
        out: A PNG.

    Returns:
        The adapter's trigger if the prompt lacks it, else "".

    Raises:
        UsageError: the size is none that the base can make.
        AlbumkitError: the base or the adapter cannot be used.
    """
    from albumkit.engine.base import find_base
    from albumkit.engine.generate import make_pictures
    from albumkit.engine.knobs import Prompt
    from albumkit.engine.machine import find_machine
    from albumkit.engine.sample import Recipe

    found = find_base(base)
    width, height = size or (found.side, found.side)
    token = found.pixels_per_token
    if width % token or height % token or width < token or height < token:
        near = f"{max(1, round(width / token)) * token}x{max(1, round(height / token)) * token}"
        raise UsageError(
            f"--size {width}x{height}: both sides must be multiples of {token}.", f"--size {near}"
        )
    trigger = _trigger(adapter) if adapter else ""
    machine = find_machine(bool(nvidia_cards()))
    recipe = Recipe.usual(found, width, height)
    recipe = recipe if guidance is None else replace(recipe, guidance=guidance)
    (picture,) = make_pictures(found, machine, [Prompt(prompt, seed)], recipe, adapter, scale)
    with whole_file(out) as stream:
        picture.save(stream, "PNG")
    return "" if not trigger or find_phrase(trigger, prompt) else trigger


def free_picture(folder: Path) -> Path:
    """``picture.png``, or the first ``picture-2.png`` ... that is free."""
    number, path = 1, folder / "picture.png"
    while path.exists():
        number += 1
        path = folder / f"picture-{number}.png"
    return path


def _trigger(path: Path) -> str:
    """The word that an adapter answers to: of our own files without the class phrase, which a base knows."""
    adapter = open_adapter(path)
    try:
        return str(json.loads(adapter.metadata["albumkit_settings"])["trigger"])
    except (KeyError, ValueError, TypeError):
        return trigger_of(adapter)[0]
