"""One run from a pack to an adapter: encode, attach, try, then step after step with looks and checkpoints.

Everything that happens is told through one function as an :class:`Event`, and kept in the run folder:
``cache/``, ``metrics.jsonl`` (steps), ``log.jsonl`` (everything else), ``samples/``, ``sheet.png``,
``checkpoints/``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit.atomic import write_whole
from albumkit.engine import checkpoint, lora, validate
from albumkit.engine.data import Cache, Encoder, Material, Placed
from albumkit.engine.loop import Loop, NotFinite
from albumkit.engine.memory import Forecast, computed_twice, explain_shortage
from albumkit.engine.sample import Recipe
from albumkit.engine.stage import Stage
from albumkit.errors import AlbumkitError

if TYPE_CHECKING:
    from torch import Tensor

    from albumkit.engine.base import Base
    from albumkit.engine.checkpoint import Checkpoint, Label
    from albumkit.engine.knobs import Knobs
    from albumkit.engine.machine import Machine
    from albumkit.engine.pack import OpenPack

METRICS = "metrics.jsonl"
LOG = "log.jsonl"


@dataclass(frozen=True)
class Event:
    """``what``: encoding, encoded, tried, step, sample, checkpoint; ``values`` are plain JSON."""

    what: str
    values: dict[str, Any]


Tell = Callable[[Event], None]


class Interrupted(KeyboardInterrupt):
    """A person pressed Ctrl-C; what was learned so far is in ``saved``."""

    def __init__(self, saved: Checkpoint) -> None:
        super().__init__()
        self.saved = saved


@dataclass
class Session:
    """A run that is set up; ``times`` sums seconds by what they went into. ``peak``: the most bytes that
    steps took on the card, None without one; looks take more only where there is room.
    """

    run: Path
    base: Base
    machine: Machine
    pack: OpenPack
    placed: list[Placed]
    knobs: Knobs
    label: Label
    forecast: Forecast
    tell: Tell
    times: dict[str, float] = field(default_factory=dict)
    peak: int | None = None

    def __post_init__(self) -> None:
        self.stage = Stage(self.base, self.machine)
        self.loop: Loop | None = None

    def note(self, what: str, values: dict[str, Any]) -> None:
        """Tell something, and keep it in the log."""
        with open(self.run / LOG, "a", encoding="utf-8") as log:
            log.write(json.dumps({"at": time.strftime("%Y-%m-%d %H:%M:%S"), "event": what, **values}) + "\n")
        self.tell(Event(what, values))

    def prepare(self, since: Checkpoint | None = None) -> None:
        """Encode what is not in the cache, then load the transformer and attach the adapter.

        Args:
            since: The checkpoint to go on from.

        Raises:
            AlbumkitError: the base cannot be loaded, the checkpoint is another adapter's, memory is short.
        """
        if not self.forecast.possible:
            raise self._shortage()
        self.machine.compute_alike(self.knobs.deterministic)
        with self._timed("encoding"), self._memory():
            material = self._encode()
        with self._timed("loading"), self._memory():
            transformer = self.stage.transformer()
            if self.forecast.checkpointing:
                transformer.enable_gradient_checkpointing()
            modules = lora.find_modules(lora.linears(transformer), self.base.family, self.knobs.target)
            parameters = lora.attach(transformer, modules, self.knobs.rank, self.knobs.alpha, self.knobs.seed)
        self.loop = Loop(
            transformer,
            parameters,
            self.base.family,
            self.placed,
            material,
            self.knobs,
            self.machine,
            since.step if since else 0,
        )
        if since is not None:
            checkpoint.restore(since, self.loop)

    def try_out(self) -> None:
        """Everything once before hours are spent: the largest bucket forth and back, a save and a reload.
        Where memory is short although the forecast said it was not, gradient checkpointing begins.

        Raises:
            AlbumkitError: memory is short, or the file does not hold what was saved.
        """
        loop = self._ready()
        self.machine.forget_peak()
        with self._timed("trying"), self._memory():
            if not self._fits(loop):
                if self.forecast.checkpointing:
                    raise self._shortage()
                self.forecast = computed_twice(self.base, self.knobs, self.forecast, self.machine)
                loop.transformer.enable_gradient_checkpointing()
                self.machine.free()
                self.machine.forget_peak()
                loop.try_largest()
            seconds = loop.try_largest()
            self._try_saving(loop)
        self._keep_peak()
        values = {"seconds": seconds * self.knobs.accumulation, "memory": self.peak}
        self.note("tried", {**values, "checkpointing": self.forecast.checkpointing})

    def train(self) -> Checkpoint:
        """Step until ``knobs.steps``; looks and checkpoints on the way, one of each at the end.

        Raises:
            Interrupted: Ctrl-C; the step was finished and saved.
            NotFinite: a loss or gradient is no number.
        """
        loop, knobs = self._ready(), self.knobs
        _cut_metrics(self.run / METRICS, loop.step)
        if self._look_is_due(loop.step) and not validate.looked(self.run, loop.step, knobs.prompts):
            self._look(loop.step)  # the first one, or one that a stop came before
        saved: Checkpoint | None = None
        with open(self.run / METRICS, "a", encoding="utf-8") as metrics, _gentle() as stop:
            while loop.step < knobs.steps:
                with self._timed("training"), self._memory(), self._numbers():
                    report = dataclasses.asdict(loop.run_step())
                metrics.write(json.dumps(report) + "\n")
                metrics.flush()
                self.tell(Event("step", {**report, "of": knobs.steps}))
                last, stopping = loop.step == knobs.steps, stop.is_set()
                if stopping or last or loop.step % knobs.save_every == 0:
                    saved = self._save(metrics.fileno())
                if stopping and not last and saved is not None:
                    raise Interrupted(saved)
                if self._look_is_due(loop.step):
                    self._look(loop.step)
        return saved or checkpoint.all_checkpoints(self.run)[-1]

    def close(self) -> None:
        """Let everything go."""
        self.loop = None
        self.stage = Stage(self.base, self.machine)
        self.machine.free()

    def _encode(self) -> Material:
        encoder = Encoder(self.base, self.machine, Cache(self.run / "cache"))
        captions = sorted({one.item.caption for one in self.placed})
        prompts = [one.text for one in self.knobs.prompts]
        wanted = list(dict.fromkeys(["", *captions, *prompts]))
        self.note("encoding", {"texts": len(wanted), "pictures": len(self.placed)})
        total = len(wanted) + sum(1 + len(one.item.inputs) for one in self.placed)
        encoder.done = lambda done: self.tell(Event("encoded", {"done": done, "of": total}))
        texts = encoder.texts(wanted, self.stage.text)
        self.stage.drop_text()
        pictures = encoder.pictures(self.pack, self.placed, self.knobs, self.stage.vae)
        return Material(*pictures, texts)

    def _look_is_due(self, step: int) -> bool:
        return step == self.knobs.steps or step % self.knobs.validation_every == 0

    def _ready(self) -> Loop:
        assert self.loop is not None, "prepare comes first"
        return self.loop

    def _fits(self, loop: Loop) -> bool:
        import torch

        try:
            loop.try_largest()
        except torch.OutOfMemoryError:
            return False
        return True

    def _try_saving(self, loop: Loop) -> None:
        import torch

        with tempfile.TemporaryDirectory(dir=self.run) as folder:
            file = Path(folder) / "try.safetensors"
            checkpoint.write_adapter(file, loop.parameters, self.knobs, self.label.texts, self.machine.dtype)
            copies = {name: torch.empty_like(p) for name, p in loop.parameters.items()}
            checkpoint.read_adapter(file, copies)
        scale = self.knobs.alpha / self.knobs.rank
        for name, parameter in loop.parameters.items():
            values = parameter.detach() * scale if ".lora_B." in name else parameter.detach()
            if not torch.equal(values.to(self.machine.dtype).float(), copies[name]):
                raise AlbumkitError(f"A saved adapter does not hold what was saved: {name} differs.")

    def _look(self, step: int) -> None:
        self._keep_peak()
        if not self.knobs.prompts:
            return
        loop = self._ready()
        width, height = _usual_size(self.placed)
        recipe = Recipe.usual(self.base, width, height)
        start = time.perf_counter()
        with self._timed("looking"), self._memory():
            files = validate.look(
                self.run, step, self.knobs.prompts, loop.material.texts, self.stage, recipe, self._inputs()
            )
        self.machine.forget_peak()
        seconds = round(time.perf_counter() - start, 2)
        self.note("sample", {"step": step, "files": [file.as_posix() for file in files], "seconds": seconds})

    def _inputs(self) -> list[tuple[Tensor, ...]]:
        """Pairs are looked at with the inputs of the album's own examples, another one for each prompt."""
        examples = sorted(self.placed, key=lambda one: one.item.root)
        chosen = [examples[place % len(examples)] for place in range(len(self.knobs.prompts))]
        return [tuple(t[None] for t in self._ready().material.references[one.item.root]) for one in chosen]

    def _keep_peak(self) -> None:
        peaks = [peak for peak in (self.peak, self.machine.peak()) if peak is not None]
        self.peak = max(peaks, default=None)

    def _save(self, metrics: int) -> Checkpoint:
        os.fsync(metrics)
        with self._timed("saving"):
            saved = checkpoint.save(self.run, self._ready(), self.label)
        self.note("checkpoint", {"step": saved.step, "file": saved.adapter.as_posix()})
        return saved

    @contextlib.contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.times[what] = self.times.get(what, 0.0) + time.perf_counter() - start

    @contextlib.contextmanager
    def _numbers(self) -> Iterator[None]:
        """A stop for what is no number tells where the last good file is; going on would stop there again."""
        try:
            yield
        except NotFinite as error:
            for saved in checkpoint.all_checkpoints(self.run)[-1:]:
                error.remedy += f"\n{saved.adapter.as_posix()} is what was learned by step {saved.step}"
            raise

    @contextlib.contextmanager
    def _memory(self) -> Iterator[None]:
        """Out of memory becomes an error that names the knobs which would help."""
        import torch

        try:
            yield
        except torch.OutOfMemoryError as error:
            raise self._shortage() from error

    def _shortage(self) -> AlbumkitError:
        return explain_shortage(self.base, self.knobs, self.forecast, self.machine)


def _usual_size(placed: list[Placed]) -> tuple[int, int]:
    """That of most examples."""
    buckets = [one.bucket for one in placed]
    most = max(sorted(set(buckets)), key=buckets.count)
    return most.width, most.height


def _cut_metrics(file: Path, step: int) -> None:
    """Drop the lines of steps that will be done again, and one that was half written."""
    if not file.is_file():
        return
    kept = []
    for line in file.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
    write_whole(file, "".join(kept).encode())


@contextlib.contextmanager
def _gentle() -> Iterator[threading.Event]:
    """The first Ctrl-C lets the step finish, the second one ends at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(_number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
