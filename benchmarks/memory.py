"""What lint keeps of an example, by peak memory at three sizes of album.

    python benchmarks/memory.py --work /tmp/albumkit-memory

makes albums of 1,000, 10,000 and 100,000 small pictures with captions (about 1 GB, most of it the file
system's own), lints each twice, with an empty cache and with a filled one, and prints a Markdown table. All
rules run but ``LEFT_OUT``: they would fail on every one of these pictures, and findings take memory too. Were
anything kept beside facts, such as pixels or files, the growth from 10,000 to 100,000 would show it: the
bytes per example must be the same as from 1,000 to 10,000. Linux and macOS.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

SIZES = (1_000, 10_000, 100_000)
OURS = "from albumkit.cli.main import run; run()"
#: What captions are made of.
THINGS = """
    barrel basin basket bell bench bicycle boat book bottle bowl box branch brick broom bucket button candle
    chair clock coat comb cup curtain door drum fence fern flag flute fork garden glove hammer hat horse jar
    kettle key ladder lamp leaf letter lock map mirror mug nail needle oven paddle pan pear pen pillow plate
    pumpkin purse rake ribbon ring river rope saddle scarf shell shoe shovel sink sock spoon stone stool table
    tent towel tray tree truck vase wagon wall wheel whistle window""".split()
LEFT_OUT = ("example/below-training-resolution",)
TOML = """[album]
kind = "subject"
trigger_phrase = "TOK"
class_phrase = "cat figurine"
[use]
runtime = ["comfy"]
[train]
output_lora_format = "comfy"
"""


def album(folder: Path, count: int) -> Path:
    """Pictures of noise, each another, and captions of words, each others."""
    if (folder / "album.toml").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for n in range(count):
        name = folder / f"IMG_{n:06}"
        Image.effect_noise((96, 96), 60).convert("RGB").save(name.with_suffix(".jpg"), quality=85)
        things = " and a ".join(random.Random(n).sample(THINGS, 6))
        name.with_suffix(".txt").write_text(f"a photo of TOK cat figurine between a {things}\n")
    (folder / "album.toml").write_text(TOML)
    return folder


def lint(folder: Path, cache: str) -> tuple[float, int]:
    """Wall seconds, and peak resident memory in bytes."""
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", OURS, "lint", str(folder), *(f"--ignore={rule}" for rule in LEFT_OUT)],
        env={**os.environ, "ALBUMKIT_CACHE_DIR": cache},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        raise SystemExit(f"lint {folder}: exit code {child.returncode}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return time.perf_counter() - start, peak


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}\n")
    print("| examples | cache | wall | peak memory | bytes for each more |\n|---:|---|---:|---:|---:|")
    before: dict[str, tuple[int, int]] = {}
    for count in options.sizes:
        folder = album(options.work / f"tiny_{count}", count)
        with tempfile.TemporaryDirectory() as cache:
            for state in ("empty", "filled"):
                seconds, peak = lint(folder, cache)
                growth = ""
                if state in before:
                    fewer, less = before[state]
                    growth = f"{(peak - less) / (count - fewer):,.0f}"
                before[state] = (count, peak)
                print(
                    f"| {count:,} | {state} | {seconds:.1f} s | {peak / 1e6:.0f} MB | {growth} |", flush=True
                )


if __name__ == "__main__":
    main()
