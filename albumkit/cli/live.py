"""A training while it goes: a bar on a terminal, plain lines when piped, JSON events for programs."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from albumkit.cli.pace import rate_words

if TYPE_CHECKING:
    from albumkit.engine.session import Event
    from albumkit.planning import Prepared

#: Losses are means of so many steps: single ones say nothing.
_WINDOW = 50
#: Plain lines come about so often over a whole run.
_LINES = 20


class Trend:
    """The loss of late, against that of the beginning, and how fast it goes."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_WINDOW)
        self._seconds: deque[float] = deque(maxlen=_WINDOW)
        self._look = 0.0

    def add(self, step: dict[str, Any]) -> None:
        if len(self._first) < _WINDOW:
            self._first.append(step["loss"])
        self._last.append(step["loss"])
        self._seconds.append(step["seconds"])

    def looked(self, seconds: float) -> None:
        """How long the newest look took."""
        self._look = seconds

    @property
    def rate(self) -> float:
        """Steps a second of late, without looks and saving."""
        return len(self._seconds) / sum(self._seconds)

    @property
    def words(self) -> str:
        """``loss 0.410 (0.520 at first)``; nothing before the first step."""
        if not self._last:
            return ""
        last = sum(self._last) / len(self._last)
        first = sum(self._first) / len(self._first)
        return f"loss {last:.3f}" + (f" ({first:.3f} at first)" if len(self._last) == _WINDOW else "")

    def left(self, step: int) -> float:
        """Seconds to the end: steps by their rate, looks as long as the newest one."""
        return (self._prepared.knobs.steps - step) / self.rate + self._prepared.looks_after(step) * self._look


@contextlib.contextmanager
def told(style: str, prepared: Prepared) -> Iterator[Callable[[Event], None]]:
    """The function that a training tells its events to."""
    if style == "json":
        yield lambda event: click.echo(json.dumps({"event": event.what, **event.values}))
    elif sys.stderr.isatty():
        with _bar(prepared) as tell:
            yield tell
    else:
        yield _Lines(prepared)


@contextlib.contextmanager
def _bar(prepared: Prepared) -> Iterator[Callable[[Event], None]]:
    """Three lines: how far it is, how it goes, where it can be looked at."""
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.text import Text

    class Panel(Progress):
        below: tuple[str, ...] = ()

        def get_renderables(self) -> Iterator[RenderableType]:
            yield self.make_tasks_table(self.tasks)
            for line in self.below:
                yield Text(line, "dim", no_wrap=True, overflow="ellipsis")

    panel = Panel(
        TextColumn("{task.description}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        console=Console(stderr=True),
    )
    with panel:
        task = panel.add_task("encoding", total=None, speed="")
        trend, sample = Trend(prepared), ""

        def tell(event: Event) -> None:
            nonlocal sample
            values = event.values
            if event.what == "encoded":
                panel.update(task, completed=values["done"], total=values["of"])
            elif event.what == "encoding":
                panel.update(task, total=values["texts"] + values["pictures"])
            elif event.what == "tried":
                steps = prepared.knobs.steps
                panel.update(task, description="looking", completed=prepared.since, total=steps)
            elif event.what == "sample":
                trend.looked(values["seconds"])
                sample = f"last look {values['files'][0]}"
                if values["step"] == prepared.knobs.steps:
                    panel.update(task, description="trained", speed="")
            elif event.what == "step":
                trend.add(values)
                speed = f"{rate_words(trend.rate)} steps/s, {_clock(trend.left(values['step']))} left"
                panel.update(task, description="training", completed=values["step"], speed=speed)
            panel.below = tuple(line for line in (trend.words, sample) if line)

        yield tell


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class _Lines:
    """One line now and then, on stderr."""

    def __init__(self, prepared: Prepared) -> None:
        self._every, self._trend = max(1, prepared.knobs.steps // _LINES), Trend(prepared)

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
            self._trend.looked(values["seconds"])
            return f"step {values['step']}: looked, {values['files'][0]}"
        if what == "checkpoint":
            return f"step {values['step']}: saved, {values['file']}"
        if what != "step":
            return ""
        self._trend.add(values)
        if values["step"] % self._every:
            return ""
        return (
            f"step {values['step']}/{values['of']}: {self._trend.words}, "
            f"{rate_words(self._trend.rate)} steps/s, {_clock(self._trend.left(values['step']))} left"
        )
