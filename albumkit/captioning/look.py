"""``caption --look``: what captions say, held against what a model sees."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from albumkit.caption.answers import Answers
from albumkit.caption.ask import Ask, Asker
from albumkit.caption.pictures import pictures_of
from albumkit.caption.protocol import Captioner
from albumkit.captioning.job import Job, open_job
from albumkit.captioning.overview import overview
from albumkit.captioning.standing import Standing, hashes_of
from albumkit.errors import CaptionerError, UsageError
from albumkit.facts import Unmeasured
from albumkit.facts.caption_sets import at_least
from albumkit.phrases import find_phrase
from albumkit.words import spellings, words_of
from albumkit.workflows import Progress

#: A share whose lower bound (Wilson, 95 %) is above this counts as always: 9 of 9, 12 of 12, 19 of 20.
_ALWAYS = 0.7
_MAX_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """One term: the examples whose captions say it, those where a model sees it, and those that it was asked
    about and answered plainly.
    """

    term: str
    said: frozenset[str]
    there: frozenset[str]
    asked: tuple[str, ...]

    @property
    def always_there(self) -> bool:
        return at_least(len(self.there), len(self.asked)) >= _ALWAYS

    @property
    def always_said(self) -> bool:
        return at_least(len(self.said), len(self.asked)) >= _ALWAYS

    @property
    def said_not_there(self) -> list[str]:
        return [path for path in self.asked if path in self.said - self.there]

    @property
    def there_not_said(self) -> list[str]:
        return [path for path in self.asked if path in self.there - self.said]


@dataclass
class LookReport:
    """``failed``: examples that could not be shown, with the reason."""

    album: str
    captioner: str
    pictures: int
    terms: list[Seen] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def look_at(
    path: Path,
    captioner: Callable[[], Captioner],
    *,
    terms: Sequence[str] = (),
    only: Sequence[str] = (),
    fresh: bool = False,
    trainer: str | None = None,
    progress: Progress | None = None,
) -> LookReport:
    """Ask about every captioned picture whether each term can be seen in it.

    Args:
        terms: What to ask about; by default the words that most captions say, and the places, lights and
            framings that the policy looks for.
        only: Globs of pictures.

    Raises:
        UsageError: the album has no captions, or its policy has no question for this.
        CaptionerError: nothing more can be asked; what was answered is kept.
    """
    with open_job(path, trainer=trainer) as job:
        if not job.policy.asks.look:
            raise UsageError(f"--look: {job.policy_name} has no question for it (asks.look).")
        examples = [one for one in job.standings(only, owners=False) if one.text]
        if not examples:
            raise UsageError(f"--look: {job.opened.display} has no captions to hold against its pictures.")
        wanted = list(dict.fromkeys(terms)) or _terms(job)
        return _Look(job, examples, wanted).run(captioner(), fresh, progress)


def _terms(job: Job) -> list[str]:
    view = overview(job, {})
    looked_for = [name for names in (job.policy.variety or {}).values() for name in names]
    return list(dict.fromkeys([*(word for word, _ in view.common), *looked_for]))


class _Look:
    def __init__(self, job: Job, examples: Sequence[Standing], terms: Sequence[str]) -> None:
        self._job, self._terms = job, terms
        self._examples = {one.example.path: one for one in examples}
        # The questions about one picture come one after the other.
        self._load = functools.lru_cache(maxsize=4)(self._pictures)

    def run(self, captioner: Captioner, fresh: bool, progress: Progress | None) -> LookReport:
        report = LookReport(self._job.opened.display, captioner.name, len(self._examples))
        answers = Answers(fresh=fresh)
        seen: dict[tuple[str, str], bool] = {}
        try:
            if not captioner.follows_instructions:
                raise UsageError(
                    f"{captioner.name} describes pictures and cannot answer yes or no.",
                    "Name a model that follows instructions: --model ID",
                )
            asks = self._asks(report)
            told = functools.partial(progress, "looking") if progress else None
            of = dict(asks)
            for ask, answer in Asker(captioner, answers, self._load).ask(list(of), told):
                if isinstance(answer, CaptionerError):
                    report.failed[ask.path] = answer.message
                elif (plain := _yes_or_no(answer)) is not None:
                    seen[of[ask], ask.path] = plain
        finally:
            answers.close()
            captioner.close()
        report.terms = [self._seen(term, seen) for term in self._terms]
        return report

    def _asks(self, report: LookReport) -> list[tuple[Ask, str]]:
        asks = self._job.policy.asks
        found = []
        for path, standing in self._examples.items():
            try:
                hashes = hashes_of(standing.example, self._job.measured)
            except Unmeasured as error:
                report.failed[path] = f"{path}: {error}."
                continue
            for term in self._terms:
                text = asks.look.format(term=term).strip()
                found.append((Ask(path, text, asks.system, _MAX_TOKENS, hashes, asks.frames), term))
        return found

    def _pictures(self, path: str) -> tuple[Image.Image, ...]:
        example = self._examples[path].example
        return pictures_of(self._job.opened.album, example, self._job.policy.asks.frames)

    def _seen(self, term: str, seen: dict[tuple[str, str], bool]) -> Seen:
        asked = tuple(path for path in self._examples if (term, path) in seen)
        said = {path for path in asked if _says(self._examples[path].text, term)}
        there = {path for path in asked if seen[term, path]}
        return Seen(term, frozenset(said), frozenset(there), asked)


def _yes_or_no(answer: str) -> bool | None:
    """None for an answer that is neither."""
    words = [word.casefold() for word in words_of(answer)[:1]]
    return {"yes": True, "no": False}.get(words[0]) if words else None


def _says(text: str, term: str) -> bool:
    """Whether a caption names a term, by any of its spellings in the lists of settings."""
    for kind in ("places", "lights", "framings"):
        for name, variants in spellings(kind):
            if name == term:
                return any(find_phrase(" ".join(words), text) for words in variants)
    return find_phrase(term, text) is not None
