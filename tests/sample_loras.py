"""LoRA files for the pages of docs/ and for tests of what verify prints: whole klein models, quickly made."""

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
    """The files that docs/commands/verify.md and convert.md speak of."""
    lora(folder / "cat_fal.safetensors", FAL, rank=16)
    lora(folder / "cat_comfy.safetensors", COMFY, rank=16, metadata=TRIGGER)
    lora(folder / "cat_diffusers.safetensors", DIFFUSERS, rank=16)
    lora(folder / "cat_empty.safetensors", COMFY, zero=True, rank=16)
    (folder / "cat_pointer.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 38000000\n"
    )


if __name__ == "__main__":
    make_samples(Path(sys.argv[1]))
