"""From a header to an Adapter: which modules there are, of which model, and in which spelling."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from albumkit.adapter.groups import Group, grouped
from albumkit.adapter.header import Header, Tensor, read_header
from albumkit.adapter.model import Adapter, Module, PeftConfig
from albumkit.adapter.naming import Other
from albumkit.adapter.recognise import recognise
from albumkit.adapter.schemes import UNKNOWN, Scheme, Spelling, find_scheme
from albumkit.adapter.words import FLOATS, read_raw, scalar
from albumkit.errors import AdapterError

#: Header key of diffusers' ``save_lora_weights(transformer_lora_adapter_metadata=...)``.
PEFT_METADATA = "lora_adapter_metadata"


def open_adapter(path: Path | str) -> Adapter:
    """Open a LoRA file: header, names, shapes and the value of each alpha; no factor is read.

    Args:
        path: A ``.safetensors`` file. A pickle is refused unopened.

    Raises:
        AdapterError: it cannot be read, is damaged, or is something else; the message says which.
    """
    path = Path(path)
    header = read_header(path)
    groups, leftovers = grouped(header)
    known = recognise(header, {stem: group.shape for stem, group in groups.items()})
    if not groups or (known.other is not None and known.other.refused):
        raise _no_adapter(header, bool(groups), known.other)
    ours = groups if known.architecture is None else {stem: groups[stem] for stem in known.spellings}
    strangers = [group for stem, group in groups.items() if stem not in ours]
    leftovers += [tensor.name for group in strangers for tensor in group.tensors.values()]
    try:
        with open(path, "rb") as stream:
            modules = [_module(path, stream, g, known.spellings.get(stem)) for stem, g in ours.items()]
    except OSError as error:
        raise AdapterError(path, f"it cannot be read: {error.strerror or error}.") from error
    return Adapter(
        path=path,
        header=header,
        scheme=_scheme(modules),
        architecture=known.architecture,
        other=known.other,
        size=known.size,
        candidates=known.candidates,
        modules=tuple(modules),
        leftovers=tuple(leftovers),
        peft=_peft(header),
    )


def _no_adapter(header: Header, has_factors: bool, other: Other | None) -> AdapterError:
    count, first = len(header.tensors), f"It begins with {header.tensors[0].name[:100]}."
    if has_factors and other is not None:
        words = f"it is a LoRA for {other.title}, not for an image model that albumkit knows. {first}"
    elif any(tensor.name.endswith(".weight") for tensor in header.tensors):
        whose = f" of {other.title}" if other else ""
        words = (
            f"it is a whole model or a part of one{whose} ({count:,} tensors, {header.size / 1e9:.2f} GB), "
            f"not a LoRA: no key names a lora_A, lora_down, LoKr or LoHa. {first}"
        )
    else:
        words = f"none of its {count:,} keys is one of a LoRA. {first}"
    return AdapterError(header.path, words)


def _scheme(modules: Sequence[Module]) -> Scheme:
    """The spelling of most modules; one misnamed module is enough for musubi's export."""
    votes = Counter((m.prefix, m.layout, m.style) for m in modules)
    misnamed = [vote for vote in votes if vote[1] == "musubi"]
    return find_scheme(*(misnamed or [vote for vote, _ in votes.most_common(1)])[0]) if votes else UNKNOWN


def _module(path: Path, stream: BinaryIO, group: Group, spelling: Spelling | None) -> Module:
    for tensor in group.factors:
        if tensor.dtype not in FLOATS:
            words = f"{tensor.name} is {tensor.dtype}; factors are one of {', '.join(FLOATS)}."
            raise AdapterError(path, words, "export it again")
    shape = group.shape
    if shape is None:
        raise AdapterError(path, group.misfit, "train or export it again")
    name = group.stem
    if spelling is not None:
        place = spelling.place
        names = {"bfl": place.name, "diffusers": place.diffusers_names[0]}
        name = names.get(spelling.layout, group.stem.removeprefix(spelling.prefix))
    return Module(
        stem=group.stem,
        name=name,
        prefix=spelling.prefix if spelling else "",
        layout=spelling.layout if spelling else "",
        place=spelling.place if spelling else None,
        kind=group.kind,
        style=group.style,
        magnitude=group.magnitude,
        tensors=group.tensors,
        shape=shape,
        rank=group.rank,
        alpha=_alpha(path, stream, group.tensors.get("alpha")),
    )


def _alpha(path: Path, stream: BinaryIO, tensor: Tensor | None) -> float | None:
    if tensor is None:
        return None
    value = scalar(read_raw(stream, path, tensor), tensor.dtype) if tensor.count == 1 else None
    if value is None or not math.isfinite(value):
        shown = f"{value}" if value is not None else f"{tensor.dtype} of {tensor.count:,} numbers"
        raise AdapterError(
            path, f"{tensor.name} must be one finite number; it is {shown}.", "export it again"
        )
    return value


def _peft(header: Header) -> PeftConfig | None:
    """The configuration in the header; None when there is none, or nobody could use it."""
    try:
        document = json.loads(header.metadata.get(PEFT_METADATA, "null"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    held = {key.removeprefix("transformer."): value for key, value in document.items()}
    rank, alpha, patterns = _number(held.get("r")), _number(held.get("lora_alpha")), held.get("alpha_pattern")
    if rank is None or alpha is None:
        return None
    pairs = patterns.items() if isinstance(patterns, dict) else ()
    alphas = {name: number for name, value in pairs if (number := _number(value)) is not None}
    return PeftConfig(int(rank), alpha, alphas, held.get("use_rslora") is True)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e30 else None  # NaN is no less either
