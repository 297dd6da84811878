"""From a list of files to examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from albumkit.album import names
from albumkit.album.model import Album, Example, MediaFile
from albumkit.album.names import Excluder, join, same_name, split_name
from albumkit.album.parts import (
    Parts,
    is_junk_path,
    root_of,
    set_live_photos_aside,
    set_masks_aside,
)
from albumkit.album.proposed import ProposedSource
from albumkit.album.source import FolderSource, Source, ZipSource
from albumkit.errors import AlbumError


def read_album(
    path: Path,
    *,
    exclude: Sequence[str] = (),
    pairs: bool | None = None,
    tracked: frozenset[str] | None = None,
    name: str = "",
    proposed: Mapping[str, bytes | None] | None = None,
) -> Album:
    """Read a folder or zip.

    Args:
        path: The folder or ``.zip``.
        exclude: Globs of files that are left out of everything (see :class:`names.Excluder`).
        pairs: True for an edit album (a lone ``ROOT_start`` is then half a pair), False for none,
            None to find out: at least one whole pair makes it one.
        tracked: Only these paths exist (the files in git's index).
        name: What messages call the album; the folder's own name by default.
        proposed: Files of a folder that are not written yet, by path: captions and masks to be judged.
            None: as if this one were taken away.

    Raises:
        AlbumError: when the folder cannot be listed or the zip is broken or unsafe.
    """
    if path.is_dir():
        source: Source = ProposedSource(path, proposed, tracked) if proposed else FolderSource(path, tracked)
    elif path.is_file():
        source = ZipSource(path)
    else:
        raise AlbumError(f"{path.as_posix()}: there is no such folder or zip.")
    parts = Parts(source)
    excluder = Excluder(exclude)
    for entry in source.entries(excluder):
        parts.sort_in(entry)
    parts.note_excluded(source.excluded)
    set_live_photos_aside(parts)
    set_masks_aside(parts)
    examples = _pair_examples(parts, pairs)
    examples += _plain_examples(parts)
    examples.sort(key=lambda example: example.path)
    return Album(
        name=name or path.resolve().stem if path.is_file() else name or path.resolve().name,
        location=path,
        source=source,
        examples=tuple(examples),
        orphan_captions=tuple(parts.unclaimed((root, e) for (root, _), e in parts.captions.items())),
        orphan_rows=tuple(parts.unclaimed_rows(excluder)),
        orphan_masks=tuple(parts.unclaimed(parts.masks.items())),
        others=tuple(parts.others),
        junk=tuple(sorted([*source.junk, *(e.path for e in parts.others if is_junk_path(e.path))])),
        problems=tuple(source.problems + parts.problems),
        entries=parts.entries,
    )


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


def _pair_examples(parts: Parts, wanted: bool | None) -> list[Example]:
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


def _pair_example(parts: Parts, pair: _Pair) -> Example:
    root = pair.root
    references = tuple(pair.references[n] for n in sorted(pair.references))
    media = [m for m in (pair.end, pair.start, *references) if m]
    # Folder layouts keep the caption beside the target; some tools write ROOT_end.txt.
    stands = (root, root_of(media[0].path))
    found = dict.fromkeys(c for where in stands for c in parts.captions_of(where, media[0].path))
    captions = tuple(found)
    return Example(
        root=root,
        target=pair.end,
        start=pair.start,
        references=references,
        is_pair=True,
        caption=captions[0] if captions else None,
        other_captions=captions[1:],
        mask=parts.mask_of(root) or (parts.mask_of(root_of(pair.end.path)) if pair.end else None),
        companions=tuple(c for m in media for c in parts.companions_of(root_of(m.path), m.path)),
    )


def _plain_examples(parts: Parts) -> list[Example]:
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


def _plain_example(parts: Parts, root: str, media: MediaFile, repeats: int) -> Example:
    captions = parts.captions_of(root, media.path)
    return Example(
        root=root,
        target=media,
        caption=captions[0] if captions else None,
        other_captions=tuple(captions[1:]),
        mask=parts.mask_of(root),
        companions=parts.companions_of(root, media.path) if parts.companions else (),
        repeats=repeats,
    )


def _repeats(folder: str) -> int:
    """What kohya's folder name asks for: 10 for ``10_tok cat``."""
    kohya = names.KOHYA_FOLDER.match(folder.rpartition("/")[2])
    return max(1, int(kohya[1])) if kohya else 1
