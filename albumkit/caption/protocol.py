"""What a captioner is: something that is shown pictures, is asked a question, and answers in words.

A captioner knows nothing of albums, policies or files: the question is complete, the answer is raw. What may
be said and how it becomes a caption is decided by the policy (:mod:`albumkit.caption.policy`); whether it is
good enough by the caption rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from albumkit.errors import CaptionerError


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one example.

    ``images``: upright, 8-bit sRGB (mode RGB), at most about 1.5 megapixels each. One for an image; for an
    edit pair the start, then the references, then the end; for a clip a few frames in their order.
    ``instruction``: all that is asked, reasons of an earlier refusal included. ``system``: the policy's
    standing words for models that take a system message; others put it before the instruction.
    ``max_tokens``: how many tokens the answer may have; what is longer is cut off by the captioner.
    """

    images: tuple[Image.Image, ...]
    instruction: str
    system: str = ""
    max_tokens: int = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """``text``: raw, as the model said it, special tokens left out; may be empty."""

    text: str


class Captioner(Protocol):
    """One model, ready to be asked. Greedy: the same question gets the same answer, as far as it can."""

    @property
    def name(self) -> str:
        """Model id with its revision, as ``Qwen/Qwen3-VL-4B-Instruct@1a2b3c4``; a part of the cache's key."""
        ...

    @property
    def batch(self) -> int:
        """How many questions it likes at once: what it runs as one batch, or asks at the same time. 1: one
        after the other. The questions of one call have images of about one size where that can be had.
        """
        ...

    @property
    def follows_instructions(self) -> bool:
        """False for a model that describes the whole picture whatever it is asked (BLIP, Florence-2,
        pocket): it is asked once, and the policy takes from the description what it wants.
        """
        ...

    @property
    def most_images(self) -> int | None:
        """How many images of one question it can look at; None: as many as fit."""
        ...

    def ask(self, questions: Sequence[Question]) -> list[Answer | CaptionerError]:
        """Answers in the order of the questions, as many as there are questions.

        A question that failed for itself (a time-out after all retries, garbage instead of JSON, out of
        memory with one image alone) has an error in its place; the others are answered.

        Raises:
            CaptionerError: nothing more can be asked at all (no such model, key refused, host unknown). Never
                for one question's sake.
        """
        ...

    def close(self) -> None:
        """Let go of the model, the card, the connections. May be called twice."""
        ...
