"""The figures for the model card, measured on prompts held out of training with the pipeline as it ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from albumkit.engine.pocket.judge import Judge, judge_prompts, new_judge
from albumkit.engine.pocket.make import autoencoder as autoencoding
from albumkit.engine.pocket.make import plan as sizes
from albumkit.engine.pocket.make.base import generate
from albumkit.engine.pocket.make.files import save_figures, save_sheet
from albumkit.engine.pocket.make.models import load_tokenizer, loaded, new_autoencoder, pipeline, to_pixels
from albumkit.engine.pocket.make.plan import Plan
from albumkit.engine.pocket.make.tokenizer import token_ids
from albumkit.engine.pocket.world import prompts, sample


def make(folder: Path, folders: list[Path], plan: Plan, device: torch.device, seed: int) -> None:
    pipe = pipeline(folders, device)
    pipe.set_progress_bar_config(disable=True)
    judge = loaded(new_judge(), folders, "judge", device).eval()
    figures: dict[str, object] = {"prompts": plan.checked, "steps": plan.steps}
    for guidance in (1.5, 4.0) if plan.compiled else (4.0,):  # pocket's own (rules/bases.json), and klein's
        figures[f"guidance {guidance:g}"] = obedience(
            pipe, judge, load_tokenizer(folders), plan, guidance, folder
        )
    figures["autoencoder"] = autoencoding.check(
        loaded(new_autoencoder(), folders, "vae", device), plan, device, folder
    )
    save_figures(folder, "card", figures)


def obedience(
    pipe: Any, judge: Judge, tokenizer: Any, plan: Plan, guidance: float, folder: Path
) -> dict[str, object]:
    """Per aspect, the share of pictures in which the judge sees what the prompt says."""
    scenes = sample(6161, plan.checked, held=True)
    said = prompts(scenes)
    images = generate(pipe, said, plan.steps, seed=1, guidance=guidance)
    save_sheet(folder / f"samples-{guidance:g}.jpg", images[:64], 8)
    device = pipe.transformer.device
    ids, lengths = token_ids(tokenizer, said)
    verdicts = []
    for part in torch.arange(len(said)).split(250):
        verdicts += judge_prompts(
            judge,
            to_pixels(images[part]).to(device),
            ids[part].long().to(device),
            lengths[part].long().to(device),
        )
    shares: dict[str, object] = {
        aspect: round(sum(v.asked[aspect] == v.seen[aspect] for v in verdicts) / len(verdicts), 4)
        for aspect in sizes.ASPECTS
    }
    shares["all"] = round(sum(v.obedient for v in verdicts) / len(verdicts), 4)
    return shares
