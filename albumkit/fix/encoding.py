"""``encoding``: captions saved again as UTF-8 without byte order mark, their text unchanged."""

from __future__ import annotations

from collections.abc import Sequence

from albumkit.fix.captions import decode
from albumkit.fix.draft import Draft, captions_of

NAME = "encoding"
_WORDS = {"utf-8": "byte order mark taken out", "cp1252": "Windows-1252 to UTF-8"}


def plan(draft: Draft, paths: Sequence[str]) -> None:
    """Captions of these examples (or these caption files)."""
    for example in draft.examples(paths):
        for source in captions_of(example)[:1]:
            with draft.refusing(NAME, source.path):
                data = draft.read(source.path)
                text, codec = decode(data)
                plain = text.removeprefix("\ufeff")
                if (new := plain.encode()) == data:
                    continue
                draft.write(source.path, new)
                words = _WORDS.get(codec, f"{codec[:6].upper()} to UTF-8")
                # Of Windows-1252 nobody can be certain: show how it reads.
                draft.note(NAME, source.path, words, (), plain.splitlines()[:1] if codec == "cp1252" else ())
