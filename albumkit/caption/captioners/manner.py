"""How one kind of model is asked: what differs between models that chat, Florence-2 and BLIP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from albumkit.caption.protocol import Question


@dataclass(frozen=True, slots=True)
class Manner:
    """``encode(processor, questions)``: tensors by the names of the model's inputs, one row a question.

    ``most_images``: how many pictures of one question it can look at; None: as many as fit. ``echoes``: the
    model repeats the tokens of the question before its answer.
    """

    encode: Callable[[Any, Sequence[Question]], Any]
    follows_instructions: bool
    most_images: int | None
    echoes: bool
