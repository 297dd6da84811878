"""How often pair/misaligned and pair/identical are right on photographs whose shift and change are known.

    python benchmarks/registration.py FOLDER... [--most 60]

Takes the photographs below the folders, cuts two windows out of each, shifted against each other by 0, 2, 8
and 24 pixels (and half of that downwards), changes one of them as edit albums do, and prints two Markdown
tables: for each change and shift how many pairs were told as shifted, as not shifted, and as too unlike to
tell; and for each change the difference of the two.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from albumkit.paths import rules_root
from albumkit.pixels.registration import compare

Change = Callable[[Image.Image], Image.Image]
SIDE, MARGIN = 1100, 24
SHIFTS = (0, 2, 8, 24)


def night(image: Image.Image) -> Image.Image:
    shades = (np.asarray(image, dtype=np.float32) / 255) ** 1.8 * (0.35, 0.4, 0.7)
    noise = np.random.default_rng(1).normal(0, 0.02, shades.shape)
    return Image.fromarray((np.clip(shades + noise, 0, 1) * 255).astype(np.uint8))


def sketch(image: Image.Image) -> Image.Image:
    grey = image.convert("L")
    blurred = np.asarray(ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(6)), dtype=np.float32)
    dodged = np.asarray(grey, dtype=np.float32) * 255 / (256 - blurred)
    return Image.fromarray(np.clip(dodged, 0, 255).astype(np.uint8))


def ink(image: Image.Image) -> Image.Image:
    edges = image.convert("L").filter(ImageFilter.GaussianBlur(2)).filter(ImageFilter.FIND_EDGES)
    return ImageOps.invert(edges).point(lambda value: 255 if value > 235 else 0)


def recoloured(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge("RGB", (blue, ImageOps.invert(red), green))


def painted(image: Image.Image) -> Image.Image:
    return ImageOps.posterize(image.filter(ImageFilter.MedianFilter(7)), 2)


def relit(image: Image.Image) -> Image.Image:
    light = np.linspace(0.15, 1.6, image.width)[None, :, None]
    return Image.fromarray(np.clip(np.asarray(image) * light, 0, 255).astype(np.uint8))


def blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(6))


def saved(quality: int) -> Change:
    def change(image: Image.Image) -> Image.Image:
        data = io.BytesIO()
        image.save(data, "JPEG", quality=quality)
        return Image.open(data)

    return change


def graded(image: Image.Image) -> Image.Image:
    """A grade that one sees only side by side: a tenth more contrast."""
    return Image.blend(Image.new("RGB", image.size, (128, 128, 128)), image, 1.1)


def retouched(image: Image.Image) -> Image.Image:
    """A patch of a twentieth of the width taken away: the smallest taught change that one would teach."""
    out, side = image.copy(), image.width // 20
    box = (image.width // 2, image.height // 2, image.width // 2 + side, image.height // 2 + side)
    colour = tuple(int(v) for v in np.asarray(image.crop(box)).mean(axis=(0, 1)))
    out.paste(tuple(255 - v for v in colour), box)
    return out


def _other(image: Image.Image) -> Image.Image:
    """A picture that has nothing to do with the photograph."""
    noise = np.random.default_rng(7).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(image.size, Image.Resampling.NEAREST)


def covered(image: Image.Image) -> Image.Image:
    """The middle quarter of the area replaced."""
    out, (width, height) = image.copy(), image.size
    box = (width // 4, height // 4, width // 4 + width // 2, height // 4 + height // 2)
    out.paste(_other(image).crop(box), box)
    return out


def background(image: Image.Image) -> Image.Image:
    """All but an ellipse in the middle replaced."""
    mask = Image.new("L", image.size, 0)
    width, height = image.size
    ImageDraw.Draw(mask).ellipse((width // 3, height // 4, width * 2 // 3, height * 3 // 4), fill=255)
    return Image.composite(image, _other(image), mask)


CHANGES: dict[str, Change] = {
    "none": lambda image: image,
    "night": night,
    "sketch": sketch,
    "ink drawing": ink,
    "other colours": recoloured,
    "negative": ImageOps.invert,
    "painted": painted,
    "light from one side": relit,
    "blurred": blurred,
    "JPEG quality 12": saved(12),
    "middle covered": covered,
    "background replaced": background,
}
SUBTLE: dict[str, Change] = {
    "none": lambda image: image,
    **{f"JPEG quality {quality}": saved(quality) for quality in (95, 75, 50, 30)},
    "a tenth more contrast": graded,
    "a small patch": retouched,
    "night": night,
}


def verdict(first: Image.Image, second: Image.Image, limit: float) -> str:
    """shifted, in place or cannot tell, as pair/misaligned would say."""
    found = compare(_png(first), _png(second))["shift"]
    if found is None:
        return "cannot tell"
    return "shifted" if 100 * np.hypot(*found) / max(second.size) > limit else "in place"


def _png(image: Image.Image) -> io.BytesIO:
    data = io.BytesIO()
    image.convert("RGB").save(data, "PNG", compress_level=1)
    data.seek(0)
    return data


def _limit(rule: str, fact: str, key: str) -> float:
    document = json.loads((rules_root() / f"{rule}.json").read_text(encoding="utf-8"))
    return float(document["properties"][fact][key])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=60, help="photographs to take")
    arguments = parser.parse_args()
    files = sorted(f for folder in arguments.folders for e in ("jpg", "png") for f in folder.rglob(f"*.{e}"))
    limit = _limit("pair/misaligned", "pair_shift_percent", "maximum")
    counts: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    apart: dict[str, list[float]] = defaultdict(list)
    taken = 0
    for file in files:
        with Image.open(file) as stored:
            if min(stored.size) < 384 or taken >= arguments.most:
                continue
            photo = stored.convert("RGB")
        photo.thumbnail((SIDE, SIDE))
        taken += 1
        width, height = photo.width - MARGIN, photo.height - MARGIN
        first = photo.crop((0, 0, width, height))
        for name, change in CHANGES.items():
            for by in SHIFTS:
                second = change(photo.crop((by, by // 2, width + by, height + by // 2)))
                counts[name, by][verdict(first, second, limit)] += 1
        for name, change in SUBTLE.items():
            apart[name].append(compare(_png(first), _png(change(first)))["difference"])
        print(f"\r{taken} {file.name:40.40}", end="", file=sys.stderr)
    print(f"{taken} photographs; shifted / in place / cannot tell, limit {limit:g} %\n")
    print("| change | " + " | ".join(f"{by} px" for by in SHIFTS) + " |\n|" + "---|" * (len(SHIFTS) + 1))
    for name in CHANGES:
        cells = [counts[name, by] for by in SHIFTS]
        words = [" / ".join(str(c[v]) for v in ("shifted", "in place", "cannot tell")) for c in cells]
        print(f"| {name} | " + " | ".join(words) + " |")
    same = _limit("pair/identical", "pair_difference", "exclusiveMinimum")
    print(f"\n| difference (pair/identical: at most {same:g}) | least | median | most | told as identical |")
    print("|---|---|---|---|---|")
    for name, values in apart.items():
        told = sum(value <= same for value in values)
        middle = statistics.median(values)
        print(f"| {name} | {min(values):.1f} | {middle:.1f} | {max(values):.1f} | {told} of {len(values)} |")


if __name__ == "__main__":
    main()
