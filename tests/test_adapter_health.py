"""The numbers in a LoRA file: zero, constant, huge or none at all, and how large the change is."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from adapters import BYTES, TINY, Spelling, lokr, numbers, places_of, tensors, words, write
from sample_loras import COMFY

from albumkit.adapter import open_adapter
from albumkit.adapter.health import ModuleHealth, scan
from albumkit.errors import AdapterError


def looked_at(path: Path, down: bytes, up: bytes, dtype: str = "BF16", rank: int = 4) -> ModuleHealth:
    """One module, final_layer.linear of the tiny model: 32x256."""
    stem = "diffusion_model.final_layer.linear"
    width = BYTES[dtype]
    made = {
        f"{stem}.lora_A.weight": (dtype, (rank, len(down) // width // rank), down),
        f"{stem}.lora_B.weight": (dtype, (len(up) // width // rank, rank), up),
    }
    (found,) = scan(open_adapter(write(path, made))).modules
    return found


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
@pytest.mark.parametrize("count", [1024, 4 * 100_003])
def test_good_numbers_are_good_and_their_norm_is_near(dtype, count, tmp_path):
    rng_words = words(_normal(count), dtype)
    found = looked_at(tmp_path / "a.safetensors", rng_words, rng_words, dtype)
    (down, up) = found.factors
    values = _normal(count)
    norm = math.sqrt(math.fsum(x * x for x in values))
    largest = max(map(abs, values))
    for factor in (down, up):
        assert (factor.zero, factor.constant, factor.nonfinite) == (False, False, 0)
        assert factor.norm == pytest.approx(norm, rel=0.05 if count > 8192 else 0.005)
        assert largest / (1 << 16 if dtype == "F64" else 4) < factor.peak <= largest
        assert factor.sampled == count if count <= 8192 else 4096 <= factor.sampled < 8192
    assert found.bound == pytest.approx(norm * norm, rel=0.1)


def _normal(count: int) -> list[float]:
    rng = random.Random(count)
    return [rng.gauss(0, 0.02) for _ in range(count)]


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
@pytest.mark.parametrize("position", [0, 77, 300_000, 400_011])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_bad_number_of_many_is_found(dtype, position, bad, tmp_path):
    count, width = 4 * 100_003, BYTES[dtype]
    up = bytearray(numbers(count, dtype, 1))
    up[position * width : (position + 1) * width] = words([bad], dtype)
    found = looked_at(tmp_path / "a.safetensors", numbers(count, dtype, 2), bytes(up), dtype)
    assert [factor.nonfinite for factor in found.factors] == [0, 1]
    assert found.nonfinite == 1
    assert math.isfinite(found.bound)


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
def test_zeros_of_both_signs_are_zero_and_one_other_number_is_not(dtype, tmp_path):
    count, width = 4 * 100_003, BYTES[dtype]
    down = numbers(count, dtype, 1)
    zeros = bytearray(count * width)
    zeros[width - 1 :: 3 * width] = b"\x80" * len(zeros[width - 1 :: 3 * width])
    assert looked_at(tmp_path / "a.safetensors", down, bytes(count * width), dtype).up_is_zero
    assert looked_at(tmp_path / "a.safetensors", down, bytes(zeros), dtype).up_is_zero
    for byte in (0, width - 1):  # the smallest number there is, and a large one
        changed = bytearray(zeros)
        changed[count * width // 2 // width * width + byte] = 0x01
        assert not looked_at(tmp_path / "a.safetensors", down, bytes(changed), dtype).up_is_zero


def test_a_constant_is_named_and_one_other_number_makes_it_none(tmp_path):
    down, one = numbers(400_012, "BF16", 1), words([0.5], "BF16")
    found = looked_at(tmp_path / "a.safetensors", down, one * 400_012)
    assert [factor.tensor.name for factor in found.constant] == [
        "diffusion_model.final_layer.linear.lora_B.weight"
    ]
    assert not found.up_is_zero
    assert not looked_at(tmp_path / "a.safetensors", down, one * 400_011 + words([0.25], "BF16")).constant


def test_factors_are_judged_by_their_product(tmp_path):
    """A thousandfold lora_A beside a thousandth lora_B is the same adapter."""
    values = _normal(1024)
    usual = looked_at(tmp_path / "a.safetensors", words(values, "F32"), words(values, "F32"), "F32")
    large, small = words([1000 * x for x in values], "F32"), words([x / 1000 for x in values], "F32")
    assert looked_at(tmp_path / "a.safetensors", large, small, "F32").change == pytest.approx(
        usual.change, rel=1e-4
    )
    assert looked_at(tmp_path / "a.safetensors", large, large, "F32").change == pytest.approx(
        1e6 * usual.change, rel=1e-4
    )
    assert usual.change < 0.05


def test_one_huge_number_that_the_sample_misses_counts(tmp_path):
    up = bytearray(numbers(400_012, "BF16", 1))
    up[2 * 12_345 : 2 * 12_346] = words([1e30], "BF16")
    found = looked_at(tmp_path / "a.safetensors", numbers(400_012, "BF16", 2), bytes(up))
    assert found.factors[1].norm > 1e29


def test_a_lokr_is_zero_when_its_second_factor_is(tmp_path):
    places = places_of(TINY, "bfl", ("adaln",))
    made = lokr(places, TINY, Spelling("diffusion_model.", "bfl", "lokr"), seed=1)
    (good,) = scan(open_adapter(write(tmp_path / "a.safetensors", made))).modules
    assert not good.up_is_zero
    made = {k: (d, s, None if k.endswith("w2") else raw) for k, (d, s, raw) in made.items()}
    (dead,) = scan(open_adapter(write(tmp_path / "a.safetensors", made))).modules
    assert dead.up_is_zero


def test_scanning_tells_how_far_it_is_and_sees_a_file_that_shrinks(tmp_path):
    file = write(
        tmp_path / "a.safetensors", tensors(places_of(TINY, "bfl", ("blocks",)), TINY, COMFY, seed=1)
    )
    adapter = open_adapter(file)
    seen: list[tuple[int, int]] = []
    assert len(scan(adapter, lambda done, total: seen.append((done, total))).modules) == 22
    assert seen[-1][0] == seen[-1][1]
    assert seen == sorted(seen)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(AdapterError, match="it changed while it was read"):
        scan(adapter)
    file.unlink()
    with pytest.raises(AdapterError, match="it cannot be read"):
        scan(adapter)
