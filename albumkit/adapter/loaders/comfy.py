"""ComfyUI: a dictionary of names that it knows, one look-up each, and silence about the rest.

``comfy/lora.py`` makes a map from names to weights: ``lora_unet_`` and ``diffusion_model.`` before every BFL
name, and before every diffusers name that ``comfy/utils.py`` (``flux_to_diffusers``) lists ``transformer.``,
``lycoris_``, ``lora_transformer_`` or nothing. For each name it looks for the suffixes that it knows. A key
that is never asked for becomes the log line ``lora key not loaded``, a wrong shape the line ``ERROR lora``;
neither is an error. The header is not read.
"""

from __future__ import annotations

from collections.abc import Mapping

from packaging.version import Version

from albumkit.adapter.loaders.outcome import Outcome, has_header_alpha, shape_words
from albumkit.adapter.model import Adapter, Module
from albumkit.adapter.naming import Architecture, Place, Size
from albumkit.adapter.recognise import has_shape

NEWEST = "0.33.0"
#: Versions that changed something here.
MILESTONES = ("0.9.0", "0.10.0", "0.11.0", NEWEST)
#: Pairs of suffixes that ``comfy/weight_adapter/lora.py`` asks for.
_STYLES = ("down/up", "_lora.down/up", "A/B", "lora.down/up", "A/B bare", "linear_layer", "A/B.default")


def send(adapter: Adapter, table: Architecture, size: Size, version: Version) -> Outcome:
    """Send a file through the loader."""
    outcome = Outcome()
    names = _names(table, size, version)
    for module in adapter.modules:
        if module.stem not in names:
            outcome.drop(module, _unknown(module, table, version))
        elif module.kind == "lora" and module.style not in _STYLES:
            outcome.drop(module, "ComfyUI does not look for its suffixes (log: lora key not loaded)")
        elif not has_shape(names[module.stem], module.shape, size):
            outcome.drop(module, f"{shape_words(module, size)} (log: ERROR lora)")
        else:
            outcome.load(module)
    outcome.fault("alpha-ignored", (m for m in adapter.modules if has_header_alpha(adapter, m)))
    with_magnitude = [m for m in adapter.modules if m.magnitude]
    outcome.fault("magnitude-of-base", (m for m in with_magnitude if m.magnitude == "dora_scale"))
    outcome.fault("magnitude-dropped", (m for m in with_magnitude if m.magnitude != "dora_scale"))
    return outcome


def _names(table: Architecture, size: Size, version: Version) -> Mapping[str, Place]:
    """The map of names to places in the model."""
    names: dict[str, Place] = {}
    for place in table.places(size):
        names[f"lora_unet_{place.name.replace('.', '_')}"] = place
        names[f"diffusion_model.{place.name}"] = place
    facts = table.loaders["comfy"]
    later = {name for name, since in facts["diffusers_names_since"].items() if version < Version(since)}
    bare = version >= Version(facts["bare_names_since"])
    for place in table.places(size, "diffusers"):
        if place.linear.name in facts["diffusers_names_absent"] or place.linear.name in later:
            continue
        (name,) = place.diffusers_names
        flat = name.replace(".", "_")
        for spelt in (f"transformer.{name}", f"lycoris_{flat}", f"lora_transformer_{flat}"):
            names[spelt] = place
        if bare:
            names[name] = place
    return names


def _unknown(module: Module, table: Architecture, version: Version) -> str:
    """Why a name is not in the map; the block may be one too many, and is told of as that."""
    facts = table.loaders["comfy"]
    place = module.place
    if place is not None and module.layout == "diffusers":
        if place.linear.name in facts["diffusers_names_absent"]:
            return "ComfyUI does not know this diffusers name (log: lora key not loaded)"
        since = facts["diffusers_names_since"].get(place.linear.name, "0")
        if version < Version(since):
            return f"ComfyUI knows this name since {since} (log: lora key not loaded)"
    return "ComfyUI knows no such name (log: lora key not loaded)"
