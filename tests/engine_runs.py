"""What tests of the engine stand on: a tiny base, a small album packed for it, and loops over them."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from tiny_klein import make_klein

from albumkit.engine import data, lora
from albumkit.engine.base import Base, find_base
from albumkit.engine.knobs import Knobs
from albumkit.engine.loop import Loop
from albumkit.engine.machine import Machine
from albumkit.engine.pack import OpenPack
from albumkit.engine.stage import Stage
from albumkit.opening import open_album
from albumkit.pack import write_pack
from albumkit.settings import Settings, resolve

CAPTIONS = {
    "a": "a photo of TOK cat on a wall",
    "b": "a photo of TOK cat in the snow",
    "c": "a photo of TOK cat under a lamp",
    "d": "a photo of TOK cat by the sea",
}


@functools.cache
def tiny_base(folder: Path) -> Path:
    """One base for a whole test session."""
    return make_klein(folder / "tiny-klein")


def picture(number: int, size: tuple[int, int]) -> Image.Image:
    """A picture with something in it, unlike every other number's."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    ImageDraw.Draw(image).ellipse((8, 8, 30 + number, 34), fill=(40 * number % 256, 200, 90 + number))
    return image


def make_album(folder: Path, names: Sequence[str] = tuple(CAPTIONS), *, masks: bool = False) -> Path:
    """Square pictures with captions, all in one bucket."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        number = sorted(CAPTIONS).index(name) if name in CAPTIONS else len(name)
        picture(number, (64, 64)).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(CAPTIONS.get(name, f"a photo of TOK cat, {name}"))
        if masks:
            (folder / "masks").mkdir(exist_ok=True)
            mask = Image.new("L", (64, 64))
            ImageDraw.Draw(mask).rectangle((16, 16, 47, 47), fill=255)
            mask.save(folder / "masks" / f"{name}.png")
    return folder


def pack_album(album: Path, out: Path, **overrides: Any) -> tuple[OpenPack, Settings]:
    """Pack it for the own engine; knobs beside those of tests."""
    opened = open_album(album)
    knobs = {"base": "tiny", "trigger_phrase": "TOK", "resolution": 64, "rank": 4, "create_masks": False}
    settings = resolve(
        opened.config, guessed_kind=opened.guessed_kind, trainer="local", overrides={**knobs, **overrides}
    )
    write_pack(opened.album, settings, out)
    return OpenPack(out, settings.trainer.archive), settings


@dataclass
class Bench:
    """A packed album, encoded for a tiny base."""

    base: Base
    machine: Machine
    pack: OpenPack
    settings: Settings
    placed: list[data.Placed]
    material: data.Material

    def knobs(self, **changed: Any) -> Knobs:
        import dataclasses

        return dataclasses.replace(Knobs.of(self.settings, 64), **{"learning_rate": 1e-3, **changed})

    def loop(self, step: int = 0, **changed: Any) -> Loop:
        """A new loop, with its own transformer and adapter."""
        knobs = self.knobs(**changed)
        transformer = self.base.load("transformer", self.machine.device, self.machine.dtype)
        modules = lora.find_modules(lora.linears(transformer), self.base.family, knobs.target)
        parameters = lora.attach(transformer, modules, knobs.rank, knobs.alpha, knobs.seed)
        return Loop(
            transformer, parameters, self.base.family, self.placed, self.material, knobs, self.machine, step
        )

    def pipeline(self) -> Any:
        """diffusers' own pipeline of the base."""
        from diffusers import Flux2KleinPipeline

        from albumkit.engine.machine import quiet

        with quiet():
            pipe = Flux2KleinPipeline.from_pretrained(self.base.folder)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def pixels(self, one: data.Placed) -> Any:
        """A target as the pipeline's own image processor gives it."""
        from diffusers.pipelines.flux2.image_processor import Flux2ImageProcessor

        image = Image.open(io.BytesIO(self.pack.read(one.item.target)))
        return Flux2ImageProcessor(vae_scale_factor=16).preprocess(image)


def encode(
    base: Base, machine: Machine, pack: OpenPack, knobs: Knobs, cache: data.Cache
) -> tuple[list[data.Placed], data.Material]:
    """Everything the loop learns from."""
    buckets = data.all_buckets(knobs.resolution, base.pixels_per_token, knobs.aspect_ratio)
    placed = data.place(pack.items, data.picture_sizes(pack), buckets)
    stage = Stage(base, machine)
    encoder = data.Encoder(base, machine, cache)
    texts = encoder.texts(["", *(item.caption for item in pack.items)], stage.text)
    return placed, data.Material(*encoder.pictures(pack, placed, knobs, stage.vae), texts)


def open_bench(folder: Path, *, masks: bool = False, **overrides: Any) -> Bench:
    """A bench in a folder of its own."""
    import torch

    torch.set_num_threads(1)  # threads that wait for each other take ten times as long on matrices this small
    base = find_base(str(tiny_base(folder)))
    machine = Machine(torch.device("cpu"), torch.float32)
    pack, settings = pack_album(
        make_album(folder / "album", masks=masks), folder / "pack.zip", create_masks=masks, **overrides
    )
    knobs = Knobs.of(settings, 64)
    return Bench(base, machine, pack, settings, *encode(base, machine, pack, knobs, data.Cache(None)))
