"""How keys are spelt: prefix, layout of names, suffixes. Which spelling a file has is its scheme.

A key is PREFIX NAME SUFFIX: ``diffusion_model.`` ``double_blocks.0.img_attn.qkv`` ``.lora_A.weight``. Here it
is only taken apart; what a loader makes of it is told in :mod:`albumkit.adapter.loaders`. The schemes
themselves stand in ``naming/schemes.json``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from albumkit.adapter.naming import Architecture, Place, read_table

#: Suffix -> (role, style). The first that fits counts, so longer ones stand first.
_SUFFIXES: tuple[tuple[str, str, str], ...] = (
    (r"\.lora_A\.weight", "down", "A/B"),
    (r"\.lora_B\.weight", "up", "A/B"),
    (r"\.lora_A\.default\.weight", "down", "A/B.default"),
    (r"\.lora_B\.default\.weight", "up", "A/B.default"),
    (r"\.lora_A\.[^.]+\.weight", "down", "A/B.slot"),
    (r"\.lora_B\.[^.]+\.weight", "up", "A/B.slot"),
    (r"\.lora_A", "down", "A/B bare"),
    (r"\.lora_B", "up", "A/B bare"),
    (r"\.lora_down\.weight", "down", "down/up"),
    (r"\.lora_up\.weight", "up", "down/up"),
    (r"\.lora\.down\.weight", "down", "lora.down/up"),
    (r"\.lora\.up\.weight", "up", "lora.down/up"),
    (r"_lora\.down\.weight", "down", "_lora.down/up"),
    (r"_lora\.up\.weight", "up", "_lora.down/up"),
    (r"\.lora_linear_layer\.down\.weight", "down", "linear_layer"),
    (r"\.lora_linear_layer\.up\.weight", "up", "linear_layer"),
    (r"\.alpha", "alpha", ""),
    (r"\.dora_scale", "magnitude", "dora_scale"),
    (r"\.magnitude", "magnitude", "magnitude"),
    (r"\.lora_magnitude_vector(?:\.[^.]+)?(?:\.weight)?", "magnitude", "lora_magnitude_vector"),
    (r"\.lokr_(w1|w1_a|w1_b|w2|w2_a|w2_b)", "lokr_{}", "lokr"),
    (r"\.hada_(w1_a|w1_b|w2_a|w2_b)", "hada_{}", "loha"),
    (
        r"\.lora_B\.bias|\.diff_b|\.diff|\.lora_mid\.weight|\.w_norm|\.b_norm|\.set_weight|\.reshape_weight|\.(?:lokr|hada)_t[12]",
        "extra",
        "",
    ),
)
_SUFFIX = re.compile("|".join(f"(?P<s{n}>{pattern})$" for n, (pattern, _, _) in enumerate(_SUFFIXES)))
#: Prefixes, and whether the name behind it has ``_`` for every dot. The longest that fits counts.
_PREFIXES = (
    ("base_model.model.", False),
    ("diffusion_model.", False),
    ("transformer.", False),
    ("lora_transformer_", True),
    ("lora_unet_", True),
    ("lycoris_", True),
    ("", False),
)


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to spell the keys of an adapter.

    Attributes:
        id: Its short name: ``comfy``, ``fal``, ``diffusers``, ``kohya`` ...
        title: What to call it in a message.
        prefix: What every key begins with.
        layout: Whose names: ``bfl``, ``diffusers`` or ``musubi``.
        style: The pair of suffixes of the two factors (``A/B``, ``down/up`` ...); "" for any.
        written_by: Programs that write it.
    """

    id: str
    title: str
    prefix: str
    layout: str
    style: str = ""
    written_by: str = ""


SCHEMES: tuple[Scheme, ...] = tuple(Scheme(**row) for row in read_table("schemes.json")["schemes"])
UNKNOWN = Scheme("unknown", "a spelling that albumkit does not know", "", "")


def find_scheme(prefix: str, layout: str, style: str) -> Scheme:
    """The scheme of these three; :data:`UNKNOWN` where nobody is known to write that."""
    for scheme in SCHEMES:
        if (scheme.prefix, scheme.layout) == (prefix, layout) and scheme.style in ("", style):
            return scheme
    return UNKNOWN


@dataclass(frozen=True, slots=True)
class Key:
    """A key taken apart: ``stem`` is all but the suffix, ``role`` what the tensor is to its module."""

    stem: str
    role: str
    style: str


def split_key(key: str) -> Key | None:
    """Take the suffix off a key; None for a key that no adapter has, such as a plain ``….weight``."""
    found = _SUFFIX.search(key)
    if found is None or found.lastgroup is None:
        return None
    _, role, style = _SUFFIXES[int(found.lastgroup[1:])]
    if "{}" in role:
        role = f"{style}_{found[0].partition('_')[2]}"
    return Key(key[: found.start()], role, style)


@dataclass(frozen=True, slots=True)
class Spelling:
    """What a stem means in one architecture."""

    prefix: str
    layout: str
    place: Place


def read_stem(stem: str, table: Architecture) -> Spelling | None:
    """Find the module of an architecture that a stem (prefix and name) means; None for a stranger."""
    for prefix, flat in _PREFIXES:
        if not stem.startswith(prefix):
            continue
        name = stem.removeprefix(prefix)
        for layout in ("bfl", "diffusers", "musubi"):
            if (place := table.place(layout, name, flat=flat)) is not None:
                return Spelling(prefix, layout, place)
    return None
