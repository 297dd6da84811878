"""What stands behind the things: a close wall for indoor places, a skyline under the sky for the others."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from albumkit.engine.pocket.world.ground import line, mix, rgb
from albumkit.engine.pocket.world.noise import CELL, CELL_VALUE, CLOUD, GRAIN, look

# How far behind the thing the wall stands, and where the floor ends before it; None where there is the open
# sky.
WALLS = (3.4, 0.95, 1.5, 3.2, None, None, None, 1.7, None, None, None, 2.6)
EDGES = (1.9, 0.95, 1.5, 3.2, None, None, None, 1.7, None, None, None, 2.6)


def room(x: Tensor, y: Tensor, seed: Tensor) -> Tensor:
    """A plain room, with a picture frame, soft as behind a lens."""
    plaster = mix(rgb(x, (0.72, 0.68, 0.60)), rgb(x, (0.60, 0.62, 0.58)), seed[:, 2:3].expand_as(x))
    plaster = mix(plaster, plaster * 0.35, (0.15 - y) * 2.2)
    frame = (x + 1.6 - 3.0 * seed[:, 3:4]).abs() - 0.7
    inside = torch.maximum(frame, (y - 1.9).abs() - 0.5)
    art = mix(
        rgb(x, (0.30, 0.42, 0.48)), rgb(x, (0.75, 0.70, 0.52)), 0.5 + 0.5 * look(CLOUD, x * 0.1, y * 0.1)
    )
    wall = mix(plaster, rgb(x, (0.22, 0.16, 0.11)), 1 - inside * 12)
    return mix(wall, art, -(inside + 0.09) * 14)


def books(x: Tensor, y: Tensor, seed: Tensor) -> Tensor:
    """The backs of books, above them the dark of the shelf."""
    column = x / 0.17 + seed[:, 2:3] * 40
    one = look(CELL_VALUE, column.floor() * 0.0713 + 0.02, torch.full_like(x, 0.55))
    two = look(CELL_VALUE, column.floor() * 0.0713 + 0.02, torch.full_like(x, 0.21))
    back = mix(rgb(x, (0.30, 0.22, 0.20)), rgb(x, (0.62, 0.56, 0.46)), one)
    back = mix(back, rgb(x, (0.20, 0.28, 0.34)), (two - 0.55) * 4)
    back = mix(back, back * 1.7 + 0.05, 0.5 * line((y - 0.28) * 1.1, 0.03))
    gap = line(column, 0.07)
    back = back * (1 - 0.75 * gap[..., None])
    over = y - 1.15 - 0.6 * two
    return mix(back, rgb(x, (0.16, 0.11, 0.07)), over * 20)


def tiled(x: Tensor, y: Tensor, seed: Tensor) -> Tensor:
    row = y / 0.36
    column = x / 0.72 + 0.5 * (row.floor() % 2) + seed[:, 2:3]
    tone = look(CELL_VALUE, column.floor() * 0.173, row.floor() * 0.131)
    tile = mix(rgb(x, (0.90, 0.92, 0.91)), rgb(x, (0.80, 0.85, 0.85)), tone)
    joint = torch.maximum(line(row, 0.045), line(column, 0.024))
    return mix(tile, rgb(x, (0.55, 0.57, 0.57)), joint)


def salon(x: Tensor, y: Tensor, seed: Tensor) -> Tensor:
    stripe = ((torch.sin(x * 9.0) * 3).clamp(-1, 1) + 1) / 2
    paper = mix(rgb(x, (0.80, 0.76, 0.68)), rgb(x, (0.73, 0.68, 0.59)), stripe)
    return mix(paper, rgb(x, (0.90, 0.88, 0.84)), (0.32 - y) * 40)


def bricks(x: Tensor, y: Tensor, seed: Tensor) -> Tensor:
    row = y / 0.19
    column = x / 0.52 + 0.5 * (row.floor() % 2) + seed[:, 2:3]
    tone = look(CELL_VALUE, column.floor() * 0.173, row.floor() * 0.131)
    brick = mix(rgb(x, (0.62, 0.27, 0.19)), rgb(x, (0.44, 0.20, 0.15)), tone)
    brick = brick * (1 + 0.2 * look(GRAIN, x * 0.7, y * 0.7))[..., None]
    joint = torch.maximum(line(row, 0.085), line(column, 0.032))
    return mix(brick, rgb(x, (0.66, 0.62, 0.56)), joint)


def hedge(x: Tensor, y: Tensor, seed: Tensor) -> Tensor:
    u, v = x * 0.17 + seed[:, 2:3], y * 0.17
    leaf = mix(rgb(x, (0.10, 0.22, 0.07)), rgb(x, (0.34, 0.50, 0.17)), look(CELL_VALUE, u, v))
    return leaf * (0.35 + 2.0 * look(CELL, u, v)).clamp(0, 1.3)[..., None]


WALL_COVERS: tuple[Callable[[Tensor, Tensor, Tensor], Tensor] | None, ...] = (
    room, books, tiled, salon, None, None, None, bricks, None, None, None, hedge,
)  # fmt: skip


def _ridge(across: Tensor, seed: Tensor, scale: float, base: float, swing: float) -> Tensor:
    return base + swing * look(CLOUD, across * scale + seed[:, 2:3], torch.full_like(across, 0.37))


def hills(across: Tensor, up: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    far = _ridge(across, seed, 0.07, 0.10, 0.035)
    trees = _ridge(across, seed, 0.12, 0.045, 0.02) + 0.012 * look(GRAIN, across * 1.3, up * 0 + 0.1)
    colour = mix(rgb(up, (0.42, 0.55, 0.50)), rgb(up, (0.17, 0.32, 0.12)), (trees - up) * 90)
    return colour, ((torch.maximum(far, trees) - up) * 90).clamp(0, 1)


def pines(across: Tensor, up: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    trunk = across * 7 + seed[:, 2:3] * 9
    size = look(CELL_VALUE, trunk.floor() * 0.0713, torch.full_like(up, 0.4))
    tip = (0.10 + 0.17 * size) * (1 - 1.9 * (trunk - trunk.floor() - 0.5).abs())
    ragged = tip + 0.015 * torch.sin(up * 190)
    colour = mix(
        rgb(up, (0.13, 0.24, 0.19)), rgb(up, (0.78, 0.84, 0.90)), 0.25 + 0.3 * look(GRAIN, across, up)
    )
    return colour, ((ragged - up) * 60).clamp(0, 1)


def trees(across: Tensor, up: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    column = across * 4.2 + seed[:, 2:3] * 9 + 0.05 * torch.sin(up * 9)
    size = look(CELL_VALUE, column.floor() * 0.0713, torch.full_like(up, 0.7))
    trunk = ((0.10 + 0.14 * size - (column - column.floor() - 0.5).abs()) * 30).clamp(0, 1)
    leaf = look(CLOUD, across * 0.35 + seed[:, :1], up * 0.5)
    value = look(CELL_VALUE, across * 1.1 + seed[:, 3:4], up * 1.3)
    foliage = mix(rgb(up, (0.90, 0.62, 0.22)), rgb(up, (0.66, 0.34, 0.12)), 0.5 + 0.35 * leaf)
    foliage = mix(foliage, rgb(up, (0.92, 0.74, 0.28)), (value - 0.6) * 2)
    cover = torch.maximum(trunk, ((0.55 + 0.18 * leaf - up) * 5).clamp(0, 1))
    return mix(foliage, rgb(up, (0.17, 0.11, 0.07)), trunk), cover


def houses(across: Tensor, up: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    column = across * 1.9 + seed[:, 2:3] * 9
    size = look(CELL_VALUE, column.floor() * 0.0713, torch.full_like(up, 0.15))
    tone = look(CELL_VALUE, column.floor() * 0.0713, torch.full_like(up, 0.85))
    facade = mix(rgb(up, (0.52, 0.46, 0.42)), rgb(up, (0.72, 0.68, 0.60)), tone)
    across_panes, up_panes = (column * 5) % 1 - 0.5, (up * 15) % 1 - 0.5
    pane = ((0.28 - across_panes.abs()) * 12).clamp(0, 1) * ((0.3 - up_panes.abs()) * 12).clamp(0, 1)
    colour = mix(facade, rgb(up, (0.16, 0.20, 0.25)), pane)
    return colour, ((0.22 + 0.4 * size - up) * 60).clamp(0, 1)


def dunes(across: Tensor, up: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    crest = _ridge(across, seed, 0.05, 0.06, 0.04)
    shade = ((look(CLOUD, across * 0.05 + seed[:, 2:3] + 0.02, up * 0.3) + 0.4) * 1.5).clamp(0, 1)
    return mix(rgb(up, (0.86, 0.56, 0.33)), rgb(up, (0.68, 0.38, 0.21)), shade), ((crest - up) * 90).clamp(
        0, 1
    )


def sea(across: Tensor, up: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    """Only a strip of water under the horizon; the water itself belongs to the ground."""
    return rgb(up, (0.12, 0.40, 0.52)).expand(*up.shape, 3), ((0.004 - up) * 200).clamp(0, 1)


SKYLINES: tuple[Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] | None, ...] = (
    None, None, None, None, hills, sea, pines, None, trees, houses, dunes, None,
)  # fmt: skip
