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
    return _pattern(phrase).search(text if text.isascii() else unicodedata.normalize("NFC", text))


@functools.lru_cache(64)
def _pattern(phrase: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(word) for word in unicodedata.normalize("NFC", phrase).split())
    edge = "[A-Za-z0-9_]" if phrase.isascii() else r"\w"
    return re.compile(rf"(?<!{edge}){words}(?!{edge})", re.IGNORECASE)


def replace_phrase(phrase: str, text: str, new: str, count: int = 0) -> str:
    """Every place where :func:`find_phrase` would find the phrase says ``new`` (the first ``count`` of them).

    The rest of the text stays as it is; only where the phrase itself is spelt with decomposed accents the
    whole text is composed.
    """
    pattern = _pattern(phrase)
    if not text.isascii() and not pattern.search(text):
        composed = unicodedata.normalize("NFC", text)
        text = composed if pattern.search(composed) else text
    return pattern.sub(lambda _: new, text, count)
