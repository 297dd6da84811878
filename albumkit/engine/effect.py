"""Whether an adapter changes what its base makes: loaded into diffusers' own pipeline, with it and without.

Two runs from one seed see the same noise on their first step, so the difference of the two predictions there
is the adapter's alone. The text encoder is loaded first and let go, then the transformer: together they would
need twice the memory.
"""

from __future__ import annotations

import gc
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albumkit.adapter import Adapter, read_header
from albumkit.engine.machine import beginning, card_room, enough_memory, quiet
from albumkit.errors import AlbumkitError

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from albumkit.engine.base import Base

#: What the adapter is called inside of the pipeline.
_SLOT = "albumkit"
#: Pictures that are smaller than this are shown some times as large.
_SHEET = 256
#: A card must have room for the weights and this share of them again.
_ROOM = 1.15


@dataclass(frozen=True)
class Look:
    """How the base is asked. ``steps``: None for as many as the base needs. ``picture``: with pictures."""

    seed: int = 0
    side: int = 512
    steps: int | None = None
    picture: bool = False


@dataclass(frozen=True)
class Effect:
    """What an adapter did to its base.

    Attributes:
        base: As it was named.
        pipeline: Class of the pipeline.
        device, dtype: Where and how it ran.
        prompt, look: What it was asked.
        received: Layers of the pipeline's transformer that hold the adapter's numbers.
        expected: Layers that the file has numbers for.
        change: Root mean square of the difference of the two predictions, as a share of the one without.
        levels: Mean absolute difference of the two pictures, of 255; None without pictures.
        pictures: Without and with it; none unless asked for.
        error: What the pipeline raised when it should load the file; "".
    """

    base: str
    pipeline: str
    device: str
    dtype: str
    prompt: str
    look: Look
    received: int = 0
    expected: int = 0
    change: float = 0.0
    levels: float | None = None
    pictures: tuple[Image, ...] = ()
    error: str = ""

    @property
    def ok(self) -> bool:
        """Everything arrived, and it does something."""
        return not self.error and 0 < self.received >= self.expected and self.change > 0


def measure_effects(
    base: Base,
    wanted: Sequence[tuple[Adapter, str]],
    look: Look,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Effect]:
    """Load each adapter into the pipeline in turn, and compare.

    Args:
        base: Of any pipeline of diffusers that takes LoRAs.
        wanted: Adapters, each with its prompt.
        look: How the base is asked.
        progress: Called with the steps that are done, and of how many: the text encoder, the transformer, and
            each adapter are one.

    Raises:
        AlbumkitError: diffusers cannot load or run the base.
    """
    total = 2 + len(wanted)
    step = progress or (lambda _done, _total: None)
    step(0, total)
    with quiet(), _explained(base.asked):
        bench = _Bench(base, look)
        bench.encode([prompt for _, prompt in wanted])
        step(1, total)
        bench.open()
        step(2, total)
        for done, (adapter, prompt) in enumerate(wanted, 3):
            effect = bench.measure(adapter, prompt)
            step(done, total)
            yield effect


class _Bench:
    """A base, first its text encoder, then its transformer, and what it makes without an adapter."""

    def __init__(self, base: Base, look: Look) -> None:
        import torch

        self.base, self.look, self.kind = base, look, _pipeline_of(base)
        self.dtype = _dtype_of(base)
        mps = torch.backends.mps.is_available()
        self.device = "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
        self.texts: dict[str, dict[str, torch.Tensor]] = {}
        self.without: dict[str, tuple[torch.Tensor, Image | None]] = {}
        self.pipe: Any = None

    def encode(self, prompts: Sequence[str]) -> None:
        """Turn the prompts into what the transformer reads, then let the text encoder go."""
        import torch

        pipe = self._load("text_encoder", ("transformer", "vae"))
        length = self.base.text_length
        takes = inspect.signature(type(pipe).__call__).parameters
        with torch.no_grad():
            for prompt in dict.fromkeys(prompts):
                self.texts[prompt] = self._encoded(pipe, prompt, length, takes)
                if "negative_prompt_embeds" in takes and self.look.picture:
                    negative = self._encoded(pipe, "", length, {})["prompt_embeds"]
                    self.texts[prompt]["negative_prompt_embeds"] = negative
        del pipe
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _encoded(
        self, pipe: Any, prompt: str, length: int, takes: Mapping[str, Any]
    ) -> dict[str, torch.Tensor]:
        found = pipe.encode_prompt(prompt=prompt, max_sequence_length=length)
        texts = {"prompt_embeds": found[0]}
        if "pooled_prompt_embeds" in takes:  # FLUX.1: T5 and CLIP
            texts["pooled_prompt_embeds"] = found[1]
        return {name: tensor.cpu() for name, tensor in texts.items()}

    def open(self) -> None:
        """Load the transformer and the autoencoder."""
        texts = tuple(part for part in self.base.parts if part.startswith(("text_encoder", "tokenizer")))
        self.pipe = self._load("transformer", texts)

    def measure(self, adapter: Adapter, prompt: str) -> Effect:
        """With and without one adapter."""
        if prompt not in self.without:
            self.without[prompt] = self._run(prompt)
        expected = sum(len(m.place.diffusers_names) for m in adapter.modules if m.place is not None)
        received, error, change, levels = 0, "", 0.0, None
        pictures: tuple[Image, ...] = ()
        try:
            self.pipe.load_lora_weights(str(adapter.path), adapter_name=_SLOT)
        except Exception as raised:  # whatever a file makes diffusers or PEFT raise is the answer
            error = f"{type(raised).__name__}: {beginning(raised)}"
        try:
            received = count_received(self.pipe.transformer)
            if received:
                before, picture = self.without[prompt]
                after, changed = self._run(prompt)
                change = float((after - before).pow(2).mean().sqrt() / before.pow(2).mean().sqrt())
                if picture is not None and changed is not None:
                    pictures, levels = (picture, changed), mean_difference(picture, changed)
        finally:
            self.pipe.unload_lora_weights()
        return Effect(
            self.base.asked,
            type(self.pipe).__name__,
            self.device,
            str(self.dtype).removeprefix("torch."),
            prompt,
            self.look,
            received,
            expected,
            change,
            levels,
            pictures,
            error,
        )

    def _load(self, largest: str, without: tuple[str, ...]) -> Any:
        """The pipeline without some of its parts, where there is room for the largest one."""
        takes = inspect.signature(self.kind).parameters
        options = {name: value for name, value in self.base.index.items() if name in takes}
        for part, value in options.items():
            if isinstance(value, list):
                wanted = part in self.base.parts and part not in without
                dtype = self.dtype if self.base.has_weights(part) else None
                options[part] = self.base.load(part, dtype=dtype) if wanted else None
        pipe = self.kind(**options)
        pipe.set_progress_bar_config(disable=True)
        size = sum(file.stat().st_size for file in self.base.weights(largest))
        if self.device == "cuda" and size * _ROOM > card_room():
            pipe.enable_sequential_cpu_offload()
            return pipe
        return pipe.to(self.device)

    def _run(self, prompt: str) -> tuple[torch.Tensor, Image | None]:
        """The transformer's first prediction, and the picture if it is wanted."""
        import torch

        first: list[torch.Tensor] = []

        def keep(_module: Any, _inputs: Any, output: Any) -> None:
            if not first:
                first.append(output[0].detach().float().cpu())

        hook = self.pipe.transformer.register_forward_hook(keep)
        try:
            made = self.pipe(
                **{name: tensor.to(self.device) for name, tensor in self.texts[prompt].items()},
                **self._guidance(),
                height=self.look.side,
                width=self.look.side,
                num_inference_steps=self._steps() if self.look.picture else 1,
                generator=torch.Generator("cpu").manual_seed(self.look.seed),
                output_type="pil" if self.look.picture else "latent",
            )
        finally:
            hook.remove()
        return first[0], made.images[0] if self.look.picture else None

    def _guidance(self) -> dict[str, float]:
        """The base's own where that is known, else its pipeline's; no second run for guidance where only the
        first prediction counts.
        """
        if "negative_prompt_embeds" not in inspect.signature(type(self.pipe).__call__).parameters:
            return {}
        own = self.base.known.guidance if self.base.known else None
        scale = own if self.look.picture else 1.0
        return {"guidance_scale": scale} if scale else {}

    def _steps(self) -> int:
        return self.look.steps or self.base.picture_steps


def count_received(transformer: torch.nn.Module) -> int:
    """Layers that hold numbers of the adapter; one that was made for it and got none does not count."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    count = 0
    for layer in transformer.modules():
        if isinstance(layer, BaseTunerLayer):
            own = [p for name, p in layer.named_parameters() if _SLOT in name.split(".")]
            count += bool(own) and not any(parameter.is_meta for parameter in own)
    return count


def mean_difference(one: Image, other: Image) -> float:
    """Mean absolute difference of two pictures, of 255 levels."""
    from PIL import ImageChops, ImageStat

    means = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean
    return sum(means) / len(means)


def side_by_side(effect: Effect, name: str) -> Image:
    """Both pictures in one, each with a line above that says what it is; small ones are made larger."""
    from PIL import Image, ImageDraw

    strip, gap = 24, 8
    times = max(1, _SHEET // effect.pictures[0].width)
    one, other = (
        picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
        for picture in effect.pictures
    )
    sheet = Image.new("RGB", (one.width + gap + other.width, strip + one.height), "white")
    draw = ImageDraw.Draw(sheet)
    for left, picture, words in ((0, one, "without"), (one.width + gap, other, f"with {name}")):
        sheet.paste(picture, (left, strip))
        draw.text((left + 4, 6), words.encode("ascii", "replace").decode(), fill="black")
    return sheet


def _pipeline_of(base: Base) -> Any:
    """The class of diffusers that runs it."""
    name = str(base.index.get("_class_name"))
    kind = getattr(importlib.import_module("diffusers"), name, None)
    if not hasattr(kind, "load_lora_weights"):
        raise AlbumkitError(f"{base.asked}: a {name} takes no LoRA.")
    return kind


def _dtype_of(base: Base) -> torch.dtype:
    """What the weights are stored in."""
    import torch

    stored = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
    return stored.get(read_header(base.weights("transformer")[0]).tensors[0].dtype, torch.bfloat16)


@contextmanager
def _explained(base: str) -> Iterator[None]:
    """What the libraries raise about a base, as an error that names it."""
    try:
        with enough_memory(base):
            yield
    except (OSError, ValueError, RuntimeError) as error:
        words = f"{type(error).__name__}: {beginning(error)}"
        raise AlbumkitError(f"diffusers cannot run {base}: {words}") from error
