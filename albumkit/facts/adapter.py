"""Facts of a LoRA file: what it is, and what the programs that somebody uses will do with it.

``predictions`` has one entry for each of these programs; facts named ``..._in`` list those that it concerns,
in words, and are empty where it concerns none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from albumkit.adapter import Adapter, Size, fits_size
from albumkit.adapter.predict import TITLES, Prediction
from albumkit.facts.registry import NotApplicable, fact

_HELPLESS = "get the file in another form, or train it again"


@fact("adapter", cost="header")
def scheme_title(adapter: Adapter) -> str:
    """How its keys are spelt, in words."""
    return adapter.scheme.title


@fact("adapter", cost="header")
def made_for(adapter: Adapter) -> str:
    """The model that names and shapes tell it is for, in words."""
    if adapter.size is not None:
        return adapter.size.title
    return adapter.other.title if adapter.other else "an unknown model"


@fact("adapter", cost="header")
def module_count(adapter: Adapter) -> int:
    """Modules that it changes."""
    return len(adapter.modules)


@fact("adapter", cost="header")
def has_table(adapter: Adapter) -> bool:
    """Whether there is a naming table for its architecture: without one nothing is predicted."""
    return adapter.architecture is not None


@fact("adapter", cost="header")
def candidate_count(adapter: Adapter) -> int:
    """Published models that its names and shapes fit; more than one when it has few modules."""
    return len(adapter.candidates)


@fact("adapter", cost="header")
def candidate_titles(adapter: Adapter) -> str:
    """Those models in words."""
    return " and ".join(size.title for size in adapter.candidates)


@fact("adapter", cost="header")
def stray_count(adapter: Adapter) -> int:
    """Keys that belong to no module of the model: of a text encoder, biases, misspelt names."""
    return len(adapter.leftovers)


@fact("adapter", cost="header")
def strays_short(adapter: Adapter) -> str:
    """The first three of these keys."""
    return _few(adapter.leftovers)


# The base


@fact("adapter", cost="header")
def base_title(base: Size | None) -> str:
    """The model that it shall be used with, in words; not applicable when nobody said which."""
    if base is None:
        raise NotApplicable("no base was stated")
    return base.title


@fact("adapter", cost="header")
def misfit_count(adapter: Adapter, base: Size | None) -> int:
    """Modules that have no place in that model, or another shape there."""
    if base is None or adapter.architecture is None:
        raise NotApplicable("no base was stated, or nothing is known of the adapter's")
    return sum(not fits_size(module, base) for module in adapter.modules)


# Ranks and scales


@fact("adapter", cost="header")
def rank_words(adapter: Adapter) -> str:
    """Its ranks, the most frequent first."""
    return " and ".join(map(str, adapter.ranks))


@fact("adapter", cost="header")
def unscaled_ranks(adapter: Adapter) -> int:
    """Different ranks in a file without any alpha; not applicable to one with alphas, which say the scale."""
    if adapter.has_alpha or adapter.peft is not None:
        raise NotApplicable("it has alphas")
    return len(adapter.ranks)


@fact("adapter", cost="header")
def scale_words(adapter: Adapter) -> str:
    """The factors that its writer meant (alpha / rank), from the smallest on."""
    scales = sorted({round(adapter.scale(module), 6) for module in adapter.modules})
    return ", ".join(f"{scale:g}" for scale in scales[:4]) + (" ..." if len(scales) > 4 else "")


# What programs do with it


@fact("adapter", cost="header")
def loads_nothing_in(predictions: Sequence[Prediction]) -> str:
    """Programs that would load it without a word and change nothing."""
    return _titles(predictions, lambda found: found.result == "nothing")


@fact("adapter", cost="header")
def nothing_why(predictions: Sequence[Prediction]) -> str:
    """Why, of the first of them."""
    return _why(predictions, lambda found: found.result == "nothing")


@fact("adapter", cost="header")
def loads_partly_in(predictions: Sequence[Prediction]) -> str:
    """Programs that would drop a part of it without a word, with the numbers of modules."""
    return _titles(predictions, lambda found: found.result == "partial", counted=True)


@fact("adapter", cost="header")
def partly_why(predictions: Sequence[Prediction]) -> str:
    """The first dropped modules of the first of them, and why."""
    found = next((p for p in predictions if p.result == "partial"), None)
    return f"{_few([drop.module for drop in found.dropped])}: {found.why}" if found else ""


@fact("adapter", cost="header")
def refused_by(predictions: Sequence[Prediction]) -> str:
    """Programs that raise an error, with its name."""
    found = [f"{TITLES[p.runtime]} ({p.error})" for p in predictions if p.result == "error"]
    return " and ".join(found)


@fact("adapter", cost="header")
def refused_why(predictions: Sequence[Prediction]) -> str:
    """Why, of the first of them."""
    return _why(predictions, lambda found: found.result == "error")


@fact("adapter", cost="header")
def not_known_in(predictions: Sequence[Prediction]) -> str:
    """Programs of which nobody measured what they do with such a file."""
    return _titles(predictions, lambda found: found.result == "unknown")


@fact("adapter", cost="header")
def not_known_why(predictions: Sequence[Prediction]) -> str:
    """Why, of the first of them."""
    return _why(predictions, lambda found: found.result == "unknown")


@fact("adapter", cost="header")
def halves_swapped_in(predictions: Sequence[Prediction]) -> str:
    """Programs that put the change of the last adaLN on the wrong halves."""
    return _with_fault(predictions, "adaln-halves-swapped")


@fact("adapter", cost="header")
def alpha_ignored_in(predictions: Sequence[Prediction]) -> str:
    """Programs that ignore an alpha that is not the rank."""
    return _with_fault(predictions, "alpha-ignored")


@fact("adapter", cost="header")
def magnitude_dropped_in(predictions: Sequence[Prediction]) -> str:
    """Programs that use a DoRA as a plain LoRA."""
    return _with_fault(predictions, "magnitude-dropped")


@fact("adapter", cost="header")
def magnitude_of_base_in(predictions: Sequence[Prediction]) -> str:
    """Programs that norm a DoRA by the base's weight alone."""
    return _with_fault(predictions, "magnitude-of-base")


@fact("adapter", cost="header")
def ranks_mis_scaled_in(predictions: Sequence[Prediction]) -> str:
    """Programs that scale modules of another rank than the first wrongly."""
    return _with_fault(predictions, "rank-mis-scaled")


@fact("adapter", cost="header")
def loading_remedy(predictions: Sequence[Prediction]) -> str:
    """What makes it load where it does not, by the first program that has trouble with it."""
    return next((found.remedy for found in predictions if found.remedy), _HELPLESS)


def _titles(
    predictions: Sequence[Prediction], concerned: Callable[[Prediction], bool], counted: bool = False
) -> str:
    found = [p for p in predictions if concerned(p)]
    words = [f"{TITLES[p.runtime]} {p.version}".rstrip() for p in found]
    if counted:
        words = [
            f"{title} ({len(p.loaded)} of {p.total} modules)" for title, p in zip(words, found, strict=True)
        ]
    return " and ".join(words)


def _with_fault(predictions: Sequence[Prediction], code: str) -> str:
    return _titles(predictions, lambda found: any(fault.code == code for fault in found.faults))


def _why(predictions: Sequence[Prediction], concerned: Callable[[Prediction], bool]) -> str:
    return next((found.why for found in predictions if concerned(found)), "")


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
