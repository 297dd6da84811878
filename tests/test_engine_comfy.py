"""A base from ComfyUI's models folder is the base that a folder of diffusers is, to the bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from adapters import write as write_hollow
from comfy_files import make_comfy, write
from engine_runs import make_album
from test_verify_base import gguf, weights
from tiny_klein import make_klein

from albumkit.adapter import find_size, read_header
from albumkit.engine.base import Base, find_base
from albumkit.engine.comfy.names import pieces_of
from albumkit.engine.survey import bases_here
from albumkit.errors import AlbumkitError, UsageError

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


# Full size, by hollow files


def hollow_transformer(path: Path, size: str) -> Path:
    names = weights(find_size(size))
    for kind, norms in (("double", ("img_attn.norm", "txt_attn.norm")), ("single", ("norm",))):
        for block in range(find_size(size).blocks[kind]):
            for norm in norms:
                for one in ("query_norm", "key_norm"):
                    names[f"{kind}_blocks.{block}.{norm}.{one}.scale"] = ("BF16", (128,), None)
    return write_hollow(path, names)


def hollow(path: Path, model: Any, prefix: str = "") -> Path:
    kinds = {torch.int64: "I64"}
    state = model.state_dict()
    return write_hollow(
        path, {prefix + name: (kinds.get(t.dtype, "BF16"), tuple(t.shape), None) for name, t in state.items()}
    )


def full_size(models: Path, size: str, name: str) -> Path:
    """All three files of a klein at full size, without data."""
    from diffusers import AutoencoderKLFlux2
    from transformers import Qwen3Config, Qwen3Model

    wide = {"flux2-klein-4b": (2560, 9728), "flux2-klein-9b": (4096, 12288)}[size]
    config = Qwen3Config(
        vocab_size=151936,
        hidden_size=wide[0],
        intermediate_size=wide[1],
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
    )
    with torch.device("meta"):
        encoder, vae = Qwen3Model(config), AutoencoderKLFlux2()
    hollow(models / "text_encoders" / f"{size}.safetensors", encoder, "model.")
    hollow(models / "vae" / "flux2-vae.safetensors", vae)
    return hollow_transformer(models / "diffusion_models" / name, size)


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


# Refusals


def refused(base: object) -> AlbumkitError:
    with pytest.raises(AlbumkitError) as caught:
        find_base(str(base))
    return caught.value


PARTS = "hf download Comfy-Org/vae-text-encorder-for-flux-klein"


@pytest.mark.parametrize(
    ("dtype", "kind"), [("F8_E4M3", "fp8"), ("F8_E5M2", "fp8"), ("I8", "int8"), ("U8", "nvfp4")]
)
def test_smaller_numbers_are_refused_with_the_command_for_whole_ones(own, dtype, kind):
    full_size(own, "flux2-klein-4b", "flux-2-klein-base-4b.safetensors").unlink()
    (own / "diffusion_models" / "klein-tiny-base.safetensors").unlink()
    file = own / "diffusion_models" / f"flux-2-klein-4b-{kind}.safetensors"
    names = weights(find_size("flux2-klein-4b"), dtype=dtype)
    write_hollow(file, names | {"double_blocks.0.img_attn.qkv.scale_weight": ("F32", (), None)})
    for asked in (own, file):
        error = refused(asked)
        assert error.message == f"{file.as_posix()} holds {kind} numbers, and training needs bf16 ones."
        assert error.remedy == (
            "hf download black-forest-labs/FLUX.2-klein-base-4B flux-2-klein-base-4b.safetensors "
            "--local-dir ComfyUI/models/diffusion_models"
        )


def test_gguf_is_refused_with_the_command_for_the_whole_one(own):
    (own / "unet").mkdir()
    file = gguf(own / "unet" / "flux-2-klein-base-9b-Q8_0.gguf", weights(find_size("flux2-klein-9b")))
    error = refused(file)
    assert error.message.endswith("Q8_0.gguf holds GGUF numbers, and training needs bf16 ones.")
    assert error.remedy == (
        "hf download black-forest-labs/FLUX.2-klein-base-9B flux-2-klein-base-9b.safetensors "
        "--local-dir ComfyUI/models/diffusion_models   (accept the FLUX Non-Commercial License on "
        "https://huggingface.co/black-forest-labs/FLUX.2-klein-base-9B first, then hf auth login)"
    )


@pytest.mark.parametrize(
    ("part", "size", "remedy"),
    [
        ("text_encoders", "4b", f"{PARTS}-4b split_files/text_encoders/qwen_3_4b.safetensors --local-dir "),
        ("text_encoders", "9b", f"{PARTS}-9b split_files/text_encoders/qwen_3_8b.safetensors --local-dir "),
        ("vae", "9b", f"{PARTS}-4b split_files/vae/flux2-vae.safetensors --local-dir "),
    ],
)
def test_part_that_is_not_there_is_told_with_the_command_that_fetches_it(own, part, size, remedy):
    file = full_size(own, f"flux2-klein-{size}", "x.safetensors")
    for other in (own / part).iterdir():
        if other.stem in (f"flux2-klein-{size}", "flux2-vae"):
            other.unlink()
    error = refused(file)
    title = {"text_encoders": "text encoder", "vae": "autoencoder"}[part]
    assert f"ComfyUI/models: there is no {title} of a FLUX.2 klein in {part}" in error.message
    assert error.remedy == f"{remedy}ComfyUI/models/{part}"


def test_text_encoder_in_fp8_is_refused(own):
    file = full_size(own, "flux2-klein-4b", "flux-2-klein-base-4b.safetensors")
    encoder = own / "text_encoders" / "flux2-klein-4b.safetensors"
    tensors = {t.name: ("F8_E4M3", t.shape, None) for t in read_header(encoder).tensors}
    write_hollow(encoder, tensors)
    error = refused(file)
    assert "flux2-klein-4b.safetensors holds fp8 numbers" in error.message
    assert "text_encoders/qwen_3_4b.safetensors" in error.remedy


def test_one_of_several_must_be_chosen_and_the_message_says_how(own):
    first, second = "klein-tiny-base.safetensors", "klein-tiny-other.safetensors"
    shutil.copy(own / "diffusion_models" / first, own / "diffusion_models" / second)
    error = refused(own)
    assert isinstance(error, UsageError)
    named = f"diffusion_models/{first}, diffusion_models/{second}"
    assert error.message == f"--base ComfyUI/models: there are 2 transformers to choose from: {named}."
    assert error.remedy == f"--base ComfyUI/models/diffusion_models/{first}   or another of them"
    one = own / "diffusion_models" / second
    assert find_base(str(one)).files["transformer"].path == one
    encoder = own / "text_encoders" / "qwen_3_tiny.safetensors"
    shutil.copy(encoder, own / "text_encoders" / "other.safetensors")
    error = refused(one)
    assert "there are 2 text encoders to choose from: text_encoders/other.safetensors, " in error.message
    chosen = f"{one},ComfyUI/models/text_encoders/other.safetensors"
    assert error.remedy == f"--base {chosen}   or another of them"
    base = find_base(f"{one},{encoder}")
    assert base.files["text_encoder"].path == encoder
    assert find_base(base.place).place == base.place


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("ComfyUI/models/none.safetensors", "none.safetensors: there is no such file."),
        ("lora.safetensors", "lora.safetensors: it holds something else, no part of a FLUX.2 klein."),
        ("dev.safetensors", "dev.safetensors: it holds FLUX.2 dev, no part of a FLUX.2 klein."),
        ("cut.safetensors", "cut.safetensors: its header claims to be "),
        ("away.safetensors", "its text encoder is needed, too, and it lies in no models folder."),
        ("away.safetensors,away.safetensors", "away.safetensors is a second transformer."),
        ("full.safetensors,{encoder},{vae}", "qwen_3_tiny.safetensors does not belong to full.safetensors."),
        ("empty", "there is no model_index.json in it, and no diffusion_models."),
    ],
)
def test_what_is_no_base_is_refused(own, asked, words):
    file = own / "diffusion_models" / "klein-tiny-base.safetensors"
    shutil.copy(file, "away.safetensors")
    Path("cut.safetensors").write_bytes(file.read_bytes()[:2000])
    hollow_transformer(Path("dev.safetensors"), "flux2-dev")
    hollow_transformer(Path("full.safetensors"), "flux2-klein-4b")
    write_hollow(Path("lora.safetensors"), {"a.lora_A.weight": ("BF16", (4, 8), None)})
    Path("empty").mkdir()
    given = {
        "encoder": own / "text_encoders" / "qwen_3_tiny.safetensors",
        "vae": own / "vae" / "flux2-vae.safetensors",
    }
    assert words in refused(asked.format(**given)).message


def test_file_that_is_cut_short_is_named_where_nothing_else_is(own):
    file = own / "vae" / "flux2-vae.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    error = refused(own)
    assert (
        "there is no autoencoder of a FLUX.2 klein in vae; ComfyUI/models/vae/flux2-vae.safetensors: "
        in error.message
    )
    assert "cut short" in error.message


def test_weight_that_is_missing_is_named(own):
    from safetensors.torch import load_file

    file = own / "diffusion_models" / "klein-tiny-base.safetensors"
    write(file, load_file(file), without=["txt_in.weight.", "single_blocks.1.linear2.weight"])
    with pytest.raises(AlbumkitError) as caught:
        find_base(str(own)).load("transformer")
    assert "single_transformer_blocks.1.attn.to_out.weight is not there" in caught.value.message


# The tokenizer


def test_tokenizer_that_is_nowhere_names_the_command_that_fetches_it(own, klein):
    shutil.rmtree(own.parent / "comfy")
    error = refused(own)
    assert error.message.startswith("The tokenizer of the text encoder is not on this machine")
    assert error.remedy == "hf download Qwen/Qwen3-4B tokenizer.json tokenizer_config.json"
    snapshot = Path("hub/models--Qwen--Qwen3-4B/snapshots/0123")
    shutil.copytree(klein / "tokenizer", snapshot)
    assert find_base(str(own)).tokenizer.name == "0123"
    shutil.copytree(klein / "tokenizer", own / "text_encoders" / "tokenizer")
    assert find_base(str(own)).tokenizer == own / "text_encoders" / "tokenizer"


def test_tokenizer_of_another_encoder_is_refused(own):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    other = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    shutil.rmtree(own.parent / "comfy")
    other.save_pretrained(own / "text_encoders" / "tokenizer")
    with pytest.raises(AlbumkitError, match="is not the tokenizer of this text encoder"):
        find_base(str(own)).load("tokenizer")


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
