"""What a LoRA file says, taken apart a second time: raw tensors, and the change of every weight.

The arithmetic is numpy's in double precision: sums differ in their last bits when zeros stand between, and
one wrong bit of one factor makes a hundred times that.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from albumkit.adapter import Adapter, open_adapter

Tensors = dict[str, tuple[str, tuple[int, ...], bytes]]


def raw_tensors(path: Path) -> Tensors:
    """Name -> (dtype, shape, bytes)."""
    data = path.read_bytes()
    header = open_adapter(path).header
    return {t.name: (t.dtype, t.shape, data[t.start : t.stop]) for t in header.tensors}


def changes(path: Path | Adapter) -> dict[str, np.ndarray]:
    """BFL name of a weight -> what the file adds to it, in BFL's order of rows."""
    adapter = open_adapter(path) if isinstance(path, Path) else path
    found: dict[str, np.ndarray] = {}
    for module in adapter.modules:
        place = module.place
        assert place is not None
        delta = adapter.delta(module)
        left = np.array(delta.left, dtype=np.float64).reshape(-1, delta.columns[0])
        right = np.array(delta.right, dtype=np.float64).reshape(-1, delta.columns[1])
        rows = delta.scale * (left @ right)
        if place.linear.swapped and place.layout == "diffusers":
            rows = np.roll(rows, len(rows) // 2, axis=0)
        unit = len(rows) / sum(
            p.rows.count for n, p in enumerate(place.linear.parts) if place.part in (None, n)
        )
        counts = [int(unit * part.rows.count) for part in place.linear.parts]
        whole = found.setdefault(place.name, np.zeros((sum(counts), rows.shape[1])))
        first = sum(counts[: place.part or 0])
        whole[first : first + len(rows)] += rows
    return found


def same_changes(one: Path, two: Path) -> bool:
    """Whether two files do the same, number by number."""
    first, second = changes(one), changes(two)
    return first.keys() == second.keys() and all(
        np.allclose(first[name], second[name], rtol=0, atol=1e-13) for name in first
    )
