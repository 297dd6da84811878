"""``albumkit explain``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from albumkit.errors import UsageError


@click.command()
@click.argument("rule", required=False)
@click.option("--log", type=click.Path(path_type=Path), help="A trainer's error text; - for stdin.")
def command(rule: str | None, log: Path | None) -> int:
    """Explain a rule, or what a trainer's error text means.

    Without either, lists every rule. With --log, exit code 1 when nothing in the text is known.
    """
    if rule and log:
        raise UsageError("explain takes a rule or --log, not both.")
    if log is not None:
        return _explain_log(_read(log))
    from rich.console import Console
    from rich.markdown import Markdown

    from albumkit.report.pages import rule_page
    from albumkit.rule import find_rule, load_rules

    console = Console(width=min(Console().width, 100))
    if rule:
        page = rule_page(find_rule(rule))
        if console.is_terminal:
            console.print(Markdown(page))
        else:
            click.echo(page, nl=False)
    else:
        for known in load_rules():
            click.echo(f"{known.id:<42} {known.severity:<8} {known.title}")
    return 0


def _read(log: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(log) == "-" else log.read_bytes()
    except OSError as error:
        raise UsageError(f"{log.as_posix()}: {error.strerror or error}") from error
    return data.decode("utf-8", "replace")


def _explain_log(text: str) -> int:
    from albumkit.trainers import match_error

    hits = match_error(text)
    if not hits:
        click.echo("Nothing in this text is an error that albumkit knows.")
        click.echo("next   albumkit lint ALBUM   finds what can be found before a training")
        return 1
    for hit in hits:
        more = len(hit.trainers) - 2
        names = ", ".join(hit.trainers[:2]) + (f" and {more} more" if more > 0 else "")
        click.echo(hit.line if len(hit.line) <= 160 else hit.line[:157] + "...")
        click.echo(f"  said by   {names}")
        if hit.error.rule:
            click.echo(f"  rule      {hit.error.rule}   (albumkit explain {hit.error.rule})")
        click.echo(f"  do        {hit.error.remedy}\n")
    return 0
