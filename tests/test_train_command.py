"""``train`` and ``generate`` from the command line, on a tiny base of the real classes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from engine_runs import make_album, tiny_base
from PIL import Image

from albumkit.adapter import open_adapter
from albumkit.cli.main import main
from albumkit.errors import AlbumkitError

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

TOML = """[album]
kind = "subject"
trigger_phrase = "TOK"
class_phrase = "cat"
[use]
runtime = ["comfy"]
prompts = ["a photo of TOK cat on the moon"]
[train]
trainer = "local"
steps = 6
learning_rate = 0.01
[train.local]
resolution = 64
rank = 4
validation_every = 3
save_every = 2
warmup_steps = 0
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An album, a base, and a finished run of six steps."""
    folder = tmp_path_factory.mktemp("train")
    torch.set_num_threads(1)
    tiny_base(folder)
    album = make_album(folder / "cats", masks=True)
    (album / "album.toml").write_text(TOML)
    done = run(folder, "train", "cats", "--out", "whole")
    assert done.exit_code == 0, done.output
    (folder / "whole.txt").write_text(done.output)
    return folder


def run(folder: Path, *words: str, base: bool = True) -> Result:
    """One command in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        more = ["--base", "tiny-klein"] if base and "--resume" not in words else []
        return CliRunner().invoke(main, [*words, *more])
    finally:
        os.chdir(before)


def losses(folder: Path) -> list[tuple[int, float]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [(one["step"], one["loss"]) for one in map(json.loads, lines)]


def test_run_folder_holds_everything(place: Path) -> None:
    whole = place / "whole"
    names = {file.relative_to(whole).as_posix() for file in whole.rglob("*") if "cache" not in file.parts}
    assert {
        "run.json",
        "pack/cats.zip",
        "metrics.jsonl",
        "log.jsonl",
        "sheet.png",
        "samples/step-000000/1.png",
        "samples/step-000006/1.png",
        "checkpoints/step-000002/TOK-tiny-klein-2.safetensors",
        "checkpoints/step-000006/state.safetensors",
        "TOK-tiny-klein-6.safetensors",
        "TOK-tiny-klein-6.effect.png",
    } <= names
    assert [step for step, _ in losses(whole)] == [1, 2, 3, 4, 5, 6]
    with Image.open(whole / "sheet.png") as sheet:
        assert sheet.height > 3 * 256


def test_end_tells_what_it_was_and_how_to_use_it(place: Path) -> None:
    said = (place / "whole.txt").read_text()
    for words in (
        "4 examples, 4 with a mask, none left out",
        "lint no errors, 1 warning, 2 notes: albumkit lint cats",
        "each example is seen 1.5 times",
        "lr x alpha / rank = 0.01 x 4 / 4 = 0.01",
        "rank 4 on 12 in double blocks, 4 in single blocks: 17,408 numbers",
        "looks 1 prompt, at first, every 3 steps and at the end",
        "saved every 2 steps and at the end",
        "licence tiny-klein: unknown to albumkit: read the page of the base",
        "64x64, nothing cut off: all",
        # and the end
        "whole/TOK-tiny-klein-6.safetensors",
        "on paper ComfyUI knows all its names and shapes",
        "in fact diffusers put it into 16 layers, and predictions change by ",
        "without and with it: whole/TOK-tiny-klein-6.effect.png",
        "cats: 4 examples, none dropped, each seen 1.5 times",
        "base tiny-klein, unknown to albumkit: read the page of the base",
        "6 steps, rank 4, lr x alpha / rank = 0.01, seed 0, target all, masks on",
        "The loss cannot say. Look at whole/sheet.png: prompts across, steps down; step 0 is the base alone.",
        "1 Copy the file into ComfyUI: whole/TOK-tiny-klein-6.safetensors -> ComfyUI/models/loras",
        "3 Ask for it: a photo of TOK cat on the moon",
        "--base tiny-klein --adapter whole/TOK-tiny-klein-6.safetensors",
        "Without TOK in the prompt you get the plain model.",
        "too fried",
        "take an earlier file of whole/checkpoints, or train again with --set learning_rate=0.005",
        "not yet albumkit train --resume whole --steps 9",
    ):
        assert words in " ".join(said.split()), words
    assert "albumkit generate 'a photo of TOK cat on the moon' --base" in said  # on one line, to be copied
    assert "works in nothing but albumkit" not in said


def test_adapter_says_where_it_comes_from(place: Path) -> None:
    texts = open_adapter(place / "whole" / "TOK-tiny-klein-6.safetensors").metadata
    manifest = json.loads((place / "whole" / "pack" / "cats.manifest.json").read_text())
    assert texts["albumkit_album_hash"] == manifest["album_hash"]
    assert texts["albumkit_base"] == "tiny-klein"
    assert texts["albumkit_base_licence"] == "unknown to albumkit: read the page of the base"
    assert texts["modelspec.title"] == "TOK on tiny-klein"
    assert texts["modelspec.architecture"] == "tiny-klein/lora"
    assert texts["modelspec.trigger_phrase"] == "TOK cat"
    assert json.loads(texts["trained_words"]) == ["TOK cat"]
    assert json.loads(texts["albumkit_settings"])["steps"] == 6
    tags = json.loads(texts["ss_tag_frequency"])["album"]
    assert tags["a photo of TOK cat on a wall"] == 1


def test_extended_run_goes_on_where_it_ended(place: Path) -> None:
    shutil.copytree(place / "whole", place / "longer")
    assert run(place, "train", "cats", "--out", "eight", "--set", "steps=8").exit_code == 0
    more = run(place, "train", "--resume", "longer", "--steps", "8")
    assert more.exit_code == 0, more.output
    assert "goes on from step 6" in " ".join(more.output.split())
    assert losses(place / "longer") == losses(place / "eight")
    ends = [
        (place / name / "checkpoints" / "step-000008" / "state.safetensors").read_bytes()
        for name in ("longer", "eight")
    ]
    assert ends[0] == ends[1]
    files = [place / name / "TOK-tiny-klein-8.safetensors" for name in ("longer", "eight")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_finished_run_is_not_begun_again(place: Path) -> None:
    again = run(place, "train", "--resume", "whole")
    assert isinstance(again.exception, AlbumkitError)
    assert again.exception.exit_code == 2
    assert "whole is finished: it has 6 of 6 steps" in again.exception.message


def test_run_that_stopped_between_its_last_step_and_its_end_is_ended(place: Path) -> None:
    run_folder = shutil.copytree(place / "whole", place / "unended")
    for file in run_folder.glob("TOK-*"):
        file.unlink()
    (run_folder / "samples" / "step-000006" / "1.png").unlink()
    more = run(place, "train", "--resume", "unended")
    assert more.exit_code == 0, more.output
    for file in ("TOK-tiny-klein-6.safetensors", "TOK-tiny-klein-6.effect.png", "samples/step-000006/1.png"):
        assert (run_folder / file).read_bytes() == (place / "whole" / file).read_bytes()
    assert losses(run_folder) == losses(place / "whole")


def start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    """A run of many steps in a process of its own, past its first checkpoint."""
    words = ["train", "cats", "--base", "tiny-klein", "--out", out, "--set", "steps=2000"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", "from albumkit.cli.main import run; run()", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not list((folder / out / "checkpoints").glob("step-*")) and process.poll() is None:
        time.sleep(0.05)
    return process


def test_killed_run_loses_only_what_came_after_its_checkpoint(place: Path) -> None:
    process = start(place, "killed")
    process.kill()
    process.communicate()
    steps = [int(one.name[-6:]) for one in (place / "killed" / "checkpoints").glob("step-*")]
    document = json.loads((place / "killed" / "run.json").read_text())
    document["knobs"]["steps"] = max(steps) + 1
    (place / "killed" / "run.json").write_text(json.dumps(document))
    with open(place / "killed" / "metrics.jsonl", "a") as metrics:
        metrics.write('{"step": 1999, "loss"')
    more = run(place, "train", "--resume", "killed")
    assert more.exit_code == 0, more.output
    assert [step for step, _ in losses(place / "killed")] == list(range(1, max(steps) + 2))
    both = zip(losses(place / "killed"), losses(place / "whole"), strict=False)
    assert all(one == other for one, other in both)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_interrupted_run_is_saved_and_says_how_to_go_on(place: Path) -> None:
    process = start(place, "stopped")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    last = losses(place / "stopped")[-1][0]
    assert f"stopped, step {last} is saved" in said.decode()
    assert "albumkit train --resume stopped" in said.decode()
    assert (place / "stopped" / "checkpoints" / f"step-{last:06d}" / "state.json").is_file()


def test_second_interrupt_tells_what_is_saved(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("albumkit.training.train", stop)
    shutil.copytree(place / "whole", place / "half way")
    early = run(place, "train", "cats", "--out", "early").stderr
    assert early.endswith("stopped before a step was saved\n  do   albumkit train --resume early\n")
    late = run(place, "train", "--resume", "half way", "--steps", "9").stderr
    assert late.endswith('stopped, step 6 is saved\n  do   albumkit train --resume "half way"\n')


def test_changed_album_is_named_picture_by_picture(place: Path) -> None:
    shutil.copytree(place / "whole", place / "changed")
    shutil.copytree(place / "cats", place / "other-cats")
    document = json.loads((place / "changed" / "run.json").read_text())
    document["album"] = (place / "other-cats").as_posix()
    (place / "changed" / "run.json").write_text(json.dumps(document))
    (place / "other-cats" / "b.txt").write_text("a photo of TOK cat in the rain")
    for file in ("c.png", "c.txt", "masks/c.png"):
        (place / "other-cats" / file).unlink()
    refused = run(place, "train", "--resume", "changed", "--steps", "8")
    assert isinstance(refused.exception, AlbumkitError)
    assert refused.exception.message.endswith(
        "is not what the run began with: c is gone; b: another caption."
    )
    assert refused.exception.remedy == "albumkit train --resume changed --accept-album-changes"
    accepted = run(place, "train", "--resume", "changed", "--steps", "8", "--accept-album-changes")
    assert accepted.exit_code == 0, accepted.output
    assert "3 examples" in accepted.output


def test_plan_leaves_nothing_behind(place: Path) -> None:
    before = sorted(place.iterdir())
    plan = run(place, "train", "cats", "--plan", "--format", "json")
    assert plan.exit_code == 0, plan.output
    document = json.loads(plan.output)
    assert document["modules"] == {"double": 12, "single": 4}
    assert document["trainable"] == 17408
    assert [one["root"] for one in document["examples"]] == list("abcd")
    assert sorted(place.iterdir()) == before


def test_events_are_json_lines(place: Path) -> None:
    done = run(place, "train", "cats", "--out", "events", "--set", "steps=2", "--format", "json")
    assert done.exit_code == 0, done.output
    documents = [json.loads(line) for line in done.output.splitlines()]
    assert [one.get("event") for one in documents if one.get("event") != "encoded"] == [
        *("encoding", "tried", "sample", "step", "step", "checkpoint", "sample"),
        None,
    ]
    encoded = [(one["done"], one["of"]) for one in documents if one.get("event") == "encoded"]
    assert encoded == [(number, 10) for number in range(1, 11)]
    assert documents[-1]["schema"] == "albumkit-trained/1"
    assert documents[-1]["loads"]["comfy"] == "full"
    assert documents[-1]["effect"]["ok"] is True


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Name an album to train on, or a run with --resume."),
        (("cats", "--steps", "3"), "--steps belongs to --resume."),
        (("--resume", "whole", "--set", "rank=8"), "--resume goes on with the settings of the run."),
        (("--resume", "cats"), "--resume cats: that is no run: it has no run.json."),
        (("cats",), "Which base? This machine has bases: "),
        (("cats", "--base", "nobody/knows-this"), "nobody/knows-this is not on this machine."),
        (
            ("cats", "--base", "cats"),
            "--base cats: there is no model_index.json in it, and no diffusion_models.",
        ),
        (("cats", "--base", "tiny-klein", "--out", "whole"), "whole is there already."),
        (
            ("cats", "--base", "tiny-klein", "--trainer", "fal-ai/krea"),
            "--trainer fal-ai/krea is not this machine.",
        ),
    ],
)
def test_wrong_use_is_told(place: Path, words: tuple[str, ...], message: str) -> None:
    result = run(place, "train", *words, base=False)
    assert isinstance(result.exception, AlbumkitError)
    assert message in result.exception.message


def test_hosted_trainer_of_the_album_is_pointed_to_pack(place: Path) -> None:
    album = place / "hosted"
    shutil.copytree(place / "cats", album)
    (album / "album.toml").write_text('[train]\ntrainer = "fal-ai/flux-2-klein-9b-base-trainer"\n')
    result = run(place, "train", "hosted")
    assert isinstance(result.exception, AlbumkitError)
    assert result.exception.remedy.splitlines() == [
        "albumkit pack hosted   makes the archive for it",
        "albumkit train hosted --trainer local   trains here",
    ]


def test_missing_masks_stop_before_anything_is_made(place: Path) -> None:
    album = place / "bare"
    shutil.copytree(place / "cats", album)
    (album / "masks" / "a.png").unlink()
    result = run(place, "train", "bare", "--out", "never")
    assert isinstance(result.exception, AlbumkitError)
    assert result.exception.message == "1 of 4 examples have no mask, and create_masks is on: a."
    assert result.exception.remedy.splitlines() == [
        "albumkit mask bare   makes them",
        "albumkit train bare --prepare   makes them for this run alone",
        "albumkit train bare --set create_masks=false   learns the pictures whole",
    ]
    assert not (place / "never" / "run.json").exists()


def test_generate_uses_the_adapter_and_misses_the_trigger(place: Path) -> None:
    adapter = ("--adapter", "whole/TOK-tiny-klein-6.safetensors")
    size = ("--size", "64x48")
    pictures = {}
    for name, more in (
        ("with", adapter),
        ("again", adapter),
        ("off", (*adapter, "--scale", "0")),
        ("without", ()),
    ):
        result = run(place, "generate", "a dog", *size, *more, "--out", f"{name}.png")
        assert result.exit_code == 0, result.output
        assert ("the prompt lacks TOK" in result.output) is ("--adapter" in more)
        with Image.open(place / f"{name}.png") as picture:
            assert picture.size == (64, 48)
            pictures[name] = picture.tobytes()
    assert pictures["with"] == pictures["again"]
    assert pictures["off"] == pictures["without"]
    assert pictures["with"] != pictures["without"]


def test_picture_that_does_not_fit_the_card_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_rest: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("albumkit.engine.generate.sample_latents", short)
    result = run(place, "generate", "a dog", "--size", "64x48", "--out", "never.png")
    assert isinstance(result.exception, AlbumkitError)
    assert result.exception.message.endswith("the memory of the graphics card is not enough.")
    assert "smaller --size" in result.exception.remedy
    assert not (place / "never.png").exists()


def test_size_that_is_no_whole_number_of_tokens_is_told(place: Path) -> None:
    result = run(place, "generate", "a dog", "--size", "70x64")
    assert isinstance(result.exception, AlbumkitError)
    assert result.exception.remedy == "--size 64x64"
