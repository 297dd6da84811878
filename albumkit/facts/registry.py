"""The fact registry: named, typed measurements that depend on each other by parameter name.

A fact is a function; its parameters name the facts and context objects it needs, its return annotation is
its type, its decorator states scope and cost. Facts are computed when somebody asks and at most once per
subject. A fact that cannot be had raises :class:`Unmeasured` (reported: unmeasured is not passed); one that
makes no sense for the subject raises :class:`NotApplicable` (silence).
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Scope = Literal["example", "caption", "pair", "album", "settings", "knob"]
Cost = Literal["stat", "header", "pixels", "model"]
COSTS: tuple[Cost, ...] = ("stat", "header", "pixels", "model")
SCOPES: tuple[Scope, ...] = typing.get_args(Scope)

#: Objects that are handed in rather than measured, by the name facts call them.
CONTEXT: Mapping[Scope, frozenset[str]] = {
    "example": frozenset({"media", "measured"}),
    "caption": frozenset({"example", "caption"}),
    "pair": frozenset({"example"}),
    "album": frozenset({"album", "measured", "trainer", "settings"}),
    "settings": frozenset(),
    "knob": frozenset({"name", "setting"}),
}

F = TypeVar("F", bound=Callable[..., Any])


class Unmeasured(Exception):
    """A fact that could not be measured, with the reason a person reads."""


class NotDecoded(Unmeasured):
    """A pixel fact that this run did not pay for; the rule was left out, not failed to run."""


class NotApplicable(Exception):
    """A fact that has no meaning for this subject; rules that need it stay silent."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One registered measurement. ``cost`` includes the costs of what it needs."""

    name: str
    scope: Scope
    cost: Cost
    needs: tuple[str, ...]
    type: Any
    doc: str
    function: Callable[..., Any]


_FACTS: dict[Scope, dict[str, Fact]] = {scope: {} for scope in SCOPES}


def fact(scope: Scope, cost: Cost = "stat") -> Callable[[F], F]:
    """Register a function as the fact of its own name.

    Raises:
        ValueError: two facts of one name, a dependency that nobody measures yet, or no return annotation.
    """

    def register(function: F) -> F:
        name = function.__name__
        hints = typing.get_type_hints(function)
        needs = tuple(inspect.signature(function).parameters)
        if "return" not in hints:
            raise ValueError(f"fact {name} has no return annotation")
        if name in _FACTS[scope]:
            raise ValueError(f"fact {name} is registered twice in scope {scope}")
        total = max((cost, *(_cost_of(scope, need) for need in needs)), key=COSTS.index)
        doc = inspect.getdoc(function) or ""
        _FACTS[scope][name] = Fact(name, scope, total, needs, hints["return"], doc, function)
        return function

    return register


def _cost_of(scope: Scope, need: str) -> Cost:
    if need in CONTEXT[scope] or need in CONTEXT["album"]:
        return "stat"
    found = find_fact(scope, need)
    if found is None:
        raise ValueError(f"nothing measures {need} for scope {scope}; register it first")
    return found.cost


def find_fact(scope: Scope, name: str) -> Fact | None:
    """The fact of this name in a scope; every scope sees the album's and the settings' facts too."""
    places: tuple[Scope, ...] = (scope, "settings", "album")
    for place in places:
        if found := _FACTS[place].get(name):
            return found
    return None


def all_facts() -> list[Fact]:
    """Every fact, by scope, then name."""
    return [facts[name] for facts in _FACTS.values() for name in sorted(facts)]


class Subject:
    """One thing that is judged, with the facts measured of it so far.

    ``parent`` is the album's own subject: facts of wider scope are measured there, once for all.
    """

    __slots__ = ("_missing", "_values", "parent", "path", "scope")

    def __init__(
        self, scope: Scope, path: str, context: dict[str, Any], parent: Subject | None = None
    ) -> None:
        self.scope = scope
        self.path = path
        self.parent = parent
        self._values = context
        self._missing: dict[str, Exception] | None = None

    def get(self, name: str) -> Any:
        """The value of a fact or context object.

        Raises:
            Unmeasured, NotApplicable: as the fact or anything that it needs does; remembered.
            KeyError: nothing of that name exists.
        """
        values = self._values
        if name in values:
            return values[name]
        if self._missing and name in self._missing:
            raise self._missing[name]
        known = _FACTS[self.scope].get(name)
        if known is None:
            if self.parent is None:
                raise KeyError(name)
            return self.parent.get(name)
        try:
            value = known.function(*[self.get(need) for need in known.needs])
        except (Unmeasured, NotApplicable) as state:
            if self._missing is None:
                self._missing = {}
            self._missing[name] = state
            raise
        values[name] = value
        return value
