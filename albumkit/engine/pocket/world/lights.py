"""The four lights: a sun or lamp, the sky's glow, and the sky itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from albumkit.engine.pocket.world.names import LIGHTS
from albumkit.engine.pocket.world.noise import CLOUD, look
from albumkit.engine.pocket.world.scenes import Scenes

NIGHT = LIGHTS.index("lamp light at night")

# One row per light, in the order of `names.LIGHTS`: linear RGB, and how sharp its shadows are.
_SUN = ((0.62, 0.66, 0.70), (1.95, 1.85, 1.66), (2.3, 1.30, 0.58), (2.9, 1.95, 0.98))
_SKY = ((0.78, 0.82, 0.88), (0.34, 0.46, 0.66), (0.30, 0.31, 0.42), (0.035, 0.048, 0.10))
_ZENITH = ((0.62, 0.67, 0.73), (0.12, 0.30, 0.72), (0.25, 0.30, 0.52), (0.006, 0.010, 0.035))
_HORIZON = ((0.86, 0.88, 0.90), (0.62, 0.76, 0.92), (1.25, 0.62, 0.25), (0.03, 0.04, 0.10))
_CLOUDS = ((0.95, 0.96, 0.98), (1.05, 1.05, 1.05), (1.15, 0.62, 0.48), (0.05, 0.06, 0.11))
_SHARPNESS = (2.2, 26.0, 14.0, 11.0)
# Far off, so that its rays are parallel; a lamp stands beside the thing.
_REACH = (60.0, 60.0, 60.0, 2.6)


@dataclass
class Lighting:
    """Per picture, all (n, 1, ...) so that they spread over pixels."""

    position: Tensor  # (n, 3) of the lamp or sun
    reach: Tensor  # (n,) its distance from the thing
    sun: Tensor  # (n, 1, 3)
    sky: Tensor
    sharpness: Tensor  # (n,)
    night: Tensor  # (n, 1, 1) bool


def lighting(scenes: Scenes) -> Lighting:
    device = scenes.light.device

    def row(table: tuple[tuple[float, float, float], ...]) -> Tensor:
        return torch.tensor(table, device=device)[scenes.light][:, None]

    reach = torch.tensor(_REACH, device=device)[scenes.light]
    across = torch.cos(scenes.sun_elevation)
    direction = torch.stack(
        [
            across * torch.sin(scenes.sun_azimuth),
            torch.sin(scenes.sun_elevation),
            across * torch.cos(scenes.sun_azimuth),
        ],
        dim=-1,
    )
    centre = torch.tensor([0.0, 0.75, 0.0], device=device)
    return Lighting(
        position=centre + direction * reach[:, None],
        reach=reach,
        sun=row(_SUN),
        sky=row(_SKY),
        sharpness=torch.tensor(_SHARPNESS, device=device)[scenes.light],
        night=(scenes.light == NIGHT)[:, None, None],
    )


def far_light(light: Lighting) -> Tensor:
    """What falls on things far off, (n, 1, 3): the lamp of the night does not reach them."""
    return light.sky * 0.9 + torch.where(light.night, 0.02, 0.3) * light.sun


def sky(scenes: Scenes, direction: Tensor) -> Tensor:
    """The colour of the sky in directions (n, p, 3): a gradient with clouds, bright towards the low sun."""
    device = direction.device

    def row(table: tuple[tuple[float, float, float], ...]) -> Tensor:
        return torch.tensor(table, device=device)[scenes.light][:, None]

    up = direction[..., 1].clamp_min(0)
    mix = (1 - torch.exp(-3.2 * up))[..., None]
    colour = row(_HORIZON) * (1 - mix) + row(_ZENITH) * mix
    reach = 0.12 / (up + 0.12)
    u = direction[..., 0] * reach * 1.4 + scenes.scenery[:, :1]
    v = up * reach * 3.0 + scenes.scenery[:, 1:2]
    cloud = torch.sigmoid(2.6 * look(CLOUD, u, v) - 0.8)[..., None] * 0.8
    return colour * (1 - cloud) + row(_CLOUDS) * cloud
