"""``albumkit caption --review``: the terminal, key by key."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from albumkit.cli.keys import Keys
from albumkit.cli.screen import print_lines, speaks_ascii_only
from albumkit.errors import CaptionerError, UsageError
from albumkit.report.safe import visible

if TYPE_CHECKING:
    from PIL import Image

    from albumkit.captioning.review import Item, Review

#: Lines of the screen that are not the picture's: title, caption, findings, keys.
_BELOW = 10
_LEAST_LINES = 8


def review(
    album: Path, *, files: Sequence[str], only: Sequence[str], everything: bool, trainer: str | None
) -> int:
    """Walk through the captions until the end or ``q``.

    Raises:
        UsageError: there is no terminal, or as :func:`albumkit.captioning.review.open_review`.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--review needs a terminal.", "albumkit caption ALBUM --check")
    from albumkit.captioning.review import open_review

    with open_review(album, files=files, only=only, everything=everything, trainer=trainer) as found:
        if not found.items:
            click.echo(f"nothing to look at: {found.captions} captions are yours or accepted")
            click.echo("next   --review --all walks through all of them")
            return 0
        graphics = _graphics()  # it asks the terminal, so before the keys are taken
        with Keys() as keys:
            walk = _Walk(found, keys, graphics)
            walk.go()
        walk.tell()
    return 0


class _Walk:
    def __init__(self, found: Review, keys: Keys, graphics: Any) -> None:
        self._found, self._keys, self._graphics = found, keys, graphics
        self._place = 0
        self._said = ""
        self._accepted: set[str] = set()
        self._written: set[str] = set()

    def go(self) -> None:
        while self._place < len(self._found.items):
            item = self._found.items[self._place]
            self._show(item)
            if not self._do(self._keys.next(), item):
                break

    def tell(self) -> None:
        """What was done in all."""
        seen = min(self._place, len(self._found.items))
        click.echo(
            f"looked at {seen} of {len(self._found.items)}: "
            f"accepted {len(self._accepted)}, written {len(self._written)}"
        )
        if self._written:
            click.echo(f"next   albumkit caption {self._found.display} --undo   takes the last one back")

    def _do(self, key: str, item: Item) -> bool:
        """One key; False ends the walk."""
        self._said = ""
        if key == "q":
            return False
        if key == "a" and item.can_be_accepted:
            self._found.accept(item)
            self._accepted.add(item.path)
            self._place += 1
        elif key in ("s", " ", "\r", "\n"):
            self._place += 1
        elif key == "b":
            self._place = max(0, self._place - 1)
        elif key == "e":
            self._edit(item)
        return True

    def _edit(self, item: Item) -> None:
        with self._keys.released():
            text = click.edit(f"{item.text}\n", extension=".txt", require_save=False)
        text = (text or "").strip()
        if not text:
            self._said = "blank: left as it was"
            return
        if text == item.text:
            self._said = "nothing was changed"
            return
        wrote = self._found.write(item, text)
        if wrote.record:
            self._written.add(item.path)
        self._said = "written" if wrote.record else "; ".join(one.reason for one in wrote.refusals)

    def _show(self, item: Item) -> None:
        import shutil

        from rich.text import Text

        from albumkit.report.picture import picture_lines
        from albumkit.report.review import item_lines

        click.clear()
        rows = max(_LEAST_LINES, shutil.get_terminal_size().lines - _BELOW)
        try:
            images = self._found.pictures(item)
        except CaptionerError as error:
            click.echo(visible(error.message))
        else:
            if self._graphics is not None:
                _draw(self._graphics, images, rows)
            else:
                ascii_only = speaks_ascii_only()
                print_lines(lambda width: picture_lines(images, width, rows, ascii_only=ascii_only))
        number = f"{self._place + 1} of {len(self._found.items)}"
        length = self._found.length(item)
        said = [Text(self._said, "bold yellow")] if self._said else []
        print_lines(lambda width: [*item_lines(item, number, length, width), *said])


def _graphics() -> Any:
    """What draws pictures pixel by pixel on this terminal (package textual-image); None where it cannot."""
    try:
        from textual_image import renderable
    except ImportError:
        return None
    fine = (renderable.SixelImage, renderable.TGPImage)
    return renderable.Image if renderable.Image in fine else None


def _draw(graphics: Any, images: Sequence[Image.Image], rows: int) -> None:
    """The pictures beside each other, as large as the screen allows."""
    from rich.console import Console

    from albumkit.report.picture import side_by_side

    Console().print(graphics(side_by_side(images), width="auto", height=rows))
