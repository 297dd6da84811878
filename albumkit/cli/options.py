"""Options that several commands share, spelt and parsed alike."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from typing import Any

import click

from albumkit.errors import UsageError

#: ``--trainer ID``; the command receives ``trainer``: str or None.
trainer_option = click.option(
    "--trainer", metavar="ID", help="Trainer to judge for.  `albumkit trainers` lists them."
)


def format_option(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--format`` with these choices, the first one by default; the command receives ``style``."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(names),
        default=names[0],
        show_default=True,
        help="What to print.",
    )


def split_names(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """``--select a,b --select c`` -> ("a", "b", "c")."""
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def parse_value(text: str) -> Any:
    """What is written behind ``NAME=``: a TOML value as in album.toml, else the text as it stands.

    ``1000``, ``5e-5``, ``true``, ``[1, 2]`` and ``"quoted"`` are TOML; ``a photo of TOK cat`` is text. So
    are dates, nan and inf, since no knob takes them.
    """
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # a bad escape, a number of 5,000 digits, a thousand brackets
        return text
    # A line break would let more keys in; they are part of a text then.
    return document["value"] if document.keys() == {"value"} and _is_json(document["value"]) else text


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def parse_set(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``("steps=800", "rank=16")`` -> ``{"steps": 800, "rank": 16}``; of two for one name the last counts.

    Raises:
        UsageError: there is no ``=``, or no name before it.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (equals and name.strip()):
            raise UsageError(f"--set {pair}: that is not NAME=VALUE.", "Write for example --set steps=800")
        values[name.strip()] = parse_value(text.strip())
    return values


def _parsed(_context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, Any]:
    return parse_set(pairs)


#: ``--set NAME=VALUE``, as often as wanted; the command receives ``overrides``: dict.
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_parsed,
    help="A knob for this call, stronger than album.toml. May be repeated.",
)
