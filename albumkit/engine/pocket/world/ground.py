"""What the places' floors look like: one function per place, from floor coordinates to colour and relief.

Coordinates are (n, p) for the n pictures of this place; `seed` is (n, 4) in 0..1 and moves each picture's
floor to another spot. Detail fades with `near` (1 close by, 0 far off), which is what keeps distant floors
from glittering.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from albumkit.engine.pocket.world.noise import CELL, CELL_VALUE, CLOUD, GRAIN, SLOPE_X, SLOPE_Z, look
from albumkit.engine.pocket.world.scenes import linear

Triple = tuple[float, float, float]


@dataclass
class Cover:
    albedo: Tensor  # (n, p, 3) linear
    relief: Tensor | None = None  # (2, n, p) slopes of the surface along x and z
    gloss: float = 0.0


@dataclass
class Spot:
    x: Tensor
    z: Tensor
    near: Tensor
    seed: Tensor

    def noise(self, channel: int, scale: float, stretch: float = 1.0) -> Tensor:
        return look(channel, self.x * scale + self.seed[:, :1], self.z * scale * stretch + self.seed[:, 1:2])

    def slopes(self, scale: float, strength: float) -> Tensor:
        u, v = self.x * scale + self.seed[:, :1], self.z * scale + self.seed[:, 1:2]
        return look(slice(SLOPE_X, SLOPE_Z + 1), u, v) * (strength * self.near)


def rgb(like: Tensor, colour: Triple) -> Tensor:
    return linear(torch.tensor(colour, device=like.device))


def mix(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    return a + (b - a) * weight[..., None].clamp(0, 1)


def line(value: Tensor, width: float, near: Tensor | float = 1.0) -> Tensor:
    """1 on the whole numbers of `value`, falling to 0 over `width`."""
    gap = (value - value.round()).abs()
    return (1.4 - gap / width).clamp(0, 1) * near


def _wood(spot: Spot, light: Triple, dark: Triple, along: float) -> Tensor:
    rings = look(CLOUD, spot.x * 0.10 + spot.seed[:, :1] + along, spot.z * 1.1 + spot.seed[:, 1:2])
    fibre = look(GRAIN, spot.x * 0.22 + spot.seed[:, 2:3], spot.z * 1.9)
    weight = 0.5 + 0.26 * torch.sin(5.0 * rings) + 0.16 * fibre * spot.near
    return mix(rgb(spot.x, light), rgb(spot.x, dark), weight)


def table(spot: Spot) -> Cover:
    plank = spot.z / 0.62 + spot.seed[:, 2:3]
    tone = look(CELL_VALUE, plank.floor() * 0.137 + 0.05, torch.full_like(plank, 0.31))
    wood = _wood(spot, (0.72, 0.46, 0.26), (0.42, 0.23, 0.11), 0.0) * (0.8 + 0.4 * tone[..., None])
    return Cover(wood * (1 - 0.75 * line(plank, 0.022)[..., None]), gloss=0.35)


def shelf(spot: Spot) -> Cover:
    return Cover(_wood(spot, (0.90, 0.77, 0.56), (0.74, 0.56, 0.36), 0.4), gloss=0.15)


def counter(spot: Spot) -> Cover:
    speck = spot.noise(GRAIN, 1.3) + 0.7 * spot.noise(GRAIN, 0.55)
    vein = spot.noise(CLOUD, 0.4)
    stone = mix(
        rgb(spot.x, (0.80, 0.81, 0.82)), rgb(spot.x, (0.42, 0.44, 0.47)), 0.25 + 0.3 * speck * spot.near
    )
    return Cover(mix(stone, rgb(spot.x, (0.62, 0.62, 0.65)), 0.2 + 0.25 * vein), gloss=0.7)


def carpet(spot: Spot) -> Cover:
    band = (torch.hypot(spot.x, spot.z) * 1.5 + 2 * spot.seed[:, 2:3]) % 1
    figure = torch.sin(spot.x * 7.0) * torch.sin(spot.z * 7.0)
    base = mix(
        rgb(spot.x, (0.22, 0.36, 0.40)), rgb(spot.x, (0.70, 0.62, 0.48)), ((band - 0.6) * 14).clamp(0, 1)
    )
    base = mix(base, rgb(spot.x, (0.52, 0.22, 0.20)), (figure - 0.55) * 9)
    weave = 1 + 0.28 * spot.noise(GRAIN, 1.7)[..., None] * spot.near[..., None]
    return Cover(base * weave.clamp(0.4, 1.6), spot.slopes(1.1, 0.25))


def meadow(spot: Spot) -> Cover:
    blades = look(GRAIN, spot.x * 1.5 + spot.seed[:, :1], spot.z * 0.35 + spot.seed[:, 1:2])
    patch = spot.noise(CLOUD, 0.13)
    grass = mix(rgb(spot.x, (0.25, 0.46, 0.10)), rgb(spot.x, (0.52, 0.68, 0.20)), 0.5 + 0.3 * patch)
    grass = grass * (1 + 0.38 * blades * spot.near)[..., None].clamp(0.25, 2)
    value, border = spot.noise(CELL_VALUE, 0.16), spot.noise(CELL, 0.16)
    flower = ((border - 0.42) * 8).clamp(0, 1) * (value > 0.72) * spot.near
    petal = torch.where(
        (value > 0.86)[..., None], rgb(spot.x, (0.97, 0.92, 0.55)), rgb(spot.x, (0.95, 0.94, 0.97))
    )
    return Cover(mix(grass, petal, flower), spot.slopes(0.9, 0.55))


def beach(spot: Spot) -> Cover:
    sand = mix(
        rgb(spot.x, (0.86, 0.78, 0.62)), rgb(spot.x, (0.70, 0.61, 0.46)), 0.45 + 0.25 * spot.noise(CLOUD, 0.2)
    )
    sand = sand * (1 + 0.13 * spot.noise(GRAIN, 1.5) * spot.near)[..., None]
    shell = (
        ((spot.noise(CELL, 0.11) - 0.52) * 9).clamp(0, 1) * (spot.noise(CELL_VALUE, 0.11) > 0.66) * spot.near
    )
    sand = mix(sand, rgb(spot.x, (0.95, 0.91, 0.86)), shell)
    shore = spot.z + 3.4 + 1.2 * spot.seed[:, 2:3] + 0.35 * spot.noise(CLOUD, 0.06)
    sea = mix(
        rgb(spot.x, (0.10, 0.42, 0.55)),
        rgb(spot.x, (0.30, 0.66, 0.72)),
        0.5 + 0.3 * spot.noise(CLOUD, 0.1, 4.0),
    )
    wet = mix(sand, sand * 0.55, 1 - shore / 0.9)
    ground = torch.where((shore < 0)[..., None], sea, wet)
    foam = (1 - (shore + 0.12).abs() / 0.16).clamp(0, 1) + 0.7 * line(shore * 0.55 + 0.2, 0.05) * (
        shore < -0.4
    )
    return Cover(mix(ground, rgb(spot.x, (0.95, 0.97, 0.98)), foam), spot.slopes(0.45, 0.4))


def snow(spot: Spot) -> Cover:
    drift = spot.noise(CLOUD, 0.12)
    white = mix(rgb(spot.x, (0.94, 0.96, 0.99)), rgb(spot.x, (0.80, 0.87, 0.96)), 0.4 + 0.3 * drift)
    return Cover(white * (1 + 0.04 * spot.noise(GRAIN, 1.6) * spot.near)[..., None], spot.slopes(0.28, 0.5))


def paving(spot: Spot) -> Cover:
    row = spot.z / 0.9 + spot.seed[:, :1]
    column = spot.x / 0.9 + spot.seed[:, 1:2] + 0.5 * (row.floor() % 2)
    tone = look(CELL_VALUE, column.floor() * 0.173 + 0.4, row.floor() * 0.131 + 0.2)
    stone = mix(rgb(spot.x, (0.58, 0.57, 0.54)), rgb(spot.x, (0.44, 0.44, 0.43)), tone)
    stone = stone * (1 + 0.16 * spot.noise(GRAIN, 0.8) * spot.near)[..., None]
    joint = torch.maximum(line(row, 0.02), line(column, 0.02))
    return Cover(stone * (1 - 0.6 * joint[..., None]), spot.slopes(0.7, 0.15))


def leaves(spot: Spot) -> Cover:
    value, border = spot.noise(CELL_VALUE, 0.16), spot.noise(CELL, 0.16)
    small = spot.noise(CELL_VALUE, 0.29)
    litter = mix(rgb(spot.x, (0.36, 0.20, 0.09)), rgb(spot.x, (0.86, 0.48, 0.12)), value)
    litter = mix(litter, rgb(spot.x, (0.72, 0.26, 0.08)), (small - 0.55) * 3)
    shade = 0.55 + 0.6 * (border * 2.2).clamp(0, 0.8)
    return Cover(litter * shade[..., None], spot.slopes(1.0, 0.5))


def street(spot: Spot) -> Cover:
    speck = spot.noise(GRAIN, 1.6)
    tar = mix(
        rgb(spot.x, (0.30, 0.30, 0.32)), rgb(spot.x, (0.40, 0.40, 0.41)), 0.5 + 0.3 * spot.noise(CLOUD, 0.15)
    )
    tar = tar * (1 + 0.22 * speck * spot.near)[..., None]
    dash = ((spot.x * 0.4 + spot.seed[:, 2:3]) % 1 < 0.62) & ((spot.z + 1.9).abs() < 0.16)
    kerb = ((spot.z + 3.6) < 0)[..., None]
    tar = torch.where(dash[..., None], rgb(spot.x, (0.86, 0.85, 0.80)), tar)
    return Cover(torch.where(kerb, rgb(spot.x, (0.56, 0.55, 0.53)), tar), spot.slopes(1.2, 0.2), gloss=0.15)


def desert(spot: Spot) -> Cover:
    bend = spot.noise(CLOUD, 0.09)
    phase = (
        8.5 * (spot.z + 0.3 * spot.x) + 0.9 * bend + 6.3 * torch.sin(0.4 * spot.x + 6.3 * spot.seed[:, 2:3])
    )
    sand = mix(
        rgb(spot.x, (0.87, 0.54, 0.30)),
        rgb(spot.x, (0.70, 0.38, 0.19)),
        0.5 + 0.3 * bend + 0.25 * torch.sin(phase),
    )
    sand = sand * (1 + 0.10 * spot.noise(GRAIN, 1.5) * spot.near)[..., None]
    ripple = torch.cos(phase) * 0.6 * spot.near
    return Cover(sand, torch.stack([0.3 * ripple, ripple]))


def pebbles(spot: Spot) -> Cover:
    value, border = spot.noise(CELL_VALUE, 0.105), spot.noise(CELL, 0.105)
    stone = mix(rgb(spot.x, (0.50, 0.50, 0.52)), rgb(spot.x, (0.80, 0.78, 0.73)), value)
    stone = mix(stone, rgb(spot.x, (0.55, 0.45, 0.38)), ((value * 7) % 1 - 0.7) * 3)
    round_off = (0.28 + border * 2.6).clamp(0, 1) * spot.near + (1 - spot.near) * 0.7
    return Cover(stone * round_off[..., None], spot.slopes(0.8, 0.2), gloss=0.1)


# In the order of `names.PLACES`.
GROUNDS: tuple[Callable[[Spot], Cover], ...] = (
    table, shelf, counter, carpet, meadow, beach, snow, paving, leaves, street, desert, pebbles,
)  # fmt: skip
