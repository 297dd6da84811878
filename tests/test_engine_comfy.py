"""A base from ComfyUI's models folder is the base that a folder of diffusers is, to the bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from comfy_files import make_comfy, write
from engine_runs import make_album
from hollow_bases import full_size
from tiny_klein import make_klein

from albumkit.adapter import read_header
from albumkit.engine.base import Base, find_base
from albumkit.engine.comfy.names import pieces_of
from albumkit.engine.survey import bases_here

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def klein(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_klein(tmp_path_factory.mktemp("comfy") / "tiny", real=True)


@pytest.fixture(scope="module")
def models(klein: Path) -> Path:
    return make_comfy(klein, klein.parent / "ComfyUI")


@pytest.fixture
def own(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may spoil, and nothing else on the machine."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(models.parent, tmp_path / "ComfyUI")
    return Path("ComfyUI/models")


def outputs(base: Base, dtype: Any) -> list[Any]:
    """What each part makes of the same input."""
    chance = torch.Generator().manual_seed(1)
    pixels = torch.rand(1, 3, 32, 48, generator=chance) * 2 - 1
    noise = torch.randn(1, 16, 2, 3, generator=chance)
    family = base.family
    vae = base.load("vae")
    encoder, tokenizer = base.load("text_encoder", dtype=dtype), base.load("tokenizer")
    with torch.no_grad():
        latents = family.encode_image(vae, pixels)
        text = family.encode_text(
            encoder, tokenizer, "a photo of TOK cat", base.text_length, torch.device("cpu")
        )
        transformer = base.load("transformer", dtype=dtype)
        velocity = family.predict(transformer, noise, torch.tensor([0.4]), text)
        return [latents, text, velocity, family.decode_image(vae, latents)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_outputs_are_those_of_the_diffusers_folder_to_the_bit(klein, models, dtype):
    ours, theirs = (outputs(find_base(str(base)), dtype) for base in (models, klein))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)
        assert one.float().std() > 0


def test_headers_tell_the_same(klein, models):
    ours, theirs = find_base(str(models)), find_base(str(klein))
    assert ours.text_length == theirs.text_length == 64
    assert ours.pixels_per_token == theirs.pixels_per_token
    for part in ("transformer", "vae"):
        assert ours.shapes(part) == theirs.shapes(part)
        wanted = theirs.config(part)
        assert {key: wanted[key] for key in ours.config(part)} == ours.config(part)
    scheduler = theirs.config("scheduler")
    assert {key: scheduler[key] for key in ours.config("scheduler")} == ours.config("scheduler")


def test_names_of_the_transformer_are_those_of_diffusers_own_converter(klein, models):
    from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers
    from safetensors.torch import load_file

    file = models / "diffusion_models" / "klein-tiny-base.safetensors"
    theirs = convert_flux2_transformer_checkpoint_to_diffusers(load_file(file))
    stored = load_file(file)
    part, pieces = pieces_of(read_header(file))
    assert part == "transformer"
    assert pieces.keys() == theirs.keys()
    for name, piece in pieces.items():
        assert torch.equal(piece.of(stored[piece.tensor.name]), theirs[name]), name


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("diffusion_models", lambda name: f"model.diffusion_model.{name}"),
        ("text_encoders", lambda name: f"text_encoders.qwen3_4b.transformer.{name}"),
        ("text_encoders", lambda name: name.removeprefix("model.")),
        ("vae", None),
        ("vae", lambda name: name.replace("encoder.quant_conv", "quant_conv")),
    ],
)
def test_other_names_of_the_same_weights(klein, own, part, change):
    """Prefixes of checkpoints, a head that is there or not, an autoencoder under diffusers' own names."""
    from safetensors.torch import load_file

    (file,) = (own / part).iterdir()
    if change is None:
        state = load_file(klein / "vae" / "diffusion_pytorch_model.safetensors")
        state.pop("bn.num_batches_tracked")
    else:
        state = {change(name): tensor for name, tensor in load_file(file).items()}
    if part == "text_encoders":
        state["lm_head.weight"] = torch.zeros(2, 2)
    write(file, state)
    name = {"diffusion_models": "transformer", "text_encoders": "text_encoder", "vae": "vae"}[part]
    wanted = find_base(str(klein)).load(name)
    wanted = getattr(wanted, "model", wanted).state_dict()
    found = find_base(str(own)).load(name).state_dict()
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in found.items())


@pytest.mark.parametrize(
    ("size", "name", "known", "note"),
    [
        ("flux2-klein-4b", "flux-2-klein-base-4b.safetensors", "flux2-klein-4b", ""),
        (
            "flux2-klein-4b",
            "flux-2-klein-4b.safetensors",
            "flux2-klein-4b-distilled",
            "in a few steps: train on FLUX.2 klein base 4B, use the LoRA on both",
        ),
        ("flux2-klein-9b", "my finetune.safetensors", "flux2-klein-9b", "known by its shapes; whether "),
        ("flux2-klein-9b", "flux-2-klein-4b.safetensors", "flux2-klein-9b", "known by its shapes; whether "),
    ],
)
def test_klein_is_known_by_its_shapes_and_the_name_tells_base_from_distilled(own, size, name, known, note):
    base = find_base(str(full_size(own, size, name)))
    assert base.id == known
    assert base.distilled is known.endswith("distilled")
    assert note in base.note
    assert bool(note) == bool(base.note)
    assert base.parameters("transformer") == {"4b": 3_875_544_576, "9b": 9_078_581_248}[size[-2:]]
    heads = {"4b": 24, "9b": 32}[size[-2:]]
    assert base.config("transformer") == {
        "patch_size": 1,
        "in_channels": 128,
        "num_layers": {"4b": 5, "9b": 8}[size[-2:]],
        "num_single_layers": {"4b": 20, "9b": 24}[size[-2:]],
        "attention_head_dim": 128,
        "num_attention_heads": heads,
        "joint_attention_dim": {"4b": 7680, "9b": 12288}[size[-2:]],
        "timestep_guidance_channels": 256,
        "mlp_ratio": 3.0,
        "axes_dims_rope": [32, 32, 32, 32],
        "rope_theta": 2000,
        "eps": 1e-6,
        "guidance_embeds": False,
    }
    text = base.config("text_encoder")
    assert (text["num_attention_heads"], text["num_key_value_heads"], text["head_dim"]) == (32, 8, 128)
    assert (text["num_hidden_layers"], text["vocab_size"]) == (36, 151936)
    vae = base.config("vae")
    assert vae["block_out_channels"] == [128, 256, 512, 512]
    assert (vae["layers_per_block"], vae["latent_channels"], vae["mid_block_add_attention"]) == (2, 32, True)
    assert base.pixels_per_token == 16


# Use


def test_usual_folders_are_listed(own):
    assert "ComfyUI/models/diffusion_models/klein-tiny-base.safetensors" in bases_here()


def test_training_on_it_is_training_on_the_diffusers_folder(own, klein):
    from click.testing import CliRunner

    from albumkit.cli.main import main

    make_album(Path("cats"))
    Path("cats/album.toml").write_text('[use]\nprompts = ["TOK"]\n')
    knobs = [
        "steps=1",
        "resolution=64",
        "rank=2",
        "trigger_phrase=TOK",
        "create_masks=false",
        "learning_rate=0.01",
    ]
    for name, base in (("comfy", "ComfyUI"), ("diffusers", str(klein))):
        words = ["train", "cats", "--base", base, "--out", name]
        done = CliRunner().invoke(main, [*words, *(w for knob in knobs for w in ("--set", knob))])
        assert done.exit_code == 0, done.output
    states = [Path(n) / "checkpoints" / "step-000001" / "state.safetensors" for n in ("comfy", "diffusers")]
    assert states[0].read_bytes() == states[1].read_bytes()
    pictures = [Path(n) / "samples" / "step-000001" / "1.png" for n in ("comfy", "diffusers")]
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    begun = json.loads(Path("comfy/run.json").read_text())
    assert begun["base"] == find_base("ComfyUI").place
