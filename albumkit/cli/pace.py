"""Long work while it goes: a bar with rate and time left on a terminal, plain lines when piped; on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from albumkit.workflows import Progress

#: Plain lines come about so often over a whole work, but not more often than every so many seconds.
_LINES = 20
_SECONDS = 2.0


def rate_words(rate: float) -> str:
    """Two figures are enough; from a hundred on whole numbers, which ``.2g`` would write with an exponent."""
    return f"{rate:.2g}" if rate < 99.5 else f"{rate:.0f}"


@contextmanager
def paced(wanted: bool) -> Iterator[Progress | None]:
    """What long work tells its progress to: (what is done, how much of it, of how much)."""
    if not wanted:
        yield None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        more = (TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
        with Progress(*columns, *more, console=Console(stderr=True), transient=True) as bar:
            yield _Bar(bar)
    else:
        yield _Lines()


@dataclass
class _Pace:
    """How fast one kind of work goes, from the first that was told of it."""

    since: float
    at_first: int

    def rate(self, done: int) -> float:
        """So many a second; 0 while nobody can tell."""
        seconds = time.monotonic() - self.since
        return (done - self.at_first) / seconds if seconds > 0 else 0.0


@dataclass
class _Paces:
    known: dict[str, _Pace] = field(default_factory=dict)

    def of(self, what: str, done: int) -> _Pace:
        return self.known.setdefault(what, _Pace(time.monotonic(), done))


class _Bar:
    def __init__(self, bar: Bar) -> None:
        self._bar, self._paces = bar, _Paces()
        self._tasks: dict[str, object] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        rate = self._paces.of(what, done).rate(done)
        task = self._tasks.get(what)
        if task is None:
            task = self._tasks[what] = self._bar.add_task(what, total=total, rate="")
        self._bar.update(task, completed=done, rate=f"{rate_words(rate)}/s" if rate else "")  # type: ignore[arg-type]


class _Lines:
    """``captions 12/60, 0.8/s, 60 s left``, now and then."""

    def __init__(self) -> None:
        self._paces = _Paces()
        self._last: dict[str, tuple[float, int]] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        rate = self._paces.of(what, done).rate(done)
        now = time.monotonic()
        when, at = self._last.get(what, (-_SECONDS, -total))
        if done < total and (now - when < _SECONDS or (done - at) * _LINES < total):
            return
        self._last[what] = (now, done)
        left = f", {(total - done) / rate:.0f} s left" if rate and done < total else ""
        click.echo(f"{what} {done}/{total}{f', {rate_words(rate)}/s' if rate else ''}{left}", err=True)
