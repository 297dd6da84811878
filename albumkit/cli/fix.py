"""``albumkit fix``."""

from __future__ import annotations

from pathlib import Path

import click

from albumkit.cli.options import format_option, parse_set, trainer_option
from albumkit.cli.screen import echo_json, print_lines, progress_bar
from albumkit.errors import UnknownName, UsageError


def _new_trigger(_context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> str | None:
    """``trigger_phrase=NEW`` -> NEW."""
    for name in (values := parse_set(pairs)):
        if name != "trigger_phrase":
            raise UnknownName("value that fix --set changes", name, ["trigger_phrase"])
    return str(pairs[-1].partition("=")[2]).strip().strip("\"'") if values else None


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--apply", "apply_", is_flag=True, help="Write the safe fixes.")
@click.option("--unsafe", is_flag=True, help="Count the unsafe fixes in; with --apply write them too.")
@click.option("--select", multiple=True, metavar="NAME", help="Only this fix or rule. May be repeated.")
@click.option("--undo", is_flag=True, help="Take the last fix back; again: the one before.")
@click.option(
    "--set",
    "new_trigger",
    multiple=True,
    metavar="trigger_phrase=NEW",
    callback=_new_trigger,
    help="Another trigger in all captions and in album.toml.",
)
@trainer_option
@click.option("--tracked", is_flag=True, help="Fix only what git's index shows to be wrong.")
@format_option("text", "json")
def command(
    paths: tuple[Path, ...],
    apply_: bool,
    unsafe: bool,
    select: tuple[str, ...],
    undo: bool,
    new_trigger: str | None,
    trainer: str | None,
    tracked: bool,
    style: str,
) -> int:
    """Mend what lint found, after showing what would be done.

    Without --apply nothing is written. Originals are kept in ALBUM/.albumkit, and --undo restores every byte.
    PATH is an album or a folder of albums; the current folder by default.

    Exit code 1 when --apply with the same options would change something, or when something could not be
    written or undone; 2 when the command or album.toml is wrong.
    """
    from albumkit.fixing import fix_paths, rename_trigger, undo_fixes

    if undo and (apply_ or unsafe or select or new_trigger is not None):
        raise UsageError("--undo takes no other option.", "albumkit fix --undo ALBUM")
    if new_trigger is not None and (unsafe or select or tracked):
        raise UsageError("--set goes with --apply and nothing else.")
    places = paths or (Path(),)
    if undo:
        report = undo_fixes(places)
    elif new_trigger is not None:
        report = rename_trigger(places, new_trigger, apply=apply_)
    else:
        with progress_bar(style == "text") as progress:
            report = fix_paths(
                places,
                select=select,
                apply=apply_,
                unsafe=unsafe,
                trainer=trainer,
                tracked=tracked,
                progress=progress,
            )
    from albumkit.report.fix import fix_document, fix_lines

    if style == "json":
        echo_json(fix_document(report))
    else:
        print_lines(lambda width: fix_lines(report, width))
    return report.exit_code
