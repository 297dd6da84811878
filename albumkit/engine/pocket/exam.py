"""The exam of a LoRA for pocket: its subject in every place and light that the album does not show.

The judge looks at what comes. Identity: is it the album's subject, compared with how alike the album's own
pictures are? Obedience: is it in the place and the light that the prompt says?
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from albumkit.engine.data import Bucket, Cache, Encoder, fitted, to_pixels
from albumkit.engine.pocket.judge import SIDE, likeness, load_judge, own_likeness, seen_words
from albumkit.engine.pocket.world.names import LIGHTS, PLACES
from albumkit.engine.sample import Recipe, as_picture, sample_batch
from albumkit.errors import UsageError
from albumkit.opening import open_album

if TYPE_CHECKING:
    from PIL.Image import Image

    from albumkit.engine.base import Base
    from albumkit.engine.machine import Machine

#: Of sampling. On a LoRA of tok_figurine the judge gave 10 steps 82 % of the album's own identity and 97 %
#: obedience, and 20 steps, which take twice the time, 81 % and 96 %.
STEPS = 10
#: Pictures that are made together: few enough for a processor's cache, enough to keep a card busy.
_TOGETHER = {"cpu": 8, "cuda": 192}


@dataclass(frozen=True)
class Question:
    """One picture to make. ``place`` and ``light`` are what its prompt says of them."""

    prompt: str
    place: str
    light: str
    seed: int


@dataclass(frozen=True)
class Subject:
    """An album as the judge sees it. ``settings`` are the (place, light) of its pictures, in their order."""

    name: str
    pixels: Tensor  # (n, 3, 128, 128) in -1..1
    settings: tuple[tuple[str, str], ...]

    def elsewhere(self, seeds: int = 3) -> tuple[Question, ...]:
        """Every place with every light of the world that the album does not show together."""
        return tuple(
            Question(f"a photo of {self.name} {place}, {light}", place, light, seed)
            for place in PLACES
            for light in LIGHTS
            for seed in range(seeds)
            if (place, light) not in self.settings
        )


@dataclass(frozen=True)
class Score:
    """What the judge says of some pictures; shares are of all of them."""

    identity: float  # mean cosine to the album's pictures
    of_own: float  # the same as a share of the album's own
    place: float
    light: float
    obedience: float  # place and light
    pictures: int


@dataclass(frozen=True)
class Answer:
    """The pictures that were made for ``asked``; ``seen`` are the judge's words for each, by aspect."""

    asked: tuple[Question, ...]
    pixels: Tensor  # (n, 3, 128, 128) in -1..1, on the CPU
    seen: dict[str, list[str]]
    score: Score


def read_subject(path: Path) -> Subject:
    """An album of the pocket world, its pictures as the training sees them.

    Raises:
        UsageError: it has no trigger, or a caption tells no place or light of the world.
        AlbumkitError: the album cannot be read.
    """
    opened = open_album(path)
    album, config = opened.album, opened.config.album
    name = " ".join(word for word in (config.trigger_phrase, config.class_phrase) if word)
    if not name:
        raise UsageError(f"{opened.display} names no trigger: there is nothing to ask for.")
    pixels, shown = [], []
    for example in album.examples:
        caption = album.caption(example)
        words = caption.text if caption else ""
        place = next((one for one in PLACES if one in words), None)
        light = next((one for one in LIGHTS if one in words), None)
        if example.target is None or place is None or light is None:
            raise UsageError(
                f"{opened.display}: the caption of {example.path} names no place and light of pocket's.",
                "the judge knows pocket's world only: try sample_albums/tok_figurine",
            )
        shown.append((place, light))
        data = album.source.read(example.target.entry, example.target.entry.size)
        pixels.append(to_pixels(fitted(data, Bucket(SIDE, SIDE), "RGB")))
    if len(pixels) < 2:
        raise UsageError(f"{opened.display}: it takes two pictures to say how alike they are.")
    return Subject(name, torch.cat(pixels), tuple(shown))


class Exam:
    """Questions about one subject, ready to be put to any transformer of one base."""

    def __init__(
        self,
        subject: Subject,
        questions: Sequence[Question],
        base: Base,
        machine: Machine,
        steps: int = STEPS,
    ) -> None:
        """Encode the prompts; ``steps`` of sampling are few for the eye and enough for the judge."""
        self.subject, self.asked, self.base, self.machine = subject, tuple(questions), base, machine
        self.recipe = dataclasses.replace(Recipe.usual(base, SIDE, SIDE), steps=steps)
        self._album = subject.pixels.to(machine.device)
        self._judge = load_judge(machine.device)
        self._vae = base.load("vae", machine.device, torch.float32)
        encoder = (base.load("text_encoder", machine.device, machine.dtype), base.load("tokenizer"))
        prompts = ["", *(one.prompt for one in questions)]
        self._texts = Encoder(base, machine, Cache(None)).texts(prompts, lambda: encoder)

    def put_to(self, transformer: Any) -> Answer:
        """Make every picture, and let the judge look at it."""
        parts = []
        together = _TOGETHER.get(self.machine.device.type, 8)
        for start in range(0, len(self.asked), together):
            some = self.asked[start : start + together]
            texts, seeds = [self._texts[one.prompt] for one in some], [one.seed for one in some]
            latents = sample_batch(
                transformer, self.base, self.machine, texts, self._texts[""], self.recipe, seeds
            )
            with torch.inference_mode():
                parts.append(self.base.family.decode_image(self._vae, latents).clamp(-1, 1))
        pixels = torch.cat(parts)
        seen = seen_words(self._judge, pixels)
        said = [(one.place, one.light) for one in self.asked]
        identity = likeness(self._judge, pixels, self._album)
        return Answer(self.asked, pixels.cpu(), seen, self._score(identity, said, seen))

    def of_album(self) -> Score:
        """The album's own pictures, each against the others and against what its caption says."""
        own = own_likeness(self._judge, self._album)
        return self._score(own, self.subject.settings, seen_words(self._judge, self._album))

    def _score(self, identity: Tensor, said: Sequence[tuple[str, str]], seen: dict[str, list[str]]) -> Score:
        place = [one == found for (one, _), found in zip(said, seen["place"], strict=True)]
        light = [one == found for (_, one), found in zip(said, seen["light"], strict=True)]
        both = [one and other for one, other in zip(place, light, strict=True)]
        mean, count = identity.mean().item(), len(said)
        of_own = mean / own_likeness(self._judge, self._album).mean().item()
        return Score(mean, of_own, sum(place) / count, sum(light) / count, sum(both) / count, count)


def draw_sheet(subject: Subject, answer: Answer) -> Image:
    """Places down, lights across: what was made, by seed; where the album has that pair, its own picture."""
    from PIL import Image, ImageDraw

    seeds = max(one.seed for one in answer.asked) + 1
    margin, top = 168, 20
    size = (margin + SIDE * seeds * len(LIGHTS), top + SIDE * len(PLACES))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for column, light in enumerate(LIGHTS):
        pen.text((margin + column * seeds * SIDE + 4, 4), light, fill="black")
    for row, place in enumerate(PLACES):
        pen.text((4, top + row * SIDE + SIDE // 2), place, fill="black")

    def corner(place: str, light: str, seed: int) -> tuple[int, int]:
        across = LIGHTS.index(light) * seeds + seed
        return margin + across * SIDE, top + PLACES.index(place) * SIDE

    for (place, light), pixels in zip(subject.settings, subject.pixels, strict=True):
        left, upper = corner(place, light, 0)
        sheet.paste(as_picture(pixels), (left, upper))
        if seeds > 1:
            pen.text((left + SIDE + 4, upper + SIDE // 2), "< album", fill="black")
    for one, pixels in zip(answer.asked, answer.pixels, strict=True):
        sheet.paste(as_picture(pixels), corner(one.place, one.light, one.seed))
    return sheet
