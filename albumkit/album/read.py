"""From a list of files to examples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from albumkit.album import names
from albumkit.album.captions import CaptionSource, is_metadata, read_metadata
from albumkit.album.model import Album, Example, MediaFile
from albumkit.album.names import Excluder, join, same_name, split_name
from albumkit.album.source import Entry, FolderSource, Source, ZipSource
from albumkit.errors import AlbumError

#: Metadata files are read whole; one of a million captions stays below this.
_LARGEST_METADATA = 256 << 20
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
    _set_live_photos_aside(parts)
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
    #: The endings of captions that the album uses, in their order of precedence.
    caption_endings: list[str] = field(default_factory=list)
    #: Sidecars by (composed path without ending, ending).
    captions: dict[tuple[str, str], Entry] = field(default_factory=dict)
    masks: dict[str, Entry] = field(default_factory=dict)
    companions: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    metadata: dict[str, list[CaptionSource]] = field(default_factory=lambda: defaultdict(list))
    others: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    pair_roots: set[str] = field(default_factory=set)
    _folded: dict[str, Entry] | None = None
    _roots: Counter[str] = field(default_factory=Counter)

    def sort_in(self, entry: Entry) -> None:
        """Decide what a file is, by its name alone."""
        self.entries[entry.path] = entry
        folder, stem, ending = split_name(entry.path)
        root = same_name(join(folder, stem))
        if ending in names.PICTURES or ending in names.RARE_PICTURES:
            if place := _mask_place(folder, stem):
                self._put_mask(entry, same_name(place[0]), place[1])
            else:
                self.media.append(MediaFile(entry, "image"))
        elif ending in names.CLIPS:
            self.media.append(MediaFile(entry, "clip"))
        elif ending in names.CAPTIONS:
            self._put_caption(entry, root, ending)
        elif is_metadata(stem, ending):
            self._read_metadata(entry)
        elif ending in names.COMPANIONS or ending in names.RAW:
            self.companions[root].append(entry)
        else:
            self.others.append(entry)

    def _put_caption(self, entry: Entry, root: str, ending: str) -> None:
        """``a.txt`` wins over ``a.TXT``, should both be there."""
        other = self.captions.get((root, ending))
        if other is not None:
            entry, other = (entry, other) if entry.path.endswith(ending) else (other, entry)
            self.others.append(other)
        self.captions[root, ending] = entry
        if ending not in self.caption_endings:
            self.caption_endings = [e for e in names.CAPTIONS if e == ending or e in self.caption_endings]

    def _put_mask(self, entry: Entry, owner: str, rank: int) -> None:
        """``masks/ROOT.png`` wins over ``ROOT.mask.png``, and that over ``ROOT-masklabel.png``."""
        other = self.masks.get(owner)
        if other is not None:
            place = _mask_place(*split_name(other.path)[:2])
            entry, other = (entry, other) if place is None or rank < place[1] else (other, entry)
            self.others.append(other)
        self.masks[owner] = entry

    def _read_metadata(self, entry: Entry) -> None:
        problem = entry.problem or ("a Git LFS pointer; run: git lfs pull" if entry.lfs else "")
        if entry.size > _LARGEST_METADATA:
            problem = "too large to be metadata"
        rows: dict[str, CaptionSource] = {}
        if not problem:
            try:
                with self.source.open(entry) as stream:
                    rows = read_metadata(entry.path, stream.read())
            except (OSError, ValueError) as error:
                problem = (error.strerror if isinstance(error, OSError) else "") or str(error)
        for key, caption in rows.items():
            self.metadata[key].append(caption)
        if not rows:
            self.others.append(entry)
        if problem and split_name(entry.path)[1].lower() == "metadata":  # any other .json may be anybody's
            self.problems.append(f"{entry.path}: {problem}")

    def caption_of(self, root: str, path: str) -> tuple[CaptionSource | None, tuple[CaptionSource, ...]]:
        """The caption for a picture, and those it wins over: .txt, .caption, metadata by path, by root."""
        root = same_name(root)
        found = []
        for ending in self.caption_endings:
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
            for (known, known_ending), entry in self.captions.items():
                self._folded.setdefault(f"{known.casefold()}.{known_ending}", entry)
            for known, entry in self.masks.items():
                self._folded.setdefault(f"{known.casefold()}.mask", entry)
            roots = self.pair_roots | {same_name(_root_of(media.path)) for media in self.media}
            self._roots = Counter(one.casefold() for one in roots)
        match = self._folded.get(f"{root.casefold()}.{ending}")
        if match is None or self._roots[root.casefold()] > 1:
            return None
        return match

    def mask_of(self, root: str) -> Entry | None:
        if not self.masks:
            return None
        root = same_name(root)
        entry = self.masks.get(root) or self._other_case(root, "mask")
        if entry is not None:
            self.claimed.add(entry.path)
        return entry

    def companions_of(self, root: str, path: str) -> tuple[Entry, ...]:
        """``IMG_1.AAE`` and ``IMG_1.xmp`` as well as Lightroom's ``IMG_1.jpg.xmp``."""
        found = self.companions.get(same_name(root), []) + self.companions.get(same_name(path), [])
        self.claimed.update(entry.path for entry in found)
        return tuple(entry for entry in found if entry.path != path)

    def unclaimed(self, entries: Iterable[Entry]) -> list[Entry]:
        return sorted((e for e in entries if e.path not in self.claimed), key=lambda e: e.path)


def _mask_place(folder: str, stem: str) -> tuple[str, int] | None:
    """(root whose mask this file is, rank of the way it says so); None for an ordinary picture."""
    folders = folder.split("/")
    for i in range(len(folders) - 1, -1, -1):
        if folders[i].lower() == "masks":
            return "/".join((*folders[:i], *folders[i + 1 :], stem)), 0
    for rank, suffix in enumerate(_MASK_SUFFIXES, 1):
        if stem.lower().endswith(suffix) and len(stem) > len(suffix):
            return join(folder, stem[: -len(suffix)]), rank
    return None


def _root_of(path: str) -> str:
    folder, stem, _ = split_name(path)
    return join(folder, stem)


def _set_live_photos_aside(parts: _Parts) -> None:
    """The moving half of a Live Photo is a companion of the still, also of one that is part of a pair."""
    if not any(media.media == "clip" for media in parts.media):
        return
    stills = {same_name(_root_of(m.path)).casefold(): m.path for m in parts.media if m.media == "image"}
    rest = []
    for media in parts.media:
        still = stills.get(same_name(_root_of(media.path)).casefold())
        if media.path.lower().endswith(".mov") and still is not None:
            parts.companions[same_name(_root_of(still))].append(media.entry)
        else:
            rest.append(media)
    parts.media = rest


@dataclass
class _Pair:
    root: str = ""
    end: MediaFile | None = None
    start: MediaFile | None = None
    references: dict[int, MediaFile] = field(default_factory=dict)

    def put(self, place: names.PairName, media: MediaFile) -> bool:
        """False when that place is taken."""
        if place.role == "end" and self.end is None:
            self.end = media
        elif place.role == "start" and place.number == 1 and self.start is None:
            self.start = replace(media, role="start")
        elif place.role == "start" and place.number > 1 and place.number not in self.references:
            self.references[place.number] = replace(media, role="reference")
        else:
            return False
        self.root = self.root or place.root
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
        pair = found[same_name(place.root)] if place else None
        if place is None or pair is None or not pair.put(place, media):
            rest.append(media)
    found = {root: pair for root, pair in found.items() if pair.end or pair.start or pair.references}
    if not wanted and not any(pair.end and pair.start for pair in found.values()):
        return []
    parts.media = rest
    parts.pair_roots = set(found)
    return [_pair_example(parts, pair) for pair in found.values()]


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


def _pair_example(parts: _Parts, pair: _Pair) -> Example:
    root = pair.root
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
    repeats = {folder: _repeats(folder) for (folder, _, _), _ in named}
    built = [_plain_example(parts, join(folder, stem), m, repeats[folder]) for (folder, stem, _), m in named]
    lonely = [e for group in parts.companions.values() for e in group if e.path not in parts.claimed]
    for entry in lonely:
        folder, stem, ending = split_name(entry.path)
        if ending in names.RAW and entry.path not in parts.claimed:
            media = MediaFile(entry, "image")
            built.append(_plain_example(parts, join(folder, stem), media, _repeats(folder)))
    parts.others.extend(e for e in lonely if e.path not in parts.claimed)
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
