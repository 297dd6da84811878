"""The sizes of pocket's models, and how much each part of the making does."""

from __future__ import annotations

from dataclasses import dataclass

from albumkit.engine.pocket.world import names

TEXT_LENGTH = 128
TEXT_ENOUGH = 48  # what the world's captions fill, the chat frame included
VOCABULARY = 2048
LATENT_CHANNELS = 32

# 8 pixels per latent, 16 per token; the square first, as it is drawn most.
BUCKETS = ((128, 128), (112, 144), (144, 112), (96, 160), (160, 96))
SHARES = (0.6, 0.1, 0.1, 0.1, 0.1)

AUTOENCODER = {
    "block_out_channels": (48, 64, 96, 96),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    "latent_channels": LATENT_CHANNELS,
    "norm_num_groups": 16,
    "mid_block_add_attention": False,
    "sample_size": 128,
}
TEXT_ENCODER = {
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_hidden_layers": 28,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}
TEXT_LAYERS = (9, 18, 27)  # what the pipeline stacks
TRANSFORMER = {
    "in_channels": 4 * LATENT_CHANNELS,
    "num_layers": 2,
    "num_single_layers": 6,
    "attention_head_dim": 64,
    "num_attention_heads": 4,
    "joint_attention_dim": 3 * 64,
    "axes_dims_rope": (16, 16, 16, 16),
    "guidance_embeds": False,
}
# Few tokens need no shift towards noise; the pipeline's own shift is made for thousands.
SCHEDULER = {"num_train_timesteps": 1000, "shift": 1.0, "use_dynamic_shifting": False}

JUDGE_WIDTHS = (32, 64, 128, 192)
JUDGE_TEXT = 96
CAPTIONER_WIDTH, CAPTIONER_LAYERS = 128, 3
# What the judge reads in a picture and in a prompt.
ASPECTS = {
    "object": names.KINDS,
    "colour": names.COLOUR_NAMES,
    "place": names.PLACES,
    "light": names.LIGHTS,
}


@dataclass(frozen=True)
class Plan:
    """How much each part does. A part ends its training a stated time after it began; the learning rate
    follows.
    """

    autoencoder_pictures: int
    pictures: int  # for the transformer
    judge_pictures: int
    phrasings: int
    autoencoder_seconds: float
    autoencoder_batch: int
    transformer_seconds: float
    transformer_batch: int
    judge_seconds: float
    judge_batch: int
    captioner_pictures: int
    captioner_seconds: float
    captioner_batch: int
    checked: int  # held-out pictures or prompts behind a figure
    steps: int  # of sampling
    compiled: bool
    hold: bool = False  # the learning rate, to the end of the transformer's round


FULL = Plan(
    autoencoder_pictures=24_000,
    pictures=80_000,
    judge_pictures=36_000,
    phrasings=3,
    autoencoder_seconds=290,
    autoencoder_batch=96,
    transformer_seconds=460,
    transformer_batch=512,
    judge_seconds=195,
    judge_batch=512,
    captioner_pictures=48_000,
    captioner_seconds=200,
    captioner_batch=768,
    checked=1000,
    steps=28,
    compiled=True,
)
SMOKE = Plan(
    autoencoder_pictures=4,
    pictures=4,
    judge_pictures=8,
    phrasings=2,
    autoencoder_seconds=1,
    autoencoder_batch=2,
    transformer_seconds=1,
    transformer_batch=2,
    judge_seconds=1,
    judge_batch=8,
    captioner_pictures=12,
    captioner_seconds=1,
    captioner_batch=4,
    checked=8,
    steps=2,
    compiled=False,
)
