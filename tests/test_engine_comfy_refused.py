"""Folders and files of ComfyUI that are no base: each is told with what mends it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from adapters import write as write_hollow
from comfy_files import write
from hollow_bases import full_size, gguf, hollow_transformer, weights
from test_engine_comfy import klein, models, own  # noqa: F401 - fixtures

from albumkit.adapter import find_size, read_header
from albumkit.engine.base import find_base
from albumkit.errors import AlbumkitError, UsageError

pytest.importorskip("torch")
pytest.importorskip("diffusers")


def refused(base: object) -> AlbumkitError:
    with pytest.raises(AlbumkitError) as caught:
        find_base(str(base))
    return caught.value


PARTS = "hf download Comfy-Org/vae-text-encorder-for-flux-klein"


@pytest.mark.parametrize(
    ("dtype", "kind"), [("F8_E4M3", "fp8"), ("F8_E5M2", "fp8"), ("I8", "int8"), ("U8", "nvfp4")]
)
def test_smaller_numbers_are_refused_with_the_command_for_whole_ones(own, dtype, kind):  # noqa: F811
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


def test_gguf_is_refused_with_the_command_for_the_whole_one(own):  # noqa: F811
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
def test_part_that_is_not_there_is_told_with_the_command_that_fetches_it(own, part, size, remedy):  # noqa: F811
    file = full_size(own, f"flux2-klein-{size}", "x.safetensors")
    for other in (own / part).iterdir():
        if other.stem in (f"flux2-klein-{size}", "flux2-vae"):
            other.unlink()
    error = refused(file)
    title = {"text_encoders": "text encoder", "vae": "autoencoder"}[part]
    assert f"ComfyUI/models: there is no {title} of a FLUX.2 klein in {part}" in error.message
    assert error.remedy == f"{remedy}ComfyUI/models/{part}"


def test_text_encoder_in_fp8_is_refused(own):  # noqa: F811
    file = full_size(own, "flux2-klein-4b", "flux-2-klein-base-4b.safetensors")
    encoder = own / "text_encoders" / "flux2-klein-4b.safetensors"
    tensors = {t.name: ("F8_E4M3", t.shape, None) for t in read_header(encoder).tensors}
    write_hollow(encoder, tensors)
    error = refused(file)
    assert "flux2-klein-4b.safetensors holds fp8 numbers" in error.message
    assert "text_encoders/qwen_3_4b.safetensors" in error.remedy


def test_one_of_several_must_be_chosen_and_the_message_says_how(own):  # noqa: F811
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
def test_what_is_no_base_is_refused(own, asked, words):  # noqa: F811
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


def test_file_that_is_cut_short_is_named_where_nothing_else_is(own):  # noqa: F811
    file = own / "vae" / "flux2-vae.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    error = refused(own)
    assert (
        "there is no autoencoder of a FLUX.2 klein in vae; ComfyUI/models/vae/flux2-vae.safetensors: "
        in error.message
    )
    assert "cut short" in error.message


def test_weight_that_is_missing_is_named(own):  # noqa: F811
    from safetensors.torch import load_file

    file = own / "diffusion_models" / "klein-tiny-base.safetensors"
    write(file, load_file(file), without=["txt_in.weight.", "single_blocks.1.linear2.weight"])
    with pytest.raises(AlbumkitError) as caught:
        find_base(str(own)).load("transformer")
    assert "single_transformer_blocks.1.attn.to_out.weight is not there" in caught.value.message


# The tokenizer


def test_tokenizer_that_is_nowhere_names_the_command_that_fetches_it(own, klein):  # noqa: F811
    shutil.rmtree(own.parent / "comfy")
    error = refused(own)
    assert error.message.startswith("The tokenizer of the text encoder is not on this machine")
    assert error.remedy == "hf download Qwen/Qwen3-4B tokenizer.json tokenizer_config.json"
    snapshot = Path("hub/models--Qwen--Qwen3-4B/snapshots/0123")
    shutil.copytree(klein / "tokenizer", snapshot)
    assert find_base(str(own)).tokenizer.name == "0123"
    shutil.copytree(klein / "tokenizer", own / "text_encoders" / "tokenizer")
    assert find_base(str(own)).tokenizer == own / "text_encoders" / "tokenizer"


def test_tokenizer_of_another_encoder_is_refused(own):  # noqa: F811
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    other = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, unk_token="a")))
    shutil.rmtree(own.parent / "comfy")
    other.save_pretrained(own / "text_encoders" / "tokenizer")
    with pytest.raises(AlbumkitError, match="is not the tokenizer of this text encoder"):
        find_base(str(own)).load("tokenizer")
