"""What the world's things look like: one function per kind, from coordinates to the distances of its parts.

Every thing stands on y = 0 around the y axis, is about 1.5 high and fits the ball `CENTRE`, `RADIUS`; +z is
its front. `s` holds eight numbers in 0..1 per point, the shape of this one specimen. A kind returns (body,
details): the body takes the picture's colour and pattern, a detail has the fixed colour named in `DETAILS`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from albumkit.engine.pocket.world.sdf import (
    blend,
    box,
    capsule,
    carve,
    cone,
    cylinder,
    ellipsoid,
    length,
    sphere,
    torus,
    union,
)

CENTRE = 0.75
RADIUS = 1.2

Parts = tuple[Tensor, list[Tensor]]
Shape = Callable[[Tensor, Tensor, Tensor, Tensor], Parts]


def mug(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    r, half = 0.5 + 0.12 * s[0], 0.5 + 0.14 * s[1]
    across, up = length(x, z), y - half
    shell = carve(cylinder(across, up, r, half, 0.05), cylinder(across, up - 0.12, r - 0.07, half, 0.04))
    handle = torus(length((x - r) * 0.95, (up - 0.02) * (0.95 - 0.2 * s[2])), z, 0.27 + 0.05 * s[2], 0.065)
    handle = torch.maximum(handle, r - 0.04 - across)
    return blend(shell, handle, 0.06), []


def teapot(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    tall = 0.46 + 0.1 * s[0]
    belly = ellipsoid(x, y - tall, z, 0.66, tall, 0.66)
    across = length(x, z)
    foot = cylinder(across, y - 0.05, 0.36, 0.05)
    spout = capsule(x, y, z, (0.45, tall * 0.8, 0.0), (1.0, tall * 1.55 + 0.08, 0.0), 0.17, 0.075)
    handle = torus(length(x + 0.68, (y - tall - 0.05) * 0.9), z, 0.3 + 0.05 * s[1], 0.06)
    lid = ellipsoid(x, y - 2 * tall + 0.06, z, 0.3, 0.13, 0.3)
    knob = sphere(x, y - 2 * tall - 0.12, z, 0.085)
    return blend(blend(blend(belly, spout, 0.12), handle, 0.05), union(lid, knob, foot), 0.04), []


def vase(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    top = 1.4 + 0.2 * s[0]
    t = (y / top).clamp(0, 1)
    width = 0.36 + 0.14 * s[1] + (0.2 + 0.08 * s[2]) * torch.sin(t * 5.4 + 0.2 + 0.3 * s[3])
    across = length(x, z)
    outside = torch.maximum((across - width) * 0.75, (y - top / 2).abs() - top / 2)
    inside = torch.maximum((across - width + 0.06) * 0.75, 0.2 - y)
    return carve(outside, inside) - 0.015, []


def bottle(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    r, shoulder = 0.32 + 0.07 * s[0], 0.78 + 0.2 * s[1]
    across = length(x, z)
    belly = cylinder(across, y - shoulder / 2, r, shoulder / 2, 0.07)
    neck = cylinder(across, y - 0.85, 0.12, 0.62, 0.02)
    slope = cone(across, y - shoulder - 0.08, r - 0.04, 0.12, 0.13)
    cap = cylinder(across, y - 1.5, 0.15, 0.11, 0.03)
    return blend(blend(belly, slope, 0.12), neck, 0.08), [cap]


def ball(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    r = 0.6 + 0.1 * s[0]
    return sphere(x, y - r, z, r), []


def gift_box(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    a, b, c = 0.5 + 0.14 * s[0], 0.36 + 0.16 * s[1], 0.5 + 0.12 * s[2]
    carton = union(box(x, y - b, z, a, b, c), box(x, y - 2 * b + 0.03, z, a + 0.04, 0.1, c + 0.04))
    band_x = box(x, y - b - 0.04, z, 0.085, b + 0.055, c + 0.055, 0.01)
    band_z = box(x, y - b - 0.04, z, a + 0.055, b + 0.055, 0.085, 0.01)
    up = y - 2 * b - 0.2
    loops = union(
        ellipsoid(0.82 * x - 0.57 * up - 0.15, 0.57 * x + 0.82 * up, z, 0.2, 0.085, 0.11),
        ellipsoid(0.82 * x + 0.57 * up + 0.15, -0.57 * x + 0.82 * up, z, 0.2, 0.085, 0.11),
        sphere(x, up + 0.06, z, 0.08),
    )
    return carton, [union(band_x, band_z, loops)]


def toy_car(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    long = 0.9 + 0.08 * s[0]
    back = 0.12 + 0.2 * s[1]
    low = box(x, y - 0.36, z, long, 0.2, 0.44, 0.12)
    roof = 0.26 + 0.05 * s[2]
    cabin = box(x + back + 0.35 * (y - 0.7) * torch.sign(x + back), y - 0.68, z, 0.48, roof, 0.36, 0.1)
    body = blend(low, cabin, 0.06)
    arches = length(x.abs() - 0.55, y - 0.22) - 0.26
    body = torch.maximum(body, -torch.maximum(arches, 0.3 - z.abs()))
    wheels = cylinder(length(x.abs() - 0.55, y - 0.22), z.abs() - 0.38, 0.22, 0.085, 0.04)
    slope = x + back + 0.35 * (y - 0.7) * torch.sign(x + back)
    side = box(slope, y - 0.72, z, 0.38, roof - 0.11, 0.372, 0.02)
    front = box(slope, y - 0.72, z, 0.492, roof - 0.11, 0.28, 0.02)
    lights = sphere(x - long + 0.02, y - 0.4, z.abs() - 0.28, 0.075)
    return body, [wheels, union(side, front), lights]


def toy_house(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    a, b, c = 0.52 + 0.12 * s[0], 0.36 + 0.1 * s[1], 0.44 + 0.08 * s[2]
    walls = box(x, y - b, z, a, b, c, 0.01)
    gable = torch.maximum(
        torch.maximum(0.72 * z.abs() + 0.69 * (y - 2 * b - c * 0.9), x.abs() - a), 2 * b - 0.1 - y
    )
    slab = (0.72 * z.abs() + 0.69 * (y - 2 * b - c * 0.98)).abs() - 0.045
    roof = torch.maximum(torch.maximum(slab, x.abs() - a - 0.1), z.abs() - c - 0.14)
    chimney = box(x - a * 0.5, y - 2 * b - c * 0.75, z + 0.18, 0.09, 0.26, 0.09, 0.01)
    door = box(x, y - 0.23, z - c, 0.13, 0.23, 0.02, 0.01)
    panes = box(x.abs() - a * 0.62, y - b * 1.1, z - c, 0.11, 0.13, 0.02, 0.01)
    panes = union(panes, box(x.abs() - a, y - b * 1.1, z, 0.02, 0.13, 0.13, 0.01))
    # The roof takes the colour: it is what shows from above.
    return union(roof, chimney), [union(walls, gable), door, panes]


def sailing_boat(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    long, wide = 0.92 + 0.1 * s[0], 0.36 + 0.06 * s[1]
    rise = 0.1 * (x / long) ** 2
    solid = ellipsoid(x, y - 0.46 - rise, z, long, 0.46, wide)
    hull = torch.maximum(solid, y - 0.42 - rise)
    hull = carve(hull, torch.maximum(solid + 0.06, 0.28 - y))
    top = 1.55 + 0.1 * s[2]
    mast = capsule(x, y, z, (0.05, 0.2, 0.0), (0.05, top, 0.0), 0.035, 0.025)
    run = (top - 0.05 - y) / (top - 0.6)
    bulge = z - 0.1 * torch.sin((run * 3.0).clamp(0, 3.1))
    main = torch.maximum(torch.maximum(-x - 0.1 - run * 0.0, (x - 0.1) - run * 0.72), 0.55 - y)
    main = torch.maximum(torch.maximum(main * 0.8, 0.1 - x), bulge.abs() - 0.02)
    jib = torch.maximum(torch.maximum(-x - 0.02 - run * 0.6, x + 0.02), 0.6 - y)
    jib = torch.maximum(torch.maximum(jib, y - top + 0.15) * 0.8, bulge.abs() - 0.02)
    return hull, [union(main, jib), mast]


def mushroom(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    across = length(x, z)
    high = 0.7 + 0.15 * s[0]
    wide = 0.68 + 0.14 * s[1]
    cap = ellipsoid(x, y - high, z, wide, 0.5 + 0.14 * s[2], wide)
    cap = torch.maximum(cap, high - 0.02 - 0.16 * (1 - (across / wide) ** 2).clamp_min(-1) - y) - 0.02
    stem = cone(across, y - high / 2, 0.27 + 0.05 * s[3], 0.19, high / 2 + 0.08) - 0.03
    return cap, [stem]


def duck(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    body = ellipsoid(x, y - 0.44, z, 0.74, 0.44, 0.5)
    tail = capsule(x, y, z, (-0.5, 0.5, 0.0), (-0.86, 0.82, 0.0), 0.2, 0.06)
    neck = 0.98 + 0.1 * s[0]
    head = sphere(x - 0.42, y - neck, z, 0.31 + 0.04 * s[1])
    throat = capsule(x, y, z, (0.36, 0.55, 0.0), (0.42, neck, 0.0), 0.26, 0.2)
    wing = ellipsoid(x + 0.1, y - 0.52, z.abs() - 0.42, 0.4, 0.2, 0.14)
    bird = blend(blend(blend(blend(body, tail, 0.14), throat, 0.12), head, 0.05), wing, 0.05)
    beak = ellipsoid(x - 0.78, y - neck + 0.06, z, 0.22, 0.065, 0.15)
    eyes = sphere(x - 0.63, y - neck - 0.1, z.abs() - 0.21, 0.055)
    return bird, [beak, eyes]


def teddy_bear(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    side = x.abs()
    belly = ellipsoid(x, y - 0.5, z, 0.4 + 0.06 * s[0], 0.46, 0.38)
    head = ellipsoid(x, y - 1.15, z - 0.03, 0.37, 0.34, 0.34)
    ears = ellipsoid(side - 0.29, y - 1.44, z, 0.15 + 0.03 * s[1], 0.15 + 0.03 * s[1], 0.09)
    arms = capsule(side, y, z, (0.34, 0.74, 0.05), (0.62, 0.46, 0.24), 0.14, 0.13)
    legs = capsule(side, y, z, (0.26, 0.18, 0.1), (0.42, 0.16, 0.52), 0.17, 0.16)
    fur = blend(blend(belly, head, 0.08), blend(union(arms, legs), ears, 0.04), 0.05)
    muzzle = ellipsoid(x, y - 1.07, z - 0.32, 0.17, 0.13, 0.12)
    soles = ellipsoid(side - 0.44, y - 0.16, z - 0.66, 0.11, 0.11, 0.035)
    dots = union(
        sphere(side - 0.15, y - 1.24, z - 0.33, 0.047), ellipsoid(x, y - 1.12, z - 0.44, 0.06, 0.045, 0.04)
    )
    return fur, [union(muzzle, soles), dots]


def chair(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    a, seat, top = 0.44 + 0.06 * s[0], 0.66 + 0.08 * s[1], 1.5
    plate = box(x, y - seat, z, a, 0.06, a, 0.04)
    legs = cylinder(length(x.abs() - a + 0.08, z.abs() - a + 0.08), y - seat / 2, 0.06, seat / 2, 0.02)
    posts = box(x.abs() - a + 0.06, y - (seat + top) / 2, z + a - 0.06, 0.055, (top - seat) / 2, 0.05, 0.03)
    rail = box(x, y - top + 0.14, z + a - 0.06, a, 0.16, 0.045, 0.04)
    slat = box(x, y - seat - 0.32, z + a - 0.06, a - 0.05, 0.07 + 0.05 * s[2], 0.035, 0.03)
    return blend(union(plate, posts), union(legs, rail, slat), 0.02), []


def table_lamp(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    across = length(x, z)
    low, high = 0.56 + 0.08 * s[0], 0.28 + 0.1 * s[1]
    shade = cone(across, y - 1.2, low, high, 0.32)
    shade = carve(shade, cone(across, y - 1.18, low - 0.035, high - 0.035, 0.34))
    foot = cylinder(across, y - 0.05, 0.34, 0.05)
    pole = cylinder(across, y - 0.6, 0.045, 0.6, 0.02)
    bulge = ellipsoid(x, y - 0.3, z, 0.12 + 0.12 * s[2], 0.26, 0.12 + 0.12 * s[2])
    bulb = sphere(x, y - 1.12, z, 0.15)
    return shade, [blend(union(foot, pole), bulge, 0.06), bulb]


def rocket(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    across = length(x, z)
    hull = ellipsoid(x, y - 0.7, z, 0.3 + 0.06 * s[0], 0.9, 0.3 + 0.06 * s[0])
    hull = torch.maximum(hull, 0.24 - y)
    nozzle = cone(across, y - 0.17, 0.2, 0.13, 0.09)
    reach = 0.62 - 0.55 * (y - 0.1)
    fin_x = torch.maximum(torch.maximum(x.abs() - reach, z.abs() - 0.035), (y - 0.36).abs() - 0.36)
    fin_z = torch.maximum(torch.maximum(z.abs() - reach, x.abs() - 0.035), (y - 0.36).abs() - 0.36)
    fins = torch.maximum(torch.minimum(fin_x, fin_z) * 0.85, 0.42 * reach - 0.1 - across)
    pane = torch.maximum(sphere(x, y - 1.0, z - 0.3, 0.13 + 0.02 * s[1]), z.abs() - 0.5)
    return hull, [union(fins, nozzle), pane]


def cat_figurine(x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Parts:
    """A long-necked sitting cat with ears too large for it and a curled tail."""
    body = ellipsoid(x, y - 0.38, z, 0.42, 0.4, 0.4)
    chest = capsule(x, y, z, (0.0, 0.5, 0.1), (0.0, 1.06, 0.14), 0.26, 0.16)
    head = ellipsoid(x, y - 1.2, z - 0.17, 0.3, 0.24, 0.26)
    lean = x.abs() - 0.17 - 0.25 * (y - 1.3)
    ears = torch.maximum(cone(length(lean, (z - 0.12) * 1.7), y - 1.46, 0.15, 0.01, 0.17), -2 - y)
    paws = ellipsoid(x.abs() - 0.17, y - 0.08, z - 0.42, 0.12, 0.09, 0.17)
    tail = torus(length(x - 0.45, y - 0.34), z + 0.1, 0.27, 0.075)
    cat = blend(blend(body, chest, 0.16), blend(head, union(ears, paws), 0.05), 0.07)
    face = ellipsoid(x, y - 1.13, z - 0.4, 0.055, 0.035, 0.04)
    eyes = ellipsoid(x.abs() - 0.12, y - 1.24, z - 0.385, 0.05, 0.06, 0.035)
    return blend(cat, tail, 0.05), [face, eyes]


SHAPES: tuple[Shape, ...] = (
    mug, teapot, vase, bottle, ball, gift_box, toy_car, toy_house, sailing_boat, mushroom,
    duck, teddy_bear, chair, table_lamp, rocket, cat_figurine,
)  # fmt: skip

_INK, _CREAM, _BRASS = (0.03, 0.03, 0.035), (0.93, 0.88, 0.76), (0.62, 0.47, 0.22)
_GLASS, _WOOD = (0.16, 0.22, 0.3), (0.38, 0.24, 0.13)

# The sRGB colours of each kind's details, in the order its function returns them.
DETAILS: tuple[tuple[tuple[float, float, float], ...], ...] = (
    (), (), (), (_BRASS,), (), ((0.95, 0.86, 0.5),), (_INK, _GLASS, (0.97, 0.95, 0.8)),
    (_CREAM, _WOOD, _GLASS), ((0.95, 0.94, 0.9), _WOOD), (_CREAM,), ((0.96, 0.55, 0.08), _INK),
    (_CREAM, _INK), (), (_BRASS, (1.0, 0.95, 0.8)), ((0.55, 0.56, 0.6), _GLASS),
    ((0.85, 0.45, 0.45), (0.2, 0.65, 0.3)),
)  # fmt: skip


def distance(kind: int, x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Tensor:
    body, details = SHAPES[kind](x, y, z, s)
    return union(body, *details)


def part(kind: int, x: Tensor, y: Tensor, z: Tensor, s: Tensor) -> Tensor:
    """Which part is nearest: 0 the body, 1 the first detail, and so on."""
    body, details = SHAPES[kind](x, y, z, s)
    return torch.stack([body, *details]).argmin(dim=0)
