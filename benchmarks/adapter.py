"""How fast a LoRA file is converted, beside a plain copy of the same bytes, and how much memory that takes.

    python benchmarks/adapter.py --work /tmp/albumkit-adapters

makes LoRAs for FLUX.2 klein 9B of rank 128 (every Linear of the blocks, about 660 MB in BF16) and one of rank
16: memory must not grow with the file. Each is converted, and what came out is copied (read, write, fsync, by
a quarter of a megabyte), in turn and in processes of their own, page cache warm. The median of each is shown
in one Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from adapter_files import WIDTH, block

from albumkit.adapter import FORMS, architecture, find_size

CONVERT = """
import sys
from albumkit.adapter import convert
convert(sys.argv[1], sys.argv[2], sys.argv[3], force=True, lossy=True)
"""
COPY = """
import os, sys
buffer = bytearray(1 << 18)
with open(sys.argv[1], "rb", buffering=0) as source, open(sys.argv[2], "wb", buffering=0) as copy:
    while count := source.readinto(buffer):
        copy.write(memoryview(buffer)[:count])
    os.fsync(copy.fileno())
"""


@dataclass(frozen=True)
class Case:
    """A file to make, and the form to convert it to; ``alpha`` is the share of the rank that it has."""

    what: str
    made: str
    to: str
    alpha: float = 1.0
    dtype: str = "BF16"
    rank: int = 128

    @property
    def name(self) -> str:
        return f"klein9b_{self.made}_r{self.rank}_{self.dtype}_{self.alpha:g}.safetensors"


CASES = (
    Case("names change", "comfy", "fal"),
    Case("names change, rank 16", "comfy", "fal", rank=16),
    Case("q, k, v split", "comfy", "diffusers"),
    Case("q, k, v fused block-diagonally", "diffusers", "comfy"),
    Case("names change, alphas appear", "comfy", "kohya"),
    Case("scale 0.5 folded, BF16", "kohya", "comfy", 0.5),
    Case("scale 0.5 folded, F16, the smallest rounded", "kohya", "comfy", 0.5, "F16"),
    Case("scale 0.3 rounded, BF16, rank 16", "kohya", "comfy", 0.3, rank=16),
)


def tensors(case: Case) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Names, dtypes and shapes of a file."""
    size, form = find_size("flux2-klein-9b"), FORMS[case.made]
    for place in architecture("flux2").places(size, form.layout):
        if place.group != "blocks":
            continue
        name = place.name if form.layout == "bfl" else place.diffusers_names[0]
        rows, columns = place.shape(size)
        assert rows is not None
        assert columns is not None
        yield form.stem(name) + form.down, case.dtype, (case.rank, columns)
        yield form.stem(name) + form.up, case.dtype, (rows, case.rank)
        if form.alpha:
            yield f"{form.stem(name)}.alpha", "F32", ()


def make(folder: Path, case: Case) -> Path:
    """The file; no two of its matrices begin alike."""
    path = folder / case.name
    if path.is_file():
        return path
    entries: dict[str, object] = {}
    sizes = []
    for name, dtype, shape in tensors(case):
        start = sum(sizes)
        sizes.append(4 if shape == () else shape[0] * shape[1] * WIDTH[dtype])
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": (start, start + sizes[-1])}
    header = json.dumps(entries).encode()
    data = block(case.dtype)
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        for number, size in enumerate(sizes):
            first = number * 512 % len(data)
            turned = data[first:] + data[:first]
            if size == 4:
                turned = struct.pack("<f", case.alpha * case.rank)
            for start in range(0, size, len(turned)):
                stream.write(turned[: size - start])
    return path


def measure(program: str, *words: str) -> tuple[float, int]:
    """Wall seconds, and peak resident memory in bytes, of a whole process."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", program, *words])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {child.returncode}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return time.perf_counter() - start, peak


def row(folder: Path, case: Case, times: int) -> str:
    # Not here: the system counts what this process holds to its children's peaks.
    with ProcessPoolExecutor(1) as pool:
        source = pool.submit(make, folder, case).result()
    out, copy = folder / "out.safetensors", folder / "copy.safetensors"
    measure(CONVERT, str(source), str(out), case.to)
    runs = [
        (*measure(CONVERT, str(source), str(out), case.to), measure(COPY, str(out), str(copy))[0])
        for _ in range(times)
    ]
    seconds, copied = (statistics.median(run[n] for run in runs) for n in (0, 2))
    size = out.stat().st_size / 1e6
    out.unlink()
    copy.unlink()
    return (
        f"| {case.made} to {case.to}: {case.what} | {size:.0f} MB | {seconds:.2f} s | {copied:.2f} s "
        f"| {copied / seconds:.0%} | {max(run[1] for run in runs) / 1e6:.0f} MB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--times", type=int, default=5, help="the median of so many runs is shown")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}\n")
    print("| klein 9B, all blocks, rank 128 | written | convert | copy | of its speed | peak memory |")
    print("|---|---:|---:|---:|---:|---:|")
    for case in CASES:
        print(row(options.work, case, options.times), flush=True)


if __name__ == "__main__":
    main()
