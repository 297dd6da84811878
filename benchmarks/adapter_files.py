"""How long a LoRA file is opened and looked at, number by number, and how much memory that takes.

    python benchmarks/adapter_files.py --work /tmp/albumkit-adapters

makes LoRAs for FLUX.2 klein 9B of rank 128 (every Linear of the blocks, 660 MB in BF16) in three dtypes, and
one of rank 16 beside them: memory must not grow with the file. Each is opened, looked at number by number,
and predicted for ComfyUI and diffusers, in a process of its own with the page cache warm. One Markdown table
is printed: the fastest of the runs, its processor seconds (which other work on the machine changes less), and
the most memory of any run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import struct
import subprocess
import sys
import time
from pathlib import Path

from albumkit.adapter import architecture, find_size

LOOK = """
import sys
import albumkit.adapter as adapter
from albumkit.adapter.health import scan
from albumkit.adapter.predict import predict
opened = adapter.open(sys.argv[1])
found = scan(opened)
good = len(found.modules) == 112 and not found.zero
if not good or not all(predict(opened, runtime).ok for runtime in ("comfy", "diffusers")):
    sys.exit("the file is no good")
"""
WIDTH = {"BF16": 2, "F16": 2, "F32": 4}
FORMAT = {"F16": "e", "F32": "f"}


def block(dtype: str) -> bytes:
    """A megabyte of normally distributed numbers as raw words; it is repeated."""
    rng = random.Random(5)
    numbers = [rng.gauss(0, 0.02) for _ in range((1 << 20) // WIDTH[dtype])]
    if dtype != "BF16":
        return struct.pack(f"<{len(numbers)}{FORMAT[dtype]}", *numbers)
    wide = struct.pack(f"<{len(numbers)}f", *numbers)
    narrow = bytearray(len(numbers) * 2)
    narrow[0::2], narrow[1::2] = wide[2::4], wide[3::4]
    return bytes(narrow)


def make(path: Path, rank: int, dtype: str) -> Path:
    """The file, in the form that ai-toolkit and ComfyUI use."""
    if path.is_file():
        return path
    size = find_size("flux2-klein-9b")
    entries: dict[str, object] = {}
    end = 0
    for place in architecture("flux2").places(size):
        if place.group != "blocks":
            continue
        rows, columns = place.shape(size)
        for letter, shape in (("A", (rank, columns)), ("B", (rows, rank))):
            start, end = end, end + shape[0] * shape[1] * WIDTH[dtype]
            name = f"diffusion_model.{place.name}.lora_{letter}.weight"
            entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": (start, end)}
    header = json.dumps(entries).encode()
    data = block(dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        for start in range(0, end, len(data)):
            stream.write(data[: end - start])
    return path


def look(path: Path) -> tuple[float, float, int]:
    """Wall and processor seconds, and peak resident memory in bytes, of a whole process."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", LOOK, str(path)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{path}: exit code {child.returncode}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, peak


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--times", type=int, default=5, help="the fastest of so many runs is shown")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}\n")
    print(
        "| klein 9B, all of its blocks | file | wall | processor | peak memory |\n|---|---:|---:|---:|---:|"
    )
    for rank, dtype in ((16, "BF16"), (128, "BF16"), (128, "F16"), (128, "F32")):
        path = make(options.work / f"klein9b_r{rank}_{dtype}.safetensors", rank, dtype)
        runs = [look(path) for _ in range(options.times)]
        megabytes = path.stat().st_size / 1e6
        wall, processor, _ = min(runs)
        peak = max(run[2] for run in runs)
        cells = f"{megabytes:.0f} MB | {wall:.2f} s | {processor:.2f} s | {peak / 1e6:.0f} MB"
        print(f"| rank {rank}, {dtype} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
