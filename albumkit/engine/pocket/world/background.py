"""Everything but the thing: floors, walls, skylines and the sky, drawn place by place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from albumkit.engine.pocket.world.backdrops import EDGES, SKYLINES, WALL_COVERS, WALLS
from albumkit.engine.pocket.world.ground import GROUNDS, Spot
from albumkit.engine.pocket.world.lights import Lighting, far_light, sky
from albumkit.engine.pocket.world.scenes import Scenes

FAR = 1e6


@dataclass
class Buffers:
    """What every (sub)pixel sees, (n, p) or (n, p, 3): the developed picture and the ink drawing both start
    here.
    """

    depth: Tensor  # FAR for the sky
    thing: Tensor  # bool: the thing itself
    normal: Tensor
    albedo: Tensor
    glow: Tensor  # light that needs no lamp: sky, skyline, haze
    gloss: Tensor


def background(scenes: Scenes, light: Lighting, origin: Tensor, direction: Tensor) -> Buffers:
    n, p = direction.shape[:2]
    device = direction.device
    buffers = Buffers(
        depth=torch.full((n, p), FAR, device=device),
        thing=torch.zeros(n, p, dtype=torch.bool, device=device),
        normal=torch.zeros(n, p, 3, device=device),
        albedo=torch.zeros(n, p, 3, device=device),
        glow=torch.zeros(n, p, 3, device=device),
        gloss=torch.zeros(n, p, device=device),
    )
    for place in torch.unique(scenes.place).tolist():
        index = torch.nonzero(scenes.place == place)[:, 0]
        draw = _open_air if WALLS[place] is None else _indoors
        view = _View(scenes[index], place, origin[index], direction[index], far_light(light)[index])
        for name, value in draw(view).items():
            getattr(buffers, name)[index] = value
    return buffers


@dataclass
class _View:
    """The pictures of one place."""

    scenes: Scenes
    place: int
    origin: Tensor
    direction: Tensor
    far_light: Tensor

    def on_plane(self, t: Tensor, axis: int) -> Tensor:
        return self.origin[:, axis : axis + 1] + t * self.direction[..., axis]


def _floor(view: _View) -> tuple[Tensor, dict[str, Tensor]]:
    """The floor as if it had no end: distance, and what it looks like."""
    fall = view.direction[..., 1]
    t = torch.where(fall < -1e-4, -view.origin[:, 1:2] / fall.clamp_max(-1e-4), FAR)
    near = torch.exp(-(((t - view.scenes.distance[:, None] + 1).clamp_min(0) / 6) ** 1.5))
    x, z = view.on_plane(t, 0).clamp(-99, 99), view.on_plane(t, 2).clamp(-99, 99)
    cover = GROUNDS[view.place](Spot(x, z, near, view.scenes.scenery))
    slope = torch.zeros(2, *t.shape, device=t.device) if cover.relief is None else cover.relief
    normal = functional.normalize(torch.stack([-slope[0], torch.ones_like(t), -slope[1]], dim=-1), dim=-1)
    return t, {"albedo": cover.albedo, "normal": normal, "gloss": torch.full_like(t, cover.gloss)}


def _indoors(view: _View) -> dict[str, Tensor]:
    t, floor = _floor(view)
    wall, cover = WALLS[view.place], WALL_COVERS[view.place]
    assert wall is not None
    assert cover is not None
    t_wall = (-wall - view.origin[:, 2:]) / view.direction[..., 2].clamp_max(-1e-3)
    on_floor = (t < FAR) & (view.on_plane(t, 2) > -EDGES[view.place])
    painted = cover(view.on_plane(t_wall, 0), view.on_plane(t_wall, 1), view.scenes.scenery)
    forward = torch.tensor([0.0, 0.0, 1.0], device=t.device)
    return {
        "depth": torch.where(on_floor, t, t_wall),
        "albedo": torch.where(on_floor[..., None], floor["albedo"], painted),
        "normal": torch.where(on_floor[..., None], floor["normal"], forward),
        "gloss": floor["gloss"] * on_floor,
    }


def _open_air(view: _View) -> dict[str, Tensor]:
    t, floor = _floor(view)
    skyline = SKYLINES[view.place]
    assert skyline is not None
    x, y, z = view.direction.unbind(-1)
    heaven = sky(view.scenes, view.direction)
    horizon = sky(view.scenes, torch.stack([x, torch.zeros_like(y), z], dim=-1))
    tone, covered = skyline(torch.atan2(x, -z), (y / torch.hypot(x, z)).clamp_min(0), view.scenes.scenery)
    lit = tone * view.far_light
    lit = lit + (horizon - lit) * 0.2
    beyond = heaven + (lit - heaven) * covered[..., None]
    on_floor = (t < 80)[..., None]
    haze = (1 - torch.exp(-((t / 45) ** 1.5)))[..., None]
    return {
        "depth": torch.where(on_floor[..., 0], t, FAR),
        "albedo": torch.where(on_floor, floor["albedo"] * (1 - haze), 0),
        "glow": torch.where(on_floor, horizon * haze, beyond),
        "normal": floor["normal"],
        "gloss": floor["gloss"] * on_floor[..., 0],
    }
