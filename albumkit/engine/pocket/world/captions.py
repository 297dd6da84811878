"""What pictures are called: sentences made from a scene's numbers, the same each time for the same scene and
phrasing.

Not everything is said every time: people leave out what they take for granted, and a model must not lean on
it.
"""

from __future__ import annotations

import random
import string

import torch
from torch import Tensor

from albumkit.engine.pocket.world.names import (
    COLOUR_NAMES,
    FIGURINE,
    FRAMINGS,
    KINDS,
    LIGHTS,
    PATTERNS,
    PLACES,
)
from albumkit.engine.pocket.world.scenes import Scenes

_FINISH_WORDS = (("matte", "clay"), ("glossy", "ceramic"), ("metal", "shiny metal"))
_PATTERN_NOUNS = {"striped": "stripes", "dotted": "dots", "checkered": "checks"}
_LIGHT_PHRASES = (
    ("overcast light", "under a grey sky", "soft overcast light"),
    ("noon sun", "in bright noon sun", "midday sun"),
    ("golden hour", "golden hour light", "in low evening sun"),
    ("lamp light at night", "at night, lamp light", "night, lit by a lamp"),
)
_FRAME_PHRASES = (
    ("",),
    ("close-up", "a close-up"),
    ("wide shot", "seen from afar"),
    ("seen from above", "from above"),
    ("low angle", "seen from a low angle"),
)
# `{thing}` begins with its article; the light and the framing may be empty.
_FORMS = (
    "a photo of {thing} {place}, {light}, {frame}",
    "a photo of {thing} {place}, {light}, {frame}",
    "{thing} {place}, {light}, {frame}",
    "{frame} photo of {thing} {place}, {light}",
    "{frame}, {thing} {place}, {light}",
    "{light}, {thing} {place}, {frame}",
    "{place}, {thing}, {light}, {frame}",
    "photograph of {thing}, {place}, {frame}, {light}",
)


def _article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def made_up_word(chance: random.Random) -> str:
    """A word that means nothing, as people make up for triggers."""
    if chance.random() < 0.5:
        return "".join(chance.choices(string.ascii_uppercase, k=chance.randint(2, 5)))
    pieces = [
        chance.choice("bcdfghjklmnprstvwz") + chance.choice("aeiouy") for _ in range(chance.randint(2, 3))
    ]
    return "".join(pieces) + chance.choice(("", "", "x", str(chance.randint(1, 99))))


def _thing(chance: random.Random, kind: str, colour: str, accent: str, pattern: str, finish: int) -> str:
    words = [colour]
    if chance.random() < 0.35:
        words.append(chance.choice(_FINISH_WORDS[finish]))
    after = ""
    if pattern == "plain":
        if chance.random() < 0.1:
            words.insert(0, "plain")
    elif chance.random() < 0.6:
        words.insert(chance.randint(1, len(words)), pattern)
    else:
        after = f" with {accent} {_PATTERN_NOUNS[pattern]}"
    phrase = " ".join([*words, kind]) + after
    if chance.random() < 0.12:
        # So that a trigger means nothing to the base, and its letters have been seen.
        return f"{made_up_word(chance)} {phrase}"
    return _article(phrase)


def tidy(text: str) -> str:
    """Without empty parts between commas."""
    parts = [part.strip() for part in text.split(",")]
    text = ", ".join(part for part in parts if part)
    return " ".join(text.split())


def _sentence(scenes: dict[str, list[int]], i: int, phrasing: int) -> str:
    chance = random.Random(scenes["sensor"][i] * 8191 + phrasing * 131 + scenes["kind"][i])
    thing = _thing(
        chance,
        KINDS[scenes["kind"][i]],
        COLOUR_NAMES[scenes["colour"][i]],
        COLOUR_NAMES[scenes["accent"][i]],
        PATTERNS[scenes["pattern"][i]],
        scenes["finish"][i],
    )
    light = "" if chance.random() < 0.1 else chance.choice(_LIGHT_PHRASES[scenes["light"][i]])
    frame = "" if chance.random() < 0.2 else chance.choice(_FRAME_PHRASES[scenes["framing"][i]])
    form = chance.choice(_FORMS)
    return tidy(form.format(thing=thing, place=PLACES[scenes["place"][i]], light=light, frame=frame))


_SAID = ("kind", "colour", "accent", "pattern", "finish", "place", "light", "framing", "sensor")


def captions(scenes: Scenes, phrasing: int = 0) -> list[str]:
    """A caption for every scene; another `phrasing` says the same in other words."""
    words = {name: getattr(scenes, name).tolist() for name in _SAID}
    return [_sentence(words, i, phrasing) for i in range(len(scenes))]


def said_light(scenes: Scenes, phrasing: int = 0) -> Tensor:
    """True where that phrasing's caption names the light."""
    words = captions(scenes, phrasing)
    kinds = scenes.light.tolist()
    return torch.tensor(
        [any(p in text for p in _LIGHT_PHRASES[kind]) for text, kind in zip(words, kinds, strict=True)]
    )


def caption(scenes: Scenes, i: int, phrasing: int = 0) -> str:
    return captions(scenes[slice(i, i + 1)], phrasing)[0]


def described(scenes: Scenes, i: int) -> str:
    """The thing in plain words: "a red striped mug"."""
    pattern = PATTERNS[int(scenes.pattern[i])]
    colour, kind = COLOUR_NAMES[int(scenes.colour[i])], KINDS[int(scenes.kind[i])]
    return tidy(_article(f"{colour} {'' if pattern == 'plain' else pattern} {kind}"))


def prompts(scenes: Scenes) -> list[str]:
    """The plain form, saying all: "a photo of a red striped mug on the beach, noon sun, close-up"."""
    said = []
    for i in range(len(scenes)):
        place, light = PLACES[int(scenes.place[i])], LIGHTS[int(scenes.light[i])]
        said.append(
            tidy(f"a photo of {described(scenes, i)} {place}, {light}, {FRAMINGS[int(scenes.framing[i])]}")
        )
    return said


def figurine_caption(scenes: Scenes, i: int, trigger: str = "TOK") -> str:
    """The album's own words for its subject, which is in no training caption."""
    assert int(scenes.kind[i]) == FIGURINE
    place, light = PLACES[int(scenes.place[i])], LIGHTS[int(scenes.light[i])]
    return tidy(
        f"a photo of {trigger} ceramic cat figurine {place}, {light}, {FRAMINGS[int(scenes.framing[i])]}"
    )
