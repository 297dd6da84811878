"""``albumkit explain``."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import click

from albumkit.errors import UnknownName, UsageError
from albumkit.paths import rules_root


@click.command()
@click.argument("what", required=False, metavar="[RULE]")
@click.option("--log", type=click.Path(path_type=Path), help="A trainer's error text; - for stdin.")
@click.option(
    "--facts", is_flag=True, help="List what rules can ask for; explain --facts SCOPE for one scope."
)
@click.option("--check", is_flag=True, help="Check a folder of house rules; explain --check FOLDER.")
def command(what: str | None, log: Path | None, facts: bool, check: bool) -> int:
    """Explain a rule, or what a trainer's error text means.

    Without any, lists every rule. With --log, exit code 1 when nothing in the text is known; with --check,
    when a rule does not do what it says.
    """
    if (log is not None) + facts + check > 1 or (what and log):
        raise UsageError("explain takes one of: a rule, --log, --facts, --check.")
    if log is not None:
        return _explain_log(_read(log))
    if facts:
        return _list_facts(what)
    if check:
        return _check(Path(what) if what else rules_root())
    if what:
        return _explain(what)
    return _list_rules()


def _explain(name: str) -> int:
    from rich.console import Console
    from rich.markdown import Markdown

    from albumkit.report.pages import rule_page
    from albumkit.rule import find_rule

    page = rule_page(find_rule(name))
    console = Console(width=min(Console().width, 100))
    if console.is_terminal:
        console.print(Markdown(page))
    else:
        click.echo(page, nl=False)
    return 0


def _list_rules() -> int:
    from albumkit.rule import load_rules

    for known in load_rules():
        click.echo(f"{known.id:<42} {known.severity:<8} {known.title}")
    return 0


def _list_facts(scope: str | None) -> int:
    """Facts with a plain value, which is what rules can ask for: type, cost and meaning."""
    from albumkit.facts import SCOPES, all_facts, json_type, wider_scopes

    if scope is not None and scope not in SCOPES:
        raise UnknownName("scope", scope, SCOPES, f"Scopes are {', '.join(SCOPES)}.")
    for fact in all_facts():
        if (kind := json_type(fact)) and scope in (None, fact.scope):
            meaning = " ".join(fact.doc.split("\n\n")[0].split())
            click.echo(f"{fact.scope} {fact.name}   {kind}, cost {fact.cost}")
            click.echo(textwrap.fill(meaning, 78, initial_indent="    ", subsequent_indent="    "))
    wider = wider_scopes(scope) if scope not in (None, "album") else ()
    if wider:
        click.echo(f"\nRules of {scope} can also ask for the facts of {' and of '.join(wider)}.")
    return 0


def _check(folder: Path) -> int:
    from rich.text import Text

    from albumkit.cli.screen import print_lines
    from albumkit.rulecheck import check_folder

    if not folder.is_dir():
        raise UsageError(f"{folder.as_posix()} is no folder.")
    checked = check_folder(folder)
    if not checked:
        raise UsageError(f"{folder.as_posix()} holds no rules.", "albumkit explain   lists ours")
    lines = []
    for one in checked:
        tested = f"   {one.cases} fixtures" if one.cases else ""
        lines += [f"wrong  {one.name}: {fault}" for fault in one.faults] or [f"ok     {one.name}{tested}"]
    print_lines(lambda width: [Text(line) for line in lines])
    return int(any(one.faults for one in checked))


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
