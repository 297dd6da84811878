"""All captions of an album together: what would be learned as part of the trigger, and what nobody says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from albumkit.facts import Measured, NotApplicable, Table, Unmeasured
from albumkit.facts.caption_sets import Common
from albumkit.facts.caption_words import Said
from albumkit.house import rules_for
from albumkit.lint import Finding, lint
from albumkit.opening import OpenAlbum
from albumkit.words import phrases

if TYPE_CHECKING:
    from albumkit.captioning.job import Job

#: Rules about all captions together.
RULES = ("caption/fused-term", "caption/empty-adjectives", "album/few-settings")


@dataclass(frozen=True, slots=True)
class Named:
    """Of places, lights or framings: how many captions name each, the commonest first; and which of those
    that the policy looks for nobody names.
    """

    counts: Mapping[str, int]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """``common``: the words that stand in the most captions, with their number; ``fused`` when so many hold
    them that they are not to be told from the trigger (rule caption/fused-term).
    """

    captions: int
    common: tuple[tuple[str, int], ...] = ()
    fused: bool = False
    named: Mapping[str, Named] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def overview(job: Job, proposed: Mapping[str, str]) -> Overview:
    """The view of an album as it is on disk, with captions that are not written yet (by example path)."""
    opened = job.judge().opened(proposed)
    measured = Measured(opened.album, job.cache, decode=False)
    rules = [rule for rule in rules_for(opened.config) if rule.id in RULES]
    findings = lint(opened, job.settings, measured, rules=rules, cost="header").findings
    table = _table(job, opened, measured)
    said: dict[str, Said] = table.cell(0, "said")
    common: tuple[tuple[str, int], ...] = ()
    try:
        found: Common = table.cell(0, "commonest")
        common = found.words
    except (NotApplicable, Unmeasured):
        pass  # no captions, or no trigger to be fused with
    wanted = job.policy.variety or {}
    named = {kind: _named(said, kind, names) for kind, names in wanted.items()}
    fused = any(f.rule == "caption/fused-term" and f.ignored is None for f in findings)
    shown = tuple(f for f in findings if f.ignored is None)
    return Overview(len(said), common, fused, named, shown)


def _named(said: Mapping[str, Said], kind: str, wanted: tuple[str, ...]) -> Named:
    listed = phrases(kind)  # looked for in the words without trigger and class phrase: "cookie box" is no box
    counts = Counter(name for one in said.values() for name in listed.find(" ".join(one.words), one.words))
    return Named(dict(counts.most_common()), tuple(name for name in wanted if not counts[name]))


def _table(job: Job, opened: OpenAlbum, measured: Measured) -> Table:
    context = {
        "album": opened.album,
        "measured": measured,
        "settings": job.settings,
        "trainer": job.settings.trainer,
    }
    return Table("album", [""], {name: [value] for name, value in context.items()})
