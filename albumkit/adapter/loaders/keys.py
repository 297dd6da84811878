"""Keys on their way through diffusers' converters, and the last stretch that all models share: PEFT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.version import Version

from albumkit.adapter.loaders.lokr import check_factors
from albumkit.adapter.loaders.outcome import LoaderError, Outcome
from albumkit.adapter.model import Adapter, Module
from albumkit.adapter.naming import Architecture, Place, Size

#: The scale of a file of several ranks and no alpha is right from here on (pull request 14409).
RANKS_RIGHT_SINCE = Version("0.40")
#: LoKr is loaded from here on.
LOKR_SINCE = Version("0.42")
#: ``utils/state_dict_utils.py``, UNET_TO_DIFFUSERS: applied in turn, when the first key has no lora_A.
_OLD_SUFFIXES = (
    (".to_out_lora.up", ".to_out.0.lora_B"),
    (".to_out_lora.down", ".to_out.0.lora_A"),
    (".to_q_lora.down", ".to_q.lora_A"),
    (".to_q_lora.up", ".to_q.lora_B"),
    (".to_k_lora.down", ".to_k.lora_A"),
    (".to_k_lora.up", ".to_k.lora_B"),
    (".to_v_lora.down", ".to_v.lora_A"),
    (".to_v_lora.up", ".to_v.lora_B"),
    (".lora.up", ".lora_B"),
    (".lora.down", ".lora_A"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """A tensor on its way: whose it is (None for a leftover), as what, and its shape by now."""

    module: Module | None
    role: str
    shape: tuple[int, ...]


#: Keys as they are by now, in the order of the file.
Keys = dict[str, Item]
#: Name in diffusers -> the names of the parts that it covers, and (rows, columns).
Weights = dict[str, tuple[tuple[str, ...], tuple[int | None, int | None]]]


def keys_of(adapter: Adapter) -> Keys:
    """All keys of a file, as ``safetensors`` hands them to diffusers: in the order of their data."""
    owners = {t.name: (m, role) for m in adapter.modules for role, t in m.tensors.items()}
    keys: Keys = {}
    for tensor in adapter.header.tensors:
        module, role = owners.get(tensor.name, (None, ""))
        keys[tensor.name] = Item(module, role, tensor.shape)
    return keys


def modules_of(keys: Keys) -> Iterable[Module]:
    """The modules that keys belong to, once each."""
    seen = {id(item.module): item.module for item in keys.values() if item.module is not None}
    return seen.values()


def split(item: Item, place: Place, index: int) -> Item:
    """What is left of a factor for one of the parts of a Linear: lora_A whole, the rows of lora_B."""
    if item.role != "up":
        return item
    total = sum(part.rows.count for part in place.linear.parts)
    rows = item.shape[0] * place.linear.parts[index].rows.count // total
    return Item(item.module, item.role, (rows, *item.shape[1:]))


def inject(
    keys: Keys,
    outcome: Outcome,
    adapter: Adapter,
    table: Architecture,
    size: Size,
    version: Version,
    alphas: bool,
) -> None:
    """``load_lora_adapter`` of loaders/peft.py, and PEFT: what begins with ``transformer.`` meets the model.

    Args:
        alphas: Whether the file's own alphas are handed over beside the keys.

    Raises:
        LoaderError: no name is in the model, or a shape is another one.
    """
    start = "transformer."
    inside = {key.removeprefix(start): item for key, item in keys.items() if key.startswith(start)}
    reaching = {id(module) for module in modules_of(inside)}
    for module in modules_of(keys):
        if id(module) not in reaching:
            outcome.drop(module, "diffusers loads only what begins with transformer. in the end")
    if not inside:
        return  # a warning: No LoRA keys associated to ...
    lokr = any(".lokr_" in key for key in inside)
    if not lokr and "lora_A" not in next(iter(inside)):
        inside = {_old_suffix(key): item for key, item in inside.items()}
    found: dict[str, Keys] = {}
    for key, item in inside.items():
        name, _, suffix = key.rpartition(".lokr_" if lokr else ".lora_")
        found.setdefault(name, {})[suffix] = item
    if lokr:
        check_factors([module for module in modules_of(inside) if module.kind == "lokr"], outcome)
    model = _weights(table, size, fused=lokr)
    if not any(name in model for name in found):
        raise LoaderError(
            "NoMatchingPeftModuleError", f"no module of the model is called {next(iter(found))}"
        )
    covered: dict[str, set[str]] = {}
    for name, parts in found.items():
        _meet(name, parts, model, outcome, covered, lokr)
    for module in modules_of(keys):
        if module.name in covered and module.place is not None:
            missing = [n for n in module.place.diffusers_names if n not in covered[module.name]]
            if missing:
                outcome.drop(module, f"{missing[0]} is not reached")
            outcome.load(module)
    if not alphas and adapter.peft is None and version < RANKS_RIGHT_SINCE:
        _mis_scale(found, outcome)


def _meet(
    name: str, parts: Keys, model: Weights, outcome: Outcome, covered: dict[str, set[str]], lokr: bool
) -> None:
    """The keys of one name meet its weight."""
    module = next((item.module for item in parts.values() if item.module is not None), None)
    if name not in model:
        if module is not None:
            outcome.drop(module, "diffusers knows no such name (a warning: unexpected keys)")
        return
    if module is None:
        return
    names, wanted = model[name]
    if lokr:
        have = module.shape
    else:
        down, up = parts.get("A.weight"), parts.get("B.weight")
        if down is None or up is None:
            outcome.drop(module, "diffusers does not know its suffixes (a warning: unexpected keys)")
            return
        have = (up.shape[0], down.shape[1])
    if any(want is not None and want != has for want, has in zip(wanted, have, strict=True)):
        words = f"{name}: its change is {have[0]}x{have[1]}, not {wanted[0]}x{wanted[1]} (size mismatch)"
        raise LoaderError("RuntimeError", words)
    covered.setdefault(module.name, set()).update(names)


def _weights(table: Architecture, size: Size, fused: bool) -> Weights:
    """Every Linear that diffusers has.

    Args:
        fused: With q, k and v also as one, which is what a LoKr over BFL's qkv needs.
    """
    split_up = table.places(size, "diffusers")
    weights = {p.diffusers_names[0]: (p.diffusers_names, p.shape(size)) for p in split_up}
    for place in table.places(size) if fused else ():
        if len(place.diffusers_names) == 3:
            weights[fused_name(place)] = (place.diffusers_names, place.shape(size))
    return weights


def fused_name(place: Place) -> str:
    """What diffusers calls a ``qkv`` once its parts are fused."""
    first = place.diffusers_names[0]
    return first.replace("add_q_proj", "to_added_qkv").replace("to_q", "to_qkv")


def _mis_scale(found: Mapping[str, Keys], outcome: Outcome) -> None:
    """Before 0.40 alpha is the rank of the first module, for modules of every rank."""
    ranks = {name: parts["B.weight"].shape[1] for name, parts in found.items() if "B.weight" in parts}
    first = next(iter(ranks.values()), 0)
    wrong = [found[name]["B.weight"].module for name, rank in ranks.items() if rank != first]
    outcome.fault("rank-mis-scaled", (module for module in wrong if module is not None))


def _old_suffix(key: str) -> str:
    for old, new in _OLD_SUFFIXES:
        key = key.replace(old, new)
    return key
