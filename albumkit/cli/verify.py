"""``albumkit verify``."""

from __future__ import annotations

from pathlib import Path

import click

from albumkit.cli.options import format_option
from albumkit.cli.screen import echo_json, print_lines, progress_bar, speaks_ascii_only
from albumkit.errors import UsageError


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
@click.option(
    "--effect",
    metavar="BASE",
    help="Load it into this base and run it: a folder in diffusers' form, a name on the hub, or pocket.",
)
@click.option("--prompt", help="What --effect asks for.  [default: from album.toml or the trigger]")
@click.option("--seed", type=int, default=0, show_default=True, help="Noise of --effect.")
@click.option(
    "--steps", type=click.IntRange(min=1), help="Steps of its pictures.  [default: 20, distilled: 4]"
)
@click.option(
    "--size", type=click.IntRange(min=64), default=512, show_default=True, help="Side of its pictures."
)
@click.option("--picture", is_flag=True, help="Pictures without and with it, beside FILE as NAME.effect.png.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PNG",
    help="The same pictures into this file.",
)
@format_option("text", "json")
def command(
    files: tuple[Path, ...],
    runtimes: tuple[str, ...],
    base: str | None,
    effect: str | None,
    prompt: str | None,
    seed: int,
    steps: int | None,
    size: int,
    picture: bool,
    out: Path | None,
    style: str,
) -> int:
    """Tell whether a LoRA loads: in ComfyUI, diffusers and on fal, fully, partly, silently not at all.

    Reads the file alone; no model and no graphics card is needed, but for --effect. The first line is the
    answer.

    Exit code 1 when a program that was asked for would not load all of it, or when its numbers are no good;
    without --for and without album.toml, when no program would. 2 when the command or album.toml is wrong.
    """
    from albumkit.engine.effect import Look
    from albumkit.verifying import Trial, verify_files

    if effect is None and (prompt is not None or steps is not None or picture or out is not None):
        raise UsageError("--prompt, --steps, --picture and --out go with --effect.")
    if out is not None:
        _check_picture(out, files)
    look = Look(seed, size, steps, picture or out is not None)
    trial = Trial(effect, prompt, look, out) if effect is not None else None
    with progress_bar(style == "text") as progress:
        report = verify_files(files, runtimes=runtimes, base=base, trial=trial, progress=progress)
    if style == "json":
        from albumkit.report.verify_json import verify_document

        echo_json(verify_document(report))
    else:
        from albumkit.report.verify import verify_lines

        print_lines(lambda width: verify_lines(report, width, ascii_only=speaks_ascii_only()))
    return report.exit_code


def _check_picture(out: Path, files: tuple[Path, ...]) -> None:
    """Before anything is run."""
    if len(files) > 1:
        raise UsageError("--out takes one FILE; --picture puts a picture beside each.")
    if out.suffix.lower() != ".png":
        raise UsageError(
            f"--out {out.as_posix()}: the picture is a PNG.", f"--out {out.with_suffix('.png').as_posix()}"
        )
    if not out.parent.is_dir():
        raise UsageError(f"--out {out.as_posix()}: there is no folder {out.parent.as_posix()}.")
