"""What convert writes: names, rows, scales, and that it does the same as before."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest
from adapters import Spelling, Tensors, lokr, places_of, tensors, words, write
from lora_values import (
    ADALN,
    FLUX1,
    FLUX2,
    GROUPS,
    PARTS,
    QKV,
    SPELLINGS,
    changes,
    converted,
    kohya,
    one_module,
    raw_tensors,
    with_alpha,
)

from albumkit.adapter import FORMS, convert, open_adapter
from albumkit.adapter.conversion.trail import KEPT_PEFT
from albumkit.errors import AdapterError

#: The upper factor of the module in ComfyUI's form.
UP = f"diffusion_model.{QKV}.lora_B.weight"


def test_names_change_and_nothing_else(tmp_path):
    made = one_module(QKV, "fal")
    conversion, out = converted(tmp_path, made, "comfy")
    assert out == {name.replace("base_model.model", "diffusion_model"): t for name, t in made.items()}
    assert dict(conversion.done) == {}
    assert conversion.modules == {QKV: 4}


def test_rows_are_cut_for_diffusers(tmp_path):
    made = one_module(QKV, "comfy")
    _, out = converted(tmp_path, made, "diffusers")
    (_, shape, down), (_, _, up) = made.values()
    third = len(up) // 3
    for number, part in enumerate(PARTS):
        stem = f"transformer.transformer_blocks.0.attn.{part}"
        assert out[f"{stem}.lora_A.weight"] == ("BF16", shape, down)
        assert out[f"{stem}.lora_B.weight"] == ("BF16", (16, 4), up[number * third : (number + 1) * third])
    assert len(out) == 6


def test_parts_with_one_lora_a_become_one_module_of_the_same_rank(tmp_path):
    made = one_module(QKV, "diffusers")
    first = next(iter(made.values()))
    made = {name: first if "lora_A" in name else tensor for name, tensor in made.items()}
    conversion, out = converted(tmp_path, made, "comfy")
    assert out[f"diffusion_model.{QKV}.lora_A.weight"] == first
    ups = [tensor[2] for name, tensor in made.items() if "lora_B" in name]
    assert out[UP] == ("BF16", (48, 4), b"".join(ups))
    assert conversion.done == {"shared": 1}


def test_parts_with_their_own_become_block_diagonal(tmp_path):
    made = one_module(QKV, "diffusers", dtype="F32")
    conversion, out = converted(tmp_path, made, "comfy")
    _, shape, raw = out[UP]
    assert shape == (48, 12)
    matrix = np.frombuffer(raw, dtype="<u4").reshape(3, 16, 3, 4)
    ups = [np.frombuffer(t[2], dtype="<u4").reshape(16, 4) for n, t in made.items() if "lora_B" in n]
    for row in range(3):
        for column in range(3):
            wanted = ups[row] if row == column else np.zeros((16, 4))
            assert np.array_equal(matrix[row, :, column], wanted)
    downs = [tensor[2] for name, tensor in made.items() if "lora_A" in name]
    assert out[f"diffusion_model.{QKV}.lora_A.weight"] == ("F32", (12, 16), b"".join(downs))
    assert (conversion.done, conversion.modules) == ({"fused": 1}, {QKV: 12})


@pytest.mark.parametrize("ranks", [(4, 4, 4), (1, 2, 3), (3, 0, 2), (0, 5, 0)])
def test_a_block_diagonal_is_recognised_without_a_word_in_the_header(ranks, tmp_path):
    made: Tensors = {}
    for part, rank in zip(PARTS, ranks, strict=True):
        if rank:
            ours = one_module(QKV, "diffusers", rank=rank)
            made |= {name: tensor for name, tensor in ours.items() if f".{part}." in name}
    _, fused = converted(tmp_path, made, "comfy")
    conversion, out = converted(tmp_path, fused, "diffusers")
    assert out == made
    assert conversion.done == {"unfused": 1}


@pytest.mark.parametrize("column", [3, 4, 7, 8])
def test_columns_of_zeros_do_not_hide_that_ranks_are_equal(column, tmp_path):
    _, fused = converted(tmp_path, one_module(QKV, "diffusers"), "comfy")
    dtype, shape, raw = fused[UP]
    words_of = np.frombuffer(raw, dtype="<u2").reshape(shape).copy()
    words_of[:, column] = 0
    conversion, out = converted(tmp_path, {**fused, UP: (dtype, shape, words_of.tobytes())}, "diffusers")
    assert conversion.done == {"unfused": 1}
    assert {tensor[1] for tensor in out.values()} == {(4, 16), (16, 4)}


def test_what_was_not_trained_keeps_all_its_parts(tmp_path):
    made = one_module(QKV, "comfy")
    made[UP] = (*made[UP][:2], bytes(len(made[UP][2])))
    conversion, out = converted(tmp_path, made, "diffusers")
    assert (conversion.done, len(out)) == ({"split": 1}, 6)


def test_factors_that_differ_at_their_end_are_not_shared(tmp_path):
    made = one_module(QKV, "diffusers", rank=5000, dtype="F32")
    first = next(iter(made.values()))
    made = {name: first if "lora_A" in name else tensor for name, tensor in made.items()}
    name = next(name for name in made if "to_v.lora_A" in name)
    made[name] = (*first[:2], first[2][:-4] + bytes(4))
    assert converted(tmp_path, made, "comfy")[0].done == {"fused": 1}


@pytest.mark.parametrize(("row", "column"), [(47, 0), (47, 7), (15, 4), (0, 11), (16, 3), (31, 8)])
def test_what_is_nearly_block_diagonal_is_not(row, column, tmp_path):
    _, fused = converted(tmp_path, one_module(QKV, "diffusers"), "comfy")
    dtype, shape, raw = fused[UP]
    nearly = bytearray(raw)
    nearly[(row * 12 + column) * 2] = 1  # the smallest number that there is
    conversion, out = converted(tmp_path, {**fused, UP: (dtype, shape, bytes(nearly))}, "diffusers")
    assert conversion.done == {"split": 1}
    assert {tensor[1] for name, tensor in out.items() if "lora_A" in name} == {(12, 16)}


def test_halves_of_adaln_are_swapped_between_bfl_and_diffusers(tmp_path):
    made = one_module(ADALN, "comfy")
    conversion, out = converted(tmp_path, made, "diffusers")
    up, new = made[f"diffusion_model.{ADALN}.lora_B.weight"], out["transformer.norm_out.linear.lora_B.weight"]
    half = len(up[2]) // 2
    assert new == (*up[:2], up[2][half:] + up[2][:half])
    assert conversion.done == {"swapped": 1}
    assert converted(tmp_path, out, "kohya")[0].done == {"swapped": 1}
    assert converted(tmp_path, made, "fal")[0].done == {}


def test_flux1_single_blocks_have_four_parts(tmp_path):
    (place,) = [p for p in places_of(FLUX1, "bfl", GROUPS) if p.name == "single_blocks.1.linear1"]
    made = tensors([place], FLUX1, SPELLINGS["kohya"], seed=1)
    conversion, out = converted(tmp_path, made, "diffusers")
    start = "transformer.single_transformer_blocks.1."
    shapes = {name.removeprefix(start): t[1] for name, t in out.items() if "lora_B" in name}
    assert shapes == {
        **{f"attn.{part}.lora_B.weight": (16, 4) for part in PARTS},
        "proj_mlp.lora_B.weight": (64, 4),
    }
    assert conversion.source.architecture.id == "flux1"


@pytest.mark.parametrize(
    "spelling",
    [
        Spelling("", "diffusers", "A/B.default"),
        Spelling("lora_transformer_", "diffusers", "down/up", 0.5, flat=True),
        Spelling("lycoris_", "diffusers", "down/up", 2.0, flat=True),
        Spelling("transformer.", "diffusers", "lora.down/up"),
        Spelling("", "bfl"),
        Spelling("diffusion_model.", "musubi"),
        Spelling("base_model.model.", "diffusers"),
    ],
    ids=lambda one: f"{one.prefix}{one.layout} {one.style}",
)
@pytest.mark.parametrize("form", FORMS)
def test_every_spelling_can_be_read(spelling, form, tmp_path):
    made = tensors(places_of(FLUX2, spelling.layout, GROUPS), FLUX2, spelling, seed=1)
    converted(tmp_path, made, form)
    assert open_adapter(tmp_path / "out.safetensors").scheme.id == form


def test_tensors_begin_on_their_own_words_and_the_same_file_gives_the_same_bytes(tmp_path):
    made = with_alpha(one_module(QKV, "kohya"), 2.0, "BF16") | one_module("img_in", "kohya", dtype="F32")
    converted(tmp_path, made, "kohya")
    first = (tmp_path / "out.safetensors").read_bytes()
    header = open_adapter(tmp_path / "out.safetensors").header
    assert all(t.start % (4 if t.dtype == "F32" else 2) == 0 for t in header.tensors)
    converted(tmp_path, made, "kohya")
    assert (tmp_path / "out.safetensors").read_bytes() == first


def test_a_lokr_is_renamed(tmp_path):
    made = lokr(places_of(FLUX2, "bfl", ("blocks",)), FLUX2, SPELLINGS["kohya"], seed=1)
    source = write(tmp_path / "source.safetensors", made)
    convert(source, tmp_path / "out.safetensors", "comfy")
    out = raw_tensors(tmp_path / "out.safetensors")
    assert sorted(out.values()) == sorted(made.values())
    assert f"diffusion_model.{QKV}.lokr_w1" in out


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("share", [0.5, 2.0, 0.0625, -0.25])
def test_a_power_of_two_is_folded_exactly(dtype, share, tmp_path):
    made = with_alpha(one_module(QKV, "kohya", dtype=dtype), 4 * share)
    conversion, out = converted(tmp_path, made, "comfy")
    assert out[UP][2] == made[kohya("lora_up.weight")][2]
    assert (conversion.done, conversion.rounded) == ({"folded": 1}, ())
    assert len(out) == 2


def test_kohya_keeps_any_alpha_bit_by_bit(tmp_path):
    made = with_alpha(one_module(QKV, "kohya"), 0.7, "BF16")
    _, out = converted(tmp_path, made, "kohya")
    assert out == made
    _, out = converted(tmp_path, diffusers_q(0.7), "kohya")
    assert out[kohya("alpha")] == ("F32", (), struct.pack("<f", 0.7))


def diffusers_q(alpha: float) -> Tensors:
    """A single ``to_q``."""
    (place,) = [
        p for p in places_of(FLUX2, "diffusers", GROUPS) if p.diffusers_names[0].endswith("0.attn.to_q")
    ]
    spelling = Spelling("lora_unet_", "diffusers", "down/up", 1.0, flat=True)
    return with_alpha(tensors([place], FLUX2, spelling, seed=1), alpha)


def test_other_scales_are_refused_with_the_error_that_they_would_cause(tmp_path):
    made = with_alpha(one_module(QKV, "kohya"), 0.7)
    with pytest.raises(AdapterError) as refused:
        converted(tmp_path, made, "comfy")
    assert refused.value.message.endswith(
        f"source.safetensors: comfy has no alpha, and the scale 0.175 of {QKV} is no power of two: in BF16 "
        "factors every number would be rounded by up to 0.0039 of its size."
    )
    assert refused.value.remedy == (
        "convert --to kohya keeps the scale beside the factors; or allow the loss with --lossy"
    )
    assert os.listdir(tmp_path) == ["source.safetensors"]


@pytest.mark.parametrize(("dtype", "bound"), [("F32", 2**-24), ("F16", 2**-11), ("BF16", 2**-8)])
def test_lossy_rounds_and_measures(dtype, bound, tmp_path):
    made = with_alpha(one_module(QKV, "kohya", dtype=dtype, rank=300), 50.0)
    conversion, _ = converted(tmp_path, made, "comfy", lossy=True)
    before, after = (changes(tmp_path / f"{name}.safetensors")[QKV] for name in ("source", "out"))
    assert conversion.rounded == (kohya("lora_down.weight"),)
    assert 0 < conversion.error < bound
    off = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert off == pytest.approx(conversion.error, rel=0.1)


def test_numbers_too_small_to_be_halved_are_refused(tmp_path):
    made = with_alpha(one_module(QKV, "kohya", dtype="F16"), 2.0)
    name = kohya("lora_down.weight")
    dtype, shape, raw = made[name]
    made[name] = (dtype, shape, raw[:-4] + words([3 * 2**-24, 0.0], "F16"))
    with pytest.raises(AdapterError, match=r"so small .* exactly in F16: \d.*e-0\d of it would be lost"):
        converted(tmp_path, made, "comfy")
    conversion, out = converted(tmp_path, made, "comfy", lossy=True)
    down = out[f"diffusion_model.{QKV}.lora_A.weight"][2]
    assert down[-4:] == words([2 * 2**-24, 0.0], "F16")  # 1.5 goes to the even neighbour
    assert 0 < conversion.error < 1e-5
    made[name] = (dtype, shape, raw[:-4] + words([2 * 2**-24, -0.0], "F16"))
    _, out = converted(tmp_path, made, "comfy")
    assert out[f"diffusion_model.{QKV}.lora_A.weight"][2][-4:] == words([2**-24, -0.0], "F16")


@pytest.mark.parametrize("wrong", [float("inf"), float("nan")])
def test_what_is_not_finite_is_kept_or_refused(wrong, tmp_path):
    made = one_module(QKV, "kohya")
    name = kohya("lora_down.weight")
    dtype, shape, raw = made[name]
    made[name] = (dtype, shape, raw[:-2] + words([wrong], dtype))
    source = write(tmp_path / "source.safetensors", made)
    convert(source, tmp_path / "a.safetensors", "comfy")
    down = raw_tensors(tmp_path / "a.safetensors")[f"diffusion_model.{QKV}.lora_A.weight"]
    assert down == made[name]
    for alpha in (2.0, 0.7):
        write(source, with_alpha(made, alpha))
        with pytest.raises(AdapterError, match=r"numbers that are not finite"):
            convert(source, tmp_path / "b.safetensors", "comfy", lossy=True)


def test_numbers_that_grow_too_large_are_refused(tmp_path):
    made = with_alpha(one_module(QKV, "kohya", dtype="F16"), 4 * 2.0**30)
    with pytest.raises(AdapterError, match="or are not in F16 once scaled"):
        converted(tmp_path, made, "comfy", lossy=True)


def test_parts_of_different_scales_are_fused(tmp_path):
    spelling = Spelling("lora_transformer_", "diffusers", "down/up", 1.0, flat=True)
    places = [p for p in places_of(FLUX2, "diffusers", GROUPS) if p.name == QKV]
    made: Tensors = {}
    for place, alpha in zip(places, (2.0, 1.0, 16.0), strict=True):
        made |= with_alpha(tensors([place], FLUX2, spelling, seed=1), alpha)
    for form in FORMS:
        conversion, out = converted(tmp_path, made, form)
        assert conversion.done["folded"] == 3
    assert out[kohya("alpha")] == ("F32", (), struct.pack("<f", 12.0))
    made["lora_transformer_transformer_blocks_0_attn_to_k.alpha"] = ("F32", (), struct.pack("<f", 0.7))
    with pytest.raises(AdapterError, match=r"has one alpha for parts .* scale 0\.175 of \S+to_k is no power"):
        converted(tmp_path, made, "kohya")


def test_the_configuration_in_the_header_is_folded_and_put_aside(tmp_path):
    config = json.dumps({"transformer.r": 4, "transformer.lora_alpha": 8})
    made = one_module(QKV, "diffusers")
    conversion, _ = converted(tmp_path, made, "diffusers", metadata={"lora_adapter_metadata": config})
    out = open_adapter(tmp_path / "out.safetensors")
    assert conversion.done == {"folded": 3}
    assert out.peft is None
    assert out.metadata[KEPT_PEFT] == config
    _, raw = converted(tmp_path, made, "kohya", metadata={"lora_adapter_metadata": config})
    assert raw[kohya("alpha")] == ("F32", (), struct.pack("<f", 24.0))
