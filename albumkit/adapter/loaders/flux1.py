"""diffusers, FLUX.1: ``FluxLoraLoaderMixin`` of loaders/lora_pipeline.py.

An older loader than that of FLUX.2: it has no branch for ComfyUI's lora_A names, its converters are written
for 19 double and 38 single blocks, and alphas under ``transformer.`` are understood.
"""

from __future__ import annotations

from packaging.version import Version

from albumkit.adapter.header import Tensor
from albumkit.adapter.loaders.keys import Item, Keys, inject, keys_of, modules_of, split
from albumkit.adapter.loaders.outcome import LoaderError, Outcome
from albumkit.adapter.model import Adapter, Module
from albumkit.adapter.naming import Architecture, Place, Size

#: Alphas of the last layer made the converter for kohya raise before.
_LAST_ALPHA_SINCE = Version("0.39")
_BLOCKS = {"double": 19, "single": 38}
_COMFY = "diffusion_model."
#: lora_A and lora_B of these and of all blocks: what fal's FLUX.1 Kontext trainer writes.
_KONTEXT_GLOBALS = ("final_layer.linear",)


def send(adapter: Adapter, table: Architecture, size: Size, version: Version) -> Outcome:
    """Send a file through the loader; raises LoaderError where it raises."""
    outcome = Outcome()
    keys = keys_of(adapter)
    with_scale = [m for m in adapter.modules if m.magnitude == "dora_scale"]
    if with_scale:
        keys = {key: item for key, item in keys.items() if "dora_scale" not in key}
    deaf: list[Module] = []
    alphas = False
    if any(".lora_down.weight" in key for key in keys):
        keys = _kohya(keys, outcome, table, version, deaf)
    elif any("base_model" in key for key in keys):
        keys = _kontext(keys, table)
    else:
        keys, alphas = _without_alphas(keys, adapter)
    if not any("lora" in key for key in keys):
        raise LoaderError("ValueError", "no key contains lora (Invalid LoRA checkpoint)")
    inject(keys, outcome, adapter, table, size, version, alphas)
    outcome.fault("magnitude-dropped", with_scale)
    outcome.fault("alpha-ignored", (m for m in deaf if adapter.scale(m) != 1))
    return outcome


def _without_alphas(keys: Keys, adapter: Adapter) -> tuple[Keys, bool]:
    """Alphas are handed over beside the keys; they must be floating-point numbers."""
    tensors: dict[str, Tensor] = {tensor.name: tensor for tensor in adapter.header.tensors}
    alphas = [key for key in keys if "alpha" in key]
    for key in alphas:
        if tensors[key].dtype not in ("F64", "F32", "F16", "BF16"):
            raise LoaderError("ValueError", f"{key} is no floating-point number")
    ours = any(key.startswith("transformer.") for key in alphas)
    if ours and adapter.peft is not None:
        raise LoaderError("ValueError", "the file has alphas and a PEFT configuration too")
    return {key: item for key, item in keys.items() if key not in alphas}, ours


def _kontext(keys: Keys, table: Architecture) -> Keys:
    """``_convert_fal_kontext``: exactly the modules that it knows, one missing or one more raises."""
    size = table.sizes[0]
    places = [p for p in table.places(size) if p.block is not None or p.name in _KONTEXT_GLOBALS]
    left = dict(keys)
    converted: Keys = {}
    for place in places:
        for letter in "AB":
            key = f"base_model.model.{place.name}.lora_{letter}.weight"
            if key not in left:
                raise LoaderError("KeyError", f"{key} is not there")
            converted.update(_parts(place, f"transformer.{{}}.lora_{letter}.weight", left.pop(key)))
    if left:
        raise LoaderError("ValueError", f"{next(iter(left))} is left over")
    return converted


def _kohya(keys: Keys, outcome: Outcome, table: Architecture, version: Version, deaf: list[Module]) -> Keys:
    """``_convert_kohya_flux_lora_to_diffusers``: it takes three kinds of files for kohya's."""
    if any(key.startswith("transformer.") for key in keys):
        ours = {key: item for key, item in keys.items() if key.startswith("transformer.")}
        deaf += [module for module in modules_of(ours) if module.alpha is not None]
        renamed = {
            k.replace("lora_down.weight", "lora_A.weight").replace("lora_up.weight", "lora_B.weight"): item
            for k, item in ours.items()
        }
        return {key: item for key, item in renamed.items() if item.role != "alpha"}
    if any(key.startswith("lora_transformer_") for key in keys):
        return _mixture(keys)
    return _sd_scripts(keys, outcome, table, version)


def _sd_scripts(keys: Keys, outcome: Outcome, table: Architecture, version: Version) -> Keys:
    """BFL names behind ``lora_unet_`` or ``diffusion_model.``; other prefixes are silently left aside."""
    dropped = table.loaders["diffusers"]["kohya_dropped"]
    converted: Keys = {}
    for key, item in keys.items():
        module = item.module
        start = key.replace(_COMFY, "lora_unet_").startswith(("lora_unet_", "lora_te_", "lora_te1_"))
        if module is None:
            if start and not key.startswith(("lora_te", "text_encoders.")):
                raise LoaderError("ValueError", f"{key} is no key that it knows (Incompatible keys detected)")
            continue
        if not start:
            outcome.drop(module, "diffusers' converter for kohya leaves this prefix aside")
            continue
        place = module.place
        known = place is not None and module.layout == "bfl" and module.style == "down/up"
        if place is None or not known or (place.block or 0) >= _BLOCKS.get(place.linear.kind, 1):
            raise LoaderError("ValueError", f"{key} is no key that it knows (Incompatible keys detected)")
        last = place.linear.name.startswith("final_layer")
        if item.role == "alpha":
            if last and version < _LAST_ALPHA_SINCE:
                raise LoaderError("ValueError", f"{key} is no key that it knows (Incompatible keys detected)")
        elif item.role in ("down", "up"):
            letter = "A" if item.role == "down" else "B"
            prefix = "" if place.linear.name in dropped else "transformer."  # some are given no prefix
            converted.update(_parts(place, f"{prefix}{{}}.lora_{letter}.weight", item))
    return converted


def _mixture(keys: Keys) -> Keys:
    """Flattened diffusers names: attention and what lies outside the blocks; all must have an alpha."""
    converted: Keys = {}
    for module in modules_of(keys):
        place = module.place
        if place is None or not module.stem.startswith("lora_transformer_"):
            raise LoaderError("AssertionError", f"{module.stem} does not begin with lora_transformer_")
        if module.alpha is None:
            raise LoaderError("KeyError", f"{module.stem}.alpha is not there")
        (name,) = place.diffusers_names
        if place.block is not None and ".attn." not in name:
            raise LoaderError("KeyError", f"{module.stem} becomes the name of a whole block")
        for role, letter in (("down", "A"), ("up", "B")):
            item = Item(module, role, module.tensors[role].shape)
            converted[f"transformer.{name}.lora_{letter}.weight"] = item
    for key, item in keys.items():
        if item.module is None and not key.startswith(("lora_te1_", "lora_unet_")):
            raise LoaderError("AssertionError", f"{key} does not begin with lora_transformer_")
    return converted


def _parts(place: Place, pattern: str, item: Item) -> Keys:
    names = place.diffusers_names
    if len(names) == 1:
        return {pattern.format(names[0]): item}
    return {pattern.format(name): split(item, place, n) for n, name in enumerate(names)}
