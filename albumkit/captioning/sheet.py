"""The contact sheet of captions: lint's page, with the rules about captions alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from albumkit.captioning.job import open_job
from albumkit.facts import Measured
from albumkit.house import rules_for
from albumkit.lint import lint
from albumkit.selection import Selection
from albumkit.workflows import LintReport


def sheet_of(
    path: Path, proposed: Mapping[str, str] | None = None, *, trainer: str | None = None
) -> LintReport:
    """What the page shows: the album as it is, or as it would be with some captions (by example path).

    Errors as :func:`albumkit.captioning.job.open_job`.
    """
    with open_job(path, trainer=trainer) as job:
        opened = job.judge().opened(proposed or {})
        measured = Measured(opened.album, job.cache, decode=False)
        rules = Selection(("caption",)).choose(rules_for(opened.config), opened)
        result = lint(opened, job.settings, measured, rules=rules, cost="header")
        return LintReport([result], opened=[opened])
