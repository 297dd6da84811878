"""The training step of diffusers' published script for FLUX.2 klein (examples/dreambooth,
train_dreambooth_lora_flux2_klein.py, mixed precision bf16, cached latents and captions), put together from
diffusers' and accelerate's public parts, on the modules that albumkit trains by default.

    python benchmarks/klein_peer.py --base FOLDER --side 1024 --steps 20

Prints seconds of each step and the most bytes that tensors took on the card, as one line of JSON. klein.py
calls it.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path


def run(base: Path, side: int, steps: int, rank: int, checkpointing: bool) -> tuple[list[float], int | None]:
    """Seconds of each step, and the peak."""
    import torch
    from accelerate import Accelerator
    from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import compute_density_for_timestep_sampling
    from peft import LoraConfig

    from albumkit.engine import lora
    from albumkit.engine.families import flux2

    accelerator = Accelerator(mixed_precision="bf16")
    device = accelerator.device
    transformer = Flux2Transformer2DModel.from_pretrained(base / "transformer", torch_dtype=torch.bfloat16)
    transformer.requires_grad_(False).to(device)
    if checkpointing:
        transformer.enable_gradient_checkpointing()
    modules = lora.find_modules(lora.linears(transformer), flux2, "all")
    names = [name for some in modules.values() for name in some]
    transformer.add_adapter(
        LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=names)
    )
    learning = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=5e-5)
    rates = get_scheduler("constant", optimizer=optimizer)
    transformer, optimizer, rates = accelerator.prepare(transformer, optimizer, rates)
    scheduler = copy.deepcopy(FlowMatchEulerDiscreteScheduler.from_pretrained(base / "scheduler"))
    config = accelerator.unwrap_model(transformer).config
    torch.manual_seed(0)
    grid = side // 16
    latents = torch.randn(1, config.in_channels, grid, grid, device=device)
    text = torch.randn(1, 512, config.joint_attention_dim, device=device, dtype=torch.bfloat16)
    text_ids = Flux2KleinPipeline._prepare_text_ids(text).to(device)
    image_ids = Flux2KleinPipeline._prepare_latent_ids(latents).to(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    transformer.train()
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        noise = torch.randn_like(latents)
        level = compute_density_for_timestep_sampling("none", 1, 0.0, 1.0, 1.29)
        index = (level * scheduler.config.num_train_timesteps).long()
        timestep = scheduler.timesteps[index].to(device)
        sigma = scheduler.sigmas[index].to(device).view(-1, 1, 1, 1)
        noisy = (1 - sigma) * latents + sigma * noise
        with accelerator.accumulate(transformer):
            prediction = transformer(
                hidden_states=Flux2KleinPipeline._pack_latents(noisy),
                timestep=timestep / 1000,
                guidance=None,
                encoder_hidden_states=text,
                txt_ids=text_ids,
                img_ids=image_ids,
                return_dict=False,
            )[0]
            prediction = Flux2KleinPipeline._unpack_latents_with_ids(prediction, image_ids)
            loss = (prediction.float() - (noise - latents)).pow(2).flatten(1).mean(1).mean()
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(transformer.parameters(), 1.0)
            optimizer.step()
            rates.step()
            optimizer.zero_grad()
        loss.item()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return seconds, torch.cuda.max_memory_allocated() if device.type == "cuda" else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--checkpointing", action="store_true")
    options = parser.parse_args()
    print(json.dumps(run(options.base, options.side, options.steps, options.rank, options.checkpointing)))
