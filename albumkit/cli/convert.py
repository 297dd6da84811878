"""``albumkit convert``."""

from __future__ import annotations

from pathlib import Path

import click

from albumkit.cli.options import format_option
from albumkit.cli.screen import echo_json, print_lines, progress_bar


@click.command()
@click.argument("path", metavar="IN", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["comfy", "fal", "diffusers", "kohya"]),
    required=True,
    help="The form to write.",
)
@click.option("--lossy", is_flag=True, help="Round what is not exact; leave out keys that no form can hold.")
@click.option("--force", is_flag=True, help="Replace OUT if it is there.")
@format_option("text", "json")
def command(path: Path, out: Path, to: str, lossy: bool, force: bool, style: str) -> None:
    """Write the LoRA IN as OUT, with the key names and shapes of another form.

    The numbers stay the same bits wherever only names change or rows are cut. What the form cannot hold is
    refused, and said. IN stays as it is; OUT appears whole or not at all.
    """
    from albumkit.report.convert import convert_document, convert_lines
    from albumkit.workflows import convert_adapter

    with progress_bar(style == "text") as progress:
        conversion, predictions = convert_adapter(path, out, to, lossy=lossy, force=force, progress=progress)
    if style == "json":
        echo_json(convert_document(conversion, predictions))
    else:
        print_lines(lambda width: convert_lines(conversion, predictions, width))
