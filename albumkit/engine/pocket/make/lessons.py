"""What the transformer learns from: the world's pictures as latents, and their captions as tokens.

Drawing takes longer than reading a file: `keep` lets every round on one machine use the same drawn pictures.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from albumkit.engine.pocket.make.files import find
from albumkit.engine.pocket.make.models import (
    Bucket,
    draw,
    encode,
    load_tokenizer,
    loaded,
    new_autoencoder,
)
from albumkit.engine.pocket.make.plan import Plan
from albumkit.engine.pocket.make.tokenizer import token_ids
from albumkit.engine.pocket.world import captions


@dataclass
class Lesson:
    """All training data of one picture size, on the device."""

    tokens: Tensor  # (2, n, image tokens, channels): as drawn, and mirrored
    ids: Tensor  # int16 (phrasings, n, text tokens)
    lengths: Tensor  # (phrasings, n)
    places: Tensor  # (image tokens, 4) position ids


def kept(keep: Path, folders: list[Path], plan: Plan, seed: int) -> Path:
    """The file of these lessons, named after all that they depend on."""
    digest = hashlib.sha256(f"{seed} {plan.pictures} {plan.phrasings}".encode())
    for path in [*find(folders, "tokenizer.json"), *find(folders, "vae-*.safetensors")]:
        digest.update(path.read_bytes())
    return keep / f"lessons-{digest.hexdigest()[:12]}.pt"


def make(keep: Path, folders: list[Path], plan: Plan, device: torch.device, seed: int) -> None:
    keep.mkdir(parents=True, exist_ok=True)
    made = [asdict(lesson) for lesson in drawn(folders, plan, device, seed)]
    torch.save(made, kept(keep, folders, plan, seed))


def lessons(
    keep: Path | None, folders: list[Path], plan: Plan, device: torch.device, seed: int
) -> list[Lesson]:
    """The kept lessons if there are any, else drawn now."""
    path = kept(keep, folders, plan, seed) if keep else None
    if path and path.is_file():
        return [Lesson(**fields) for fields in torch.load(path, map_location=device, weights_only=True)]
    return drawn(folders, plan, device, seed)


def drawn(folders: list[Path], plan: Plan, device: torch.device, seed: int) -> list[Lesson]:
    tokenizer = load_tokenizer(folders)
    autoencoder = loaded(new_autoencoder(), folders, "vae", device).eval()
    return [_lesson(bucket, autoencoder, tokenizer, plan) for bucket in draw(seed, plan.pictures, device)]


def _lesson(bucket: Bucket, autoencoder: Any, tokenizer: Any, plan: Plan) -> Lesson:
    device = bucket.images.device
    said = [token_ids(tokenizer, captions(bucket.scenes, k)) for k in range(plan.phrasings)]
    height, width = bucket.images.shape[1] // 16, bucket.images.shape[2] // 16
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    nothing = torch.zeros(height * width, dtype=torch.long)
    places = torch.stack([nothing, rows.flatten(), columns.flatten(), nothing], dim=-1)
    return Lesson(
        tokens=torch.stack([encode(autoencoder, bucket.images, flip) for flip in (False, True)]),
        ids=torch.stack([ids for ids, _ in said]).to(device),
        lengths=torch.stack([lengths for _, lengths in said]).to(device),
        places=places.to(device),
    )
