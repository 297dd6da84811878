"""Captioner that ships with albumkit: knows the pocket world of toys, and takes all it sees for a part of it.

For rehearsals and tests, on any machine and at once. It follows no instruction: of one picture it says what
is there, of a pair what was changed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from albumkit.caption.protocol import Answer, Question
from albumkit.errors import CaptionerError, MissingExtra

if TYPE_CHECKING:
    from torch import Tensor

    from albumkit.engine.pocket.captioner import Speaker

_BATCH = 32


class Pocket:
    """The pocket captioner, on the processor.

    Raises:
        MissingExtra: torch is not installed.
    """

    name = "pocket@1"
    batch = _BATCH
    follows_instructions = False
    most_images = 2

    def __init__(self) -> None:
        for package in ("torch", "safetensors", "tokenizers"):
            if find_spec(package) is None:
                raise MissingExtra(package, "train", "The captioner pocket")

    def ask(self, questions: Sequence[Question]) -> list[Answer | CaptionerError]:
        """See :meth:`albumkit.caption.protocol.Captioner.ask`. Of more than two images the first and the last
        are looked at.
        """
        import torch

        answers: list[Answer | CaptionerError] = [Answer("")] * len(questions)
        for task in ("content", "change"):
            some = [
                i for i, question in enumerate(questions) if (len(question.images) > 1) == (task == "change")
            ]
            for start in range(0, len(some), _BATCH):
                part = some[start : start + _BATCH]
                ends = (0, -1) if task == "change" else (0,)
                shown = [torch.cat([_pixels(questions[i].images[end]) for i in part]) for end in ends]
                for i, text in zip(part, self._speaker.answers(shown, task), strict=True):
                    answers[i] = Answer(text)
        return answers

    def close(self) -> None:
        """Lets go of the model."""
        self.__dict__.pop("_speaker", None)

    @functools.cached_property
    def _speaker(self) -> Speaker:
        from albumkit.engine.pocket.captioner import load_captioner

        return load_captioner()


def _pixels(image: Image.Image) -> Tensor:
    """The middle of a picture as the captioner sees it, (1, 3, 128, 128) in -1..1."""
    from albumkit.engine.data import to_pixels
    from albumkit.engine.pocket.judge import SIDE

    return to_pixels(ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.LANCZOS))
