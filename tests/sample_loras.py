"""LoRAs for FLUX.2 klein, whole ones, made in no time: what docs/ shows, and what tests of verify look at.

    python tests/sample_loras.py FOLDER

writes the files of the pages.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
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
BLOCKS = ("blocks",)
EVERYTHING = ("blocks", "globals", "modulation", "adaln")


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
    """One file.

    Args:
        like_fal: Only the layers that fal's FLUX.2 trainers change.
        zero: Every lora_B is as training begins.
    """
    size = find_size(model)
    places = places_of(size, spelling.layout, groups)
    chosen = [place for place in places if _of_fal(place)] if like_fal else places
    made = tensors(chosen, size, spelling, rank=rank, seed=path.stem)
    if zero:
        ups = (".lora_B.weight", ".lora_up.weight")
        made = {k: (d, s, None if k.endswith(ups) else raw) for k, (d, s, raw) in made.items()}
    return write(path, made, metadata)


def _of_fal(place: Place) -> bool:
    """No MLPs of double blocks, no final adaLN."""
    return "_mlp." not in place.linear.name and place.group != "adaln"


def write_samples(folder: Path) -> None:
    """The files of the pages of verify and convert."""
    lora(folder / "cat_fal.safetensors", FAL)
    lora(folder / "cup_comfy.safetensors", COMFY, metadata=TRIGGER)
    lora(folder / "cup_zero.safetensors", COMFY, zero=True)
    lora(folder / "vase_diffusers.safetensors", DIFFUSERS, like_fal=False)
    lora(folder / "tin_musubi.safetensors", KOHYA, groups=BLOCKS, like_fal=False, rank=2)
    lora(
        folder / "mug_musubi.safetensors", replace(KOHYA, alpha=1 / 3), groups=BLOCKS, like_fal=False, rank=3
    )
    (folder / "pot_pointer.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9511272\n"
    )


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
