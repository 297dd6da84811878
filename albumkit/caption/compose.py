"""From a raw answer to a caption, and from a policy's texts to a question.

The model says what is around the subject; that trigger and class phrase stand before it, once and spelt
right, is our doing.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from albumkit.caption.policy import Policy, Use
from albumkit.phrases import phrase_pattern
from albumkit.words import is_english

#: What reasoning models think aloud before they answer, closed or cut off.
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"\A```\w*\s*(.*?)\s*```\Z", re.DOTALL)
#: Quotation marks and bold type around the whole of an answer.
_AROUND = ('""', "''", "\u201c\u201d", "\u2018\u2019", "\u00ab\u00bb", "``", "****")
_ARTICLE = r"(?:an?|the|this|that|one)\s+"
#: What is left between an opening and the answer: "the cat: on a shelf", "a photo of the cat, on a shelf".
_SEAM = re.compile(r"\A(?:\s*(?:[,;:.\u2026-]+|\.\.\.)\s*|\s+|(?:is|are)\b\s*)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subject:
    """How captions call what they teach. ``trigger`` is "" where there is none, or where the trainer puts it
    before every caption itself; ``class_phrase`` may be "".
    """

    trigger: str = ""
    class_phrase: str = ""

    @property
    def words(self) -> str:
        """``TOK ceramic cat figurine``."""
        return " ".join(part for part in (self.trigger, self.class_phrase) if part)


def question_text(
    policy: Policy, subject: Subject, never_say: Sequence[str] = (), references: int = 0
) -> str:
    """The policy's question for one album. ``references``: images between start and end of a pair."""
    limits = policy.limits
    never = policy.asks.never.format(words=", ".join(never_say)) if never_say else ""
    shown = policy.asks.references.format(count=references) if references else ""
    return policy.asks.instruction.format(
        class_phrase=subject.class_phrase or "subject",
        fewest_words=limits.fewest_words,
        most_words=limits.most_words,
        references=shown,
        never_say=never,
    ).strip()


def again_text(policy: Policy, question: str, answer: str, reasons: Sequence[str]) -> str:
    """The question once more, with what was wrong with the answer."""
    return question + policy.asks.again.format(answer=answer.strip(), reasons=" ".join(reasons)).rstrip()


def shared_text(policy: Policy, instructions: Sequence[str]) -> str:
    """The question by which the instructions of several pairs become one."""
    listed = "\n".join(f"- {text}" for text in instructions)
    limits = policy.limits
    return policy.asks.shared.format(
        instructions=listed, fewest_words=limits.fewest_words, most_words=limits.most_words
    ).strip()


def compose(policy: Policy, subject: Subject, answer: str, *, describes: bool = False) -> str:
    """The caption that an answer becomes; "" when nothing of it is left.

    Args:
        describes: The captioner described the whole picture instead of following the question.
    """
    said = used(policy.use, subject, answer, describes=describes)
    if not said:
        return ""
    text = policy.caption
    if policy.use.goes_on_with is not None and _first_word(said) not in policy.use.goes_on_with:
        text = text.replace(" {answer}", ", {answer}")
    filled = text.format(
        answer=said, subject=subject.words, trigger=subject.trigger, class_phrase=subject.class_phrase
    )
    return re.sub(r"\s+,", ",", " ".join(filled.split())).strip(" ,")


def used(use: Use, subject: Subject, answer: str, *, describes: bool = False) -> str:
    """What of an answer goes into a caption: one line without wrapping, openings, subject and full stop."""
    text = unicodedata.normalize("NFC", _THOUGHTS.sub("", answer)).strip()
    if fenced := _FENCE.match(text):
        text = fenced[1]
    text = _unquoted(" ".join(text.split()))
    while (shorter := _without_start(use, subject, text)) != text:
        text = shorter
    if describes and use.goes_on_with is not None:
        text = _from_first(text, use.goes_on_with)
    text = _unquoted(text).rstrip(" .,;:")
    return _small_first(text)


def _unquoted(text: str) -> str:
    """Without quotation marks or bold type around the whole."""
    for marks in _AROUND:
        start, end = marks[: len(marks) // 2], marks[len(marks) // 2 :]
        inner = text.removeprefix(start).removesuffix(end)
        if inner and len(inner) == len(text) - len(marks) and start not in inner:
            return inner.strip()
    return text


def _without_start(use: Use, subject: Subject, text: str) -> str:
    """The text without one opening, or without the subject, at its beginning."""
    if (shorter := without_opening(use, text)) != text or not use.drops_subject:
        return shorter
    for phrase in (subject.trigger, subject.class_phrase):
        if phrase and (match := _named(phrase).match(text)):
            return _SEAM.sub("", text[match.end() :])
    return text


def without_opening(use: Use, text: str) -> str:
    """The text without one of the policy's openings at its beginning."""
    match = _opening(use.openings).match(text)
    return _SEAM.sub("", text[match.end() :]) if match else text


@functools.lru_cache(64)
def _opening(openings: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(openings, key=len, reverse=True)
    bodies = "|".join(r"\s+".join(map(re.escape, opening.split())) for opening in longest_first)
    return re.compile(rf"(?:{bodies})(?!\w)" if bodies else r"(?!)", re.IGNORECASE)


@functools.lru_cache(64)
def _named(phrase: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{_ARTICLE})?{phrase_pattern(phrase).pattern}", re.IGNORECASE)


def _from_first(text: str, words: frozenset[str]) -> str:
    """The text from the first of these words on; as it is where there is none."""
    for match in re.finditer(r"\w+", text):
        if match[0].casefold() in words:
            return text[match.start() :]
    return text


def _first_word(text: str) -> str:
    match = re.match(r"\w+", text)
    return match[0].casefold() if match else ""


def _small_first(text: str) -> str:
    """Without the capital that only the beginning of a sentence has: names and abbreviations keep theirs."""
    match = re.match(r"[^\W\d_]+", text)
    if match is None or not text[0].isupper() or text[1:2].isupper() or not is_english(match[0]):
        return text
    return text if match[0] == "I" else text[0].lower() + text[1:]
