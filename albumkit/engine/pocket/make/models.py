"""Pocket's models from their sizes, the folder they ship in, and the pictures they train on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from albumkit.engine.pocket.make import plan as sizes
from albumkit.engine.pocket.make.files import find, load_weights
from albumkit.engine.pocket.make.training import autocast
from albumkit.engine.pocket.world import Scenes, render, sample


def new_autoencoder() -> Any:
    from diffusers import AutoencoderKLFlux2

    return AutoencoderKLFlux2(**sizes.AUTOENCODER)


def new_transformer() -> Any:
    from diffusers import Flux2Transformer2DModel

    return Flux2Transformer2DModel(**sizes.TRANSFORMER)


def new_text_encoder(tokenizer: Any) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        **sizes.TEXT_ENCODER,
        vocab_size=sizes.VOCABULARY,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def load_tokenizer(folders: list[Path]) -> Any:
    from albumkit.engine.pocket.make.tokenizer import wrap

    found = find(folders, "tokenizer.json")
    if not found:
        raise SystemExit("tokenizer.json is missing: run the part `tokenizer` first, or give --from.")
    return wrap(found[0])


def loaded(model: Any, folders: list[Path], name: str, device: torch.device) -> Any:
    missing, unknown = model.load_state_dict(load_weights(folders, name), strict=False)
    # A tied head is saved once.
    if unknown or [key for key in missing if key != "lm_head.weight"]:
        raise SystemExit(f"{name} does not fit this code's model: missing {missing}, unknown {unknown}.")
    return model.to(device)


def pipeline(folders: list[Path], device: torch.device) -> Any:
    """The finished pipeline, in bf16 as it ships."""
    from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline

    tokenizer = load_tokenizer(folders)
    parts = {
        "vae": loaded(new_autoencoder(), folders, "vae", device),
        "text_encoder": loaded(new_text_encoder(tokenizer), folders, "text_encoder", device),
        "transformer": loaded(new_transformer(), folders, "transformer", device),
    }
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**sizes.SCHEDULER),
        tokenizer=tokenizer,
        **{name: part.to(dtype).eval() for name, part in parts.items()},
    )


@dataclass
class Bucket:
    """All training pictures of one size."""

    scenes: Scenes
    images: Tensor  # uint8 (n, h, w, 3) on the device


def draw(
    seed: int, count: int, device: torch.device, shares: tuple[float, ...] = sizes.SHARES
) -> list[Bucket]:
    """Training pictures in every bucket, none of a held-out combination."""
    started = time.monotonic()
    buckets = []
    for number, (size, share) in enumerate(zip(sizes.BUCKETS, shares, strict=False)):
        scenes = sample(seed * 100 + number, max(4, round(count * share)), held=False)
        buckets.append(Bucket(scenes, render(scenes, size, device)[0]))
    seconds = time.monotonic() - started
    total = sum(len(b.images) for b in buckets)
    print(f"drew {total} pictures in {seconds:.1f} s, {total / seconds:.0f}/s", flush=True)
    return buckets


def to_pixels(images: Tensor) -> Tensor:
    """uint8 (n, h, w, 3) to floats in -1..1, (n, 3, h, w)."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_uint8(pixels: Tensor) -> Tensor:
    return ((pixels.float().clamp(-1, 1) + 1) * 127.5 + 0.5).to(torch.uint8).permute(0, 2, 3, 1)


def patchify(latents: Tensor) -> Tensor:
    """(n, c, h, w) to (n, 4c, h / 2, w / 2), in the pipeline's order of channels."""
    n, c, h, w = latents.shape
    return (
        latents.reshape(n, c, h // 2, 2, w // 2, 2)
        .permute(0, 1, 3, 5, 2, 4)
        .reshape(n, 4 * c, h // 2, w // 2)
    )


@torch.no_grad()
def encode(autoencoder: Any, images: Tensor, flip: bool = False, batch: int = 512) -> Tensor:
    """Normalised latents as the transformer sees them: (n, tokens, channels), bf16 on a GPU."""
    device = images.device
    mean = autoencoder.bn.running_mean.view(1, -1, 1, 1)
    deviation = torch.sqrt(autoencoder.bn.running_var.view(1, -1, 1, 1) + autoencoder.config.batch_norm_eps)
    done = []
    for some in images.split(batch):
        pixels = to_pixels(some.flip(2) if flip else some)
        with autocast(device):
            latents = patchify(autoencoder.encode(pixels).latent_dist.mode())
        tokens = ((latents.float() - mean) / deviation).flatten(2).transpose(1, 2)
        done.append(tokens.to(torch.bfloat16 if device.type == "cuda" else torch.float32))
    return torch.cat(done)
