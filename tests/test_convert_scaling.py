"""Raw words times a number: every word of the short dtypes, and many of F32, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from albumkit.adapter.conversion.scaling import Rounding, power_of_two, scaled
from albumkit.errors import AdapterError

FACTORS = (0.5, 2.0, 0.25, 4.0, -1.0, -8.0, 2.0**-5, 2.0**-20, 2.0**20, 2.0**-160, 1.5, 0.3, -0.7, 1e-6)


def all_words(dtype: str) -> np.ndarray:
    """Every word of a short dtype; of F32 those of BF16 with something behind them."""
    short = np.arange(1 << 16, dtype="<u2")
    return short if dtype != "F32" else (short.astype("<u4") << 16) + short[::-1]


def to_doubles(words: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "F16":
        return words.view("<f2").astype(np.float64)
    wide = words.astype("<u4") << 16 if dtype == "BF16" else words
    return wide.view("<f4").astype(np.float64)


def to_words(numbers: np.ndarray, dtype: str) -> np.ndarray:
    """Rounded to the nearest, halves to even."""
    with np.errstate(over="ignore", under="ignore"):
        if dtype == "F16":
            return numbers.astype("<f2").view("<u2")
        words = numbers.astype("<f4").view("<u4")
    if dtype == "F32":
        return words
    upper, rest = words >> 16, words & 0xFFFF
    return (upper + ((rest > 0x8000) | ((rest == 0x8000) & (upper % 2 == 1)))).astype("<u2")


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("order", ["sorted", "mixed"])
def test_every_word(dtype, factor, order):
    """Sorted words come in chunks of like exponents, mixed ones are mended one by one."""
    words = all_words(dtype)
    if order == "mixed":
        words = np.random.default_rng(1).permutation(words)
    with np.errstate(invalid="ignore"):
        numbers = to_doubles(words, dtype)
        wanted = to_words(numbers * factor, dtype)
        fine = np.isfinite(numbers) & np.isfinite(to_doubles(wanted, dtype))
    words, wanted, numbers = words[fine], wanted[fine], numbers[fine]
    rounding = Rounding(Path("a"), allowed=True)
    for first in range(0, len(words), 2048):
        raw = words[first : first + 2048].tobytes()
        assert scaled(raw, dtype, factor, "t", rounding) == wanted[first : first + 2048].tobytes()
    exact = bool(np.all(to_doubles(wanted, dtype) == numbers * factor))
    assert exact == (not rounding.tensors)


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("factor", [2.0, 0.5, 0.3])
def test_words_that_are_or_become_infinite_are_refused(dtype, factor):
    largest = {"BF16": 0x7F7F, "F16": 0x7BFF, "F32": 0x7F7FFFFF}[dtype]
    width = "<u4" if dtype == "F32" else "<u2"
    for word in (largest, largest + 1, largest + 2):
        raw = np.array([1, word], dtype=width).tobytes()
        if word == largest and factor < 1:
            scaled(raw, dtype, factor, "t", Rounding(Path("a"), allowed=True))
            continue
        with pytest.raises(AdapterError, match="not finite, or are not in"):
            scaled(raw, dtype, factor, "t", Rounding(Path("a"), allowed=True))


@pytest.mark.parametrize("columns", [16, 128])
def test_what_rounding_loses_of_many_numbers_is_told_nearly(columns):
    """Of a whole chunk of a file, whose columns are of very different size."""
    size = 4.0 ** np.arange(columns)
    numbers = np.random.default_rng(2).normal(size=(1 << 16) // columns * columns).reshape(-1, columns)
    words = to_words((numbers / size).ravel(), "BF16")
    exact = to_doubles(words, "BF16") * 0.3
    wanted = to_words(exact, "BF16")
    rounding = Rounding(Path("a"), allowed=True)
    assert scaled(words.tobytes(), "BF16", 0.3, "t", rounding) == wanted.tobytes()
    lost = np.linalg.norm(exact - to_doubles(wanted, "BF16")) / np.linalg.norm(exact)
    assert rounding.error == pytest.approx(lost, rel=0.25)


def test_f64_is_multiplied_number_by_number():
    numbers = np.array([0.1, -3.0, 0.0, 5e-324, 1e300])
    found = scaled(numbers.tobytes(), "F64", 0.5, "t", Rounding(Path("a"), allowed=False))
    assert found == (numbers * 0.5).tobytes()


@pytest.mark.parametrize(
    ("factor", "power"), [(1.0, 0), (0.125, -3), (-4.0, 2), (3.0, None), (0.0, None), (0.1, None)]
)
def test_powers_of_two(factor, power):
    assert power_of_two(factor) == power
