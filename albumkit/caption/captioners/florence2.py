"""Florence-2: describes one picture at one of three lengths, whatever it is asked.

Xiao et al., Florence-2 (https://arxiv.org/abs/2311.06242). ``transformers`` knows the converted weights, as
``florence-community/Florence-2-base``; those of microsoft bring code of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from albumkit.caption.captioners.manner import Manner
from albumkit.caption.protocol import Question

#: Each task, and how many tokens an answer must be allowed for it to end by itself: one sentence, two or
#: three, a paragraph.
_TASKS = (("<CAPTION>", 0), ("<DETAILED_CAPTION>", 60), ("<MORE_DETAILED_CAPTION>", 150))


def encode(processor: Any, questions: Sequence[Question]) -> Any:
    """The task of the length wanted, and the picture; all in one size."""
    return processor(
        text=[task_for(question.max_tokens) for question in questions],
        images=[question.images[0] for question in questions],
        padding=True,
        return_tensors="pt",
    )


def task_for(max_tokens: int) -> str:
    """The longest task whose answers end within so many tokens."""
    return [task for task, tokens in _TASKS if max_tokens >= tokens][-1]


MANNER = Manner(encode, follows_instructions=False, most_images=1, echoes=False)
