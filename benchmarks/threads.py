"""What waiting threads cost: steps of pocket beside other busy programs, with threads that spin or sleep.

    python benchmarks/threads.py

OpenMP reads OMP_WAIT_POLICY once, when torch is loaded, so each kind runs in processes of its own, in turns.
The busy programs are as many as there are processors.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

TURNS = 3
BUSY = "while True: pass"
STEPS = """
import time, torch
from albumkit.engine import lora
from albumkit.engine.base import find_base
from albumkit.engine.objective import masked_loss
base = find_base("pocket")
transformer = base.load("transformer")
modules = lora.find_modules(lora.linears(transformer), base.family, "all")
lora.attach(transformer, modules, 16, 16.0, 0)
noisy, text, sigma = torch.randn(1, 128, 8, 8), torch.randn(1, 128, 192), torch.tensor([0.5])
for step in range(4):
    start = time.perf_counter()
    masked_loss(base.family.predict(transformer, noisy, sigma, text), noisy).sum().backward()
    print(time.perf_counter() - start, flush=True)
"""


def seconds(settings: dict[str, str]) -> list[float]:
    """Of steps after the first."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "MKL_"))}
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        env=env | settings,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [float(line) for line in done.stdout.split()][1:]


def main() -> None:
    processors = len(os.sched_getaffinity(0))
    kinds = {"by default": {}, "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"}}
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(processors)]
    try:
        for _ in range(TURNS):
            for kind, settings in kinds.items():
                found[kind] += seconds(settings)
    finally:
        for one in busy:
            one.kill()
    print(f"| {processors} processors, as many busy programs beside | a step of pocket, median | slowest |")
    print("|---|---:|---:|")
    for kind, values in found.items():
        print(f"| {kind} | {statistics.median(values):.2f} s | {max(values):.2f} s |")


if __name__ == "__main__":
    main()
