"""Facts of the album as a whole, and relations between its examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from albumkit.album import Album, MediaFile
from albumkit.facts.measure import Measured
from albumkit.facts.registry import NotApplicable, Unmeasured, fact
from albumkit.settings import Settings
from albumkit.trainer import Trainer


@fact("album")
def album_name(album: Album) -> str:
    """What messages call the album."""
    return album.name


@fact("album")
def trainer_id(trainer: Trainer) -> str:
    """The trainer that the album is judged for."""
    return trainer.id


@fact("album")
def album_problem(album: Album) -> str:
    """Why a part of the album could not be read: folders without permission, unusable metadata."""
    return "; ".join(album.problems)


@fact("album")
def example_count(album: Album) -> int:
    """Examples, after ``exclude``; a pair counts once."""
    return len(album.examples)


@fact("album")
def minimum_examples(trainer: Trainer) -> int:
    """The fewest examples that the trainer's own documentation asks for."""
    if trainer.minimum_examples is None:
        raise NotApplicable("this trainer states no minimum")
    return trainer.minimum_examples.count


@fact("album")
def examples_short(example_count: int, minimum_examples: int) -> int:
    """How many examples are missing to the trainer's stated minimum; 0 for an empty album, which is
    another fault.
    """
    return max(0, minimum_examples - example_count) if example_count else 0


@fact("album")
def trigger(settings: Settings) -> str:
    """The trigger phrase."""
    if settings.trigger_phrase is None:
        raise Unmeasured('no trigger_phrase is given (album.toml; trigger_phrase = "" for none)')
    if not settings.trigger_phrase.strip():
        raise NotApplicable("trained without a trigger, on purpose")
    return settings.trigger_phrase


@fact("album")
def subject_phrase(settings: Settings) -> str:
    """Trigger and class phrase as a caption would say them, for messages: "TOK cookie box"."""
    words = [settings.trigger_phrase or "TRIGGER", settings.class_phrase or "CLASS"]
    return " ".join(word for word in words if word)


@fact("album")
def same_content(album: Album, measured: Measured) -> dict[str, tuple[str, ...]]:
    """Path -> the other targets with the same bytes, in path order. Only files of equal size and probe are
    hashed. Start images are left out: one start with several ends is a fair pair album.
    """
    alike: dict[tuple[int, int], list[MediaFile]] = defaultdict(list)
    by_size: dict[int, list[MediaFile]] = defaultdict(list)
    for example in album.examples:
        if (target := example.target) and not target.entry.problem and target.entry.size:
            lfs = target.entry.lfs
            by_size[lfs.size if lfs else target.entry.size].append(target)
    for size, group in by_size.items():
        for media in group if len(group) > 1 else ():
            alike[size, measured.probe(media)].append(media)
    by_hash: dict[str, list[str]] = defaultdict(list)
    for group in alike.values():
        for media in group if len(group) > 1 else ():
            try:
                by_hash[measured.sha256(media)].append(media.path)
            except Unmeasured:
                continue  # it vanished or broke: example/unreadable says so
    return _others(by_hash.values())


@fact("album")
def same_caption(album: Album) -> dict[str, tuple[str, ...]]:
    """Example path -> the other examples with the same normalised caption, empty captions left out."""
    by_text: dict[str, list[str]] = defaultdict(list)
    for example in album.examples:
        caption = album.caption(example)
        if caption and caption.text:
            by_text[caption.text].append(example.path)
    return _others(by_text.values())


def _others(groups: Iterable[list[str]]) -> dict[str, tuple[str, ...]]:
    """Each member of a group of two or more -> the rest of its group."""
    return {
        path: tuple(other for other in paths if other != path)
        for paths in groups
        if len(paths) > 1
        for path in paths
    }
