"""Models that chat about pictures (Qwen3-VL, SmolVLM, Gemma 3, ...): one way for all of them.

What differs between them, they bring along: the chat template puts the words into their form, the processor
makes pixels and the placeholders of pictures (``transformers.ProcessorMixin``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from albumkit.caption.captioners.manner import Manner
from albumkit.caption.protocol import Question


def encode(processor: Any, questions: Sequence[Question]) -> Any:
    """Input tensors of some questions, padded on the left, so that all answers begin at the same place.

    Args:
        processor: A processor of ``transformers`` with a chat template.

    Raises:
        ValueError: the processor cannot take a picture (far too narrow), or the words hold its placeholder.
    """
    texts = [prompt(processor, question) for question in questions]
    # A template that writes the beginning itself gets no second one.
    bos = processor.tokenizer.bos_token
    return processor(
        text=texts,
        images=[list(question.images) for question in questions],
        padding=True,
        padding_side="left",
        add_special_tokens=not (bos and texts[0].startswith(bos)),
        return_tensors="pt",
    )


def prompt(processor: Any, question: Question) -> str:
    """The question in the model's own form, up to where its answer begins. Words of the system that the
    template refuses or drops, as some do, go before the instruction.
    """
    from jinja2 import TemplateError

    system = question.system.strip()
    if system:
        message = {"role": "system", "content": [{"type": "text", "text": system}]}
        try:
            text = _rendered(processor, [message, _user(question, question.instruction)])
        except TemplateError:
            text = ""
        if system in text:
            return text
    return _rendered(processor, [_user(question, f"{system}\n\n{question.instruction}".strip())])


def _user(question: Question, words: str) -> dict[str, Any]:
    pictures = [{"type": "image"} for _ in question.images]
    return {"role": "user", "content": [*pictures, {"type": "text", "text": words}]}


def _rendered(processor: Any, messages: list[dict[str, Any]]) -> str:
    return str(processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


MANNER = Manner(encode, follows_instructions=True, most_images=None, echoes=True)
