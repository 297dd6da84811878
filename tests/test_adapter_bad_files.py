"""Files that are no adapter, or a broken one: each a precise message, and whatever the bytes, no crash."""

from __future__ import annotations

import builtins
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from adapters import COLUMNS, TINY, Spelling, Tensors, make, places_of, tensors, words, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from albumkit.adapter import open_adapter
from albumkit.adapter.health import scan
from albumkit.adapter.predict import RUNTIMES, predict
from albumkit.errors import AdapterError

COMFY = Spelling("diffusion_model.", "bfl")
PLACES = places_of(TINY, "bfl", ("blocks",))[:2]
STEM = "diffusion_model.double_blocks.0.img_attn.qkv"


def good(**changed: Any) -> Tensors:
    """Two modules; some tensors of the first one changed (dtype, shape, data), or dropped (None)."""
    made = tensors(PLACES, TINY, COMFY, seed=1)
    for suffix, tensor in changed.items():
        name = f"{STEM}.{suffix}" if suffix == "alpha" else f"{STEM}.{suffix}.weight"
        made.pop(name, None)
        if tensor is not None:
            made[name] = tensor
    return made


def raw(path: Path, header: bytes, data: bytes = b"", length: int | None = None) -> Path:
    """A file with this header, whatever it says."""
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def entry(start: int, stop: int, shape: tuple[int, ...] | None = None, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape or [(stop - start) // 4], "data_offsets": [start, stop]}


def refusal(path: Path) -> str:
    with pytest.raises(AdapterError) as caught:
        open_adapter(path)
    assert caught.value.message.startswith(path.as_posix() + ": ")
    return caught.value.message.removeprefix(path.as_posix() + ": ")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.safetensors"


@pytest.mark.parametrize("ending", ["pt", "pth", "bin", "ckpt", "CKPT", "pkl"])
def test_a_pickle_is_refused_unopened(ending, tmp_path, monkeypatch):
    path = tmp_path / f"lora.{ending}"
    path.write_bytes(b"PK\x03\x04")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(builtins, "open", never)
    words = "it was not opened: a pickle can run any program that its author put into it."
    assert refusal(path) == words


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"PK\x03\x04....", "it is a zip, which is how PyTorch saves pickles."),
        (b"\x80\x02}q\x00(X\x05", "it is a pickle."),
        (b"GGUF\x03\x00\x00\x00", "it is a GGUF file: a whole quantised model, not a LoRA."),
        (b"version https://git-lfs.github.com", "it is a Git LFS pointer: the file itself was not fetched."),
        (b"<!DOCTYPE html>", "it is a web page: the download gave a page instead of the file."),
        (b"", "it has 0 bytes."),
        (b"\x08\x00\x00", "it has 3 bytes."),
    ],
)
def test_what_people_take_for_safetensors(start, said, file):
    file.write_bytes(start)
    assert refusal(file) == f"it is no safetensors file: {said}"


def test_a_header_whose_length_looks_like_a_pickle(file):
    header = json.dumps({"x.lora_A": entry(0, 0), "x.lora_B": entry(0, 0)}).encode()
    said = refusal(raw(file, header.ljust(0x0280)))
    assert said.startswith("the factors of x do not fit each other")


def test_a_file_that_is_not_there_and_a_folder(tmp_path):
    assert refusal(tmp_path / "none.safetensors") == "it cannot be read: No such file or directory."
    assert refusal(tmp_path).startswith("it cannot be read: ")


def test_a_header_of_100_gb_is_not_believed(file):
    raw(file, b"{}", length=100_000_000_000)
    assert refusal(file) == (
        "its header claims to be 100,000,000,000 bytes long; the format allows 100,000,000. "
        "It is damaged, or no safetensors file."
    )


def test_a_header_longer_than_the_file(file):
    raw(file, b"{}", length=5000)
    assert refusal(file) == (
        "its header claims to be 5,000 bytes long, but only 2 follow: "
        "it is cut short, or no safetensors file."
    )


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"[]", "its header does not begin with {: it is damaged, or no safetensors file."),
        (b'{"a": ', "its header is no JSON: Expecting value: line 1 column 7 (char 6)."),
        (b'{"a": NaN}', "its header is no JSON: NaN is no JSON."),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "its header is no JSON: it is nested too deep."),
        (b"{}", "it holds no tensors."),
        (b'{"__metadata__": {"a": "b"}}', "it holds no tensors."),
        (b'{"__metadata__": {"a": 1}, "x": 2}', "the __metadata__ of its header must be texts only."),
        (b'{"a": 1}', "a must have dtype, shape and data_offsets in the header, and nothing else."),
    ],
)
def test_headers_that_are_none(header, said, file):
    assert refusal(raw(file, header)) == said


@pytest.mark.parametrize("name", [b"\xff", b"\\ud800"])
def test_a_header_that_is_no_text(name, file):
    assert refusal(raw(file, b'{"' + name + b'": 1}')).startswith(
        "its header is no JSON: 'utf-8' codec can't "
    )


@pytest.mark.parametrize(
    ("entries", "data", "said"),
    [
        ({"a": entry(0, 8, dtype="F31")}, 8, "a has dtype F31, which the format does not know."),
        ({"a": {**entry(0, 8), "shape": [-2]}}, 8, "a has shape [-2]."),
        ({"a": {**entry(0, 8), "shape": [True, 2]}}, 8, "a has shape [true, 2]."),
        ({"a": {**entry(0, 8), "data_offsets": [0]}}, 8, "a has data_offsets [0]."),
        ({"a": {**entry(0, 8), "data_offsets": [0.0, 8]}}, 8, "a has data_offsets [0.0, 8]."),
        ({"a": {**entry(0, 8), "data_offsets": [8, 0]}}, 8, "a ends before it begins: data_offsets [8, 0]."),
        ({"a": entry(0, 8, (3,))}, 8, "a (F32, 3) needs 12 bytes; its data_offsets give it 8."),
        ({"a": entry(0, 8), "b": entry(4, 12)}, 12, "b lies over a in the file."),
        ({"a": entry(0, 8), "b": entry(12, 16)}, 16, "4 bytes before b belong to no tensor."),
        ({"a": entry(0, 8)}, 11, "3 bytes at its end belong to no tensor."),
        (
            {"a": {**entry(0, 8), "shape": [1 << 40, 1 << 40]}},
            8,
            f"a (F32, {1 << 40}x{1 << 40}) needs {4 << 80:,} bytes; its data_offsets give it 8.",
        ),
    ],
)  # fmt: skip
def test_entries_that_cannot_be(entries, data, said, file):
    assert refusal(raw(file, json.dumps(entries).encode(), bytes(data))) == said


def test_offsets_out_of_range_and_a_file_cut_short(file):
    header = json.dumps({"a": entry(0, 8), "b": entry(8, 80)}).encode()
    end = 8 + len(header)
    said = f"it is cut short: b ends at byte {end + 80}, the file at {end + 50}."
    assert refusal(raw(file, header, bytes(50))) == said


def test_a_name_that_stands_twice(file):
    one = json.dumps(entry(0, 4))
    assert refusal(raw(file, f'{{"a": {one}, "a": {one}}}'.encode(), bytes(4))) == "its header names a twice."


def test_a_strangers_words_are_cut_and_cleaned(file):
    name = "\x1b[31m" + "n" * 500
    said = refusal(raw(file, json.dumps({name: 1}).encode()))
    assert said.startswith(f"?[31m{'n' * 95}... (505 characters) must have dtype, shape ")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lora_A": None}, f"{STEM} has only one factor: .lora_B.weight is 768x4."),
        (
            {"lora_A": ("BF16", (8, 256), None)},
            f"the factors of {STEM} do not fit each other: .lora_A.weight is 8x256, .lora_B.weight is 768x4.",
        ),
        (
            {"lora_A": ("BF16", (4,), None)},
            f"the factors of {STEM} do not fit each other: .lora_A.weight is 4, .lora_B.weight is 768x4.",
        ),
        (
            {"lora_A": ("I8", (4, 256), None)},
            f"{STEM}.lora_A.weight is I8; factors are one of BF16, F16, F32, F64.",
        ),
        (
            {"lora_A": ("F8_E4M3", (4, 256), None)},
            f"{STEM}.lora_A.weight is F8_E4M3; factors are one of BF16, F16, F32, F64.",
        ),
        (
            {"lora_down": ("BF16", (4, 256), None)},
            f"{STEM}.lora_A.weight and {STEM}.lora_down.weight are the same factor of one module.",
        ),
        (
            {"alpha": ("F32", (2,), None)},
            f"{STEM}.alpha must be one finite number; it is F32 of 2 numbers.",
        ),
        (
            {"alpha": ("F32", (), words([float("nan")], "F32"))},
            f"{STEM}.alpha must be one finite number; it is nan.",
        ),
    ],
)
def test_modules_that_cannot_be(changed, said, file):
    assert refusal(write(file, good(**changed))) == said


def weights(*names: str) -> Tensors:
    return dict.fromkeys(names, ("BF16", (4, 4), None))


NO_LORA = "not a LoRA: no key names a lora_A, lora_down, LoKr or LoHa."
CLIP = "lora_te1_text_model_encoder_layers_0_mlp_fc1"
SDXL = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
SD = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


def kohya(*stems: str) -> list[str]:
    return [f"{stem}.lora_{way}.weight" for stem in stems for way in ("down", "up")]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["double_blocks.0.img_attn.qkv.weight", "double_blocks.0.img_attn.qkv.bias"],
            f"it is a whole model or a part of one (2 tensors, 0.00 GB), {NO_LORA}",
        ),
        (
            ["text_model.encoder.layers.0.mlp.fc1.weight"],
            f"it is a whole model or a part of one of a text encoder (1 tensors, 0.00 GB), {NO_LORA}",
        ),
        (["emb_params"], "none of its 1 keys is one of a LoRA."),
        (kohya(CLIP), "it is a LoRA for a text encoder, not for an image model that albumkit knows."),
        (
            kohya(SDXL, CLIP.replace("te1", "te2")),
            "it is a LoRA for SDXL, not for an image model that albumkit knows.",
        ),
        (
            [f"{SD}.lora_A.weight", f"{SD}.lora_B.weight"],
            "it is a LoRA for Stable Diffusion, not for an image model that albumkit knows.",
        ),
    ],
)
def test_files_for_something_else(names, said, file):
    assert refusal(write(file, weights(*names))) == f"{said} It begins with {names[0]}."


# Whatever the bytes


#: No example may hang; all of them together take seconds.
BOUNDED = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [*good(), f"{STEM}.alpha", f"{STEM}.lokr_w1", f"{STEM}.lokr_w2", "__metadata__", "x", ""]
)
NUMBER = st.integers(-2, 80) | st.integers(0, 1 << 70)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "F16", "F64", "I64", "F4", "Q"]) | JSON,
        "shape": st.lists(NUMBER, max_size=4) | JSON,
        "data_offsets": st.tuples(NUMBER, NUMBER).map(list) | JSON,
    }
)


def survives(path: Path) -> None:
    """It is opened, looked at and predicted, or refused in words."""
    try:
        adapter = open_adapter(path)
    except AdapterError:
        return
    scan(adapter)
    for runtime in RUNTIMES:
        assert predict(adapter, runtime).result


@BOUNDED
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path, data):
    file = tmp_path / "a.safetensors"
    file.write_bytes(data)
    survives(file)


@BOUNDED
@given(st.dictionaries(KEYS, ENTRIES | JSON, max_size=4), st.integers(0, 200))
def test_any_header(tmp_path, entries, size):
    header = json.dumps(entries).encode("utf-8", "surrogatepass")
    survives(raw(tmp_path / "a.safetensors", header, bytes(size)))


@BOUNDED
@given(st.data())
def test_a_good_file_with_some_bytes_changed(tmp_path, data):
    file = make(tmp_path / "a.safetensors", TINY, {**vars(COMFY)}, COLUMNS["adaLN"], seed=1)
    whole = bytearray(file.read_bytes())
    header = 8 + int.from_bytes(whole[:8], "little")
    places = st.one_of(st.integers(0, header - 1), st.integers(0, len(whole) - 1))
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    file.write_bytes(whole[: data.draw(st.sampled_from([len(whole), len(whole) - 1, header, 20]))])
    survives(file)
