"""What a policy says against a caption. Only what no lint rule judges: the caption rules do the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from albumkit.caption.compose import Subject, without_opening
from albumkit.caption.policy import Limits, Policy, Use
from albumkit.phrases import find_phrase, phrase_pattern
from albumkit.words import phrases, words_of

#: The end of a sentence within a text: "on a shelf. The light", not "f/2.8", "St. Ives" or "3.5 m".
_STOP = re.compile(r"[a-z)\"\u201d]{2}[.!?]\s+[A-Z]|[.!?]{1,3}\s*\n|\n")


#: No phrase ends with one of these: the answer was longer than its tokens.
_LEADS_ON = frozenset("a an the of with and or its his her their".split())


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a policy forbids. ``name`` is its key in the policy, ``words`` say it to a person as to
    a model.
    """

    name: str
    words: str


def faults(policy: Policy, subject: Subject, caption: str, never_say: Sequence[str] = ()) -> list[Fault]:
    """What is wrong with a caption by a policy, and by the words that its album forbids; a blank one is for
    lint to judge.
    """
    if not caption.strip():
        return []
    limits = policy.limits
    rest = without_subject(subject, caption)
    found = _length(limits, without_opening(policy.use, rest))
    if limits.one_sentence and _STOP.search(caption):
        found.append(Fault("one_sentence", "It is more than one sentence: make it one phrase with commas."))
    if limits.subject_once:
        found += _named_again(subject, caption, rest)
    for phrase in dict.fromkeys((*never_say, *limits.never_say)):
        if match := find_phrase(phrase, rest):
            found.append(Fault("never_say", f'It says "{match.group()}", which no caption here may say.'))
    words = [word.casefold() for word in words_of(rest)]
    for name in limits.never_say_lists:
        for said in phrases(name).find(rest, words).values():
            found.append(Fault("never_say", f'It says "{said}", which shows nothing.'))
    return found


def without_subject(subject: Subject, caption: str) -> str:
    """The caption without trigger and class phrase, which may say what the rest may not."""
    for name in (subject.words, subject.trigger, subject.class_phrase):
        if name:
            caption = phrase_pattern(name).sub(" ", caption)
    return caption


def answer_faults(use: Use, said: str) -> list[Fault]:
    """What is wrong with the used part of an answer, which a caption would hide: words that a model says
    around its answer are told by standing at its beginning.
    """
    words = [word.casefold() for word in words_of(said)]
    found = [phrase for name in use.never_lists for phrase in phrases(name).find(said, words).values()]
    alone = "answer with the words asked for alone"
    faults = [Fault("never_lists", f'It says "{phrase.strip()}": {alone}.') for phrase in found]
    if words and words[-1] in _LEADS_ON and not faults:
        faults.append(Fault("cut_off", f'It breaks off at "{" ".join(words[-2:])}": make it shorter.'))
    return faults


def _length(limits: Limits, said: str) -> list[Fault]:
    count = len(words_of(said))
    words = f"It has {count} {'word' if count == 1 else 'words'} beside the subject"
    if count < limits.fewest_words:
        return [Fault("fewest_words", f"{words}: write at least {limits.fewest_words}.")]
    if count > limits.most_words:
        return [Fault("most_words", f"{words}: write at most {limits.most_words}.")]
    return []


def _named_again(subject: Subject, caption: str, rest: str) -> list[Fault]:
    """Trigger and class phrase more than once, or the subject once more by its noun: "the figurine"."""
    for name in (subject.trigger, subject.class_phrase):
        times = len(phrase_pattern(name).findall(caption)) if name else 0
        if times > 1:
            return [Fault("subject_once", f'It says "{name}" {times} times: once is enough.')]
    noun = subject.class_phrase.split()[-1] if subject.class_phrase else ""
    if noun and (match := re.search(rf"\b(?:the|this|that)\s+{re.escape(noun)}(?!\w)", rest, re.IGNORECASE)):
        return [Fault("subject_once", f'It names the subject again ("{match.group()}").')]
    return []
