"""Facts of sidecars that fit no picture, or fit one together with others."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from albumkit.album import Album, Caption, CaptionSource, Example
from albumkit.album.names import CLIPS, PICTURES, same_name, split_name
from albumkit.facts.caption import edit_distance
from albumkit.facts.files import listed
from albumkit.facts.registry import NotApplicable, fact
from albumkit.trainer import Trainer

#: Texts that people put into any folder; no captions.
_PAPER = re.compile(
    r"(?:read[ _-]?me|licen[cs]e|copying|notice|credits|authors|change(?:s|log)|todo|notes?|requirements"
    r"|(?:sample_|validation_)?prompts?|captions|classes|tags)(?:[._-].*)?\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Orphan:
    """A sidecar without a picture: its file, how a message calls it, the picture that it may be of."""

    file: str
    words: str
    near: str = ""

    def __str__(self) -> str:
        return f"{self.words} (perhaps of {self.near})" if self.near else self.words


@fact("album")
def lost_captions(album: Album) -> tuple[Orphan, ...]:
    """Captions, and rows of metadata, whose picture is neither in the album nor excluded from it."""
    near = _Near(example for example in album.examples if example.caption is None)
    found = [
        Orphan(entry.path, entry.path, near.of(entry.path))
        for entry in album.orphan_captions
        if not _PAPER.match(split_name(entry.path)[1])
    ]
    for picture, row in album.orphan_rows:
        if picture not in album.entries:  # else it tells of a mask or of a companion
            line = f" line {row.line}" if row.line else ""
            found.append(Orphan(row.path, f"{row.path}{line}: {picture}", near.of(f"{picture}.txt")))
    return tuple(found)


@fact("album")
def orphan_captions(lost_captions: tuple[Orphan, ...]) -> tuple[str, ...]:
    """The files that hold captions without a picture."""
    return tuple(dict.fromkeys(orphan.file for orphan in lost_captions))


@fact("album")
def orphan_caption_words(lost_captions: tuple[Orphan, ...]) -> str:
    """Captions without a picture, with the picture that each may be of."""
    return listed([str(orphan) for orphan in lost_captions])


@fact("album")
def lost_masks(album: Album, trainer: Trainer) -> tuple[Orphan, ...]:
    """Masks whose picture is neither in the album nor excluded from it."""
    if trainer.archive.masks is None:
        raise NotApplicable("this trainer reads no masks")
    near = _Near(example for example in album.examples if example.mask is None)
    return tuple(Orphan(entry.path, entry.path, near.of(entry.path)) for entry in album.orphan_masks)


@fact("album")
def orphan_masks(lost_masks: tuple[Orphan, ...]) -> tuple[str, ...]:
    """The masks without a picture."""
    return tuple(orphan.file for orphan in lost_masks)


@fact("album")
def orphan_mask_words(lost_masks: tuple[Orphan, ...]) -> str:
    """Masks without a picture, with the picture that each may be of."""
    return listed([str(orphan) for orphan in lost_masks])


@fact("caption")
def rival_captions(example: Example, album: Album) -> tuple[str, ...]:
    """The places of other captions of the same picture that say something else. Blanks and line ends do not
    count, nor does a blank text beside a written one.
    """
    own = album.caption(example) if example.other_captions else None
    if own is None:
        return ()
    rivals = []
    for source in example.other_captions:
        rival = album.read_caption(source)
        if rival.text and not _agree(own, rival):
            rivals.append(_place(source))
    return tuple(dict.fromkeys(rivals))


@fact("caption")
def rival_files(example: Example, rival_captions: tuple[str, ...]) -> tuple[str, ...]:
    """The files in which those stand."""
    files = [source.path for source in example.other_captions if _place(source) in rival_captions]
    return tuple(dict.fromkeys(files))


@fact("caption")
def rival_words(rival_captions: tuple[str, ...]) -> str:
    """Those places for a message."""
    return listed(rival_captions)


@fact("caption")
def winning_caption(example: Example) -> str:
    """The place of the caption that counts."""
    if example.caption is None:
        raise NotApplicable("no caption")
    return _place(example.caption)


def _place(source: CaptionSource) -> str:
    return f"{source.path} line {source.line}" if source.line else source.path


def _agree(own: Caption, rival: Caption) -> bool:
    mine, theirs = " ".join(own.text.split()), " ".join(rival.text.split())
    # sd-scripts makes its .json of the captions and adds the tags.
    return mine == theirs or (rival.source.kind == "kohya" and bool(mine) and mine in theirs)


class _Near:
    """Examples by what their names say: the numbers in them as numbers, and the letters."""

    def __init__(self, examples: Iterable[Example]) -> None:
        self._by_numbers: dict[tuple[int, ...], list[tuple[str, Example]]] = defaultdict(list)
        for example in examples:
            numbers, letters = _said(split_name(f"{example.root}.x")[1])
            self._by_numbers[numbers].append((letters, example))

    def of(self, path: str) -> str:
        """The picture whose name a sidecar's comes nearest to; "" when none or several do.

        Numbers must be equal as numbers (IMG_01, IMG_1): one digit more or less is another picture. Letters
        may differ by one slip, by two from eight letters on. The same folder goes before others.
        """
        folder, stem, _ = split_name(path)
        numbers, letters = _said(stem)
        alike = self._by_numbers.get(numbers, [])
        allowed = (len(letters) >= 4) + (len(letters) >= 8)
        for most in range(allowed + 1):
            close = [example for other, example in alike if edit_distance(letters, other) <= most]
            here = [example for example in close if split_name(example.path)[0] == folder]
            for group in (here, close):
                if len(group) == 1:
                    return group[0].path
            if close:
                return ""
        return ""


def _said(stem: str) -> tuple[tuple[int, ...], str]:
    """The numbers and letters of a name, without a picture's ending (``IMG_1.jpg.txt``) and the word mask."""
    name = same_name(stem).casefold()
    head, dot, ending = name.rpartition(".")
    if dot and ending in PICTURES | CLIPS:
        name = head
    numbers = tuple(int(digits) for digits in re.findall(r"[0-9]+", name))
    return numbers, re.sub(r"[\W\d_]+|mask", "", name)
