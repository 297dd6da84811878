"""Whether captions are good enough, by lint's caption rules and the policy, before they are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from albumkit.caption.compose import Subject
from albumkit.caption.limits import faults
from albumkit.caption.policy import Policy
from albumkit.captioning.standing import Sidecars
from albumkit.facts import FactCache, Measured
from albumkit.house import rules_for
from albumkit.lint import Finding, lint
from albumkit.opening import OpenAlbum, open_album
from albumkit.rule import Rule
from albumkit.selection import EVERYTHING
from albumkit.settings import Settings

#: What refuses a caption; a note does not.
_REFUSING = ("error", "warning")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a caption is refused. ``rule``: its id, or ``policy/`` and the key of the policy."""

    rule: str
    words: str


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges captions of one album for one trainer by one policy."""

    path: Path
    settings: Settings
    policy: Policy
    subject: Subject
    never_say: tuple[str, ...]
    cache: FactCache

    def judge(
        self, captions: Mapping[str, str], among: Mapping[str, str] | None = None
    ) -> dict[str, list[Reason]]:
        """Why each of these captions is refused; those that are not refused are left out.

        Of two that are told apart by nothing, the later one in the order of ``captions`` is refused.

        Args:
            captions: Example path -> the caption to be judged, written or not.
            among: Further captions that are not written yet: those that were accepted before.
        """
        opened = self.opened({**(among or {}), **captions})
        found: dict[str, list[Reason]] = defaultdict(list)
        for path, text in captions.items():
            for fault in faults(self.policy, self.subject, text, self.never_say):
                found[path].append(Reason(f"policy/{fault.name}", fault.words))
        place = {path: number for number, path in enumerate(captions)}
        for finding in self._findings(opened, _caption_rules(opened)):
            if finding.path in place and not _only_later(finding, place):
                found[finding.path].append(Reason(finding.rule, _words(finding)))
        return dict(found)

    def opened(self, captions: Mapping[str, str]) -> OpenAlbum:
        """The album as it would be with these captions."""
        opened = open_album(self.path)
        proposed, sidecars = {}, Sidecars(opened.album)
        for example in opened.album.examples:
            text = captions.get(example.path)
            caption = opened.album.caption(example)
            if text is not None and (caption is None or caption.text != text or caption.problem):
                proposed[sidecars.of(example)] = file_bytes(text)
        return open_album(self.path, proposed=proposed) if proposed else opened

    def _findings(self, opened: OpenAlbum, rules: Sequence[Rule]) -> list[Finding]:
        measured = Measured(opened.album, self.cache, decode=False)
        result = lint(opened, self.settings, measured, rules=rules, cost="header")
        return [f for f in result.findings if f.severity in _REFUSING and f.ignored is None]


def file_bytes(text: str) -> bytes:
    """A caption as the file that we write: UTF-8, one line, its end."""
    return f"{text}\n".encode()


def _caption_rules(opened: OpenAlbum) -> list[Rule]:
    """The rules about single captions, the house's among them."""
    chosen = EVERYTHING.choose(rules_for(opened.config), opened)
    return [rule for rule in chosen if rule.id.startswith("caption/") and rule.scope in ("caption", "pair")]


def _only_later(finding: Finding, place: Mapping[str, int]) -> bool:
    """Whether all that it is like are judged after it: then they are the ones to change."""
    others = [path for path in finding.paths if path != finding.path]
    own = place[finding.path]
    return bool(others) and all(place.get(path, -1) > own for path in others)


def _words(finding: Finding) -> str:
    """The rule's message, and what it advises where that is no command."""
    advice = finding.remedies[0].do if finding.remedies else ""
    if not advice or advice.startswith("albumkit ") or "=" in advice:
        return finding.message
    return f"{finding.message.rstrip('.')}: {advice}."
