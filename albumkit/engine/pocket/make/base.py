"""The transformer and its text encoder, trained together from noise: flow matching on the world's pictures.

A second round starts from the first one's weights with a fresh optimizer, which warms up again, and with new
pictures unless the lessons were kept.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
import torch.fx.experimental._config
from torch import Tensor, nn

from albumkit.engine.pocket.make import plan as sizes
from albumkit.engine.pocket.make.files import find, save_figures, save_sheet, save_weights
from albumkit.engine.pocket.make.lessons import Lesson, lessons
from albumkit.engine.pocket.make.models import (
    load_tokenizer,
    loaded,
    new_text_encoder,
    new_transformer,
    pipeline,
)
from albumkit.engine.pocket.make.muon import Muon, Together
from albumkit.engine.pocket.make.plan import Plan
from albumkit.engine.pocket.make.text import Tower
from albumkit.engine.pocket.make.tokenizer import token_ids
from albumkit.engine.pocket.make.training import Average, Clock, adamw, autocast, set_up
from albumkit.engine.pocket.world import prompts, sample

_DROPPED = 0.1  # captions replaced by the empty one, so that guidance has something to lean away from
_LANGUAGE_ROWS, _LANGUAGE_WEIGHT = 64, 0.05
_RATE, _MATRIX_RATE = 1.2e-3, 2.5e-3


def make(
    folder: Path, folders: list[Path], plan: Plan, device: torch.device, seed: int, keep: Path | None
) -> None:
    set_up(device, seed)
    tokenizer = load_tokenizer(folders)
    learned = lessons(keep, folders, plan, device, seed)
    text_encoder, transformer = new_text_encoder(tokenizer).to(device), new_transformer().to(device)
    resumed = bool(find(folders, "transformer-*.safetensors"))
    if resumed:
        loaded(text_encoder, folders, "text_encoder", device)
        loaded(transformer, folders, "transformer", device)
    else:
        start_quiet(transformer)
    both = nn.ModuleList([transformer, text_encoder])
    empty = token_ids(tokenizer, [""])
    figures = _train(both, learned, empty, plan, device, resumed)
    save_weights(folder, "transformer", transformer.state_dict())
    state = text_encoder.state_dict()
    del state["lm_head.weight"]  # tied to the embedding
    save_weights(folder, "text_encoder", state)
    save_figures(folder, "transformer" + ("-resumed" if resumed else ""), figures)
    del both, learned
    show(folder, [*folders, folder], plan, device)


def start_quiet(transformer: Any) -> None:
    """Every block begins as nothing: its gates, and the last projection, are zero."""
    for module in (
        transformer.double_stream_modulation_img.linear,
        transformer.double_stream_modulation_txt.linear,
        transformer.single_stream_modulation.linear,
        transformer.norm_out.linear,
        transformer.proj_out,
    ):
        nn.init.zeros_(module.weight)


def _batch(
    lesson: Lesson, empty: tuple[Tensor, Tensor], size: int, length: int
) -> tuple[Tensor, Tensor, Tensor]:
    """(picture tokens, caption ids, caption lengths), all drawn on the device."""
    device = lesson.tokens.device
    picked = torch.randint(lesson.tokens.shape[1], (size,), device=device)
    side = torch.randint(2, (size,), device=device)
    said = torch.randint(len(lesson.ids), (size,), device=device)
    dropped = torch.rand(size, device=device) < _DROPPED
    ids = torch.where(dropped[:, None], empty[0].to(device), lesson.ids[said, picked])[:, :length]
    lengths = torch.where(dropped, empty[1].to(device), lesson.lengths[said, picked]).clamp_max(length)
    return lesson.tokens[side, picked].float(), ids.long(), lengths.long()


def _optimizer(both: nn.ModuleList) -> Together:
    """Matrices within the blocks by Muon, all else by AdamW."""
    named = dict(both.named_parameters())
    matrices = [p for name, p in named.items() if p.ndim == 2 and (".layers." in name or "_blocks." in name)]
    taken = {id(p) for p in matrices}
    decayed = [p for p in named.values() if p.ndim > 1 and id(p) not in taken]
    plain = [p for p in named.values() if p.ndim <= 1]
    groups: list[dict[str, object]] = [
        {"params": decayed, "lr": _RATE, "weight_decay": 0.02},
        {"params": plain, "lr": _RATE, "weight_decay": 0.0},
    ]
    return Together(adamw(groups, plain[0].device), Muon(matrices, _MATRIX_RATE, weight_decay=0.02))


class _Step:
    """One step of learning, of the transformer and its text encoder together."""

    def __init__(self, both: nn.ModuleList, empty: tuple[Tensor, Tensor], plan: Plan) -> None:
        self._both, self._empty, self._size = both, empty, plan.transformer_batch
        self._transformer, text_encoder = both
        if plan.compiled:
            # One graph for all picture and text sizes; one for each would cost minutes.
            # Sizes that are equal by chance must not be taken for the same.
            torch.fx.experimental._config.use_duck_shape = False
            self._transformer.compile_repeated_blocks(dynamic=True)
        self._tower = Tower(text_encoder, plan.compiled)
        self.optimizer = _optimizer(both)

    def __call__(self, lesson: Lesson, length: int) -> Tensor:
        """Draw, predict, update; the loss of the velocity, a scalar. ``length``: tokens of a caption."""
        image, ids, lengths = _batch(lesson, self._empty, self._size, length)
        device = image.device
        noise = torch.randn_like(image)
        sigma = torch.sigmoid(torch.randn(self._size, device=device))
        noisy = torch.lerp(image, noise, sigma[:, None, None])
        text_places = torch.zeros(length, 4, dtype=torch.long, device=device)
        text_places[:, 3] = torch.arange(length, device=device)
        with autocast(device):
            words, last, mask = self._tower.encode(ids, lengths)
            velocity = self._transformer(
                hidden_states=noisy,
                timestep=sigma,
                encoder_hidden_states=words,
                img_ids=lesson.places,
                txt_ids=text_places,
                return_dict=False,
            )[0]
            rows = slice(0, _LANGUAGE_ROWS)
            language = self._tower.language_loss(last[rows], mask[rows], ids[rows], lengths[rows])
        loss = (velocity.float() - (noise - image)).square().mean()
        self.optimizer.zero_grad(set_to_none=True)
        (loss + _LANGUAGE_WEIGHT * language).backward()
        nn.utils.clip_grad_norm_(self._both.parameters(), 1.0)
        self.optimizer.step()
        return loss.detach()

    def compile(self, lessons: list[Lesson]) -> None:
        """Meet every size once, and learn nothing."""
        groups = self.optimizer.param_groups
        rates = [group["lr"] for group in groups]
        for group in groups:
            group["lr"] = 0.0
        for lesson in lessons:
            for length in (sizes.TEXT_LENGTH, sizes.TEXT_ENOUGH):
                self(lesson, length)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate


def _train(
    both: nn.ModuleList,
    lessons: list[Lesson],
    empty: tuple[Tensor, Tensor],
    plan: Plan,
    device: torch.device,
    resumed: bool,
) -> dict[str, object]:
    both.train()
    step = _Step(both, empty, plan)
    average = Average(both, decay=0.9995)
    weights = torch.tensor([float(lesson.tokens.shape[1]) for lesson in lessons])
    chance = torch.Generator().manual_seed(3)
    if plan.compiled:  # before the clock starts
        step.compile(lessons)
    fall = 1e-6 if plan.hold else 0.7
    clock = Clock(step.optimizer, plan.transformer_seconds, warm_up=100 if resumed else 400, fall=fall)
    total = torch.zeros((), device=device)
    for number in clock.run(200, plan.transformer_batch):
        lesson = lessons[int(torch.multinomial(weights, 1, generator=chance))]
        # Padding costs as much as text: most steps do without, and the end is trained as the model is used.
        whole = (clock.progress > 0.85 and not plan.hold) or torch.rand((), generator=chance) < 0.1
        loss = step(lesson, sizes.TEXT_LENGTH if whole else sizes.TEXT_ENOUGH)
        average.update()
        clock.losses.append(loss)
        total = torch.lerp(total, loss, 1 / min(number + 1, 200))
    average.apply()
    both.eval()
    if not math.isfinite(total.item()):
        raise SystemExit("The loss is not a number: nothing was saved.")
    transformer, text_encoder = both
    return {
        "steps": clock.step,
        "batch": plan.transformer_batch,
        "last loss": round(total.item(), 4),
        "pictures": sum(lesson.tokens.shape[1] for lesson in lessons),
        "transformer parameters": sum(p.numel() for p in transformer.parameters()),
        "text encoder parameters": sum(p.numel() for p in text_encoder.parameters()),
    }


def show(folder: Path, folders: list[Path], plan: Plan, device: torch.device) -> None:
    """A contact sheet of held-out prompts, to be looked at."""
    pipe = pipeline(folders, device)
    pipe.set_progress_bar_config(disable=True)
    said = prompts(sample(99, 64 if plan.compiled else 2, held=True))
    save_sheet(folder / "samples.jpg", generate(pipe, said, plan.steps, seed=0), 8)


def generate(
    pipe: Any, said: list[str], steps: int, seed: int, guidance: float = 4.0, size: int = 128
) -> Tensor:
    """uint8 pictures (n, h, w, 3) of the prompts, by the pipeline itself."""
    images = []
    for start in range(0, len(said), 250):
        given = pipe(
            prompt=said[start : start + 250],
            height=size,
            width=size,
            num_inference_steps=steps,
            guidance_scale=guidance,
            max_sequence_length=sizes.TEXT_LENGTH,
            generator=torch.Generator().manual_seed(seed + start),
            output_type="pt",
        ).images
        images.append((given.float() * 255 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).cpu())
    return torch.cat(images)
