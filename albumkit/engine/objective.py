"""What is learned: at a random noise level sigma (1 = pure noise), which way leads from picture to noise.

``docs/training-objective.md`` says why ``shifted`` is the default.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor

SAMPLINGS = ("shifted", "logit-normal", "uniform")
#: The shift of FLUX at 256 tokens and at 4096, linear between (``base_shift`` and ``max_shift`` of its
#: scheduler).
_SMALL, _LARGE = (256, 0.5), (4096, 1.15)


def draw_sigma(sampling: str, tokens: int, chance: Generator) -> float:
    """How much noise one example gets: more often in the middle (logit-normal), leaning towards noise the
    more tokens the picture has (shifted), or alike everywhere (uniform).
    """
    import torch

    if sampling == "uniform":
        return float(torch.rand((), generator=chance))
    level = float(torch.randn((), generator=chance))
    if sampling == "shifted":
        level += shift_of(tokens)
    return 1 / (1 + math.exp(-level))


def shift_of(tokens: int) -> float:
    """How far a picture of so many tokens leans: neighbours agree, so that it takes more noise to hide a
    shape.
    """
    (few, low), (many, high) = _SMALL, _LARGE
    return low + (high - low) * (tokens - few) / (many - few)


def noised(image: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """A straight line from picture to noise; ``sigma`` has one number an example."""
    level = sigma.view(-1, 1, 1, 1)
    return (1 - level) * image + level * noise


def velocity(image: Tensor, noise: Tensor) -> Tensor:
    """Where that line goes, at every point of it."""
    return noise - image


def masked_loss(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean squared error of each example, (n,): sum of weight x error / sum of weight.

    Args:
        weight: (n, 1, height, width), never negative; None counts every token alike.
    """
    error = (prediction.float() - target.float()).pow(2)
    if weight is None:
        return error.flatten(1).mean(1)
    weight = weight.expand_as(error)
    return (error * weight).flatten(1).sum(1) / weight.flatten(1).sum(1)
