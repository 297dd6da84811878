"""The colour of a thing's surface: its pattern on the body, fixed colours on its details, and its finish."""

import math

import torch
from torch import Tensor

from albumkit.engine.pocket.world.names import FIGURINE_GLAZE, PATTERNS
from albumkit.engine.pocket.world.scenes import Scenes, linear
from albumkit.engine.pocket.world.shapes import DETAILS

_EDGE = 0.06  # softness of a pattern's edge, in parts of its period


def _step(value: Tensor, edge: float = _EDGE) -> Tensor:
    return (value / edge * 0.5 + 0.5).clamp(0, 1)


def _plane(x: Tensor, y: Tensor, z: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    """Two coordinates along the surface: those across its main direction, as on printed cloth."""
    ax, ay, az = normal.abs().unbind(-1)
    side = (ax > ay) & (ax > az)
    top = (ay >= ax) & (ay > az)
    return torch.where(side, z, x), torch.where(top, z, y)


def accent_share(pattern: Tensor, grain: Tensor, x: Tensor, y: Tensor, z: Tensor, normal: Tensor) -> Tensor:
    """How much of the second colour shows at surface points (flat), 0..1; grain is (m, 4)."""
    tilt = (grain[:, 1] - 0.5) * 0.9
    scale = 0.85 + 0.4 * grain[:, 0]
    u, v = _plane(x, y, z, normal)
    stripes = torch.sin(2 * math.pi * ((y + tilt * x) * 2.9 * scale + grain[:, 2]))
    cu, cv = u * 3.3 * scale + grain[:, 2], v * 3.3 * scale + grain[:, 3]
    cu = cu + 0.5 * (cv.floor() % 2)
    dots = 0.31 - torch.hypot(cu - cu.floor() - 0.5, cv - cv.floor() - 0.5)
    checks = torch.sin(math.pi * (u * 3.6 * scale + grain[:, 2])) * torch.sin(
        math.pi * (v * 3.6 * scale + grain[:, 3])
    )
    swirl = torch.sin(
        2 * math.pi * (y * 3.1 + 0.35 * torch.sin(3.0 * torch.atan2(x, z)) + 0.12 * torch.sin(9 * x))
    )
    share = torch.zeros_like(x)
    share = torch.where(pattern == PATTERNS.index("striped"), _step(stripes - 0.3, 0.3), share)
    share = torch.where(pattern == PATTERNS.index("dotted"), _step(dots), share)
    share = torch.where(pattern == PATTERNS.index("checkered"), _step(checks, 0.12), share)
    return torch.where(pattern == FIGURINE_GLAZE, _step(swirl - 0.1, 0.25), share)


def surface(
    scenes: Scenes, picture: Tensor, part: Tensor, place: tuple[Tensor, Tensor, Tensor], normal: Tensor
) -> Tensor:
    """Albedo (m, 3) of the thing at points in its own frame."""
    device = part.device
    most = max(len(row) for row in DETAILS)
    table = torch.zeros(len(DETAILS), most + 1, 3, device=device)
    for kind, row in enumerate(DETAILS):
        for k, colour in enumerate(row):
            table[kind, k + 1] = linear(torch.tensor(colour, device=device))
    share = accent_share(scenes.pattern[picture], scenes.grain[picture], *place, normal)[:, None]
    body = scenes.albedo[picture] * (1 - share) + scenes.accent_albedo[picture] * share
    detail = table[scenes.kind[picture], part]
    return torch.where((part == 0)[:, None], body, detail)
