"""What a LoRA file is found to be: model, spelling, ranks, scales, and the numbers in it."""

from __future__ import annotations

import json
import math
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from adapters import COLUMNS, TINY, Spelling, make, places_of, tensors, words, write
from test_adapter_matrix import MATRIX, SIZES, of_row

import albumkit.adapter
from albumkit.adapter import Adapter, architecture, find_size, open_adapter
from albumkit.adapter.naming import ARCHITECTURES, others
from albumkit.bases import all_bases
from albumkit.errors import AdapterError, UnknownName

EVERYTHING = tuple(group for groups in COLUMNS.values() for group in groups)
COMFY = Spelling("diffusion_model.", "bfl")
PEFT = Spelling("transformer.", "diffusers")
#: Row of the matrix -> id of the scheme; rows not named are spelt like another one.
SCHEMES = {
    "diffusers": "diffusers",
    "diffusers + .alpha": "diffusers",
    "diffusers + header alpha != r": "diffusers",
    "transformer.X.lora.up/down": "diffusers-updown",
    "transformer.X.lora_down + alpha": "diffusers-kohya",
    "bare diffusers": "bare-diffusers",
    "bare diffusers .default": "bare-diffusers",
    "comfy": "comfy",
    "comfy + .alpha": "comfy",
    "diffusion_model.X.lora_down + alpha": "comfy-kohya",
    "diffusion_model.<diffusers>": "comfy-diffusers",
    "fal": "fal",
    "base_model.model.<diffusers>": "peft-diffusers",
    "bare BFL": "bare-bfl",
    "kohya with alpha": "kohya",
    "kohya without alpha": "kohya",
    "lora_unet_<diffusers>": "kohya-diffusers",
    "lora_transformer_": "onetrainer",
    "lycoris_ (LoRA)": "lycoris",
    "musubi --target other": "musubi-other",
    "transformer.<BFL>": "transformer-bfl",
    "DoRA .dora_scale, kohya": "kohya",
    "DoRA lora_magnitude_vector": "diffusers",
    "LoKr comfy": "comfy-lycoris",
    "LoKr kohya": "kohya",
    "LoKr lycoris": "lycoris",
    "LoKr transformer": "diffusers-lycoris",
}


def opened(
    path: Path, size_id: str, spelling: Spelling = COMFY, groups: tuple[str, ...] = EVERYTHING
) -> Adapter:
    size = find_size(size_id)
    return open_adapter(write(path, tensors(places_of(size, spelling.layout, groups), size, spelling)))


# What it is


@pytest.mark.parametrize("row", MATRIX["flux2"], ids=lambda row: row["scheme"])
def test_every_spelling_is_recognised(row, tmp_path):
    size, _ = of_row(row, SIZES["flux2"])
    adapter = open_adapter(make(tmp_path / "flux1-dev-kohya.safetensors", size, row["file"], EVERYTHING))
    assert adapter.architecture is architecture("flux2")
    assert adapter.scheme.id == SCHEMES.get(row["scheme"], adapter.scheme.id)
    assert {module.place.name for module in adapter.modules} == {
        place.name for place in places_of(size, "bfl", EVERYTHING)
    }
    assert not adapter.leftovers
    kinds = {"dora": "magnitude" in row["file"], "lokr": row["file"]["style"] == "lokr"}
    assert adapter.kind == next((kind for kind, is_so in kinds.items() if is_so), "lora")
    assert adapter.has_alpha == (row["file"]["alpha"] is not None)


def test_the_rows_above_are_those_of_the_matrix():
    assert set(SCHEMES) <= {row["scheme"] for row in MATRIX["flux2"]}
    assert {scheme.id for scheme in albumkit.adapter.SCHEMES} == set(SCHEMES.values())


@pytest.mark.parametrize("size", ["flux2-klein-4b", "flux2-klein-9b", "flux2-dev", "flux1-dev"])
@pytest.mark.parametrize("groups", [EVERYTHING, ("blocks",)], ids=["everything", "blocks"])
@pytest.mark.parametrize("spelling", [COMFY, PEFT, Spelling("lora_unet_", "bfl", "down/up", 0.5, True)])
def test_the_model_is_found_by_names_and_shapes(size, groups, spelling, tmp_path):
    adapter = opened(tmp_path / "flux2-klein-9b.safetensors", size, spelling, groups)
    assert adapter.size is not None
    assert adapter.size.id == size
    assert [candidate.id for candidate in adapter.candidates] == [size]


def test_attention_of_flux1_is_not_taken_for_flux2(tmp_path):
    """Both have the same names and, at hidden size 3072, the same shapes there: the blocks tell."""
    for size_id, count in (("flux2-klein-4b", 5), ("flux1-dev", 19)):
        size = find_size(size_id)
        places = [p for p in places_of(size, "bfl", ("blocks",)) if "img_attn" in p.name]
        adapter = open_adapter(write(tmp_path / "a.safetensors", tensors(places, size, COMFY)))
        assert len({module.place.block for module in adapter.modules}) == count
        assert adapter.size is not None
        assert adapter.size.id == size_id


def test_a_file_that_fits_two_models_says_so(tmp_path):
    size = find_size("flux2-klein-4b")
    places = [p for p in places_of(size, "bfl", ("blocks",)) if p.name == "double_blocks.0.img_attn.qkv"]
    adapter = open_adapter(write(tmp_path / "a.safetensors", tensors(places, size, COMFY)))
    assert [candidate.id for candidate in adapter.candidates] == ["flux2-klein-4b", "flux1-dev"]


def test_a_model_that_nobody_published(tmp_path):
    adapter = open_adapter(make(tmp_path / "a.safetensors", TINY, MATRIX["flux2"][0]["file"], ("blocks",)))
    assert adapter.size is not None
    assert not adapter.size.known
    assert adapter.size.title == "FLUX.2 of hidden size 256, 2 double and 3 single blocks or more"
    assert adapter.candidates == ()


@pytest.mark.parametrize(
    ("stem", "title"),
    [
        ("transformer.mode_blocks.image.0.attn.to_q", "FLUX.3"),
        ("transformer.transformer_blocks.0.img_mlp.net.0.proj", "Qwen-Image"),
        ("diffusion_model.layers.0.attention.to_q", "Z-Image"),
        ("lora_unet_blocks_0_self_attn_q", "Wan"),
        ("transformer.blocks.0.attn1.to_q", "Wan"),
        ("transformer.transformer_blocks.0.attn1.to_q", "LTX-Video"),
        ("transformer.distilled_guidance_layer.in_proj", "Chroma"),
        ("diffusion_model.txt_in.individual_token_refiner.blocks.0.self_attn_qkv", "HunyuanVideo"),
    ],
)
def test_models_without_a_table_are_told_by_name(stem, title, tmp_path):
    tensors = {f"{stem}.lora_{letter}.weight": ("BF16", (4, 4), None) for letter in "AB"}
    adapter = open_adapter(write(tmp_path / "a.safetensors", tensors))
    assert adapter.other is not None
    assert adapter.other.title == title
    assert adapter.size is None


def test_keys_that_belong_to_no_module_are_kept_by_name(tmp_path):
    size = find_size("flux1-dev")
    made = tensors(places_of(size, "bfl", ("adaln",)), size, COMFY)
    more = [
        "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
        "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight",
        "diffusion_model.final_layer.linear.diff_b",
        "diffusion_model.img_in.alpha",
    ]
    made |= dict.fromkeys(more, ("F32", (4, 4), None))
    assert set(open_adapter(write(tmp_path / "a.safetensors", made)).leftovers) == set(more)


# Tables


@pytest.mark.parametrize(
    ("size", "linears", "in_blocks", "parameters", "for_each_rank"),
    [
        ("flux2-klein-4b", 89, 80, 3_875_536_896, 1_443_840),
        ("flux2-klein-9b", 121, 112, 9_078_571_008, 2_588_672),
        ("flux2-dev", 171, 160, 32_223_264_768, 6_094_848),
        ("flux1-dev", 314, 228, 11_898_322_944, 3_502_080),
    ],
)
def test_tables_count_what_the_models_count(size, linears, in_blocks, parameters, for_each_rank):
    """Counted on diffusers' own classes; parameters are those of the Linears' weights."""
    model = find_size(size)
    table = architecture(model.architecture)
    shapes = {place.name: place.shape(model) for place in table.places(model)}
    assert len(shapes) == linears
    assert sum(math.prod(shape) for shape in shapes.values()) == parameters
    blocks = [place for place in table.places(model) if place.group == "blocks"]
    assert len(blocks) == in_blocks
    assert sum(sum(place.shape(model)) for place in blocks) == for_each_rank


def test_parts_cover_the_rows_of_their_linear():
    for name in ARCHITECTURES:
        table = architecture(name)
        for size in table.sizes:
            for place in table.places(size, "diffusers"):
                whole = table.place("bfl", place.name)
                assert whole is not None
                rows, _ = place.shape(size)
                assert place.first_row(size) + rows <= whole.shape(size)[0]
                assert table.place("diffusers", place.diffusers_names[0]) == place


def test_models_are_called_as_in_the_list_of_bases():
    known = {base.id: base.title for base in all_bases()}
    for name in ARCHITECTURES:
        for size in architecture(name).sizes:
            assert size.id in known
    with pytest.raises(
        UnknownName, match=r"There is no model named flux2-klein-9. The nearest is flux2-klein-9b."
    ):
        find_size("flux2-klein-9")


def test_other_models_are_told_apart():
    ids = [other.id for other in others()]
    assert len(set(ids)) == len(ids)


# Ranks and scales


def test_scales_follow_alpha_then_the_header_then_one(tmp_path):
    places = places_of(TINY, "diffusers", ("adaln",))
    config = {"transformer.r": 4, "transformer.lora_alpha": 8, "transformer.alpha_pattern": {"x_embedder": 2}}
    metadata = {"lora_adapter_metadata": json.dumps(config)}

    def scale(made: dict, header: dict | None = None) -> float:
        adapter = open_adapter(write(tmp_path / "a.safetensors", made, header))
        return adapter.scale(adapter.modules[0])

    plain = tensors(places, TINY, PEFT)
    assert scale(plain) == 1
    assert scale(plain, metadata) == 2
    assert scale(tensors(places, TINY, Spelling("transformer.", "diffusers", alpha=0.5)), metadata) == 0.5
    config["transformer.alpha_pattern"] = {"norm_out.linear": 2}
    assert scale(plain, {"lora_adapter_metadata": json.dumps(config)}) == 0.5
    config["transformer.use_rslora"] = True
    assert scale(plain, {"lora_adapter_metadata": json.dumps(config)}) == 1
    assert scale(plain, {"lora_adapter_metadata": "{"}) == 1


def test_ranks_are_counted(tmp_path):
    places = places_of(TINY, "bfl", ("blocks",))
    made = tensors(places, TINY, COMFY, rank=4) | tensors(places[:3], TINY, COMFY, rank=12)
    adapter = open_adapter(write(tmp_path / "a.safetensors", made))
    assert (adapter.rank, adapter.ranks) == (4, (4, 12))
    assert adapter.dtypes == ("BF16",)


# What it changes


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
def test_delta_is_scale_times_up_times_down(dtype, tmp_path):
    places = [p for p in places_of(TINY, "bfl", EVERYTHING) if p.name == "img_in"]
    spelling = Spelling("diffusion_model.", "bfl", alpha=0.5)
    adapter = open_adapter(
        write(tmp_path / "a.safetensors", tensors(places, TINY, spelling, dtype=dtype, rank=2, seed=1))
    )
    delta = adapter.delta("img_in")
    assert (delta.shape, delta.scale, delta.columns) == ((256, 32), 0.5, (2, 32))
    a, b = delta.left[2 * 5], delta.left[2 * 5 + 1]
    wanted = [0.5 * (a * x + b * y) for x, y in zip(delta.right[:32], delta.right[32:], strict=True)]
    assert list(delta.row(5)) == pytest.approx(wanted)
    assert any(wanted)
    assert sum(1 for _ in delta.rows()) == 256


def test_words_are_read_exactly(tmp_path):
    values = [0.0, -1.5, 2.0**-7, 3.140625]
    for dtype in ("F64", "F32", "F16", "BF16"):
        made = {
            "diffusion_model.img_in.lora_A.weight": (dtype, (1, 4), words(values, dtype)),
            "diffusion_model.img_in.lora_B.weight": (dtype, (4, 1), words(values, dtype)),
        }
        delta = open_adapter(write(tmp_path / "a.safetensors", made)).delta("img_in")
        assert list(delta.right) == values


def test_delta_of_a_lokr_is_a_kronecker_product(tmp_path):
    stem = "diffusion_model.img_in"
    made = {
        f"{stem}.lokr_w1": ("F32", (2, 2), words([1, 2, 3, 4], "F32")),
        f"{stem}.lokr_w2_a": ("F32", (2, 1), words([1, 10], "F32")),
        f"{stem}.lokr_w2_b": ("F32", (1, 2), words([1, 5], "F32")),
        f"{stem}.alpha": ("F32", (), words([2], "F32")),
    }
    delta = open_adapter(write(tmp_path / "a.safetensors", made)).delta("img_in")
    assert delta.shape == (4, 4)
    assert [list(row) for row in delta.rows()] == [
        [2, 10, 4, 20],
        [20, 100, 40, 200],
        [6, 30, 8, 40],
        [60, 300, 80, 400],
    ]


def test_delta_of_a_dora_needs_the_base(tmp_path):
    made = tensors(places_of(TINY, "bfl", ("adaln",)), TINY, COMFY, magnitude="dora_scale")
    adapter = open_adapter(write(tmp_path / "a.safetensors", made))
    with pytest.raises(AdapterError, match="is a DoRA: its change depends on the weights of the base"):
        adapter.delta(adapter.modules[0])


# Its page


def test_the_page_shows_what_its_program_prints(tmp_path):
    page = (Path(__file__).parent.parent / "docs" / "adapter-files.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    size = find_size("flux2-klein-4b")
    write(tmp_path / "cat.safetensors", tensors(places_of(size, "bfl", ("blocks",)), size, COMFY, seed=1))
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == shown, done.stderr


# What it asks for


ALONE = """
import sys
from pathlib import Path

class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "diffusers", "numpy", "safetensors", "PIL", "mmap", "ctypes"):
            raise AssertionError(f"asked for {name}")

sys.meta_path.insert(0, Guard())
import albumkit.adapter
from albumkit.adapter.health import scan
from albumkit.adapter.predict import predict

adapter = albumkit.adapter.open(sys.argv[1])
results = [predict(adapter, runtime).result for runtime in ("comfy", "diffusers", "fal")]
print(adapter.scheme.id, len(scan(adapter).modules), *results)
"""


def test_reading_asks_for_no_library_and_no_memory_map(tmp_path):
    file = write(
        tmp_path / "a.safetensors", tensors(places_of(TINY, "bfl", ("blocks",)), TINY, COMFY, seed=1)
    )
    done = subprocess.run([sys.executable, "-c", ALONE, str(file)], capture_output=True, text=True)
    assert done.stdout == "comfy 22 full full unknown\n", done.stderr


def test_the_name_of_the_file_means_nothing(tmp_path):
    first = opened(tmp_path / "sdxl-kohya-rank64.safetensors", "flux2-klein-4b")
    shutil.copy(first.path, tmp_path / "x")
    second = open_adapter(tmp_path / "x")
    assert (second.scheme, second.size, second.rank) == (first.scheme, first.size, first.rank)


def test_an_alpha_may_be_any_kind_of_number(tmp_path):
    made = tensors(places_of(TINY, "bfl", ("adaln",)), TINY, COMFY)
    for dtype, raw in (
        ("I64", struct.pack("<q", 8)),
        ("F16", words([8], "F16")),
        ("BF16", words([8], "BF16")),
    ):
        made["diffusion_model.final_layer.adaLN_modulation.1.alpha"] = (dtype, (1,), raw)
        adapter = open_adapter(write(tmp_path / "a.safetensors", made))
        assert adapter.modules[0].alpha == 8
        assert adapter.scale(adapter.modules[0]) == 2
