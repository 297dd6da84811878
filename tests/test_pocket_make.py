"""The making of pocket: each piece against what the finished model is run with, then all parts once, tiny."""

from __future__ import annotations

import dataclasses
import json
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from albumkit.engine.base import Base, find_base  # noqa: E402
from albumkit.engine.families import flux2  # noqa: E402
from albumkit.engine.machine import quiet  # noqa: E402
from albumkit.engine.pocket.make import lessons, models, plan, tokenizer, training  # noqa: E402
from albumkit.engine.pocket.make.__main__ import main  # noqa: E402
from albumkit.engine.pocket.make.files import load_weights, save_weights  # noqa: E402
from albumkit.engine.pocket.make.text import Tower  # noqa: E402
from albumkit.engine.pocket.world import captions, render, sample  # noqa: E402


@pytest.fixture(scope="module")
def pocket() -> Base:
    torch.set_num_threads(1)
    return find_base("pocket")


def test_tokenizer_is_learned_alike_each_time_and_spells_everything(tmp_path: Path) -> None:
    for name in ("one", "two"):
        tokenizer.make(tmp_path / name, 200)
    files = [tmp_path / name / "tokenizer.json" for name in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()
    made = tokenizer.wrap(files[0])
    for text in ("a photo of TOK ceramic cat", "xQ7_zorp, 3.14!", "Größe 漢字 🐱\n  two"):
        ids = made(text, add_special_tokens=False)["input_ids"]
        assert made.decode(ids) == text
    for mark in tokenizer.SPECIAL:
        assert len(made(mark, add_special_tokens=False)["input_ids"]) == 1


def test_text_path_of_the_making_is_that_of_the_pipeline(pocket: Base) -> None:
    """Hidden states of every token, padding included; and the loss of the next token is transformers' own."""
    from diffusers import Flux2KleinPipeline

    texts = [
        "a photo of TOK cat",
        "a photo of a green pot with stripes on a wooden shelf, overcast light",
        "",
    ]
    with quiet():
        encoder, words = pocket.load("text_encoder", dtype=torch.float32), pocket.load("tokenizer")
        pipe = Flux2KleinPipeline(None, None, encoder, words, None)
    cpu = torch.device("cpu")
    with torch.no_grad():
        theirs, _ = pipe.encode_prompt(texts, max_sequence_length=plan.TEXT_LENGTH)
        ids, lengths = (tensor.long() for tensor in tokenizer.token_ids(words, texts))
        tower = Tower(encoder, compiled=False)
        ours, last, mask = tower.encode(ids, lengths)
        engines = [flux2.encode_text(encoder, words, text, plan.TEXT_LENGTH, cpu)[0] for text in texts]
        language = tower.language_loss(last, mask, ids, lengths)
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        labels = ids.masked_fill(~real, -100)
        reference = encoder(input_ids=ids, attention_mask=real.long(), labels=labels).loss
    assert ours.shape == (3, plan.TEXT_LENGTH, 3 * plan.TEXT_ENCODER["hidden_size"])
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.stack(engines), theirs, rtol=1e-4, atol=1e-4)
    assert language.item() == pytest.approx(reference.item(), rel=1e-4)


def test_shorter_padding_changes_no_word(pocket: Base) -> None:
    with quiet():
        encoder, words = pocket.load("text_encoder", dtype=torch.float32), pocket.load("tokenizer")
    said = captions(sample(3, 6))
    ids, lengths = (tensor.long() for tensor in tokenizer.token_ids(words, said))
    assert int(lengths.max()) <= plan.TEXT_ENOUGH
    tower = Tower(encoder, compiled=False)
    with torch.no_grad():
        whole, enough = (tower.encode(ids[:, :n], lengths)[0] for n in (plan.TEXT_LENGTH, plan.TEXT_ENOUGH))
    real = torch.arange(plan.TEXT_ENOUGH) < lengths[:, None]
    torch.testing.assert_close(whole[:, : plan.TEXT_ENOUGH][real], enough[real], rtol=1e-4, atol=1e-4)


def test_pictures_are_encoded_and_placed_as_the_engine_does(pocket: Base) -> None:
    images = render(sample(4, 2), (48, 32))[0]
    vae = pocket.load("vae", dtype=torch.float32)
    with torch.no_grad():
        latents = flux2.encode_image(vae, models.to_pixels(images))
        mirrored = flux2.encode_image(vae, models.to_pixels(images).flip(3))
    tokens = latents.flatten(2).transpose(1, 2)
    torch.testing.assert_close(models.encode(vae, images), tokens, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        models.encode(vae, images, flip=True), mirrored.flatten(2).transpose(1, 2), rtol=1e-4, atol=1e-5
    )
    assert torch.equal(models.to_uint8(models.to_pixels(images)), images)
    bucket = models.Bucket(sample(4, 2), images)
    lesson = lessons._lesson(bucket, vae, pocket.load("tokenizer"), plan.SMOKE)
    assert torch.equal(lesson.places, flux2.image_ids(latents))
    assert torch.equal(
        lesson.ids[0], tokenizer.token_ids(pocket.load("tokenizer"), captions(bucket.scenes))[0]
    )


@pytest.mark.parametrize(("fall", "last"), [(0.7, 0.0), (1e-6, 2.0)])
def test_rate_warms_up_and_falls_unless_it_is_held(
    monkeypatch: pytest.MonkeyPatch, fall: float, last: float
) -> None:
    """A round of a second whose steps take 10 ms each, by a clock of its own."""
    ticks = count(0.0, 0.01)
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    monkeypatch.setattr(training, "_STARTED", 0.0)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    clock = training.Clock(optimizer, 1.0, warm_up=4, fall=fall)
    rates = []
    for _ in clock.run(1000, 1):
        clock.losses.append(torch.zeros(()))
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert len(rates) == pytest.approx(100, abs=2)
    assert rates[-1] == pytest.approx(last, abs=0.05)
    assert max(rates) == 2.0


def make(root: Path, *parts: str) -> None:
    """Parts by their command, tiny."""
    for words in parts:
        part, *rest = words.split()
        rest = [word if word.startswith("--") else str(root / word) for word in rest]
        with pytest.MonkeyPatch.context() as patch, quiet():
            patch.setattr(sys, "argv", ["make", part, *rest, "--smoke", "--device", "cpu"])
            main()


def figures(folder: Path, part: str) -> dict[str, Any]:
    return json.loads((folder / f"figures-{part}.json").read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, pocket: Base) -> Path:
    """The transformer in two rounds, on the autoencoder that ships."""
    root = tmp_path_factory.mktemp("make")
    save_weights(root / "first", "vae", pocket.load("vae").state_dict())
    make(
        root,
        "tokenizer --out first",
        "lessons --out first --keep kept",
        "transformer --out first --keep kept --hold",
        "transformer --out second --from first --keep kept",
        "folder --out pocket --from first --from second",
    )
    return root


def test_what_was_made_is_a_base(made: Path, pocket: Base) -> None:
    base = find_base(str(made / "pocket"))
    assert base.text_length == 128
    assert base.pixels_per_token == 16
    assert base.parameters("transformer") == figures(made / "first", "transformer")["transformer parameters"]
    assert base.shapes("transformer") == pocket.shapes("transformer")
    assert base.shapes("vae") == pocket.shapes("vae")
    assert (made / "first" / "samples.jpg").stat().st_size > 1000


def test_second_round_goes_on_from_the_first(made: Path) -> None:
    """Its first steps are small: the weights are near the first round's, and not those of a new model."""
    assert figures(made / "second", "transformer-resumed")["steps"] >= 1
    first, second = (load_weights([made / name], "transformer") for name in ("first", "second"))
    name = "single_transformer_blocks.0.attn.to_out.weight"
    torch.manual_seed(0)
    other = models.new_transformer().state_dict()[name]
    moved = (second[name] - first[name]).norm()
    assert moved < 0.1 * (other - first[name]).norm()


def test_kept_lessons_are_used_again_and_only_where_they_fit(made: Path) -> None:
    folders, small = [made / "first"], plan.SMOKE
    (file,) = (made / "kept").iterdir()
    assert lessons.kept(made / "kept", folders, small, 1) == file
    for other in (
        lessons.kept(made / "kept", folders, small, 2),
        lessons.kept(made / "kept", folders, dataclasses.replace(small, pictures=5), 1),
    ):
        assert other != file
    read = lessons.lessons(made / "kept", folders, small, torch.device("cpu"), 1)
    tokens = [h * w // 256 for h, w in plan.BUCKETS]
    assert [tuple(lesson.tokens.shape) for lesson in read] == [(2, 4, count, 128) for count in tokens]


@pytest.mark.slow
def test_every_part_runs(tmp_path: Path) -> None:
    make(
        tmp_path,
        "tokenizer --out first",
        "autoencoder --out first",
        "transformer --out first",
        "judge --out second --from first",
        "captioner --out second --from first",
        "card --out second --from first",
        "folder --out pocket --from first --from second",
    )
    find_base(str(tmp_path / "pocket"))
    assert {"prompts", "steps", "guidance 4", "autoencoder"} == set(figures(tmp_path / "second", "card"))
    assert "identity, drawn" in figures(tmp_path / "second", "judge")
    for file in ("first/autoencoder.jpg", "second/samples-4.jpg"):
        assert (tmp_path / file).stat().st_size > 1000


def test_part_that_misses_an_earlier_one_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["make", "lessons", "--out", str(tmp_path), "--smoke", "--device", "cpu"]
    )
    with pytest.raises(SystemExit, match=r"tokenizer.json is missing: run the part `tokenizer` first"):
        main()
