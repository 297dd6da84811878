"""Ink drawings of scenes: an outline where things and their faces end, hatching where there is shade.

It begins with the same buffers as the photograph. The pen is as wide as a share of the picture, so that a
drawing of 1024 px keeps its strokes when it is shrunk to 128.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from albumkit.engine.pocket.world.background import FAR
from albumkit.engine.pocket.world.noise import CLOUD, look
from albumkit.engine.pocket.world.photograph import (
    SUBPIXELS,
    Size,
    Traced,
    chunk_length,
    filmed,
    lit,
    sides,
    trace,
)
from albumkit.engine.pocket.world.scenes import Scenes

_INK, _PAPER = (0.09, 0.08, 0.16), (0.965, 0.945, 0.90)
_PEN = 1 / 190  # of the shorter side
_GAP = 1 / 34  # between two strokes of one hatching
#: (angle in radians, darker than this): one hatching comes on top of another as it gets darker.
_HATCHINGS = ((0.75, 0.62), (-0.7, 0.4), (0.05, 0.22))


def _outlines(traced: Traced, height: int, width: int) -> Tensor:
    """1 where two neighbours differ in depth, direction or paint, (n, 1, h, w)."""
    buffers = traced.buffers
    n = len(buffers.depth)

    def picture(values: Tensor) -> Tensor:
        return values.reshape(n, height, width, -1).permute(0, 3, 1, 2)

    depth = picture(buffers.depth.clamp_max(60)[..., None])
    normal, thing = picture(buffers.normal), picture(buffers.thing[..., None].float())
    sky = picture((buffers.depth >= FAR)[..., None].float())
    # Paint and skylines are compared after a little blur: a pen does not follow every blade of grass.
    across = max(1, round(min(height, width) * _PEN))
    tone = functional.avg_pool2d(picture(buffers.albedo + buffers.glow).mean(1, keepdim=True), across)
    tone = functional.interpolate(tone, (height, width), mode="bilinear")
    bare = picture(buffers.albedo).mean(1, keepdim=True)
    edge = torch.zeros(n, 1, height, width, dtype=torch.bool, device=depth.device)
    for axis in (2, 3):
        far, near = [depth.roll(shift, axis) for shift in (0, 1)]
        step = (far - near).abs() > 0.06 * torch.minimum(far, near)
        bend = (normal * normal.roll(1, axis)).sum(1, keepdim=True) < 0.72
        paint = (bare - bare.roll(1, axis)).abs() > 0.035
        horizon = (tone - tone.roll(1, axis)).abs() > 0.16 / across
        inside = thing * thing.roll(1, axis) > 0
        edge |= (thing != thing.roll(1, axis)) | (sky != sky.roll(1, axis)) | (step & (thing > 0))
        edge |= (inside & (bend | paint)) | ((thing == 0) & horizon)
    edge[:, :, 0], edge[:, :, :, 0] = False, False
    return edge.float()


def _smoothed(values: Tensor, radius: int) -> Tensor:
    """A blur by ``radius`` pixels, made on a small picture."""
    small = functional.avg_pool2d(values, radius)
    return functional.interpolate(small, values.shape[-2:], mode="bicubic")


def _strokes(shade: Tensor, scenes: Scenes) -> Tensor:
    """Hatching of a picture of how bright it is, (n, 1, h, w), by a hand that is not quite steady."""
    n, _, height, width = shade.shape
    y, x = torch.meshgrid(
        torch.arange(height, device=shade.device) / min(height, width),
        torch.arange(width, device=shade.device) / min(height, width),
        indexing="ij",
    )
    shift = (scenes.sensor % 997)[:, None] / 997
    wobble = look(CLOUD, x.reshape(1, -1) * 0.06 + shift, y.reshape(1, -1) * 0.06 - shift)
    wobble = wobble.reshape(n, 1, height, width)
    drawn = torch.zeros_like(shade)
    for angle, below in _HATCHINGS:
        turn = torch.tensor(angle)
        wave = torch.sin(6.2832 * ((x * turn.cos() + y * turn.sin()) / _GAP + wobble))
        pressure = ((below - shade) * 5).clamp(0, 1)  # strokes run out towards the light
        drawn = torch.maximum(drawn, ((wave - 1 + 1.1 * pressure) * 4).clamp(0, 1))
    return drawn


@torch.no_grad()
def draw_ink(scenes: Scenes, size: Size, device: torch.device | str = "cpu") -> Tensor:
    """Drawings, uint8 (n, h, w, 3), on `device`."""
    device = torch.device(device)
    height, width = sides(size)
    h, w = height * SUBPIXELS, width * SUBPIXELS
    done = []
    step = chunk_length(height, width, device)
    for start in range(0, len(scenes), step):
        some = scenes[slice(start, start + step)].to(device)
        traced = trace(some, h, w)
        bright = filmed(lit(some, traced)).mean(-1).reshape(-1, 1, h, w)
        pen = max(1, round(min(h, w) * _PEN / 2) * 2 + 1)
        shade = _smoothed(bright, max(1, round(min(h, w) / 40)))
        # What is brightest stays paper, by night too.
        shade = shade / shade.flatten(1).quantile(0.85, dim=1).view(-1, 1, 1, 1)
        outline = functional.max_pool2d(_outlines(traced, h, w), pen, 1, pen // 2)
        ink = torch.maximum(outline, _strokes(shade, some))
        ink = functional.avg_pool2d(ink, SUBPIXELS)
        paper, pen_ink = (torch.tensor(colour, device=device).view(1, 3, 1, 1) for colour in (_PAPER, _INK))
        drawn = paper + (pen_ink - paper) * ink
        done.append((drawn.clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(0, 2, 3, 1))
    return torch.cat(done)
