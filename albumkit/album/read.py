"""From a list of files to examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from albumkit.album import names
from albumkit.album.captions import CaptionSource, is_metadata, read_metadata
from albumkit.album.model import Album, Example, MediaFile
from albumkit.album.names import Excluder, join, same_name, split_name
from albumkit.album.source import Entry, FolderSource, Source, ZipSource
from albumkit.errors import AlbumError

#: Metadata files are read whole; one of 10 million captions stays below this.
_LARGEST_METADATA = 1 << 30
_MASK_SUFFIXES = (".mask", "-masklabel")


def read_album(
    path: Path,
    *,
    exclude: Sequence[str] = (),
    pairs: bool | None = None,
    tracked: frozenset[str] | None = None,
    name: str = "",
) -> Album:
    """Read a folder or zip.

    Args:
        path: The folder or ``.zip``.
        exclude: Globs of files that are left out of everything (see :class:`names.Excluder`).
        pairs: True for an edit album (a lone ``ROOT_start`` is then half a pair), False for none,
            None to find out: at least one whole pair makes it one.
        tracked: Only these paths exist (the files in git's index).
        name: What messages call the album; the folder's own name by default.

    Raises:
        AlbumError: when the folder cannot be listed or the zip is broken or unsafe.
    """
    if path.is_dir():
        source: Source = FolderSource(path, tracked)
    elif path.is_file():
        source = ZipSource(path)
    else:
        raise AlbumError(f"{path.as_posix()}: there is no such folder or zip.")
    parts = _Parts(source)
    for entry in source.entries(Excluder(exclude)):
        parts.sort_in(entry)
    examples = _pair_examples(parts, pairs)
    examples += _plain_examples(parts)
    examples.sort(key=lambda example: example.path)
    return Album(
        name=name or path.resolve().stem if path.is_file() else name or path.resolve().name,
        location=path,
        source=source,
        examples=tuple(examples),
        orphan_captions=tuple(parts.unclaimed(parts.captions.values())),
        orphan_masks=tuple(parts.unclaimed(parts.masks.values())),
        others=tuple(parts.others),
        problems=tuple(source.problems + parts.problems),
        entries=parts.entries,
    )


@dataclass
class _Parts:
    """The files of an album by what they are; ``claimed`` collects the sidecars that found a picture."""

    source: Source
    entries: dict[str, Entry] = field(default_factory=dict)
    media: list[MediaFile] = field(default_factory=list)
    #: Sidecars by (composed path without ending, ending).
    captions: dict[tuple[str, str], Entry] = field(default_factory=dict)
    masks: dict[str, Entry] = field(default_factory=dict)
    companions: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    metadata: dict[str, list[CaptionSource]] = field(default_factory=lambda: defaultdict(list))
    others: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    _folded: dict[str, str] | None = None
    _roots: dict[str, int] | None = None

    def sort_in(self, entry: Entry) -> None:
        """Decide what a file is, by its name alone."""
        self.entries[entry.path] = entry
        folder, stem, ending = split_name(entry.path)
        root = same_name(join(folder, stem))
        if ending in names.PICTURES or ending in names.RARE_PICTURES:
            if owner := _mask_owner(folder, stem):
                self.masks[same_name(owner)] = entry
            else:
                self.media.append(MediaFile(entry, "image"))
        elif ending in names.CLIPS:
            self.media.append(MediaFile(entry, "clip"))
        elif ending in names.CAPTIONS:
            self.captions[root, ending] = entry
        elif is_metadata(stem, ending):
            self._read_metadata(entry)
        elif ending in names.COMPANIONS or ending in names.RAW:
            self.companions[root].append(entry)
        else:
            self.others.append(entry)

    def _read_metadata(self, entry: Entry) -> None:
        if entry.size > _LARGEST_METADATA or entry.problem:
            self.problems.append(f"{entry.path}: {entry.problem or 'too large to be metadata'}")
            return
        try:
            with self.source.open(entry) as stream:
                rows = read_metadata(entry.path, stream.read())
        except OSError as error:
            self.problems.append(f"{entry.path}: {error.strerror or error}")
            return
        for key, caption in rows.items():
            self.metadata[key].append(caption)
        if not rows:
            self.others.append(entry)

    def caption_of(self, root: str, path: str) -> tuple[CaptionSource | None, tuple[CaptionSource, ...]]:
        """The caption for a picture, and those it wins over: .txt, .caption, metadata by path, by root."""
        root = same_name(root)
        found = []
        for ending in names.CAPTIONS:
            entry = self.captions.get((root, ending)) or self._other_case(root, ending)
            if entry is not None:
                self.claimed.add(entry.path)
                found.append(CaptionSource(entry.path, ending))
        if self.metadata:
            found += self.metadata.get(same_name(path), [])
            found += self.metadata.get(root, [])
        return (found[0], tuple(found[1:])) if found else (None, ())

    def _other_case(self, root: str, ending: str) -> Entry | None:
        """``img_1.txt`` for ``IMG_1.jpg``, unless case is all that tells two pictures apart."""
        if self._folded is None:
            self._folded = {}
            for known, known_ending in self.captions:
                self._folded.setdefault(f"{known.casefold()}.{known_ending}", known)
            self._roots = defaultdict(int)
            for media in self.media:
                folder, stem, _ = split_name(media.path)
                self._roots[same_name(join(folder, stem)).casefold()] += 1
        match = self._folded.get(f"{root.casefold()}.{ending}")
        if match is None or (self._roots or {}).get(root.casefold(), 0) > 1:
            return None
        return self.captions[match, ending]

    def mask_of(self, root: str) -> Entry | None:
        entry = self.masks.get(same_name(root))
        if entry is not None:
            self.claimed.add(entry.path)
        return entry

    def companions_of(self, root: str, path: str) -> tuple[Entry, ...]:
        """``IMG_1.AAE`` and ``IMG_1.xmp`` as well as Lightroom's ``IMG_1.jpg.xmp``."""
        found = self.companions.get(same_name(root), []) + self.companions.get(same_name(path), [])
        self.claimed.update(entry.path for entry in found)
        return tuple(found)

    def unclaimed(self, entries: Iterable[Entry]) -> list[Entry]:
        return sorted((e for e in entries if e.path not in self.claimed), key=lambda e: e.path)


def _mask_owner(folder: str, stem: str) -> str | None:
    """The root whose mask this file is, by its name; None for an ordinary picture."""
    parent, _, last = folder.rpartition("/")
    if last.lower() == "masks":
        return join(parent, stem)
    for suffix in _MASK_SUFFIXES:
        if stem.lower().endswith(suffix) and len(stem) > len(suffix):
            return join(folder, stem[: -len(suffix)])
    return None


def _root_of(path: str) -> str:
    folder, stem, _ = split_name(path)
    return join(folder, stem)


@dataclass
class _Pair:
    end: MediaFile | None = None
    start: MediaFile | None = None
    references: dict[int, MediaFile] = field(default_factory=dict)
    caption_roots: list[str] = field(default_factory=list)

    def put(self, role: str, number: int, media: MediaFile) -> bool:
        if role == "end" and self.end is None:
            self.end = media
        elif role == "start" and number == 1 and self.start is None:
            self.start = replace(media, role="start")
        elif role == "start" and number > 1 and number not in self.references:
            self.references[number] = replace(media, role="reference")
        else:
            return False
        return True


def _pair_examples(parts: _Parts, wanted: bool | None) -> list[Example]:
    """Take the pictures that form pairs out of ``parts.media`` and return their examples."""
    if wanted is False:
        return []
    found: dict[str, _Pair] = defaultdict(_Pair)
    rest = []
    folders = _control_layout(parts.media)
    for media in parts.media:
        place = _place_in_pair(media.path, folders)
        if place is None or not found[place.root].put(place.role, place.number, media):
            rest.append(media)
    found = {root: pair for root, pair in found.items() if pair.end or pair.start or pair.references}
    if not wanted and not any(pair.end and pair.start for pair in found.values()):
        return []
    parts.media = rest
    return [_pair_example(parts, root, pair) for root, pair in found.items()]


def _place_in_pair(path: str, folders: dict[str, tuple[str, int]]) -> names.PairName | None:
    folder, stem, _ = split_name(path)
    if folder in folders:
        role, number = folders[folder]
        return names.PairName(join(folder.rpartition("/")[0], stem), role, number)
    named = names.pair_name(stem)
    return names.PairName(join(folder, named.root), named.role, named.number) if named else None


def _control_layout(media: Iterable[MediaFile]) -> dict[str, tuple[str, int]]:
    """Folders that are sides of pairs: ``target`` or ``main`` with ``control``, ``control_1``, ... beside it.

    Returns folder -> (role, number); the first control folder is the start image.
    """
    by_parent: dict[str, set[str]] = defaultdict(set)
    for folder in {split_name(m.path)[0] for m in media}:
        parent, _, last = folder.rpartition("/")
        by_parent[parent].add(last)
    layout: dict[str, tuple[str, int]] = {}
    for parent, children in by_parent.items():
        targets = [c for c in children if c.lower() in names.TARGET_FOLDERS]
        controls = sorted(
            (int(match[1] or 1), child) for child in children if (match := names.CONTROL_FOLDER.match(child))
        )
        if len(targets) == 1 and controls:
            layout[join(parent, targets[0])] = ("end", 0)
            for number, (_, child) in enumerate(controls, 1):
                layout[join(parent, child)] = ("start", number)
    return layout


def _pair_example(parts: _Parts, root: str, pair: _Pair) -> Example:
    references = tuple(pair.references[n] for n in sorted(pair.references))
    media = [m for m in (pair.end, pair.start, *references) if m]
    caption, others = parts.caption_of(root, media[0].path)
    if caption is None:  # folder layouts keep the caption beside the target; some tools write ROOT_end.txt
        caption, others = parts.caption_of(_root_of(media[0].path), media[0].path)
    return Example(
        root=root,
        target=pair.end,
        start=pair.start,
        references=references,
        is_pair=True,
        caption=caption,
        other_captions=others,
        mask=parts.mask_of(root) or (parts.mask_of(_root_of(pair.end.path)) if pair.end else None),
        companions=tuple(c for m in media for c in parts.companions_of(_root_of(m.path), m.path)),
    )


def _plain_examples(parts: _Parts) -> list[Example]:
    named = [(split_name(media.path), media) for media in parts.media]
    images = [place for place, media in named if media.media == "image"]
    pictures = {same_name(join(folder, stem)).casefold() for folder, stem, _ in images}
    taken = []
    for (folder, stem, ending), media in named:
        root = same_name(join(folder, stem))
        if ending == "mov" and root.casefold() in pictures:  # the moving half of a Live Photo
            parts.companions[root].append(media.entry)
        else:
            taken.append((folder, join(folder, stem), media))
    repeats = {folder: _repeats(folder) for folder, _, _ in taken}
    built = [_plain_example(parts, root, media, repeats[folder]) for folder, root, media in taken]
    for group in parts.companions.values():
        for entry in group:
            if entry.path in parts.claimed:
                continue
            folder, stem, ending = split_name(entry.path)
            if ending in names.RAW:
                media = MediaFile(entry, "image")
                built.append(_plain_example(parts, join(folder, stem), media, _repeats(folder)))
            else:
                parts.others.append(entry)
    return built


def _plain_example(parts: _Parts, root: str, media: MediaFile, repeats: int) -> Example:
    caption, others = parts.caption_of(root, media.path)
    return Example(
        root=root,
        target=media,
        caption=caption,
        other_captions=others,
        mask=parts.mask_of(root),
        companions=parts.companions_of(root, media.path) if parts.companions else (),
        repeats=repeats,
    )


def _repeats(folder: str) -> int:
    """What kohya's folder name asks for: 10 for ``10_tok cat``."""
    kohya = names.KOHYA_FOLDER.match(folder.rpartition("/")[2])
    return max(1, int(kohya[1])) if kohya else 1
