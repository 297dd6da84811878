"""``caption --check``: the captions that are there, judged as those that a captioner proposes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from albumkit.captioning.job import open_job
from albumkit.captioning.judging import Reason
from albumkit.captioning.overview import Overview, overview
from albumkit.errors import UnknownName
from albumkit.rule import load_rules


@dataclass(frozen=True, slots=True)
class Checked:
    """One caption that would be refused."""

    path: str
    caption: str
    reasons: tuple[Reason, ...]


@dataclass
class CheckReport:
    """``checked``: captions that were judged; ``missing``: examples without one."""

    album: str
    kind: str
    checked: int
    missing: int
    found: list[Checked] = field(default_factory=list)
    overview: Overview | None = None

    @property
    def exit_code(self) -> int:
        return int(bool(self.found))


def check_album(
    path: Path, *, files: Sequence[str] = (), only: Sequence[str] = (), trainer: str | None = None
) -> CheckReport:
    """Judge every caption of an album.

    Args:
        files: Globs of pictures.
        only: Rules, folders of rules (``caption``) or ``policy``: reasons of others are left out.

    Raises:
        UsageError: album.toml cannot be used, or there is no such rule.
        AlbumkitError: the album cannot be read.
    """
    check_only(only)
    with open_job(path, trainer=trainer) as job:
        standings = job.standings(files, owners=False)
        texts = {one.example.path: one.text for one in standings if one.owner != "nobody"}
        report = CheckReport(job.opened.display, job.policy.kind, len(texts), len(standings) - len(texts))
        for place, reasons in job.judge().judge(texts).items():
            if shown := tuple(reason for reason in reasons if concerns(reason, only)):
                report.found.append(Checked(place, texts[place], shown))
        report.found.sort(key=lambda one: one.path)
        report.overview = overview(job, {})
        return report


def concerns(reason: Reason, only: Sequence[str]) -> bool:
    """Whether a reason is one of those that were asked for; without any, each is."""
    return not only or any(reason.rule == name or reason.rule.startswith(f"{name}/") for name in only)


def check_only(only: Sequence[str]) -> None:
    """Raises UnknownName for what names neither a rule nor the policy."""
    known = {rule.id for rule in load_rules()} | {rule.id.partition("/")[0] for rule in load_rules()}
    for name in only:
        if name not in known and name.partition("/")[0] != "policy":
            raise UnknownName("rule", name, known | {"policy"})
