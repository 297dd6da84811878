"""``albumkit pack``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from albumkit.cli.options import format_option, set_option, trainer_option
from albumkit.cli.screen import echo_json, print_lines, progress_bar


@click.command()
@click.argument("album", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Archive, or a folder for it. [default: here]"
)
@trainer_option
@set_option
@click.option("--force", is_flag=True, help="Pack in spite of errors; the manifest records them.")
@click.option("--strict", is_flag=True, help="Refuse on warnings too.")
@click.option("--background", default="#ffffff", show_default=True, help="Colour behind transparent pixels.")
@format_option("text", "json")
def command(
    album: Path,
    out: Path | None,
    trainer: str | None,
    overrides: dict[str, Any],
    force: bool,
    strict: bool,
    background: str,
    style: str,
) -> int:
    """Write the archive that the trainer receives.

    The album is linted first: errors refuse. Beside NAME.zip stand NAME.manifest.json (what is inside, and
    what was changed and why) and NAME.request.json (what to send to the trainer). The album is not touched.
    """
    from albumkit.report.pack import pack_document, pack_lines
    from albumkit.report.text import lint_lines
    from albumkit.workflows import LintReport, Refused, pack_album

    try:
        with progress_bar(style == "text") as progress:
            result, pack = pack_album(
                album,
                out,
                trainer=trainer,
                overrides=overrides,
                force=force,
                strict=strict,
                background=background,
                progress=progress,
            )
    except Refused as refused:
        if style == "text":
            refused_report = LintReport([refused.result])
            print_lines(lambda width: lint_lines(refused_report, width=width))
        raise
    if style == "json":
        echo_json(pack_document(pack))
    else:
        print_lines(lambda width: pack_lines(result, pack, width))
    return 0
