"""What a reply of a chat endpoint says: its status, its words, its text. Servers differ: all that is read
here may be missing or of another type.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

from albumkit.caption.captioners.wire import Reply

#: Status codes that pass: waited too long, too early, too many requests, and the server's own trouble.
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_WORDS = 200


class Garbage(Exception):
    """A reply that should be a JSON object and is none; says how it begins."""


def document(reply: Reply) -> dict[str, Any]:
    """The JSON object of a reply.

    Raises:
        Garbage: it is none.
    """
    try:
        found = reply.json()
    except ValueError as error:
        raise Garbage(short(reply.body.decode("utf-8", "replace"))) from error
    if not isinstance(found, dict):
        raise Garbage(short(reply.body.decode("utf-8", "replace")))
    return found


def status(reply: Reply) -> int:
    """The status that is meant: some gateways answer 200 and put the error into the body."""
    if reply.status != 200:
        return reply.status
    try:
        found = document(reply)
    except Garbage:
        return 200
    if not found.get("error") or found.get("choices"):
        return 200
    code = found["error"].get("code") if isinstance(found["error"], dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 400


def passes(code: int) -> bool:
    """Whether asking again later may help."""
    return code in _PASSING


def retry_after(reply: Reply) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: seconds or a date); None where it does not."""
    words = reply.headers.get("retry-after", "").strip()
    if words.isascii() and words.isdigit():
        return float(words)
    try:
        return max(0.0, parsedate_to_datetime(words).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def said(reply: Reply) -> str:
    """The message of an error reply: ``error.message``, ``error``, ``message`` or ``detail``, or its text."""
    try:
        found = document(reply)
    except Garbage as garbage:
        return str(garbage)
    error = found.get("error")
    inner = error.get("message") if isinstance(error, dict) else error
    for words in (inner, found.get("message"), found.get("detail")):
        if isinstance(words, str) and words.strip():
            return short(words)
    return short(reply.body.decode("utf-8", "replace"))


def first(choices: Any) -> dict[str, Any]:
    """The first choice; empty where there is none."""
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}


def text_of(content: Any) -> str:
    """What the model said: a string, or text in parts. Halves of characters, which JSON can hold and UTF-8
    cannot, become question marks.
    """
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""


def short(text: str) -> str:
    """One printable line of at most 200 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _WORDS else f"{line[:_WORDS]}..."
