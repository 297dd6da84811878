"""The text encoder's arithmetic without its wrappers: what transformers' Qwen3 computes, in the shape that
trains fast.

The modules and weights are transformers' own. Only the way through them is written out here, one compiled
function for all layers; a test holds it to the outputs of the real forward.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from albumkit.engine.pocket.make.plan import TEXT_LAYERS


def _norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype) * weight.to(x.dtype)


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def layer(block: Any, x: Tensor, mask: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    attention, mlp = block.self_attn, block.mlp
    eps, width = block.input_layernorm.variance_epsilon, attention.head_dim
    n, length, _ = x.shape
    inner = _norm(x, block.input_layernorm.weight, eps)
    q = _norm(attention.q_proj(inner).view(n, length, -1, width), attention.q_norm.weight, eps).transpose(
        1, 2
    )
    k = _norm(attention.k_proj(inner).view(n, length, -1, width), attention.k_norm.weight, eps).transpose(
        1, 2
    )
    v = attention.v_proj(inner).view(n, length, -1, width).transpose(1, 2)
    q, k = _turn(q, cos, sin), _turn(k, cos, sin)
    groups = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    mixed = functional.scaled_dot_product_attention(q, k, v.to(q.dtype), attn_mask=mask)
    x = x + attention.o_proj(mixed.transpose(1, 2).reshape(n, length, -1))
    inner = _norm(x, block.post_attention_layernorm.weight, eps)
    return x + mlp.down_proj(functional.silu(mlp.gate_proj(inner)) * mlp.up_proj(inner))


class Tower:
    """`encode` gives what the pipeline stacks; `head` goes on to the next token's logits."""

    def __init__(self, model: Any, compiled: bool) -> None:
        self.model = model
        self.layer = torch.compile(layer, dynamic=True) if compiled else layer

    def encode(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(stacked layers (n, length, 3 * width), the last of them, the mask) for right-padded ids."""
        inner = self.model.model
        length = ids.shape[1]
        place = torch.arange(length, device=ids.device)
        mask = (place[None, :] <= place[:, None])[None] & (place[None, None, :] < lengths[:, None, None])
        mask = mask[:, None]
        x = inner.embed_tokens(ids)
        if torch.is_autocast_enabled(ids.device.type):
            x = x.to(torch.get_autocast_dtype(ids.device.type))
        cos, sin = inner.rotary_emb(x, place[None])
        self.cos, self.sin = cos[:, None], sin[:, None]
        taken = []
        for number, block in enumerate(inner.layers[: TEXT_LAYERS[-1]], 1):
            x = self.layer(block, x, mask, self.cos, self.sin)
            if number in TEXT_LAYERS:
                taken.append(x)
        return torch.cat(taken, dim=-1), x, mask

    def language_loss(self, x: Tensor, mask: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
        """Next-token loss of the same pass, through the layers after the last that is stacked."""
        inner = self.model.model
        for block in inner.layers[TEXT_LAYERS[-1] :]:
            x = layer(block, x, mask, self.cos, self.sin)
        logits = self.model.lm_head(_norm(x, inner.norm.weight, inner.norm.variance_epsilon))[:, :-1]
        real = torch.arange(1, ids.shape[1], device=ids.device)[None] < lengths[:, None]
        losses = functional.cross_entropy(logits.float().transpose(1, 2), ids[:, 1:], reduction="none")
        return (losses * real).sum() / real.sum()
