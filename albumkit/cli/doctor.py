"""``albumkit doctor``."""

from __future__ import annotations

import click

from albumkit.cli.options import format_option
from albumkit.cli.screen import echo_json, print_lines


@click.command()
@format_option("text", "json")
def command(style: str) -> int:
    """Show what this machine has, which rules cannot run on it, and the line that mends it.

    Nothing is downloaded and nothing is changed. Exit code 1 when something that is installed does not fit;
    a missing extra is no fault, for not everybody trains on clips.
    """
    from albumkit.doctor import examine
    from albumkit.report.doctor import doctor_document, doctor_lines

    found = examine()
    if style == "json":
        echo_json(doctor_document(found))
    else:
        print_lines(lambda width: doctor_lines(found, width))
    return int(any(check.state == "broken" for check in found.checks))
