"""The diffusers folder that ships, put together from the parts' flat files."""

from __future__ import annotations

from pathlib import Path

import torch

from albumkit.engine.pocket.make.models import pipeline


def write(folder: Path, sources: list[Path]) -> None:
    pipe = pipeline(sources, torch.device("cpu"))
    for part in (pipe.vae, pipe.text_encoder, pipe.transformer):
        part.to(torch.bfloat16)
    pipe.save_pretrained(folder)
    # The name that transformers 4 and 5 both know the fast tokenizer by, as klein's own index says it.
    index = folder / "model_index.json"
    index.write_text(
        index.read_text(encoding="utf-8").replace('"Qwen2Tokenizer"', '"Qwen2TokenizerFast"'),
        encoding="utf-8",
    )
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.1f} MB")
