"""Where rays meet the thing: sphere tracing of flat lists of rays, one kind at a time, never one picture at a
time.

All pictures of a kind are traced together. Rays are kept as flat tensors of single coordinates, and those
that have arrived or left are dropped every few steps, so that work goes only where the thing is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from albumkit.engine.pocket.world import shapes
from albumkit.engine.pocket.world.scenes import Scenes

_ROUNDS, _STEPS = 11, 4  # steps between two droppings, and how many times
_SHORT = 0.92  # the distances are bounds, and blends bend them: step a little short
_SHADOW_STEPS = 18


@dataclass
class Rays:
    """Flat rays in the coordinates of their thing; `picture` says whose each is."""

    picture: Tensor
    ox: Tensor
    oy: Tensor
    oz: Tensor
    dx: Tensor
    dy: Tensor
    dz: Tensor

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.ox + t * self.dx, self.oy + t * self.dy, self.oz + t * self.dz

    def __getitem__(self, index: Tensor) -> Rays:
        return Rays(*(getattr(self, name)[index] for name in ("picture", "ox", "oy", "oz", "dx", "dy", "dz")))


def turn(scenes: Scenes, picture: Tensor, x: Tensor, z: Tensor, back: bool = False) -> tuple[Tensor, Tensor]:
    """(x, z) turned from the world into the thing's own frame, or back."""
    c = torch.cos(scenes.yaw)[picture]
    s = torch.sin(scenes.yaw)[picture] * (-1.0 if back else 1.0)
    return c * x - s * z, s * x + c * z


def bounds(rays: Rays, radius: float) -> tuple[Tensor, Tensor]:
    """Where each ray enters and leaves the ball around the thing; enter > leave where it misses."""
    oy = rays.oy - shapes.CENTRE
    b = rays.ox * rays.dx + oy * rays.dy + rays.oz * rays.dz
    c = rays.ox**2 + oy**2 + rays.oz**2 - radius**2
    root = b * b - c
    half = torch.sqrt(root.clamp_min(0))
    miss = root <= 0
    enter = torch.where(miss, torch.ones_like(b), (-b - half).clamp_min(0))
    return enter, torch.where(miss, torch.zeros_like(b), -b + half)


def specimen(scenes: Scenes, picture: Tensor) -> Tensor:
    """The shape numbers of each ray's thing as (8, m), one row per number."""
    return scenes.shape.t().contiguous()[:, picture]


def by_kind(scenes: Scenes, picture: Tensor) -> list[tuple[int, Tensor]]:
    """The flat indices of every kind that occurs."""
    kinds = scenes.kind[picture]
    present = torch.unique(scenes.kind).tolist()
    return [(kind, torch.nonzero(kinds == kind)[:, 0]) for kind in present]


def march(scenes: Scenes, rays: Rays, eps: float) -> Tensor:
    """The distance along each ray to the thing's surface; infinity where it misses."""
    reached = torch.full_like(rays.ox, torch.inf)
    enter, leave = bounds(rays, shapes.RADIUS)
    near = torch.nonzero(leave > enter)[:, 0]
    for kind, of_kind in by_kind(scenes, rays.picture[near]):
        alive = near[of_kind]
        t = enter[alive]
        # A ray that grazes an edge creeps along it: what counts as arrived grows with the rounds.
        for grow in torch.linspace(0.5, 3.0, _ROUNDS).tolist():
            if not len(alive):
                break
            some = rays[alive]
            s = specimen(scenes, some.picture)
            for _ in range(_STEPS):
                d = shapes.distance(kind, *some.at(t), s)
                t = t + d * _SHORT
            hit = d < eps * grow
            reached[alive[hit]] = t[hit]
            going = ~hit & (t < leave[alive])
            alive, t = alive[going], t[going]
    return reached


def normals(scenes: Scenes, points: Rays, eps: float) -> tuple[Tensor, Tensor]:
    """(unit normals (m, 3) in the thing's frame, part index) at points given as the origins of `points`."""
    normal = torch.zeros(len(points.ox), 3, device=points.ox.device)
    part = torch.zeros_like(points.picture)
    for kind, index in by_kind(scenes, points.picture):
        if not len(index):
            continue
        x, y, z = points.ox[index], points.oy[index], points.oz[index]
        s = specimen(scenes, points.picture[index])
        total = torch.zeros(len(index), 3, device=x.device)
        for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
            d = shapes.distance(kind, x + eps * corner[0], y + eps * corner[1], z + eps * corner[2], s)
            total += d[:, None] * torch.tensor(corner, dtype=torch.float32, device=x.device)
        normal[index] = total / total.norm(dim=-1, keepdim=True).clamp_min(1e-9)
        part[index] = shapes.part(kind, x, y, z, s)
    return normal, part


def openness(scenes: Scenes, points: Rays, reaches: tuple[float, ...]) -> Tensor:
    """How much of the sky the thing leaves free at each origin, felt along each direction (1 = all)."""
    hidden = torch.zeros_like(points.ox)
    for kind, index in by_kind(scenes, points.picture):
        if not len(index):
            continue
        some = points[index]
        s = specimen(scenes, some.picture)
        for k, reach in enumerate(reaches):
            d = shapes.distance(kind, *some.at(torch.full_like(some.ox, reach)), s)
            hidden[index] += (reach - d).clamp_min(0) / reach * 0.62**k
    return (1 - 0.55 * hidden).clamp(0.08, 1)


def shadow(scenes: Scenes, rays: Rays, sharpness: Tensor, far: Tensor) -> Tensor:
    """How much of the lamp each origin sees, 0..1, with a penumbra; `far` is the distance to the lamp."""
    seen = torch.ones_like(rays.ox)
    enter, leave = bounds(rays, shapes.RADIUS)
    near = torch.nonzero(leave > enter)[:, 0]
    for kind, within in by_kind(scenes, rays.picture[near]):
        index = near[within]
        if not len(index):
            continue
        some, k = rays[index], sharpness[index]
        s = specimen(scenes, some.picture)
        last = torch.minimum(leave[index], far[index])
        t = enter[index].clamp_min(0.012)
        light = torch.ones_like(t)
        for _ in range(_SHADOW_STEPS):
            d = shapes.distance(kind, *some.at(t), s)
            light = torch.where(t < last, torch.minimum(light, 0.5 + 0.5 * k * d / t), light)
            t = t + d.clamp(0.02, 0.25)
        light = light.clamp(0, 1)
        seen[index] = light * light * (3 - 2 * light)
    return seen
