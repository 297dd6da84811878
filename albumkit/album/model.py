"""The album as plain data."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from albumkit.album.captions import LARGEST_CAPTION, Caption, CaptionSource, decode_caption, normalise_caption
from albumkit.album.source import Entry, Source

Media = Literal["image", "clip"]
Role = Literal["target", "start", "reference"]


@dataclass(frozen=True, slots=True)
class MediaFile:
    """One picture or clip and the part it plays."""

    entry: Entry
    media: Media
    role: Role = "target"

    @property
    def path(self) -> str:
        return self.entry.path


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to learn from.

    ``root`` is the path that its sidecars share (``cat/IMG_1`` for ``cat/IMG_1.jpg``). ``target`` is None
    for a pair whose end image is missing; ``references`` are a pair's further inputs, in their order.
    """

    root: str
    target: MediaFile | None
    start: MediaFile | None = None
    references: tuple[MediaFile, ...] = ()
    is_pair: bool = False
    caption: CaptionSource | None = None
    #: Caption sources that lost to ``caption``: .txt wins over .caption, and that over metadata.
    other_captions: tuple[CaptionSource, ...] = ()
    mask: Entry | None = None
    companions: tuple[Entry, ...] = ()
    #: Repeats that a kohya folder name such as ``10_tok cat`` asks for.
    repeats: int = 1

    @property
    def media(self) -> tuple[MediaFile, ...]:
        """Every picture and clip of the example: target, start, references."""
        if self.target is not None and self.start is None and not self.references:
            return (self.target,)  # nearly every example of nearly every album
        return tuple(m for m in (self.target, self.start, *self.references) if m is not None)

    @property
    def path(self) -> str:
        """The path that stands for the example in messages: the target's, else what there is of a pair."""
        return self.target.entry.path if self.target is not None else self.media[0].path


@dataclass(frozen=True)
class Album:
    """A folder or zip of examples. Reads captions when asked; holds no pixels."""

    name: str
    location: Path
    source: Source
    examples: tuple[Example, ...]
    #: Captions and masks that no picture claims, and files that are none of ours.
    orphan_captions: tuple[Entry, ...] = ()
    orphan_masks: tuple[Entry, ...] = ()
    others: tuple[Entry, ...] = ()
    #: Rows of metadata for pictures that are not there: (the picture's path as they say it, the row).
    orphan_rows: tuple[tuple[str, CaptionSource], ...] = ()
    #: Paths of what systems and tools leave behind: Thumbs.db, .DS_Store, half-written files.
    junk: tuple[str, ...] = ()
    #: Folders that could not be listed, metadata that could not be read.
    problems: tuple[str, ...] = ()
    entries: Mapping[str, Entry] = field(default_factory=dict)
    _captions: dict[str, Caption | None] = field(default_factory=dict, repr=False, compare=False)

    @property
    def has_pairs(self) -> bool:
        return any(example.is_pair for example in self.examples)

    @property
    def has_clips(self) -> bool:
        return any(media.media == "clip" for example in self.examples for media in example.media)

    @functools.cached_property
    def media(self) -> tuple[MediaFile, ...]:
        """Every picture and clip, example by example."""
        return tuple(media for example in self.examples for media in example.media)

    @property
    def lfs_include(self) -> str:
        """The pattern for ``git lfs pull --include``: the album's folder as the repository's top sees it.

        A comma would start a second pattern, and quotes, brackets and the like mean something to git or to a
        shell: ``?`` stands for each of them.
        """
        here = self.location.resolve()
        for folder in (here, *here.parents):
            if (folder / ".git").exists():
                inside = here.relative_to(folder).as_posix()
                return "*" if inside == "." else re.sub(r"""[\[\]*?{},"'`$!\\]""", "?", inside) + "/**"
        return "*"

    def caption(self, example: Example) -> Caption | None:
        """The caption of an example, read once; None when it has none.

        A caption that cannot be read is a Caption with ``problem``; nothing is raised.
        """
        path = example.path  # not the root: metadata may tell a.jpg from a.png
        if path not in self._captions:
            self._captions[path] = self._read(example)
        return self._captions[path]

    def _read(self, example: Example) -> Caption | None:
        return self.read_caption(example.caption) if example.caption else None

    def read_caption(self, source: CaptionSource) -> Caption:
        """The caption that stands in one place, whether or not it is the one that counts; never raises."""
        if source.text is not None:
            return Caption(normalise_caption(source.text), source)
        entry = self.entries[source.path]
        if entry.problem:
            return Caption("", source, problem=entry.problem)
        try:
            return decode_caption(self.source.read(entry, LARGEST_CAPTION + 1), source)
        except OSError as error:
            return Caption("", source, problem=error.strerror or str(error))
