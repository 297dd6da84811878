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
def phrase_pattern(phrase: str) -> re.Pattern[str]:
    """What :func:`find_phrase` searches composed text with."""
    words = r"\s+".join(re.escape(word) for word in unicodedata.normalize("NFC", phrase).split())
    edge = "[A-Za-z0-9_]" if phrase.isascii() else r"\w"
    return re.compile(rf"(?<!{edge}){words}(?!{edge})", re.IGNORECASE)
