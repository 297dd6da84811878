"""The contact sheet: one self-contained page on which a person checks albums at a glance.

It asks the network for nothing: style, script and thumbnails stand in the page, and its content security
policy forbids the rest. It is written in parts, since 60 albums of 30 pictures come to some 20 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from albumkit.report.html.album import album_parts
from albumkit.report.html.page import page_end, page_start
from albumkit.report.places import kept

if TYPE_CHECKING:
    from albumkit.workflows import LintReport


def render(report: LintReport, strict: bool, command: str = "lint") -> Iterator[str]:
    """The page in parts. Albums that the report did not keep are shown without their pictures.

    Args:
        command: Whose page it is; only that of lint says whether lint fails.
    """
    yield page_start(report, strict, command)
    for number, (album, opened) in enumerate(kept(report)):
        yield from album_parts(album, opened, f"a{number}")
    yield page_end(report)
