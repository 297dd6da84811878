"""Converted files in the diffusers that is installed: every module does what the source says it should do."""

from __future__ import annotations

import itertools

import pytest
from adapters import TINY, Spelling, places_of, tensors, write
from test_adapter_diffusers import FLUX1, effects, flux1, meant, quiet, tiny, torch  # noqa: F401

from albumkit.adapter import FORMS, convert, open_adapter

ALL = ("blocks", "globals", "modulation", "adaln")
#: What diffusers loads rightly of each form (docs/decisions/0008-what-convert-writes.md).
GROUPS = {"diffusers": ALL, "comfy": ALL[:3], "fal": ALL[:3], "kohya": ALL[:1]}
SOURCES = {
    "comfy": Spelling("diffusion_model.", "bfl"),
    "kohya, alpha": Spelling("lora_unet_", "bfl", "down/up", 0.5, flat=True),
    "diffusers, own A's": Spelling("transformer.", "diffusers"),
    "bare diffusers": Spelling("", "diffusers", "A/B.default"),
    "OneTrainer, alpha": Spelling("lora_transformer_", "diffusers", "down/up", 0.25, flat=True),
}


def assert_same(found: dict[str, torch.Tensor], source: object) -> None:
    wanted = {}
    for module in source.modules:
        wanted |= meant(source, module)
    assert found.keys() == wanted.keys()
    for name, answer in wanted.items():
        torch.testing.assert_close(found[name], answer, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize(("spelling", "form"), list(itertools.product(SOURCES, FORMS)))
def test_flux2(spelling, form, tmp_path):
    one = SOURCES[spelling]
    places = places_of(TINY, one.layout, GROUPS[form])
    source = write(tmp_path / "source.safetensors", tensors(places, TINY, one, dtype="F32", seed=1))
    convert(source, tmp_path / "out.safetensors", form)
    pipe = tiny()
    pipe.load_lora_weights(str(tmp_path / "out.safetensors"))
    assert_same(effects(pipe.transformer), open_adapter(source))
