"""Which model a file of weights holds, by its header: the base that an adapter shall be used with.

ComfyUI's one file, diffusers' folder or one of its shards, or a GGUF. Quantised weights may be packed two to
a byte: then a shape is half as wide.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from albumkit.adapter.gguf import is_gguf, read_gguf
from albumkit.adapter.header import read_header
from albumkit.adapter.naming import ARCHITECTURES, Place, Size, architecture, others
from albumkit.adapter.schemes import read_stem
from albumkit.errors import AdapterError

#: What people's files put before the names of the tables.
_PREFIX = "model."
#: Names of a diffusers configuration -> our dimensions and blocks.
_CONFIG = {"joint_attention_dim": "context", "in_channels": "channels"}
_BLOCKS = {"num_layers": "double", "num_single_layers": "single"}


def read_size(path: Path) -> Size:
    """The published model that a file or a diffusers folder holds; no weight is read.

    Args:
        path: ``.safetensors``, ``.gguf``, or a folder with ``config.json`` or ``transformer/config.json``.

    Raises:
        AdapterError: it cannot be read, or holds no model that has a table.
    """
    if path.is_dir():
        return _of_folder(path)
    shapes = read_gguf(path) if is_gguf(path) else _of_safetensors(path)
    other = next((o for o in others() if any(o.pattern.search(stem) for stem in shapes)), None)
    best, most = None, 0
    for name in ARCHITECTURES:
        table = architecture(name)
        places = {
            stem: found.place
            for stem in shapes
            if (found := read_stem(stem.removeprefix(_PREFIX), table)) is not None
        }
        for size in table.sizes:
            fitting = sum(_fits(place, shapes[stem], size) for stem, place in places.items())
            if fitting > most and 2 * fitting > len(places):
                best, most = size, fitting
    # Chroma has all the blocks of FLUX.1; one file for all of ComfyUI has a text encoder, too.
    if best is None or (other is not None and not other.refused):
        what = f"it holds {other.title}" if other else f"none of its {len(shapes):,} weights is known"
        raise AdapterError(path, f"{what}; the bases that albumkit knows are {_known()}.")
    return best


def _of_safetensors(path: Path) -> Mapping[str, tuple[int, ...]]:
    return {
        tensor.name.removesuffix(".weight"): tensor.shape
        for tensor in read_header(path).tensors
        if tensor.name.endswith(".weight")
    }


def _fits(place: Place, shape: tuple[int, ...], size: Size) -> bool:
    """Whether a model of this size has such a weight there, whole or packed."""
    if place.block is not None and place.block >= size.blocks[place.linear.kind]:
        return False
    rows, columns = place.shape(size)
    if len(shape) < 2 or rows is None or columns is None:
        return False
    return shape[0] == rows and math.prod(shape[1:]) in (columns, columns // 2)


def _of_folder(path: Path) -> Size:
    file = next((f for f in (path / "transformer/config.json", path / "config.json") if f.is_file()), None)
    if file is None:
        words = "there is no config.json or transformer/config.json in it, so it is no diffusers model."
        raise AdapterError(path, words)
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        blocks = {kind: int(config[key]) for key, kind in _BLOCKS.items()}
        dimensions = {name: int(config[key]) for key, name in _CONFIG.items()}
        dimensions["hidden"] = int(config["num_attention_heads"]) * int(config["attention_head_dim"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AdapterError(
            file, f"it describes none of the bases that albumkit knows: {_known()}."
        ) from error
    for name in ARCHITECTURES:
        for size in architecture(name).sizes:
            same = all(size.dimensions.get(key) == value for key, value in dimensions.items())
            if same and size.blocks == blocks:
                return size
    shown = (
        f"hidden size {dimensions['hidden']}, {blocks['double']} double and {blocks['single']} single blocks"
    )
    raise AdapterError(file, f"it describes a model of {shown}; albumkit knows {_known()}.")


def _known() -> str:
    titles = [size.title for name in ARCHITECTURES for size in architecture(name).sizes]
    return f"{', '.join(titles[:-1])} and {titles[-1]}"
