"""diffusers, FLUX.2: ``Flux2LoraLoaderMixin`` of loaders/lora_pipeline.py.

``lora_state_dict`` tests for one sign after the other and renames accordingly; then every key must contain
``lora`` (or ``lokr``), and :func:`albumkit.adapter.loaders.keys.inject` meets the model.
"""

from __future__ import annotations

from packaging.version import Version

from albumkit.adapter.loaders.keys import (
    LOKR_SINCE,
    Item,
    Keys,
    fused_name,
    inject,
    keys_of,
    modules_of,
    split,
)
from albumkit.adapter.loaders.outcome import LoaderError, Outcome
from albumkit.adapter.model import Adapter
from albumkit.adapter.naming import Architecture, Place, Size

NEWEST = "0.42.1"
#: Versions that changed something here.
MILESTONES = ("0.36.0", "0.37.0", "0.37.1", "0.38.0", "0.40.0", "0.42.0", NEWEST)
_PEFT_SINCE = Version("0.37")
_KOHYA_SINCE = Version("0.37.1")
_EXPANDED_SINCE = Version("0.38")
_EXPANDED = {
    "single_transformer_blocks.": "single_transformer_blocks.",
    "transformer_blocks.": "transformer_blocks.",
    "sformer_blocks.": "transformer_blocks.",
}
_COMFY = "diffusion_model."


def send(adapter: Adapter, table: Architecture, size: Size, version: Version) -> Outcome:
    """Send a file through the loader; raises LoaderError where it raises."""
    outcome = Outcome()
    keys = keys_of(adapter)
    with_scale = [m for m in adapter.modules if m.magnitude == "dora_scale"]
    if with_scale:
        keys = {key: item for key, item in keys.items() if "dora_scale" not in key}
    swapped: list[str] = []
    if version >= _KOHYA_SINCE and any(".lora_down.weight" in key for key in keys):
        keys = _kohya(keys, outcome, table)
    else:
        keys = _others(keys, table, version, swapped)
    words = ("lora", "lokr") if version >= LOKR_SINCE else ("lora",)
    for key in keys:
        if not any(word in key for word in words):
            raise LoaderError("ValueError", f"{key} is not a key of a LoRA (Invalid adapter checkpoint)")
    inject(keys, outcome, adapter, table, size, version, alphas=False)
    outcome.fault("magnitude-dropped", with_scale)
    outcome.fault("adaln-halves-swapped", (m for m in adapter.modules if m.name in swapped))
    return outcome


def _kohya(keys: Keys, outcome: Outcome, table: Architecture) -> Keys:
    """``_convert_kohya_flux2``: BFL names behind ``lora_unet_``, alpha multiplied in; the rest is dropped."""
    dropped = table.loaders["diffusers"]["kohya_dropped"]
    converted: Keys = {}
    for module in modules_of(keys):
        place = module.place
        known = module.prefix == "lora_unet_" and module.layout == "bfl" and module.style == "down/up"
        if place is None or not known or place.linear.name in dropped:
            outcome.drop(
                module, "diffusers' converter for kohya does not know it (a warning: unsupported keys)"
            )
            continue
        for role, letter in (("down", "A"), ("up", "B")):
            item = Item(module, role, module.tensors[role].shape)
            converted.update(_parts(place, f"lora_{letter}.weight", item))
    return converted


def _others(keys: Keys, table: Architecture, version: Version, swapped: list[str]) -> Keys:
    if version >= _PEFT_SINCE and any(key.startswith("base_model.model.") for key in keys):
        keys = {key.replace("base_model.model.", _COMFY): item for key, item in keys.items()}
    comfy = any(key.startswith(_COMFY) for key in keys)
    if version >= LOKR_SINCE and any(".lokr_" in key for key in keys):
        if any(key.startswith("lycoris_") for key in keys):
            return _lycoris_lokr(keys, table)
        if comfy:
            return _comfy_lokr(keys, table, swapped)
        if not any(key.startswith("transformer.") for key in keys):
            return _bare_lokr(keys)
        return keys
    return _comfy(keys, table, version, swapped) if comfy else keys


def _comfy(keys: Keys, table: Architecture, version: Version, swapped: list[str]) -> Keys:
    """``_convert_non_diffusers_flux2_lora``: only lora_A and lora_B of names that it knows; else it raises.

    It takes the length of ``diffusion_model.`` off every key, whatever the key begins with.
    """
    bare = {key[len(_COMFY) :]: item for key, item in keys.items()}
    bare = {k.replace("lora_down", "lora_A").replace("lora_up", "lora_B"): item for k, item in bare.items()}
    converted: Keys = {}
    rest: list[tuple[tuple[object, ...], Keys]] = []
    for key, item in bare.items():
        start = next((s for s in _EXPANDED if key.startswith(s)), "") if version >= _EXPANDED_SINCE else ""
        if start:
            converted[f"transformer.{_EXPANDED[start]}{key[len(start) :]}"] = item
            continue
        name, dot, suffix = key.rpartition(".lora_")
        place = table.place("bfl", name) if dot and suffix in ("A.weight", "B.weight") else None
        if place is None:
            raise LoaderError("ValueError", f"{key} is left over (original_state_dict should be empty)")
        if place.linear.swapped and item.module is not None:
            swapped.append(item.module.name)
        rest.append((_turn(place), _parts(place, f"lora_{suffix}", item)))
    for _, parts in sorted(rest, key=lambda one: one[0]):
        converted.update(parts)
    return converted


def _turn(place: Place) -> tuple[object, ...]:
    """When the converter comes to a place: single blocks, then double blocks, qkv first, then the others."""
    order = {"single": 0, "double": 1}.get(place.linear.kind, 2)
    return order, place.block or 0, not place.linear.name.endswith(".qkv")


def _parts(place: Place, suffix: str, item: Item) -> Keys:
    """The diffusers keys of one BFL key."""
    names = place.diffusers_names
    if len(names) == 1:
        return {f"transformer.{names[0]}.{suffix}": item}
    return {f"transformer.{name}.{suffix}": split(item, place, n) for n, name in enumerate(names)}


# LoKr


def _lokr_only(keys: Keys) -> Keys:
    """Alphas are multiplied in and gone; anything else but LoKr raises."""
    left = {key: item for key, item in keys.items() if not key.endswith(".alpha")}
    for key in left:
        if ".lokr_" not in key:
            raise LoaderError("ValueError", f"{key} is no key of a LoKr")
    return left


def _bare_lokr(keys: Keys) -> Keys:
    return {f"transformer.{key.removeprefix(_COMFY)}": item for key, item in _lokr_only(keys).items()}


def _comfy_lokr(keys: Keys, table: Architecture, swapped: list[str]) -> Keys:
    converted: Keys = {}
    for key, item in _lokr_only(keys).items():
        name, _, suffix = key.removeprefix(_COMFY).rpartition(".lokr_")
        place = table.place("bfl", name)
        if place is None:
            raise LoaderError("ValueError", f"{key} is left over (original_state_dict should be empty)")
        if place.linear.swapped and item.module is not None:
            swapped.append(item.module.name)
        target = fused_name(place) if len(place.diffusers_names) == 3 else place.diffusers_names[0]
        converted[f"transformer.{target}.lokr_{suffix}"] = item
    return converted


def _lycoris_lokr(keys: Keys, table: Architecture) -> Keys:
    """Only what is in the blocks."""
    converted: Keys = {}
    for key, item in _lokr_only(keys).items():
        stem, _, suffix = key.rpartition(".lokr_")
        name = stem.removeprefix("lycoris_")
        place = table.place("diffusers", name, flat=True) if name != stem else None
        if place is None or place.block is None:
            raise LoaderError("ValueError", f"{key} is no key of a LyCORIS LoKr for FLUX.2")
        converted[f"transformer.{place.diffusers_names[0]}.lokr_{suffix}"] = item
    return converted
