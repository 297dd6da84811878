"""A small ray tracer: pictures of made-up places with what photographs have, and nobody's rights in them.

Balls and boxes, turned and stretched, on a patterned ground under a sky; one sun with hard shadows, light
from the sky, lamps that glow. Colours are linear sRGB, rays are columns of 3. Only benchmarks use it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Colour = tuple[float, float, float]
FAR = np.float32(1e9)


@dataclass(frozen=True)
class Thing:
    """A ball or box: ``size`` are its half axes, ``turn`` its turns about y, x and z in degrees."""

    shape: str
    at: tuple[float, float, float]
    size: tuple[float, float, float]
    colour: Colour
    turn: tuple[float, float, float] = (0, 0, 0)
    texture: str = "plain"
    gloss: float = 0.1
    #: Light of its own, as a multiple of its colour.
    glow: float = 0.0


@dataclass(frozen=True)
class Scene:
    """Everything that a picture shows, and how it is lit."""

    things: tuple[Thing, ...]
    ground: str = "grass"
    ground_colour: Colour = (0.16, 0.3, 0.08)
    #: Where the sun stands: degrees around and above.
    sun: tuple[float, float] = (40, 45)
    sun_colour: Colour = (3.0, 2.8, 2.4)
    sky: Colour = (0.25, 0.45, 0.85)
    horizon: Colour = (0.75, 0.82, 0.9)
    clouds: float = 0.4
    stars: bool = False
    #: Lamps: place and colour; their light falls off with the square of the distance.
    lamps: tuple[tuple[tuple[float, float, float], Colour], ...] = ()
    haze: float = 60.0


@dataclass(frozen=True)
class Camera:
    """Stands ``around`` degrees about ``target``, so far and so high, looking at it; ``lens`` in degrees."""

    around: float = 20
    away: float = 4
    high: float = 1.4
    target: tuple[float, float, float] = (0, 0.75, 0)
    lens: float = 40


@dataclass
class Picture:
    """What was seen: colour (height, width, 3), and what lay there, for drawing its outlines."""

    light: Array
    depth: Array
    normal: Array
    what: NDArray[np.int16] = field(repr=False)


@functools.cache
def tile(seed: int = 1, size: int = 1024) -> Array:
    """Noise of all sizes (1/f) between 0 and 1 that fits together at its edges."""
    dice = np.random.default_rng(seed)
    rows, columns = np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij")
    radius = np.hypot(rows, columns)
    radius[0, 0] = 1
    spectrum = np.fft.rfft2(dice.standard_normal((size, size))) / radius**1.1
    spectrum[0, 0] = 0
    values = np.fft.irfft2(spectrum, s=(size, size))
    return (0.5 + values / (6 * values.std())).clip(0, 1).astype(np.float32)


def noise(u: Array, v: Array, scale: float, seed: int = 1) -> Array:
    """The tile at (u, v) * scale, 1 being a 64th of its side; between its points it is interpolated."""
    table = tile(seed)
    side = table.shape[0]
    x, y = u * np.float32(scale * 16), v * np.float32(scale * 16)
    left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    x, y = x - left, y - top
    left, top = left & (side - 1), top & (side - 1)
    right, below = (left + 1) & (side - 1), (top + 1) & (side - 1)
    upper = table[top, left] * (1 - x) + table[top, right] * x
    lower = table[below, left] * (1 - x) + table[below, right] * x
    return upper * (1 - y) + lower * y


def pattern(name: str, u: Array, v: Array, colour: Colour) -> Array:
    """The colour of a surface at its own coordinates (metres)."""
    base = np.array(colour, np.float32)
    fine, coarse = noise(u, v, 6, 2), noise(u, v, 0.5)
    shade = 0.75 + 0.5 * (fine - 0.5) + 0.5 * (coarse - 0.5)
    other = None
    if name == "plain":
        shade = 0.92 + 0.16 * (coarse - 0.5) + 0.1 * (fine - 0.5)
    elif name == "wood":
        grain = noise(u * 0.12, v, 3, 3)
        shade = 0.55 + 0.9 * (grain - 0.2) - 0.45 * (np.abs((v * 3.1) % 1 - 0.5) > 0.485)
    elif name in ("grass", "moss"):
        blades = noise(u * 3, v, 12, 4) + 1.2 * (noise(u * 2, v, 45, 6) - 0.5)
        shade = 0.25 + 1.3 * blades * (0.6 + coarse)
        other = (np.array((0.45, 0.42, 0.12), np.float32), (coarse - 0.45).clip(0, 1))
    elif name == "brick":
        row = np.floor(v * 7)
        across = (u * 3 + 0.5 * (row % 2)) % 1
        mortar = ((v * 7) % 1 < 0.12) | (across < 0.05)
        shade = 0.6 + 0.5 * noise(np.floor(u * 3 + 0.5 * (row % 2)), row, 3, 5) + 0.3 * (fine - 0.5)
        other = (np.array((0.5, 0.48, 0.45), np.float32), mortar * 0.9)
    elif name == "tiles":
        joint = ((u * 1.6) % 1 < 0.03) | ((v * 1.6) % 1 < 0.03)
        shade = 0.8 + 0.5 * (noise(np.floor(u * 1.6), np.floor(v * 1.6), 3, 5) - 0.5) + 0.15 * (fine - 0.5)
        other = (np.array((0.2, 0.19, 0.18), np.float32), joint * 0.9)
    elif name == "checks":
        shade = 0.85 + 0.25 * (noise(u, v, 20, 3) - 0.5)
        blend = 0.45 * ((u * 2.5) % 1 < 0.5) + 0.45 * ((v * 2.5) % 1 < 0.5)
        other = (np.array((0.85, 0.84, 0.8), np.float32), 1 - blend)
    elif name == "sand":
        shade = 0.8 + 0.25 * np.sin(v * 14 + 9 * coarse) * coarse + 0.5 * (noise(u, v, 30, 6) - 0.5)
    elif name == "snow":
        shade = 0.88 + 0.25 * (coarse - 0.5) + 0.12 * (noise(u, v, 25, 6) - 0.5)
    elif name == "leaves":
        shade = 0.1 + 3.6 * noise(u, v, 2.5, 7) * noise(u * 1.7, v, 14, 4)
    elif name == "marble":
        veins = np.abs(np.sin(u * 3 + 12 * coarse + 2 * noise(u, v, 2, 3)))
        shade = 0.7 + 0.3 * veins**0.4 + 0.06 * (fine - 0.5)
    elif name == "carpet":
        shade = 0.6 + 0.7 * (noise(u, v, 30, 8) - 0.3)
        rings = np.sin(np.hypot(u, v) * 9) > 0.55
        other = (np.array((0.55, 0.4, 0.12), np.float32), rings * 0.7)
    elif name == "stripes":
        shade = 0.9 + 0.2 * (fine - 0.5)
        bands = np.sin(v * 21 + 3 * coarse + np.cos(u * 4)) > 0.45
        other = (np.array((0.9, 0.86, 0.72), np.float32), bands * 0.92)
    mixed = base * np.asarray(shade, np.float32)[..., None].clip(0.03, 2)
    if other is not None:
        amount = np.asarray(other[1], np.float32)[..., None]
        mixed = mixed * (1 - amount) + other[0] * (0.85 + 0.3 * (fine[..., None] - 0.5)) * amount
    return mixed.astype(np.float32)


def turned(turn: tuple[float, float, float]) -> Array:
    """The rotation matrix of turns about y, then x, then z (degrees)."""
    y, x, z = (math.radians(angle) for angle in turn)
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(x), -math.sin(x)], [0, math.sin(x), math.cos(x)]])
    about_z = np.array([[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]])
    return (about_y @ about_x @ about_z).astype(np.float32)


def _local(thing: Thing, origin: Array, way: Array) -> tuple[Array, Array]:
    """A ray as the thing sees it: as if it were the unit ball, or the cube from -1 to 1."""
    back = turned(thing.turn).T / np.array(thing.size, np.float32)[:, None]
    return back @ (origin - _column(thing.at)), back @ way


def hit(thing: Thing, origin: Array, way: Array) -> Array:
    """How far along each ray (columns of 3; one of both may be a single column) the thing begins; FAR where
    it is missed. Only rays that pass near its middle (two centimetres aside for rounding) are looked at.
    """
    to = _column(thing.at) - origin
    radius = (max(thing.size) if thing.shape == "ball" else math.hypot(*thing.size)) + 0.02
    ahead = _dot(way, to)
    near = np.flatnonzero((_dot(to, to) - ahead * ahead < radius * radius) & (ahead > -radius))
    far = np.full(ahead.shape, FAR)
    if near.size:
        far[near] = _hit(thing, *(rays if rays.shape[1] == 1 else rays[:, near] for rays in (origin, way)))
    return far


def _hit(thing: Thing, origin: Array, way: Array) -> Array:
    o, d = _local(thing, origin, way)
    if thing.shape == "ball":
        a, b = _dot(d, d), _dot(o, d)
        root = b * b - a * (_dot(o, o) - 1)
        near = (-b - np.sqrt(root.clip(0))) / a
        return np.where((root > 0) & (near > 1e-3), near, FAR)
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (-1 - o) / d, (1 - o) / d
    near, far = np.minimum(one, two).max(0), np.maximum(one, two).min(0)
    return np.where((near < far) & (near > 1e-3), near, FAR)


def _surface(thing: Thing, point: Array) -> tuple[Array, Array]:
    """Outward normal and colour at points of a thing's surface."""
    matrix, size = turned(thing.turn), np.array(thing.size, np.float32)[:, None]
    local = matrix.T @ (point - _column(thing.at))
    unit = local / size
    if thing.shape == "ball":
        normal = unit / size
        u, v = np.arctan2(unit[0], unit[2]) * size[0], local[1]
    else:
        side = np.abs(unit).argmax(0)
        normal = np.sign(unit) * (np.arange(3)[:, None] == side)
        u = np.where(side == 0, local[2], local[0])
        v = np.where(side == 1, local[2], local[1])
    normal = matrix @ normal.astype(np.float32)
    return normal / np.sqrt(_dot(normal, normal)), pattern(thing.texture, u, v, thing.colour).T


def sun_way(scene: Scene) -> Array:
    """Unit vector towards the sun."""
    around, above = (math.radians(angle) for angle in scene.sun)
    return _column((math.sin(around) * math.cos(above), math.sin(above), math.cos(around) * math.cos(above)))


def _sky(scene: Scene, way: Array) -> Array:
    up = way[1].clip(0, 1)
    colour = _column(scene.horizon) * (1 - up) ** 4 + _column(scene.sky) * (1 - (1 - up) ** 4)
    spread = way[1].clip(0.04)
    heaps = noise(way[0] / spread, way[2] / spread, 0.35, 9)
    veil = ((heaps - 0.62 + 0.3 * scene.clouds) * 4).clip(0, 1) * scene.clouds * (up > 0)
    colour = colour * (1 - veil) + _column(scene.horizon) * 1.1 * veil
    to_sun = _dot(way, sun_way(scene)).clip(0)
    colour += _column(scene.sun_colour) * 0.12 * to_sun**60
    if scene.stars:
        grid = np.floor(way * 170)
        twinkle = np.abs(np.sin(_dot(grid, _column((12.99, 78.2, 37.7)))) * 43758.5) % 1
        colour += ((twinkle > 0.995) & (way[1] > 0.05)) * np.float32(0.7)
        colour += (to_sun > 0.9994) * _column((1.6, 1.6, 1.4))
    return colour


def _lit(scene: Scene, point: Array, normal: Array, colour: Array, way: Array, gloss: float) -> Array:
    """Light that a surface sends back: from the sky, the sun where nothing stands before it, lamps."""
    sun, sun_colour = sun_way(scene), _column(scene.sun_colour)
    sky = (_column(scene.sky) + _column(scene.horizon)) * 0.5
    up = (normal[1] * 0.5 + 0.5) * 0.75 + 0.25
    facing = _dot(normal, sun).clip(0)
    lit = facing > 0
    shadow = np.zeros(point.shape[1], np.float32)
    start = point[:, lit] + normal[:, lit] * 2e-3
    blocked = np.zeros(start.shape[1], bool)
    for thing in scene.things:
        if not thing.glow:
            blocked |= hit(thing, start, sun) < FAR
    shadow[lit] = ~blocked
    light = sky * (up * 0.55 * _open(scene, point, normal)) + sun_colour * (facing * shadow)
    for place, lamp in scene.lamps:
        to = _column(place) - point
        far = np.sqrt(_dot(to, to))
        light += _column(lamp) * (_dot(normal, to).clip(0) / far**3)
    seen = colour * light * 0.8
    if gloss:
        half = sun - way
        half /= np.sqrt(_dot(half, half))
        seen += sun_colour * (_dot(normal, half).clip(0) ** 60 * shadow * gloss)
        along = _dot(way, normal)
        seen += _sky(scene, way - 2 * along * normal) * (0.6 * gloss * (1 + along).clip(0, 1) ** 3)
    return seen


def _open(scene: Scene, point: Array, normal: Array) -> Array:
    """How much of the sky a point sees past the nearest things (1: all of it), roughly."""
    seen = np.ones(point.shape[1], np.float32)
    for thing in scene.things:
        radius = sum(thing.size) / 3
        if thing.glow or radius > 3:
            continue
        to = _column(thing.at) - point
        far = np.sqrt(_dot(to, to)).clip(radius * 0.8)
        seen *= 1 - 0.7 * (_dot(to, normal) / far).clip(0, 1) * (radius / far) ** 2
    return seen


def _column(values: tuple[float, float, float]) -> Array:
    return np.array(values, np.float32)[:, None]


def _dot(one: Array, two: Array) -> Array:
    return one[0] * two[0] + one[1] * two[1] + one[2] * two[2]


def _rays(camera: Camera, width: int, height: int) -> tuple[Array, Array]:
    """Where the camera stands (a column), and the way of each ray: (3, height, width)."""
    angle, target = math.radians(camera.around), np.array(camera.target)
    eye = target + np.array((math.sin(angle) * camera.away, 0, math.cos(angle) * camera.away))
    eye[1] = camera.high
    ahead = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(ahead, (0, 1, 0))
    right /= np.linalg.norm(right)
    reach = math.tan(math.radians(camera.lens) / 2) / max(width, height) * 2
    x = (np.arange(width) - width / 2 + 0.5) * reach
    y = (height / 2 - 0.5 - np.arange(height)) * reach
    over = np.cross(right, ahead)
    way = ahead[:, None, None] + right[:, None, None] * x + over[:, None, None] * y[:, None]
    return eye.astype(np.float32)[:, None], (way / np.linalg.norm(way, axis=0)).astype(np.float32)


def trace(scene: Scene, camera: Camera, width: int, height: int) -> Picture:
    """Look at a scene; in bands of rows, which stay in the processor's cache."""
    eye, ways = _rays(camera, width, height)
    rows = max(1, 30_000 // width)
    seen = [_look(scene, eye, ways[:, top : top + rows].reshape(3, -1)) for top in range(0, height, rows)]
    light, depth, normal, what = (np.concatenate(parts, axis=-1) for parts in zip(*seen, strict=True))
    return Picture(
        light.T.reshape(height, width, 3),
        depth.reshape(height, width),
        normal.T.reshape(height, width, 3),
        what.reshape(height, width),
    )


def _look(scene: Scene, eye: Array, way: Array) -> tuple[Array, Array, Array, NDArray[np.int16]]:
    """Colour, distance, normal and number of what each ray meets (-1: the ground, -2: the sky)."""
    depth = np.where(way[1] < -1e-4, -eye[1] / np.minimum(way[1], -1e-4), FAR)
    what = np.where(depth < 400, -1, -2).astype(np.int16)
    depth = np.where(what == -1, depth, FAR).astype(np.float32)
    for number, thing in enumerate(scene.things):
        near = hit(thing, eye, way)
        closer = near < depth
        depth[closer], what[closer] = near[closer], number
    light, normal = _sky(scene, way), np.zeros_like(way)
    for number in np.unique(what[what > -2]):
        here = what == number
        point = eye + way[:, here] * depth[here]
        if number == -1:
            upward = np.zeros_like(point)
            upward[1] = 1
            normal[:, here] = upward
            colour = pattern(scene.ground, point[0], point[2], scene.ground_colour).T
            gloss, glow = 0.25 if scene.ground in ("tiles", "marble", "wood") else 0.0, 0.0
        else:
            thing = scene.things[number]
            normal[:, here], colour = _surface(thing, point)
            gloss, glow = thing.gloss, thing.glow
        seen = _lit(scene, point, normal[:, here], colour, way[:, here], gloss) + colour * glow
        mist = np.exp(-depth[here] / scene.haze)
        light[:, here] = seen * mist + _column(scene.horizon) * (1 - mist)
    return light, depth, normal, what


def at_night(scene: Scene) -> Scene:
    """The same place by moonlight: what glows is seen to glow."""
    return replace(
        scene,
        sun=(scene.sun[0], max(18, scene.sun[1] * 0.5)),
        sun_colour=(0.1, 0.13, 0.2),
        sky=(0.006, 0.012, 0.035),
        horizon=(0.03, 0.045, 0.09),
        clouds=scene.clouds * 0.5,
        stars=True,
        things=tuple(replace(t, glow=4.0 if t.texture == "window" else t.glow) for t in scene.things),
    )
