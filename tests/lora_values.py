"""Files to convert, and what a file says, taken apart a second time: tensors, and the change of each weight.

The arithmetic is numpy's in double precision: sums differ in their last bits when zeros stand between, and
one wrong bit of one factor makes a hundred times that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from adapters import Spelling, Tensors, places_of, tensors, words, write

from albumkit.adapter import Adapter, Conversion, Size, convert, open_adapter

#: A FLUX.2 and a FLUX.1 so small that one file is converted in a few milliseconds.
FLUX2 = Size(
    "tiny", "", "flux2", {"double": 2, "single": 2}, {"hidden": 16, "context": 12, "channels": 8}, True
)
FLUX1 = Size("tiny", "", "flux1", {"double": 2, "single": 2}, {**FLUX2.dimensions, "pooled": 4}, True)
GROUPS = ("blocks", "globals", "modulation", "adaln")
#: The four forms as their programs write them.
SPELLINGS = {
    "comfy": Spelling("diffusion_model.", "bfl"),
    "fal": Spelling("base_model.model.", "bfl"),
    "diffusers": Spelling("transformer.", "diffusers"),
    "kohya": Spelling("lora_unet_", "bfl", "down/up", 1.0, flat=True),
}
QKV = "double_blocks.0.img_attn.qkv"
ADALN = "final_layer.adaLN_modulation.1"
PARTS = ("to_q", "to_k", "to_v")


def one_module(name: str, form: str, **named: Any) -> Tensors:
    """The tensors of one module of a tiny FLUX.2 by BFL name, in diffusers' names of all its parts."""
    places = [p for p in places_of(FLUX2, SPELLINGS[form].layout, GROUPS) if p.name == name]
    return tensors(places, FLUX2, SPELLINGS[form], **{"seed": 1, **named})


def with_alpha(made: Tensors, alpha: float, dtype: str = "F32") -> Tensors:
    """The same with another value in every alpha."""
    raw = words([alpha], dtype)
    return {n: (dtype, (), raw) if n.endswith(".alpha") else t for n, t in made.items()}


def converted(folder: Path, made: Tensors, to: str, **named: Any) -> tuple[Conversion, Tensors]:
    """The conversion and the tensors of the new file; it does what the source does."""
    source = write(folder / "source.safetensors", made, named.pop("metadata", None))
    out = folder / "out.safetensors"
    conversion = convert(source, out, to, force=True, **named)
    assert named.get("lossy") or same_changes(source, out)
    return conversion, raw_tensors(out)


def kohya(suffix: str) -> str:
    """A key of the module ``QKV`` in kohya's form."""
    return f"lora_unet_{QKV.replace('.', '_')}.{suffix}"


def raw_tensors(path: Path) -> Tensors:
    """Name -> (dtype, shape, bytes)."""
    data = path.read_bytes()
    header = open_adapter(path).header
    return {t.name: (t.dtype, t.shape, data[t.start : t.stop]) for t in header.tensors}


def changes(path: Path | Adapter) -> dict[str, np.ndarray]:
    """BFL name of a weight -> what the file adds to it, in BFL's order of rows."""
    adapter = open_adapter(path) if isinstance(path, Path) else path
    found: dict[str, np.ndarray] = {}
    for module in adapter.modules:
        place = module.place
        assert place is not None
        delta = adapter.delta(module)
        left = np.array(delta.left, dtype=np.float64).reshape(-1, delta.columns[0])
        right = np.array(delta.right, dtype=np.float64).reshape(-1, delta.columns[1])
        rows = delta.scale * (left @ right)
        if place.linear.swapped and place.layout == "diffusers":
            rows = np.roll(rows, len(rows) // 2, axis=0)
        unit = len(rows) / sum(
            p.rows.count for n, p in enumerate(place.linear.parts) if place.part in (None, n)
        )
        counts = [int(unit * part.rows.count) for part in place.linear.parts]
        whole = found.setdefault(place.name, np.zeros((sum(counts), rows.shape[1])))
        first = sum(counts[: place.part or 0])
        whole[first : first + len(rows)] += rows
    return found


def same_changes(one: Path, two: Path) -> bool:
    """Whether two files do the same, number by number."""
    first, second = changes(one), changes(two)
    return first.keys() == second.keys() and all(
        np.allclose(first[name], second[name], rtol=0, atol=1e-13) for name in first
    )
