"""fal's endpoints: what they write they take back. No more is known: nobody outside can run them."""

from __future__ import annotations

from albumkit.adapter.loaders.outcome import Outcome
from albumkit.adapter.model import Adapter
from albumkit.adapter.naming import Architecture, Size
from albumkit.adapter.recognise import fits_size


def known(adapter: Adapter, table: Architecture) -> bool:
    """Whether it is in the form that fal's own trainers of this architecture write."""
    plain = not adapter.has_alpha and adapter.kind == "lora" and not adapter.leftovers
    return table.loaders.get("fal") == adapter.scheme.id and plain


def send(adapter: Adapter, size: Size) -> Outcome:
    """Every module of the model's own shape is loaded."""
    outcome = Outcome()
    for module in adapter.modules:
        if fits_size(module, size):
            outcome.load(module)
        else:
            outcome.drop(module, f"it does not fit {size.title}")
    return outcome
