"""Noise as small tiles that repeat without a seam: made once from a fixed seed, then looked up, never
computed again.

A look-up costs one bilinear sample, where noise computed by hashing costs dozens of operations per octave;
that is what lets a whole picture's ground be textured in a handful of kernels.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 512
CELLS = 32
CLOUD, GRAIN, SLOPE_X, SLOPE_Z, CELL, CELL_VALUE = range(6)


def _spectral(seed: int, power: float, lowest: float) -> Tensor:
    """Noise with a spectrum falling as 1 / f**power, mean 0, standard deviation 1."""
    white = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    f = torch.fft.fftfreq(SIDE) * SIDE
    radius = torch.sqrt(f[:, None] ** 2 + f[None, :] ** 2).clamp_min(lowest)
    shaped = torch.fft.ifft2(torch.fft.fft2(white) / radius**power).real
    return (shaped - shaped.mean()) / shaped.std()


def _cells(seed: int) -> tuple[Tensor, Tensor]:
    """Voronoi cells on a jittered grid: (distance to the border, one random value per cell), both in 0..1."""
    generator = torch.Generator().manual_seed(seed)
    jitter = 0.15 + 0.7 * torch.rand(CELLS, CELLS, 2, generator=generator)
    value = torch.rand(CELLS, CELLS, generator=generator)
    axis = (torch.arange(SIDE) + 0.5) * CELLS / SIDE
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    distances, values = [], []
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            cy, cx = y.floor() + dy, x.floor() + dx
            at = jitter[cy.long() % CELLS, cx.long() % CELLS]
            distances.append(torch.hypot(cy + at[..., 0] - y, cx + at[..., 1] - x))
            values.append(value[cy.long() % CELLS, cx.long() % CELLS])
    nearest, order = torch.stack(distances).sort(dim=0)
    border = (nearest[1] - nearest[0]).clamp(0, 1)
    return border, torch.stack(values).gather(0, order[:1])[0]


@lru_cache(maxsize=4)
def tiles(device: torch.device) -> Tensor:
    """All channels as (1, 6, SIDE + 1, SIDE + 1); the last row and column repeat the first, for wrapping."""
    cloud = _spectral(11, 1.6, 3.0)
    relief = _spectral(12, 1.25, 6.0)
    slope_x = relief.roll(-1, 1) - relief.roll(1, 1)
    slope_z = relief.roll(-1, 0) - relief.roll(1, 0)
    border, value = _cells(13)
    stack = torch.stack(
        [cloud, _spectral(14, 0.5, 1.0), slope_x / slope_x.std(), slope_z / slope_z.std(), border, value]
    )
    return functional.pad(stack[None], (0, 1, 0, 1), mode="circular").to(device)


def look(channels: slice | int, u: Tensor, v: Tensor) -> Tensor:
    """Noise at (u, v), one tile per unit; u and v are (n, p). One channel gives (n, p), a slice (c, n, p)."""
    texture = tiles(u.device)
    chosen = texture[:, channels : channels + 1] if isinstance(channels, int) else texture[:, channels]
    grid = torch.stack([u - u.floor(), v - v.floor()], dim=-1) * 2 - 1
    values = functional.grid_sample(chosen, grid[None], mode="bilinear", align_corners=True)[0]
    return values[0] if isinstance(channels, int) else values
