"""A training while it goes: a bar on a terminal, plain lines when piped, JSON events for programs."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from albumkit.engine.session import Event
    from albumkit.training import Prepared

#: Losses are means of so many steps: single ones say nothing.
_WINDOW = 50
#: Plain lines come about so often over a whole run.
_LINES = 20


class Trend:
    """The loss of late, against that of the beginning, and how fast it goes."""

    def __init__(self) -> None:
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_WINDOW)
        self._seconds: deque[float] = deque(maxlen=_WINDOW)

    def add(self, step: dict[str, Any]) -> None:
        if len(self._first) < _WINDOW:
            self._first.append(step["loss"])
        self._last.append(step["loss"])
        self._seconds.append(step["seconds"])

    @property
    def rate(self) -> float:
        """Steps a second of late, without looks and saving."""
        return len(self._seconds) / sum(self._seconds)

    @property
    def words(self) -> str:
        """``loss 0.41 (from 0.52)``."""
        last = sum(self._last) / len(self._last)
        first = sum(self._first) / len(self._first)
        return f"loss {last:.3f}" + (f" (from {first:.3f})" if len(self._last) == _WINDOW else "")


@contextlib.contextmanager
def told(style: str, prepared: Prepared) -> Iterator[Callable[[Event], None]]:
    """The function that a training tells its events to."""
    if style == "json":
        yield lambda event: click.echo(json.dumps({"event": event.what, **event.values}))
        return
    if not sys.stderr.isatty():
        yield _Lines(prepared.knobs.steps)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[words]}"), console=Console(stderr=True)) as bar:
        task = bar.add_task("encoding", total=prepared.knobs.steps, completed=prepared.since, words="")
        yield _Bar(bar, task)


class _Bar:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task, self._trend, self._sample = bar, task, Trend(), ""

    def __call__(self, event: Event) -> None:
        if event.what == "step":
            self._trend.add(event.values)
            words = f"{self._trend.rate:.2g}/s {self._trend.words} {self._sample}"
            self._bar.update(self._task, completed=event.values["step"], description="training", words=words)
        elif event.what == "sample":
            self._sample = event.values["files"][0]
        elif event.what == "tried":
            self._bar.update(self._task, description="first looks")


class _Lines:
    """One line now and then, on stderr."""

    def __init__(self, steps: int) -> None:
        self._every, self._trend = max(1, steps // _LINES), Trend()

    def __call__(self, event: Event) -> None:
        if words := self._words(event.what, event.values):
            click.echo(words, err=True)

    def _words(self, what: str, values: dict[str, Any]) -> str:
        if what == "encoding":
            return f"encoding {values['texts']} texts and {values['pictures']} pictures"
        if what == "tried":
            memory = f", {values['memory'] / 1e9:.1f} GB" if values["memory"] else ""
            twice = ", with everything computed twice to save memory" if values["checkpointing"] else ""
            return f"tried the largest size: {values['seconds']:.2g} s a step{memory}{twice}"
        if what == "sample":
            return f"step {values['step']}: looked, {values['files'][0]}"
        if what == "checkpoint":
            return f"step {values['step']}: saved, {values['file']}"
        self._trend.add(values)
        if values["step"] % self._every:
            return ""
        left = (values["of"] - values["step"]) / self._trend.rate
        return (
            f"step {values['step']}/{values['of']}: {self._trend.words}, "
            f"{self._trend.rate:.2g} steps/s, {left:.0f} s left"
        )
