"""Asking a captioner: batches of one size, pictures loaded ahead, answers kept the moment they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from albumkit.caption.answers import Answers, key_of
from albumkit.caption.protocol import Answer, Captioner, Question
from albumkit.errors import CaptionerError
from albumkit.parallel import in_order

#: (answered, of how many)
Told = Callable[[int, int], None]
#: What a question came to: the raw answer, or why there is none.
Outcome = str | CaptionerError
_Pictures = tuple[Image.Image, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """One question about one example, before its pictures are loaded.

    ``hashes``: sha256 of its files, in the order that they are shown; with ``frames`` of each clip they are
    what it looks like. ``size``: width and height in pixels, for batches.
    """

    path: str
    instruction: str
    system: str
    max_tokens: int
    hashes: tuple[str, ...]
    frames: int = 1
    size: tuple[int, int] = (0, 0)

    def key(self, captioner: str) -> str:
        return key_of(self.hashes, captioner, self.system, self.instruction, self.max_tokens, self.frames)


class Asker:
    """One captioner with its kept answers. ``load`` gives the pictures of an example by its path."""

    def __init__(self, captioner: Captioner, answers: Answers, load: Callable[[str], _Pictures]) -> None:
        self.captioner = captioner
        self._answers = answers
        self._load = load

    def knows(self, asks: Sequence[Ask]) -> bool:
        """Whether any of these questions was answered by an earlier command."""
        return any(self._answers.find(ask.key(self.captioner.name)) is not None for ask in asks)

    def ask(self, asks: Sequence[Ask], told: Told | None = None) -> Iterator[tuple[Ask, Outcome]]:
        """Every answer as soon as it is there: the kept ones first, then batch by batch. A question that
        cannot be answered has its reason instead.

        Raises:
            CaptionerError: nothing more can be asked; what was answered so far was given out before.
        """
        done, open_ = 0, []
        for ask in asks:
            kept = self._answers.find(ask.key(self.captioner.name))
            if kept is None:
                open_.append(ask)
            else:
                done += 1
                yield ask, kept
        if told:
            told(done, len(asks))
        batches = list(_batches(open_, self.captioner.batch))
        # One thread: while the captioner looks at a batch, the next one is decoded.
        for batch, loaded in in_order(batches, self._loaded, 1):
            for ask, answer in self._answered(batch, loaded):
                done += 1
                yield ask, answer
            if told:
                told(done, len(asks))

    def _loaded(self, batch: Sequence[Ask]) -> list[_Pictures | CaptionerError]:
        found: list[_Pictures | CaptionerError] = []
        for ask in batch:
            try:
                found.append(self._load(ask.path))
            except CaptionerError as error:
                found.append(error)
        return found

    def _answered(
        self, batch: Sequence[Ask], loaded: Sequence[_Pictures | CaptionerError]
    ) -> list[tuple[Ask, Outcome]]:
        """One batch's answers, kept before they are given out."""
        shown = [(a, images) for a, images in zip(batch, loaded, strict=True) if isinstance(images, tuple)]
        questions = [Question(images, a.instruction, a.system, a.max_tokens) for a, images in shown]
        answers = self.captioner.ask(questions) if questions else []
        if len(answers) != len(questions):
            raise CaptionerError(
                f"{self.captioner.name} gave {len(answers)} answers to {len(questions)} questions."
            )
        name = self.captioner.name
        given = list(zip((ask for ask, _ in shown), answers, strict=True))
        self._answers.keep((ask.key(name), one.text) for ask, one in given if isinstance(one, Answer))
        rest = iter(answers)
        found = [images if isinstance(images, CaptionerError) else next(rest) for images in loaded]
        return [
            (ask, one.text if isinstance(one, Answer) else one) for ask, one in zip(batch, found, strict=True)
        ]


def _batches(asks: Sequence[Ask], batch: int) -> Iterator[list[Ask]]:
    """Questions in batches of pictures of one size where that can be had: what is padded is paid for."""
    if batch <= 1:
        yield from ([ask] for ask in asks)
        return
    ordered = sorted(asks, key=lambda ask: (ask.size, ask.path))
    yield from (ordered[start : start + batch] for start in range(0, len(ordered), batch))
