"""``albumkit train``."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from albumkit.cli.options import format_option, set_option, trainer_option
from albumkit.cli.screen import echo_json, print_lines, progress_bar
from albumkit.errors import UsageError
from albumkit.paths import quoted

if TYPE_CHECKING:
    from albumkit.planning import Prepared
    from albumkit.preparing import Makers


@click.command()
@click.argument("album", required=False, type=click.Path(path_type=Path))
@click.option(
    "--base", metavar="BASE", help="The model that learns: a folder or file, a name on the hub, or pocket."
)
@trainer_option
@set_option
@click.option("--prepare", is_flag=True, help="Make missing captions and masks for this run alone.")
@click.option("--captioner", type=click.Choice(["transformers", "pocket"]), help="With --prepare.")
@click.option("--masker", metavar="MODEL", help="With --prepare: a model of albumkit mask.")
@click.option("--plan", is_flag=True, help="Tell what would be done, and do nothing.")
@click.option("--resume", metavar="RUN", type=click.Path(path_type=Path), help="Go on with a run.")
@click.option("--steps", type=click.IntRange(min=1), help="With --resume: how many steps in all.")
@click.option("--accept-album-changes", is_flag=True, help="With --resume: take the album as it is now.")
@click.option("--out", metavar="RUN", type=click.Path(path_type=Path), help="The run's folder.")
@click.option("--strict", is_flag=True, help="Refuse on warnings too.")
@format_option("text", "json")
def command(
    album: Path | None,
    base: str | None,
    trainer: str | None,
    overrides: dict[str, Any],
    prepare: bool,
    captioner: str | None,
    masker: str | None,
    plan: bool,
    resume: Path | None,
    steps: int | None,
    accept_album_changes: bool,
    out: Path | None,
    strict: bool,
    style: str,
) -> int:
    """Train a LoRA on an album, with a base on this machine.

    The album is linted and packed first; it is not touched. RUN, runs/NAME-1 by default, receives everything:
    pack, metrics, pictures of every hundred steps, checkpoints, and the finished file.

    Ctrl-C finishes the step and saves; --resume goes on exactly where it stopped.
    """
    if (album is None) == (resume is None):
        raise UsageError("Name an album to train on, or a run with --resume.", "albumkit train ALBUM")
    if resume is None and (steps is not None or accept_album_changes):
        name = "--steps" if steps is not None else "--accept-album-changes"
        raise UsageError(f"{name} belongs to --resume.", "albumkit train ALBUM --set steps=800")
    if not prepare and (captioner or masker):
        name = "--captioner" if captioner else "--masker"
        raise UsageError(f"{name} belongs to --prepare.", "albumkit train ALBUM --prepare")
    if resume is not None and (base or trainer or overrides or out or plan or strict or prepare):
        raise UsageError(
            "--resume goes on with the settings of the run.",
            f"albumkit train --resume {quoted(resume.as_posix())}",
        )
    from albumkit.engine.machine import share_processor
    from albumkit.planning import prepare_training, resume_training

    share_processor()
    with _refusals_shown(style), progress_bar(style == "text") as progress:
        if resume is not None:
            prepared = resume_training(
                resume, steps=steps, accept_changes=accept_album_changes, progress=progress
            )
        else:
            assert album is not None
            prepared = prepare_training(
                album,
                base=base,
                trainer=trainer,
                overrides=overrides,
                out=out,
                strict=strict,
                makers=_makers(captioner, masker) if prepare else None,
                dry=plan,
                progress=progress,
            )
    return _tell_plan(prepared, style) if plan else _train(prepared, style)


def _makers(captioner: str | None, masker: str | None) -> Makers:
    from albumkit.caption.captioners import captioner_for
    from albumkit.doctor import nvidia_cards
    from albumkit.mask.rembg import DEFAULT, open_rembg
    from albumkit.preparing import Makers

    tell = functools.partial(click.echo, err=True)
    return Makers(
        lambda: captioner_for(captioner, nvidia=bool(nvidia_cards())),
        lambda: open_rembg(masker or DEFAULT, tell),
    )


def _tell_plan(prepared: Prepared, style: str) -> int:
    from albumkit.report.train import plan_document, plan_lines

    if style == "json":
        echo_json(plan_document(prepared))
    else:
        print_lines(lambda width: plan_lines(prepared, width))
    return 0 if prepared.forecast.fits else 1


def _train(prepared: Prepared, style: str) -> int:
    from albumkit.cli.live import told
    from albumkit.engine.checkpoint import all_checkpoints
    from albumkit.report.train import plan_lines
    from albumkit.report.trained import end_lines, train_document
    from albumkit.training import train

    if style == "text":
        print_lines(lambda width: plan_lines(prepared, width))
    try:
        with told(style, prepared) as tell:
            trained = train(prepared, tell)
    except KeyboardInterrupt:  # the first one saves, a second one does not wait for that
        saved = [one.step for one in all_checkpoints(prepared.run)[-1:]]
        words = f"stopped, step {saved[0]} is saved" if saved else "stopped before a step was saved"
        click.echo(f"{words}\n  do   albumkit train --resume {quoted(prepared.run.as_posix())}", err=True)
        return 130
    if style == "json":
        click.echo(json.dumps(train_document(trained)))  # one line, as the events before it
    else:
        print_lines(lambda width: end_lines(trained, width))
    return 0 if trained.effect.ok and not trained.verified.exit_code else 1


@contextlib.contextmanager
def _refusals_shown(style: str) -> Iterator[None]:
    """What lint found, before the error that ends the command."""
    from albumkit.report.text import lint_lines
    from albumkit.workflows import LintReport, Refused

    try:
        yield
    except Refused as refused:
        if style == "text":
            report = LintReport([refused.result])
            print_lines(lambda width: lint_lines(report, width=width))
        raise
