"""Photographs of scenes: trace, light, blur what is out of focus, develop.

`render` is the one way in. On a GPU thousands of pictures share every kernel; on a CPU small chunks stay in
its cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from albumkit.engine.pocket.world.background import FAR, Buffers, background
from albumkit.engine.pocket.world.camera import rays
from albumkit.engine.pocket.world.lights import Lighting, lighting, sky
from albumkit.engine.pocket.world.names import FINISHES
from albumkit.engine.pocket.world.noise import GRAIN, SIDE, look
from albumkit.engine.pocket.world.patterns import surface
from albumkit.engine.pocket.world.scenes import Scenes
from albumkit.engine.pocket.world.trace import Rays, march, normals, openness, shadow, turn

Size = int | tuple[int, int]

_GLOSS = (0.06, 0.55, 0.75)  # by finish: matte, glossy, metal
SUBPIXELS = 2


@dataclass
class Traced:
    """A chunk's buffers with the rays that filled them."""

    buffers: Buffers
    light: Lighting
    origin: Tensor
    direction: Tensor
    seen: Tensor  # (n, p) how much of the lamp every point sees
    open: Tensor  # (n, p) how much of the sky


def _local(scenes: Scenes, picture: Tensor, start: Tensor, direction: Tensor) -> Rays:
    """Flat rays from world points (m, 3) along (m, 3), in the frame of each picture's thing."""
    ox, oz = turn(scenes, picture, start[:, 0], start[:, 2])
    dx, dz = turn(scenes, picture, direction[:, 0], direction[:, 2])
    return Rays(picture, ox, start[:, 1].contiguous(), oz, dx, direction[:, 1].contiguous(), dz)


def _add_thing(scenes: Scenes, buffers: Buffers, origin: Tensor, direction: Tensor, eps: float) -> None:
    """Trace the thing into the buffers, in front of the background."""
    n, p = buffers.depth.shape
    picture = torch.arange(n, device=origin.device).repeat_interleave(p)
    flat = _local(scenes, picture, origin[picture], direction.reshape(-1, 3))
    t = march(scenes, flat, eps).reshape(n, p)
    buffers.thing = t < buffers.depth
    buffers.depth = torch.where(buffers.thing, t, buffers.depth)
    hit = buffers.thing.reshape(-1).nonzero()[:, 0]
    touched = flat[hit]
    x, y, z = touched.at(t.reshape(-1)[hit])
    points = Rays(touched.picture, x, y, z, x, y, z)
    normal, part = normals(scenes, points, max(eps, 1e-3))
    albedo = surface(scenes, touched.picture, part, (x, y, z), normal)
    wx, wz = turn(scenes, touched.picture, normal[:, 0], normal[:, 2], back=True)
    gloss = torch.tensor(_GLOSS, device=t.device)[scenes.finish[touched.picture]]
    buffers.normal.view(-1, 3)[hit] = torch.stack([wx, normal[:, 1], wz], dim=-1)
    buffers.albedo.view(-1, 3)[hit] = albedo
    buffers.glow.view(-1, 3)[hit] = 0
    buffers.gloss.view(-1)[hit] = torch.where(part == 0, gloss, gloss.clamp_max(0.3))


def _add_shade(scenes: Scenes, traced: Traced) -> None:
    """Shadow and occlusion by the thing, on itself and on what lies around it."""
    buffers, light = traced.buffers, traced.light
    p = buffers.depth.shape[1]
    position = traced.origin[:, None] + traced.direction * buffers.depth[..., None].clamp_max(99)
    close = (position[..., 0] ** 2 + position[..., 2] ** 2 < 60) & (buffers.depth < FAR)
    index = close.reshape(-1).nonzero()[:, 0]
    picture = torch.div(index, p, rounding_mode="floor")
    start = position.reshape(-1, 3)[index] + buffers.normal.reshape(-1, 3)[index] * 0.012
    to_lamp = light.position[picture] - start
    far = to_lamp.norm(dim=-1)
    rays_to_lamp = _local(scenes, picture, start, to_lamp / far[:, None])
    traced.seen.view(-1)[index] = shadow(scenes, rays_to_lamp, light.sharpness[picture], far)
    beside = ((start - start.new_tensor([0.0, 0.75, 0.0])).norm(dim=-1) < 1.9).nonzero()[:, 0]
    upright = buffers.normal.reshape(-1, 3)[index[beside]]
    around = _local(scenes, picture[beside], start[beside], upright)
    free = openness(scenes, around, (0.07, 0.2, 0.5))
    # The floor hides half the sky from what is low and looks down or aside.
    floor = 0.55 + 0.45 * (start[beside, 1] * 1.1 + upright[:, 1]).clamp(0, 1)
    traced.open.view(-1)[index[beside]] = free * floor


def trace(scenes: Scenes, height: int, width: int) -> Traced:
    light = lighting(scenes)
    origin, direction = rays(scenes, height, width)
    buffers = background(scenes, light, origin, direction)
    _add_thing(scenes, buffers, origin, direction, eps=min(0.004, 0.5 / height))
    whole = torch.ones_like(buffers.depth)
    traced = Traced(buffers, light, origin, direction, whole, whole.clone())
    _add_shade(scenes, traced)
    return traced


def lit(scenes: Scenes, traced: Traced) -> Tensor:
    """Linear light (n, p, 3) from the buffers."""
    b, light, direction = traced.buffers, traced.light, traced.direction
    position = traced.origin[:, None] + direction * b.depth[..., None].clamp_max(99)
    to_lamp = light.position[:, None] - position
    far = to_lamp.norm(dim=-1)
    lamp = to_lamp / far[..., None]
    # A lamp's light falls with the square of its distance; the sun's does not.
    fall = torch.where(light.night[..., 0], (light.reach[:, None] / far.clamp_min(0.6)) ** 2, 1.0).clamp_max(
        2.2
    )
    facing = (b.normal * lamp).sum(-1).clamp_min(0)
    direct = light.sun * (facing * traced.seen * fall)[..., None]
    up = b.normal[..., 1]
    bounce = 0.12 * (1 - up) / 2 * fall.clamp_max(1)
    ambient = light.sky * ((0.62 + 0.38 * up) * traced.open)[..., None]
    ambient = ambient + (light.sun * 0.6 + light.sky) * (bounce * traced.open)[..., None]
    half = functional.normalize(lamp - direction, dim=-1)
    highlight = (
        (b.normal * half).sum(-1).clamp_min(0) ** (8 + 90 * b.gloss) * facing.sign() * traced.seen * fall
    )
    cosine = -(b.normal * direction).sum(-1)
    mirror = direction + 2 * cosine[..., None] * b.normal
    fresnel = 0.04 + 0.5 * (1 - cosine.clamp(0, 1)) ** 4
    metal = ((scenes.finish == FINISHES.index("metal"))[:, None] & b.thing)[..., None]
    tint = torch.where(metal, b.albedo, torch.ones_like(b.albedo))
    reflected = sky(scenes, mirror) * torch.sigmoid(mirror[..., 1:2] * 6) * traced.open[..., None]
    shine = light.sun * (highlight * b.gloss * 0.5)[..., None]
    shine = shine + reflected * torch.where(metal[..., 0], 0.55, fresnel * b.gloss)[..., None]
    diffuse = b.albedo * (direct + ambient) * torch.where(metal, 0.75, 1.0)
    return b.glow + torch.where(b.depth[..., None] < FAR, diffuse + shine * tint, 0.0)


def _out_of_focus(scenes: Scenes, depth: Tensor, behind: Tensor, light: Tensor) -> Tensor:
    """Blur what lies well behind the thing, without letting the thing bleed into it; all are (n, c, h, w)."""
    amount = ((depth - scenes.distance[:, None, None, None] - 1.0) / 4.5).clamp(0, 1) * behind
    radius = max(1, round(min(light.shape[-2:]) / 90))
    both = torch.cat([light * amount, amount], dim=1)
    for side in ((2 * radius + 1, 1), (1, 2 * radius + 1)) * 2:
        padding = (side[0] // 2, side[1] // 2)
        both = functional.avg_pool2d(both, side, stride=1, padding=padding, count_include_pad=False)
    weight = both[:, 3:]
    mixed = both[:, :3] / weight.clamp_min(1e-3)
    return light + (mixed - light) * (amount * 1.6).clamp(0, 1) * (weight > 1e-2)


def filmed(light: Tensor) -> Tensor:
    """Linear light to sRGB in 0..1, by the filmic curve of Narkowicz (2015), "ACES filmic tone mapping
    curve".
    """
    light = light * 0.62
    film = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return film.clamp(0, 1) ** (1 / 2.2)


def _develop(scenes: Scenes, light: Tensor) -> Tensor:
    """Linear light (n, 3, h, w) to uint8 (n, h, w, 3): a film's curve, a little vignette and noise."""
    n, _, height, width = light.shape
    y = torch.linspace(-1, 1, height, device=light.device)[:, None]
    x = torch.linspace(-1, 1, width, device=light.device)[None]
    srgb = filmed(light * (1 - 0.10 * (x * x + y * y)))
    across = torch.arange(height * width, device=light.device)
    shift = scenes.sensor[:, None]
    noise = look(GRAIN, (across % width + shift % 509) / SIDE, (across // width + shift // 509) / SIDE)
    return (
        ((srgb + 0.006 * noise.reshape(n, 1, height, width)).clamp(0, 1) * 255 + 0.5)
        .to(torch.uint8)
        .permute(0, 2, 3, 1)
    )


def sides(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def chunk_length(height: int, width: int, device: torch.device) -> int:
    """How many pictures are drawn together: what a GPU's memory likes, or a CPU's cache."""
    budget = 1024 if device.type == "cuda" else 8
    return max(1, budget * 128 * 128 // (height * width))


@torch.no_grad()
def render(scenes: Scenes, size: Size, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """(images uint8 (n, h, w, 3), masks uint8 (n, h, w): 255 where most of the pixel is the thing), on
    `device`.
    """
    device = torch.device(device)
    height, width = sides(size)
    images, masks = [], []
    step = chunk_length(height, width, device)
    for start in range(0, len(scenes), step):
        some = scenes[slice(start, start + step)].to(device)
        h, w = height * SUBPIXELS, width * SUBPIXELS
        traced = trace(some, h, w)
        stack = [lit(some, traced).clamp_max(4.0), traced.buffers.depth.clamp_max(99)[..., None]]
        stack = torch.cat([*stack, traced.buffers.thing[..., None]], dim=-1)
        small = functional.avg_pool2d(stack.reshape(-1, h, w, 5).permute(0, 3, 1, 2), SUBPIXELS)
        share = small[:, 4:]
        light = _out_of_focus(some, small[:, 3:4], (share == 0).float(), small[:, :3])
        images.append(_develop(some, light))
        masks.append((share[:, 0] > 0.49).to(torch.uint8) * 255)
    return torch.cat(images), torch.cat(masks)
