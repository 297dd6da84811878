"""``--format``, ``--by`` and ``--out`` of lint: which form the report takes, and where it goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from albumkit.cli.screen import print_lines, progress_bar
from albumkit.errors import UsageError
from albumkit.report.formats import FORMATS, by_ending, render

if TYPE_CHECKING:
    from albumkit.workflows import LintReport


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The three options; the command receives ``style`` (None when not said), ``by`` and ``out``."""
    options: tuple[Callable[..., Any], ...] = (
        click.option(
            "--format",
            "style",
            type=click.Choice(list(FORMATS)),
            help="What to print, or to write to --out.  [default: text, or what --out ends in]",
        ),
        click.option(
            "--by",
            type=click.Choice(["rule", "file"]),
            default="rule",
            show_default=True,
            help="Group the text by rule or by file.",
        ),
        click.option(
            "--out",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write the format into FILE, whole or not at all, and print the text.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def chosen_format(style: str | None, out: Path | None) -> str:
    """The format that is meant.

    Raises:
        UsageError: --out cannot be a file, or a page of pictures would go to a terminal.
    """
    if out is not None and not out.parent.is_dir():
        raise UsageError(f"{out.as_posix()}: there is no folder {out.parent.as_posix()}.")
    style = style or (by_ending(out.name) if out is not None else None) or "text"
    if style == "html" and out is None and sys.stdout.isatty():
        raise UsageError("A page of pictures is nothing for a terminal.", "Add --out report.html")
    return style


def deliver(
    report: LintReport, style: str, out: Path | None, *, by: str, verbose: bool, strict: bool
) -> None:
    """Print the report, or write it and print its text.

    Raises:
        AlbumkitError: the file cannot be written.
    """
    from albumkit.report.text import lint_lines, plain

    if style == "text" or out is not None:
        print_lines(lambda width: lint_lines(report, width=width, verbose=verbose, by=by))
    if style == "text":
        parts: Iterable[str] = plain(report, strict, verbose=verbose, by=by)
    else:
        parts = render(style, report, strict=strict)
    if out is not None:
        from albumkit.atomic import whole_file

        examples = sum(album.examples for album in report.albums)
        with whole_file(out) as stream, progress_bar(style == "html") as progress:
            for done, part in enumerate(parts):
                stream.write(part.encode())
                if progress:  # a page has a part for every example, and a few for its frame
                    progress(out.name, min(done, examples), examples)
        click.echo(f"wrote  {out.as_posix()}")
    elif style != "text":
        # UTF-8 and \n for programs, whatever the terminal speaks.
        for part in parts:
            sys.stdout.buffer.write(part.encode())
        sys.stdout.buffer.flush()
    if style == "github":
        from albumkit.report.github import write_summary

        write_summary(report)
