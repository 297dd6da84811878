"""A picture from a base with an adapter, for ``albumkit generate``."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit.adapter import open_adapter
from albumkit.engine.data import Cache, Encoder
from albumkit.engine.machine import beginning, enough_memory, quiet
from albumkit.engine.sample import Recipe, sample_latents, to_picture
from albumkit.engine.stage import Stage
from albumkit.errors import AdapterError

if TYPE_CHECKING:
    from typing import Any

    from PIL.Image import Image

    from albumkit.engine.base import Base
    from albumkit.engine.knobs import Prompt
    from albumkit.engine.machine import Machine


def make_pictures(
    base: Base,
    machine: Machine,
    prompts: Sequence[Prompt],
    recipe: Recipe,
    adapter: Path | None = None,
    scale: float = 1.0,
) -> list[Image]:
    """Make them all with one loading of each part.

    Raises:
        AdapterError: the adapter does not fit the base.
        AlbumkitError: the card has too little memory.
    """
    machine.compute_alike()
    with enough_memory(base.asked):
        return _make(base, machine, prompts, recipe, adapter, scale)


def _make(
    base: Base,
    machine: Machine,
    prompts: Sequence[Prompt],
    recipe: Recipe,
    adapter: Path | None,
    scale: float,
) -> list[Image]:
    stage = Stage(base, machine)
    texts = Encoder(base, machine, Cache(None)).texts(["", *(one.text for one in prompts)], stage.text)
    stage.drop_text()
    transformer = stage.transformer()
    if adapter is not None:
        load_adapter(base, transformer, adapter, scale)
    latents = [
        sample_latents(transformer, base, machine, texts[one.text], texts[""], recipe, one.seed)
        for one in prompts
    ]
    vae = stage.vae(recipe.width * recipe.height)
    return [to_picture(base, vae, one) for one in latents]


def load_adapter(base: Base, transformer: Any, path: Path, scale: float) -> None:
    """Attach any adapter file by diffusers' own loader.

    Raises:
        AdapterError: it is no adapter, or one for another model.
    """
    open_adapter(path)  # a broken file is told precisely
    pipeline = getattr(importlib.import_module("diffusers"), base.index["_class_name"])
    try:
        with quiet():
            tensors, configuration = pipeline.lora_state_dict(str(path), return_lora_metadata=True)
            pipeline.load_lora_into_transformer(
                tensors, transformer=transformer, adapter_name="given", metadata=configuration
            )
            transformer.set_adapters(["given"], [scale])
    except Exception as error:  # whatever a file makes diffusers or peft raise is the answer
        raise AdapterError(
            path, f"it does not fit {base.asked}: {beginning(error)}", f"albumkit verify {path.as_posix()}"
        ) from error
