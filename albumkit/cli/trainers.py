"""``albumkit trainers [ID]``."""

from __future__ import annotations

import click

from albumkit.cli.screen import echo_json, print_lines


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
            echo_json(report.list_json(everything))
        else:
            print_lines(lambda width: report.list_lines(everything, width))
        return
    trainer = trainers.load_trainer(trainer_id)
    if form == "json":
        echo_json(report.detail_json(trainer))
    else:
        print_lines(lambda width: report.detail_lines(trainer, width))
