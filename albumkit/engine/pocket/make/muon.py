"""Muon (Jordan 2024): every matrix moves by its momentum made orthogonal, so that all directions learn alike.

Scaled as in "Muon is Scalable for LLM Training" (Liu and others 2025), so that rates are of AdamW's size.
Matrices of one shape are handled together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_SERIES = (3.4445, -4.7750, 2.0315)  # Newton-Schulz, steep at zero


def orthogonal(matrices: Tensor) -> Tensor:
    """Each of (k, rows, columns) with its singular values brought near 1."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x.bfloat16() if x.is_cuda else x  # most CPUs are slow at it
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = _SERIES
    for _ in range(5):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """One group for each shape of matrix."""

    def __init__(self, matrices: list[nn.Parameter], lr: float, weight_decay: float) -> None:
        shapes: dict[tuple[int, ...], list[nn.Parameter]] = {}
        for matrix in matrices:
            shapes.setdefault(tuple(matrix.shape), []).append(matrix)
        super().__init__(
            [{"params": alike} for alike in shapes.values()], {"lr": lr, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            matrices = group["params"]
            gradients = torch.stack([matrix.grad for matrix in matrices])
            momentum = self.state[matrices[0]].setdefault("momentum", torch.zeros_like(gradients))
            momentum.lerp_(gradients, 1 - _MOMENTUM)
            update = orthogonal(gradients.lerp(momentum, _MOMENTUM))
            size = 0.2 * max(update.shape[-2:]) ** 0.5
            torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(matrices, list(update.unbind()), alpha=-group["lr"] * size)


class Together:
    """Several optimizers as one."""

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers
        self.param_groups = [group for one in optimizers for group in one.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for one in self.optimizers:
            one.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        for one in self.optimizers:
            one.step()
