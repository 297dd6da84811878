"""Conversions there and back: the factors come out bit by bit, and in between the file does the same."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import pytest
from adapters import SUFFIXES, Tensors, places_of, tensors, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lora_values import FLUX1, FLUX2, GROUPS, SPELLINGS, raw_tensors, same_changes

from albumkit.adapter import FORMS, Place, Size, convert

RANKS = st.one_of(st.integers(1, 8), st.integers(1, 128))


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda handle: None)


@st.composite
def files(draw: st.DrawFn, form: str, size: Size) -> Tensors:
    """A file in a form: any modules, each of its own rank, alpha and parts; some not trained at all."""
    places = places_of(size, SPELLINGS[form].layout, GROUPS)
    chosen = draw(st.lists(st.sampled_from(places), min_size=1, max_size=8, unique_by=str))
    if size is FLUX1:  # names that FLUX.2 has not
        chosen = [p for p in places if p.linear.name.endswith("linear1")] + chosen
    dtype = draw(st.sampled_from(("F32", "F16", "BF16")))
    seed = draw(st.integers(0, 1 << 30))
    made: Tensors = {}
    for place in dict.fromkeys(chosen):
        rank = draw(RANKS)
        one = tensors([place], size, SPELLINGS[form], rank=rank, dtype=dtype, seed=seed)
        up = next(name for name in one if name.endswith((SUFFIXES["A/B"][1], SUFFIXES["down/up"][1])))
        if draw(st.integers(0, 5)) == 0:
            one[up] = (*one[up][:2], None)
        for name in one:
            if name.endswith(".alpha"):
                alpha = rank * 2.0 ** draw(st.integers(-4, 2))
                one[name] = ("F32", (), struct.pack("<f", alpha))
        made.update(one)
    return made


def there_and_back(made: Tensors, form: str, over: tuple[str, ...], folder: Path) -> None:
    first = write(folder / "first.safetensors", made)
    last = first
    for number, to in enumerate((*over, form)):
        out = folder / f"{number}.safetensors"
        convert(last, out, to, force=True)
        assert same_changes(first, out)
        last = out
    assert raw_tensors(last) == raw_tensors(first)


@pytest.mark.parametrize("form", FORMS)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_way_round(form, data, tmp_path):
    size = data.draw(st.sampled_from((FLUX2, FLUX2, FLUX1)), label="size")
    others = [name for name in FORMS if size.architecture in FORMS[name].architectures]
    if form not in others:
        size, others = FLUX2, list(FORMS)
    over = data.draw(st.lists(st.sampled_from(others), min_size=1, max_size=3).map(tuple), label="over")
    there_and_back(data.draw(files(form, size), label="file"), form, over, tmp_path)


@pytest.mark.parametrize(("form", "other"), list(itertools.permutations(FORMS, 2)))
@pytest.mark.parametrize(("dtype", "rank"), [("F32", 16), ("F16", 1), ("BF16", 128)])
def test_every_module_of_the_model(form, other, dtype, rank, tmp_path):
    places: list[Place] = places_of(FLUX2, SPELLINGS[form].layout, GROUPS)
    made = tensors(places, FLUX2, SPELLINGS[form], rank=rank, dtype=dtype, seed=rank)
    there_and_back(made, form, (other,), tmp_path)
