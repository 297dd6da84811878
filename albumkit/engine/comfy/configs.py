"""The configuration of each part, which ComfyUI does not keep: sizes by the shapes, the rest as klein has it.

Constants: diffusers' configurations of FLUX.2 klein, and Qwen's of Qwen3-4B and Qwen3-8B (rope_theta a
million, norms of 1e-6; https://huggingface.co/Qwen/Qwen3-4B/blob/main/config.json).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]

#: FLUX.2's sampler; the shift follows the number of tokens (``use_dynamic_shifting``), not ``shift``.
SCHEDULER: Mapping[str, Any] = {
    "num_train_timesteps": 1000,
    "shift": 3.0,
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 1.15,
    "base_image_seq_len": 256,
    "max_image_seq_len": 4096,
    "time_shift_type": "exponential",
}


def config_of(part: str, shapes: Shapes) -> dict[str, Any]:
    """What diffusers or transformers builds a part from.

    Args:
        part: ``transformer``, ``text_encoder`` or ``vae``.
        shapes: By the names of the library.

    Raises:
        KeyError: a weight that tells a size is not there.
    """
    return {"transformer": _transformer, "text_encoder": _text_encoder, "vae": _autoencoder}[part](shapes)


def _count(shapes: Shapes, pattern: str) -> int:
    """How many blocks have a number in this place of their names."""
    return len({match[1] for name in shapes if (match := re.match(pattern, name))})


def _transformer(shapes: Shapes) -> dict[str, Any]:
    hidden, channels = shapes["x_embedder.weight"]
    head = shapes["single_transformer_blocks.0.attn.norm_q.weight"][0]
    return {
        "patch_size": 1,
        "in_channels": channels,
        "num_layers": _count(shapes, r"transformer_blocks\.(\d+)\."),
        "num_single_layers": _count(shapes, r"single_transformer_blocks\.(\d+)\."),
        "attention_head_dim": head,
        "num_attention_heads": hidden // head,
        "joint_attention_dim": shapes["context_embedder.weight"][1],
        "timestep_guidance_channels": shapes["time_guidance_embed.timestep_embedder.linear_1.weight"][1],
        "mlp_ratio": shapes["transformer_blocks.0.ff.linear_out.weight"][1] / hidden,
        "axes_dims_rope": [head // 4] * 4,
        "rope_theta": 2000,
        "eps": 1e-6,
        "guidance_embeds": "time_guidance_embed.guidance_embedder.linear_1.weight" in shapes,
    }


def _text_encoder(shapes: Shapes) -> dict[str, Any]:
    words, hidden = shapes["embed_tokens.weight"]
    head = shapes["layers.0.self_attn.q_norm.weight"][0]
    return {
        "vocab_size": words,
        "hidden_size": hidden,
        "intermediate_size": shapes["layers.0.mlp.gate_proj.weight"][0],
        "num_hidden_layers": _count(shapes, r"layers\.(\d+)\."),
        "num_attention_heads": shapes["layers.0.self_attn.q_proj.weight"][0] // head,
        "num_key_value_heads": shapes["layers.0.self_attn.k_proj.weight"][0] // head,
        "head_dim": head,
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000,
    }


def _autoencoder(shapes: Shapes) -> dict[str, Any]:
    levels = _count(shapes, r"encoder\.down_blocks\.(\d+)\.")
    widths = {
        side: [shapes[f"{side}_blocks.{level}.resnets.0.conv1.weight"][0] for level in range(levels)]
        for side in ("encoder.down", "decoder.up")
    }
    encoder, decoder = widths["encoder.down"], widths["decoder.up"][::-1]
    return {
        "in_channels": 3,
        "out_channels": 3,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "block_out_channels": encoder,
        **({"decoder_block_out_channels": decoder} if decoder != encoder else {}),
        "layers_per_block": _count(shapes, r"encoder\.down_blocks\.0\.resnets\.(\d+)\."),
        "latent_channels": shapes["decoder.conv_in.weight"][1],
        "norm_num_groups": 32,
        "use_quant_conv": "quant_conv.weight" in shapes,
        "use_post_quant_conv": "post_quant_conv.weight" in shapes,
        "mid_block_add_attention": "encoder.mid_block.attentions.0.to_q.weight" in shapes,
        "batch_norm_eps": 1e-4,
        "batch_norm_momentum": 0.1,
        "patch_size": [2, 2],
    }
