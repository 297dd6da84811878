"""Converted files in the diffusers that is installed: every module does what the source says it should do."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from adapters import TINY, Spelling, places_of, tensors, write
from lora_values import GROUPS, SPELLINGS
from test_adapter_diffusers import (  # noqa: F401 - two of them are fixtures
    FLUX1,
    Flux2Pipe,
    FluxPipe,
    effects,
    flux1,
    meant,
    quiet,
    tiny,
    torch,
)

from albumkit.adapter import FORMS, Size, convert, open_adapter

#: What diffusers loads rightly of each form (docs/decisions/0008-what-convert-writes.md).
RIGHT = {"diffusers": GROUPS, "comfy": GROUPS[:3], "fal": GROUPS[:3], "kohya": GROUPS[:1]}
SOURCES = {
    "comfy": SPELLINGS["comfy"],
    "kohya with alpha": Spelling("lora_unet_", "bfl", "down/up", 0.5, flat=True),
    "bare diffusers": Spelling("", "diffusers", "A/B.default"),
    "OneTrainer with alpha": Spelling("lora_transformer_", "diffusers", "down/up", 0.25, flat=True),
}


@pytest.fixture(scope="module")
def flux2() -> Flux2Pipe:
    return tiny()


def check(pipe: Flux2Pipe | FluxPipe, folder: Path, size: Size, spelling: Spelling, form: str) -> None:
    """Convert a file, load it, and compare each Linear's answer with what the source means."""
    places = [p for p in places_of(size, spelling.layout, RIGHT[form]) if p.block in (None, 0, 1)]
    made = tensors(places, size, spelling, dtype="F32", seed=1)
    source, out = write(folder / "source.safetensors", made), folder / "out.safetensors"
    convert(source, out, form)
    pipe.unload_lora_weights()
    pipe.load_lora_weights(str(out))
    found, wanted = effects(pipe.transformer), {}
    adapter = open_adapter(source)
    for module in adapter.modules:
        wanted |= meant(adapter, module)
    assert found.keys() == wanted.keys()
    for name, answer in wanted.items():
        torch.testing.assert_close(found[name], answer, rtol=1e-4, atol=1e-5 * answer.norm().item())


@pytest.mark.parametrize(("source", "form"), list(itertools.product(SOURCES, FORMS)))
def test_flux2(source, form, flux2, tmp_path):
    check(flux2, tmp_path, TINY, SOURCES[source], form)


@pytest.mark.parametrize("form", ["diffusers", "kohya"])
def test_flux1(form, flux1, tmp_path):  # noqa: F811
    check(flux1, tmp_path, FLUX1, SOURCES["kohya with alpha"], form)
