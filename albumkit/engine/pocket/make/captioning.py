"""Training the captioner: photographs with what is said of them, and pairs that differ in one thing.

Only the decoder learns. The judge's eyes stay as they are, so that one encoder serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from albumkit.engine.pocket.captioner import LENGTH, TASKS, Captioner, answers, new_captioner
from albumkit.engine.pocket.judge import SIDE, ImageEncoder, new_judge
from albumkit.engine.pocket.make.files import save_figures, save_weights
from albumkit.engine.pocket.make.judging import disturb
from albumkit.engine.pocket.make.models import load_tokenizer, loaded, to_pixels
from albumkit.engine.pocket.make.plan import Plan
from albumkit.engine.pocket.make.training import Average, Clock, adamw, autocast, set_up
from albumkit.engine.pocket.world import render, sample
from albumkit.engine.pocket.world.answers import ASKED, change, changed, contents, surroundings
from albumkit.engine.pocket.world.names import COLOUR_NAMES, FRAMINGS, KINDS, LIGHTS, PLACES


@dataclass
class _Pictures:
    """Photographs before and after a change (2, n, h, w, 3), and the tokens of what is said of them."""

    images: Tensor
    ids: Tensor  # (2, tasks without change, n, length)
    change_ids: Tensor  # (n, length)


def make(folder: Path, folders: list[Path], plan: Plan, device: torch.device, seed: int) -> None:
    set_up(device, seed)
    tokenizer = load_tokenizer(folders).backend_tokenizer
    judge = loaded(new_judge(), folders, "judge", device).eval()
    model = new_captioner().to(device)
    before = sample(seed * 100 + 81, plan.captioner_pictures // 2, held=False)
    after = changed(before, seed * 100 + 82)
    lessons = _Pictures(
        torch.stack([render(scenes, SIDE, device)[0] for scenes in (before, after)]),
        torch.stack(
            [
                torch.stack([_ids(tokenizer, said(scenes)) for said in (surroundings, contents)])
                for scenes in (before, after)
            ]
        ).to(device),
        _ids(tokenizer, change(before, after)).to(device),
    )
    _train(model, judge.images, lessons, tokenizer.token_to_id("<|im_end|>"), plan, device)
    save_weights(folder, "captioner", model.state_dict())
    save_figures(folder, "captioner", check(model, judge.images, tokenizer, plan, device))


def _ids(tokenizer: Any, texts: list[str]) -> Tensor:
    """(n, LENGTH), each filled up with the token that ends it."""
    end = tokenizer.token_to_id("<|im_end|>")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = torch.full((len(texts), LENGTH), end, dtype=torch.long)
    for i, encoded in enumerate(tokenizer.encode_batch(texts, add_special_tokens=False)):
        if len(encoded.ids) >= LENGTH:
            raise SystemExit(f"{texts[i]!r} is {len(encoded.ids)} tokens long; answers end before {LENGTH}.")
        ids[i, : len(encoded.ids)] = torch.tensor(encoded.ids)
    return ids


def _train(
    model: Captioner,
    encoder: ImageEncoder,
    lessons: _Pictures,
    end: int,
    plan: Plan,
    device: torch.device,
) -> None:
    count = lessons.images.shape[1]
    third = plan.captioner_batch // 3
    optimizer = adamw([{"params": list(model.parameters()), "lr": 1e-3, "weight_decay": 0.02}], device)
    average = Average(model)

    def see(picked: Tensor, side: Tensor) -> Tensor:
        with torch.no_grad(), autocast(device):
            return encoder(disturb(to_pixels(lessons.images[side, picked]))).float()

    def loss_of(seen: Tensor, tasks: Tensor, ids: Tensor) -> Tensor:
        with autocast(device):
            logits = model(seen, tasks, ids[:, :-1])
        # The first end counts, what fills up after it does not.
        real = functional.pad(ids[:, :-1] != end, (1, 0), value=True)
        losses = functional.cross_entropy(logits.float().transpose(1, 2), ids, reduction="none")
        return (losses * real).sum() / real.sum()

    def step() -> Tensor:
        picked = torch.randint(count, (2 * third,), device=device)
        side = torch.randint(2, (2 * third,), device=device)
        tasks = torch.arange(2 * third, device=device) % 2
        one = loss_of(model.look([see(picked, side)]), tasks, lessons.ids[side, tasks, picked])
        picked = picked[:third]
        first = torch.zeros_like(picked)
        maps = [see(picked, first + k) for k in (0, 1)]
        two = loss_of(model.look(maps), first + TASKS.index("change"), lessons.change_ids[picked])
        loss = one + 0.5 * two
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach()

    clock = Clock(optimizer, plan.captioner_seconds, warm_up=200)
    for _ in clock.run(200, plan.captioner_batch):
        clock.losses.append(step())
        average.update()
    average.apply()


@torch.no_grad()
def check(
    model: Captioner, encoder: ImageEncoder, tokenizer: Any, plan: Plan, device: torch.device
) -> dict[str, object]:
    """The share of answers that name the right thing, on held-out combinations; weights as they ship."""
    model = model.to(torch.bfloat16).float().eval()
    before = sample(7171, plan.checked, held=True)
    after = changed(before, 7272)
    first, second = (to_pixels(render(scenes, SIDE, device)[0]) for scenes in (before, after))
    told = _in_parts(model, encoder, tokenizer, [first], "content")
    words = {"object": KINDS, "colour": COLOUR_NAMES, "place": PLACES, "light": LIGHTS, "framing": FRAMINGS}
    fields = {"object": "kind"}
    figures: dict[str, object] = {"pictures": plan.checked}
    for aspect, names in words.items():
        truth = [names[k] for k in getattr(before, fields.get(aspect, aspect)).tolist()]
        right = [says(text, name, names) for text, name in zip(told, truth, strict=True)]
        figures[aspect] = round(sum(right) / len(right), 4)
    for task, wanted, pictures in (
        ("content", contents(before), [first]),
        ("surroundings", surroundings(before), [first]),
        ("change", change(before, after), [first, second]),
    ):
        said = _in_parts(model, encoder, tokenizer, pictures, task)
        figures[f"{task}, word for word"] = round(
            sum(a == b for a, b in zip(said, wanted, strict=True)) / len(said), 4
        )
        if task == "change":
            asked = (torch.arange(len(said)) % len(ASKED)).tolist()
            for k, name in enumerate(ASKED):
                pairs = [(a, b) for a, b, c in zip(said, wanted, asked, strict=True) if c == k]
                figures[f"change of {name}"] = round(sum(a == b for a, b in pairs) / len(pairs), 4)
    figures["parameters"] = sum(p.numel() for p in model.parameters())
    return figures


def says(text: str, name: str, names: tuple[str, ...]) -> bool:
    """Whether of all `names` the text has this one alone; an empty name is the one that is not said."""
    words = f" {text.replace(',', '')} "  # "checkered" is not red
    found = [one for one in names if one and f" {one} " in words]
    return found == ([name] if name else [])


def _in_parts(
    model: Captioner, encoder: ImageEncoder, tokenizer: Any, pictures: list[Tensor], task: str
) -> list[str]:
    said: list[str] = []
    for parts in zip(*(some.split(250) for some in pictures), strict=True):
        said += answers(encoder, model, tokenizer, parts, task)
    return said
