"""The loop: what is masked counts less, chance follows content, what is no number stops it, a resume goes on
exactly.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from engine_runs import Bench, open_bench

from albumkit.engine import checkpoint
from albumkit.engine.data import Bucket
from albumkit.engine.loop import NotFinite, rate_at
from albumkit.engine.machine import Machine
from albumkit.engine.objective import draw_sigma, masked_loss, shift_of
from albumkit.errors import AlbumkitError

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

LABEL = checkpoint.Label("tiny", {"albumkit": "test"})


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return open_bench(tmp_path_factory.mktemp("loop"), masks=True)


def test_loss_falls(bench: Bench) -> None:
    loop = bench.loop(learning_rate=1e-2, batch_size=4)
    losses = [loop.run_step().loss for _ in range(40)]
    assert sum(losses[-8:]) < 0.8 * sum(losses[:8])


def test_adapter_learns_in_fp32_beside_a_base_in_bf16(bench: Bench) -> None:
    half = dataclasses.replace(bench, machine=Machine(torch.device("cpu"), torch.bfloat16))
    loop, exact = half.loop(learning_rate=1e-2, batch_size=4), bench.loop(learning_rate=1e-2, batch_size=4)
    assert {p.dtype for p in loop.transformer.parameters()} == {torch.bfloat16, torch.float32}
    assert {p.dtype for p in loop.parameters.values()} == {torch.float32}
    for _ in range(6):
        one, other = loop.run_step(), exact.run_step()
        assert one.loss == pytest.approx(other.loss, rel=0.02)
    assert one.loss != other.loss
    assert {moments["exp_avg"].dtype for moments in loop.optimizer.state.values()} == {torch.float32}


def test_masked_loss_is_a_weighted_mean_of_each_example() -> None:
    prediction, target = torch.zeros(2, 3, 1, 2), torch.zeros(2, 3, 1, 2)
    prediction[0, :, 0, 0], prediction[0, :, 0, 1] = 2.0, 1.0
    prediction[1] = 3.0
    weight = torch.tensor([[[[1.0, 0.5]]], [[[0.1, 0.1]]]])
    assert masked_loss(prediction, target, weight).tolist() == pytest.approx([(4 + 0.5) / 1.5, 9.0])
    assert masked_loss(prediction, target).tolist() == pytest.approx([2.5, 9.0])


def test_masks_reach_the_loss(bench: Bench) -> None:
    masked, plain = bench.loop(), bench.loop()
    plain.material = type(plain.material)(
        plain.material.latents, plain.material.references, dict.fromkeys("abcd"), plain.material.texts
    )
    assert masked.noise(masked.draw()).weight is not None
    assert plain.noise(plain.draw()).weight is None
    assert masked.run_step().loss != plain.run_step().loss


def test_dropped_caption_is_the_empty_prompt_and_changes_no_other_chance(bench: Bench) -> None:
    kept, dropped, half = (bench.loop(caption_dropout=share, batch_size=4) for share in (0.0, 1.0, 0.5))
    one, other, third = (loop.noise(loop.draw()) for loop in (kept, dropped, half))
    assert torch.equal(one.noise, other.noise)
    assert torch.equal(one.sigma, other.sigma)
    empty = bench.material.texts[""]
    assert all(torch.equal(text, empty) for text in other.text)
    assert not any(torch.equal(text, empty) for text in one.text)
    looks = [half.noise(half.draw()) for _ in range(10)]
    share = sum(torch.equal(text, empty) for batch in [third, *looks] for text in batch.text) / 44
    assert 0.2 < share < 0.8


@pytest.mark.parametrize("part", ["loss", "gradient"])
def test_no_number_stops_before_anything_moves(bench: Bench, part: str) -> None:
    loop = bench.loop()
    loop.run_step()
    before = {name: p.detach().clone() for name, p in loop.parameters.items()}
    if part == "loss":
        loop.material = type(loop.material)(
            {root: torch.full_like(t, float("nan")) for root, t in bench.material.latents.items()},
            loop.material.references,
            loop.material.weights,
            loop.material.texts,
        )
        words = r"Step 2: the loss of [abcd] is nan at sigma 0\.\d{4} in float32\."
    else:
        next(iter(loop.parameters.values())).register_hook(lambda grad: grad * float("inf"))
        words = r"Step 2: the gradient is (nan|inf) after [abcd] at sigma 0\.\d{4} in float32\."
    with pytest.raises(NotFinite, match=words):
        loop.run_step()
    assert loop.step == 1
    for name, parameter in loop.parameters.items():
        assert torch.equal(before[name], parameter.detach())
    assert part == "loss" or all(parameter.grad is None for parameter in loop.parameters.values())


def test_rate_decay_and_clipping_reach_the_optimizer(bench: Bench) -> None:
    loop = bench.loop(learning_rate=0.5, warmup_steps=2, weight_decay=0.2, max_grad_norm=1e-3)
    before = {name: p.detach().clone() for name, p in loop.parameters.items()}
    report = loop.run_step()
    assert report.rate == 0.25
    for name, parameter in loop.parameters.items():
        if ".lora_A." in name:  # beside a B of zeros it has no gradient: what it loses is the decay
            torch.testing.assert_close(parameter.detach(), before[name] * (1 - 0.25 * 0.2))
    moments = [state["exp_avg"].pow(2).sum() for state in loop.optimizer.state.values()]
    assert float(sum(moments)) ** 0.5 == pytest.approx(0.1 * 1e-3, rel=0.01)  # a tenth of the clipped one
    assert report.gradient > 1e-3
    assert loop.run_step().rate == 0.5


def test_example_without_a_mask_counts_whole_beside_one_with(bench: Bench) -> None:
    loop = bench.loop(batch_size=4)
    weights = {**loop.material.weights, "b": None}
    loop.material = dataclasses.replace(loop.material, weights=weights)
    batch = loop.noise(loop.draw())
    assert batch.weight is not None
    for look, weight in zip(batch.looks, batch.weight, strict=True):
        own = weights[look.placed.item.root]
        assert torch.equal(weight, torch.ones_like(weight) if own is None else own)


def test_adapter_begins_as_its_seed_says_and_as_peft_would(bench: Bench) -> None:
    one, same, other = (bench.loop(seed=seed).parameters for seed in (1, 1, 2))
    for name, parameter in one.items():
        assert torch.equal(parameter, same[name])
        if ".lora_A." in name:
            assert not torch.equal(parameter, other[name])
            bound = parameter.shape[1] ** -0.5  # kaiming_uniform_ with a = sqrt(5)
            assert 0.8 * bound < float(parameter.detach().abs().max()) <= bound
        else:
            assert not parameter.any()


def test_adapter_that_is_switched_off_changes_nothing(bench: Bench) -> None:
    loop = bench.loop(learning_rate=0.05)
    batch = loop.noise(loop.draw())
    with torch.no_grad():
        plain = loop.predict(batch)
    loop.run_step()
    with torch.no_grad():
        assert not torch.equal(loop.predict(batch), plain)
        for module in loop.transformer.modules():
            if hasattr(module, "disable_adapters") and hasattr(module, "base_layer"):
                module.enable_adapters(False)
        assert torch.equal(loop.predict(batch), plain)


def test_what_is_tried_is_a_whole_batch_of_the_largest_size(bench: Bench) -> None:
    placed = list(bench.placed)
    placed[2] = dataclasses.replace(placed[2], bucket=Bucket(80, 80))
    loop, looked = dataclasses.replace(bench, placed=placed).loop(batch_size=3), []
    noise = loop.noise
    loop.noise = lambda looks: looked.append(looks) or noise(looks)
    loop.try_largest()
    assert [look.placed for look in looked[0]] == [placed[2]] * 3
    assert all(parameter.grad is None for parameter in loop.parameters.values())


def test_run_that_goes_on_is_the_run_that_never_stopped(bench: Bench, tmp_path: Path) -> None:
    knobs = {"accumulation": 2, "caption_dropout": 0.3, "lr_schedule": "cosine", "warmup_steps": 3}
    whole = bench.loop(**knobs)
    expected = [whole.run_step() for _ in range(8)]
    first = bench.loop(**knobs)
    for _ in range(5):
        first.run_step()
    saved = checkpoint.save(tmp_path, first, LABEL)
    second = bench.loop(step=5, **knobs)
    checkpoint.restore(saved, second)
    for report in expected[5:]:
        now = second.run_step()
        assert (now.loss, now.gradient, now.rate, now.roots) == (
            report.loss,
            report.gradient,
            report.rate,
            report.roots,
        )
    for name, parameter in whole.parameters.items():
        assert torch.equal(parameter, second.parameters[name]), name


def test_checkpoint_of_another_rank_is_refused(bench: Bench, tmp_path: Path) -> None:
    saved = checkpoint.save(tmp_path, bench.loop(), LABEL)
    with pytest.raises(AlbumkitError, match="belongs to another adapter"):
        checkpoint.restore(saved, bench.loop(rank=2))


@pytest.mark.parametrize("form", ["diffusers", "comfy", "fal"])
@pytest.mark.parametrize("alpha", [4.0, 8.0])
def test_saved_is_what_was_trained_in_each_naming(
    bench: Bench, tmp_path: Path, form: str, alpha: float
) -> None:
    loop = bench.loop(output_lora_format=form, alpha=alpha)
    for _ in range(3):
        loop.run_step()
    saved = checkpoint.save(tmp_path, loop, LABEL)
    assert saved.adapter.name == "TOK-tiny-3.safetensors"
    assert [file.name for file in sorted(saved.folder.iterdir())] == [
        "TOK-tiny-3.safetensors",
        "state.json",
        "state.safetensors",
    ]
    other = bench.loop(alpha=4.0)
    checkpoint.read_adapter(saved.adapter, other.parameters)
    for name, parameter in loop.parameters.items():
        scale = alpha / 4 if ".lora_B." in name else 1
        assert torch.equal(parameter * scale, other.parameters[name]), name
    batch = loop.noise(loop.draw())
    with torch.no_grad():
        torch.testing.assert_close(loop.predict(batch), other.predict(batch))


@pytest.mark.parametrize("form", ["diffusers", "comfy", "fal"])
def test_diffusers_loads_the_file_and_predicts_the_same(bench: Bench, tmp_path: Path, form: str) -> None:
    loop = bench.loop(output_lora_format=form, learning_rate=0.05, warmup_steps=0)
    for _ in range(3):
        loop.run_step()
    saved = checkpoint.save(tmp_path, loop, LABEL)
    batch = loop.noise(loop.draw())
    with torch.no_grad():
        ours = loop.predict(batch)
        pipe = bench.pipeline()
        plain = bench.base.family.predict(pipe.transformer, *_asked(batch))
        pipe.load_lora_weights(str(saved.adapter))
        loaded = bench.base.family.predict(pipe.transformer, *_asked(batch))
    torch.testing.assert_close(loaded, ours, rtol=1e-4, atol=1e-5)
    assert (plain - ours).abs().max() > 1e-3


def _asked(batch: object) -> tuple[object, ...]:
    level = batch.sigma.view(-1, 1, 1, 1)
    return (1 - level) * batch.image + level * batch.noise, batch.sigma, batch.text


def test_only_the_newest_are_kept_and_halves_do_not_count(bench: Bench, tmp_path: Path) -> None:
    loop = bench.loop(keep=2)
    for _ in range(3):
        loop.run_step()
        checkpoint.save(tmp_path, loop, LABEL)
    assert [one.step for one in checkpoint.all_checkpoints(tmp_path)] == [2, 3]
    (tmp_path / "checkpoints" / "step-000004").mkdir()
    (tmp_path / "checkpoints" / ".step-000005.partial").mkdir()
    assert [one.step for one in checkpoint.all_checkpoints(tmp_path)] == [2, 3]


def test_checkpoint_whose_removal_was_cut_short_does_not_count(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    loop = bench.loop(keep=1)
    loop.run_step()
    checkpoint.save(tmp_path, loop, LABEL)
    loop.run_step()
    monkeypatch.setattr("shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path, loop, LABEL)
    assert (tmp_path / "checkpoints" / "step-000001").is_dir()
    assert [one.step for one in checkpoint.all_checkpoints(tmp_path)] == [2]


def test_learning_rate_warms_up_and_sinks(bench: Bench) -> None:
    knobs = bench.knobs(steps=12, warmup_steps=2, lr_schedule="cosine", learning_rate=1.0)
    rates = [rate_at(knobs, step) for step in range(12)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[7] == pytest.approx(0.5)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    constant = bench.knobs(warmup_steps=0, lr_schedule="constant", learning_rate=1.0)
    assert [rate_at(constant, step) for step in (0, 5)] == [1.0, 1.0]


@pytest.mark.parametrize(("sampling", "median"), [("uniform", 0.5), ("logit-normal", 0.5), ("shifted", 0.76)])
def test_noise_levels_lean_as_they_should(sampling: str, median: float) -> None:
    chance = torch.Generator().manual_seed(0)
    levels = sorted(draw_sigma(sampling, 4096, chance) for _ in range(2001))
    assert levels[1000] == pytest.approx(median, abs=0.03)
    assert 0 <= levels[0] < levels[-1] <= 1


def test_shift_follows_the_size_of_the_picture() -> None:
    assert (shift_of(256), shift_of(4096)) == (0.5, 1.15)
