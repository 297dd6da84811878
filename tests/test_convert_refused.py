"""What convert refuses, and what it keeps of a header."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from adapters import Tensors, lokr, places_of, tensors, words, write
from lora_values import (
    ADALN,
    FLUX1,
    FLUX2,
    GROUPS,
    PARTS,
    QKV,
    SPELLINGS,
    converted,
    kohya,
    one_module,
    raw_tensors,
    with_alpha,
)

from albumkit.adapter import FORMS, convert, open_adapter
from albumkit.adapter.conversion.trail import KEY
from albumkit.errors import AdapterError, UnknownName, UsageError


def test_texts_are_kept_and_checksums_of_the_old_bytes_are_not(tmp_path):
    texts = {"ss_tag_frequency": '{"cat": 3}', "title": "Katze \u732b \ud800", "format": "pt"}
    hashes = {"sshs_model_hash": "0" * 64, "modelspec.hash_sha256": "0x00"}
    conversion, _ = converted(tmp_path, one_module(QKV, "kohya"), "comfy", metadata={**texts, **hashes})
    found = dict(open_adapter(tmp_path / "out.safetensors").metadata)
    trail = json.loads(found.pop(KEY))
    assert found == texts
    assert conversion.texts_left_out == tuple(hashes)
    (step,) = trail["steps"]
    assert (step["from"], step["to"], step["file"]) == ("kohya", "comfy", "source.safetensors")


def test_the_trail_grows(tmp_path):
    made = with_alpha(one_module(QKV, "kohya"), 2.0)
    a, b, c = (tmp_path / f"{name}.safetensors" for name in "abc")
    convert(write(tmp_path / "source.safetensors", made), a, "comfy")
    convert(a, b, "diffusers")
    assert json.loads(open_adapter(b).metadata[KEY])["folded"] == {QKV: 0.5}
    convert(b, c, "kohya")
    trail = json.loads(open_adapter(c).metadata[KEY])
    assert [step["to"] for step in trail["steps"]] == ["comfy", "diffusers", "kohya"]
    assert "folded" not in trail


def test_ranks_of_parts_that_were_not_trained_are_told_on(tmp_path):
    """Their zeros tell nothing."""
    made: Tensors = {}
    for rank, part in enumerate(PARTS, start=1):
        ours = one_module(QKV, "diffusers", rank=rank)
        made |= {name: tensor for name, tensor in ours.items() if f".{part}." in name}
    made = {n: (*t[:2], bytes(len(t[2])) if "lora_B" in n else t[2]) for n, t in made.items()}
    files = [tmp_path / f"{name}.safetensors" for name in "abcd"]
    write(files[0], made)
    for number, form in enumerate(("comfy", "fal", "diffusers")):
        convert(files[number], files[number + 1], form)
    assert raw_tensors(files[-1]) == made


def test_an_alpha_beside_a_folded_scale(tmp_path):
    trail = json.dumps({"folded": {QKV: 0.5}})
    made = with_alpha(one_module(QKV, "kohya"), 2.0)
    conversion, out = converted(tmp_path, made, "kohya", metadata={KEY: trail})
    assert conversion.done == {"unfolded": 1}
    assert out[kohya("alpha")][2] == words([1.0], "F32")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"steps": 3, "folded": [1], "blocks": 7}',
        json.dumps({"folded": {QKV: 0.3}, "blocks": {QKV: [1, "2"]}}),
        json.dumps({"folded": {QKV: 1e300}, "blocks": {QKV: [-4, 8, 8]}}),
        json.dumps({"folded": {QKV: 2.0**40}}),
        json.dumps({"folded": {QKV: True}, "blocks": {QKV: [4, 4, 5]}}),
        json.dumps({"folded": {QKV: 0.5}, "blocks": {QKV: [2, 5, 5]}}),
        json.dumps({"folded": {QKV: 10**400}, "blocks": {QKV: [12]}}),
    ],
)
def test_a_strange_trail_changes_no_value(text, tmp_path):
    _, fused = converted(tmp_path, one_module(QKV, "diffusers", dtype="F16"), "comfy")
    for form in FORMS:
        converted(tmp_path, fused, form, metadata={KEY: text})


def refused(folder: Path, made: Tensors, to: str, **named: object) -> AdapterError:
    source = write(folder / "source.safetensors", made)
    with pytest.raises(AdapterError) as error:
        convert(source, folder / "out.safetensors", to, **named)
    assert os.listdir(folder) == ["source.safetensors"]
    return error.value


@pytest.mark.parametrize("form", FORMS)
def test_dora(form, tmp_path):
    made = one_module(QKV, "comfy", magnitude="dora_scale")
    error = refused(tmp_path, made, form, lossy=True)
    assert f"cannot hold the DoRA magnitudes of {QKV}, without which" in error.message


@pytest.mark.parametrize("form", ["fal", "diffusers"])
def test_lokr(form, tmp_path):
    places = places_of(FLUX2, "bfl", ("blocks",))
    error = refused(tmp_path, lokr(places, FLUX2, SPELLINGS["comfy"], seed=1), form)
    assert f"the form {form} cannot hold the LoKr factors of double_blocks.0" in error.message
    assert " and 18 more, which cannot be named so" in error.message


def test_a_lokr_of_parts_cannot_be_fused_nor_swapped(tmp_path):
    places = [p for p in places_of(FLUX2, "diffusers", GROUPS) if p.name in (QKV, ADALN)]
    error = refused(tmp_path, lokr(places, FLUX2, SPELLINGS["diffusers"], seed=1), "comfy")
    assert "LoKr factors of norm_out.linear, transformer_blocks.0.attn.to_k and 2 more" in error.message


def test_keys_of_no_module_are_refused_and_left_out_when_that_is_allowed(tmp_path):
    made = one_module(QKV, "kohya")
    made["lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"] = ("BF16", (2, 2), bytes(8))
    made["lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"] = ("BF16", (2, 2), bytes(8))
    made[kohya("diff_b")] = ("BF16", (48,), bytes(96))
    error = refused(tmp_path, made, "comfy")
    assert "keys that belong to no module of the model: lora_" in error.message
    assert " and 1 more." in error.message
    assert error.remedy == "allow the loss with --lossy"
    conversion, out = converted(tmp_path, made, "comfy", lossy=True)
    assert len(conversion.left_out) == 3
    assert len(out) == 2


def test_flux1_has_no_form_of_fal(tmp_path):
    made = tensors(places_of(FLUX1, "bfl", ("blocks",)), FLUX1, SPELLINGS["comfy"], seed=1)
    error = refused(tmp_path, made, "fal")
    assert "it is for FLUX.1; nothing is known to load that in the form fal." in error.message
    assert error.remedy == "convert --to diffusers: ComfyUI and diffusers load that"


def test_models_without_a_table(tmp_path):
    shape = ("BF16", (4, 4), bytes(32))
    start = "diffusion_model.layers.0.attention.qkv"
    made = {f"{start}.lora_A.weight": shape, f"{start}.lora_B.weight": shape}
    assert "it is for Z-Image; how each form names" in refused(tmp_path, made, "diffusers").message
    made = {name.replace("layers", "storeys"): t for name, t in made.items()}
    assert "it is for a model that albumkit does not know" in refused(tmp_path, made, "diffusers").message


def test_two_modules_for_the_same_rows(tmp_path):
    made = one_module(QKV, "comfy") | one_module(QKV, "diffusers")
    for form in FORMS:
        assert "change the same weights" in refused(tmp_path, made, form).message
    made = one_module(QKV, "comfy") | one_module(QKV, "fal")
    assert "change the same weights" in refused(tmp_path, made, "comfy").message


def test_parts_that_cannot_become_one_tensor(tmp_path):
    made = one_module(QKV, "diffusers")
    other = one_module(QKV, "diffusers", dtype="F32")
    mixed = {name: other[name] if "to_k" in name else tensor for name, tensor in made.items()}
    assert (
        "to_q and transformer_blocks.0.attn.to_k differ in dtype" in refused(tmp_path, mixed, "comfy").message
    )
    converted(tmp_path, mixed, "diffusers")


@pytest.mark.parametrize(("name", "form"), [(QKV, "diffusers"), (ADALN, "diffusers")])
def test_rows_that_cannot_be_cut(name, form, tmp_path):
    made = one_module(name, "comfy")
    up = f"diffusion_model.{name}.lora_B.weight"
    made[up] = ("BF16", (47, 4), bytes(47 * 8))
    assert f"{name} has 47 rows, which is no multiple of" in refused(tmp_path, made, form).message


def test_what_is_no_lora_keeps_the_words_of_the_reader(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"x")
    with pytest.raises(AdapterError, match="a pickle can run any program"):
        convert(tmp_path / "a.ckpt", tmp_path / "out.safetensors", "comfy")
    write(tmp_path / "b.safetensors", {"double_blocks.0.img_attn.qkv.weight": ("BF16", (4, 4), None)})
    with pytest.raises(AdapterError, match="it is a whole model or a part of one"):
        convert(tmp_path / "b.safetensors", tmp_path / "out.safetensors", "comfy")


def test_a_header_as_long_as_a_pickle_begins(tmp_path):
    """Its length is the first thing in the file: 640 is 80 02, with which pickles begin."""
    made = one_module(QKV, "fal")
    source = write(tmp_path / "source.safetensors", made)
    length = int.from_bytes(source.read_bytes()[:8], "little")
    blanks = 640 - length - len(', "__metadata__": {"a": ""}')
    write(source, made, {"a": " " * blanks})
    assert source.read_bytes()[:2] == b"\x80\x02"
    convert(source, tmp_path / "out.safetensors", "comfy")


def test_out_must_be_free(tmp_path):
    source = write(tmp_path / "a.safetensors", one_module(QKV, "fal"))
    other = tmp_path / "b.safetensors"
    other.write_bytes(b"mine")
    for out, pattern in (
        (source, r"is the file that is read"),
        (tmp_path / "gone" / "c.safetensors", r"there is no folder .*/gone\."),
        (tmp_path, r"must end in \.safetensors"),
        (tmp_path / "c.pt", r"must end in \.safetensors"),
        (other, r"b\.safetensors is there already"),
    ):
        with pytest.raises(UsageError, match=pattern):
            convert(source, out, "comfy")
    (tmp_path / "d.safetensors").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        convert(source, tmp_path / "d.safetensors", "comfy", force=True)
    assert other.read_bytes() == b"mine"
    convert(source, other, "comfy", force=True)
    assert open_adapter(other).scheme.id == "comfy"
    with pytest.raises(UnknownName, match="The nearest is comfy"):
        convert(source, other, "comfyui")


def test_out_must_not_be_the_source_under_another_name(tmp_path):
    source = write(tmp_path / "a.safetensors", one_module(QKV, "fal"))
    os.link(source, tmp_path / "b.safetensors")
    with pytest.raises(UsageError, match="is the file that is read"):
        convert(source, tmp_path / "b.safetensors", "comfy", force=True)
