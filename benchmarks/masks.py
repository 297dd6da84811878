"""How fast masks are made, and what memory it takes, beside rembg's own command on the same photographs.

    python tests/assets.py && python tests/assets.py benchmarks
    python -m venv /tmp/rembg && /tmp/rembg/bin/pip install "rembg[cpu,cli]==2.0.86"
    python benchmarks/masks.py --work /tmp/albumkit-masks --rembg /tmp/rembg/bin/rembg

The photographs are the 15 of Debian's lomiri-wallpapers-16.04 and three cut-outs of each, 60 in all. Whole
processes are timed, start and import included, in turns; both use all cores, the same weights and an empty
output folder, albumkit an empty cache too. Its time includes that it judges the masks and writes them through
its journal. One picture is masked beforehand: rembg's first import compiles for most of a minute. Prints a
Markdown table. Linux and macOS.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from assets import FOLDER  # noqa: E402

OURS = "from albumkit.cli.main import run; run()"
#: Sides of the cut-outs in pixels, and where they lie, as shares of what is free.
CUTS = ((2048, 0.3, 0.3), (1536, 0.6, 0.4), (1024, 0.5, 0.5))
#: The large photograph: 50.4 megapixels.
LARGE = (8688, 5792)


@dataclass
class Measured:
    """Turns of one command: wall and processor seconds, and peak resident memory in bytes."""

    walls: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    @property
    def wall(self) -> float:
        return statistics.median(self.walls)

    @property
    def processor(self) -> float:
        return statistics.median(self.processors)

    @property
    def peak(self) -> int:
        return max(self.peaks)


def photographs(folder: Path) -> Path:
    """The 60 photographs, made once."""
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for number, photo in enumerate(sorted((FOLDER / "lomiri").glob("*.jpg"))):
            shutil.copy(photo, partial / f"{number:02}_whole.jpg")
            with Image.open(photo) as image:
                for side, x, y in CUTS:
                    width, height = min(side, image.width), min(side, image.height)
                    left, top = round((image.width - width) * x), round((image.height - height) * y)
                    cut = image.crop((left, top, left + width, top + height))
                    cut.save(partial / f"{number:02}_{side}.jpg", quality=92)
        partial.rename(folder)
    count = len(list(folder.iterdir()))
    if count != 60:
        raise SystemExit(f"{folder} holds {count} photographs, not 60: python tests/assets.py benchmarks")
    return folder


def large_photographs(folder: Path) -> list[Path]:
    """The same photograph of 50 megapixels as baseline JPEG, progressive JPEG and PNG, an album each."""
    albums = []
    with Image.open(sorted((FOLDER / "lomiri").glob("seeding*.jpg"))[0]) as image:
        for name, ending, options in (
            ("JPEG", "jpg", {"quality": 90}),
            ("progressive JPEG", "jpg", {"quality": 90, "progressive": True}),
            ("PNG", "png", {"compress_level": 1}),
        ):
            place = folder / name / f"large.{ending}"
            if not place.is_file():
                place.parent.mkdir(parents=True, exist_ok=True)
                image.resize(LARGE).save(place, **options)
            albums.append(place.parent)
    return albums


def timed(command: list[str], into: Measured, **env: str) -> None:
    start = time.perf_counter()
    child = subprocess.Popen(
        command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):  # 1: a mask was refused
        raise SystemExit(f"{' '.join(command)}: exit code {child.returncode}")
    into.walls.append(time.perf_counter() - start)
    into.processors.append(usage.ru_utime + usage.ru_stime)
    into.peaks.append(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def mask(photos: Path, work: Path, model: str, into: Measured) -> Path:
    """``albumkit mask`` on a new album of these photographs, with nothing in the cache."""
    album = work / "album"
    for folder in (album, work / "cache", work / "state"):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(photos, album)
    dirs = {"ALBUMKIT_CACHE_DIR": str(work / "cache"), "ALBUMKIT_STATE_DIR": str(work / "state")}
    command = [sys.executable, "-c", OURS, "mask", str(album), "--model", model]
    timed(command, into, U2NET_HOME=str(FOLDER), PYTHONPATH=str(ROOT), **dirs)
    return album / "masks"


def rembg(program: Path, photos: Path, work: Path, model: str, into: Measured, *more: str) -> Path:
    out = work / "rembg"
    shutil.rmtree(out, ignore_errors=True)
    timed([str(program), "p", "-m", model, *more, str(photos), str(out)], into, U2NET_HOME=str(FOLDER))
    return out


def likeness(ours: Path, theirs: Path) -> tuple[float, int]:
    """Mean intersection over union of the white, and how many masks both wrote."""
    found = []
    for place in sorted(ours.glob("*.png")):
        with Image.open(place) as one, Image.open(theirs / place.name) as two:
            pair = [image.convert("L").point([0] * 128 + [255] * 128) for image in (one, two)]
        both = Image.composite(pair[0], Image.new("L", pair[0].size), pair[1]).histogram()[255]
        union = pair[0].histogram()[255] + pair[1].histogram()[255] - both
        found.append(both / union if union else 1.0)
    return statistics.mean(found), len(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rembg", type=Path, required=True, help="the program, in an environment of its own")
    parser.add_argument("--model", default="u2netp", choices=["u2netp", "u2net"])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--no-large", action="store_true", help="leave the 50 megapixels out")
    options = parser.parse_args()
    photos, work, model = photographs(options.work / "photographs"), options.work, options.model
    one = options.work / "one"
    one.mkdir(exist_ok=True)
    shutil.copy(photos / "00_1024.jpg", one)
    rembg(options.rembg, one, work, model, Measured())
    ours, cut_outs, only_masks = Measured(), Measured(), Measured()
    alike = (0.0, 0)
    for _ in range(options.turns):
        rembg(options.rembg, photos, work, model, cut_outs)
        masks = mask(photos, work, model, ours)
        alike = likeness(masks, rembg(options.rembg, photos, work, model, only_masks, "-om"))
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {model}, {options.turns} turns, ",
        end="",
    )
    print(f"load {load} at the end\n")
    print("| 60 photographs | wall, median | processor | peak memory | albumkit's rate | its memory |")
    print("|---|---:|---:|---:|---:|---:|")
    print(f"| albumkit mask | {ours.wall:.1f} s | {ours.processor:.1f} s | {ours.peak / 1e6:.0f} MB | | |")
    for name, peer in (("rembg p (cut-outs)", cut_outs), ("rembg p -om (masks)", only_masks)):
        ratio, memory = peer.wall / ours.wall, ours.peak / peer.peak
        seconds = (f"{peer.wall:.1f} s", f"{peer.processor:.1f} s")
        cells = (name, *seconds, f"{peer.peak / 1e6:.0f} MB", f"{ratio:.2f} times")
        print(f"| {' | '.join(cells)} | {memory:.2f} times |")
    print(f"\n{alike[1]} masks of both: mean intersection over union {alike[0]:.4f}.\n")
    if options.no_large:
        return
    print(f"| one photograph of {LARGE[0] * LARGE[1] / 1e6:.0f} megapixels | wall | peak memory |")
    print("|---|---:|---:|")
    for album in large_photographs(options.work / "large"):
        alone = Measured()
        mask(album, work, model, alone)
        print(f"| {album.name} | {alone.wall:.1f} s | {alone.peak / 1e6:.0f} MB |")


if __name__ == "__main__":
    main()
