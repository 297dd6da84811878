"""Facts of files and names: junk, folders, names that collide or cannot travel, the size of it all."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from albumkit.album import Album, Example, MediaFile
from albumkit.album.names import KOHYA_FOLDER, same_name, split_name
from albumkit.album.portable import obstacle
from albumkit.facts.registry import NotApplicable, fact
from albumkit.trainer import Trainer

#: Names that a message lists before it only counts.
_SHOWN = 4


def listed(names: Sequence[str]) -> str:
    """Names for a message: the first few, and how many more there are."""
    rest = len(names) - _SHOWN
    if rest <= 1:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {rest} more"


@fact("album")
def junk_files(album: Album) -> tuple[str, ...]:
    """What systems and tools left behind: Thumbs.db, .DS_Store, half-written files, cached latents."""
    return album.junk


@fact("album")
def junk_words(junk_files: tuple[str, ...]) -> str:
    """The junk for a message."""
    return listed(junk_files)


@fact("album")
def example_of(album: Album) -> dict[str, Example]:
    """Path of a picture or clip -> the example that it is a part of."""
    return {media.path: example for example in album.examples for media in example.media}


@fact("example")
def subfolder(media: MediaFile, example_of: dict[str, Example]) -> str:
    """The folder that the example lies in, below the album; "" at its top. Folders that mean something are
    not counted: kohya's ``10_name``, and ``target`` with ``control``.
    """
    folder = split_name(example_of[media.path].root)[0]
    return "/".join(part for part in folder.split("/") if part and not KOHYA_FOLDER.match(part))


@fact("example")
def name_obstacle(media: MediaFile) -> str:
    """Why the file cannot be kept under its name on every system; "" when it can."""
    return obstacle(media.path)


@fact("album")
def same_root(album: Album) -> dict[str, tuple[str, ...]]:
    """Path of a picture or clip -> all, itself included and in path order, whose names without ending are one
    on some systems (case, Unicode form) or share their sidecars. Only groups of two and more.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for example in album.examples:
        groups[_folded(example.root)].add(example.path)
        for media in example.media if example.is_pair else ():  # a plain one has the root of its picture
            groups[_folded(_root(media.path))].add(media.path)
    found: dict[str, tuple[str, ...]] = {}
    for group in groups.values():
        if len(group) > 1:
            members = tuple(sorted(group))
            found.update((path, members) for path in members if path not in found)
    return found


@fact("example")
def name_twins(media: MediaFile, same_root: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The other files of the same name."""
    return tuple(path for path in same_root.get(media.path, ()) if path != media.path)


@fact("example")
def collides_with(media: MediaFile, same_root: dict[str, tuple[str, ...]]) -> str:
    """The first file, in path order, of the same name; "" for that first one itself."""
    first = same_root.get(media.path, (media.path,))[0]
    return "" if first == media.path else first


@fact("example")
def collision_words(media: MediaFile, collides_with: str) -> str:
    """In what the two names are the same, as the end of a sentence; "" without a collision."""
    mine, other = _root(media.path), _root(collides_with)
    if not collides_with:
        return ""
    if mine == other:
        return f"has the name of {collides_with} but for the ending"
    if same_name(mine) == same_name(other):
        return f"has the name of {collides_with}, its accents stored in another way"
    if _folded(mine) == _folded(other):
        return f"has the name of {collides_with} but for capital letters"
    return f"has the name of the pair that {collides_with} is a part of"


@fact("example")
def shared_sidecar(media: MediaFile, name_twins: tuple[str, ...], example_of: dict[str, Example]) -> str:
    """The caption, else the mask, that it shares with a file of the same name; "" for none."""
    mine = example_of[media.path]
    others = [example_of[path] for path in name_twins if example_of[path] is not mine]
    if mine.caption and any(other.caption == mine.caption for other in others):
        return mine.caption.path
    return mine.mask.path if mine.mask and any(other.mask == mine.mask for other in others) else ""


@fact("example")
def sharing_words(shared_sidecar: str) -> str:
    """What follows from the collision, for a message."""
    return f"; both take {shared_sidecar}" if shared_sidecar else ""


@fact("album")
def fewer_media(album: Album, trainer: Trainer) -> tuple[str, ...]:
    """The pictures or the clips, whichever are fewer, of an album that holds both."""
    takes = trainer.media
    if takes.mixed or takes.images is None or takes.clips is None:
        raise NotApplicable("this trainer takes both together, or only one kind at all")
    pictures = tuple(m.path for m in album.media if m.media == "image")
    clips = tuple(m.path for m in album.media if m.media == "clip")
    return min(pictures, clips, key=len)


@fact("album")
def media_words(album: Album) -> str:
    """How many pictures and clips there are."""
    clips = sum(1 for m in album.media if m.media == "clip")
    pictures = len(album.media) - clips
    return f"{pictures} picture{'s' * (pictures != 1)} and {clips} clip{'s' * (clips != 1)}"


@fact("album")
def archive_bytes(album: Album, trainer: Trainer) -> int:
    """About how large the archive becomes: what pack keeps, in bytes as it lies in the album. Pictures that
    are converted may grow or shrink; a Git LFS pointer counts as the file it stands for.
    """
    entries = [media.entry for media in album.media]
    entries += [e.mask for e in album.examples if e.mask and trainer.archive.masks]
    sources = [e.caption for e in album.examples if e.caption]
    texts = sum(len(c.text.encode()) for c in sources if c.text is not None)
    entries += [album.entries[c.path] for c in sources if c.text is None]
    return texts + sum(entry.lfs.size if entry.lfs else entry.size for entry in entries)


@fact("album")
def archive_limit(trainer: Trainer) -> int:
    """The largest archive, in bytes, that the trainer states to take."""
    if trainer.archive.largest is None:
        raise NotApplicable("this trainer states no limit")
    return trainer.archive.largest.bytes


@fact("album")
def archive_fill(archive_bytes: int, archive_limit: int) -> float:
    """The archive's size as a share of what the trainer takes; above 1 it is too large."""
    return round(archive_bytes / archive_limit, 3)


@fact("album")
def archive_size(archive_bytes: int) -> str:
    """The archive's size for people."""
    return _size(archive_bytes)


@fact("album")
def archive_limit_size(archive_limit: int) -> str:
    """The limit for people."""
    return _size(archive_limit)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _root(path: str) -> str:
    folder, stem, _ = split_name(path)
    return f"{folder}/{stem}" if folder else stem


def _folded(text: str) -> str:
    """One spelling for all names that some file system takes for the same."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text.casefold())
