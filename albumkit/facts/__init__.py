"""Measurements: what is so, never whether that is good.

Importing this package registers every fact but those of LoRA files (``adapter``, ``module``), which
:mod:`registry` imports when one is asked for. ``registry.Table`` measures, column by column.
"""

from albumkit.facts import (  # noqa: F401 - they register themselves
    album,
    caption,
    caption_length,
    caption_sets,
    caption_words,
    clip,
    example,
    files,
    form,
    likeness,
    mask,
    orphans,
    pair,
    quality,
    settings,
    training,
    trigger,
)
from albumkit.facts.cache import FactCache
from albumkit.facts.measure import Measured
from albumkit.facts.registry import (
    ADAPTER_SCOPES,
    COSTS,
    SCOPES,
    Cost,
    Fact,
    NotApplicable,
    NotDecoded,
    Scope,
    Table,
    Unmeasured,
    all_facts,
    fact,
    facts_of,
    find_fact,
    json_type,
    wider_scopes,
)

__all__ = [
    "ADAPTER_SCOPES",
    "COSTS",
    "SCOPES",
    "Cost",
    "Fact",
    "FactCache",
    "Measured",
    "NotApplicable",
    "NotDecoded",
    "Scope",
    "Table",
    "Unmeasured",
    "all_facts",
    "fact",
    "facts_of",
    "find_fact",
    "json_type",
    "wider_scopes",
]
