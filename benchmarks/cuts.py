"""How hard clip/scene-cut-inside finds cuts, and what else it takes for one.

    python benchmarks/cuts.py --clips CLIP... --photos FOLDER...

Prints the cuts of each clip; then, for clips made of the photographs below the folders (a window that moves
over each), in how many something stronger than the rule's limit is found. The first three are cuts, the
others none.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from albumkit.paths import rules_root
from albumkit.pixels import scenes

Frame = NDArray[np.float32]
#: Of a photograph's width and height that a window shows.
WINDOW = 0.4


def window(photo: Image.Image, right: float, down: float = 0.0) -> Frame:
    """A frame: the window at these shares of the way, 0 to 1."""
    width, height = (int(side * WINDOW) for side in photo.size)
    left, top = int(right * (photo.width - width)), int(down * (photo.height - height))
    part = photo.crop((left, top, left + width, top + height)).resize((48, 36), Image.Resampling.BOX)
    return np.asarray(part, dtype=np.float32)


def pan(photo: Image.Image, start: float, end: float, frames: int) -> list[Frame]:
    return [window(photo, float(at)) for at in np.linspace(start, end, frames)]


def lit(frame: Frame, gain: float, offset: float = 0.0) -> Frame:
    return np.clip(frame * np.float32(gain) + np.float32(offset), 0, 255)


Case = Callable[[Image.Image, Image.Image], list[Frame]]
CASES: dict[str, Case] = {
    "cut to the next photograph": lambda a, b: [*pan(a, 0, 0.2, 12), *pan(b, 0, 0.2, 12)],
    "one frame of it at the end": lambda a, b: [*pan(a, 0, 0.2, 12), window(b, 0)],
    "jump by half a window": lambda a, b: [*pan(a, 0, 0.1, 12), *pan(a, 0.5, 0.6, 12)],
    "slow pan": lambda a, b: pan(a, 0, 1, 60),
    "whip pan, 8 frames": lambda a, b: [*pan(a, 0, 0.02, 8), *pan(a, 0.1, 0.9, 8), *pan(a, 0.98, 1, 8)],
    "whip pan, 4 frames": lambda a, b: [*pan(a, 0, 0.02, 8), *pan(a, 0.1, 0.9, 4), *pan(a, 0.98, 1, 8)],
    "flash, 1 frame": lambda a, b: [*pan(a, 0, 0.1, 8), lit(window(a, 0.1), 2.5, 60), *pan(a, 0.1, 0.2, 8)],
    "white flash, 3 frames": lambda a, b: [
        *pan(a, 0, 0.1, 8),
        *[lit(window(a, 0.1), 0, 255)] * 3,
        *pan(a, 0.1, 0.2, 8),
    ],
    "half the light from one frame on": lambda a, b: [
        *pan(a, 0, 0.1, 8),
        *(lit(frame, 0.5) for frame in pan(a, 0.1, 0.2, 8)),
    ],
    "dissolve, 12 frames": lambda a, b: [
        *pan(a, 0, 0.1, 8),
        *(x * (1 - k) + y * k for x, y, k in zip(
            pan(a, 0.1, 0.2, 12), pan(b, 0, 0.1, 12), np.linspace(0, 1, 12, dtype=np.float32), strict=True
        )),
        *pan(b, 0.1, 0.2, 8),
    ],
}  # fmt: skip


def hardest(frames: Sequence[Frame]) -> float:
    return max((strength for _, strength in scenes.changes(frames)), default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", nargs="*", type=Path, default=[])
    parser.add_argument("--photos", nargs="*", type=Path, default=[])
    arguments = parser.parse_args()
    rule = json.loads((rules_root() / "clip/scene-cut-inside.json").read_text(encoding="utf-8"))
    limit = rule["properties"]["cut_strength"]["maximum"]
    for clip in arguments.clips:
        with clip.open("rb") as stream:
            found = scenes.find_cuts(stream)
        words = ", ".join(f"frame {at}: {strength:.2f}" for at, _, strength in found["cuts"]) or "none"
        print(f"{clip.name}: {found['frames']} frames, changes {words}")
    photos = []
    for file in sorted(
        f for folder in arguments.photos for e in ("jpg", "png") for f in folder.rglob(f"*.{e}")
    ):
        with Image.open(file) as stored:
            if min(stored.size) >= 384:
                stored.draft("L", (1200, 1200))
                photos.append(stored.convert("L").reduce(max(1, max(stored.size) // 800)))
    if photos:
        print(f"\n{len(photos)} photographs, limit {limit:g}\n")
        print("| made | told as a cut | median strength |\n|---|---|---|")
        for name, case in CASES.items():
            values = [hardest(case(a, b)) for a, b in zip(photos, photos[1:] + photos[:1], strict=True)]
            told = sum(value > limit for value in values)
            print(f"| {name} | {told} of {len(values)} | {np.median(values):.2f} |")


if __name__ == "__main__":
    main()
