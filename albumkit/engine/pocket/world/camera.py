"""Rays: from where each picture's camera stands through every pixel."""

import torch
from torch import Tensor

from albumkit.engine.pocket.world.scenes import Scenes
from albumkit.engine.pocket.world.shapes import CENTRE


def rays(scenes: Scenes, height: int, width: int) -> tuple[Tensor, Tensor]:
    """(origin (n, 3), unit directions (n, height * width, 3)) for pixels from the top left."""
    device = scenes.azimuth.device
    level = torch.cos(scenes.elevation)
    outward = torch.stack(
        [
            level * torch.sin(scenes.azimuth),
            torch.sin(scenes.elevation),
            level * torch.cos(scenes.azimuth),
        ],
        dim=-1,
    )
    right = torch.stack(
        [torch.cos(scenes.azimuth), torch.zeros_like(level), -torch.sin(scenes.azimuth)], dim=-1
    )
    up = torch.linalg.cross(outward, right)
    origin = outward * scenes.distance[:, None]
    origin[:, 1] = (origin[:, 1] + CENTRE).clamp_min(0.12)
    short = min(height, width)
    y = -((torch.arange(height, device=device) + 0.5) * 2 - height) / short
    x = ((torch.arange(width, device=device) + 0.5) * 2 - width) / short
    v = (y[None] - scenes.aim[:, 1:]) * scenes.view[:, None]
    u = (x[None] - scenes.aim[:, :1]) * scenes.view[:, None]
    direction = (
        -outward[:, None, None]
        + up[:, None, None] * v[:, :, None, None]
        + right[:, None, None] * u[:, None, :, None]
    ).reshape(len(scenes), height * width, 3)
    return origin, direction / direction.norm(dim=-1, keepdim=True)
