"""Facts of the trigger and the class phrase: how they are written, and what the base may know already."""

from __future__ import annotations

import re
from collections.abc import Sequence

from albumkit.facts.caption_words import Called, Said
from albumkit.facts.registry import NotApplicable, fact
from albumkit.phrases import find_phrase, phrase_pattern
from albumkit.propose import run_after
from albumkit.words import WORD, bases, is_english, is_given_name, word_set, words_of

#: Verbs and adverbs mostly end like this; a noun that does is not taken for a class phrase.
_NO_NOUN = ("s", "ing", "ed", "ly")
_LONGEST_RUN = 3


@fact("settings")
def trigger_known_as(trigger: str) -> str:
    """What the base knows the trigger as: "an English word", "a given name" and the like; "" when a part of
    it is on no list. Only ASCII letters are looked up.
    """
    parts = [part for part in re.split(r"[\s_-]+", trigger.strip()) if part]
    if not parts or not all(part.isascii() and part.isalpha() and len(part) > 1 for part in parts):
        return ""
    if all(is_english(part) for part in parts):
        return "an English word" if len(parts) == 1 else "made of English words"
    if all(is_english(part) or is_given_name(part) for part in parts):
        return "a given name" if len(parts) == 1 else "a name that many people have"
    return ""


@fact("caption")
def trigger_as_written(own_words: Said, called: Called) -> str:
    """The trigger as it stands in the caption: the first that is written in another case, if there is one.
    Not applicable where it does not stand at all.
    """
    if not called.trigger:
        raise NotApplicable("no trigger")
    text, trigger = own_words.text, called.trigger
    if 0 < text.count(trigger) == text.casefold().count(trigger.casefold()):
        return trigger  # nearly every caption
    written = ""
    for match in phrase_pattern(trigger).finditer(text):
        written = " ".join(match.group().split())
        if written != trigger:
            break
    if not written:
        raise NotApplicable("the trigger is not in it")
    return written


@fact("caption")
def trigger_case_differs(trigger_as_written: str, called: Called) -> bool:
    """Whether some letters are capital where those of the trigger are small, or the other way round."""
    return trigger_as_written != called.trigger


@fact("album")
def trigger_called(called: Called) -> str:
    """The trigger, given or as most captions spell it."""
    return called.trigger


@fact("album")
def class_phrase(called: Called) -> str:
    """The class phrase, given or as it follows the trigger in most captions; "" when there is none."""
    return called.class_phrase


@fact("album")
def class_phrase_origin(called: Called) -> str:
    """Where the class phrase comes from, in words."""
    return called.origin


@fact("album")
def settled_class_phrase(called: Called) -> str:
    """A class phrase to hold captions against; not applicable without one."""
    if not called.trigger or not called.class_phrase:
        raise NotApplicable("no class phrase")
    return called.class_phrase


@fact("caption")
def other_class_phrase(own_words: Said, called: Called, settled_class_phrase: str) -> str:
    """What a caption calls the subject instead of the class phrase: "kitten"; "" where it says the class
    phrase, a part of it, or nothing that is surely a noun.
    """
    text = own_words.text
    if find_phrase(settled_class_phrase, text):
        return ""
    match = find_phrase(called.trigger, text)
    run = run_after(text, match.end()) if match else []
    if match is None or not run or _shares_a_word(run, settled_class_phrase):
        return ""
    noun = run[:-1] if len(run) > 1 and _is_no_noun(run[-1]) else run
    if len(noun) > _LONGEST_RUN or _is_no_noun(noun[0]) or _is_no_noun(noun[-1]):
        return ""
    return "" if noun is run and _governs(text, match.end(), run) else " ".join(noun)


@fact("caption")
def class_phrase_absent(own_words: Said, called: Called, other_class_phrase: str) -> bool:
    """Whether a caption with the trigger holds no word of the class phrase, nor another one in its place."""
    text = own_words.text
    if find_phrase(called.class_phrase, text) or other_class_phrase or not find_phrase(called.trigger, text):
        return False
    return not _shares_a_word(words_of(text), called.class_phrase)


def _shares_a_word(words: Sequence[str], phrase: str) -> bool:
    """Whether one of the words, or what it is an inflection of, is a word of the phrase."""
    usual = phrase.casefold().split()
    return any(part in usual for word in words for part in (word.casefold(), *bases(word.casefold())))


def _is_no_noun(word: str) -> bool:
    word = word.casefold()
    if not word.isalpha() or word in word_set("not-nouns", "empty-adjectives"):
        return True
    return word.endswith(_NO_NOUN) and not word.endswith("ss")


def _governs(text: str, end: int, run: list[str]) -> bool:
    """Whether an article follows the run, so that its last word is a verb: "TOK eats a fish"."""
    pattern = r"\s+".join(re.escape(word) for word in run)
    match = re.compile(r"\s+" + pattern).match(text, end)
    following = WORD.search(text, match.end()) if match else None
    if match is None or following is None or text[match.end() : following.start()].strip():
        return False
    return following.group().casefold() in ("a", "an", "the", "his", "her", "its", "their", "some")
