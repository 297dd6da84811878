"""The engine against a reference assembled from diffusers' public parts, on a base of the real classes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from engine_runs import Bench, open_bench, picture

from albumkit.engine import data

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return open_bench(tmp_path_factory.mktemp("parity"))


def test_loss_and_gradients_are_those_of_diffusers_parts(bench: Bench) -> None:
    loop = bench.loop(caption_dropout=0.0, batch_size=2)
    for name, parameter in loop.parameters.items():  # a zero B gives A no gradient
        if ".lora_B." in name:
            parameter.data.normal_(std=0.05, generator=torch.Generator().manual_seed(len(name)))
    batch = loop.noise(loop.draw())
    loss = loop.score(batch, loop.predict(batch)).mean()
    loss.backward()
    ours = {name: p.grad.clone() for name, p in loop.parameters.items()}
    loop.optimizer.zero_grad()

    pipe = bench.pipeline()
    pictures = [bench.pixels(look.placed) for look in batch.looks]
    latents = pipe._encode_vae_image(torch.cat(pictures), generator=None)
    captions = [look.placed.item.caption for look in batch.looks]
    words, text_ids = pipe.encode_prompt(captions, max_sequence_length=bench.base.text_length)
    sigma = batch.sigma.view(-1, 1, 1, 1)
    noisy = (1 - sigma) * latents + sigma * batch.noise
    tokens = loop.transformer(
        hidden_states=pipe._pack_latents(noisy),
        timestep=batch.sigma,
        guidance=None,
        encoder_hidden_states=words,
        txt_ids=text_ids,
        img_ids=pipe._prepare_latent_ids(latents),
        return_dict=False,
    )[0]
    reference = (tokens - pipe._pack_latents(batch.noise - latents)).pow(2).mean()
    reference.backward()
    assert loss.item() == pytest.approx(reference.item(), rel=1e-5)
    for name, parameter in loop.parameters.items():
        assert parameter.grad.norm() > 0, name
        torch.testing.assert_close(
            ours[name], parameter.grad, rtol=1e-5, atol=1e-5 * float(parameter.grad.abs().max())
        )


@pytest.mark.parametrize("inputs", [0, 2], ids=["from words", "from words and two pictures"])
def test_sampler_makes_the_picture_of_the_pipeline(bench: Bench, inputs: int) -> None:
    from albumkit.engine.sample import Recipe, sample_latents, to_picture

    pipe = bench.pipeline()
    recipe = Recipe(96, 64, steps=3, guidance=4.0)
    texts = bench.material.texts
    prompt = next(text for text in texts if text)
    vae = bench.base.load("vae")
    pictures = [picture(number, (64 + 32 * number, 64)) for number in range(inputs)]
    with torch.no_grad():
        references = [bench.base.family.encode_image(vae, data.to_pixels(one)) for one in pictures]
    latents = sample_latents(
        pipe.transformer, bench.base, bench.machine, texts[prompt], texts[""], recipe, 5, references
    )
    made = to_picture(bench.base, vae, latents)
    reference = pipe(
        image=pictures or None,
        prompt=prompt,
        width=96,
        height=64,
        num_inference_steps=3,
        guidance_scale=4.0,
        max_sequence_length=bench.base.text_length,
        generator=torch.Generator().manual_seed(5),
    ).images[0]
    assert made.size == reference.size
    differences = [abs(a - b) for a, b in zip(made.tobytes(), reference.tobytes(), strict=True)]
    assert max(differences) <= 1
    assert len(set(made.tobytes())) > 20


def test_distilled_base_is_looked_at_in_few_steps_and_unguided(bench: Bench) -> None:
    from albumkit.engine.sample import Recipe

    quick = dataclasses.replace(bench.base)
    quick.__dict__["index"] = {**bench.base.index, "is_distilled": True}
    assert Recipe.usual(bench.base, 64, 64) == Recipe(64, 64, steps=20, guidance=4.0)
    assert Recipe.usual(quick, 64, 64) == Recipe(64, 64, steps=4, guidance=1.0)


def test_new_adapter_changes_nothing(bench: Bench) -> None:
    loop = bench.loop()
    batch = loop.noise(loop.draw())
    with torch.no_grad():
        with_adapter = loop.predict(batch)
        plain = bench.base.family.predict(
            bench.base.load("transformer"),
            batch.image * (1 - batch.sigma.view(-1, 1, 1, 1)) + batch.noise * batch.sigma.view(-1, 1, 1, 1),
            batch.sigma,
            batch.text,
        )
    assert torch.equal(with_adapter, plain)
    assert plain.abs().max() > 0


def test_batch_of_two_is_accumulation_of_two(bench: Bench) -> None:
    together, after_another = bench.loop(batch_size=2), bench.loop(batch_size=1, accumulation=2)
    for _ in range(3):
        one, other = together.run_step(), after_another.run_step()
        assert one.roots == other.roots
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
        assert one.gradient == pytest.approx(other.gradient, rel=1e-5)


def test_reference_pictures_are_read_and_only_the_target_is_predicted(bench: Bench, tmp_path: Path) -> None:
    transformer = bench.base.load("transformer")
    noisy, sigma, text = torch.randn(1, 16, 4, 4), torch.tensor([0.5]), torch.randn(1, 64, 48)
    sides = [torch.randn(1, 16, 4, 4), torch.randn(1, 16, 2, 4)]
    predict = bench.base.family.predict
    with torch.no_grad():
        alone, with_sides = (
            predict(transformer, noisy, sigma, text),
            predict(transformer, noisy, sigma, text, sides),
        )
        swapped = predict(transformer, noisy, sigma, text, sides[::-1])
    assert with_sides.shape == noisy.shape
    assert not torch.allclose(alone, with_sides)
    assert not torch.allclose(swapped, with_sides)
    pipe = bench.pipeline()
    ids = torch.cat([bench.base.family.image_ids(one, 10 * (n + 1)) for n, one in enumerate(sides)])
    assert torch.equal(ids, pipe._prepare_image_ids(sides)[0])
