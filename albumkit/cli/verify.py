"""``albumkit verify``."""

from __future__ import annotations

from pathlib import Path

import click

from albumkit.cli.options import format_option
from albumkit.cli.screen import echo_json, print_lines, progress_bar, speaks_ascii_only


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--for",
    "runtimes",
    multiple=True,
    type=click.Choice(["comfy", "fal", "diffusers", "all"]),
    help="Where it must load. May be repeated.  [default: runtime of [use] in album.toml, else any]",
)
@click.option(
    "--base",
    metavar="MODEL",
    help="The model it is loaded into: a name such as klein-9b, or a file or folder of the model.",
)
@format_option("text", "json")
def command(files: tuple[Path, ...], runtimes: tuple[str, ...], base: str | None, style: str) -> int:
    """Tell whether a LoRA loads: in ComfyUI, diffusers and on fal, fully, partly, silently not at all.

    Reads the file alone; no model and no graphics card is needed. The first line is the answer.

    Exit code 1 when a program that was asked for would not load all of it, or when its numbers are no good;
    without --for and without album.toml, when no program would. 2 when the command or album.toml is wrong.
    """
    from albumkit.verifying import verify_files

    with progress_bar(style == "text") as progress:
        report = verify_files(files, runtimes=runtimes, base=base, progress=progress)
    if style == "json":
        from albumkit.report.verify_json import verify_document

        echo_json(verify_document(report))
    else:
        from albumkit.report.verify import verify_lines

        print_lines(lambda width: verify_lines(report, width, ascii_only=speaks_ascii_only()))
    return report.exit_code
