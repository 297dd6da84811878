"""The formats of ``albumkit lint``, by name. Nothing of a format is loaded before it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from albumkit.workflows import LintReport

#: (report, whether warnings fail, too) to text, whole or in parts: a page of pictures is large.
Render = Callable[["LintReport", bool], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Format:
    """``render`` is ``module:function``, a :data:`Render`.

    ``endings`` are those of files that ask for it; ``keep``: it needs the opened albums in the report.
    """

    render: str
    endings: tuple[str, ...] = ()
    keep: bool = False


FORMATS = {
    "text": Format("albumkit.report.text:plain", (".txt",)),
    "json": Format("albumkit.report.json:render", (".json",)),
    "sarif": Format("albumkit.report.sarif:render", (".sarif",), keep=True),
    "github": Format("albumkit.report.github:render", keep=True),
    "gitlab": Format("albumkit.report.gitlab:render", keep=True),
    "junit": Format("albumkit.report.junit:render", (".xml",)),
    "html": Format("albumkit.report.html:render", (".html", ".htm"), keep=True),
}


def by_ending(name: str) -> str | None:
    """The format that a file of this name asks for; None when its ending says nothing."""
    return next((key for key, one in FORMATS.items() if name.lower().endswith(one.endings)), None)


def render(name: str, report: LintReport, *, strict: bool = False) -> Iterable[str]:
    """The report in a format of ``FORMATS``; ``strict``: warnings fail, too."""
    module, _, function = FORMATS[name].render.partition(":")
    draw: Render = getattr(importlib.import_module(module), function)
    return draw(report, strict)
