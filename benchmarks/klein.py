"""FLUX.2 klein at full size through `albumkit train`: memory, rate and forecast on an NVIDIA card.

    python benchmarks/klein.py --work /tmp/klein --size 4B
    python benchmarks/klein.py --work /tmp/klein --size 9B

makes a base folder of the real shapes with random weights (16 and 35 GB; nothing is downloaded). On it,
sample_albums/cookie_box is trained for 20 steps at 512 and at 1024 pixels, once more as on cards of 16 and
12 GB (9B: of 24 GB, and its captions with 16 GB), and without sums in a fixed order. A run goes on from its
checkpoint, and the bits are compared. The loop of diffusers' training script runs beside it (klein_peer.py).
Each part is a process of its own; tables are printed at the end. `--size tiny` tries the script itself,
without a card.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STEPS = 20
#: The first steps are not counted: memory is still being found, kernels chosen.
WARM = 5


@dataclass(frozen=True)
class Shape:
    """What a klein is made of: widths of transformer and text encoder follow from heads and layers."""

    folder: str
    double: int
    single: int
    heads: int
    text_width: int
    text_inner: int
    text_heads: int
    tied: bool
    #: GB of smaller cards to train on, and of one to encode captions on.
    cards: tuple[float, ...]
    captions: float
    sides: tuple[int, ...] = (512, 1024)
    head: int = 128
    text_head: int = 128
    text_layers: int = 36
    vocabulary: int = 151936


SHAPES = {
    "4B": Shape("FLUX.2-klein-base-4B", 5, 20, 24, 2560, 9728, 32, True, (16, 12), 16),
    "9B": Shape("FLUX.2-klein-base-9B", 8, 24, 32, 4096, 12288, 32, False, (24,), 16),
    "tiny": Shape("tiny-klein", 1, 2, 2, 32, 64, 8, True, (1,), 1, (64, 128), 64, 16, 28, 2048),
}


def make_base(shape: Shape, folder: Path) -> None:
    """A folder in diffusers' form, bf16, weights as the libraries begin them."""
    import torch
    from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from albumkit.engine.base import find_base

    pocket = find_base("pocket").folder
    shutil.copytree(pocket / "tokenizer", folder / "tokenizer")
    settings = folder / "tokenizer" / "tokenizer_config.json"
    longest = json.loads(settings.read_text()) | {"model_max_length": 131072}
    settings.write_text(json.dumps(longest))
    FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True).save_pretrained(folder / "scheduler")
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        AutoencoderKLFlux2().save_pretrained(folder / "vae")
        text = Qwen3Config(
            vocab_size=shape.vocabulary,
            hidden_size=shape.text_width,
            intermediate_size=shape.text_inner,
            num_hidden_layers=shape.text_layers,
            num_attention_heads=shape.text_heads,
            num_key_value_heads=shape.text_heads // 4,
            head_dim=shape.text_head,
            max_position_embeddings=40960,
            tie_word_embeddings=shape.tied,
            dtype="bfloat16",
        )
        Qwen3ForCausalLM(text).save_pretrained(folder / "text_encoder", max_shard_size="5GB")
        axis = shape.head // 4
        Flux2Transformer2DModel(
            in_channels=128,
            num_layers=shape.double,
            num_single_layers=shape.single,
            attention_head_dim=shape.head,
            num_attention_heads=shape.heads,
            joint_attention_dim=3 * shape.text_width,
            axes_dims_rope=(axis,) * 4,
            guidance_embeds=False,
        ).save_pretrained(folder / "transformer", max_shard_size="10GB")
    shutil.copy(pocket / "model_index.json", folder)


def encode_captions(folder: Path, cache: Path) -> None:
    """What `train` does with the album's captions before anything else, and how long one takes."""
    import time

    from albumkit.engine import data
    from albumkit.engine.base import find_base
    from albumkit.engine.machine import find_machine
    from albumkit.engine.stage import Stage

    base, machine = find_base(str(folder)), find_machine()
    machine.compute_alike()
    stage = Stage(base, machine)
    captions = [file.read_text(encoding="utf-8").strip() for file in sorted(_album().glob("*.txt"))]
    machine.forget_peak()
    start = time.perf_counter()
    encoder, _ = stage.text()
    loaded = time.perf_counter()
    data.Encoder(base, machine, data.Cache(cache)).texts(captions, stage.text)
    seconds = (time.perf_counter() - loaded) / len(captions)
    weights = {p.device.type for p in encoder.parameters()}
    found = {"captions": len(captions), "seconds": seconds, "loading": loaded - start}
    print(json.dumps(found | {"peak": machine.peak(), "on_card": weights == {machine.device.type}}))


def _album() -> Path:
    return ROOT / "sample_albums" / "cookie_box"


class Bench:
    """Runs the parts, each in a process of its own, and keeps what came of them."""

    def __init__(self, work: Path, size: str) -> None:
        self.work, self.shape, self.size = work / size, SHAPES[size], size
        self.base = self.work / self.shape.folder
        self.trainings: dict[str, dict[str, Any]] = {}
        self.others: dict[str, Any] = {}

    def make(self) -> None:
        if not (self.base / "model_index.json").is_file():
            shutil.rmtree(self.base, ignore_errors=True)
            self.base.mkdir(parents=True)
            self._python(
                f"import klein; klein.make_base(klein.SHAPES[{self.size!r}], Path({str(self.base)!r}))"
            )

    def train(self, name: str, side: int, card: float = 0, more: tuple[str, ...] = ()) -> None:
        """`albumkit train`, from the start; ``more`` are further knobs."""
        run = self.work / name
        shutil.rmtree(run, ignore_errors=True)
        knobs = [f"steps={STEPS}", f"save_every={STEPS // 2}", f"resolution={side}", "aspect_ratio=1:1"]
        words = ["train", str(_album()), "--trainer", "local", "--base", str(self.base), "--out", str(run)]
        words += [word for knob in (*knobs, *more, "create_masks=false") for word in ("--set", knob)]
        self.trainings[name] = self._albumkit(words, card) | {"name": name, "side": side, "card": card}

    def resume(self, of: str) -> None:
        """The second half of a run once more, from its checkpoint: the same bits?"""
        run = self.work / "resumed"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(self.work / of, run, ignore=shutil.ignore_patterns(f"step-{STEPS:06d}"))
        self._albumkit(["train", "--resume", str(run)], 0)
        state = f"checkpoints/step-{STEPS:06d}/state.safetensors"
        same = (run / state).read_bytes() == (self.work / of / state).read_bytes()
        self.others["resumed"] = "the same bits" if same else "OTHER BITS"

    def captions(self, card: float, of: str) -> None:
        """Captions with little memory; compared with those of a run that had enough."""
        cache = self.work / "captions"
        shutil.rmtree(cache, ignore_errors=True)
        code = f"import klein; klein.encode_captions(Path({str(self.base)!r}), Path({str(cache)!r}))"
        found = json.loads(self._python(code, card).splitlines()[-1])
        theirs = [self.work / of / "cache" / file.name for file in sorted(cache.iterdir())]
        found["bits"] = all(
            other.read_bytes() == (cache / other.name).read_bytes() for other in theirs if other.is_file()
        ) and any(other.is_file() for other in theirs)
        self.others["captions"] = found | {"card": card}

    def peer(self, name: str, of: str) -> None:
        """diffusers' loop, as the run of that name trained."""
        mine = self.trainings[of]
        words = ["--base", str(self.base), "--side", str(mine["side"]), "--steps", str(STEPS)]
        words += ["--checkpointing"] if mine["forecast"]["checkpointing"] else []
        command = [sys.executable, str(ROOT / "benchmarks" / "klein_peer.py"), *words]
        seconds, peak = json.loads(self._run(command).splitlines()[-1])
        self.others[name] = {"of": of, "seconds": statistics.median(seconds[WARM:]), "peak": peak}

    def _albumkit(self, words: list[str], card: float) -> dict[str, Any]:
        code = "import sys; sys.argv[0] = 'albumkit'; from albumkit.cli.main import run; run()"
        lines = self._python(code, card, *words, "--format", "json").splitlines()
        found = json.loads(lines[-1])
        steps = (Path(found["run"]) / "metrics.jsonl").read_text().splitlines()
        found["seconds"] = statistics.median(json.loads(line)["seconds"] for line in steps[WARM:])
        print(json.dumps(found), file=sys.stderr, flush=True)
        return found

    def _python(self, code: str, card: float = 0, *words: str) -> str:
        """Run a line of Python on as much of the card as one of so many GB has; 0: on all of it."""
        begin = "from pathlib import Path; "
        if card and self.size != "tiny":
            total = "torch.cuda.get_device_properties(0).total_memory"
            begin += f"import torch; torch.cuda.set_per_process_memory_fraction({card * 1e9} / {total}); "
        return self._run([sys.executable, "-c", begin + code, *words])

    def _run(self, command: list[str]) -> str:
        path = os.pathsep.join([str(ROOT), str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}, check=False
        )
        if done.returncode:
            raise RuntimeError(f"exit code {done.returncode}: {done.stdout[-2000:]}")
        return done.stdout

    def print_tables(self) -> None:
        print(f"\n| {self.shape.folder} | card | forecast | peak | forecast | measured | file |")
        print("|---|---|---:|---:|---:|---:|---|")
        for one in self.trainings.values():
            told, effect = one["forecast"], one["effect"]
            cells = (
                *(_words(one), _card(one["card"]), _gb(told["memory"]), _gb(one["peak_memory"])),
                *(f"{told['step_seconds']:.2f} s/step", f"{one['seconds']:.2f} s/step"),
                f"{'loads' if effect['ok'] else 'FAILS'}, predictions change by {effect['change']:.2%}",
            )
            print(f"| {' | '.join(cells)} |")
        if resumed := self.others.get("resumed"):
            print(f"\nResumed from its checkpoint of step {STEPS // 2}: {resumed}.")
        if text := self.others.get("captions"):
            where = "on the card" if text["on_card"] else "from host memory"
            bits = "the same bits as with all of the card" if text["bits"] else "OTHER BITS"
            rate = f"{text['seconds']:.2f} s each, {text['loading']:.0f} s to load"
            print(f"\n{text['captions']} captions on {_card(text['card'])}, {where}: {rate}, ", end="")
            print(f"{_gb(text['peak'])} at most; {bits}.")
        print("\n| | albumkit | diffusers' loop | ratio | albumkit | diffusers' loop |")
        print("|---|---:|---:|---:|---:|---:|")
        for peer, names in (("peer", ("large", "free")), ("peer-twice", (f"card-{self.shape.cards[0]}",))):
            for mine in (self.trainings[name] for name in names if name in self.trainings):
                theirs = self.others.get(peer)
                if theirs is None:
                    continue
                cells = (
                    *(_words(mine), f"{mine['seconds']:.3f} s/step", f"{theirs['seconds']:.3f} s/step"),
                    f"{mine['seconds'] / theirs['seconds']:.2f}",
                    *(_gb(mine["peak_memory"]), _gb(theirs["peak"])),
                )
                print(f"| {' | '.join(cells)} |")


def _words(training: dict[str, Any]) -> str:
    twice = ", all computed twice" if training["forecast"]["checkpointing"] else ""
    free = ", deterministic=false" if training["name"] == "free" else ""
    return f"{training['side']} px{twice}{free}"


def _gb(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e9:.1f} GB"


def _card(size: float) -> str:
    return f"{size:g} GB of it" if size else "all of it"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--size", choices=list(SHAPES), required=True)
    options = parser.parse_args()
    bench = Bench(options.work, options.size)
    small, large = bench.shape.sides
    capped = [f"card-{card}" for card in bench.shape.cards]
    parts: list[tuple[str, Callable[[], None]]] = [
        ("making the base", bench.make),
        ("small", lambda: bench.train("small", small)),
        ("large", lambda: bench.train("large", large)),
        *(
            (f"large on {card} GB", functools.partial(bench.train, name, large, card))
            for name, card in zip(capped, bench.shape.cards, strict=True)
        ),
        ("captions on a small card", lambda: bench.captions(bench.shape.captions, "small")),
        ("diffusers, large", lambda: bench.peer("peer", "large")),
        ("diffusers, large, computed twice", lambda: bench.peer("peer-twice", capped[0])),
        ("large, in any order", lambda: bench.train("free", large, more=("deterministic=false",))),
        ("resume", lambda: bench.resume("small")),
    ]
    failed = False
    try:
        for name, part in parts:
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                part()
            except (RuntimeError, KeyError, OSError, ValueError) as error:
                failed = True
                print(f"{name}: {type(error).__name__}: {error}", flush=True)
    finally:
        bench.print_tables()
    sys.exit(failed)


if __name__ == "__main__":
    main()
