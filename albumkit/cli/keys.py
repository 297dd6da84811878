"""Single key presses, without losing those that come while something else is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


class Keys:
    """The keyboard while a program is walked through: keys come at once and are not echoed.

    click.getchar throws away what was typed before it is called; here it waits until it is asked for. Ctrl-C
    interrupts as everywhere.
    """

    def __enter__(self) -> Keys:
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def next(self) -> str:
        """The next key in lower case. Raises KeyboardInterrupt at Ctrl-C, and at the end of the input."""
        if sys.platform == "win32":
            return click.getchar().lower()
        data = os.read(sys.stdin.fileno(), 1)
        if not data or data == b"\x04":
            raise KeyboardInterrupt
        return data.decode("latin-1").lower()

    @contextmanager
    def released(self) -> Iterator[None]:
        """The terminal as another program, an editor, expects it."""
        self._give_back()
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        if sys.platform != "win32":
            import termios
            import tty

            self._before = termios.tcgetattr(sys.stdin.fileno())
            tty.setcbreak(sys.stdin.fileno(), termios.TCSANOW)

    def _give_back(self) -> None:
        if sys.platform != "win32":
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)
