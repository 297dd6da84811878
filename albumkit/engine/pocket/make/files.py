"""What passes between parts: a few flat files of bf16 weights, none larger than one transfer takes."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

_LARGEST = 15 << 20


def save_weights(folder: Path, name: str, state: dict[str, Tensor]) -> None:
    """`state` as NAME-1.safetensors and so on, in bf16."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, value in state.items():
        value = value.detach().to("cpu")
        value = value.bfloat16() if value.is_floating_point() else value
        if size + value.nbytes > _LARGEST:
            shards.append({})
            size = 0
        shards[-1][key] = value.contiguous().clone()
        size += value.nbytes
    folder.mkdir(parents=True, exist_ok=True)
    for number, shard in enumerate(shards, 1):
        save_file(shard, folder / f"{name}-{number}.safetensors", metadata={"format": "pt"})


def find(folders: list[Path], name: str) -> list[Path]:
    """The files called so in the last folder that has any; an empty list if none has."""
    for folder in reversed(folders):
        found = sorted(folder.glob(name))
        if found:
            return found
    return []


def load_weights(folders: list[Path], name: str) -> dict[str, Tensor]:
    found = find(folders, f"{name}-*.safetensors")
    if not found:
        listed = ", ".join(str(folder) for folder in folders) or "no folder"
        raise SystemExit(
            f"{name}-1.safetensors is missing (looked in {listed}): run that part first, or give --from."
        )
    state: dict[str, Tensor] = {}
    for path in found:
        state.update(load_file(path))
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def save_figures(folder: Path, part: str, figures: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=1)
    (folder / f"figures-{part}.json").write_text(text + "\n", encoding="utf-8")
    print(f"{part}: {text}", flush=True)


def save_sheet(path: Path, images: Tensor, columns: int) -> None:
    """A contact sheet of uint8 pictures (n, h, w, 3); as JPEG, since a PNG of noise is large."""
    from PIL import Image

    n, height, width, _ = images.shape
    rows = -(-n // columns)
    padded = torch.zeros(rows * columns, height, width, 3, dtype=torch.uint8)
    padded[:n] = images.cpu()
    grid = padded.reshape(rows, columns, height, width, 3).permute(0, 2, 1, 3, 4)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = Image.fromarray(grid.reshape(rows * height, columns * width, 3).numpy())
    sheet.save(path, quality=92)
