"""What a converted file tells of its own past, so that it can be converted back to the same bits.

One text of the header holds it as JSON: the conversions so far; which scale was folded into the factors; the
ranks of fused parts. A file may have been changed since, by programs that copy texts they do not understand.
So the trail is a hint: whatever it says, the change of the model's weights comes out the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from albumkit import __version__
from albumkit.adapter.conversion.forms import Form
from albumkit.adapter.conversion.scaling import power_of_two
from albumkit.adapter.model import Adapter
from albumkit.adapter.read import PEFT_METADATA

KEY = "albumkit_convert"
#: Where the configuration of PEFT goes: under its own name diffusers would apply its alpha once more.
KEPT_PEFT = "source_lora_adapter_metadata"
#: Checksums of the old bytes.
_CHECKSUMS = ("sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256")
#: No program folds more than this; a stranger's text may claim anything.
_MOST_FOLDED = 32


@dataclass
class Trail:
    """See above; ``folded`` and ``blocks`` are by BFL name (``double_blocks.0.img_attn.qkv``)."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    folded: dict[str, float] = field(default_factory=dict)
    blocks: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> Trail:
        """The trail in a header, as far as it makes sense."""
        try:
            document = json.loads(metadata.get(KEY, "null"))
        except (ValueError, RecursionError):
            return cls()
        if not isinstance(document, dict):
            return cls()
        steps, folded, blocks = (document.get(key) for key in ("steps", "folded", "blocks"))
        return cls(
            [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else [],
            {n: float(v) for n, v in folded.items() if _is_fold(v)} if isinstance(folded, dict) else {},
            {n: v for n, v in blocks.items() if _is_ranks(v)} if isinstance(blocks, dict) else {},
        )

    def text(self) -> str:
        """The same as JSON."""
        document = {"steps": self.steps, "folded": self.folded, "blocks": self.blocks}
        return json.dumps({key: value for key, value in document.items() if value})


def new_texts(adapter: Adapter, form: Form, trail: Trail) -> tuple[dict[str, str], tuple[str, ...]]:
    """The texts of the new header, and the names of those that hold no longer and are left out."""
    texts = {key: value for key, value in adapter.metadata.items() if key not in (*_CHECKSUMS, KEY)}
    if PEFT_METADATA in texts:
        texts[KEPT_PEFT] = texts.pop(PEFT_METADATA)
    step = {"from": adapter.scheme.id, "to": form.id, "file": adapter.path.name, "albumkit": __version__}
    texts[KEY] = Trail([*trail.steps, step], trail.folded, trail.blocks).text()
    return texts, tuple(key for key in _CHECKSUMS if key in adapter.metadata)


def _is_fold(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 2.0**63:
        return False
    shift = power_of_two(value)
    return shift is not None and abs(shift) <= _MOST_FOLDED


def _is_ranks(value: object) -> bool:
    return isinstance(value, list) and all(type(rank) is int and 0 <= rank < 1 << 31 for rank in value)
