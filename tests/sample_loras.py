"""The LoRAs that docs/ shows: for FLUX.2 klein 4B, but of a few modules and small ranks, made in no time."""

from __future__ import annotations

from pathlib import Path

from adapters import Spelling, places_of, tensors, write

from albumkit.adapter import find_size

_BLOCKS = ("blocks",)
_ALL = ("blocks", "globals", "modulation", "adaln")
#: Name -> spelling, rank, groups of modules.
SAMPLES = {
    "cat_fal": (Spelling("base_model.model.", "bfl"), 2, ("blocks", "globals", "modulation")),
    "tin_musubi": (Spelling("lora_unet_", "bfl", "down/up", 0.5, flat=True), 2, _BLOCKS),
    "mug_musubi": (Spelling("lora_unet_", "bfl", "down/up", 1 / 3, flat=True), 3, _BLOCKS),
    "vase_diffusers": (Spelling("transformer.", "diffusers"), 2, _ALL),
}


def write_samples(folder: Path) -> None:
    """All of them, as ``NAME.safetensors``."""
    size = find_size("flux2-klein-4b")
    for name, (spelling, rank, groups) in SAMPLES.items():
        places = [p for p in places_of(size, spelling.layout, groups) if p.block in (None, 0)]
        write(folder / f"{name}.safetensors", tensors(places, size, spelling, rank=rank, seed=name))
