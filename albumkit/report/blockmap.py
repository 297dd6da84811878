"""Which layers of a model an adapter has, drawn: a row for each kind of layer, a sign for each block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.text import Text

from albumkit.adapter import Adapter, Place
from albumkit.report.text import wrapped

#: What a sign stands for -> (sign, the same in ASCII, colour).
SIGNS = {
    "all": ("█", "#", "green"),
    "some": ("▄", "+", "green"),
    "none": ("·", ".", "dim"),
    "dropped": ("x", "x", "bold yellow"),
    "zero": ("0", "0", "bold red"),
    "broken": ("!", "!", "bold red"),
}
#: Words of the legend. All and none need none.
_LEGEND = {
    "some": "a part of it",
    "dropped": "dropped",
    "zero": "all zero, no effect",
    "broken": "broken numbers",
}
#: The same in words that an artist knows. What is not here is called as in the model.
_ROWS = {
    "img_attn": "image attention",
    "img_mlp": "image MLP",
    "img_mod": "image modulation",
    "txt_attn": "text attention",
    "txt_mlp": "text MLP",
    "txt_mod": "text modulation",
    "linear1": "attention, MLP",
    "linear2": "out",
}
_LABEL, _ROW = 13, 18


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many layers of a model an adapter changes, and what each cell of the map shows.

    ``rows``: (kind of block, row) -> a state of :data:`SIGNS` for every block. ``outside``: name -> state.
    """

    covered: int
    total: int
    rows: Mapping[tuple[str, str], tuple[str, ...]]
    outside: Mapping[str, str]


def coverage(adapter: Adapter, states: Mapping[str, str]) -> Coverage | None:
    """What an adapter covers of the model that it is for; None where no table knows that.

    Args:
        states: Name of a module -> ``dropped``, ``zero`` or ``broken``; others are fine.
    """
    if adapter.architecture is None or adapter.size is None:
        return None
    have: dict[str, int] = defaultdict(int)
    worst: dict[str, str] = {}
    for module in adapter.modules:
        if module.place is not None:
            name = module.place.name
            have[name] += len(module.place.diffusers_names)
            worst[name] = _worse(worst.get(name, "all"), states.get(module.name, "all"))
    cells: dict[tuple[str, str], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    outside: dict[str, list[str]] = defaultdict(list)
    covered = total = 0
    for place in adapter.architecture.places(adapter.size):
        total += 1
        covered += place.name in have
        state = _state(place, have.get(place.name, 0), worst.get(place.name, "all"))
        if place.block is None:
            outside[_outside(place)].append(state)
        else:
            row = place.linear.name.partition("{i}.")[2].partition(".")[0]
            cells[place.linear.kind, row][place.block].append(state)
    rows = {key: tuple(_joined(blocks[n]) for n in sorted(blocks)) for key, blocks in cells.items()}
    return Coverage(covered, total, rows, {name: _joined(found) for name, found in outside.items()})


def map_lines(shown: Coverage, width: int, ascii_only: bool) -> list[Text]:
    """The map, and a legend of the signs that need one."""
    lines: list[Text] = []
    last = ""
    for (kind, row), states in shown.rows.items():
        label = "" if kind == last else f"{kind} 0-{len(states) - 1}"
        last = kind
        head = f"  {label:<{_LABEL}}{_ROWS.get(row, row):<{_ROW}}"
        room = max(8, width - len(head))
        for start in range(0, len(states), room):
            line = Text(head if start == 0 else " " * len(head))
            for state in states[start : start + room]:
                line.append(*_sign(state, ascii_only))
            lines.append(line)
    lines += _outside_lines(shown.outside, width, ascii_only)
    used = {state for states in (*shown.rows.values(), shown.outside.values()) for state in states}
    legend = [f"{_sign(state, ascii_only)[0]} {words}" for state, words in _LEGEND.items() if state in used]
    if legend:
        lines += wrapped("   ".join(legend).replace(" ", "\0"), width, " " * (2 + _LABEL), style="dim")
    return lines


def _outside_lines(outside: Mapping[str, str], width: int, ascii_only: bool) -> list[Text]:
    """The layers that are in no block: those that the adapter has, each with its sign if it needs one."""
    names = []
    for name, state in outside.items():
        if state == "none":
            continue
        sign = f"{_sign(state, ascii_only)[0]} " if state in _LEGEND else ""
        names.append(f"{sign}{name}".replace(" ", "\0"))
    body = wrapped("  ".join(names) or "none", width, " " * (2 + _LABEL))
    head = Text(f"  {'outside':<{_LABEL}}")
    return [head.append(body[0].plain.strip(), "green" if names else "dim"), *body[1:]]


def _sign(state: str, ascii_only: bool) -> tuple[str, str]:
    sign, plain, style = SIGNS[state]
    return (plain if ascii_only else sign), style


def _state(place: Place, have: int, worst: str) -> str:
    if not have:
        return "none"
    return worst if worst != "all" else "all" if have == len(place.diffusers_names) else "some"


def _worse(one: str, other: str) -> str:
    order = ("all", "dropped", "zero", "broken")
    return max(one, other, key=order.index)


def _joined(states: Iterable[str]) -> str:
    """One sign for several layers."""
    found = set(states)
    for state in ("broken", "zero", "dropped"):
        if state in found:
            return state
    return found.pop() if len(found) == 1 else "some"


def _outside(place: Place) -> str:
    if place.group == "adaln":
        return "final adaLN"
    return "modulation" if place.group == "modulation" else place.linear.name.partition(".")[0]
