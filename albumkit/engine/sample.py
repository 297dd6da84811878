"""Pictures from the base and its adapter: Euler steps along the predicted velocity, from noise to picture.

The noise levels are those of the base's own scheduler, shifted as its pipeline does; a seed gives the noise
that diffusers' pipeline draws for it, so that both make the same picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from albumkit.engine.base import Base
    from albumkit.engine.machine import Machine


@dataclass(frozen=True)
class Recipe:
    """``guidance`` 1 asks once a step; more asks also for the empty prompt and leans away from it."""

    width: int
    height: int
    steps: int
    guidance: float

    @classmethod
    def usual(cls, base: Base, width: int, height: int) -> Recipe:
        """The base's own guidance, and as many steps as a look needs."""
        return cls(width, height, base.picture_steps, base.guidance)


def sample_latents(
    transformer: Any,
    base: Base,
    machine: Machine,
    text: Tensor,
    empty: Tensor,
    recipe: Recipe,
    seed: int,
    references: Sequence[Tensor] = (),
) -> Tensor:
    """One picture's latents, (1, channels, height, width).

    Args:
        text, empty: Of the prompt and of the empty one, (tokens, width).
    """
    return sample_batch(transformer, base, machine, [text], empty, recipe, [seed], references)


def sample_batch(
    transformer: Any,
    base: Base,
    machine: Machine,
    texts: Sequence[Tensor],
    empty: Tensor,
    recipe: Recipe,
    seeds: Sequence[int],
    references: Sequence[Tensor] = (),
) -> Tensor:
    """Several pictures' latents at once, (n, channels, height, width): each has the noise of its own seed."""
    import torch

    token, device = base.pixels_per_token, machine.device
    shape = (1, base.config("transformer")["in_channels"], recipe.height // token, recipe.width // token)
    noises = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    latents = torch.cat(noises).to(device)
    guided = recipe.guidance > 1
    words = torch.stack([*texts, *([empty] * len(texts) if guided else [])]).to(device)
    sides = [one.expand(len(words), -1, -1, -1).to(device) for one in references]
    levels = noise_levels(base, shape[-2] * shape[-1], recipe.steps).to(device)
    transformer.eval()
    with torch.inference_mode():
        for level, following in itertools.pairwise(levels):
            noisy, sigma = latents.repeat(2 if guided else 1, 1, 1, 1), level.expand(len(words))
            velocity = base.family.predict(transformer, noisy, sigma, words, sides).float()
            wanted, unasked = velocity.chunk(2) if guided else (velocity, velocity)
            latents = latents + (following - level) * (unasked + recipe.guidance * (wanted - unasked))
    return latents


def noise_levels(base: Base, tokens: int, steps: int) -> Tensor:
    """From 1 to 0 in ``steps`` steps."""
    import torch

    scheduler = base.load("scheduler")
    even = torch.linspace(1.0, 1 / steps, steps).tolist()
    scheduler.set_timesteps(steps, sigmas=even, mu=base.family.sampling_shift(tokens, steps))
    levels: Tensor = scheduler.sigmas
    return levels


def to_picture(base: Base, vae: Any, latents: Tensor) -> Image:
    """Decode one picture."""
    import torch

    with torch.inference_mode():
        return as_picture(base.family.decode_image(vae, latents)[0])


def as_picture(pixels: Tensor) -> Image:
    """(3, height, width) in -1..1 -> RGB."""
    import torch
    from PIL import Image

    values = ((pixels.cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    return Image.frombytes("RGB", (values.shape[1], values.shape[0]), values.numpy().tobytes())
