"""``albumkit trainers [ID]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console


@click.command("trainers")
@click.argument("trainer_id", metavar="[ID]", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What to print.",
)
def command(trainer_id: str | None, form: str) -> None:
    """List the trainers that albumkit knows, or explain one, knob by knob.

    A trainer is a training service or engine: albumkit lint judges your album for it, and albumkit pack
    writes the archive that it takes. Name yours in album.toml: trainer = "ID" under [train].
    """
    from albumkit import trainers
    from albumkit.report import trainers as report

    if trainer_id is None:
        everything = trainers.all_trainers()
        if form == "json":
            _echo_json(report.list_json(everything))
        else:
            report.print_list(_console(), everything)
        return
    trainer = trainers.load_trainer(trainer_id)
    if form == "json":
        _echo_json(report.detail_json(trainer))
    else:
        report.print_detail(_console(), trainer)


def _echo_json(document: object) -> None:
    import json

    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _console() -> Console:
    """The terminal, at most 100 columns wide: longer lines of prose tire the eye."""
    from rich.console import Console

    return Console(width=min(Console().width, 100), highlight=False, markup=False, emoji=False)
