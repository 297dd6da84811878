"""Answers of captioners, kept the moment they are given: what was asked once is never asked again.

Keyed by content: the pictures' sha256, the captioner, the question. What the policy says of answers is no
part of the key: a changed limit asks nobody anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from albumkit.kept import Kept
from albumkit.paths import cache_dir


def key_of(pictures: Sequence[str], captioner: str, *question: str | int) -> str:
    """One question's identity. ``pictures``: the sha256 of their files, in order; ``question``: its parts."""
    whole = json.dumps([list(pictures), captioner, *question])
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


class Answers:
    """Opened for one command; ``problem`` says why answers are not kept, if they are not."""

    def __init__(self, file: Path | None = None, *, fresh: bool = False) -> None:
        """``fresh``: answers of earlier commands count for nothing; those of this one are kept."""
        self._kept = Kept(file or cache_dir() / "answers.sqlite", fresh=fresh)

    @property
    def problem(self) -> str:
        return self._kept.problem

    def find(self, key: str) -> str | None:
        """The answer that was given to this question, or None."""
        answer = self._kept.find(key)
        return None if answer is None else answer.decode("utf-8", "replace")

    def keep(self, answers: Iterable[tuple[str, str]]) -> None:
        """(key, text) of answers just given; on the disk when this returns."""
        self._kept.keep((key, text.encode("utf-8", "replace")) for key, text in answers)

    def close(self) -> None:
        self._kept.close()
