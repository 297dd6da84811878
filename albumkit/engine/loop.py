"""The training loop. One step is five moves: draw, noise, predict, score, update.

The base is frozen, the adapter on. Whatever happens by chance follows from the seed, the turn and the content
of an example (:class:`albumkit.engine.data.Look`), so a run that goes on from a checkpoint draws what it
would have.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albumkit.engine.data import Deck, Look, Material
from albumkit.engine.objective import draw_sigma, masked_loss, noised, velocity
from albumkit.errors import AlbumkitError

if TYPE_CHECKING:
    from torch import Tensor

    from albumkit.engine.data import Placed
    from albumkit.engine.families import Family
    from albumkit.engine.knobs import Knobs
    from albumkit.engine.machine import Machine


class NotFinite(AlbumkitError):
    """A loss or gradient is no number; nothing was updated with it."""


@dataclass
class Batch:
    """Examples of one size. ``text`` is already the empty prompt where the caption was dropped."""

    looks: tuple[Look, ...]
    image: Tensor
    noise: Tensor
    sigma: Tensor
    text: Tensor
    weight: Tensor | None
    references: tuple[Tensor, ...]


@dataclass(frozen=True)
class StepReport:
    """What one step did. ``sigmas`` and ``losses`` are of its examples, in the order of ``roots``."""

    step: int
    loss: float
    gradient: float
    rate: float
    seconds: float
    roots: tuple[str, ...]
    sigmas: tuple[float, ...]
    losses: tuple[float, ...]


class Loop:
    """A training that stands after ``step`` steps."""

    def __init__(
        self,
        transformer: Any,
        parameters: dict[str, Tensor],
        family: Family,
        placed: Sequence[Placed],
        material: Material,
        knobs: Knobs,
        machine: Machine,
        step: int = 0,
    ) -> None:
        import torch

        self.transformer, self.parameters, self.family = transformer, parameters, family
        self.material, self.knobs, self.machine, self.step = material, knobs, machine, step
        self._largest = max(placed, key=lambda one: one.bucket.width * one.bucket.height)
        deck = Deck(placed, knobs.batch_size, knobs.seed)
        self._batches = itertools.islice(deck.batches(), step * knobs.accumulation, None)
        self.optimizer = torch.optim.AdamW(
            list(parameters.values()), lr=knobs.learning_rate, weight_decay=knobs.weight_decay
        )

    def run_step(self) -> StepReport:
        """One update from ``accumulation`` batches.

        Raises:
            NotFinite: before the optimizer moves.
        """
        start = time.perf_counter()
        self.transformer.train()
        seen: list[tuple[Batch, Tensor]] = []
        for _ in range(self.knobs.accumulation):
            batch = self.noise(self.draw())
            losses = self.score(batch, self.predict(batch))
            (losses.sum() / self.knobs.examples_per_step).backward()
            seen.append((batch, losses.detach()))
        gradient = self.update([batch for batch, _ in seen])
        self.step += 1
        each = [float(loss) for _, losses in seen for loss in losses]
        return StepReport(
            step=self.step,
            loss=sum(each) / len(each),
            gradient=gradient,
            rate=self.optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - start,
            roots=tuple(look.placed.item.root for batch, _ in seen for look in batch.looks),
            sigmas=tuple(float(sigma) for batch, _ in seen for sigma in batch.sigma),
            losses=tuple(each),
        )

    def draw(self) -> tuple[Look, ...]:
        """The examples of the next batch."""
        return next(self._batches)

    def noise(self, looks: tuple[Look, ...]) -> Batch:
        """Give each example its noise level, its noise, and its caption or, by chance, none."""
        import torch

        images, noises, sigmas, texts, weights = [], [], [], [], []
        for look in looks:
            item, chance = look.placed.item, look.chance(self.knobs.seed)
            image = self.material.latents[item.root]
            tokens = image.shape[-2] * image.shape[-1]
            sigmas.append(draw_sigma(self.knobs.timestep_sampling, tokens, chance))
            dropped = float(torch.rand((), generator=chance)) < self.knobs.caption_dropout
            noises.append(torch.randn(image.shape, generator=chance))
            texts.append(self.material.texts["" if dropped else item.caption])
            images.append(image)
            weights.append(self.material.weights[item.root])
        sides = zip(*(self.material.references[look.placed.item.root] for look in looks), strict=True)
        return Batch(
            looks=looks,
            image=self._stack(images),
            noise=self._stack(noises),
            sigma=torch.tensor(sigmas, device=self.machine.device),
            text=self._stack(texts),
            weight=self._weights(weights, images),
            references=tuple(self._stack(side) for side in sides),
        )

    def predict(self, batch: Batch) -> Tensor:
        """What the model with its adapter takes for the way from picture to noise."""
        noisy = noised(batch.image, batch.noise, batch.sigma)
        return self.family.predict(self.transformer, noisy, batch.sigma, batch.text, batch.references)

    def score(self, batch: Batch, prediction: Tensor) -> Tensor:
        """The loss of each example."""
        losses = masked_loss(prediction, velocity(batch.image, batch.noise), batch.weight)
        if not bool(losses.isfinite().all()):
            worst = int((~losses.isfinite()).nonzero()[0])
            raise NotFinite(
                f"Step {self.step + 1}: the loss of {batch.looks[worst].placed.item.root} is "
                f"{float(losses.detach()[worst])} at sigma {float(batch.sigma[worst]):.4f} in "
                f"{self.machine.dtype_name}. Nothing was updated with it.",
                f"{self._slower}\nlook at {batch.looks[worst].placed.item.root}, if it is always that one",
            )
        return losses

    def update(self, batches: Sequence[Batch]) -> float:
        """Clip the gradient, set the rate, move; returns the norm before clipping."""
        import torch

        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.knobs.max_grad_norm)
        if not bool(norm.isfinite()):
            looked = ", ".join(
                f"{look.placed.item.root} at sigma {float(sigma):.4f}"
                for batch in batches
                for look, sigma in zip(batch.looks, batch.sigma, strict=True)
            )
            self.optimizer.zero_grad(set_to_none=True)
            raise NotFinite(
                f"Step {self.step + 1}: the gradient is {float(norm)} after {looked} in "
                f"{self.machine.dtype_name}. Nothing was updated with it.",
                self._slower,
            )
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.knobs, self.step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(norm)

    @property
    def _slower(self) -> str:
        return f"train again with --set learning_rate={self.knobs.learning_rate / 2:g}"

    def try_largest(self) -> float:
        """Everything but the update on the largest size, for what it takes; returns seconds."""
        start = time.perf_counter()
        self.transformer.train()
        batch = self.noise((Look(self._largest, 0),) * self.knobs.batch_size)
        try:
            self.score(batch, self.predict(batch)).sum().backward()
        finally:
            self.optimizer.zero_grad(set_to_none=True)
        self.machine.wait()
        return time.perf_counter() - start

    def _stack(self, tensors: Sequence[Tensor]) -> Tensor:
        import torch

        return torch.stack(list(tensors)).to(self.machine.device)

    def _weights(self, weights: Sequence[Tensor | None], images: Sequence[Tensor]) -> Tensor | None:
        """One for every token of an example without a mask, where another one has a mask."""
        import torch

        if all(weight is None for weight in weights):
            return None
        filled = [
            torch.ones(1, *image.shape[-2:]) if weight is None else weight
            for weight, image in zip(weights, images, strict=True)
        ]
        return self._stack(filled)


def rate_at(knobs: Knobs, step: int) -> float:
    """The learning rate of the step after ``step`` steps: a linear warm-up, then constant or half a
    cosine.
    """
    if step < knobs.warmup_steps:
        return knobs.learning_rate * (step + 1) / knobs.warmup_steps
    if knobs.lr_schedule == "constant":
        return knobs.learning_rate
    done = (step - knobs.warmup_steps) / max(1, knobs.steps - knobs.warmup_steps)
    return knobs.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
