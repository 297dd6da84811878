"""What all parts share when they train: the clock's learning rate, the average of weights, a line of
progress.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from albumkit.engine.pocket.make.muon import Together

_STARTED = time.monotonic()


def autocast(device: torch.device) -> contextlib.AbstractContextManager[object]:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def set_up(device: torch.device, seed: int) -> None:
    torch.manual_seed(seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = device.type == "cuda"


class Average:
    """The running average of a model's weights, short at first and then over about a thousand steps."""

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.count = 0
        self.live = list(model.parameters())
        self.mean = [p.detach().clone() for p in self.live]

    @torch.no_grad()
    def update(self) -> None:
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        torch._foreach_lerp_(self.mean, self.live, 1 - decay)

    @torch.no_grad()
    def apply(self) -> None:
        """Put the average in the model's place, for good."""
        torch._foreach_copy_(self.live, self.mean)


class Clock:
    """Steps until the time is used up, moving the learning rate: a warm-up, a plateau, a fall to zero."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer | Together,
        seconds: float,
        warm_up: int,
        fall: float = 0.5,
    ) -> None:
        """`seconds` count from the start of the program: drawing and compiling use up their share of them."""
        self.optimizer, self.warm_up, self.fall = optimizer, warm_up, fall
        self.seconds = max(seconds - (time.monotonic() - _STARTED), 0.15 * seconds)
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.progress = 0.0
        self.step = 0
        self.rate = 0.0
        self.losses: list[Tensor] = []

    def _set_rate(self) -> None:
        left = min(1.0, (1 - self.progress) / self.fall)
        self.rate = min(1.0, (self.step + 1) / self.warm_up) * left
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.rate

    def run(self, report: int, batch: int) -> Iterator[int]:
        """Yield step numbers; the caller appends each loss to `losses`."""
        start = last = time.monotonic()
        while self.progress < 1:
            self._set_rate()
            yield self.step
            self.step += 1
            if self.step % 10 == 0 and torch.cuda.is_available():
                torch.cuda.synchronize()  # or the host runs ahead of the clock
            now = time.monotonic()
            self.progress = min(1.0, (now - start) / self.seconds)
            if self.step % report == 0 or self.progress >= 1:
                loss = torch.stack(self.losses).mean().item() if self.losses else math.nan
                speed = batch * len(self.losses) / max(now - last, 1e-6)
                print(
                    f"step {self.step} {now - start:.0f} s loss {loss:.4f}"
                    f" rate {self.rate:.2f} {speed:.0f}/s",
                    flush=True,
                )
                if not math.isfinite(loss):
                    raise SystemExit(f"The loss is {loss} at step {self.step}: nothing was saved.")
                self.losses, last = [], now


def adamw(groups: list[dict[str, object]], device: torch.device) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=device.type == "cuda")
