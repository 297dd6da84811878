"""Which pictures of an album get a mask, whose the masks are that are there, and where new ones lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from albumkit.album import Album, Entry, Example, MediaFile
from albumkit.album.names import Excluder, join, known_reason, same_name, split_name
from albumkit.facts import Measured, Unmeasured
from albumkit.ledger import Ledger
from albumkit.opening import OpenAlbum

#: "missing": pictures without a mask; "redo": also those whose mask we made; "overwrite": all.
Which = Literal["missing", "redo", "overwrite"]
#: How albums keep the mask of ROOT, the usual way first.
_WAYS = ("FOLDER/masks/STEM.png", "masks/ROOT.png", "ROOT.mask.png", "ROOT-masklabel.png", "ROOT_mask.png")


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to be masked. ``target``: where its mask will lie; ``old``: the mask that this replaces."""

    example: Example
    media: MediaFile
    target: str
    old: Entry | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """An example that gets no mask, and why. ``is_fault``: somebody has to do something about it."""

    path: str
    reason: str
    is_fault: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """``ours`` and ``yours`` are masks that stay as they are, by who made them (paths)."""

    jobs: tuple[Job, ...]
    ours: tuple[str, ...]
    yours: tuple[str, ...]
    left: tuple[Left, ...]


def plan_masks(
    opened: OpenAlbum, measured: Measured, ledger: Ledger, which: Which, only: Sequence[str] = ()
) -> Plan:
    """Sort the album's examples.

    Args:
        only: Globs of pictures, as ``exclude`` has them; all without any.
    """
    album = opened.album
    wanted = Excluder(only) if only else None
    excluded = Excluder(opened.config.album.exclude)
    way = usual_way(album)
    roots = Counter(same_name(example.root) for example in album.examples)
    jobs: list[Job] = []
    ours: list[str] = []
    yours: list[str] = []
    left: list[Left] = []
    for example in album.examples:
        if wanted is not None and not any(wanted(media.path) for media in example.media):
            continue
        old = example.mask
        if old is not None and which != "overwrite":
            made_here = _is_ours(example, measured, ledger)
            if not (made_here and which == "redo"):
                (ours if made_here else yours).append(old.path)
                continue
        target = _target(example.root, way) if old is None else _as_png(old.path)
        reason = _hindrance(album, example, target, excluded, roots)
        media = example.target
        if reason or media is None:
            left.append(Left(example.path, reason, media is None or media.media != "clip"))
        else:
            jobs.append(Job(example, media, target, old))
    return Plan(tuple(jobs), tuple(ours), tuple(yours), tuple(left))


def usual_way(album: Album) -> str:
    """The way that most masks of the album are kept; ``masks/ROOT.png`` without any."""
    found = Counter(
        way
        for example in album.examples
        if example.mask is not None
        for way in _WAYS
        if _as_png(example.mask.path) == _target(example.root, way)
    )
    return max(_WAYS, key=lambda way: found[way])  # of equals the first


def _target(root: str, way: str) -> str:
    folder, _, stem = root.rpartition("/")
    return way.replace("ROOT", root).replace("FOLDER/", f"{folder}/" if folder else "").replace("STEM", stem)


def _as_png(path: str) -> str:
    folder, stem, ending = split_name(path)
    return path if ending == "png" else join(folder, f"{stem}.png")


def _is_ours(example: Example, measured: Measured, ledger: Ledger) -> bool:
    """Whether the mask's bytes are those that we wrote for this picture; False where nobody can tell."""
    if example.mask is None or example.target is None or example.target.media != "image":
        return False
    try:
        picture = measured.sha256(example.target)
        mask = measured.sha256(MediaFile(example.mask, "image"))
    except Unmeasured:
        return False
    return ledger.find("mask", picture, mask) is not None


def _hindrance(album: Album, example: Example, target: str, excluded: Excluder, roots: Counter[str]) -> str:
    """Why an example cannot be masked, or ""."""
    media = example.target
    if media is None:
        return "the end picture is missing, and a mask is for that"
    if media.media == "clip":
        return "a clip: only pictures are masked"
    entry = media.entry
    if entry.lfs:
        return "Git LFS has not fetched it: git lfs pull"
    if problem := entry.problem or known_reason(entry.path):
        return problem
    if not entry.size:
        return "the file is empty (0 bytes)"
    if roots[same_name(example.root)] > 1:
        return f"another picture has this name too: {target} would be the mask of both"
    if excluded(target):
        return f"exclude in album.toml matches {target}"
    if target in album.entries and (example.mask is None or target != example.mask.path):
        return f"{target} is there already, as something else: take it away first"
    return ""
