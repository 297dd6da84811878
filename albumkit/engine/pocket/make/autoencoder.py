"""The autoencoder: 128 px to 16 x 16 latents of 32 channels, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from albumkit.engine.pocket.make.files import save_figures, save_sheet, save_weights
from albumkit.engine.pocket.make.models import draw, new_autoencoder, patchify, to_pixels, to_uint8
from albumkit.engine.pocket.make.plan import Plan
from albumkit.engine.pocket.make.training import Average, Clock, adamw, autocast, set_up
from albumkit.engine.pocket.world import render, sample

_HALVED = 0.25  # how often a batch's latents are halved in size and must decode to the halved picture


def make(folder: Path, folders: list[Path], plan: Plan, device: torch.device, seed: int) -> None:
    set_up(device, seed)
    images = draw(seed, plan.autoencoder_pictures, device, shares=(1.0,))[0].images
    model = new_autoencoder().to(device, memory_format=torch.channels_last)
    _train(model, images, plan, device)
    _measure_latents(model, images, device)
    save_weights(folder, "vae", model.state_dict())
    save_figures(folder, "autoencoder", check(model, plan, device, folder))


def _loss(output: Tensor, pixels: Tensor) -> Tensor:
    """Pixels, and a little their differences to the neighbours: colours first, then edges and texture."""
    error = output - pixels
    across, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
    edges = across.abs().mean() + down.abs().mean()
    return 0.5 * error.abs().mean() + 8 * error.square().mean() + 0.2 * edges


def _train(model: Any, images: Tensor, plan: Plan, device: torch.device) -> None:
    encoder, decoder = model.encoder, model.decoder
    if plan.compiled:
        encoder, decoder = torch.compile(encoder), torch.compile(decoder)
    optimizer = adamw([{"params": list(model.parameters()), "lr": 1.5e-3, "weight_decay": 1e-3}], device)
    average = Average(model)
    batch = plan.autoencoder_batch

    def step(halve: bool) -> Tensor:
        picked = images[torch.randint(len(images), (batch,), device=device)]
        pixels = to_pixels(picked).contiguous(memory_format=torch.channels_last)
        with autocast(device):
            mean, spread = model.quant_conv(encoder(pixels)).float().chunk(2, dim=1)
            spread = spread.clamp(-12, 4)
            latents = mean + torch.exp(0.5 * spread) * torch.randn_like(mean)
            if halve:
                latents, pixels = functional.avg_pool2d(latents, 2), functional.avg_pool2d(pixels, 2)
            output = decoder(model.post_quant_conv(latents))
        divergence = 0.5 * (mean.square() + spread.exp() - 1 - spread).mean()
        loss = _loss(output.float(), pixels) + 1e-4 * divergence
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach()

    for halve in (True, False):  # what must be compiled is compiled before the clock starts
        step(halve)
    clock = Clock(optimizer, plan.autoencoder_seconds, warm_up=100)
    chance = torch.Generator().manual_seed(1)
    for _ in clock.run(100, batch):
        clock.losses.append(step(bool(torch.rand((), generator=chance) < _HALVED)))
        average.update()
    average.apply()


@torch.no_grad()
def _measure_latents(model: Any, images: Tensor, device: torch.device) -> None:
    """Mean and variance per channel of the patchified latents, by which the pipeline normalises them."""
    some = []
    for part in images[:8192].split(512):
        with autocast(device):
            some.append(patchify(model.encode(to_pixels(part)).latent_dist.mode()).float())
    latents = torch.cat(some)
    model.bn.running_mean.copy_(latents.mean(dim=(0, 2, 3)))
    model.bn.running_var.copy_(latents.var(dim=(0, 2, 3)))
    model.bn.num_batches_tracked.fill_(len(some))


@torch.no_grad()
def check(model: Any, plan: Plan, device: torch.device, folder: Path) -> dict[str, object]:
    """PSNR on pictures of held-out combinations, with the weights rounded as they ship."""
    model = model.to(torch.bfloat16).float().eval()
    images = render(sample(4242, plan.checked, held=True), 128, device)[0]
    decibels, seen = [], []
    for part in images.split(250):
        with autocast(device):
            output = model.decode(model.encode(to_pixels(part)).latent_dist.mode()).sample
        again = to_uint8(output)
        error = (again.float() - part.float()).square().mean(dim=(1, 2, 3))
        decibels.append(10 * torch.log10(255**2 / error.clamp_min(1e-6)))
        seen.append(again)
    pairs = torch.stack([images[:24], torch.cat(seen)[:24]], dim=1).flatten(0, 1)
    save_sheet(folder / "autoencoder.jpg", pairs, 8)
    psnr = torch.cat(decibels)
    return {
        "psnr": round(psnr.mean().item(), 2),
        "psnr of the worst tenth": round(psnr.quantile(0.1).item(), 2),
        "pictures": len(images),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
