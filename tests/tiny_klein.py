"""A base of the real FLUX.2 klein classes with random weights: small enough that a test trains it in seconds.

Its transformer is of :data:`SIZE`; a Qwen3 of 28 layers of width 16 (the pipeline stacks layers 9, 18 and
27), an autoencoder with 8 pixels a latent, and a tokenizer that spells every byte.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from albumkit.adapter import Size
from albumkit.engine.families.flux2 import CHAT_TEMPLATE

SIZE = Size(
    "tiny-klein",
    "a tiny FLUX.2 klein",
    "flux2",
    {"double": 1, "single": 2},
    {"hidden": 64, "context": 48, "channels": 16},
)
TEXT_LENGTH = 64
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")


def make_klein(folder: Path, seed: int = 0, *, real: bool = False) -> Path:
    """Write it in diffusers' form.

    Args:
        real: With everything about it as in the real klein but its sizes, bf16 included, which takes a little
            longer.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from diffusers import (
            AutoencoderKLFlux2,
            FlowMatchEulerDiscreteScheduler,
            Flux2KleinPipeline,
            Flux2Transformer2DModel,
        )
        from transformers import Qwen3Config, Qwen3ForCausalLM

        torch.manual_seed(seed)
        tokenizer = _tokenizer()
        text = Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=SIZE.dimensions["context"] // 3,
            intermediate_size=32,
            num_hidden_layers=28,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            tie_word_embeddings=True,
            **({"rope_theta": 1_000_000, "max_position_embeddings": 40960} if real else {}),
        )
        vae = AutoencoderKLFlux2(
            latent_channels=SIZE.dimensions["channels"] // 4,
            block_out_channels=(32, 32, 64, 64) if real else (8, 8, 8, 8),
            layers_per_block=2 if real else 1,
            norm_num_groups=32 if real else 4,
            mid_block_add_attention=real,
        )
        with torch.no_grad():  # figures of a batch norm that was trained, so that leaving it out is noticed
            vae.bn.running_mean.uniform_(-0.5, 0.5)
            vae.bn.running_var.uniform_(0.2, 2.0)
        pipe = Flux2KleinPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0 if real else 1.0),
            vae=vae,
            text_encoder=Qwen3ForCausalLM(text),
            tokenizer=tokenizer,
            transformer=Flux2Transformer2DModel(
                in_channels=SIZE.dimensions["channels"],
                num_layers=SIZE.blocks["double"],
                num_single_layers=SIZE.blocks["single"],
                attention_head_dim=32,
                num_attention_heads=SIZE.dimensions["hidden"] // 32,
                joint_attention_dim=SIZE.dimensions["context"],
                axes_dims_rope=(8, 8, 8, 8),
                guidance_embeds=False,
            ),
        )
        if real:
            for part in (pipe.vae, pipe.text_encoder, pipe.transformer):
                part.to(torch.bfloat16)
        pipe.save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2TokenizerFast

    letters = sorted(ByteLevel.alphabet())
    return Qwen2TokenizerFast(
        vocab={word: number for number, word in enumerate((*_SPECIAL, *letters))},
        merges=[],
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        unk_token=None,
        bos_token=None,
        additional_special_tokens=list(_SPECIAL[1:]),
        model_max_length=TEXT_LENGTH,
        chat_template=CHAT_TEMPLATE,
        padding_side="right",
    )
