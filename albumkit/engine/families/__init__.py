"""What one architecture needs to be told apart from another: one leaf module each.

A family is constants plus ``encode_image``, ``encode_text``, ``predict`` and position ids. It never owns the
step, the cache, the sampler or the save.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from albumkit.engine.families import flux2
from albumkit.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Family(Protocol):
    """The names that a family's module must have; pictures and latents are (n, channels, height, width)."""

    ID: str
    #: Classes of diffusers' pipelines that it is the model of.
    PIPELINES: tuple[str, ...]
    #: Kind of block -> start of its modules' names, as a regular expression.
    BLOCKS: Mapping[str, str]
    #: Target -> kind of block -> the rest of their names, as a regular expression.
    TARGETS: Mapping[str, Mapping[str, str]]

    def pixels_per_token(self, vae_config: Mapping[str, Any]) -> int:
        """Pixels that one token covers along a side."""

    def encode_image(self, vae: Any, pixels: Tensor) -> Tensor:
        """Pixels in -1..1 -> the latents that the transformer learns, one number a channel and token."""

    def decode_image(self, vae: Any, latents: Tensor) -> Tensor:
        """The way back, to pixels in -1..1."""

    def encode_text(
        self, encoder: Any, tokenizer: Any, text: str, length: int, device: torch.device
    ) -> Tensor:
        """(1, ``length``, width). ``device`` is where the encoder computes; its weights may lie elsewhere."""

    def predict(
        self, transformer: Any, noisy: Tensor, sigma: Tensor, text: Tensor, references: Sequence[Tensor] = ()
    ) -> Tensor:
        """The velocity, shaped as ``noisy``; ``references`` are latents of further input pictures."""

    def sampling_shift(self, tokens: int, steps: int) -> float:
        """How far the sampler's steps lean towards noise, as its pipeline has it."""


_FAMILIES: tuple[Family, ...] = (flux2,)  # type: ignore[assignment]


def find(pipeline: str) -> Family:
    """The family of a pipeline class.

    Raises:
        UsageError: albumkit cannot train it.
    """
    for family in _FAMILIES:
        if pipeline in family.PIPELINES:
            return family
    known = ", ".join(name for family in _FAMILIES for name in family.PIPELINES)
    raise UsageError(f"A base of the pipeline {pipeline} cannot be trained yet.", f"Known are {known}.")
