"""What a picture shows, as numbers: a batch of `Scenes`, drawn from a seed."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from albumkit.engine.pocket.world.names import (
    COLOUR_NAMES,
    COLOURS,
    FIGURINE,
    FIGURINE_GLAZE,
    FINISHES,
    FRAMINGS,
    KINDS,
    LIGHTS,
    PLACES,
)

# What belongs to the thing itself; the rest of the fields belong to one photograph of it.
SUBJECT = ("kind", "colour", "accent", "pattern", "finish", "shape", "albedo", "accent_albedo", "grain")


@dataclass
class Scenes:
    """n pictures. Words are indices into `names`; every tensor's first axis is the picture."""

    kind: Tensor
    colour: Tensor
    accent: Tensor
    pattern: Tensor
    finish: Tensor
    place: Tensor
    light: Tensor
    framing: Tensor
    shape: Tensor  # (n, 8) in 0..1: which specimen of its kind
    albedo: Tensor  # (n, 3) linear RGB of the body
    accent_albedo: Tensor  # (n, 3) of the pattern's second colour
    grain: Tensor  # (n, 4) in 0..1: pattern scale, tilt and offsets
    scenery: Tensor  # (n, 4) in 0..1: where in the noise the place lies, its tints
    yaw: Tensor  # turn of the thing, radians
    azimuth: Tensor  # camera, radians, 0 faces the backdrop
    elevation: Tensor
    distance: Tensor
    view: Tensor  # tangent of half the view angle of the shorter side
    aim: Tensor  # (n, 2) how far the thing is off the middle of the picture, in half sides
    sun_azimuth: Tensor
    sun_elevation: Tensor
    sensor: Tensor  # (n,) seed of the sensor's noise

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, index: Tensor | slice) -> Scenes:
        return Scenes(**{f.name: getattr(self, f.name)[index] for f in dataclasses.fields(self)})

    def to(self, device: torch.device | str) -> Scenes:
        return Scenes(**{f.name: getattr(self, f.name).to(device) for f in dataclasses.fields(self)})

    def replace(self, **changes: Tensor | int | float) -> Scenes:
        """The same pictures with some fields changed; a plain number stands for all pictures."""
        for name, value in changes.items():
            if not isinstance(value, Tensor):
                changes[name] = torch.full_like(getattr(self, name), value)
        return dataclasses.replace(self, **changes)


def concatenate(parts: list[Scenes]) -> Scenes:
    names = [f.name for f in dataclasses.fields(Scenes)]
    return Scenes(**{name: torch.cat([getattr(p, name) for p in parts]) for name in names})


def held_out(kind: Tensor, colour: Tensor, place: Tensor) -> Tensor:
    """True where this combination is never trained on: of the ten colours of each kind in each place, one.

    So every pair (kind and colour, colour and place, kind and place) is seen, and one triple in ten is not.
    """
    return (kind + 3 * colour + 7 * place) % len(COLOURS) == 0


def linear(srgb: Tensor) -> Tensor:
    return srgb.clamp_min(0) ** 2.2


# The second colour of a pattern: white on deep colours, near black on light ones.
_LIGHT_COLOURS = ("yellow", "pink", "white")


class _Draw:
    """Uniform numbers, whole numbers and normals from one seed."""

    def __init__(self, seed: int, n: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.n = n

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(self.n, *shape, generator=self.generator)

    def below(self, limit: int) -> Tensor:
        return torch.randint(limit, (self.n,), generator=self.generator)


def _subject(draw: _Draw, kind: Tensor, colour: Tensor) -> dict[str, Tensor]:
    palette = torch.tensor(list(COLOURS.values()))
    light = torch.tensor([name in _LIGHT_COLOURS for name in COLOURS])[colour]
    accent = torch.where(light, COLOUR_NAMES.index("black"), COLOUR_NAMES.index("white"))
    # Brightness moves more than hue, as it does in a shop.
    tint = 1 + 0.10 * draw.uniform(-1, 1, 1) + 0.06 * draw.uniform(-1, 1, 3)
    return {
        "kind": kind,
        "colour": colour,
        "accent": accent,
        "pattern": (draw.below(6) - 2).clamp_min(0),  # half of the things are plain
        "finish": (draw.below(5) // 2).clamp_max(len(FINISHES) - 1),
        "shape": draw.uniform(0, 1, 8),
        "albedo": linear((palette[colour] * tint).clamp(0.015, 0.97)),
        "accent_albedo": linear((palette[accent] * (1 + 0.04 * draw.uniform(-1, 1, 3))).clamp(0.015, 0.97)),
        "grain": draw.uniform(0, 1, 4),
    }


def _photograph(draw: _Draw) -> dict[str, Tensor]:
    place, light = draw.below(len(PLACES)), draw.below(len(LIGHTS))
    # Two in six have the ordinary framing.
    framing = (draw.below(len(FRAMINGS) + 1) - 1).clamp_min(0)
    view = draw.uniform(0.30, 0.40)
    fill = torch.tensor([0.66, 0.92, 0.46, 0.66, 0.68])[framing] * draw.uniform(0.92, 1.08)
    low = torch.tensor([10.0, 8.0, 9.0, 42.0, 1.5])[framing]
    high = torch.tensor([24.0, 22.0, 20.0, 62.0, 5.0])[framing]
    side = torch.where(draw.uniform() < 0.5, -1.0, 1.0)
    near = torch.tensor([math.pi, 60.0, 80.0, 55.0])[light] * math.pi / 180
    sun_low = torch.tensor([60.0, 48.0, 11.0, 40.0])[light]
    sun_high = torch.tensor([85.0, 66.0, 24.0, 60.0])[light]
    return {
        "place": place,
        "light": light,
        "framing": framing,
        "scenery": draw.uniform(0, 1, 4),
        "yaw": draw.uniform(-0.75, 0.75),
        "azimuth": draw.uniform(-0.22, 0.22),
        "elevation": torch.deg2rad(low + (high - low) * draw.uniform()),
        "distance": 1.0 / (fill * view),
        "view": view,
        "aim": draw.uniform(-1, 1, 2) * torch.tensor([0.14, 0.06]),
        "sun_azimuth": side * near * draw.uniform(0.6, 1.3),
        "sun_elevation": torch.deg2rad(sun_low + (sun_high - sun_low) * draw.uniform()),
        "sensor": draw.below(1 << 20),
    }


def sample(seed: int, n: int, held: bool | None = None) -> Scenes:
    """n random pictures. `held` True or False keeps to held-out or to trained combinations; None takes all.

    Where a combination is of the wrong side, its colour moves on to the next of the wanted side.
    """
    draw = _Draw(seed, n)
    photograph = _photograph(draw)
    kind, colour = draw.below(len(KINDS)), draw.below(len(COLOURS))
    if held is not None:
        round_trip = (colour[:, None] + torch.arange(len(COLOURS))) % len(COLOURS)
        fits = held_out(kind[:, None], round_trip, photograph["place"][:, None]) == held
        colour = round_trip.gather(1, fits.int().argmax(dim=1, keepdim=True))[:, 0]
    return Scenes(**_subject(draw, kind, colour), **photograph)


def see_again(scenes: Scenes, seed: int) -> Scenes:
    """The same subjects photographed anew: other places, lights, framings."""
    return dataclasses.replace(scenes, **_photograph(_Draw(seed, len(scenes))))


def figurine(seed: int, n: int) -> Scenes:
    """One unseen subject n times: the cat with the striped glaze of the sample album `tok_figurine`."""
    scenes = sample(seed, n)
    return scenes.replace(
        kind=FIGURINE,
        pattern=FIGURINE_GLAZE,
        finish=FINISHES.index("glossy"),
        shape=0.5,
        grain=0.5,
        albedo=linear(torch.tensor([0.10, 0.52, 0.55])).expand(n, 3),
        accent_albedo=linear(torch.tensor([0.95, 0.88, 0.72])).expand(n, 3),
    )
