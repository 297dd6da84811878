"""A FLUX.2 klein of the real classes with random weights, small enough to run in a second.

Hidden size 256, two double and three single blocks: what :data:`adapters.TINY` says.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from adapters import TINY

#: Layers of the text encoder whose states are stacked: 9, 18 and 27 of klein.
_TEXT_LAYERS = 28
_CHAT = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}assistant"
_WORDS = ("<unk>", "<pad>", "user", "assistant", "a", "photo", "of", "TOK", "cat")


def make_klein(folder: Path) -> Path:
    """Write it in diffusers' form."""
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

        torch.manual_seed(0)
        text = Qwen3Config(
            vocab_size=len(_WORDS),
            hidden_size=TINY.dimensions["context"] // 3,
            intermediate_size=32,
            num_hidden_layers=_TEXT_LAYERS,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=16,
        )
        pipe = Flux2KleinPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(),
            vae=AutoencoderKLFlux2(
                latent_channels=TINY.dimensions["channels"] // 4,
                block_out_channels=(16, 16, 16, 16),
                norm_num_groups=8,
            ),
            text_encoder=Qwen3ForCausalLM(text),
            tokenizer=_tokenizer(),
            transformer=Flux2Transformer2DModel(
                in_channels=TINY.dimensions["channels"],
                num_layers=TINY.blocks["double"],
                num_single_layers=TINY.blocks["single"],
                attention_head_dim=64,
                num_attention_heads=TINY.dimensions["hidden"] // 64,
                joint_attention_dim=TINY.dimensions["context"],
                axes_dims_rope=(16, 16, 16, 16),
                guidance_embeds=False,
            ),
        )
        pipe.save_pretrained(folder)
    return folder


def _tokenizer() -> object:
    """One token a word."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import Qwen2TokenizerFast

    words = Tokenizer(WordLevel({word: number for number, word in enumerate(_WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    return Qwen2TokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        pad_token="<pad>",
        chat_template=_CHAT,
        model_max_length=32,
    )
