"""Experiments on pocket: many trainings of one album, each looked at by the judge on its way.

    python benchmarks/labs_albums.py /tmp/made          masks by ``albumkit mask``, for some of the runs
    python benchmarks/labs.py --out /tmp/labs --made /tmp/made [--only GROUP ...] [--jobs 2] [--smoke]
    python benchmarks/labs_page.py /tmp/labs            writes benchmarks/labs.md and its figure

Every run is the own engine's loop with the knobs of the sample album's album.toml but for what it is about.
It trains on one core; a graphics card, where there is one, makes the pictures that are judged. Twenty minutes
on 32 cores with a card, most of a day on two cores without. ``--smoke`` does everything once, tiny.

What is measured at each look:

- ``album loss``: of the album's pictures with fixed noise, at two sigmas, weighted by the masks;
- ``held-out loss``: the same of 16 photographs of the subject in places and lights that the album lacks;
- ``identity`` and ``obedience``: what the judge sees in three pictures for each such place and light;
- ``leak``: the share of these in a place of the album's that was not asked for.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from labs_albums import all_albums
from torch import Tensor

from albumkit.engine import data, lora
from albumkit.engine.base import POCKET, Base, find_base
from albumkit.engine.knobs import Knobs
from albumkit.engine.loop import Loop, StepReport
from albumkit.engine.machine import Machine
from albumkit.engine.objective import masked_loss, noised, velocity
from albumkit.engine.pack import OpenPack
from albumkit.engine.pocket.exam import STEPS, Answer, Exam, draw_sheet
from albumkit.engine.pocket.judge import SIDE
from albumkit.opening import open_album
from albumkit.pack import write_pack
from albumkit.settings import Settings, resolve

SIGMAS = (0.3, 0.7)
SWEPT = ("steps", "rank", "learning_rate")


@dataclass(frozen=True)
class Run:
    """One training. ``looks`` are the steps after which it is measured."""

    group: str
    name: str
    knobs: dict[str, Any] = field(default_factory=dict)
    album: str = "tok_figurine"
    looks: tuple[int, ...] = (0, 250, 500)
    guidances: tuple[float, ...] = ()  # at which the last pictures are made once more


def all_runs(made: bool) -> list[Run]:
    """The longest ones first: they decide when the last one is done.

    Args:
        made: Also those with masks that ``albumkit mask`` made.
    """
    slowly = {"learning_rate": 1e-3, "lr_schedule": "constant", "batch_size": 1, "warmup_steps": 10}
    course = (0, 50, 100, 200, 300, 400, 500)
    longer = (0, 50, 100, 200, 400, 800, 1200, 1600)
    guidances = (1.0, 1.5, 2.0, 3.0, 4.0)
    runs = [
        Run("rhythm", "overfitting", {**slowly, "create_masks": False}, "four_bare", longer),
        Run("rhythm", "four pictures, well described", slowly, "four", longer),
        Run("rhythm", "healthy", looks=course, guidances=guidances),
        Run("rhythm", "too high", {"learning_rate": 2e-2}, looks=course),
    ]
    for steps in (1000, 250, 125):
        runs += _varied("steps", {str(steps): {"steps": steps}}, 3, looks=(0, steps // 2, steps))
    runs += _varied("basis", {"": {}}, 6, guidances=guidances)[1:]  # the healthy one has seed 0
    runs += _varied("rank", {str(rank): {"rank": rank} for rank in (1, 4, 16, 128)}, 3)
    rates = (5e-4, 1e-3, 2e-3, 8e-3, 1.6e-2)
    runs += _varied("learning_rate", {f"{rate:g}": {"learning_rate": rate} for rate in rates}, 3)
    return runs + _with_masks(made)


def _with_masks(made: bool) -> list[Run]:
    """What masks change, in albums whose captions say where they were taken and in albums whose do not.

    The floor is what the background weighs.
    """
    off: dict[str, dict[str, Any]] = {"off": {"create_masks": False}}
    floors: dict[str, dict[str, Any]] = {f", floor {floor:g}": {"mask_floor": floor} for floor in (0.1, 0.01)}
    usual = {", floor 0.1": floors[", floor 0.1"]}
    runs = []
    for group, album, seeds, some in (
        ("masks in many places", "tok_figurine", 6, usual),
        ("masks in one room", "one_room", 12, floors),
        ("masks in many places without captions", "tok_figurine_bare", 3, usual),
        ("masks in one room without captions", "one_room_bare", 12, usual),
    ):
        runs += _varied(group, off, seeds, album=album)
        if album != "tok_figurine":  # there those with exact masks are the basis
            runs += _varied(
                group, {f"exact{name}": knobs for name, knobs in some.items()}, seeds, album=album
            )
        if made:
            by_mask = {f"by mask{name}": knobs for name, knobs in some.items()}
            runs += _varied(group, by_mask, seeds, album=f"{album}_made")
    return runs


def _varied(group: str, values: dict[str, dict[str, Any]], seeds: int, **more: Any) -> list[Run]:
    """Each setting with some seeds: what differs between seeds is chance."""
    return [
        Run(group, name, {"seed": seed, **knobs}, **more)
        for name, knobs in values.items()
        for seed in range(seeds)
    ]


class Bench:
    """One album, encoded, with what measures it; made once in each process that needs it."""

    def __init__(self, name: str, work: Path, given: argparse.Namespace) -> None:
        work.mkdir(parents=True, exist_ok=True)
        judging = self.judging = torch.device(given.judging)
        self.machine = Machine(torch.device("cpu"), torch.float32)
        self.base, self.album = find_base(POCKET), all_albums(given.made)[name](work / name)
        opened = open_album(self.album.folder)
        self._config, self._kind = opened.config, opened.guessed_kind
        write_pack(opened.album, self._settings({}), work / f"{name}.zip")
        self.pack = OpenPack(work / f"{name}.zip", self._settings({}).trainer.archive)
        buckets = data.all_buckets(SIDE, self.base.pixels_per_token)
        self.placed = data.place(self.pack.items, data.picture_sizes(self.pack), buckets)
        self._encoder = data.Encoder(self.base, self.machine, data.Cache(work / "cache"))
        self._vae = self.base.load("vae")
        words = self.base.load("text_encoder"), self.base.load("tokenizer")
        pixels, masks, captions = self.album.held_out(judging)
        shown = [one.item.caption for one in self.placed]
        self._texts = self._encoder.texts(["", *shown, *captions], lambda: words)
        with torch.inference_mode():
            latents = self.base.family.encode_image(self._vae, pixels.cpu())
        area = torch.nn.functional.avg_pool2d(masks.cpu().float()[:, None] / 255, self.base.pixels_per_token)
        self._held = self._lesson(latents.clone(), 0.1 + 0.9 * area, captions)
        pictures = self._pictures(self.knobs({}))  # with masks, whatever a run does without them
        roots = [one.item.root for one in self.placed]
        images = torch.stack([pictures[0][root] for root in roots])
        plain = torch.ones_like(images[0, :1])  # where the album has no masks
        areas = [plain if (area := pictures[2][root]) is None else area for root in roots]
        self._own = self._lesson(images, torch.stack(areas), shown)
        questions = self.album.subject.elsewhere(1 if given.smoke else 3)
        judge = Machine(judging, torch.float32)
        steps = 2 if given.smoke else STEPS
        self.exam = Exam(self.album.subject, questions, self.base, judge, steps)

    def _settings(self, changes: dict[str, Any]) -> Settings:
        return resolve(self._config, guessed_kind=self._kind, trainer="local", overrides=changes)

    def knobs(self, changes: dict[str, Any]) -> Knobs:
        return Knobs.of(self._settings(changes), self.base.side)

    def _pictures(self, knobs: Knobs) -> Any:
        return self._encoder.pictures(self.pack, self.placed, knobs, lambda: self._vae)

    def _lesson(self, image: Tensor, weight: Tensor, captions: list[str]) -> dict[str, Tensor]:
        text = torch.stack([self._texts[caption] for caption in captions])
        rows = {"image": image, "weight": weight, "text": text}
        return {name: values.to(self.judging) for name, values in rows.items()}

    def loop(self, knobs: Knobs) -> Loop:
        """A new loop with a transformer of its own."""
        transformer = self.base.load("transformer")
        modules = lora.find_modules(lora.linears(transformer), self.base.family, knobs.target)
        parameters = lora.attach(transformer, modules, knobs.rank, knobs.alpha, knobs.seed)
        material = data.Material(*self._pictures(knobs), self._texts)
        return Loop(transformer, parameters, self.base.family, self.placed, material, knobs, self.machine)

    def look(self, loop: Loop) -> tuple[dict[str, float], Answer]:
        """Everything that is measured; the transformer visits the card for it."""
        loop.transformer.to(self.judging)
        answer = self.exam.put_to(loop.transformer)
        astray = [
            seen != one.place and seen in self.album.places
            for one, seen in zip(answer.asked, answer.seen["place"], strict=True)
        ]
        figures = {
            "album loss": fixed_loss(loop, self.base, self._own),
            "held-out loss": fixed_loss(loop, self.base, self._held),
            **dataclasses.asdict(answer.score),
            "leak": sum(astray) / len(astray),
        }
        loop.transformer.to(self.machine.device)
        if self.judging.type == "cuda":
            torch.cuda.empty_cache()  # other runs are looked at on the same card
        return {name: round(value, 5) for name, value in figures.items()}, answer

    def at_guidances(self, loop: Loop, guidances: tuple[float, ...]) -> dict[str, dict[str, float]]:
        """Scores of the same questions, asked with more or less guidance."""
        scores, usual = {}, self.exam.recipe
        loop.transformer.to(self.judging)
        for guidance in guidances:
            self.exam.recipe = dataclasses.replace(usual, guidance=guidance)
            scores[f"{guidance:g}"] = dataclasses.asdict(self.exam.put_to(loop.transformer).score)
        self.exam.recipe = usual
        return scores


def fixed_loss(loop: Loop, base: Base, lesson: dict[str, Tensor]) -> float:
    """The mean over all pictures and sigmas, with noise that is always the same."""
    image = lesson["image"]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(99)).to(image.device)
    total = 0.0
    loop.transformer.eval()
    with torch.no_grad():
        for level in SIGMAS:
            sigma = torch.full((len(image),), level, device=image.device)
            noisy = noised(image, noise, sigma)
            predicted = base.family.predict(loop.transformer, noisy, sigma, lesson["text"])
            total += masked_loss(predicted, velocity(image, noise), lesson["weight"]).mean().item()
    return total / len(SIGMAS)


_benches: dict[str, Bench] = {}


def do(run: Run, work: Path, given: argparse.Namespace) -> dict[str, Any]:
    """One training from its first to its last look."""
    torch.set_num_threads(1)
    if run.album not in _benches:
        _benches[run.album] = Bench(run.album, work / f"{run.album}-{os.getpid()}", given)
    bench = _benches[run.album]
    looks = (0, 2) if given.smoke else run.looks
    knobs = bench.knobs({**run.knobs, "steps": max(looks)})
    loop = bench.loop(knobs)
    seconds, lines, looked = 0.0, [], []
    for step in looks:
        before = time.process_time()
        while loop.step < step:
            lines.append(_line(loop.run_step()))
        seconds += time.process_time() - before
        figures, answer = bench.look(loop)
        looked.append({"step": step, **figures})
    if run.knobs.get("seed", 0) == 0:
        sheet = given.out / f"sheet_{file_name(f'{run.group} {run.name}')}.jpg"
        draw_sheet(bench.album.shown, answer).save(sheet, quality=85)
    if run.group == "rhythm":
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (given.out / f"{file_name(run.name)}.jsonl").write_text(text, encoding="utf-8")
    guided = bench.at_guidances(loop, run.guidances)
    used = {name: getattr(knobs, name) for name in SWEPT}
    found = {"used": used, "looks": looked, "guidances": guided, "training seconds": round(seconds, 1)}
    return {**dataclasses.asdict(run), **found}


def file_name(words: str) -> str:
    """What a run is called on the disk."""
    return re.sub(r"[^a-z0-9.]+", "_", words).strip("_")


def _line(report: StepReport) -> dict[str, Any]:
    """A line of metrics.jsonl without what is the same every time."""
    return {
        "step": report.step,
        "loss": round(report.loss, 4),
        "gradient": round(report.gradient, 4),
        "rate": round(report.rate, 7),
        "sigma": round(report.sigmas[0], 3),
        "root": report.roots[0],
    }


def _kept(file: Path, runs: list[Run]) -> list[dict[str, Any]]:
    """Results of earlier calls with other groups."""
    if not file.is_file():
        return []
    anew = {run.group for run in runs}
    return [one for one in json.loads(file.read_text(encoding="utf-8")) if one["group"] not in anew]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--made", type=Path, help="what labs_albums.py wrote; without it such runs are left out"
    )
    parser.add_argument("--only", action="append", metavar="GROUP", help="groups that begin so")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--judging", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--smoke", action="store_true", help="two steps of everything, to find mistakes")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    chosen = tuple(given.only or [""])
    runs = [run for run in all_runs(given.made is not None) if run.group.startswith(chosen)]
    start, results = time.perf_counter(), _kept(given.out / "results.json", runs)
    with (
        tempfile.TemporaryDirectory() as work,
        ProcessPoolExecutor(given.jobs, get_context("spawn")) as pool,
    ):
        waiting = {pool.submit(do, run, Path(work), given): run for run in runs}
        for one in as_completed(waiting):
            run = waiting[one]
            try:
                results.append(one.result())
            except Exception as error:  # the others are worth keeping
                print(f"{run.group} {run.name}: {type(error).__name__}: {error}", flush=True)
                continue
            last = results[-1]["looks"][-1]
            print(
                f"{time.perf_counter() - start:4.0f} s  {run.group} {run.name} {run.knobs}: "
                f"{last['step']} steps in {results[-1]['training seconds']} s, "
                f"of own {last['of_own']:.2f}, obedience {last['obedience']:.2f}",
                flush=True,
            )
            text = json.dumps(results, indent=1)
            (given.out / "results.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
