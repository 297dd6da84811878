"""What every command needs to draw: lines at the stream's width, JSON, a progress bar."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from albumkit.report.safe import visible

if TYPE_CHECKING:
    from rich.text import Text

    from albumkit.workflows import Progress


def print_lines(draw: Callable[[int], Sequence[Text]]) -> None:
    """Print what ``draw(width)`` returns, coloured on a terminal; a stream that cannot show a letter gets
    its escape instead of an error.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    width = console.width if console.is_terminal or "COLUMNS" in console._environ else 80
    encoding = _encoding()
    for line in draw(width):
        shown = visible(line.plain)
        if not encoding.startswith("utf"):
            shown = shown.encode(encoding, "backslashreplace").decode(encoding)
        console.print(line if shown == line.plain else shown, markup=False)


def speaks_ascii_only() -> bool:
    """Whether drawings must do without block characters."""
    return not _encoding().startswith("utf")


def _encoding() -> str:
    return (sys.stdout.encoding or "ascii").lower()


def echo_json(document: dict[str, Any]) -> None:
    """One JSON document, readable, in ASCII: safe for every stream."""
    click.echo(json.dumps(document, indent=2))


@contextmanager
def progress_bar(wanted: bool) -> Iterator[Progress | None]:
    """A bar with rate and time left on a terminal's stderr; nothing when piped or when all is quick."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def step(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        yield step
