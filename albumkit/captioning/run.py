"""``caption``: ask, compose, judge, ask again with the reason, and write what is good."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from albumkit.album.names import same_name
from albumkit.caption.answers import Answers
from albumkit.caption.ask import Ask, Asker
from albumkit.caption.compose import again_text, compose, question_text, shared_text, used
from albumkit.caption.limits import answer_faults
from albumkit.caption.pictures import pictures_of
from albumkit.caption.protocol import Captioner
from albumkit.captioning.job import Job, open_job
from albumkit.captioning.judging import Reason
from albumkit.captioning.overview import Overview, overview
from albumkit.captioning.standing import Sidecars, Standing, hashes_of
from albumkit.captioning.writing import Wrote, write_captions
from albumkit.errors import AlbumkitError, CaptionerError, UsageError
from albumkit.facts import Unmeasured
from albumkit.paths import quoted
from albumkit.workflows import Progress

#: How often a refused answer is asked for again.
AGAIN = 2
#: Pairs whose instructions the shared one is made from.
_ENOUGH_PAIRS = 8
State = Literal["captioned", "left", "failed", "open"]
Which = Literal["missing", "redo", "overwrite"]


@dataclass
class Outcome:
    """What became of one example. ``state``: "captioned"; "left": the answers were refused for ``reasons``;
    "failed": there was none (``reasons`` too); "open": it was not asked yet when the call ended.

    ``caption`` is the last one that the answers gave, "" without one; ``before`` what stood there.
    """

    path: str
    state: State = "open"
    caption: str = ""
    before: str = ""
    answer: str = ""
    reasons: list[Reason] = field(default_factory=list)
    asked: int = 0
    #: Whether the last answer was the one before: then the next would be too.
    stuck: bool = False


@dataclass
class CaptionReport:
    """One call of caption. ``policy``: its file, as people call it. ``there``: captions that were left as
    they are, because nobody asked for others. ``stopped``: why nothing more could be asked.
    """

    album: str
    kind: str
    policy: str
    captioner: str
    dry: bool
    outcomes: list[Outcome] = field(default_factory=list)
    there: int = 0
    wrote: Wrote = field(default_factory=Wrote)
    overview: Overview | None = None
    stopped: AlbumkitError | None = None
    #: Why answers are not kept for the next call, or "".
    not_kept: str = ""
    interrupted: bool = False
    seconds: float = 0.0

    def count(self, state: State) -> int:
        return sum(one.state == state for one in self.outcomes)

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return 130
        undone = self.stopped or self.wrote.refusals
        return int(bool(undone) or self.count("captioned") < len(self.outcomes))


def caption_album(
    path: Path,
    captioner: Callable[[], Captioner],
    *,
    which: Which = "missing",
    only: Sequence[str] = (),
    shared: bool = False,
    instruction: str | None = None,
    trainer: str | None = None,
    dry: bool = False,
    fresh: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> CaptionReport:
    """Caption an album's examples.

    Args:
        captioner: Makes the captioner, when there is something to ask.
        which: "missing": those without caption. "redo": those of the machine too. "overwrite": all.
        only: Globs of pictures.
        shared: Edit albums: one instruction for all pairs.
        instruction: Edit albums: this one, and nobody is asked.
        dry: Ask and judge, but write nothing.
        fresh: Ask anew what was asked by earlier calls.
        resume: Only go on with a call that was stopped: refuse where it would begin anew.
        progress: Told what is done, how much of it, of how much.

    Raises:
        UsageError: album.toml lacks what the policy needs, the options do not fit the album, or there is no
            call to resume.
        AlbumkitError: the album cannot be read or written.
    """
    start = time.perf_counter()
    with open_job(path, trainer=trainer) as job:
        job.check_needs()
        if (shared or instruction) and job.policy.kind != "edit":
            raise UsageError(
                f"A shared instruction is for edit albums; this one is of kind {job.policy.kind}."
            )
        targets, there = _targets(job, which, only)
        report = CaptionReport(job.opened.display, job.policy.kind, job.policy_name, "", dry, there=there)
        report.outcomes = [Outcome(one.example.path, before=one.text) for one in targets]
        run = _Run(job, report, {one.example.path: one for one in targets}, fresh, progress)
        _set_shared_aside(job, targets, report)
        given = instruction or job.opened.config.caption.instruction
        if job.policy.kind == "edit" and not given and not shared:
            given = _already_shared(job, targets)
        if resume and (not targets or (given and job.policy.kind == "edit")):
            raise _nothing_to_resume(job, "no picture waits for an answer")
        if given and job.policy.kind == "edit":
            run.give(given)
        elif targets:
            run.ask(captioner, shared=shared, resume=resume and not _begun(job, only))
        texts = {one.path: one.caption for one in report.outcomes if one.state == "captioned"}
        note = {"what": "caption", "captioner": report.captioner, "policy": job.policy.kind}
        report.wrote = write_captions(job.path, job.settings, job.cache, targets, texts, note, dry=dry)
        report.overview = overview(job, texts if dry else {})
        report.seconds = time.perf_counter() - start
        return report


def _targets(job: Job, which: Which, only: Sequence[str]) -> tuple[list[Standing], int]:
    """The captions to be written, and how many stay as they are."""
    owners = {"missing": ("nobody",), "redo": ("nobody", "machine")}.get(which)
    all_ = job.standings(only, owners=which == "redo")
    if only and not all_:
        raise UsageError(f"No picture of {job.opened.display} fits {' or '.join(only)}.")
    targets = all_ if owners is None else [one for one in all_ if one.owner in owners]
    return targets, len(all_) - len(targets)


def _set_shared_aside(job: Job, targets: Sequence[Standing], report: CaptionReport) -> None:
    """Two pictures of one name (``a.jpg``, ``a.png``) have one sidecar, which cannot be true of both."""
    sidecars = Sidecars(job.opened.album)
    owners: dict[str, list[Outcome]] = defaultdict(list)
    for standing, one in zip(targets, report.outcomes, strict=True):
        owners[same_name(sidecars.of(standing.example))].append(one)
    for sidecar, sharing in owners.items():
        for one in sharing if len(sharing) > 1 else ():
            words = f"{sidecar} belongs to {' and '.join(o.path for o in sharing)}: give one another name."
            one.state, one.reasons = "failed", [Reason("album/name-collision", words)]


def _begun(job: Job, only: Sequence[str]) -> bool:
    """Whether an earlier call wrote some of these captions."""
    return any(one.owner == "machine" for one in job.standings(only))


def _nothing_to_resume(job: Job, why: str) -> UsageError:
    display = job.opened.display
    return UsageError(
        f"--resume: there is no call to go on with in {display}: {why}.",
        f"albumkit caption {quoted(display)}   begins, and goes on by itself with what was answered",
    )


def _already_shared(job: Job, targets: Sequence[Standing]) -> str:
    """The instruction that all pairs share whose caption stays, if at least two do; else ""."""
    anew = {one.example.path for one in targets}
    texts = [
        text for one in job.standings(owners=False) if (text := one.text) and one.example.path not in anew
    ]
    return texts[0] if len(texts) > 1 and len(set(texts)) == 1 else ""


class _Run:
    """One call: the examples that are asked about, and what was accepted so far."""

    def __init__(
        self,
        job: Job,
        report: CaptionReport,
        targets: Mapping[str, Standing],
        fresh: bool,
        progress: Progress | None,
    ) -> None:
        self.job, self.report, self.targets = job, report, targets
        self.fresh, self.progress = fresh, progress
        self.judge = job.judge()
        self.outcomes = {one.path: one for one in report.outcomes}
        self.describes = False

    def give(self, instruction: str) -> None:
        """The same instruction for every pair; a person's word, so only lint's rules judge it."""
        wanted = [one for one in self.report.outcomes if one.state == "open"]
        for one in wanted:
            one.caption = instruction.strip()
        self._settle(wanted)

    def ask(self, make: Callable[[], Captioner], *, shared: bool, resume: bool) -> None:
        """Round after round: all questions, then one judgement of all that came of them.

        ``resume``: only where some were answered by an earlier call.
        """
        captioner = make()
        answers = Answers(fresh=self.fresh)
        try:
            self.report.captioner = captioner.name
            self.describes = not captioner.follows_instructions
            if self.job.policy.asks.compares and captioner.most_images == 1:
                raise UsageError(
                    f"{captioner.name} looks at one picture at a time and cannot say what was changed.",
                    "Name a model that compares pictures: --model ID, or --instruction TEXT.",
                )
            asker = Asker(captioner, answers, self._load)
            pending = [one for one in self.report.outcomes if one.state == "open"]
            if resume and not asker.knows([ask for one in pending if (ask := self._ask_for(one))]):
                why = f"nothing that {captioner.name} said of its pictures, asked as now, was kept"
                raise _nothing_to_resume(self.job, why)
            for number in range(1 if self.describes else 1 + AGAIN):
                answered = self._round(asker, pending, number)
                if shared and not number and not self.report.stopped:
                    self._share(asker, answered)
                refused = self._settle(answered)
                if self.report.stopped or self.report.interrupted or not refused:
                    return
                pending = [one for one in refused if not one.stuck]
        finally:
            self.report.not_kept = answers.problem
            answers.close()
            captioner.close()

    def _round(self, asker: Asker, pending: Sequence[Outcome], number: int) -> list[Outcome]:
        """Those that were answered. An end that comes too early is noted, and what was answered counts."""
        asks = [ask for one in pending if (ask := self._ask_for(one)) is not None]
        answered = []
        what = "captions" if not number else f"asked again ({number} of {AGAIN})"
        told = functools.partial(self.progress, what) if self.progress else None
        try:
            for ask, answer in asker.ask(asks, told):
                one = self.outcomes[ask.path]
                one.asked += 1
                if isinstance(answer, CaptionerError):
                    one.state, one.reasons = "failed", [Reason("captioner", answer.message)]
                    continue
                one.stuck = one.asked > 1 and answer == one.answer
                one.answer = answer
                one.caption = compose(self.job.policy, self.job.subject, answer, describes=self.describes)
                answered.append(one)
        except KeyboardInterrupt:
            self.report.interrupted = True
        except CaptionerError as error:
            self.report.stopped = error
        return answered

    def _ask_for(self, one: Outcome) -> Ask | None:
        """The question about one example; None (and it has failed) where its pictures cannot be read."""
        example = self.targets[one.path].example
        asks = self.job.policy.asks
        try:
            hashes = hashes_of(example, self.job.measured)
        except Unmeasured as error:
            one.state, one.reasons = "failed", [Reason("picture", f"{one.path}: {error}.")]
            return None
        text = question_text(
            self.job.policy, self.job.subject, self.job.never_say, references=len(example.references)
        )
        if one.reasons:
            text = again_text(self.job.policy, text, one.answer, [reason.words for reason in one.reasons])
        return Ask(one.path, text, asks.system, asks.max_tokens, hashes, asks.frames, self._size(one.path))

    def _size(self, path: str) -> tuple[int, int]:
        """Of the picture as a model sees it; (0, 0) for what has none, which goes into batches of its own."""
        target = self.targets[path].example.target
        if target is None or target.media != "image":
            return (0, 0)
        try:
            return self.job.measured.header(target).upright_size
        except Unmeasured:
            return (0, 0)

    def _load(self, path: str) -> tuple[Image.Image, ...]:
        example = self.targets[path].example
        return pictures_of(self.job.opened.album, example, self.job.policy.asks.frames)

    def _share(self, asker: Asker, answered: Sequence[Outcome]) -> None:
        """One instruction out of those of the first pairs, for all of them."""
        some = list(dict.fromkeys(one.caption for one in answered if one.caption))[:_ENOUGH_PAIRS]
        if len(some) > 1:
            first = self._ask_for(answered[0])
            assert first is not None  # it was answered
            asks = self.job.policy.asks
            text = shared_text(self.job.policy, some)
            question = Ask(
                first.path, text, asks.system, asks.max_tokens, first.hashes, asks.frames, first.size
            )
            for _, answer in asker.ask([question]):
                if isinstance(answer, CaptionerError):
                    raise answer
                some = [compose(self.job.policy, self.job.subject, answer)]
        for one in answered if some else ():
            one.caption = some[0]

    def _settle(self, answered: Sequence[Outcome]) -> list[Outcome]:
        """Judge what came of a round; gives those that are refused, with their reasons."""
        accepted = {one.path: one.caption for one in self.report.outcomes if one.state == "captioned"}
        found: dict[str, list[Reason]] = defaultdict(list)
        for one in answered:
            said = used(self.job.policy.use, self.job.subject, one.answer, describes=self.describes)
            if not one.caption:
                found[one.path].append(Reason("policy/empty", "It was empty."))
            for fault in answer_faults(self.job.policy.use, said):
                found[one.path].append(Reason(f"policy/{fault.name}", fault.words))
        candidates = {one.path: one.caption for one in answered if one.path not in found}
        found.update(self.judge.judge(candidates, accepted))
        for one in answered:
            one.reasons = found.get(one.path, [])
            one.state = "left" if one.reasons else "captioned"
        return [one for one in answered if one.reasons]
