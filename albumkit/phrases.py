"""Finding a phrase in a caption: one meaning of "the trigger is there" for lint, init and settings."""

from __future__ import annotations

import functools
import re
import unicodedata


def find_phrase(phrase: str, text: str) -> re.Match[str] | None:
    """The phrase as whole words in any case; positions count in the composed (NFC) text.

    Behind and before a Latin phrase a letter of another script may follow at once: Chinese and Japanese put
    no blank there. Any white space fits between the words of a phrase.
    """
    return phrase_pattern(phrase).search(text if text.isascii() else unicodedata.normalize("NFC", text))


@functools.lru_cache(64)
def phrase_pattern(phrase: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """What :func:`find_phrase` searches composed text with."""
    words = [re.escape(word) for word in unicodedata.normalize("NFC", phrase).split()]
    if not words:
        return re.compile(r"(?!)")  # nothing stands nowhere
    first, *others = words
    edge = "[A-Za-z0-9_]" if phrase.isascii() else r"\w"
    rest = "".join(rf"\s+{word}" for word in others)
    # The word stands before what must not precede it: so its letters can be searched for, which is quick.
    return re.compile(rf"{first}(?<!{edge}{first}){rest}(?!{edge})", flags)


def replace_phrase(phrase: str, text: str, new: str, count: int = 0) -> str:
    """Every place where :func:`find_phrase` would find the phrase says ``new`` (the first ``count`` of them).

    The rest of the text stays as it is; only where the phrase itself is spelt with decomposed accents the
    whole text is composed.
    """
    pattern = phrase_pattern(phrase)
    if not text.isascii() and not pattern.search(text):
        composed = unicodedata.normalize("NFC", text)
        text = composed if pattern.search(composed) else text
    return pattern.sub(lambda _: new, text, count)
