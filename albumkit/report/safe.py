"""Text from strangers, made safe to show: file names and captions may hold anything."""

from __future__ import annotations

import re

#: Control characters could steer a terminal or break a document, marks of writing direction turn words
#: around, half characters cannot be encoded at all. A line break stays: every format escapes it by itself.
UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def visible(text: str) -> str:
    """The text with every unsafe character as its escape (``\\x1b``)."""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
