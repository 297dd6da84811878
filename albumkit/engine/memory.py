"""What a training will take, told before it starts: memory, time and disk, from the headers of the base's
files.

The forecast counts what is kept for the way back (inputs of the Linears, attention's q, k, v and output, both
halves of the gated step), in the blocks of FLUX.2 as diffusers runs them with a LoRA on every Linear. The
constants were fitted to klein 4B and 9B on an H100: ``benchmarks/klein.md``. What the first try really takes
is measured and printed beside it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from albumkit.engine.lora import find_modules, parameter_count
from albumkit.errors import AlbumkitError

if TYPE_CHECKING:
    from albumkit.engine.base import Base
    from albumkit.engine.data import Placed
    from albumkit.engine.knobs import Knobs
    from albumkit.engine.machine import Machine

#: Numbers kept for each token in each block, in widths of the model; and in the one block at work when
#: everything else is computed again on the way back (gradient checkpointing).
_KEPT = 22.5
_AT_WORK = 40
#: fp32: the adapter, its gradient and AdamW's two moments.
_ADAPTER_BYTES = 16
#: What libraries and fragments take of a card on top, in bytes.
_OVERHEAD = 1 << 30
#: How much of a plain matrix product's speed a whole training step reaches.
_EFFICIENCY = 0.53
#: On a card: how much longer attention takes with sums in a fixed order; seconds to start a block's work.
_ORDERED, _LAUNCH = 2.4, 0.0062
#: Pictures as wide as the second level of the autoencoder that are alive at once when it decodes, in fp32.
_DECODING = 6.5


@dataclass(frozen=True)
class Forecast:
    """Bytes on the device, seconds and bytes on disk. ``room`` is what the card has free, None without one.

    ``modules`` counts the Linears that get an adapter by kind of block; ``checkpointing``: everything is
    computed again on the way back, a third more time for much less memory; ``speed`` is that of a plain
    product in operations a second.
    """

    modules: dict[str, int]
    trainable: int
    weights: int
    adapter: int
    activations: int
    checkpointing: bool
    room: int | None
    tokens: int
    speed: float
    step_seconds: float
    disk: int

    @property
    def memory(self) -> int:
        """The most that is needed at once."""
        return self.weights + self.adapter + self.activations + (_OVERHEAD if self.room is not None else 0)

    @property
    def fits(self) -> bool:
        return self.room is None or self.memory <= self.room

    @property
    def possible(self) -> bool:
        """Whether at least what does not depend on the pictures' size fits: the base and the adapter."""
        return self.room is None or self.weights + self.adapter <= self.room


def forecast(base: Base, knobs: Knobs, placed: Sequence[Placed], machine: Machine) -> Forecast:
    """What this training will take; gradient checkpointing only where it does not fit without."""
    shapes = base.linears("transformer")
    modules = find_modules(list(shapes), base.family, knobs.target)
    chosen = {name: shapes[name] for some in modules.values() for name in some}
    trainable = parameter_count(chosen, knobs.rank)
    tokens = _tokens(base, knobs, placed)
    speed = _speed(machine)
    found = Forecast(
        modules={kind: len(some) for kind, some in modules.items()},
        trainable=trainable,
        weights=base.parameters("transformer") * machine.dtype.itemsize,
        adapter=trainable * _ADAPTER_BYTES,
        activations=_activations(base, tokens, machine, checkpointing=False),
        checkpointing=False,
        room=machine.room(),
        tokens=tokens,
        speed=speed,
        step_seconds=_seconds(base, knobs, tokens, machine, speed, checkpointing=False),
        disk=_disk(base, knobs, placed, machine, trainable),
    )
    return found if found.fits else computed_twice(base, knobs, found, machine)


def computed_twice(base: Base, knobs: Knobs, found: Forecast, machine: Machine) -> Forecast:
    """The same training with gradient checkpointing."""
    return replace(
        found,
        checkpointing=True,
        activations=_activations(base, found.tokens, machine, checkpointing=True),
        step_seconds=_seconds(base, knobs, found.tokens, machine, found.speed, checkpointing=True),
    )


def explain_shortage(base: Base, knobs: Knobs, now: Forecast, machine: Machine) -> AlbumkitError:
    """Out of memory, with the knobs that help and how much each would save, by the forecast ``now``."""
    free = "" if now.room is None else f"; the card had {now.room / 1e9:.1f} GB free"
    if not now.possible:
        return AlbumkitError(
            f"Out of memory: {base.asked} and the adapter alone take {(now.weights + now.adapter) / 1e9:.1f} "
            f"GB{free}.",
            "close other programs that use the card, or train a smaller base",
        )
    options = []
    if knobs.batch_size > 1:
        options.append(
            (f"batch_size={knobs.batch_size // 2}", replace(knobs, batch_size=knobs.batch_size // 2))
        )
    if knobs.resolution >= 2 * base.pixels_per_token:
        side = knobs.resolution * 3 // 4 // base.pixels_per_token * base.pixels_per_token
        options.append((f"resolution={side}", replace(knobs, resolution=side)))
    if knobs.rank > 1:
        options.append((f"rank={knobs.rank // 2}", replace(knobs, rank=knobs.rank // 2)))
    words = []
    for name, other in options:
        saved = now.memory - _memory(base, other, knobs, now, machine)
        words.append(f"--set {name} (saves about {saved / 1e9:.1f} GB)")
    return AlbumkitError(
        f"Out of memory: this training needs about {now.memory / 1e9:.1f} GB{free}.",
        "\n".join([*words, "close other programs that use the card"]),
    )


def _memory(base: Base, other: Knobs, knobs: Knobs, now: Forecast, machine: Machine) -> int:
    text = base.text_length * knobs.batch_size
    picture = (now.tokens - text) * (other.resolution / knobs.resolution) ** 2
    tokens = int((picture + text) * other.batch_size / knobs.batch_size)
    adapter = now.adapter * other.rank // knobs.rank
    return (
        now.memory
        - now.adapter
        - now.activations
        + adapter
        + _activations(base, tokens, machine, now.checkpointing)
    )


def _tokens(base: Base, knobs: Knobs, placed: Sequence[Placed]) -> int:
    """Of the largest batch: picture, input pictures and text."""
    token = base.pixels_per_token
    pictures = [
        (one.bucket.width // token) * (one.bucket.height // token) * (1 + len(one.item.inputs))
        for one in placed
    ]
    return (max(pictures) + base.text_length) * knobs.batch_size


def _activations(base: Base, tokens: int, machine: Machine, checkpointing: bool) -> int:
    width, blocks = _width_and_blocks(base)
    kept = (blocks + _AT_WORK) if checkpointing else blocks * _KEPT
    return int(tokens * width * kept * machine.dtype.itemsize)


def _width_and_blocks(base: Base) -> tuple[int, int]:
    config: dict[str, int] = base.config("transformer")
    width = config["num_attention_heads"] * config["attention_head_dim"]
    return width, config["num_layers"] + config["num_single_layers"]


def decoding_bytes(base: Base, pixels: int) -> int:
    """What the autoencoder takes, in fp32, to decode so many pixels at once."""
    width: int = base.config("vae")["block_out_channels"][1]
    return int(4 * (base.parameters("vae") + _DECODING * width * pixels))


def _seconds(
    base: Base, knobs: Knobs, tokens: int, machine: Machine, speed: float, checkpointing: bool
) -> float:
    """Of a step: products with the weights (forth, and back to the inputs), and attention."""
    width, blocks = _width_and_blocks(base)
    card = machine.device.type == "cuda"
    products = (6 if checkpointing else 4) * base.parameters("transformer")
    ordered = _ORDERED if card and knobs.deterministic else 1
    each = (14 * ordered + 4 * checkpointing) * width * blocks * (tokens // knobs.batch_size)
    seconds = (products + each) * tokens / (speed * _EFFICIENCY)
    return float(knobs.accumulation * max(seconds, blocks * _LAUNCH * card))


def _speed(machine: Machine) -> float:
    """Operations a second of a plain matrix product, measured in a moment."""
    import torch

    side = 8192 if machine.device.type == "cuda" else 768
    one = torch.randn(side, side, device=machine.device, dtype=machine.dtype)  # cards are quicker with zeros
    best = float("inf")
    for _ in range(4):
        machine.wait()
        start = time.perf_counter()
        _ = one @ one
        machine.wait()
        best = min(best, time.perf_counter() - start)
    del one, _
    machine.free()
    return float(2 * side**3 / best)


def _disk(base: Base, knobs: Knobs, placed: Sequence[Placed], machine: Machine, trainable: int) -> int:
    """Checkpoints (adapter, and its state in fp32 three times) and what was encoded."""
    kept = -(-knobs.steps // knobs.save_every)
    kept = min(kept, knobs.keep) if knobs.keep else kept
    config = base.config("transformer")
    text = base.text_length * config["joint_attention_dim"] * machine.dtype.itemsize
    token = base.pixels_per_token
    pictures = sum(one.bucket.width * one.bucket.height // token**2 for one in placed)
    return int(
        kept * trainable * (machine.dtype.itemsize + 12)
        + text * len(placed)
        + pictures * config["in_channels"] * 4
    )
