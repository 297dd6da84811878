"""Predictions against the diffusers that is installed: files of every spelling are really loaded.

FLUX.2 is a tiny model; FLUX.1 has its full size, because the converters are written for that. Neither has
weights worth the name: what a loaded module adds to the answer to a fixed input is compared with what the
file says it should add.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from adapters import COLUMNS, TINY, Spelling, Tensors, lokr, make, places_of, tensors, write
from test_adapter_matrix import MATRIX

from albumkit.adapter import Adapter, Module, find_size, open_adapter
from albumkit.adapter.predict import predict

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of their imports
    import diffusers
    import torch
    from diffusers.loaders import Flux2LoraLoaderMixin, FluxLoraLoaderMixin

EVERYTHING = tuple(group for groups in COLUMNS.values() for group in groups)
FLUX1 = find_size("flux1-dev")
#: For FLUX.1 one file for each branch of the loader: each takes seconds.
FLUX1_SCHEMES = (
    "diffusers + .alpha",
    "diffusers + header alpha",
    "transformer.X.lora_down + alpha",
    "comfy",
    "kohya",
    "lora_transformer_",
    "lycoris_",
    "base_model.model.<BFL>",
    "lora_unet_<diffusers>",
)


class Flux2Pipe(Flux2LoraLoaderMixin):
    """As much of a pipeline as its loader asks for."""

    text_encoder = None
    hf_device_map = None

    def __init__(self, transformer: torch.nn.Module) -> None:
        self.transformer = transformer
        self.components = {"transformer": transformer}


class FluxPipe(FluxLoraLoaderMixin):
    """The same for FLUX.1."""

    text_encoder = None
    hf_device_map = None
    __init__ = Flux2Pipe.__init__


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Both libraries tell in warnings and log lines what the tests are about."""
    diffusers.utils.logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def hollow(model: torch.nn.Module) -> torch.nn.Module:
    """A model made on the meta device, with weights that are one zero, seen as large as each must be."""
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                weight = torch.nn.Parameter(torch.zeros(()).expand(parameter.shape), requires_grad=False)
                module._parameters[name] = weight
    return model


def tiny() -> Flux2Pipe:
    """A FLUX.2 of hidden size 256 with two double and three single blocks."""
    dimensions = TINY.dimensions
    with torch.device("meta"):
        model = diffusers.Flux2Transformer2DModel(
            in_channels=dimensions["channels"],
            num_layers=TINY.blocks["double"],
            num_single_layers=TINY.blocks["single"],
            attention_head_dim=64,
            num_attention_heads=dimensions["hidden"] // 64,
            joint_attention_dim=dimensions["context"],
            axes_dims_rope=(16, 16, 16, 16),
            guidance_embeds=False,
        )
    return Flux2Pipe(hollow(model))


@pytest.fixture(scope="module")
def flux1() -> FluxPipe:
    with torch.device("meta"):
        model = diffusers.FluxTransformer2DModel(guidance_embeds=True)
    return FluxPipe(hollow(model))


def probe(columns: int) -> torch.Tensor:
    return torch.randn(columns, generator=torch.Generator().manual_seed(columns))


def effects(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Name of a Linear -> what its adapter adds to the answer to the probe, if it has numbers."""
    found: dict[str, torch.Tensor] = {}
    for name, layer in model.named_modules():
        if getattr(layer, "lora_A", None):
            (slot,) = layer.lora_A
            down, up = layer.lora_A[slot].weight, layer.lora_B[slot].weight
            if not down.is_meta:
                found[name] = (up @ (down @ probe(down.shape[1])) * layer.scaling[slot]).detach()
        elif hasattr(layer, "lokr_w1") and not any(parameter.is_meta for parameter in layer.parameters()):
            (slot,) = layer.scaling
            delta = layer.get_delta_weight(slot).detach()
            answer = delta @ probe(delta.shape[1])
            fused = {"to_qkv": "to_q to_k to_v", "to_added_qkv": "add_q_proj add_k_proj add_v_proj"}
            last = name.rpartition(".")[2]
            names = [name.removesuffix(last) + part for part in fused.get(last, last).split()]
            found |= dict(zip(names, answer.chunk(len(names)), strict=True))
    return found


def meant(adapter: Adapter, module: Module) -> dict[str, torch.Tensor]:
    """The same of one module, as its file says it, by diffusers' names."""
    delta = adapter.delta(replace(module, magnitude=""))
    left, right = (torch.frombuffer(factor, dtype=torch.float32) for factor in (delta.left, delta.right))
    left, right = left.view(-1, delta.columns[0]), right.view(-1, delta.columns[1])
    columns = probe(delta.shape[1])
    product = torch.kron(left, right) @ columns if delta.product == "kronecker" else left @ (right @ columns)
    answer = delta.scale * product
    place = module.place
    if place.linear.swapped and place.layout == "bfl":
        answer = torch.cat(answer.chunk(2)[::-1])
    parts = place.linear.parts if place.part is None else (place.linear.parts[place.part],)
    total = sum(part.rows.count for part in parts)
    rows = [len(answer) * part.rows.count // total for part in parts] if len(parts) > 1 else [len(answer)]
    return dict(zip(place.diffusers_names, answer.split(rows), strict=True))


def check(pipe: Flux2Pipe | FluxPipe, file: Path, size: object) -> None:
    """Load a file; module by module, what happens must be what was predicted."""
    adapter = open_adapter(file)
    found = predict(adapter, "diffusers", size=size, version="installed")
    raised: Exception | None = None
    try:
        pipe.load_lora_weights(str(file.parent), weight_name=file.name)
    except Exception as error:
        raised = error
    assert (found.result == "error") == (raised is not None), (
        f"{found.result} {found.why}, but {raised!r:.300}"
    )
    if raised is not None:
        assert found.error in {kind.__name__ for kind in type(raised).__mro__}, f"{raised!r:.300}"
        return
    has = effects(pipe.transformer)
    right, wrong = set(), set()
    for module in adapter.modules:
        wanted = meant(adapter, module)
        if all(name in has for name in wanted):
            same = all((has[name] - w).norm() <= 1e-3 * w.norm() for name, w in wanted.items())
            (right if same else wrong).add(module.name)
    assert set(found.loaded) == right | wrong
    assert {name for f in found.faults if f.code != "magnitude-dropped" for name in f.modules} == wrong
    dropped = {name for f in found.faults if f.code == "magnitude-dropped" for name in f.modules}
    uses_dora = any("lora_magnitude_vector" in name for name, _ in pipe.transformer.named_parameters())
    assert not (dropped and uses_dora)


#: Every row with all modules in one file; with the blocks alone where the others decide what happens.
FLUX2_FILES = [
    pytest.param(row, groups, id=f"{row['scheme']}-{name}")
    for row in MATRIX["flux2"]
    for name, groups in (("everything", EVERYTHING), ("blocks", ("blocks",)))
    if groups == EVERYTHING or len(set(row["diffusers"].values())) > 1
]


@pytest.mark.parametrize(("row", "groups"), FLUX2_FILES)
def test_flux2_does_what_was_predicted(row, groups, tmp_path):
    if "made_for" in row["file"]:
        wide = replace(TINY, dimensions={**TINY.dimensions, "hidden": 512})
        file = make(tmp_path / "a.safetensors", wide, row["file"], groups, seed=1)
    else:
        file = make(tmp_path / "a.safetensors", TINY, row["file"], groups, seed=1)
    check(tiny(), file, TINY)


@pytest.mark.parametrize(
    ("left", "ranks", "alpha"),
    [
        ((8, 8), (0, 0), None),
        ((4, 4), (0, 3), 0.5),
        ((8, 8), (2, 3), None),
        ((8, 8), (3, 3), 0.5),
        ((16, 16), (9, 9), None),  # more than half of w1: PEFT would have left it whole
        ((4, 4), (0, 100), None),
        ((2, 8), (0, 0), None),
    ],
)
def test_factors_of_a_lokr_do_what_was_predicted(left, ranks, alpha, tmp_path):
    spelling = Spelling("diffusion_model.", "bfl", "lokr", alpha)
    places = places_of(TINY, "bfl", ("blocks",))
    made = lokr(places, TINY, spelling, seed=1, left=left, ranks=ranks)
    check(tiny(), write(tmp_path / "a.safetensors", made), TINY)


def test_a_lokr_of_two_factors_does_what_was_predicted(tmp_path):
    spelling = Spelling("diffusion_model.", "bfl", "lokr")
    places = places_of(TINY, "bfl", ("blocks",))
    made = lokr(places[:4], TINY, spelling, seed=1) | lokr(places[4:], TINY, spelling, seed=1, left=(8, 8))
    check(tiny(), write(tmp_path / "a.safetensors", made), TINY)


#: One key that belongs to no module changes what happens to all others.
STRAYS = (
    ("comfy", "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"),
    ("diffusers", "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight"),
    ("comfy", "diffusion_model.img_in.diff_b"),
    ("diffusers", "transformer.x_embedder.lora_B.bias"),
    ("diffusers", "transformer.nothing.lora_A.weight"),
    ("diffusers", "base_model.model.nothing.lora_A.weight"),
    ("kohya with alpha", "epoch"),
    ("comfy", "epoch"),
)


@pytest.mark.parametrize(("spelling", "stray"), STRAYS)
def test_a_stray_key_does_what_was_predicted(spelling, stray, tmp_path):
    row = next(row for row in MATRIX["flux2"] if row["scheme"] == spelling)
    parts = (row["file"][key] for key in ("prefix", "layout", "style", "alpha", "flat"))
    places = places_of(TINY, row["file"]["layout"], ("blocks",))[:4]
    made = tensors(places, TINY, Spelling(*parts), dtype="F32", seed=1)
    made[stray] = ("F32", (256,) if stray.endswith("bias") else (4, 4), None)
    check(tiny(), write(tmp_path / "a.safetensors", made), TINY)


#: What no program writes, but a person with two files and a merge script might.
ODD = (
    Spelling("transformer.", "diffusers"),
    Spelling("transformer.", "diffusers", "lora.down/up"),
    Spelling("transformer.", "diffusers", "A/B.default"),
    Spelling("transformer.", "bfl"),
    Spelling("diffusion_model.", "bfl"),
    Spelling("diffusion_model.", "diffusers"),
    Spelling("diffusion_model.", "bfl", "down/up"),
    Spelling("base_model.model.", "bfl"),
    Spelling("lora_unet_", "bfl", "down/up", 0.5, True),
    Spelling("", "diffusers"),
)


@pytest.mark.parametrize("seed", range(16))
def test_a_mixture_of_spellings_does_what_was_predicted(seed, tmp_path):
    rng = random.Random(seed)
    made: Tensors = {}
    for number, spelling in enumerate(rng.sample(ODD, rng.choice((1, 2, 2, 3)))):
        places = places_of(TINY, spelling.layout, EVERYTHING)
        some = [place for place in rng.sample(places, 8) if hash_of(place.name) % 3 == number]
        made |= tensors(some, TINY, spelling, dtype="F32", seed=seed, rank=rng.choice((2, 4)))
    if made:
        check(tiny(), write(tmp_path / "a.safetensors", made), TINY)


def hash_of(name: str) -> int:
    """A place is spelt in one way only: two factors of one module are another fault."""
    return sum(name.encode())


@pytest.mark.parametrize("scheme", FLUX1_SCHEMES)
def test_flux1_does_what_was_predicted(scheme, flux1, tmp_path):
    check_flux1(flux1, scheme, EVERYTHING, tmp_path)


def test_flux1_adaln_alone_is_loaded_from_flattened_names(flux1, tmp_path):
    check_flux1(flux1, "lora_transformer_", COLUMNS["adaLN"], tmp_path)


def check_flux1(pipe: FluxPipe, scheme: str, groups: tuple[str, ...], folder: Path) -> None:
    """With the first and the last block of each kind: all of them take half a minute."""
    row = next(row for row in MATRIX["flux1"] if row["scheme"] == scheme)
    pipe.unload_lora_weights()
    file = make(folder / "a.safetensors", FLUX1, row["file"], groups, seed=1, rank=1, only_blocks=(0, 18, 37))
    check(pipe, file, FLUX1)
