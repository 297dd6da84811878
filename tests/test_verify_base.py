"""--base: the model that a LoRA is loaded into, by name, or by the header of any file of the model."""

from __future__ import annotations

import json
import struct

import pytest
from adapters import write
from hollow_bases import gguf, weights
from sample_loras import COMFY, lora

from albumkit.adapter import Size, find_size
from albumkit.adapter.base import read_size
from albumkit.errors import AdapterError, UsageError
from albumkit.report.verify_words import answer
from albumkit.verifying import find_base_size, verify_files

KNOWN = ("flux2-klein-4b", "flux2-klein-9b", "flux2-dev", "flux1-dev")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("klein-9b", "flux2-klein-9b"),
        ("klein9b", "flux2-klein-9b"),
        ("Klein 4B", "flux2-klein-4b"),
        ("FLUX.2-klein-base-4B", "flux2-klein-4b"),
        ("black-forest-labs/FLUX.2-klein-9B", "flux2-klein-9b"),
        ("flux2-dev", "flux2-dev"),
        ("FLUX.1-schnell", "flux1-dev"),
        ("FLUX.2 klein 4B", "flux2-klein-4b"),
    ],
)
def test_a_name_as_people_write_it(name, model):
    assert find_base_size(name).id == model


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("klein-8b", "There is no base named klein-8b. The nearest is flux2-klein-"),
        ("wan-9b", "There is no base named wan-9b."),
        ("klein", "--base klein could be flux2-klein-4b or flux2-klein-9b."),
        ("...", "There is no base named ...."),
        ("models/klein.safetensors", "--base models/klein.safetensors: there is no such file."),
    ],
)
def test_a_name_that_is_none_is_told_what_there_is(name, message):
    with pytest.raises(UsageError) as caught:
        find_base_size(name)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("model", KNOWN)
@pytest.mark.parametrize(
    ("layout", "prefix", "dtype"),
    [
        ("bfl", "", "BF16"),
        ("bfl", "model.diffusion_model.", "F8_E4M3"),
        ("bfl", "", "I8"),
        ("diffusers", "", "BF16"),
    ],
)
def test_a_model_file_is_known_by_its_header(model, layout, prefix, dtype, tmp_path):
    file = write(tmp_path / "a.safetensors", weights(find_size(model), layout, prefix, dtype))
    assert read_size(file).id == model


def test_one_shard_of_several_will_do(tmp_path):
    names = weights(find_size("flux2-klein-9b"), "diffusers")
    first = dict(list(names.items())[:20])
    assert read_size(write(tmp_path / "a.safetensors", first)).id == "flux2-klein-9b"


def test_a_file_with_its_text_encoder_is_the_model(tmp_path):
    names = weights(find_size("flux2-klein-4b"), prefix="model.diffusion_model.")
    names["text_encoders.qwen3_4b.model.norm.weight"] = ("BF16", (2560,), None)
    assert read_size(write(tmp_path / "a.safetensors", names)).id == "flux2-klein-4b"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"layers.0.attention.to_q.weight": (8, 8)}, "it holds Z-Image; the bases that albumkit knows are "),
        ({"encoder.conv.weight": (8, 8)}, "none of its 1 weights is known; "),
        ({"double_blocks.0.img_attn.qkv.weight": (48, 16)}, "none of its 1 weights is known; "),
        ({"conv.bias": (8,)}, "none of its 0 weights is known; "),
    ],
)
def test_a_file_of_something_else_is_refused(names, words, tmp_path):
    made = {name: ("BF16", shape, None) for name, shape in names.items()}
    with pytest.raises(AdapterError) as caught:
        read_size(write(tmp_path / "a.safetensors", made))
    assert words in caught.value.message


def test_chroma_has_all_blocks_of_flux1_and_is_not_it(tmp_path):
    names = weights(find_size("flux1-dev"))
    names["distilled_guidance_layer.norms.0.weight"] = ("BF16", (8, 8), None)
    with pytest.raises(AdapterError, match="it holds Chroma; the bases that albumkit knows are "):
        read_size(write(tmp_path / "a.safetensors", names))


# A folder of diffusers


def config_of(size: Size) -> dict[str, int]:
    return {
        "num_layers": size.blocks["double"],
        "num_single_layers": size.blocks["single"],
        "num_attention_heads": size.dimensions["hidden"] // 128,
        "attention_head_dim": 128,
        "joint_attention_dim": size.dimensions["context"],
        "in_channels": size.dimensions["channels"],
    }


@pytest.mark.parametrize("model", KNOWN)
@pytest.mark.parametrize("place", ["config.json", "transformer/config.json"])
def test_a_folder_is_known_by_its_configuration(model, place, tmp_path):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text(json.dumps(config_of(find_size(model))))
    assert read_size(tmp_path).id == model


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "it describes none of the bases that albumkit knows: FLUX.2 klein 4B, "),
        ("[]", "it describes none of the bases"),
        ('{"sample_size": 64}', "it describes none of the bases"),
        (
            json.dumps({**config_of(find_size("flux2-dev")), "num_layers": 2}),
            "it describes a model of hidden size 6144, 2 double and 48 single blocks; albumkit knows ",
        ),
    ],
)
def test_a_folder_of_something_else_is_refused(text, words, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(AdapterError) as caught:
        read_size(tmp_path)
    assert words in caught.value.message


def test_a_folder_without_configuration_is_refused(tmp_path):
    with pytest.raises(AdapterError, match="so it is no diffusers model"):
        read_size(tmp_path)


# GGUF


@pytest.mark.parametrize("model", KNOWN)
def test_a_gguf_is_known_by_its_header(model, tmp_path):
    assert read_size(gguf(tmp_path / "a.gguf", weights(find_size(model)))).id == model


def test_entries_of_a_gguf_are_passed_over(tmp_path):
    key = struct.pack("<Q", 1) + b"k"
    entries = [
        key + struct.pack("<IB", 7, 1),
        key + struct.pack("<IQ", 8, 2) + b"ab",
        key + struct.pack("<IIQ", 9, 8, 2) + 2 * (struct.pack("<Q", 3) + b"abc"),
        key + struct.pack("<IIQ", 9, 4, 3) + bytes(12),
        key + struct.pack("<Id", 12, 0.5),
    ]
    names = weights(find_size("flux2-klein-4b"))
    file = gguf(tmp_path / "a.gguf", names, b"".join(entries), len(entries))
    assert read_size(file).id == "flux2-klein-4b"


@pytest.mark.parametrize(
    "start",
    [
        b"GGUF",
        struct.pack("<4sIQQ", b"GGUF", 3, 2, 0),
        struct.pack("<4sIQQ", b"GGUF", 3, 1 << 60, 0),
        struct.pack("<4sIQQ", b"GGUF", 3, 1, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<I", 99),
        struct.pack("<4sIQQ", b"GGUF", 3, 1, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 9, 1),
        struct.pack("<4sIQQ", b"GGUF", 3, 1, 1) + struct.pack("<Q", 1 << 50),
    ],
)
def test_a_damaged_gguf_is_told(start, tmp_path):
    (tmp_path / "a.gguf").write_bytes(start)
    with pytest.raises(AdapterError, match="its GGUF header is damaged"):
        read_size(tmp_path / "a.gguf")


# What it is for


def test_a_wrong_size_is_said_first(tmp_path):
    file = lora(tmp_path / "cat.safetensors", COMFY)
    base = write(tmp_path / "base.safetensors", weights(find_size("flux2-klein-9b")))
    for name in ("klein-9b", str(base)):
        (found,) = verify_files([file], runtimes=["comfy"], base=name).files
        assert found.fails
        assert found.predictions[0].result == "nothing"
        assert answer(found).startswith(
            f"{file.as_posix()}: it is for FLUX.2 klein 4B, not for FLUX.2 klein 9B: ComfyUI takes it without"
        )
    (found,) = verify_files([file], runtimes=["comfy"], base="klein-4b").files
    assert not found.fails
