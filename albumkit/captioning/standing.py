"""Whose each caption of an album is: a person's, the machine's, or nobody's yet."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from albumkit.album import Album, CaptionSource, Example
from albumkit.album.captions import LARGEST_CAPTION
from albumkit.album.names import Excluder
from albumkit.facts import Measured
from albumkit.ledger import Ledger

#: "nobody": there is none. "machine": the bytes are those that we wrote. "accepted": such, and a person said
#: yes to it. "person": anything else.
Owner = Literal["nobody", "machine", "accepted", "person"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One example and its caption as they are. ``digest``: sha256 of the caption's bytes, "" without one."""

    example: Example
    owner: Owner
    text: str = ""
    digest: str = ""


def standings(
    album: Album, measured: Measured, ledger: Ledger | None = None, *, only: Sequence[str] = ()
) -> list[Standing]:
    """Every example of the album with its caption, in order.

    Args:
        ledger: Without it every caption counts as a person's, and no picture is hashed.
        only: Globs of pictures, as ``exclude`` has them; all without any.
    """
    wanted = Excluder(only) if only else None
    return [
        _standing(album, example, measured, ledger)
        for example in album.examples
        if wanted is None or any(wanted(media.path) for media in example.media)
    ]


def _standing(album: Album, example: Example, measured: Measured, ledger: Ledger | None) -> Standing:
    caption = album.caption(example)
    if caption is None or example.caption is None:
        return Standing(example, "nobody")
    try:
        digest = hashlib.sha256(caption_bytes(album, example.caption)).hexdigest()
    except OSError:  # it is there, and nobody can say that it is ours
        return Standing(example, "person", caption.text)
    owner: Owner = "person"
    if ledger is not None and (written := ledger.find("caption", media_of(example, measured), digest)):
        owner = "accepted" if written.note.get("accepted") else "machine"
    return Standing(example, owner, caption.text, digest)


def caption_bytes(album: Album, source: CaptionSource) -> bytes:
    """What stands where the caption is kept: a sidecar's bytes, else the text of its row."""
    if source.text is not None:
        return source.text.encode("utf-8", "surrogatepass")
    return album.source.read(album.entries[source.path], LARGEST_CAPTION + 1)


def hashes_of(example: Example, measured: Measured) -> tuple[str, ...]:
    """sha256 of the pictures in the order that a captioner sees them.

    Raises:
        Unmeasured: one of them cannot be read.
    """
    media = (example.start, *example.references, example.target)
    return tuple(measured.sha256(one) for one in media if one is not None)


def media_of(example: Example, measured: Measured) -> str:
    """What the ledger knows an example by; errors as :func:`hashes_of`."""
    hashes = hashes_of(example, measured)
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


class Sidecars:
    """Where the captions of an album are written as files: where one stands already, else ROOT with the
    ending that most captions of the album have.
    """

    def __init__(self, album: Album) -> None:
        kinds = Counter(example.caption.kind for example in album.examples if example.caption)
        self._ending = max(("txt", "caption"), key=lambda kind: kinds[kind])

    def of(self, example: Example) -> str:
        source = example.caption
        if source is not None and source.kind in ("txt", "caption"):
            return source.path
        return f"{example.root}.{self._ending}"
