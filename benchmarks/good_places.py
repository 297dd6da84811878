"""The places that good_albums.py photographs: a figurine in 24 of them, streets and shores for the others."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from scenes import Camera, Colour, Scene, Thing

TEAL, CREAM, DARK = (0.03, 0.26, 0.3), (0.75, 0.7, 0.58), (0.015, 0.015, 0.02)


@dataclass(frozen=True)
class Shot:
    """One picture: what it shows, from where, upright or not, and the words for it."""

    scene: Scene
    camera: Camera
    words: str
    upright: bool = False


def figurine(at: tuple[float, float] = (0, 0), turn: float = 0, size: float = 1) -> tuple[Thing, ...]:
    """A sitting cat of glazed clay, about 1.5 x ``size`` metres high (the camera does not know)."""
    parts = [
        ("ball", (0, 0.52, 0), (0.4, 0.54, 0.36), TEAL, "stripes"),
        ("ball", (0, 1.17, 0.1), (0.32, 0.28, 0.29), TEAL, "plain"),
        ("ball", (-0.19, 1.43, 0.08), (0.09, 0.17, 0.06), TEAL, "plain"),
        ("ball", (0.19, 1.43, 0.08), (0.09, 0.17, 0.06), TEAL, "plain"),
        ("ball", (0, 1.08, 0.33), (0.15, 0.1, 0.1), CREAM, "plain"),
        ("ball", (0, 1.13, 0.43), (0.035, 0.025, 0.025), (0.5, 0.12, 0.12), "plain"),
        ("ball", (-0.13, 1.24, 0.33), (0.055, 0.06, 0.05), DARK, "plain"),
        ("ball", (0.13, 1.24, 0.33), (0.055, 0.06, 0.05), DARK, "plain"),
        ("ball", (-0.17, 0.09, 0.34), (0.12, 0.09, 0.15), CREAM, "plain"),
        ("ball", (0.17, 0.09, 0.34), (0.12, 0.09, 0.15), CREAM, "plain"),
        ("ball", (0, 0.62, 0.26), (0.2, 0.3, 0.13), CREAM, "plain"),
        ("ball", (0.4, 0.09, 0.02), (0.14, 0.09, 0.2), TEAL, "plain"),
        ("ball", (0.5, 0.12, 0.22), (0.1, 0.1, 0.14), CREAM, "plain"),
    ]
    whole = Thing("ball", (0, 0, 0), (1, 1, 1), TEAL)
    things = [
        replace(whole, shape=s, at=a, size=z, colour=c, texture=t, gloss=0.7) for s, a, z, c, t in parts
    ]
    return tuple(_placed(thing, at, turn, size) for thing in things)


def _placed(thing: Thing, at: tuple[float, float], turn: float, size: float) -> Thing:
    import math

    x, y, z = thing.at
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    place = (at[0] + size * (c * x + s * z), size * y, at[1] + size * (c * z - s * x))
    return replace(
        thing,
        at=place,
        size=tuple(size * v for v in thing.size),
        turn=(thing.turn[0] + turn, *thing.turn[1:]),
    )


def wall(texture: str, colour: Colour, back: float = 2.2) -> tuple[Thing, ...]:
    return (Thing("box", (0, 3, -back - 0.2), (9, 3, 0.2), colour, texture=texture),)


def tree(x: float, z: float, size: float = 1, colour: Colour = (0.06, 0.16, 0.03)) -> tuple[Thing, ...]:
    dice = random.Random(f"{x} {z}")
    crown = [
        Thing(
            "ball",
            (
                x + dice.uniform(-0.9, 0.9) * size,
                (2.4 + dice.uniform(-0.5, 1.1)) * size,
                z + dice.uniform(-0.8, 0.8),
            ),
            (0.7 * size, 0.55 * size, 0.7 * size),
            colour,
            texture="leaves",
            gloss=0,
        )
        for _ in range(8)
    ]
    return (
        Thing("box", (x, size, z), (0.13 * size, size, 0.13 * size), (0.13, 0.08, 0.05), texture="wood"),
        *crown,
    )


def house(
    x: float, z: float, turn: float = 0, colour: Colour = (0.5, 0.3, 0.2), wide: float = 1.6
) -> tuple[Thing, ...]:
    """A house with a roof, a door and four windows that glow at night."""
    parts = [
        Thing("box", (0, 1.3, 0), (wide, 1.3, 1.3), colour, texture="brick"),
        Thing("box", (0, 2.6, 0), (wide * 1.08, 1.05, 1.05), (0.2, 0.07, 0.05), (0, 45, 0), texture="tiles"),
        Thing("box", (0, 0.6, 1.31), (0.3, 0.6, 0.03), (0.1, 0.14, 0.1), texture="wood"),
    ]
    glass = (0.5, 0.42, 0.25)
    for side in (-1, 1):
        for high in (0.95, 2.0):
            at = (side * wide * 0.6, high, 1.31)
            parts.append(Thing("box", at, (0.26, 0.3, 0.03), glass, texture="window", gloss=0.8))
    return tuple(_placed(part, (x, z), turn, 1) for part in parts)


def hills(colour: Colour = (0.1, 0.2, 0.06)) -> tuple[Thing, ...]:
    at = [(-22, -46, 30, 9), (14, -60, 36, 14), (38, -44, 24, 8)]
    return tuple(
        Thing("ball", (x, -2, z), (w, h, 14), colour, texture="leaves", gloss=0) for x, z, w, h in at
    )


def books(x: float, z: float) -> tuple[Thing, ...]:
    colours = [(0.4, 0.05, 0.05), (0.05, 0.12, 0.3), (0.45, 0.33, 0.08), (0.1, 0.25, 0.12)]
    return tuple(
        Thing("box", (x, 0.1 + 0.19 * i, z), (0.5, 0.09, 0.36), c, (17 * i - 20, 0, 0))
        for i, c in enumerate(colours)
    )


def fruit(x: float, z: float) -> tuple[Thing, ...]:
    at = [(0, 0), (0.4, 0.12), (0.15, 0.42)]
    return tuple(
        Thing("ball", (x + a, 0.2, z + b), (0.2, 0.19, 0.2), (0.7, 0.26, 0.03), gloss=0.3) for a, b in at
    )


def lamp(x: float, z: float) -> tuple[Thing, ...]:
    return (
        Thing("box", (x, 0.7, z), (0.04, 0.7, 0.04), (0.1, 0.08, 0.05)),
        Thing("ball", (x, 1.55, z), (0.26, 0.26, 0.26), (0.9, 0.6, 0.3), glow=3),
    )


#: Ground, its colour, what stands around, words.
_PLACES: list[tuple[str, Colour, tuple[Thing, ...], str]] = [
    (
        "wood",
        (0.36, 0.2, 0.09),
        wall("plain", (0.5, 0.5, 0.42)) + books(-1.3, -0.6),
        "on a wooden table beside books",
    ),
    (
        "grass",
        (0.2, 0.36, 0.08),
        hills() + tree(-4, -7, 1.4) + tree(3.5, -9, 1.6),
        "in a meadow before hills",
    ),
    ("tiles", (0.5, 0.47, 0.42), wall("tiles", (0.32, 0.5, 0.55)), "on the floor of a tiled bathroom"),
    ("sand", (0.62, 0.5, 0.32), hills((0.1, 0.2, 0.3)), "on a sandy beach"),
    (
        "checks",
        (0.55, 0.06, 0.07),
        wall("plain", (0.65, 0.6, 0.5)) + fruit(1, 0.1),
        "on a checked cloth with oranges",
    ),
    (
        "snow",
        (0.82, 0.85, 0.9),
        tree(-3, -5, 1.2, (0.05, 0.1, 0.06)) + tree(2.6, -6, 1.5, (0.04, 0.1, 0.06)),
        "in snow",
    ),
    (
        "brick",
        (0.35, 0.2, 0.16),
        house(2.5, -6, -15) + house(-3, -7, 20, (0.55, 0.45, 0.3)),
        "on a paved square",
    ),
    (
        "carpet",
        (0.3, 0.04, 0.06),
        wall("stripes", (0.25, 0.3, 0.2)) + lamp(1.5, -1),
        "on a carpet beside a lamp",
    ),
    ("moss", (0.1, 0.2, 0.05), tree(-2, -3) + tree(1.8, -4, 1.3) + tree(4, -6, 1.6), "on moss under trees"),
    ("marble", (0.7, 0.68, 0.66), wall("marble", (0.4, 0.42, 0.4)), "on a marble counter"),
    ("wood", (0.2, 0.11, 0.06), wall("brick", (0.4, 0.16, 0.1)), "on dark boards before a brick wall"),
    (
        "grass",
        (0.16, 0.28, 0.09),
        house(-2, -8, 10, (0.6, 0.55, 0.45)) + tree(3, -5),
        "in the garden of a house",
    ),
]
#: Sun, its colour, sky, horizon, clouds, words.
_LIGHTS = [
    ((35, 48), (3.0, 2.8, 2.4), (0.22, 0.42, 0.85), (0.7, 0.8, 0.92), 0.3, "in bright sun"),
    ((-65, 14), (3.2, 1.7, 0.8), (0.3, 0.35, 0.6), (0.95, 0.62, 0.38), 0.5, "in low evening light"),
    ((20, 60), (0.5, 0.5, 0.52), (0.62, 0.66, 0.72), (0.8, 0.82, 0.85), 1.0, "under an overcast sky"),
    ((70, 30), (2.2, 2.0, 1.8), (0.3, 0.45, 0.75), (0.8, 0.8, 0.8), 0.6, "in morning light from the side"),
]
#: Camera and the words for its framing.
_FRAMES = [
    (Camera(18, 3.9, 1.3, (0, 0.78, 0), 40), "full view"),
    (Camera(-28, 2.6, 1.25, (0, 1.05, 0), 38), "close-up"),
    (Camera(38, 5.6, 2.6, (0.3, 0.6, 0), 36), "seen from above"),
    (Camera(-12, 4.4, 0.5, (-0.3, 0.9, 0), 44), "low angle"),
    (Camera(55, 6.6, 1.7, (0.5, 0.9, -0.6), 42), "wide shot"),
]


def subject_shots() -> list[Shot]:
    """The figurine in 24 pictures: each place twice, in another light, from elsewhere, turned."""
    shots = []
    for number in range(24):
        ground, colour, around, place = _PLACES[number % 12]
        sun, sun_colour, sky, horizon, clouds, light = _LIGHTS[(number * 3 + number // 12) % 4]
        again = number // 12
        camera, framing = _FRAMES[(number * 2 + again * 3) % 5]
        camera = replace(camera, around=camera.around * (1 - 2 * again))
        things = figurine(turn=[-35, 10, 40, -10, 60, 20, -60][number % 7]) + around
        scene = Scene(things, ground, colour, sun, sun_colour, sky, horizon, clouds)
        if "lamp" in place:
            scene = replace(scene, lamps=(((1.5, 1.55, -1), (1.6, 1.0, 0.5)),), sun_colour=(0.3, 0.25, 0.2))
        shots.append(Shot(scene, camera, f"{place}, {light}, {framing}", upright=number % 3 == 1))
    return shots


_PAINTS: list[tuple[Colour, str]] = [
    ((0.55, 0.3, 0.2), "brick"),
    ((0.6, 0.55, 0.4), "sandstone"),
    ((0.35, 0.4, 0.45), "slate"),
    ((0.6, 0.4, 0.35), "rose"),
    ((0.3, 0.35, 0.25), "mossy"),
]
_GROUNDS: list[tuple[str, Colour, str]] = [
    ("grass", (0.18, 0.3, 0.08), "in a meadow"),
    ("brick", (0.4, 0.36, 0.32), "on a paved yard"),
    ("sand", (0.55, 0.45, 0.3), "on a sandy plain"),
    ("snow", (0.8, 0.83, 0.88), "in fresh snow"),
]


def street_shots(count: int, seed: int = 5) -> list[Shot]:
    """Houses, trees and hills, never alike but for the paint; the words say how each is seen."""
    dice = random.Random(seed)
    shots: dict[str, Shot] = {}
    while len(shots) < count:
        plainly, shot = _street(dice, len(shots))
        shots.setdefault(plainly, shot)
    return list(shots.values())


def _street(dice: random.Random, number: int) -> tuple[str, Shot]:
    """A shot, and the words for it but for what the houses are made of."""
    ground, colour, where = dice.choice(_GROUNDS)
    houses, trees, hilly = 1 + dice.randrange(3), dice.randrange(4), dice.random() < 0.6
    paint, kind = dice.choice(_PAINTS)
    things = hills((0.1, 0.18, 0.08)) if hilly else ()
    for place in range(houses):
        x = (place - (houses - 1) / 2) * dice.uniform(4.6, 5.6)
        things += house(x, dice.uniform(-3, 0), dice.uniform(-30, 30), paint, dice.uniform(1.3, 2.0))
    for place in range(trees):
        things += tree((-1) ** place * dice.uniform(3.4, 7), dice.uniform(-2, 3), dice.uniform(0.9, 1.5))
    sun, sun_colour, sky, horizon, clouds, _ = _LIGHTS[number % 4]
    away, high = dice.uniform(9, 14), dice.uniform(1.4, 5)
    camera = Camera(dice.uniform(-40, 40), away, high, (0, 1.5, -1), dice.uniform(38, 52))
    built = ["a {} house", "two {} houses", "a row of three {} houses"][houses - 1]
    green = ["", " beside a tree", " between two trees", " among three trees"][trees]
    behind = ", hills behind" if hilly else ", empty horizon"
    framing = "seen from above" if high > 3.4 else "from a low viewpoint" if high < 2.2 else "at eye level"
    near = "wide shot" if away > 12 else "close view" if away < 10 else "middle distance"
    words = f"{built}{green} {where}{behind}, {framing}, {near}"
    scene = Scene(things, ground, colour, sun, sun_colour, sky, horizon, clouds)
    return words, Shot(scene, camera, words.format(kind))
