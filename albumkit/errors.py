"""Every error that albumkit raises on purpose.

::

    AlbumkitError            expected failure                               exit 1
     +- AlbumError           an album that cannot be read at all            exit 1
     +- AdapterError         a LoRA file that cannot be read or used        exit 1
     +- PackRefused          the album has errors, or the archive failed    exit 1
     +- CaptionerError       a captioner did not answer                     exit 1
     +- MissingExtra         an optional package is not installed           exit 1
     +- UsageError           the command line is wrong                      exit 2
         +- ConfigError      album.toml cannot be used                      exit 2
         +- UnknownName      no such rule, trainer, knob ...                exit 2

Anything else that reaches the command line is a bug: exit 3, with the traceback in a log.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class AlbumkitError(Exception):
    """What went wrong (``message``) and what mends it (``remedy``: one way a line; may be empty)."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class AlbumError(AlbumkitError):
    """The album cannot be read: a broken zip, a folder without permission, an unsafe member name."""


class AdapterError(AlbumkitError):
    """A LoRA file that cannot be read, or is something else; the message starts with the file."""

    def __init__(self, file: Path | str, message: str, remedy: str = "") -> None:
        super().__init__(f"{Path(file).as_posix()}: {message}", remedy)
        self.file = file


class PackRefused(AlbumkitError):
    """The archive was not written."""


class CaptionerError(AlbumkitError):
    """A captioner cannot be used at all (raised), or could not answer one question (handed back)."""


class MissingExtra(AlbumkitError):
    """An optional dependency is missing; the remedy is the exact install line."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package}.", f'pip install "albumkit[{extra}]"')


class UsageError(AlbumkitError):
    """The command line or a file that steers albumkit is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """album.toml cannot be used; the message starts with the file and, where known, the line."""

    def __init__(self, file: Path | str, message: str, remedy: str = "", line: int | None = None) -> None:
        place = f"{Path(file).as_posix()}" + (f" line {line}" if line else "")
        super().__init__(f"{place}: {message}", remedy)
        self.file = file
        self.line = line


class UnknownName(UsageError):
    """A name that does not exist; names the nearest one that does."""

    def __init__(self, kind: str, name: str, known: Iterable[str], remedy: str = "") -> None:
        close = nearest(name, known)
        hint = f" The nearest is {close}." if close else ""
        super().__init__(f"There is no {kind} named {name}.{hint}", remedy)
        self.nearest = close


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or None when nothing is alike (difflib ratio below 0.5)."""
    lowered = {k.lower(): k for k in known}
    hits = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.5)
    return lowered[hits[0]] if hits else None
