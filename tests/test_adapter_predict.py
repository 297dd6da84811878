"""What predictions depend on besides the file: version, model, runtime; and what they advise."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from adapters import COLUMNS, TINY, Spelling, make, places_of, tensors, write
from test_adapter_matrix import MATRIX

from albumkit.adapter import Adapter, find_size, open_adapter
from albumkit.adapter.predict import NEWEST, predict
from albumkit.errors import UnknownName, UsageError

EVERYTHING = tuple(group for groups in COLUMNS.values() for group in groups)
COMFY = Spelling("diffusion_model.", "bfl")
#: fal's FLUX.2 trainers: no MLP of the double blocks and no adaLN, but what lies outside the blocks.
FAL_SET = ("img_mlp", "txt_mlp", "adaLN")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.safetensors"


def of(
    file: Path, scheme: str, groups: tuple[str, ...] = ("blocks",), architecture: str = "flux2"
) -> Adapter:
    row = next(row for row in MATRIX[architecture] if row["scheme"] == scheme)
    size = TINY if architecture == "flux2" else find_size("flux1-dev")
    return open_adapter(make(file, size, row["file"], groups))


def klein(
    file: Path, size: str, spelling: Spelling = COMFY, groups: tuple[str, ...] = ("blocks",)
) -> Adapter:
    model = find_size(size)
    return open_adapter(write(file, tensors(places_of(model, spelling.layout, groups), model, spelling)))


# The full-size models


@pytest.mark.parametrize("size", ["flux2-klein-4b", "flux2-klein-9b"])
@pytest.mark.parametrize("scheme", ["fal", "comfy", "diffusers", "kohya with alpha"])
def test_the_set_of_fal_at_full_size(scheme, size, file):
    """Measured at full size, with the same outcome as on the tiny model."""
    row = next(row for row in MATRIX["flux2"] if row["scheme"] == scheme)
    model = find_size(size)
    spelling = Spelling(**{key: row["file"][key] for key in ("prefix", "layout", "style", "alpha", "flat")})
    places = [
        p
        for p in places_of(model, spelling.layout, EVERYTHING)
        if not any(part in p.name for part in FAL_SET)
    ]
    adapter = open_adapter(write(file, tensors(places, model, spelling)))
    for runtime in ("comfy", "diffusers"):
        blocks, others = row[runtime]["blocks"], row[runtime]["globals"]
        wanted = blocks if blocks == others else "partial"
        assert predict(adapter, runtime).result == wanted.split()[0]


def test_fals_file_has_the_published_size(file):
    """76,039,072 bytes for klein 4B: https://huggingface.co/fal/flux-2-klein-4B-outpaint-lora"""
    model = find_size("flux2-klein-4b")
    places = [p for p in places_of(model, "bfl", EVERYTHING) if not any(part in p.name for part in FAL_SET)]
    made = tensors(places, model, Spelling("base_model.model.", "bfl"), dtype="F32", rank=16)
    adapter = open_adapter(write(file, made))
    assert len(adapter.modules) == 68
    assert sum(tensor.size for tensor in adapter.header.tensors) == 1_187_840 * 16 * 4
    assert abs(file.stat().st_size - 76_039_072) < 2_000  # the header may be spaced otherwise
    assert predict(adapter, "fal").ok


# Versions


@pytest.mark.parametrize(
    ("scheme", "runtime", "since"),
    [
        ("comfy", "comfy", ""),
        ("diffusers", "comfy", "0.11.0"),
        ("bare diffusers", "comfy", "0.11.0"),
        ("comfy", "diffusers", ""),
        ("fal", "diffusers", "0.37.0"),
        ("kohya with alpha", "diffusers", "0.37.1"),
        ("diffusion_model.<diffusers>", "diffusers", "0.38.0"),
        ("block-diagonal comfy form", "diffusers", "0.40.0"),
        ("LoKr comfy", "diffusers", "0.42.0"),
    ],
)
def test_the_oldest_version_that_loads_it(scheme, runtime, since, file):
    """Nothing where every known one does."""
    found = predict(of(file, scheme), runtime, size=TINY)
    assert found.ok
    assert found.since == since


@pytest.mark.parametrize(
    ("scheme", "runtime", "older", "said"),
    [
        ("kohya with alpha", "diffusers", "0.37.0", "nothing"),
        ("fal", "diffusers", "0.36.0", "nothing"),
        ("diffusion_model.<diffusers>", "diffusers", "0.37.1", "error ValueError"),
        ("block-diagonal comfy form", "diffusers", "0.39.0", "full rank-mis-scaled"),
        ("LoKr comfy", "diffusers", "0.41.0", "error ValueError"),
        ("LoKr kohya", "diffusers", "0.41.0", "nothing"),
        ("LoKr lycoris", "diffusers", "0.41.0", "error ValueError"),
        ("diffusers", "comfy", "0.9.0", "partial"),
        ("diffusers", "comfy", "0.10.0", "partial"),
        ("bare diffusers", "comfy", "0.10.0", "nothing"),
    ],
)
def test_older_versions_do_less(scheme, runtime, older, said, file):
    adapter = of(file, scheme)
    found = predict(adapter, runtime, size=TINY, version=older)
    assert " ".join([found.result, *filter(None, [found.error]), *(f.code for f in found.faults)]) == said
    newest = predict(adapter, runtime, size=TINY)
    if newest.ok:
        title = {"comfy": "ComfyUI", "diffusers": "diffusers"}[runtime]
        assert found.remedy == f"use {title} {newest.since} or newer"


def test_a_wide_qkv_before_0_40_is_scaled_by_the_ratio_of_the_ranks(file):
    """Measured: 12 of the 30 modules of the tiny model at a third of their strength: four qkv."""
    found = predict(of(file, "block-diagonal comfy form"), "diffusers", size=TINY, version="0.39")
    (fault,) = found.faults
    assert fault.modules == tuple(
        f"double_blocks.{i}.{side}_attn.qkv" for i in range(2) for side in ("img", "txt")
    )


def test_flux1_with_alphas_of_the_last_layer(file):
    """Before 0.39 an alpha of final_layer made the whole file refused."""
    adapter = of(file, "kohya", ("blocks", "globals"), "flux1")
    assert predict(adapter, "diffusers", version="0.38").error == "ValueError"
    assert predict(adapter, "diffusers", version="0.39").result == "partial"


def test_versions_may_be_installed_or_unknown(file):
    adapter = of(file, "comfy")
    assert predict(adapter, "diffusers", size=TINY).version == NEWEST["diffusers"]
    assert predict(adapter, "diffusers", size=TINY, version="installed").version == version("diffusers")
    assert predict(adapter, "diffusers", size=TINY, version="99.0").ok
    with pytest.raises(UsageError, match="ComfyUI is not installed in this Python"):
        predict(adapter, "comfy", version="installed")
    with pytest.raises(UsageError, match="new is no version"):
        predict(adapter, "comfy", version="new")
    with pytest.raises(UsageError, match="fal's endpoints have no version"):
        predict(adapter, "fal", version="1.0")
    with pytest.raises(UnknownName, match=r"There is no runtime named comfi\. The nearest is comfy"):
        predict(adapter, "comfi")


# Models


def test_the_wrong_size_is_told_with_numbers(file):
    found = predict(klein(file, "flux2-klein-9b"), "comfy", size="flux2-klein-4b")
    assert (found.result, found.silent, len(found.dropped)) == ("nothing", True, 112)
    assert found.dropped[0].module == "double_blocks.0.img_attn.proj"
    assert found.why == ("its change is 4096x4096, the weight of FLUX.2 klein 4B 3072x3072 (log: ERROR lora)")
    assert found.remedy == (
        "use it with FLUX.2 klein 9B: its change is 4096x4096, the weight of FLUX.2 klein 4B 3072x3072"
    )
    raising = predict(klein(file, "flux2-klein-9b"), "diffusers", size="flux2-klein-4b")
    assert (raising.result, raising.error, raising.silent) == ("error", "RuntimeError", False)


def test_too_many_blocks_are_dropped(file):
    wide = replace(TINY, blocks={"double": 3, "single": 3})
    adapter = open_adapter(write(file, tensors(places_of(wide, "bfl", ("blocks",)), wide, COMFY)))
    for runtime in ("comfy", "diffusers"):
        found = predict(adapter, runtime, size=TINY)
        assert (found.result, len(found.dropped)) == ("partial", 8)


def test_a_file_of_the_other_architecture(file):
    """Names and some shapes coincide: klein 4B and FLUX.1 both have hidden size 3072."""
    adapter = klein(file, "flux1-dev")
    found = predict(adapter, "comfy", size="flux2-klein-4b")
    assert found.result == "partial"
    assert {drop.module for drop in found.dropped} >= {"single_blocks.0.linear1", "double_blocks.0.img_mlp.0"}
    assert predict(adapter, "diffusers", size="flux2-klein-4b").result == "error"


def test_a_model_without_a_table_is_not_judged(file):
    made = {f"diffusion_model.layers.0.attention.to_q.lora_{x}.weight": ("BF16", (4, 4), None) for x in "AB"}
    found = predict(open_adapter(write(file, made)), "comfy")
    assert found.result == "unknown"
    assert not found.ok
    assert found.why == "it is for Z-Image, for which albumkit has no table yet"


# What to do


@pytest.mark.parametrize(
    ("scheme", "groups", "runtime", "remedy"),
    [
        ("fal", ("blocks",), "comfy", "{file} {out}_comfy.safetensors --to comfy"),
        ("bare BFL", ("blocks",), "diffusers", "{file} {out}_comfy.safetensors --to comfy"),
        ("comfy", ("blocks",), "fal", "{file} {out}_fal.safetensors --to fal"),
        ("comfy", ("blocks", "adaln"), "diffusers", "{file} {out}_diffusers.safetensors --to diffusers"),
        ("diffusers", EVERYTHING, "comfy", "{file} {out}_comfy.safetensors --to comfy"),
        ("DoRA .magnitude (ait)", ("blocks",), "comfy", "train it again without DoRA"),
        ("comfy", ("blocks",), "comfy", ""),
    ],
)
def test_what_mends_it(scheme, groups, runtime, remedy, file):
    found = predict(of(file, scheme, groups), runtime, size=TINY)
    out = file.with_suffix("").as_posix()
    assert found.remedy.removeprefix("albumkit convert ") == remedy.format(file=file.as_posix(), out=out)


def test_flux1_is_mended_by_diffusers_names(file):
    found = predict(of(file, "comfy", architecture="flux1"), "diffusers")
    out = file.with_name(f"{file.stem}_diffusers.safetensors")
    assert found.remedy == f"albumkit convert {file.as_posix()} {out.as_posix()} --to diffusers"


def test_a_name_with_blanks_is_one_word_of_the_command(tmp_path):
    found = predict(of(tmp_path / "my cat.safetensors", "fal", ("blocks",)), "comfy", size=TINY)
    folder = tmp_path.as_posix()
    wanted = f'"{folder}/my cat.safetensors" "{folder}/my cat_comfy.safetensors" --to comfy'
    assert found.remedy == f"albumkit convert {wanted}"


def test_fal_takes_what_fal_writes_and_nothing_else_is_known(file):
    assert predict(of(file, "fal", ("blocks", "globals")), "fal", size=TINY).ok
    for scheme in ("comfy", "diffusers"):
        assert predict(of(file, scheme), "fal", size=TINY).result == "unknown"
    assert predict(of(file, "base_model.model.<BFL>", architecture="flux1"), "fal").result == "unknown"
