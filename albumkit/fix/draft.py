"""The album as it will be: edits pile up in memory, nothing on disk is touched.

Kinds of fixes read and write through a :class:`Draft`, so that each sees what those before it did, a preview
is exactly what will be written, and all of it becomes one list of changes for the journal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from albumkit.album import Album, CaptionSource, Entry, Example
from albumkit.album.find import CONFIG_NAME
from albumkit.album.names import Excluder, join, same_name
from albumkit.album.source import lfs_pointer
from albumkit.journal import Change, Seen
from albumkit.opening import OpenAlbum
from albumkit.settings import Settings


class Cannot(Exception):
    """This fault cannot be mended here; the message says why and what a person can do."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing a fix does, for people. ``path``: the file as it is called before. ``words``: what happens to
    it. ``before`` and ``after``: the lines of a text that change, where it is one.
    """

    fix: str
    path: str
    words: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fault that stays, and why."""

    fix: str
    path: str
    reason: str


@dataclass(slots=True)
class _File:
    """``original`` is None for a file that the fixes make."""

    original: str | None
    path: str
    data: bytes | None = None
    seen: Seen | None = None


class Draft:
    """One album with the edits that were decided on so far. Paths that callers give are original ones."""

    def __init__(self, opened: OpenAlbum, settings: Settings) -> None:
        self.opened = opened
        self.settings = settings
        self.album: Album = opened.album
        self.root = Path(os.path.realpath(opened.path))
        self.edits: list[Edit] = []
        self.refusals: list[Refusal] = []
        self._files: dict[str, _File] = {}  # by original path
        self._made: dict[str, _File] = {}
        self._listings: dict[str, set[str]] = {}
        self._links: dict[str, str] | None = None
        self._excluded = Excluder(opened.config.album.exclude)

    # What kinds of fixes ask.

    def examples(self, paths: Iterable[str]) -> list[Example]:
        """The examples that own these files, each once, in the album's order."""
        wanted = set(paths)
        return [example for example in self.album.examples if wanted.intersection(files_of(example))]

    def now(self, path: str) -> str:
        """What a file will be called."""
        file = self._files.get(path)
        return file.path if file else path

    def read(self, path: str) -> bytes:
        """A file's bytes as they will be.

        Raises:
            Cannot: it cannot be read, or Git LFS has not fetched it.
        """
        file = self._touch(path)
        if file.data is not None:
            return file.data
        try:
            data = (self.root / path).read_bytes()
        except OSError as error:
            raise Cannot(f"it cannot be read: {error.strerror or error}") from error
        if lfs_pointer(data[:1024]):
            raise Cannot("Git LFS has not fetched it: git lfs pull")
        return data

    def is_there(self, path: str) -> bool:
        """Whether the album's folder holds a file of this original name."""
        return path in self._made or os.path.lexists(self.root / path)

    def is_free(self, path: str) -> bool:
        """Whether no file has, had or will have this name, wherever the album is copied to: case does not
        count, and a name that ``exclude`` matches would make the file vanish from the album. A name that a
        rename sets free stays taken, so that the order of the renames never matters.
        """
        folder, _, name = path.rpartition("/")
        return same_name(name).casefold() not in self._listing(folder) and not self._excluded(path)

    # What they do.

    def write(self, path: str, data: bytes) -> None:
        """New contents for a file that is there.

        Raises:
            Cannot: it is a link, whose file may belong to others.
        """
        if path in self._made:
            self._made[path].data = data
            return
        file = self._touch(path)
        full = self.root / path
        if full.is_symlink():
            raise Cannot(f"it is a link to {full.readlink().as_posix()}: mend that file")
        file.data = data

    def create(self, path: str, data: bytes) -> None:
        """A new file."""
        self._made[path] = _File(None, path, data)
        self._listing(path.rpartition("/")[0]).add(same_name(path.rpartition("/")[2]).casefold())

    def rename(self, names: dict[str, str]) -> None:
        """New names for files that belong together, within their folders: all of them or none.

        Args:
            names: Original path -> new path.

        Raises:
            Cannot: a name is taken, or a link in the album leads to one of the files.
        """
        if len({same_name(new).casefold() for new in names.values()}) < len(names):
            raise Cannot("two of its files would get the same name")
        for old, new in names.items():
            if not self._may_take(old, new):
                raise Cannot(f"{new} is already there")
            if link := self._links_to().get(old):
                raise Cannot(f"{link} is a link to {old}, and would lead nowhere")
        for old, new in names.items():
            folder, _, name = new.rpartition("/")
            self._listing(folder).add(same_name(name).casefold())
            self._touch(old).path = new

    def _may_take(self, old: str, new: str) -> bool:
        """A file may always take a name that differs from its own in case alone."""
        if same_name(self.now(old)).casefold() == same_name(new).casefold():
            return not self._excluded(new)
        return self.is_free(new)

    def note(
        self, fix: str, path: str, words: str, before: Iterable[str] = (), after: Iterable[str] = ()
    ) -> None:
        """Remember an edit for the preview."""
        self.edits.append(Edit(fix, path, words, tuple(before), tuple(after)))

    @contextmanager
    def refusing(self, fix: str, path: str) -> Iterator[None]:
        """A Cannot in the block becomes a refusal that names the file."""
        try:
            yield
        except Cannot as error:
            self.refusals.append(Refusal(fix, path, str(error)))

    def rewrite(self, fix: str, paths: Sequence[str], change: Callable[[bytes], bytes], words: str) -> None:
        """Change the bytes of pictures, each on its own; one that cannot be changed becomes a refusal."""
        wanted = set(paths)
        for media in self.album.media:
            if media.path not in wanted:
                continue
            with self.refusing(fix, media.path):
                data = self.read(media.path)
                new = change(data)
                if new != data:
                    self.write(media.path, new)
                    self.note(fix, media.path, words)

    @contextmanager
    def together(self) -> Iterator[None]:
        """When the block ends in a Cannot, the draft is as it was before it."""
        files = {path: replace(file) for path, file in self._files.items()}
        made = {path: replace(file) for path, file in self._made.items()}
        count = len(self.edits)
        try:
            yield
        except Cannot:
            self._files, self._made, self._listings = files, made, {}
            del self.edits[count:]
            raise

    def edit_config(self, edit: Callable[[str], str]) -> tuple[str, str]:
        """Change album.toml as text (LF or CRLF as it is; a byte order mark stays); make it if there is none.

        Returns:
            The text before and after.

        Raises:
            Cannot: it is not UTF-8, or a link. Whatever ``edit`` raises comes through.
        """
        has_it = self.is_there(CONFIG_NAME)
        data = self._read_config() if has_it else b""
        mark, rest = (data[:3], data[3:]) if data.startswith(b"\xef\xbb\xbf") else (b"", data)
        try:
            before = rest.decode()
        except UnicodeDecodeError as error:
            raise Cannot(f"{CONFIG_NAME} is not UTF-8") from error
        after = edit(before)
        if after == before:
            return before, after
        if has_it:
            self.write(CONFIG_NAME, mark + after.encode())
        else:
            self.create(CONFIG_NAME, after.encode())
        return before, after

    def _read_config(self) -> bytes:
        made = self._made.get(CONFIG_NAME)
        return made.data or b"" if made else self.read(CONFIG_NAME)

    # What becomes of it.

    def changes(self) -> list[Change]:
        """Everything that differs from the disk, by path."""
        changed = [
            Change(file.original, file.path, file.data, file.seen)
            for _, file in sorted(self._files.items())
            if file.path != file.original or file.data is not None
        ]
        return changed + [Change(None, path, file.data) for path, file in sorted(self._made.items())]

    def _touch(self, path: str) -> _File:
        """The file's record; how it looks on disk is noted the first time, so that later edits by others are
        noticed when it is written.
        """
        if path not in self._files:
            try:
                seen = Seen.of(self.root / path)
            except OSError as error:
                raise Cannot(f"it cannot be read: {error.strerror or error}") from error
            self._files[path] = _File(path, path, seen=seen)
        return self._files[path]

    def _listing(self, folder: str) -> set[str]:
        """Every name in a folder, also hidden and excluded ones, without case."""
        if folder not in self._listings:
            try:
                names = os.listdir(self.root / folder)
            except OSError as error:
                raise Cannot(f"{folder or '.'} cannot be listed: {error.strerror or error}") from error
            listing = {same_name(name).casefold() for name in names}
            new = [file.path for file in (*self._files.values(), *self._made.values())]
            listing |= {
                same_name(p.rpartition("/")[2]).casefold() for p in new if p.rpartition("/")[0] == folder
            }
            self._listings[folder] = listing
        return self._listings[folder]

    def _links_to(self) -> dict[str, str]:
        """Files of the album that links of the album lead to -> such a link."""
        if self._links is None:
            self._links = {}
            for path in self.album.entries:
                full = self.root / path
                if full.is_symlink():
                    real = os.path.relpath(os.path.realpath(full), self.root).replace(os.sep, "/")
                    self._links[real] = path
        return self._links


def files_of(example: Example) -> list[str]:
    """Every file of an example: pictures, clips, caption sidecars, mask, companions."""
    return [
        *(media.path for media in example.media),
        *(caption.path for caption in captions_of(example)),
        *(entry.path for entry in _others(example)),
    ]


def captions_of(example: Example) -> list[CaptionSource]:
    """Its caption sidecars, also those that lost to another; not metadata, which others share."""
    sources = [example.caption, *example.other_captions]
    return [source for source in sources if source is not None and source.kind in ("txt", "caption")]


def _others(example: Example) -> list[Entry]:
    return [*([example.mask] if example.mask else []), *example.companions]


def sibling(path: str, name: str) -> str:
    """Another name in the same folder."""
    return join(path.rpartition("/")[0], name)
