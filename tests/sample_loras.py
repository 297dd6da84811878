"""LoRA files for the pages of docs/ and for tests of what verify prints, quickly made."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from adapters import Spelling, places_of, tensors, write

from albumkit.adapter import Place, find_size

#: What fal's trainers write; ComfyUI looks for none of these names.
FAL = Spelling("base_model.model.", "bfl")
COMFY = Spelling("diffusion_model.", "bfl")
DIFFUSERS = Spelling("transformer.", "diffusers")
KOHYA = Spelling("lora_unet_", "bfl", "down/up", 0.5, flat=True)
#: ai-toolkit's way to name the trigger.
TRIGGER = {"ss_tag_frequency": json.dumps({"1_TOK": {"TOK": 1}})}
EVERYTHING = ("blocks", "globals", "modulation", "adaln")


def fal_set(places: Iterable[Place]) -> list[Place]:
    """The layers that fal's FLUX.2 trainers change: no MLPs of double blocks, no final adaLN."""
    return [p for p in places if "_mlp." not in p.linear.name and p.group != "adaln"]


def lora(
    path: Path,
    spelling: Spelling,
    *,
    model: str = "flux2-klein-4b",
    groups: Iterable[str] = EVERYTHING,
    like_fal: bool = True,
    rank: int = 4,
    metadata: Mapping[str, str] | None = None,
    zero: bool = False,
) -> Path:
    """One file; with ``zero`` every lora_B is as training begins."""
    size = find_size(model)
    places = places_of(size, spelling.layout, groups)
    made = tensors(fal_set(places) if like_fal else places, size, spelling, rank=rank, seed=1)
    if zero:
        ups = (".lora_B.weight", ".lora_up.weight")
        made = {k: (d, s, None if k.endswith(ups) else raw) for k, (d, s, raw) in made.items()}
    return write(path, made, metadata)


def make_samples(folder: Path) -> None:
    """What docs/commands/verify.md speaks of, of whole models."""
    lora(folder / "cat_fal.safetensors", FAL, rank=16)
    lora(folder / "cat_comfy.safetensors", COMFY, rank=16, metadata=TRIGGER)
    lora(folder / "cat_diffusers.safetensors", DIFFUSERS, rank=16)
    lora(folder / "cat_zero.safetensors", COMFY, zero=True, rank=16)
    (folder / "cat_pointer.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 38000000\n"
    )


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
    """What docs/commands/convert.md speaks of, of a few modules and small ranks: ``NAME.safetensors``."""
    size = find_size("flux2-klein-4b")
    for name, (spelling, rank, groups) in SAMPLES.items():
        places = [p for p in places_of(size, spelling.layout, groups) if p.block in (None, 0)]
        write(folder / f"{name}.safetensors", tensors(places, size, spelling, rank=rank, seed=name))


if __name__ == "__main__":
    make_samples(Path(sys.argv[1]))
