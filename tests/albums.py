"""A good album that tests may spoil, and short questions to any album."""

from __future__ import annotations

import functools
import random
from pathlib import Path

from PIL import Image

from albumkit.album import Album, Example

KLEIN = "fal-ai/flux-2-klein-9b-base-trainer"


#: Twelve places, lights and framings, as somebody who knows how would caption one subject.
SCENES = """\
on a wooden shelf, soft window light, close-up
in wet grass at dawn, low angle
beside a red bicycle, harsh noon sun, full view
on a kitchen table under a warm lamp, seen from above
at the beach under an overcast sky, wide shot
on a stack of books, candle light, seen from the side
in fresh snow, blue evening light, centred
on a windowsill against the light, silhouette at the edge
in front of a brick wall, flash, frontal view
on a stone bench in a park, dappled shade, three-quarter view
inside a cardboard box, dim light, seen from behind
held in two hands on a balcony, golden hour, macro""".split("\n")


@functools.cache
def scene(seed: int, size: tuple[int, int]) -> Image.Image:
    """A made picture with what photographs have: large shapes, edges, fine texture; one for every seed."""
    dice = random.Random(seed)
    layers = []
    for cells in (5, 24, 256):
        small = Image.frombytes("RGB", (cells, cells), dice.randbytes(3 * cells * cells))
        layers.append(
            small.resize(size, Image.Resampling.BICUBIC if cells < 200 else Image.Resampling.NEAREST)
        )
    mixed = Image.blend(layers[0], layers[1].quantize(12).convert("RGB"), 0.35)
    return Image.blend(mixed, layers[2], 0.12)


def picture(path: Path, shade: int = 0, size: tuple[int, int] = (1024, 1024)) -> None:
    """A picture of its own (by ``shade``), large enough for every trainer, with nothing wrong in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scene(shade, size).save(path, quality=90)


def good_album(folder: Path) -> Path:
    """Twelve good pictures with captions and settings: nothing to say about it."""
    for number, text in enumerate(SCENES):
        picture(folder / f"IMG_{number:02}.jpg", number * 20)
        (folder / f"IMG_{number:02}.txt").write_text(f"a photo of TOK ceramic cat {text}")
    (folder / "album.toml").write_text(
        '[album]\nkind = "subject"\ntrigger_phrase = "TOK"\nclass_phrase = "ceramic cat"\n'
        '[use]\nruntime = ["comfy"]\n'
        f'[train]\ntrainer = "{KLEIN}"\nsteps = 1000\noutput_lora_format = "comfy"\n'
    )
    return folder


def set_in(album: Path, old: str, new: str) -> None:
    text = (album / "album.toml").read_text()
    assert old in text
    (album / "album.toml").write_text(text.replace(old, new))


def paths(album: Album) -> list[str]:
    """The paths that stand for the examples, in order."""
    return [example.path for example in album.examples]


def only(album: Album) -> Example:
    """The one example of an album that must have just one."""
    assert len(album.examples) == 1
    return album.examples[0]


def text_of(album: Album, index: int = 0) -> str | None:
    """The caption of an example as it will be trained, None when it has none."""
    caption = album.caption(album.examples[index])
    return caption.text if caption else None
