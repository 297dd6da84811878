"""Which base a name means, what its headers tell, and what is forecast from them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine_runs import Bench, open_bench

from albumkit.config import Config
from albumkit.engine import checkpoint, data, lora, memory
from albumkit.engine.base import find_base
from albumkit.engine.knobs import Knobs, Prompt
from albumkit.engine.machine import Machine, find_machine
from albumkit.engine.stage import Stage
from albumkit.engine.survey import bases_here
from albumkit.errors import AlbumkitError, UsageError
from albumkit.facts.training import training_side
from albumkit.settings import resolve

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

ACCEPT = (
    "(accept the FLUX Non-Commercial License on "
    "https://huggingface.co/black-forest-labs/FLUX.2-klein-base-9B first, then hf auth login)"
)
GATED = "black-forest-labs/FLUX.2-klein-base-9B"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return open_bench(tmp_path_factory.mktemp("base"))


def test_headers_tell_what_the_model_is(bench: Bench) -> None:
    base, transformer = bench.base, bench.base.load("transformer")
    assert base.text_length == 64
    assert base.pixels_per_token == 16
    assert base.parameters("transformer") == sum(p.numel() for p in transformer.parameters())
    names = set(lora.linears(transformer))
    assert {name for name in base.linears("transformer") if name in names} == names
    assert not any(p.requires_grad for p in transformer.parameters())


@pytest.mark.parametrize(
    ("target", "single", "double"), [("all", 4, 12), ("attention", 4, 8), ("fal", 2, 12)]
)
def test_targets_match_whole_names(bench: Bench, target: str, single: int, double: int) -> None:
    names = list(bench.base.linears("transformer"))
    found = lora.find_modules(names, bench.base.family, target)
    assert {kind: len(some) for kind, some in found.items()} == {"double": double, "single": single}
    assert not any("modulation" in name or "norm" in name for some in found.values() for name in some)


def test_block_without_a_match_is_an_error(bench: Bench) -> None:
    names = [name for name in bench.base.linears("transformer") if not name.startswith("single")]
    with pytest.raises(AlbumkitError, match="target = all matches no module in the single blocks"):
        lora.find_modules(names, bench.base.family, "all")


def test_adapter_starts_alike_from_a_seed(bench: Bench) -> None:
    one, two, other = bench.loop(seed=1), bench.loop(seed=1), bench.loop(seed=2)
    same = [torch.equal(p, two.parameters[n]) for n, p in one.parameters.items()]
    assert all(same)
    assert not all(torch.equal(p, other.parameters[n]) for n, p in one.parameters.items())
    assert not any(p.detach().any() for n, p in one.parameters.items() if ".lora_B." in n)


def test_fingerprint_is_of_content_not_of_place(bench: Bench, tmp_path: Path) -> None:
    copy = tmp_path / "another-name"
    shutil.copytree(bench.base.folder, copy)
    moved = find_base(copy.as_posix())
    assert moved.fingerprint("vae") == bench.base.fingerprint("vae")
    config = json.loads((copy / "vae" / "config.json").read_text())
    (copy / "vae" / "config.json").write_text(json.dumps({**config, "batch_norm_eps": 0.1}))
    assert moved.fingerprint("vae") != bench.base.fingerprint("vae")
    assert moved.fingerprint("text_encoder") == bench.base.fingerprint("text_encoder")


def test_base_in_the_cache_of_the_hub_is_found(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "models--black-forest-labs--FLUX.2-klein-base-4B"
    shutil.copytree(bench.base.folder, repository / "snapshots" / "0123abcd")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abcd")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("black-forest-labs/FLUX.2-klein-base-4B", "flux2-klein-4b"):
        found = find_base(name)
        assert found.id == "flux2-klein-4b"
        assert found.licence == "Apache 2.0"
        assert found.text_length == 64
    assert "black-forest-labs/FLUX.2-klein-base-4B" in bases_here()
    shutil.copytree(repository, tmp_path / "models--somebody--tuned")
    tuned = find_base("somebody/tuned")
    assert (tuned.id, tuned.name, tuned.title) == ("tuned", "somebody/tuned", "somebody/tuned")


def test_no_path_of_this_machine_gets_into_a_file(bench: Bench) -> None:
    assert str(bench.base.folder) == bench.base.asked
    assert bench.base.name == bench.base.id == bench.base.title == "tiny-klein"
    label = checkpoint.header_texts(
        knobs=bench.knobs(), base=bench.base, album_hash="", captions={"a": 1}, version=""
    )
    assert not any(str(bench.base.folder.parent) in text for text in label.values())


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("black-forest-labs/FLUX.2-klein-base-4B", "hf download black-forest-labs/FLUX.2-klein-base-4B"),
        (GATED, f"hf download {GATED}   {ACCEPT}"),
        ("somebody/klein-9b-tuned", "hf download somebody/klein-9b-tuned"),
    ],
)
def test_missing_base_names_the_command_that_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, remedy: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(AlbumkitError) as caught:
        find_base(name)
    assert caught.value.message == f"{name} is not on this machine."
    assert caught.value.remedy == remedy


def test_download_that_broke_off_is_told_and_not_listed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the hub leaves it: shards that are not there yet, a name whose blob still ends in .incomplete."""
    name = "black-forest-labs/FLUX.2-klein-base-4B"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--black-forest-labs--FLUX.2-klein-base-4B" / "snapshots" / "0123abcd"
    shutil.copytree(bench.base.folder, snapshot)
    encoder = snapshot / "text_encoder"
    shards = [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    (encoder / "model.safetensors").rename(encoder / shards[0])
    (encoder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict(enumerate(shards))}))
    with pytest.raises(AlbumkitError) as caught:
        find_base(name)
    assert caught.value.message == (
        f"{name} is not whole on this machine: text_encoder/{shards[1]} is missing, and 1 more."
    )
    assert caught.value.remedy == f"hf download {name}"
    assert name not in bases_here()
    for shard in shards[1:]:
        shutil.copy(encoder / shards[0], encoder / shard)
    assert find_base(name).weights("text_encoder") == [encoder / shard for shard in shards]
    weights = snapshot / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.rename(tmp_path / "blob.incomplete")
    with contextlib.suppress(OSError):  # Windows without the right to make links: the file is not there
        weights.symlink_to(tmp_path / "blob")
    with pytest.raises(AlbumkitError, match=r"transformer/diffusion_pytorch_model\.safetensors is missing\."):
        find_base(name)


def test_file_that_was_cut_short_is_told_before_anything_is_loaded(bench: Bench, tmp_path: Path) -> None:
    shutil.copytree(bench.base.folder, tmp_path / "cut")
    file = tmp_path / "cut" / "transformer" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    base = find_base(str(tmp_path / "cut"))
    with pytest.raises(AlbumkitError, match="it is cut short"):
        memory.forecast(base, bench.knobs(), bench.placed, bench.machine)


def test_pipeline_that_cannot_be_trained_is_told(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "WanPipeline"}')
    with pytest.raises(UsageError, match="A base of the pipeline WanPipeline cannot be trained yet"):
        find_base(tmp_path.as_posix())


def test_broken_weights_are_told(bench: Bench, tmp_path: Path) -> None:
    shutil.copytree(bench.base.folder, tmp_path / "broken")
    (tmp_path / "broken" / "transformer" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(AlbumkitError) as caught:
        find_base((tmp_path / "broken").as_posix())
    words = "broken is not whole on this machine: transformer/diffusion_pytorch_model.safetensors is missing."
    assert caught.value.message.endswith(words)


def test_torch_without_cuda_beside_an_nvidia_card_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(AlbumkitError, match="installed without CUDA") as caught:
        find_machine(nvidia=True)
    assert caught.value.remedy.startswith("pip install --force-reinstall torch --index-url ")
    assert find_machine(nvidia=False).dtype == torch.float32
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(AlbumkitError, match=r"built for CUDA 13\.0, for which the driver may be too old"):
        find_machine(nvidia=True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert find_machine(nvidia=True).dtype == torch.float32


def test_forecast_counts_and_advises(bench: Bench) -> None:
    knobs = bench.knobs(batch_size=2)
    found = memory.forecast(bench.base, knobs, bench.placed, bench.machine)
    parameters = bench.loop().parameters
    assert found.trainable == sum(p.numel() for p in parameters.values())
    assert found.weights == 4 * bench.base.parameters("transformer")
    assert found.adapter == 4 * 4 * found.trainable  # itself, its gradient and two moments, in fp32
    assert found.tokens == 2 * (16 + 64)
    assert found.fits
    error = memory.explain_shortage(bench.base, knobs, found, bench.machine)
    assert error.message.startswith("Out of memory: this training needs about ")
    for knob in ("batch_size=1", "resolution=48", "rank=2"):
        assert f"--set {knob} (saves about " in error.remedy


def test_input_pictures_count_as_tokens(bench: Bench) -> None:
    first, *rest = bench.placed
    pair = dataclasses.replace(first, item=dataclasses.replace(first.item, inputs=(first.item.target,) * 2))
    found = memory.forecast(bench.base, bench.knobs(), [pair, *rest], bench.machine)
    assert found.tokens == 3 * 16 + 64


def test_what_does_not_fit_is_computed_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "room", lambda self: memory._OVERHEAD + 4_000_000)
    knobs = bench.knobs(batch_size=8)
    tight = memory.forecast(bench.base, knobs, bench.placed, bench.machine)
    assert tight.checkpointing
    monkeypatch.undo()
    roomy = memory.forecast(bench.base, knobs, bench.placed, bench.machine)
    assert not roomy.checkpointing
    assert tight.activations < roomy.activations


def test_computed_twice_attention_takes_four_more_of_fourteen_products(bench: Bench) -> None:
    huge = [dataclasses.replace(bench.placed[0], bucket=data.Bucket(32_000, 32_000))]
    once = memory.forecast(bench.base, bench.knobs(), huge, bench.machine)
    twice = memory.computed_twice(bench.base, bench.knobs(), once, bench.machine)
    assert twice.step_seconds / once.step_seconds == pytest.approx(18 / 14, rel=0.01)


def test_checkpointing_changes_no_gradient(bench: Bench) -> None:
    plain, saving = bench.loop(), bench.loop()
    saving.transformer.enable_gradient_checkpointing()
    for _ in range(2):
        one, other = plain.run_step(), saving.run_step()
        assert (one.loss, one.gradient) == pytest.approx((other.loss, other.gradient), rel=1e-6)


def test_autoencoder_is_fp32_whatever_the_machine_counts_in(bench: Bench) -> None:
    stage = Stage(bench.base, Machine(torch.device("cpu"), torch.bfloat16))
    assert stage.vae().dtype == torch.float32
    assert stage.transformer().dtype == torch.bfloat16


def test_text_encoder_is_let_go(bench: Bench) -> None:
    stage = Stage(bench.base, bench.machine)
    stage.text()
    stage.drop_text()
    stage.transformer()
    assert set(stage._loaded) == {"transformer"}


@pytest.mark.parametrize(("free", "transformer"), [(10**9, "cuda"), (1000, "cpu")])
def test_transformer_leaves_the_card_only_where_decoding_has_no_room(free: int, transformer: str) -> None:
    where: dict[str, str] = {}

    class Part:
        def __init__(self, name: str) -> None:
            self.name, where[name] = name, "cuda"

        def to(self, device: object) -> Part:
            where[self.name] = str(device)
            return self

    base = SimpleNamespace(
        load=lambda part, *rest: Part(part),
        parameters=lambda part: 1000,
        config=lambda part: {"block_out_channels": (8, 16)},
    )
    machine = SimpleNamespace(
        device=torch.device("cuda"), dtype=torch.bfloat16, room=lambda: free, free=lambda: None
    )
    stage = Stage(base, machine)  # type: ignore[arg-type]
    stage.vae()
    stage.transformer()
    assert where == {"vae": "cpu", "transformer": "cuda"}
    stage.vae(64 * 64)
    assert where == {"vae": "cuda", "transformer": transformer}
    stage.transformer()
    assert where == {"vae": "cpu", "transformer": "cuda"}


def test_what_is_loaded_while_encoding_can_be_moved_to_the_card_and_back(bench: Bench) -> None:
    """Parameters made in inference mode could not."""
    stage = Stage(bench.base, bench.machine)
    encoder = data.Encoder(bench.base, bench.machine, data.Cache(None))
    encoder.texts(["a TOK"], stage.text)
    encoder.pictures(bench.pack, bench.placed, bench.knobs(), stage.vae)
    assert set(stage._loaded) == {"text_encoder", "tokenizer", "vae"}
    for part in ("text_encoder", "vae"):
        assert not any(p.is_inference() for p in stage._loaded[part].parameters()), part


def test_text_encoder_without_room_runs_from_host_memory_to_the_same_bits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "room", lambda self: 1)
    stage = Stage(bench.base, bench.machine)
    texts = data.Encoder(bench.base, bench.machine, data.Cache(None)).texts(["a TOK", ""], stage.text)
    assert all(p.device.type == "meta" for p in stage.text()[0].parameters())
    monkeypatch.undo()
    roomy = data.Encoder(bench.base, bench.machine, data.Cache(None))
    expected = roomy.texts(["a TOK", ""], Stage(bench.base, bench.machine).text)
    for text, values in texts.items():
        assert torch.equal(values, expected[text]), text


def test_disk_counts_each_checkpoint_that_is_kept(bench: Bench) -> None:
    def disk(**knobs: Any) -> int:
        return memory.forecast(bench.base, bench.knobs(**knobs), bench.placed, bench.machine).disk

    one = memory.forecast(bench.base, bench.knobs(), bench.placed, bench.machine).trainable * 4 * 4
    four = disk(steps=4, save_every=2, keep=None)  # after 2 and 4
    assert disk(steps=5, save_every=2, keep=None) - four == one  # and at the end
    assert four - disk(steps=4, save_every=2, keep=1) == one


def test_knobs_that_follow_from_others() -> None:
    def knobs(**given: Any) -> Knobs:
        asked = {"base": "tiny", "rank": 4, "seed": 5, **given}
        return Knobs.of(resolve(Config(), guessed_kind="subject", trainer="local", overrides=asked), 64)

    assert (knobs().alpha, knobs(alpha=2).alpha) == (4.0, 2.0)
    asked = [{"prompt": "a"}, {"prompt": "b", "seed": 1}, {"prompt": "c"}]
    assert knobs(validation=asked).prompts == (Prompt("a", 5), Prompt("b", 1), Prompt("c", 7))


def test_resolution_is_the_base_s_own_unless_somebody_says(bench: Bench) -> None:
    assert Knobs.of(bench.settings, 128).resolution == 64
    default = dataclasses.replace(bench.settings.knobs["resolution"], value=1024, origin="trainer default")
    unset = dataclasses.replace(bench.settings, knobs={**bench.settings.knobs, "resolution": default})
    assert Knobs.of(unset, 128).resolution == 128
    assert Knobs.of(unset, 2048).resolution == 1024


@pytest.mark.parametrize(
    ("knobs", "side"),
    [
        ({"base": "pocket"}, 128),
        ({"base": "pocket", "resolution": 256}, 256),
        ({"base": "flux2-klein-4b"}, 1024),
        ({"base": "a/folder"}, 1024),
    ],
)
def test_lint_judges_pictures_by_the_side_that_is_trained_at(knobs: dict[str, object], side: int) -> None:
    settings = resolve(Config(), guessed_kind="subject", trainer="local", overrides=knobs)
    assert training_side(settings, settings.trainer) == side
