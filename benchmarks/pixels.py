"""How long all pixel rules take, beside a plain decode of the same files and beside cleanvision.

    python -m venv /tmp/cv && /tmp/cv/bin/pip install cleanvision==0.3.7
    python benchmarks/pixels.py --work /tmp/albumkit-pixels --photos FOLDER --cleanvision /tmp/cv/bin/python

makes 1,000 JPEGs of 1024 x 1024 pixels once: crops of the photographs in FOLDER and below
(benchmarks/quiet.py says where to get some), or made pictures where no folder is given. Whole processes are
timed in turns, page cache warm, albumkit with an empty cache that it fills; the median of the wall times
counts, and the median of the ratios within a turn. Where other work slows the machine down, processor seconds
of all threads tell more than wall seconds: both are printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageOps

SIDE = 1024
#: By the clock, and of all processors together.
Seconds: TypeAlias = tuple[float, float]
#: The least that anyone can do who wants to know whether every pixel is there. No picture is kept: a thousand
#: are 4 GB, and asking the system for them takes as long as decoding them.
DECODE = """
import sys; from concurrent.futures import ThreadPoolExecutor; from pathlib import Path; from PIL import Image
def decode(path):
    with Image.open(path) as image:
        image.load()
with ThreadPoolExecutor(2) as pool:
    list(pool.map(decode, sorted(Path(sys.argv[1]).glob("*.jpg"))))
"""
#: Every issue that it looks for by default, in all the processes that it takes by default.
CLEANVISION = """
import sys; from cleanvision import Imagelab
Imagelab(data_path=sys.argv[1]).find_issues(verbose=False)
"""
OURS = "from albumkit.cli.main import run; run()"


def photographs(folder: Path) -> list[Path]:
    """Pictures large enough to cut one of 1024 x 1024 out of."""
    found = []
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"):
            with Image.open(file) as image:
                if min(image.size) >= SIDE:
                    found.append(file)
    return found


def crops(task: tuple[Path | None, list[Path]]) -> None:
    """Cut each target out of one photograph, differently for each; without one, draw them."""
    source, targets = task
    if source is None:
        for target in targets:
            _drawn(int(target.stem)).save(target, quality=90)
        return
    photo = ImageOps.exif_transpose(Image.open(source)).convert("RGB")
    for target in targets:
        dice = random.Random(target.stem)
        shrink = dice.uniform(1, min(photo.size) / SIDE)
        side = int(SIDE * shrink)
        left, top = dice.randint(0, photo.width - side), dice.randint(0, photo.height - side)
        crop = photo.resize((SIDE, SIDE), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
        crop = crop.transpose(dice.choice(list(Image.Transpose)))  # else most were near duplicates of others
        crop.save(target, quality=dice.randint(85, 95))


def _drawn(number: int) -> Image.Image:
    """Noise in three sizes and a ramp: about as many bytes as a photograph."""
    noise = Image.effect_noise((160, 160), 80).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    ramp = Image.linear_gradient("L").resize((SIDE, SIDE)).rotate(number % 4 * 90)
    return Image.merge("RGB", (noise, ramp, Image.blend(noise, ramp, 0.5)))


def album(folder: Path, count: int, photos: Path | None) -> Path:
    """``count`` pictures, made once."""
    if len(list(folder.glob("*.jpg"))) == count:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sources: list[Path | None] = [*photographs(photos)] if photos else [None]
    if not sources:
        raise SystemExit(f"{photos}: no photograph of {SIDE} x {SIDE} pixels or more")
    targets = [folder / f"{n:05}.jpg" for n in range(count)]
    with ProcessPoolExecutor() as pool:
        tasks = [(source, targets[n :: len(sources)]) for n, source in enumerate(sources)]
        list(pool.map(crops, tasks))
    return folder


def timed(command: list[str], **env: str) -> Seconds:
    """Wall seconds and processor seconds of one whole run. A linter's exit code 1 is an answer."""
    surroundings = {**os.environ, **env}
    surroundings.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode beside it
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.decode()[-2000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def lint(folder: Path, *options: str) -> Seconds:
    """One run of all rules with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", OURS, "lint", str(folder), *options]
        return timed(command, ALBUMKIT_CACHE_DIR=cache)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--photos", type=Path, help="a folder of photographs to cut from")
    parser.add_argument("--cleanvision", type=Path, help="the Python that cleanvision is installed for")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    folder = album(options.work / f"jpeg_{options.pictures}", options.pictures, options.photos)
    commands: dict[str, Callable[[], Seconds]] = {
        "decode": lambda: timed([sys.executable, "-c", DECODE, str(folder)]),
        "all": lambda: lint(folder),
        "header": lambda: lint(folder, "--cost", "header"),
    }
    if options.cleanvision:
        commands["peer"] = lambda: timed([str(options.cleanvision), "-c", CLEANVISION, str(folder)])
    # In turns: what else the machine does meets all alike.
    turns = [{name: run() for name, run in commands.items()} for _ in range(options.runs)]
    bytes_each = sum(file.stat().st_size for file in folder.glob("*.jpg")) // options.pictures
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, Pillow {Image.__version__};")
    print(f"{options.pictures} JPEGs of {SIDE} x {SIDE}, {bytes_each // 1000} kB each\n")
    print("| what | wall | processor | a picture | ratio |\n|---|---:|---:|---:|---|")

    def row(what: str, name: str, note: str) -> None:
        wall, work = (statistics.median(turn[name][i] for turn in turns) for i in (0, 1))
        print(f"| {what} | {wall:.2f} s | {work:.2f} s | {wall / options.pictures * 1000:.2f} ms | {note} |")

    def ratio(one: str, other: str) -> str:
        wall, work = (statistics.median(turn[one][i] / turn[other][i] for turn in turns) for i in (0, 1))
        return f"{wall:.2f} times (processor {work:.2f} times)"

    row("Pillow: open and load, 2 threads", "decode", "")
    row("albumkit lint, all rules, empty cache", "all", f"{ratio('all', 'decode')} the decode; <= 1.7")
    row("albumkit lint --cost header, empty cache", "header", "what is not pixels")
    if options.cleanvision:
        row("cleanvision, its default issues", "peer", f"{ratio('peer', 'all')} albumkit's; >= 15")


if __name__ == "__main__":
    main()
