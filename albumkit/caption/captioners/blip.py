"""BLIP: describes one picture in a sentence, and takes no words but ones to go on from.

Li et al., BLIP (https://arxiv.org/abs/2201.12086), as ``Salesforce/blip-image-captioning-large``. It is given
none: how a caption begins is the policy's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from albumkit.caption.captioners.manner import Manner
from albumkit.caption.protocol import Question


def encode(processor: Any, questions: Sequence[Question]) -> Any:
    """The pictures, all in one size."""
    return processor(images=[question.images[0] for question in questions], return_tensors="pt")


MANNER = Manner(encode, follows_instructions=False, most_images=1, echoes=False)
