"""``albumkit generate``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from albumkit.errors import UsageError


def _size(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not match:
        raise UsageError(f"--size {text}: that is not WIDTHxHEIGHT.", "Write for example --size 1024x768")
    return int(match[1]), int(match[2])


@click.command()
@click.argument("prompt")
@click.option("--base", required=True, metavar="BASE", help="A folder, a name on the hub, or pocket.")
@click.option("--adapter", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A LoRA file.")
@click.option("--scale", type=float, default=1.0, show_default=True, help="How strongly the LoRA counts.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the noise.")
@click.option("--size", callback=_size, metavar="WxH", help="In pixels.  [default: the base's own]")
@click.option(
    "--guidance",
    type=click.FloatRange(min=1),
    metavar="G",
    help="How far to lean away from the empty prompt.  [default: the base's own]",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("picture.png"),
    show_default=True,
    help="A PNG.",
)
def command(
    prompt: str,
    base: str,
    adapter: Path | None,
    scale: float,
    seed: int,
    size: tuple[int, int] | None,
    guidance: float | None,
    out: Path,
) -> None:
    """Make a picture with a base and a LoRA.

    Warns when the LoRA's trigger is not in the prompt: without it you get the plain model.
    """
    from albumkit.engine.machine import share_processor
    from albumkit.training import generate

    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out.as_posix()}: the picture is written as .png.")
    share_processor()
    missing = generate(
        prompt, base=base, adapter=adapter, scale=scale, seed=seed, size=size, guidance=guidance, out=out
    )
    click.echo(out.as_posix())
    if missing:
        click.echo(f"warning: the prompt lacks {missing}: that is the plain model.", err=True)
