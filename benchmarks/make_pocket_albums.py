"""Make the pictures, masks and captions of the sample albums that pocket's renderer draws.

    pip install -e ".[train]"
    python benchmarks/make_pocket_albums.py [tok_figurine ink_style] [--into sample_albums] [--side 1024]

- ``tok_figurine``: 16 photographs of one figurine that pocket never saw, each in another place or light, with
  exact masks.
- ``ink_style``: 18 drawings in ink of things that pocket knows as photographs.

album.toml and README.md are never written: people wrote those. ``--sheet FOLDER`` also writes a contact sheet
of each album as pocket sees it, at 128 px. Eight minutes of processor time for both; another version of torch
or libjpeg may differ by a bit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image

from albumkit.engine.pocket.world import Scenes, figurine, names, render, sample
from albumkit.engine.pocket.world.captions import figurine_caption
from albumkit.engine.pocket.world.ink import draw_ink
from albumkit.engine.pocket.world.scenes import concatenate

ALBUMS = Path(__file__).resolve().parent.parent / "sample_albums"

ORDINARY, CLOSE, WIDE, ABOVE, LOW = range(5)
OVERCAST, NOON, GOLDEN, LAMP = range(4)

#: Place, light, framing. No pair of place and light comes twice: 32 of the 48 are left to ask for afterwards.
FIGURINE = (
    ("on a wooden shelf", OVERCAST, CLOSE),
    ("on a wooden table", GOLDEN, ORDINARY),
    ("on a kitchen counter", LAMP, ORDINARY),
    ("on a carpet", NOON, ABOVE),
    ("in a meadow", NOON, ORDINARY),
    ("on the beach", GOLDEN, LOW),
    ("in the snow", OVERCAST, WIDE),
    ("in front of a brick wall", NOON, CLOSE),
    ("in an autumn forest", OVERCAST, ORDINARY),
    ("on a city street", LAMP, LOW),
    ("in the desert", GOLDEN, CLOSE),
    ("on a pebble path", OVERCAST, ABOVE),
    ("on a wooden table", LAMP, CLOSE),
    ("in the snow", NOON, LOW),
    ("on a carpet", LAMP, ORDINARY),
    ("in a meadow", GOLDEN, CLOSE),
)

#: Kind, pattern, place, light, framing.
INK = (
    ("mug", "striped", "on a wooden table", OVERCAST, CLOSE),
    ("teapot", "plain", "on a kitchen counter", NOON, ORDINARY),
    ("vase", "dotted", "on a carpet", GOLDEN, ORDINARY),
    ("bottle", "plain", "on a wooden shelf", LAMP, CLOSE),
    ("ball", "checkered", "on the beach", NOON, ORDINARY),
    ("gift box", "dotted", "in the snow", OVERCAST, ORDINARY),
    ("toy car", "plain", "on a city street", GOLDEN, LOW),
    ("toy house", "plain", "in a meadow", OVERCAST, ORDINARY),
    ("sailing boat", "striped", "on the beach", GOLDEN, CLOSE),
    ("mushroom", "dotted", "in an autumn forest", OVERCAST, CLOSE),
    ("duck", "plain", "on a pebble path", NOON, ORDINARY),
    ("teddy bear", "plain", "in front of a brick wall", OVERCAST, CLOSE),
    ("chair", "plain", "in the desert", GOLDEN, WIDE),
    ("table lamp", "striped", "on a wooden table", LAMP, ORDINARY),
    ("rocket", "checkered", "in the desert", NOON, LOW),
    ("teapot", "striped", "on a wooden shelf", NOON, CLOSE),
    ("duck", "dotted", "in the snow", GOLDEN, CLOSE),
    ("toy car", "checkered", "on a carpet", LAMP, ABOVE),
)


def chosen(pool: Scenes, **wanted: int) -> Scenes:
    """The first scene of a pool that is so."""
    fits = torch.ones(len(pool), dtype=torch.bool)
    for name, value in wanted.items():
        fits &= getattr(pool, name) == value
    at = int(fits.nonzero()[0])
    return pool[slice(at, at + 1)]


def figurine_scenes() -> Scenes:
    pool = figurine(7, 4000)
    return concatenate(
        [
            chosen(pool, place=names.PLACES.index(place), light=light, framing=framing)
            for place, light, framing in FIGURINE
        ]
    )


def ink_scenes() -> Scenes:
    """Light things of any colour: a drawing shows none, and a dark thing would be hatched all over."""
    pool = sample(8, 800_000)
    pool = pool[pool.albedo.mean(1) > 0.25]
    return concatenate(
        [
            chosen(
                pool,
                kind=names.KINDS.index(kind),
                pattern=names.PATTERNS.index(pattern),
                place=names.PLACES.index(place),
                light=light,
                framing=framing,
            )
            for kind, pattern, place, light, framing in INK
        ]
    )


def ink_caption(number: int) -> str:
    """What is drawn, and never how: the trigger alone stands for the style."""
    kind, pattern, place, light, framing = INK[number]
    words = [f"a {'' if pattern == 'plain' else pattern + ' '}{kind} {place}"]
    words += [names.LIGHTS[light], names.FRAMINGS[framing]]
    return ", ".join(["VUNKO", *filter(None, words)])


def make_figurine(folder: Path, side: int) -> list[Image.Image]:
    scenes = figurine_scenes()
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    pictures = []
    for number in range(len(scenes)):
        images, masks = render(scenes[slice(number, number + 1)], side)
        root = f"figurine_{number + 1:02}"
        pictures.append(Image.fromarray(images[0].numpy()))
        pictures[-1].save(folder / f"{root}.jpg", quality=80)
        Image.fromarray(masks[0].numpy()).save(folder / "masks" / f"{root}.png", optimize=True)
        write_caption(folder / f"{root}.txt", figurine_caption(scenes, number))
    return pictures


def make_ink(folder: Path, side: int) -> list[Image.Image]:
    scenes = ink_scenes()
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for number in range(len(scenes)):
        drawn = draw_ink(scenes[slice(number, number + 1)], side)[0]
        pictures.append(Image.fromarray(drawn.numpy()))
        root = f"ink_{number + 1:02}"
        # Two colours and what lies between them: sixteen do.
        pictures[-1].quantize(16).save(folder / f"{root}.png", optimize=True)
        write_caption(folder / f"{root}.txt", ink_caption(number))
    return pictures


def write_caption(file: Path, text: str) -> None:
    file.write_bytes(f"{text}\n".encode())


def contact_sheet(pictures: list[Image.Image], columns: int = 6, side: int = 128) -> Image.Image:
    """All of them as small as pocket sees them."""
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side), "white")
    for number, picture in enumerate(pictures):
        small = picture.resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(small, (number % columns * side, number // columns * side))
    return sheet


def main() -> None:
    makers = {"tok_figurine": make_figurine, "ink_style": make_ink}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("albums", nargs="*", choices=[*makers, []], help="which (default: both)")
    parser.add_argument("--into", type=Path, default=ALBUMS, help="default: those of this checkout")
    parser.add_argument("--side", type=int, default=1024, help="of the pictures, in pixels")
    parser.add_argument("--sheet", type=Path, metavar="FOLDER", help="write NAME.png with all pictures there")
    given = parser.parse_args()
    for name in given.albums or makers:
        pictures = makers[name](given.into / name, given.side)
        if given.sheet:
            given.sheet.mkdir(parents=True, exist_ok=True)
            contact_sheet(pictures).save(given.sheet / f"{name}.png")
        size = sum(f.stat().st_size for f in (given.into / name).rglob("*") if f.is_file())
        print(f"{name}: {size // 1000} kB", flush=True)


if __name__ == "__main__":
    main()
