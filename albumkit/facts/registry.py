"""The fact registry: named, typed measurements that depend on each other by parameter name.

A fact is a function; its parameters name the facts and context objects it needs, its return annotation is
its type, its decorator states scope and cost. Facts are measured when somebody asks, for all subjects of a
scope at once. A fact that cannot be had raises :class:`Unmeasured` (reported: unmeasured is not passed);
one that makes no sense for the subject raises :class:`NotApplicable` (silence).
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

Scope = Literal[
    "example", "clip", "caption", "mask", "pair", "album", "settings", "knob", "adapter", "module"
]
Cost = Literal["stat", "header", "pixels", "model"]
COSTS: tuple[Cost, ...] = ("stat", "header", "pixels", "model")
SCOPES: tuple[Scope, ...] = typing.get_args(Scope)

#: Objects that are handed in rather than measured, by the name facts call them.
CONTEXT: Mapping[Scope, frozenset[str]] = {
    "example": frozenset({"media", "measured"}),
    "clip": frozenset({"media", "measured"}),
    "caption": frozenset({"example", "caption"}),
    "mask": frozenset({"example", "measured"}),
    "pair": frozenset({"example", "measured"}),
    "album": frozenset({"album", "measured", "trainer", "settings"}),
    "settings": frozenset(),
    "knob": frozenset({"name", "setting"}),
    "adapter": frozenset({"adapter", "predictions", "health", "base"}),
    "module": frozenset({"module"}),
}
#: Scopes whose subject is a LoRA file: it may lie anywhere, so that no album and no settings are about it.
ADAPTER_SCOPES: tuple[Scope, ...] = ("adapter", "module")

F = TypeVar("F", bound=Callable[..., Any])


class Unmeasured(Exception):
    """A fact that could not be measured, with the reason a person reads."""


class NotDecoded(Unmeasured):
    """A pixel fact that this run did not pay for; the rule was left out, not failed to run."""


class NotApplicable(Exception):
    """A fact that has no meaning for this subject; rules that need it stay silent."""


State: TypeAlias = Unmeasured | NotApplicable
_STATES = (Unmeasured, NotApplicable)


def state_of(values: Iterable[Any]) -> State | None:
    """What came instead of the first of these cells that holds no value; None where all hold one."""
    for value in values:
        if isinstance(value, _STATES):
            return value
    return None


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
    #: Optional dependencies (extras of pyproject.toml) without which it is never measured.
    extras: frozenset[str] = frozenset()


_FACTS: dict[Scope, dict[str, Fact]] = {scope: {} for scope in SCOPES}


def fact(scope: Scope, cost: Cost = "stat", extra: str | None = None) -> Callable[[F], F]:
    """Register a function as the fact of its own name.

    Args:
        scope: What it is measured of.
        cost: What measuring it costs, over the costs of what it needs.
        extra: The optional dependency that it cannot be measured without.

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
        known = [found for need in needs if (found := find_fact(scope, need))]
        extras = frozenset({extra} if extra else ()).union(*(found.extras for found in known))
        _FACTS[scope][name] = Fact(name, scope, total, needs, hints["return"], doc, function, extras)
        return function

    return register


def _cost_of(scope: Scope, need: str) -> Cost:
    if need in CONTEXT[scope] or need in CONTEXT["album"]:
        return "stat"
    found = find_fact(scope, need)
    if found is None:
        raise ValueError(f"nothing measures {need} for scope {scope}; register it first")
    return found.cost


def _known(scope: Scope) -> dict[str, Fact]:
    """The facts of one scope, by name. Those of LoRA files are imported when one is asked for: no album needs
    them, and lint would wait for them as long as for ten pictures.
    """
    if scope in ADAPTER_SCOPES:
        importlib.import_module(f"albumkit.facts.{scope}")
    return _FACTS[scope]


def wider_scopes(scope: Scope) -> tuple[Scope, ...]:
    """The scopes whose facts a scope sees beside its own, the nearest first."""
    if scope in ADAPTER_SCOPES:
        return ADAPTER_SCOPES[: ADAPTER_SCOPES.index(scope)]
    both: tuple[Scope, ...] = ("settings", "album")
    return tuple(wider for wider in both if wider != scope)


def find_fact(scope: Scope, name: str) -> Fact | None:
    """The fact of this name in a scope, or in a wider one."""
    for place in (scope, *wider_scopes(scope)):
        if found := _known(place).get(name):
            return found
    return None


def facts_of(scope: Scope) -> dict[str, Fact]:
    """Every fact that a rule of this scope may ask for, by name: its own, and those of wider scopes."""
    found: dict[str, Fact] = {}
    for place in reversed((scope, *wider_scopes(scope))):
        found |= _known(place)
    return found


def json_type(fact: Fact) -> str:
    """What JSON calls the fact's type; "" for values that only other facts can use."""
    plain = typing.get_origin(fact.type) or fact.type
    return {str: "string", int: "integer", float: "number", bool: "boolean", tuple: "array"}.get(plain, "")


def all_facts() -> list[Fact]:
    """Every fact, by scope, then name."""
    return [facts[name] for scope in SCOPES for facts in [_known(scope)] for name in sorted(facts)]


class Table:
    """All subjects of one scope and the facts measured of them, column by column.

    A column is a list with one cell a subject, in the order of ``paths``; a cell holds the value, or the
    Unmeasured or NotApplicable that came instead. Measuring by column keeps ten thousand subjects cheap.
    ``parent`` has one row, the album's: facts of wider scope are measured there, once for all.
    """

    def __init__(
        self,
        scope: Scope,
        paths: Sequence[str],
        context: Mapping[str, Sequence[Any]],
        parent: Table | None = None,
    ) -> None:
        self.scope = scope
        self.paths = paths
        self.parent = parent
        self._columns: dict[str, Sequence[Any]] = dict(context)
        #: Columns in which at least one cell holds no value -> whether none does.
        self._gaps: dict[str, bool] = {}

    def column(self, name: str) -> Sequence[Any]:
        """The cells of a fact or context object; measured on the first call.

        Raises:
            KeyError: nothing of that name exists.
        """
        found = self._columns.get(name)
        if found is None:
            known = _known(self.scope).get(name)
            found = self._columns[name] = self._inherited(name) if known is None else self._measure(known)
        return found

    def cell(self, row: int, name: str) -> Any:
        """One subject's value, without measuring the others.

        Raises:
            Unmeasured, NotApplicable: as the fact, or anything that it needs, does.
        """
        if (column := self._columns.get(name)) is not None:
            value = column[row]
        elif (known := _known(self.scope).get(name)) is not None:
            value = known.function(*[self.cell(row, need) for need in known.needs])
        elif self.parent is not None:
            value = self.parent.cell(0, name)
        else:
            raise KeyError(name)
        if isinstance(value, _STATES):
            raise value
        return value

    def _inherited(self, name: str) -> Sequence[Any]:
        if self.parent is None:
            raise KeyError(name)
        value = self.parent.column(name)[0]
        if isinstance(value, _STATES):
            self._gaps[name] = True
        return [value] * len(self.paths)

    def _measure(self, known: Fact) -> Sequence[Any]:
        columns = [self.column(need) for need in known.needs]
        needs = [need for need in known.needs if need in self._gaps]
        if needs and self._gaps[needs[0]]:
            self._gaps[known.name] = True
            return self.column(needs[0])
        gapped = [self.column(need) for need in needs]
        function = known.function
        if not gapped:
            try:
                return list(map(function, *columns))
            except _STATES:
                pass  # a cell without a value: once more, one by one
        cells: list[Any] = []
        missing = 0
        states = (
            map(state_of, zip(*gapped, strict=True)) if gapped else itertools.repeat(None, len(self.paths))
        )
        raised: dict[tuple[type, str], State] = {}  # one for all subjects of a reason: they may be many
        for state, values in zip(states, zip(*columns, strict=True), strict=True):
            if state is None:
                try:
                    cells.append(function(*values))
                    continue
                except _STATES as error:
                    state = raised.setdefault((type(error), str(error)), error.with_traceback(None))
            missing += 1
            cells.append(state)
        if missing:
            self._gaps[known.name] = missing == len(cells)
        return cells
