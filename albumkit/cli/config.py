"""``albumkit config``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from albumkit.cli.options import format_option, set_option, trainer_option
from albumkit.cli.screen import echo_json, print_lines


@click.command()
@click.argument("album", type=click.Path(path_type=Path))
@trainer_option
@set_option
@format_option("text", "json")
def command(album: Path, trainer: str | None, overrides: dict[str, Any], style: str) -> None:
    """Show every setting of ALBUM and where it comes from.

    Stronger beats weaker: command line, [train."ID"], [train], the files that album.toml extends, what
    follows from the kind of album, the trainer's default. Nothing is judged: that is albumkit lint.
    """
    from albumkit.opening import open_album
    from albumkit.report.config import config_document, config_lines, view
    from albumkit.settings import resolve

    opened = open_album(album)
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=trainer, overrides=overrides)
    shown = view(opened, settings)
    if style == "json":
        echo_json(config_document(shown))
    else:
        print_lines(lambda width: config_lines(shown, width))
