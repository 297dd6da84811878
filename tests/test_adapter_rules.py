"""The rules of scope adapter and module: each fires on a file that has its fault, none on a good one."""

from __future__ import annotations

from pathlib import Path

import pytest
from adapters import COLUMNS, TINY, Spelling, Tensors, make, numbers, places_of, tensors, words, write
from test_adapter_matrix import MATRIX

from albumkit.adapter import Size, find_size, open_adapter
from albumkit.adapter.health import scan
from albumkit.adapter.predict import predict
from albumkit.facts import ADAPTER_SCOPES
from albumkit.lint import AlbumResult
from albumkit.rule import load_rules
from albumkit.verdict import judge

RULES = {rule.id for rule in load_rules() if rule.scope in ADAPTER_SCOPES}
COMFY = Spelling("diffusion_model.", "bfl")
UP = "diffusion_model.double_blocks.0.img_attn.qkv.lora_B.weight"
STRAY = {"lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": ("F32", (4, 4), None)}


def verdict(
    file: Path, *, size: Size | None = TINY, base: Size | None = None, versions: dict[str, str] | None = None
) -> AlbumResult:
    adapter = open_adapter(file)
    versions = versions or {"comfy": "0.33.0", "diffusers": "0.42.1"}
    found = [predict(adapter, name, version=v or None, size=base or size) for name, v in versions.items()]
    return judge(adapter, found, scan(adapter), base=base)


def fired(result: AlbumResult) -> dict[str, str]:
    assert result.skipped == []
    return {finding.rule.removeprefix("adapter/"): finding.message for finding in result.findings}


def of_row(file: Path, scheme: str, groups: tuple[str, ...] = ("blocks",)) -> Path:
    row = next(row for row in MATRIX["flux2"] if row["scheme"] == scheme)
    return make(file, TINY, row["file"], groups, seed=1)


def two_modules(**changed: bytes) -> Tensors:
    made = tensors(places_of(TINY, "bfl", ("blocks",))[:2], TINY, COMFY, seed=1)
    for raw in changed.values():
        made[UP] = ("BF16", (768, 4), raw)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cat.safetensors"


def test_a_good_file_is_quiet(file):
    everything = ("blocks", "globals", "modulation")
    for size_id in ("flux2-klein-4b", "flux2-klein-9b"):
        size = find_size(size_id)
        made = tensors(places_of(size, "bfl", everything), size, COMFY, rank=1, seed=1)
        assert fired(verdict(write(file, made), size=None, base=size)) == {}


def klein_attention() -> Tensors:
    size = find_size("flux2-klein-4b")
    places = [p for p in places_of(size, "bfl", ("blocks",)) if "img_attn" in p.name and p.block == 0]
    return tensors(places, size, COMFY, rank=1, seed=1)


NAN = words([float("nan")] * 2, "BF16") + numbers(768 * 4 - 2, "BF16", 1)
#: Rule -> a file that has its fault: a row of the matrix with groups of modules, or tensors.
FILES: dict[str, tuple[str, tuple[str, ...]] | Tensors] = {
    "loads-nothing": ("bare BFL", ("blocks",)),
    "loads-partly": ("kohya with alpha", ("globals", "modulation")),
    "refused": ("comfy + .alpha", ("blocks",)),
    "adaln-halves-swapped": ("comfy", COLUMNS["adaLN"]),
    "alpha-ignored": ("diffusers + header alpha != r", ("blocks",)),
    "magnitude-dropped": ("DoRA lora_magnitude_vector", ("blocks",)),
    "magnitude-of-base": ("DoRA .dora_scale, comfy", ("blocks",)),
    "mixed-rank": ("block-diagonal comfy form", ("blocks",)),
    "ambiguous-model": klein_attention(),
    "stray-keys": two_modules() | STRAY,
    "zero-lora-b": two_modules(up=bytes(2 * 768 * 4)),
    "constant-factor": two_modules(up=words([0.5] * 768 * 4, "BF16")),
    "non-finite": two_modules(up=NAN),
    "factors-too-large": two_modules(up=words([1e4, -1e4] * 384 * 4, "BF16")),
}
#: What each says. A rule that has no more to say than its own name would be no use to anybody.
MESSAGES = """
loads-nothing: It loads in ComfyUI 0.33.0 and diffusers 0.42.1 without an error and changes nothing:
    ComfyUI knows no such name (log: lora key not loaded). Its keys: BFL names without a prefix.
loads-partly: diffusers 0.42.1 (5 of 8 modules) load; the others are dropped without an error:
    double_stream_modulation_img.lin, double_stream_modulation_txt.lin, single_stream_modulation.lin:
    diffusers' converter for kohya does not know it (a warning: unsupported keys).
refused: diffusers (ValueError) would not load it: double_blocks.0.img_attn.qkv.alpha is left over
    (original_state_dict should be empty).
adaln-halves-swapped: diffusers 0.42.1 swaps the halves of final_layer.adaLN_modulation.1: what was trained
    for shift is added to scale.
alpha-ignored: ComfyUI 0.33.0 ignores its alpha: it would be used at strength 1 instead of 0.5.
magnitude-dropped: ComfyUI 0.33.0 drops the DoRA magnitudes and uses the rest as a plain LoRA.
magnitude-of-base: ComfyUI 0.33.0 divides its DoRA magnitudes by the norm of the base's weight, not of the
    changed weight.
mixed-rank: Its modules have ranks 4 and 12 and no alpha: diffusers before 0.40 gives them wrong strengths.
ambiguous-model: Its names and shapes fit FLUX.2 klein 4B and FLUX.1 dev; it is judged as one for FLUX.2
    klein 4B.
stray-keys: 1 of its keys belong to no module of FLUX.2 of hidden size 256, 2 double and 0 single blocks or
    more: lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight.
zero-lora-b: double_blocks.0.img_attn.qkv: lora_B is all zero, so the module changes nothing.
constant-factor: double_blocks.0.img_attn.qkv: lora_B holds one and the same number throughout.
non-finite: double_blocks.0.img_attn.qkv: 2 of its numbers are infinite or not a number.
factors-too-large: double_blocks.0.img_attn.qkv: it changes each weight by up to 749 on average; the model's
    own weights are 0.02 to 0.05.
"""
SAID = dict(line.split(": ", 1) for line in MESSAGES.replace("\n    ", " ").strip().splitlines())
#: Rules that cannot fire alone: diffusers drops the magnitude, and takes a file with a lora_down for kohya's.
WITH = {"magnitude-of-base": {"magnitude-dropped"}, "stray-keys": {"loads-nothing"}}


@pytest.mark.parametrize("name", FILES)
def test_a_rule_fires_on_its_fault(name, file):
    held = FILES[name]
    if isinstance(held, dict):
        write(file, held)
    else:
        of_row(file, *held)
    found = fired(verdict(file, size=None if name == "ambiguous-model" else TINY))
    assert found[name] == SAID[name]
    assert set(found) == {name, *WITH.get(name, ())}


def test_the_wrong_size(file):
    nine, four = find_size("flux2-klein-9b"), find_size("flux2-klein-4b")
    made = tensors(places_of(nine, "bfl", ("blocks",)), nine, COMFY, rank=1, seed=1)
    found = fired(verdict(write(file, made), base=four))
    assert found["wrong-size"] == (
        "It was made for FLUX.2 klein 9B: 112 of its 112 modules do not fit FLUX.2 klein 4B."
    )
    assert set(found) == {"wrong-size", "loads-nothing", "refused"}


def test_an_older_diffusers_scales_by_the_first_rank(file):
    of_row(file, "block-diagonal comfy form")
    found = fired(verdict(file, versions={"diffusers": "0.39.0"}))
    assert found["ranks-mis-scaled"] == (
        "diffusers 0.39.0 scales modules by the rank of the first one; here ranks are 4 and 12."
    )


def test_what_nobody_measured_is_told(file):
    of_row(file, "comfy")
    found = fired(verdict(file, versions={"fal": ""}))
    assert found == {
        "not-measured": "What fal would do with it is not known: fal's endpoints take what fal's own FLUX.2 "
        "trainers write; nobody outside measured other forms."
    }


def test_a_model_without_a_table(file):
    made = {
        f"diffusion_model.layers.0.attention.to_q.lora_{letter}.weight": (
            "F32",
            (4, 4),
            numbers(16, "F32", letter),
        )
        for letter in "AB"
    }
    found = fired(verdict(write(file, made), size=None))
    assert found["unknown-model"] == (
        "It is for Z-Image: albumkit has no table of its names and cannot tell what programs do with it."
    )
    assert set(found) == {"unknown-model", "not-measured"}


def test_every_rule_has_a_case_here():
    more = {"wrong-size", "ranks-mis-scaled", "not-measured", "unknown-model"}
    assert {f"adapter/{name}" for name in {*FILES, *more}} == RULES


def test_rules_about_numbers_are_left_out_when_nobody_looked(file):
    adapter = open_adapter(write(file, two_modules(up=bytes(2 * 768 * 4))))
    result = judge(adapter, [predict(adapter, "comfy", size=TINY)], None)
    assert result.findings == []
    assert set(result.left_out) == {rule.id for rule in load_rules() if rule.scope == "module"}


def test_a_finding_says_what_to_do_and_keeps_its_fingerprint(file):
    of_row(file, "fal")
    (first,) = verdict(file, versions={"comfy": "0.33.0"}).findings
    out = file.with_name("cat_comfy.safetensors")
    assert [remedy.do for remedy in first.remedies] == [
        f"albumkit convert {file.as_posix()} {out.as_posix()} --to comfy"
    ]
    assert (first.severity, first.path, first.value, first.limit) == (
        "error",
        file.as_posix(),
        "ComfyUI 0.33.0",
        "",
    )
    assert verdict(file, versions={"comfy": "0.33.0"}).findings[0].fingerprint == first.fingerprint
    assert verdict(file, versions={"comfy": "0.33.0"}).fails()
