"""One run from a pack to an adapter: what it checks first, what it tells, and what it leaves on the card."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from engine_runs import Bench, open_bench
from PIL import Image

from albumkit.engine import checkpoint, data, memory, validate
from albumkit.engine.knobs import Prompt
from albumkit.engine.loop import Loop
from albumkit.engine.machine import Machine
from albumkit.engine.sample import Recipe
from albumkit.engine.session import Event, Session
from albumkit.engine.stage import Stage
from albumkit.errors import AlbumkitError

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return open_bench(tmp_path_factory.mktemp("session"))


def open_session(bench: Bench, run: Path, **changed: Any) -> tuple[Session, list[Event]]:
    """A session, and what it will have told."""
    events: list[Event] = []
    knobs = bench.knobs(**changed)
    label = checkpoint.Label("tiny", {})
    expected = memory.forecast(bench.base, knobs, bench.placed, bench.machine)
    told = (bench.machine, bench.pack, list(bench.placed), knobs, label, expected, events.append)
    return Session(run, bench.base, *told), events


def test_text_encoder_is_gone_before_the_transformer_comes(bench: Bench, tmp_path: Path) -> None:
    session, _ = open_session(bench, tmp_path)
    session.prepare()
    assert set(session.stage._loaded) == {"vae", "transformer"}


@pytest.mark.parametrize("deterministic", [True, False])
def test_order_of_sums_is_as_the_knob_says(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deterministic: bool
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(Machine, "compute_alike", lambda self, alike=True: asked.append(alike))
    session, _ = open_session(bench, tmp_path, deterministic=deterministic)
    session.prepare()
    assert asked == [deterministic]


def test_try_tells_what_a_step_takes_and_saves_once(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Loop, "try_largest", lambda self: 1.5)
    session, events = open_session(bench, tmp_path, accumulation=3)
    session.prepare()
    session.try_out()
    assert events[-1].what == "tried"
    assert events[-1].values == {"seconds": 4.5, "memory": None, "checkpointing": False}
    write = checkpoint.write_adapter

    def spoilt(path: Path, parameters: Any, *rest: Any) -> None:
        write(path, {name: p + 1 for name, p in parameters.items()}, *rest)

    monkeypatch.setattr(checkpoint, "write_adapter", spoilt)
    with pytest.raises(AlbumkitError, match="A saved adapter does not hold what was saved: "):
        session.try_out()


def test_looks_come_first_every_so_often_and_last(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, events = open_session(
        bench, tmp_path, steps=4, validation_every=3, save_every=9, prompts=(Prompt("a TOK", 0),)
    )
    used: list[str] = []
    use = Stage._use
    monkeypatch.setattr(Stage, "_use", lambda self, part, *rest, **how: used.append(part) or use(self, part))
    session.prepare()
    session.train()
    assert [event.values["step"] for event in events if event.what == "sample"] == [0, 3, 4]
    assert used[-3:] == ["transformer", "vae", "transformer"]  # it is back on the card when steps go on
    assert [event.values["step"] for event in events if event.what == "checkpoint"] == [4]


def test_sheet_goes_down_by_steps_and_leaves_out_what_is_not_there(tmp_path: Path) -> None:
    colours = {0: (200, 0, 0), 999_999: (0, 200, 0), 1_000_000: (0, 0, 200)}
    for step, colour in colours.items():
        folder = tmp_path / "samples" / f"step-{step:06d}"
        folder.mkdir(parents=True)
        Image.new("RGB", (64, 64), colour).save(folder / "1.png")
    (tmp_path / "samples" / "step-old").mkdir()
    with Image.open(validate.draw_sheet(tmp_path, (Prompt("a TOK", 0), Prompt("a TOK at sea", 1)))) as sheet:
        down = [sheet.getpixel((200, y)) for y in range(sheet.height)]
        assert [colour for colour in dict.fromkeys(down) if colour in colours.values()] == list(
            colours.values()
        )
        assert sheet.getpixel((500, 100)) == (255, 255, 255)


def test_pictures_are_of_the_size_that_most_examples_have(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = open_session(bench, tmp_path, steps=1, prompts=(Prompt("a TOK", 0),))
    session.placed[0] = dataclasses.replace(session.placed[0], bucket=data.Bucket(48, 80))
    recipes: list[Recipe] = []
    monkeypatch.setattr(validate, "look", lambda *given: recipes.append(given[5]) or [])
    session.prepare()
    session.train()
    assert {(one.width, one.height) for one in recipes} == {(64, 64)}


def test_base_that_cannot_fit_stops_before_anything_is_encoded(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "room", lambda self: 100_000)
    session, _ = open_session(bench, tmp_path)
    with pytest.raises(AlbumkitError, match=r"the adapter alone take 0\.\d GB; the card had 0\.0 GB"):
        session.prepare()
    assert not list(tmp_path.iterdir())


def test_short_of_memory_it_begins_to_compute_twice_or_says_what_helps(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = [1]

    def try_largest(self: Loop) -> float:
        if short[0]:
            short[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 1.0

    monkeypatch.setattr(Loop, "try_largest", try_largest)
    session, _ = open_session(bench, tmp_path)
    session.prepare()
    session.try_out()
    assert session.forecast.checkpointing
    assert session.loop is not None
    assert session.loop.transformer.is_gradient_checkpointing
    short[0] = 1
    with pytest.raises(AlbumkitError, match="Out of memory: this training needs about") as caught:
        session.try_out()
    assert "--set resolution=48 (saves about " in caught.value.remedy


def test_looks_do_not_count_as_memory_of_the_training(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0]
    monkeypatch.setattr(Machine, "peak", lambda self: now[0])
    monkeypatch.setattr(Machine, "forget_peak", lambda self: now.__setitem__(0, 3))
    monkeypatch.setattr(validate, "look", lambda *rest: now.__setitem__(0, 10) or [])
    session, _ = open_session(bench, tmp_path, steps=2, prompts=(Prompt("a TOK", 0),))
    session.prepare()
    session.try_out()
    session.train()
    assert session.peak == 3
