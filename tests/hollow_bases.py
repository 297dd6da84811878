"""Whole models without data: the names and shapes of all their weights, in files that are headers alone."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from adapters import Tensors, places_of, write

from albumkit.adapter import Size, find_size

EVERYTHING = ("blocks", "globals", "modulation", "adaln")


def weights(size: Size, layout: str = "bfl", prefix: str = "", dtype: str = "BF16") -> Tensors:
    """The weights of a whole model, hollow."""
    width = 2 if dtype == "I8" else 1
    found: Tensors = {}
    for place in places_of(size, layout, EVERYTHING):
        rows, columns = place.shape(size)
        name = place.diffusers_names[0] if layout == "diffusers" else place.name
        found[f"{prefix}{name}.weight"] = (dtype, (rows, columns // width), None)
    return found


def gguf(path: Path, names: Tensors, entries: bytes = b"", count: int = 0) -> Path:
    """A GGUF file that ends with its header."""

    def text(words: str) -> bytes:
        return struct.pack("<Q", len(words)) + words.encode()

    rows = [
        text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), 12, 0)
        for name, (_, shape, _) in names.items()
    ]
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, len(rows), count) + entries + b"".join(rows))
    return path


def hollow_transformer(path: Path, size: str) -> Path:
    names = weights(find_size(size))
    for kind, norms in (("double", ("img_attn.norm", "txt_attn.norm")), ("single", ("norm",))):
        for block in range(find_size(size).blocks[kind]):
            for norm in norms:
                for one in ("query_norm", "key_norm"):
                    names[f"{kind}_blocks.{block}.{norm}.{one}.scale"] = ("BF16", (128,), None)
    return write(path, names)


def _hollow(path: Path, model: Any, prefix: str = "") -> Path:
    import torch

    kinds = {torch.int64: "I64"}
    state = model.state_dict()
    return write(
        path, {prefix + name: (kinds.get(t.dtype, "BF16"), tuple(t.shape), None) for name, t in state.items()}
    )


def full_size(models: Path, size: str, name: str) -> Path:
    """All three files of a klein at full size, without data."""
    import torch
    from diffusers import AutoencoderKLFlux2
    from transformers import Qwen3Config, Qwen3Model

    wide = {"flux2-klein-4b": (2560, 9728), "flux2-klein-9b": (4096, 12288)}[size]
    config = Qwen3Config(
        vocab_size=151936,
        hidden_size=wide[0],
        intermediate_size=wide[1],
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
    )
    with torch.device("meta"):
        encoder, vae = Qwen3Model(config), AutoencoderKLFlux2()
    _hollow(models / "text_encoders" / f"{size}.safetensors", encoder, "model.")
    _hollow(models / "vae" / "flux2-vae.safetensors", vae)
    return hollow_transformer(models / "diffusion_models" / name, size)
