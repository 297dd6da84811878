"""Training the judge: every subject photographed twice, every photograph with a caption."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from albumkit.engine.pocket.judge import SIDE, Judge, new_judge
from albumkit.engine.pocket.make import plan as sizes
from albumkit.engine.pocket.make.files import save_figures, save_weights
from albumkit.engine.pocket.make.models import load_tokenizer, loaded, new_autoencoder, to_pixels, to_uint8
from albumkit.engine.pocket.make.plan import Plan
from albumkit.engine.pocket.make.tokenizer import token_ids
from albumkit.engine.pocket.make.training import Average, Clock, adamw, autocast, set_up
from albumkit.engine.pocket.world import Scenes, captions, prompts, render, sample, see_again
from albumkit.engine.pocket.world.captions import made_up_word, said_light

_TEXT = 64


def make(folder: Path, folders: list[Path], plan: Plan, device: torch.device, seed: int) -> None:
    set_up(device, seed)
    tokenizer = load_tokenizer(folders)
    autoencoder = loaded(new_autoencoder(), folders, "vae", device).eval()
    model = new_judge().to(device, memory_format=torch.channels_last)
    first = sample(seed * 100 + 71, plan.judge_pictures // 2, held=False)
    views = [first, see_again(first, seed * 100 + 72)]
    images = [render(view, SIDE, device)[0] for view in views]
    decoded = [_through(autoencoder, some) for some in images]
    lessons = [_words(view, tokenizer, device) for view in views]
    _train(model, torch.stack([torch.stack(images), torch.stack(decoded)]), views, lessons, plan, device)
    save_weights(folder, "judge", model.state_dict())
    save_figures(folder, "judge", check(model, autoencoder, tokenizer, plan, device))


@torch.no_grad()
def _through(autoencoder: Any, images: Tensor) -> Tensor:
    """The pictures as the autoencoder gives them back: what generated pictures look like at best."""
    done = []
    for part in images.split(512):
        with autocast(images.device):
            done.append(
                to_uint8(autoencoder.decode(autoencoder.encode(to_pixels(part)).latent_dist.mode()).sample)
            )
    return torch.cat(done)


def targets(scenes: Scenes) -> Tensor:
    """The word of every aspect, (n, aspects), in the order of `plan.ASPECTS`."""
    return torch.stack([scenes.kind, scenes.colour, scenes.place, scenes.light], dim=1)


def _words(scenes: Scenes, tokenizer: Any, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(ids, lengths, what the caption says); one caption in ten has an unknown thing and says no object."""
    texts = captions(scenes, 1)
    said = targets(scenes)
    silent = [len(words) for words in sizes.ASPECTS.values()]
    said[:, 3] = torch.where(said_light(scenes, 1), said[:, 3], silent[3])
    chance = random.Random(5)
    for i in range(0, len(texts), 10):
        texts[i] = texts[i].replace(sizes.ASPECTS["object"][int(scenes.kind[i])], made_up_word(chance))
        said[i, 0] = silent[0]
    ids, lengths = token_ids(tokenizer, texts, _TEXT)
    return ids.to(device), lengths.to(device), said.to(device)


def disturb(pixels: Tensor) -> Tensor:
    """Mirror, brightness, contrast and noise, each picture its own."""
    n, device = len(pixels), pixels.device
    mirrored = torch.rand(n, 1, 1, 1, device=device) < 0.5
    pixels = torch.where(mirrored, pixels.flip(3), pixels)
    gain = 1 + 0.15 * torch.randn(n, 1, 1, 1, device=device)
    lift = 0.06 * torch.randn(n, 1, 1, 1, device=device)
    noise = 0.05 * torch.rand(n, 1, 1, 1, device=device) * torch.randn_like(pixels)
    return (pixels * gain + lift + noise).clamp(-1, 1)


def _train(
    model: Judge,
    images: Tensor,  # (as drawn or decoded, view, n, h, w, 3)
    views: list[Scenes],
    lessons: list[tuple[Tensor, Tensor, Tensor]],
    plan: Plan,
    device: torch.device,
) -> None:
    truth = [targets(view).to(device) for view in views]
    count = images.shape[2]
    half = plan.judge_batch // 2
    see = torch.compile(model.see) if plan.compiled else model.see
    optimizer = adamw([{"params": list(model.parameters()), "lr": 1e-3, "weight_decay": 0.02}], device)
    average = Average(model)
    order = torch.arange(half, device=device)

    def step() -> Tensor:
        picked = torch.randint(count, (half,), device=device)
        kind = torch.randint(2, (2 * half,), device=device)
        both = torch.cat([images[kind[:half], 0, picked], images[kind[half:], 1, picked]])
        pixels = disturb(to_pixels(both)).contiguous(memory_format=torch.channels_last)
        with autocast(device):
            seen, identity = see(pixels)
            read = model.reader(
                *(torch.cat([lesson[k][picked] for lesson in lessons]).long() for k in (0, 1))
            )
        shown = torch.cat([view[picked] for view in truth])
        said = torch.cat([lesson[2][picked] for lesson in lessons])
        loss = torch.zeros((), device=device)
        for k, (image, text) in enumerate(zip(model.logits(seen), model.logits(read), strict=True)):
            loss = loss + functional.cross_entropy(image[:, :-1], shown[:, k])
            loss = loss + 0.5 * functional.cross_entropy(text, said[:, k])
        alike = identity[:half] @ identity[half:].t() * _sharp
        loss = loss + 0.5 * (
            functional.cross_entropy(alike, order) + functional.cross_entropy(alike.t(), order)
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach()

    _sharp = 12.0
    step()
    clock = Clock(optimizer, plan.judge_seconds, warm_up=100)
    for _ in clock.run(100, plan.judge_batch):
        clock.losses.append(step())
        average.update()
    average.apply()


@torch.no_grad()
def check(
    model: Judge, autoencoder: Any, tokenizer: Any, plan: Plan, device: torch.device
) -> dict[str, object]:
    """Accuracy on held-out combinations, as drawn and as the autoencoder gives them back; weights as they
    ship.
    """
    model = model.to(torch.bfloat16).float().eval()
    count = 4 * plan.checked
    scenes = sample(5151, count, held=True)
    drawn = render(scenes, SIDE, device)[0]
    truth = targets(scenes)
    figures: dict[str, object] = {"pictures": count}
    others = _look(model, render(see_again(scenes, 5252), SIDE, device)[0])[1]
    for name, images in (("drawn", drawn), ("decoded", _through(autoencoder, drawn))):
        guesses, vectors = _look(model, images)
        for k, aspect in enumerate(sizes.ASPECTS):
            figures[f"{aspect}, {name}"] = round((guesses[:, k] == truth[:, k]).float().mean().item(), 4)
        figures.update(_identity(vectors, others, scenes, name))
    ids, lengths = token_ids(tokenizer, prompts(scenes), _TEXT)
    read = model.logits(model.reader(ids.long().to(device), lengths.long().to(device)))
    right = [(logits.argmax(-1).cpu() == truth[:, k]).float().mean().item() for k, logits in enumerate(read)]
    figures["prompts read right"] = round(min(right), 4)
    figures["parameters"] = sum(p.numel() for p in model.parameters())
    return figures


def _look(model: Judge, images: Tensor) -> tuple[Tensor, Tensor]:
    """(the word seen per aspect (n, aspects), identity vectors)."""
    guesses, vectors = [], []
    for part in images.split(500):
        seen, identity = model.see(to_pixels(part))
        guesses.append(torch.stack([logits[:, :-1].argmax(-1) for logits in model.logits(seen)], dim=1).cpu())
        vectors.append(identity.cpu())
    return torch.cat(guesses), torch.cat(vectors)


def _identity(ours: Tensor, again: Tensor, scenes: Scenes, name: str) -> dict[str, object]:
    """How well one threshold tells the same subject from another: a random one, and one of the same kind."""
    same = (ours * again).sum(-1)
    different = (ours * again.roll(1, 0)).sum(-1)
    order = scenes.kind.argsort(stable=True)
    kin = (ours[order] * again[order].roll(1, 0)).sum(-1)
    steps = torch.linspace(-1, 1, 401)
    rates = [((same > t).float().mean() + (different <= t).float().mean()).item() / 2 for t in steps]
    best = max(range(len(rates)), key=rates.__getitem__)
    limit = steps[best]
    kindred = ((same > limit).float().mean() + (kin <= limit).float().mean()).item() / 2
    return {
        f"identity, {name}": round(rates[best], 4),
        f"identity among one kind, {name}": round(kindred, 4),
        f"identity threshold, {name}": round(limit.item(), 3),
    }
