"""FLUX.2 klein: constants, how it reads pictures and words, and one prediction.

The facts are those of diffusers' ``Flux2KleinPipeline``, which a test holds this module against: hidden
states of layers 9, 18 and 27 of Qwen3, its chat template without thinking; the mode of the autoencoder's
distribution, 2x2 latents a token, normalised by the figures of its batch norm; four position axes (picture,
row, column, word).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ID = "flux2"
PIPELINES = ("Flux2KleinPipeline",)
TEXT_LAYERS = (9, 18, 27)
#: Says what Qwen3's own template says without tools; thinking switched off leaves an empty thought.
CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}"
    "{%- endif %}"
    "{%- endif %}"
)
#: Position of the first reference picture on the first axis; each further one is as far on.
REFERENCE_STEP = 10

BLOCKS = {"double": r"transformer_blocks\.\d+\.", "single": r"single_transformer_blocks\.\d+\."}
#: The rest of the names, matched whole: a bare ``to_out`` would also hit a ModuleList.
TARGETS = {
    "all": {
        "double": r"(attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)|ff(_context)?\.linear_(in|out))",
        "single": r"attn\.(to_qkv_mlp_proj|to_out)",
    },
    "attention": {
        "double": r"attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)",
        "single": r"attn\.(to_qkv_mlp_proj|to_out)",
    },
    # As a README of diffusers lists what fal's klein trainer trains.
    "fal": {
        "double": r"(attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)|ff(_context)?\.linear_(in|out))",
        "single": r"attn\.to_qkv_mlp_proj",
    },
}


def pixels_per_token(vae_config: Mapping[str, Any]) -> int:
    """Each level of the autoencoder but one halves the picture, and two latents make a token."""
    return int(2 ** len(vae_config["block_out_channels"]))


def encode_image(vae: Any, pixels: Tensor) -> Tensor:
    """Pixels in -1..1 -> normalised latents (n, 4 x latent channels, height / 16, width / 16)."""
    latents = vae.encode(pixels.to(vae.dtype)).latent_dist.mode().float()
    n, channels, height, width = latents.shape
    patches = latents.reshape(n, channels, height // 2, 2, width // 2, 2).permute(0, 1, 3, 5, 2, 4)
    mean, deviation = _normal(vae)
    return (patches.reshape(n, channels * 4, height // 2, width // 2) - mean) / deviation


def decode_image(vae: Any, latents: Tensor) -> Tensor:
    """Normalised latents -> pixels in -1..1."""
    mean, deviation = _normal(vae)
    n, channels, height, width = latents.shape
    patches = (latents.float() * deviation + mean).reshape(n, channels // 4, 2, 2, height, width)
    whole = patches.permute(0, 1, 4, 2, 5, 3).reshape(n, channels // 4, height * 2, width * 2)
    return vae.decode(whole.to(vae.dtype), return_dict=False)[0].float()


def encode_text(encoder: Any, tokenizer: Any, text: str, length: int, device: torch.device) -> Tensor:
    """One prompt, padded to ``length``: (1, length, 3 x the encoder's width)."""
    import torch

    message = [{"role": "user", "content": text}]
    words = tokenizer.apply_chat_template(
        message, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    tokens = tokenizer(words, return_tensors="pt", padding="max_length", truncation=True, max_length=length)
    states = encoder(
        input_ids=tokens["input_ids"].to(device),
        attention_mask=tokens["attention_mask"].to(device),
        output_hidden_states=True,
        use_cache=False,
    ).hidden_states
    return torch.cat([states[layer] for layer in TEXT_LAYERS], dim=-1)


def predict(
    transformer: Any, noisy: Tensor, sigma: Tensor, text: Tensor, references: Sequence[Tensor] = ()
) -> Tensor:
    """The velocity (noise - image) of each token of ``noisy``; reference pictures are further tokens."""
    import torch

    n, channels, height, width = noisy.shape
    pictures = [noisy, *references]
    tokens = torch.cat([one.flatten(2).transpose(1, 2) for one in pictures], dim=1)
    ids = torch.cat([image_ids(one, REFERENCE_STEP * place) for place, one in enumerate(pictures)])
    velocity = transformer(
        hidden_states=tokens.to(transformer.dtype),
        timestep=sigma.to(transformer.dtype),
        guidance=None,
        encoder_hidden_states=text.to(transformer.dtype),
        img_ids=ids.to(noisy.device),
        txt_ids=text_ids(text).to(noisy.device),
        return_dict=False,
    )[0]
    return velocity[:, : height * width].transpose(1, 2).reshape(n, channels, height, width)


def image_ids(latents: Tensor, place: int = 0) -> Tensor:
    """(tokens, 4): which picture, row, column, 0."""
    import torch

    height, width = latents.shape[-2:]
    axes = (torch.tensor([place]), torch.arange(height), torch.arange(width), torch.arange(1))
    return torch.cartesian_prod(*axes)


def text_ids(text: Tensor) -> Tensor:
    """(tokens, 4): 0, 0, 0, which word."""
    import torch

    zero = torch.arange(1)
    return torch.cartesian_prod(zero, zero, zero, torch.arange(text.shape[1]))


def sampling_shift(tokens: int, steps: int) -> float:
    """The shift (mu) that FLUX.2's sampler takes: two measured lines, at 10 and at 200 steps, and between
    them by the number of steps (Black Forest Labs' own figures, as diffusers' ``compute_empirical_mu`` has
    them).
    """
    many = 0.00016927 * tokens + 0.45666666
    if tokens > 4300:
        return many
    few = 8.73809524e-05 * tokens + 1.89833333
    return many + (many - few) / 190 * (steps - 200)


def _normal(vae: Any) -> tuple[Tensor, Tensor]:
    import torch

    mean = vae.bn.running_mean.float().view(1, -1, 1, 1)
    variance = vae.bn.running_var.float().view(1, -1, 1, 1)
    return mean, torch.sqrt(variance + vae.config.batch_norm_eps)
