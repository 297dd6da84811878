"""The adapter: which Linears get one, attached through peft; B starts at zero, so that nothing changes
yet.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from albumkit.errors import AlbumkitError

if TYPE_CHECKING:
    from torch import Tensor

    from albumkit.engine.families import Family

#: What the adapter is called inside of peft.
SLOT = "default"


def find_modules(names: Mapping[str, Any] | list[str], family: Family, target: str) -> dict[str, list[str]]:
    """Names of the Linears that get an adapter, by kind of block.

    Args:
        names: Of all Linears of the transformer.

    Raises:
        AlbumkitError: a kind of block has none: the adapter would miss a part of the model.
    """
    found = {}
    for kind, rest in family.TARGETS[target].items():
        pattern = re.compile(family.BLOCKS[kind] + rest)
        found[kind] = [name for name in names if pattern.fullmatch(name)]
        if not found[kind]:
            raise AlbumkitError(f"target = {target} matches no module in the {kind} blocks of this base.")
    return found


def linears(transformer: Any) -> list[str]:
    """Names of all Linears."""
    import torch

    return [name for name, module in transformer.named_modules() if isinstance(module, torch.nn.Linear)]


def attach(
    transformer: Any, modules: Mapping[str, list[str]], rank: int, alpha: float, seed: int
) -> dict[str, Tensor]:
    """Attach a new adapter and return its parameters by name, in fp32 whatever the base is kept in.

    They are multiplied in the numbers of the base. Autocast, which would do that too, computes every norm in
    fp32, unlike the pipelines that the adapter is for, and needs more time and memory.

    A is drawn on the CPU from ``seed``, name by name: alike on every device.
    """
    import torch
    from peft import LoraConfig, inject_adapter_in_model
    from peft.tuners.lora import LoraLayer

    names = [name for some in modules.values() for name in some]
    pattern = "|".join(map(re.escape, names))  # a text is matched whole, a list by the end of the name
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=f"({pattern})", init_lora_weights=True)
    inject_adapter_in_model(config, transformer, adapter_name=SLOT)
    transformer.requires_grad_(False)
    for module in transformer.modules():
        if isinstance(module, LoraLayer):
            module.forward = functools.partial(_adapted, module)
    chance = torch.Generator().manual_seed(seed)
    for name, parameter in adapter_parameters(transformer).items():
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)
        if ".lora_A." in name:
            bound = parameter.shape[1] ** -0.5
            start = torch.rand(parameter.shape, generator=chance) * 2 * bound - bound
            parameter.data.copy_(start)
        else:
            parameter.data.zero_()
    return adapter_parameters(transformer)


def _adapted(layer: Any, inputs: Tensor) -> Any:
    """What a Linear with an adapter does, in the numbers of its input: W x + alpha / rank B A x. The sum is
    part of the product with B, where peft goes over the whole output three times more.
    """
    import torch

    if layer.disable_adapters:
        return layer.base_layer(inputs)
    down, up = (side[SLOT].weight for side in (layer.lora_A, layer.lora_B))
    plain = layer.base_layer(inputs)
    low = torch.nn.functional.linear(inputs, down.to(inputs.dtype)).flatten(0, -2)
    scale = layer.scaling[SLOT]
    up = (up if scale == 1 else up * scale).to(inputs.dtype)
    return torch.addmm(plain.flatten(0, -2), low, up.t()).view_as(plain)


def adapter_parameters(transformer: Any) -> dict[str, Tensor]:
    """The adapter's parameters, sorted by name."""
    found = {
        name: p for name, p in transformer.named_parameters() if f".{SLOT}." in name and ".lora_" in name
    }
    return dict(sorted(found.items()))


def parameter_count(shapes: Mapping[str, tuple[int, int]], rank: int) -> int:
    """How many numbers an adapter of this rank has, by the (out, in) of its Linears."""
    return sum(rank * (rows + columns) for rows, columns in shapes.values())
