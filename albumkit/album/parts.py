"""The files of an album by what they are, before they become examples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from albumkit.album import names
from albumkit.album.captions import CaptionSource, is_metadata, read_metadata
from albumkit.album.model import MediaFile
from albumkit.album.names import Excluder, join, same_name, split_name
from albumkit.album.source import Entry, Source

#: Metadata files are read whole; one of a million captions stays below this.
_LARGEST_METADATA = 256 << 20
_MASK_SUFFIXES = (".mask", "-masklabel")


@dataclass
class Parts:
    """The files of an album by what they are; ``claimed`` collects the sidecars that found a picture."""

    source: Source
    entries: dict[str, Entry] = field(default_factory=dict)
    media: list[MediaFile] = field(default_factory=list)
    #: The endings of captions that the album uses, in their order of precedence.
    caption_endings: list[str] = field(default_factory=list)
    #: Sidecars by (composed path without ending, ending).
    captions: dict[tuple[str, str], Entry] = field(default_factory=dict)
    #: Sidecars that differ from one of ``captions`` only in the case or the Unicode form of their name.
    second_captions: dict[tuple[str, str], list[Entry]] = field(default_factory=lambda: defaultdict(list))
    masks: dict[str, Entry] = field(default_factory=dict)
    companions: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    metadata: dict[str, list[CaptionSource]] = field(default_factory=lambda: defaultdict(list))
    others: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    #: Keys of ``metadata`` that found a picture.
    claimed_rows: set[str] = field(default_factory=set)
    #: Roots, without case, of pictures that ``exclude`` leaves out: their sidecars are no orphans.
    excluded: set[str] = field(default_factory=set)
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
                self.put_mask(entry, same_name(place[0]), place[1])
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

    def note_excluded(self, paths: Iterable[str]) -> None:
        """Remember the roots, and the roots of pairs, of pictures that ``exclude`` leaves out."""
        for path in filter(is_media, paths):
            folder, stem, _ = split_name(path)
            pair = names.pair_name(stem)
            for root in {stem, pair.root if pair else stem}:
                self.excluded.add(same_name(join(folder, root)).casefold())

    def _put_caption(self, entry: Entry, root: str, ending: str) -> None:
        """``a.txt`` wins over ``a.TXT``, should both be there."""
        other = self.captions.get((root, ending))
        if other is not None:
            entry, other = (entry, other) if entry.path.endswith(ending) else (other, entry)
            self.second_captions[root, ending].append(other)
        self.captions[root, ending] = entry
        if ending not in self.caption_endings:
            self.caption_endings = [e for e in names.CAPTIONS if e == ending or e in self.caption_endings]

    def put_mask(self, entry: Entry, owner: str, rank: int) -> None:
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

    def captions_of(self, root: str, path: str) -> list[CaptionSource]:
        """The captions of a picture, the one that counts first: .txt, .caption, metadata by path, by root."""
        root = same_name(root)
        found = []
        for ending in self.caption_endings:
            entry = self.captions.get((root, ending)) or self._other_case(root, ending)
            if entry is not None:
                seconds = self.second_captions.get((root, ending), []) if self.second_captions else []
                for one in (entry, *seconds):
                    self.claimed.add(one.path)
                    found.append(CaptionSource(one.path, ending))
        if self.metadata:
            for key in (same_name(path), root):
                found += self.metadata.get(key, [])
                self.claimed_rows.add(key)
        return found

    def _other_case(self, root: str, ending: str) -> Entry | None:
        """``img_1.txt`` for ``IMG_1.jpg``, unless case is all that tells two pictures apart."""
        if self._folded is None:
            self._folded = {}
            for (known, known_ending), entry in self.captions.items():
                self._folded.setdefault(f"{known.casefold()}.{known_ending}", entry)
            for known, entry in self.masks.items():
                self._folded.setdefault(f"{known.casefold()}.mask", entry)
            roots = self.pair_roots | {same_name(root_of(media.path)) for media in self.media}
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

    def unclaimed(self, sidecars: Iterable[tuple[str, Entry]]) -> list[Entry]:
        """Sidecars, given with their roots, of pictures that are neither here nor excluded."""
        lost = (
            entry
            for root, entry in sidecars
            if entry.path not in self.claimed and root.casefold() not in self.excluded
        )
        return sorted(lost, key=lambda entry: entry.path)

    def unclaimed_rows(self, exclude: Excluder) -> list[tuple[str, CaptionSource]]:
        """The same for rows of metadata."""
        return [
            (key, row)
            for key, rows in sorted(self.metadata.items())
            if key not in self.claimed_rows and not exclude(key) and key.casefold() not in self.excluded
            for row in rows
        ]


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


def root_of(path: str) -> str:
    folder, stem, _ = split_name(path)
    return join(folder, stem)


def is_media(path: str) -> bool:
    return split_name(path)[2] in names.PICTURES | names.RARE_PICTURES | names.RAW | names.CLIPS


def is_junk_path(path: str) -> bool:
    return any(names.is_junk(part) for part in path.split("/"))


def set_masks_aside(parts: Parts) -> None:
    """``ROOT_mask.jpg`` beside a picture ROOT, as fal's fast trainer has it, is a mask; one with a caption of
    its own, or without that picture (``gas_mask.jpg``), is a picture.
    """
    marked = [m for m in parts.media if m.media == "image" and root_of(m.path).lower().endswith("_mask")]
    if not marked:
        return
    roots = {same_name(root_of(media.path)) for media in parts.media}
    taken = set()
    for media in marked:
        own = same_name(root_of(media.path))
        owner = own[: -len("_mask")]
        pictures = {owner, f"{owner}_end", f"{owner}_start"}
        known = owner.casefold() in parts.excluded or not roots.isdisjoint(pictures)
        if known and all((own, e) not in parts.captions for e in names.CAPTIONS):
            parts.put_mask(media.entry, owner, len(_MASK_SUFFIXES) + 1)
            taken.add(media.path)
    parts.media = [media for media in parts.media if media.path not in taken]


def set_live_photos_aside(parts: Parts) -> None:
    """The moving half of a Live Photo is a companion of the still, also of one that is part of a pair."""
    if not any(media.media == "clip" for media in parts.media):
        return
    stills = {same_name(root_of(m.path)).casefold(): m.path for m in parts.media if m.media == "image"}
    rest = []
    for media in parts.media:
        still = stills.get(same_name(root_of(media.path)).casefold())
        if media.path.lower().endswith(".mov") and still is not None:
            parts.companions[same_name(root_of(still))].append(media.entry)
        else:
            rest.append(media)
    parts.media = rest
