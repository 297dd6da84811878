"""What the captioner learns to say of scenes: plain words, one way to say each thing."""

from __future__ import annotations

import dataclasses

import torch

from albumkit.engine.pocket.world.captions import described, tidy
from albumkit.engine.pocket.world.names import COLOUR_NAMES, FRAMINGS, KINDS, LIGHTS, PLACES
from albumkit.engine.pocket.world.scenes import Scenes, sample

#: What may differ between the two pictures of a pair, in turn.
ASKED = ("light", "colour", "place")


def surroundings(scenes: Scenes) -> list[str]:
    """All but the thing itself: "on the beach, noon sun, close-up"."""
    rows = zip(scenes.place.tolist(), scenes.light.tolist(), scenes.framing.tolist(), strict=True)
    return [tidy(f"{PLACES[place]}, {LIGHTS[light]}, {FRAMINGS[framing]}") for place, light, framing in rows]


def contents(scenes: Scenes) -> list[str]:
    """The thing and its surroundings: "a red striped mug on the beach, noon sun, close-up"."""
    return [f"{described(scenes, i)} {where}" for i, where in enumerate(surroundings(scenes))]


def changed(scenes: Scenes, seed: int) -> Scenes:
    """The same pictures with one thing changed, in turn: the light, the thing's colour, the place."""
    other = sample(seed, len(scenes))
    turn = torch.arange(len(scenes)) % len(ASKED)
    light, colour, place = (turn == k for k in range(len(ASKED)))
    # A value that happens to be the same moves on to the next.
    lights = torch.where(other.light == scenes.light, (other.light + 1) % len(LIGHTS), other.light)
    places = torch.where(other.place == scenes.place, (other.place + 1) % len(PLACES), other.place)
    colour &= other.colour != scenes.colour
    return dataclasses.replace(
        scenes,
        light=torch.where(light, lights, scenes.light),
        sun_azimuth=torch.where(light, other.sun_azimuth, scenes.sun_azimuth),
        sun_elevation=torch.where(light, other.sun_elevation, scenes.sun_elevation),
        place=torch.where(place, places, scenes.place),
        colour=torch.where(colour, other.colour, scenes.colour),
        albedo=torch.where(colour[:, None], other.albedo, scenes.albedo),
        accent=torch.where(colour, other.accent, scenes.accent),
        accent_albedo=torch.where(colour[:, None], other.accent_albedo, scenes.accent_albedo),
    )


def change(before: Scenes, after: Scenes) -> list[str]:
    """What to ask for to get from one to the other: "change the light to golden hour"."""
    said = []
    for i in range(len(before)):
        thing = KINDS[int(after.kind[i])]
        if before.light[i] != after.light[i]:
            said.append(f"change the light to {LIGHTS[int(after.light[i])]}")
        elif before.place[i] != after.place[i]:
            said.append(f"put the {thing} {PLACES[int(after.place[i])]}")
        elif before.colour[i] != after.colour[i]:
            said.append(f"make the {thing} {COLOUR_NAMES[int(after.colour[i])]}")
        else:
            said.append("change nothing")
    return said
