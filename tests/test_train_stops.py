"""Where ``train`` stops and what it says then; what is seen while it runs."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from adapters import TINY, places_of, tensors, write
from engine_runs import make_album, tiny_base
from PIL import Image
from sample_loras import COMFY
from test_train_command import TOML, run

from albumkit.bases import find_base as find_known
from albumkit.cli.live import Trend, told
from albumkit.engine.base import POCKET, Base
from albumkit.engine.session import Event
from albumkit.errors import AlbumkitError
from albumkit.generating import free_picture
from albumkit.journal import held
from albumkit.planning import Prepared, prepare_training
from albumkit.report.train import plan_lines
from albumkit.report.trained import end_lines
from albumkit.training import train

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An album without masks, and a base."""
    folder = tmp_path_factory.mktemp("stops")
    torch.set_num_threads(1)
    tiny_base(folder)
    (make_album(folder / "cats") / "album.toml").write_text(TOML + "create_masks = false\n")
    return folder


def stopped(folder: Path, *words: str) -> AlbumkitError:
    result = run(folder, "train", *words)
    assert isinstance(result.exception, AlbumkitError), result.output
    return result.exception


def plan(folder: Path, album: str, *words: str) -> dict[str, Any]:
    result = run(folder, "train", album, "--plan", "--format", "json", *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_plan_loads_no_weights(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: Base, part: str, *_: object) -> None:
        raise AssertionError(f"{part} was loaded")

    monkeypatch.setattr(Base, "load", load)
    monkeypatch.setattr("safetensors.torch.load_file", load)
    document = plan(place, "cats")
    assert document["trainable"] == 17408
    assert document["seconds"] > 0
    assert document["look_seconds"] > 0


def test_masks_are_wanted_for_a_subject_and_not_for_a_style(place: Path) -> None:
    for kind in ("subject", "style"):
        album = make_album(place / f"a-{kind}")
        (album / "album.toml").write_text(TOML.replace('kind = "subject"', f'kind = "{kind}"'))
    assert "4 of 4 examples have no mask" in stopped(place, "a-subject").message
    assert plan(place, "a-style")["knobs"]["masks"] is False
    assert plan(place, "a-subject", "--set", "create_masks=false")["knobs"]["masks"] is False


def test_album_with_errors_is_shown_and_not_trained_on(place: Path) -> None:
    album = shutil.copytree(place / "cats", place / "silent")
    (album / "b.txt").unlink()
    result = run(place, "train", "silent", "--out", "never")
    assert isinstance(result.exception, AlbumkitError)
    assert result.exception.message == "silent was not trained on: 1 error."
    said = " ".join(result.output.split())
    assert "caption/missing" in said
    assert "do albumkit caption silent" in said
    assert not (place / "never").exists()
    (album / "album.toml").write_text(TOML + 'create_masks = false\ndefault_caption = "a photo of TOK cat"\n')
    assert len(plan(place, "silent")["examples"]) == 4


def test_loss_that_is_no_number_names_the_last_good_file(place: Path) -> None:
    knobs = ("--set", "learning_rate=1e30", "--set", "save_every=1", "--set", "validation_every=9")
    error = stopped(place, "cats", "--out", "wild", *knobs)
    assert error.message.startswith("Step 2: the loss of ")
    assert " is nan at sigma 0." in error.message
    assert error.message.endswith(" in float32. Nothing was updated with it.")
    slower, look, file = error.remedy.splitlines()
    assert slower == "train again with --set learning_rate=5e+29"
    assert look.startswith("look at ")
    assert file == "wild/checkpoints/step-000001/TOK-tiny-klein-1.safetensors is what was learned by step 1"


def test_two_trainings_into_one_run_are_one_too_many(place: Path) -> None:
    assert run(place, "train", "cats", "--out", "twice", "--set", "steps=1").exit_code == 0
    with held(place / "twice" / ".lock", "busy"):
        error = stopped(place, "--resume", "twice", "--steps", "2")
    assert error.message == "Another albumkit is training into twice right now."
    assert run(place, "train", "--resume", "twice", "--steps", "2").exit_code == 0


def test_lines_that_are_piped_and_going_on_from_another_folder(place: Path) -> None:
    begun = run(place, "train", "cats", "--out", "moved", "--set", "steps=1")
    assert begun.exit_code == 0, begun.output
    for line in (
        "encoding 6 texts and 4 pictures",
        "tried the largest size: ",
        "step 0: looked, moved/samples/step-000000/1.png",
        "step 1/1: loss ",
        "step 1: saved, moved/checkpoints/step-000001/TOK-tiny-klein-1.safetensors",
    ):
        assert line in begun.output
    assert " steps/s, 0:0" in begun.output
    (place / "elsewhere").mkdir()
    done = run(place / "elsewhere", "train", "--resume", "../moved", "--steps", "2")
    assert done.exit_code == 0, done.output
    assert "step 2: saved, ../moved/checkpoints/step-000002/" in done.output


def test_pairs_are_looked_at_with_an_input_of_their_own(place: Path) -> None:
    album = place / "pairs"
    album.mkdir()
    for number, side in enumerate(("start", "end")):
        Image.linear_gradient("L").resize((64, 64)).rotate(90 * number).convert("RGB").save(
            album / f"a_{side}.png"
        )
    (album / "a.txt").write_text("turn it round")
    (album / "album.toml").write_text('[album]\nkind = "edit"\n[use]\nprompts = ["turn it"]\n')
    (place / "single").mkdir()
    shutil.copy(album / "a_end.png", place / "single" / "a.png")
    for name in ("a.txt", "album.toml"):
        text = (album / name).read_text().replace('kind = "edit"', 'kind = "style"\ntrigger_phrase = ""')
        (place / "single" / name).write_text(text)
    size = ("--set", "steps=1", "--set", "resolution=64", "--trainer", "local")
    looks = []
    for name in ("single", "pairs"):
        done = run(place, "train", name, "--out", f"{name}-run", *size)
        assert done.exit_code == 0, done.output
        looks.append((place / f"{name}-run" / "samples" / "step-000000" / "1.png").read_bytes())
    assert run(place, "generate", "turn it", "--size", "64x64", "--out", "plain.png").exit_code == 0
    plain = (place / "plain.png").read_bytes()
    assert looks[0] == plain
    assert looks[1] != plain


# On a terminal


@pytest.fixture
def prepared(place: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    monkeypatch.chdir(place)
    return prepare_training(Path("cats"), base="tiny-klein", overrides={"steps": 120}, dry=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_fits_80_columns_and_tells_loss_rate_time_left_and_the_last_look(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    with told("text", prepared) as tell:
        tell(Event("encoding", {"texts": 6, "pictures": 4}))
        tell(Event("encoded", {"done": 3, "of": 10}))
        tell(Event("tried", {"seconds": 0.1, "memory": None}))
        tell(Event("sample", {"step": 0, "files": ["runs/cats-1/samples/step-000000/1.png"], "seconds": 2.0}))
        for step in range(1, 61):
            tell(Event("step", {"step": step, "of": 120, "loss": 1 - step / 100, "seconds": 0.5}))
    shown = screen.getvalue()
    assert "60/120 2 steps/s, 1:10 left" in shown  # 60 steps of 0.5 s, and 20 looks of 2 s
    assert "loss 0.645 (0.745 at first)" in shown
    assert "last look runs/cats-1/samples/step-000000/1.png" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_trend_says_nothing_before_the_first_step(prepared: Prepared) -> None:
    assert Trend(prepared).words == ""


def test_looks_are_counted(prepared: Prepared) -> None:
    assert prepared.knobs.validation_every == 3
    assert [prepared.looks_after(step) for step in (0, 2, 3, 119, 120)] == [40, 40, 39, 1, 0]
    uneven = dataclasses.replace(prepared, knobs=dataclasses.replace(prepared.knobs, steps=121))
    assert uneven.looks_after(120) == 1


def test_forecast_of_looks_counts_predictions_prompts_and_the_first_look(prepared: Prepared) -> None:
    step = prepared.forecast.step_seconds
    look = 20 * 2 * step / 2  # 20 steps, twice for guidance, each half of what an example's step takes
    assert prepared.look_seconds == pytest.approx(look)
    assert prepared.seconds == pytest.approx((120 * step, 41 * look))
    assert dataclasses.replace(prepared, since=118).seconds == pytest.approx((2 * step, look))
    knobs = dataclasses.replace(prepared.knobs, prompts=prepared.knobs.prompts * 3, accumulation=2)
    assert dataclasses.replace(prepared, knobs=knobs).look_seconds == pytest.approx(3 * look / 2)


def test_where_nobody_wrote_prompts_two_are_looked_at(place: Path) -> None:
    album = shutil.copytree(place / "cats", place / "unasked")
    toml = (album / "album.toml").read_text().replace('prompts = ["a photo of TOK cat on the moon"]', "")
    (album / "album.toml").write_text(toml)
    knobs = plan(place, "unasked", "--set", "seed=7")["knobs"]
    assert knobs["prompts"] == [
        {"text": "a photo of TOK cat", "seed": 7},
        {"text": "a photo of TOK cat on a wall", "seed": 8},
    ]


def test_plan_and_end_fit_80_columns_but_for_what_is_copied(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a LoRA for pocket says that it is one."""
    monkeypatch.chdir(place)
    ready = prepare_training(Path("cats"), base="tiny-klein", overrides={"steps": 1}, out=Path("told"))
    trained = train(ready, lambda event: None)
    said = [line.plain for line in (*plan_lines(ready), *end_lines(trained))]
    assert all(len(line) <= 80 for line in said if not line.startswith("     albumkit generate"))
    pocket = Base(POCKET, ready.base.folder, find_known(POCKET))
    rehearsal = dataclasses.replace(trained, prepared=dataclasses.replace(trained.prepared, base=pocket))
    lines = [line.plain for line in end_lines(rehearsal)]
    assert lines[-1] == "A rehearsal: a LoRA for pocket works in nothing but albumkit."
    assert "but has no pocket to load it into" in " ".join(" ".join(lines).split())
    assert not any("models/loras" in line for line in lines)


def test_lora_of_another_model_is_told_in_a_line(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = write(
        place / "wide.safetensors", tensors(places_of(TINY, "bfl", ("blocks",)), TINY, COMFY, seed=1)
    )
    result = run(place, "generate", "a dog", "--size", "64x64", "--adapter", file.name)
    assert isinstance(result.exception, AlbumkitError)
    start = "wide.safetensors: it does not fit tiny-klein: Error(s) in loading state_dict for "
    assert result.exception.message.startswith(start)
    assert "size mismatch for transformer_blocks.0.attn.to_q.lora_A" in result.exception.message
    assert result.exception.remedy == "albumkit verify wide.safetensors"
    assert "size mismatch" not in capfd.readouterr().err


def test_pictures_are_not_written_over(tmp_path: Path) -> None:
    for name in ("picture.png", "picture-2.png", "picture-3.png"):
        assert free_picture(tmp_path).name == name
        free_picture(tmp_path).touch()
