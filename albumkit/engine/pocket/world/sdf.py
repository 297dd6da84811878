"""Signed distances of primitives, on three coordinate tensors of any one shape; sizes may be numbers or
tensors.

The formulas are the common ones of distance-field modelling (as collected by Inigo Quilez,
iquilezles.org/articles/ distfunctions). Bounds instead of exact distances are fine: the tracer steps a little
short.
"""

import torch
from torch import Tensor

Size = Tensor | float


def length(first: Tensor, *others: Tensor) -> Tensor:
    total = first * first
    for other in others:
        total = torch.addcmul(total, other, other)
    return total.sqrt()


def blend(a: Tensor, b: Tensor, k: float) -> Tensor:
    """A union whose seam is rounded over a width k."""
    h = (1 - (a - b).abs() / k).clamp_min(0)
    return torch.minimum(a, b) - h * h * (k / 4)


def union(first: Tensor, *others: Tensor) -> Tensor:
    for other in others:
        first = torch.minimum(first, other)
    return first


def carve(a: Tensor, b: Tensor) -> Tensor:
    """a without b."""
    return torch.maximum(a, -b)


def sphere(x: Tensor, y: Tensor, z: Tensor, r: Size) -> Tensor:
    return length(x, y, z) - r


def ellipsoid(x: Tensor, y: Tensor, z: Tensor, a: Size, b: Size, c: Size) -> Tensor:
    k0 = length(x / a, y / b, z / c)
    k1 = length(x / (a * a), y / (b * b), z / (c * c))
    return k0 * (k0 - 1) / k1


def box(x: Tensor, y: Tensor, z: Tensor, a: Size, b: Size, c: Size, r: float = 0.03) -> Tensor:
    """Half sizes a, b, c, with edges rounded by r."""
    qx, qy, qz = x.abs() - (a - r), y.abs() - (b - r), z.abs() - (c - r)
    outside = length(qx.clamp_min(0), qy.clamp_min(0), qz.clamp_min(0))
    return outside + torch.maximum(torch.maximum(qx, qy), qz).clamp_max(0) - r


def cylinder(across: Tensor, along: Tensor, r: Size, half: Size, edge: float = 0.03) -> Tensor:
    """A rounded cylinder from the distance `across` its axis and the place `along` it."""
    qa, qb = across - (r - edge), along.abs() - (half - edge)
    return length(qa.clamp_min(0), qb.clamp_min(0)) + torch.maximum(qa, qb).clamp_max(0) - edge


def cone(across: Tensor, y: Tensor, low: Size, high: Size, half: Size) -> Tensor:
    """A cone with radius `low` at -half and `high` at +half (a bound, good for gentle slopes)."""
    radius = low + (high - low) * (y / (2 * half) + 0.5)
    return torch.maximum((across - radius) * 0.85, y.abs() - half)


def torus(across: Tensor, along: Tensor, big: Size, small: Size) -> Tensor:
    return length(across - big, along) - small


Point = tuple[Size, Size, Size]


def capsule(x: Tensor, y: Tensor, z: Tensor, a: Point, b: Point, r0: Size, r1: Size) -> Tensor:
    """A rod from a to b whose radius goes from r0 to r1."""
    bx, by, bz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    px, py, pz = x - a[0], y - a[1], z - a[2]
    h = ((px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz)).clamp(0, 1)
    return length(px - bx * h, py - by * h, pz - bz * h) - (r0 + (r1 - r0) * h)
