"""``albumkit lint``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from albumkit.cli.options import set_option, split_names, trainer_option
from albumkit.cli.output import chosen_format, deliver, output_options
from albumkit.cli.screen import progress_bar
from albumkit.errors import UsageError


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@trainer_option
@set_option
@click.option(
    "--cost",
    type=click.Choice(["header", "pixels", "model"]),
    default="pixels",
    show_default=True,
    help="How dear a measurement may be: header opens no picture further than its first bytes.",
)
@click.option("--deep", is_flag=True, help="The same as --cost model.")
@click.option(
    "--select",
    multiple=True,
    metavar="RULE",
    callback=split_names,
    help="Only these rules, or folders of rules; an opt-in rule must be named itself.",
)
@click.option("--ignore", multiple=True, metavar="RULE", callback=split_names, help="All rules but these.")
@click.option("--strict", is_flag=True, help="Fail on warnings, and on error rules not judged, too.")
@click.option("--tracked", is_flag=True, help="Judge only files in git's index.")
@click.option("--since", metavar="REF", help="Judge only what changed since the branch left this commit.")
@click.option(
    "--add-baseline", is_flag=True, help="Note what is found now as known: later only new findings count."
)
@click.option("--no-baseline", is_flag=True, help="Tell the known findings too.")
@output_options
@click.option("--no-cache", is_flag=True, help="Measure everything anew and remember nothing.")
@click.option("-v", "--verbose", is_flag=True, help="Name every file, also those that pack mends.")
def command(
    paths: tuple[Path, ...],
    trainer: str | None,
    overrides: dict[str, Any],
    cost: str,
    deep: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    strict: bool,
    tracked: bool,
    since: str | None,
    add_baseline: bool,
    no_baseline: bool,
    style: str | None,
    by: str,
    out: Path | None,
    no_cache: bool,
    verbose: bool,
) -> int:
    """Judge albums and settings before any money or GPU time is spent.

    PATH is an album (a folder of pictures or clips, with or without album.toml), a file in one, a zip, or
    a folder of albums; the current folder by default. Nothing is written into an album.

    Exit code 1 when there is an error that nobody ignored, 2 when the command or album.toml is wrong.
    """
    from albumkit import workflows
    from albumkit.facts import FactCache
    from albumkit.report.formats import FORMATS
    from albumkit.selection import Selection

    if add_baseline and since is not None:
        raise UsageError("--add-baseline takes whole albums; leave --since out.")
    style = chosen_format(style, out)
    with progress_bar(style == "text" or out is not None) as progress:
        report = workflows.lint_paths(
            paths or (Path(),),
            trainer=trainer,
            overrides=overrides,
            cost="model" if deep else cost,  # type: ignore[arg-type]
            selection=Selection(select, ignore),
            tracked=tracked,
            since=since,
            baseline=not (no_baseline or add_baseline),
            cache=FactCache.none() if no_cache else None,
            progress=progress,
            keep=FORMATS[style].keep,
        )
    if add_baseline:
        file, count = workflows.add_baseline(paths or (Path(),), report)
        click.echo(f"{file.as_posix()} knows {count} findings of {len(report.albums)} albums now")
        return 0
    deliver(report, style, out, by=by, verbose=verbose, strict=strict)
    return report.exit_code(strict)
