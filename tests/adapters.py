"""Adapter files for tests, in every spelling, made from the naming tables without any library.

Hollow ones have the names and shapes of a real file and no data: the file system keeps nothing for zeros.
"""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumkit.adapter import Architecture, Place, Size, architecture
from albumkit.adapter.naming import musubi_name

#: name -> (dtype, shape, data); data None: zeros.
Tensors = dict[str, tuple[str, tuple[int, ...], bytes | None]]
BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I8": 1, "U8": 1, "F8_E4M3": 1, "F8_E5M2": 1}
#: Small enough to build for real: what the matrices of FLUX.2 were run on.
TINY = Size(
    "tiny",
    "a tiny FLUX.2",
    "flux2",
    {"double": 2, "single": 3},
    {"hidden": 256, "context": 96, "channels": 32},
)
#: The groups of the tables that each column of the matrices means.
COLUMNS = {"blocks": ("blocks",), "globals": ("globals", "modulation"), "adaLN": ("adaln",)}
SUFFIXES = {
    "A/B": (".lora_A.weight", ".lora_B.weight"),
    "A/B.default": (".lora_A.default.weight", ".lora_B.default.weight"),
    "down/up": (".lora_down.weight", ".lora_up.weight"),
    "lora.down/up": (".lora.down.weight", ".lora.up.weight"),
}


def write(path: Path, tensors: Tensors, metadata: Mapping[str, str] | None = None) -> Path:
    """A safetensors file."""
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, (dtype, shape, _) in tensors.items():
        start, end = end, end + BYTES[dtype] * math.prod(shape)
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        data = stream.tell()
        stream.truncate(data + end)
        for name, (_, _, raw) in tensors.items():
            if raw is not None:
                stream.seek(data + entries[name]["data_offsets"][0])  # type: ignore[index]
                stream.write(raw)
    return path


@dataclass(frozen=True)
class Spelling:
    """How :func:`tensors` spells keys; ``alpha`` is the share of the rank that an .alpha says, None: none."""

    prefix: str
    layout: str
    style: str = "A/B"
    alpha: float | None = None
    flat: bool = False


def tensors(
    places: Iterable[Place],
    size: Size,
    spelling: Spelling,
    *,
    rank: int = 4,
    dtype: str = "BF16",
    seed: object = None,
    magnitude: str = "",
) -> Tensors:
    """The tensors of a LoRA on these places; hollow without a ``seed``."""
    made: Tensors = {}
    down, up = SUFFIXES[spelling.style]
    for place in places:
        name = place.name if spelling.layout != "diffusers" else place.diffusers_names[0]
        if spelling.layout == "musubi":
            name = musubi_name(name)
        stem = spelling.prefix + (name.replace(".", "_") if spelling.flat else name)
        rows, columns = place.shape(size)
        assert rows, place
        assert columns, place
        for suffix, shape in ((down, (rank, columns)), (up, (rows, rank))):
            raw = None if seed is None else numbers(math.prod(shape), dtype, f"{seed} {place} {suffix}")
            made[stem + suffix] = (dtype, shape, raw)
        if spelling.alpha is not None:
            made[f"{stem}.alpha"] = ("F32", (), struct.pack("<f", spelling.alpha * rank))
        if magnitude:
            shape = (rows, 1) if magnitude == "dora_scale" else (rows,)
            made[f"{stem}.{magnitude}"] = (dtype, shape, None)
    return made


def numbers(count: int, dtype: str, seed: object) -> bytes:
    """Numbers of both signs with magnitudes from 2**-7 to 2**-5 as raw words, and quickly."""
    width = BYTES[dtype]
    raw = bytearray(random.Random(str(seed)).randbytes(count * width))
    # Sign and exponent stand in the last byte, of F16 with two bits of the mantissa.
    keep, exponent = (0x83, 0x20) if dtype == "F16" else (0x80, 0x3C)
    raw[width - 1 :: width] = raw[width - 1 :: width].translate(
        bytes(n & keep | exponent for n in range(256))
    )
    return bytes(raw)


def words(values: Iterable[float], dtype: str) -> bytes:
    """Numbers as raw words; BF16 is cut off, not rounded."""
    values = list(values)
    if dtype == "BF16":
        wide = struct.pack(f"<{len(values)}f", *values)
        return b"".join(wide[i + 2 : i + 4] for i in range(0, len(wide), 4))
    return struct.pack(f"<{len(values)}{ {'F16': 'e', 'F32': 'f', 'F64': 'd'}[dtype] }", *values)


def places_of(size: Size, layout: str, groups: Iterable[str]) -> list[Place]:
    """Every module of some groups of a model, as a layout cuts them."""
    table: Architecture = architecture(size.architecture)
    wanted = set(groups)
    return [
        p for p in table.places(size, "diffusers" if layout == "diffusers" else "bfl") if p.group in wanted
    ]


def make(
    path: Path,
    size: Size,
    file: Mapping[str, Any],
    groups: Iterable[str],
    *,
    seed: int | None = None,
    rank: int = 4,
    only_blocks: Iterable[int] | None = None,
) -> Path:
    """A file as a row of tests/data/lora_matrix.json describes it: hollow, or of F32 with a ``seed``."""
    spelling = Spelling(**{key: file[key] for key in ("prefix", "layout", "style", "alpha", "flat")})
    places = places_of(size, spelling.layout, groups)
    if only_blocks is not None:
        places = [place for place in places if place.block is None or place.block in only_blocks]
    metadata = None
    if spelling.style == "lokr":
        return write(path, lokr(places, size, spelling, seed=seed))
    dtype = "BF16" if seed is None else "F32"
    magnitude = file.get("magnitude", "")
    made = tensors(places, size, spelling, rank=rank, dtype=dtype, seed=seed, magnitude=magnitude)
    if "qkv_ranks" in file:
        wide = [place for place in places if len(place.diffusers_names) == 3]
        made |= tensors(wide, size, spelling, rank=rank * file["qkv_ranks"], dtype=dtype, seed=seed)
    if "header_alpha" in file:
        config = {
            "transformer.r": rank,
            "transformer.lora_alpha": rank * file["header_alpha"],
            "transformer.rank_pattern": {},
            "transformer.alpha_pattern": {},
            "transformer.target_modules": [name for place in places for name in place.diffusers_names],
        }
        metadata = {"lora_adapter_metadata": json.dumps(config)}
    return write(path, made, metadata)


def lokr(
    places: Iterable[Place],
    size: Size,
    spelling: Spelling,
    *,
    seed: int | None = None,
    left: tuple[int, int] = (4, 4),
    ranks: tuple[int, int] = (0, 0),
) -> Tensors:
    """The tensors of a LoKr; without ranks its factors are whole, and its alpha means nothing.

    Args:
        left: Shape of w1.
        ranks: Of w1 and w2 as products of two; 0 for a whole one.
    """
    made: Tensors = {}
    for place in places:
        name = place.name if spelling.layout == "bfl" else place.diffusers_names[0]
        stem = spelling.prefix + (name.replace(".", "_") if spelling.flat else name)
        rows, columns = place.shape(size)
        assert rows
        assert columns
        for factor, whole, rank in (
            ("w1", left, ranks[0]),
            ("w2", (rows // left[0], columns // left[1]), ranks[1]),
        ):
            shapes = {"_a": (whole[0], rank), "_b": (rank, whole[1])} if rank else {"": whole}
            for part, shape in shapes.items():
                raw = (
                    None
                    if seed is None
                    else numbers(math.prod(shape), "F32", f"{seed} {place} {factor}{part}")
                )
                made[f"{stem}.lokr_{factor}{part}"] = ("F32", shape, raw)
        if spelling.alpha is not None:
            made[f"{stem}.alpha"] = ("F32", (), struct.pack("<f", spelling.alpha * (ranks[1] or 1e10)))
    return made
