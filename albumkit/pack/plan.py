"""From an album to the members of its archive: which, under which names, made how."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from albumkit.album import Album, Entry, Example, MediaFile
from albumkit.album.names import split_name
from albumkit.pack.captions import CaptionText, caption_texts
from albumkit.pack.model import Change, Unpackable, refuse_files
from albumkit.pack.names import Wish, allot_roots, is_fine
from albumkit.pack.recipe import Recipe, inspect, inspect_mask
from albumkit.pack.sources import read_entry
from albumkit.settings import Settings
from albumkit.trainer import Archive, Trainer

#: Endings that stay; any other of the format becomes the first.
_ENDINGS = {"JPEG": ("jpg", "jpeg"), "PNG": ("png",), "WEBP": ("webp",)}


@dataclass(frozen=True, slots=True)
class Item:
    """One member to write. Exactly one of ``recipe`` (a picture), ``mask_size`` (a mask), ``text`` (a
    caption) is set, none for a clip. ``entry`` is where its bytes or text come from, if from a file.
    """

    name: str
    root: str
    role: str
    source: Entry | None
    changes: tuple[Change, ...] = ()
    recipe: Recipe | None = None
    mask_size: tuple[int, int] | None = None
    text: bytes | None = None
    line: int | None = None
    #: What it costs to decode, in pixels.
    pixels: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Members sorted by name; ``captions`` by ROOT; ``left_out``: what stays behind, and why."""

    items: tuple[Item, ...]
    roots: tuple[str, ...]
    captions: dict[str, str]
    left_out: tuple[tuple[str, str], ...] = ()


def make_plan(album: Album, settings: Settings, background: str) -> Plan:
    """Names and treatment of everything, decided before a pixel is decoded.

    Raises:
        PackRefused: files that cannot be read, named all at once.
    """
    archive = settings.trainer.archive
    recipes = _recipes(album, settings.trainer, background)
    masks = _mask_items(album, archive, recipes)
    captions = caption_texts(album, settings)
    roots = _roots(album, archive)
    items: list[Item] = []
    left_out: list[tuple[str, str]] = []
    for example, root in zip(album.examples, roots, strict=True):
        items += _media_items(example, root, archive, recipes)
        if (caption := captions.get(example.path)) is not None:
            items.append(_caption_item(album, root, archive, caption))
        left_out += _left_out(example, archive)
        if archive.masks and (mask := masks.get(example.path)):
            items.append(replace(mask, name=archive.masks.replace("ROOT", root), root=root))
    left_out += [(e.path, "belongs to no picture") for e in (*album.orphan_captions, *album.orphan_masks)]
    items.sort(key=lambda item: item.name)
    by_root = {
        root: captions[example.path].text
        for example, root in zip(album.examples, roots, strict=True)
        if example.path in captions
    }
    return Plan(tuple(items), tuple(roots), dict(sorted(by_root.items())), tuple(sorted(set(left_out))))


def _recipes(album: Album, trainer: Trainer, background: str) -> dict[str, Recipe]:
    accepted = trainer.media.images.formats if trainer.media.images else ()
    found: dict[str, Recipe] = {}
    failures = []
    for media in album.media:
        if media.media != "image":
            continue
        try:
            found[media.path] = inspect(read_entry(album, media.entry), media.path, accepted, background)
        except Unpackable as error:
            failures.append((media.path, str(error)))
    if failures:
        raise refuse_files("Some pictures cannot be packed", failures)
    return found


def _mask_items(album: Album, archive: Archive, recipes: dict[str, Recipe]) -> dict[str, Item]:
    """Masks by the path of their example, still without a name."""
    found: dict[str, Item] = {}
    failures = []
    for example in album.examples:
        target = recipes.get(example.target.path) if example.target else None
        if not (archive.masks and example.mask and target):
            continue
        size = (target.width, target.height)
        try:
            pixels = inspect_mask(read_entry(album, example.mask), size)
        except Unpackable as error:
            failures.append((example.mask.path, str(error)))
        else:
            found[example.path] = Item("", "", "mask", example.mask, mask_size=size, pixels=pixels)
    if failures:
        raise refuse_files("Some masks cannot be packed", failures)
    return found


def _roots(album: Album, archive: Archive) -> list[str]:
    wishes = []
    for example in album.examples:
        folder, stem, _ = split_name(f"{example.root}.x")
        ending = split_name(example.path)[2]
        if example.is_pair and archive.pairs:
            room = max(map(len, (archive.pairs.start, archive.pairs.end, *archive.pairs.references))) + 1
        else:
            room = 5
        if archive.masks and example.mask:
            room = max(room, len(archive.masks.rpartition("/")[2]) - len("ROOT"))
        wishes.append(Wish(folder, stem, ending, room))
    return allot_roots(wishes, misread_endings(archive))


def misread_endings(archive: Archive) -> re.Pattern[str] | None:
    """Ends of a ROOT that this trainer takes for a side of a pair or for a mask."""
    stems = [archive.pairs.start, archive.pairs.end, *archive.pairs.references] if archive.pairs else []
    if archive.masks and "/" not in archive.masks:
        stems.append(archive.masks.rpartition(".")[0])
    ends = sorted({re.escape(stem.removeprefix("ROOT").rstrip("0123456789")) for stem in stems})
    return re.compile(rf"(?:{'|'.join(ends)})[0-9]*\Z", re.IGNORECASE) if ends else None


def _media_items(example: Example, root: str, archive: Archive, recipes: dict[str, Recipe]) -> list[Item]:
    stems: list[tuple[MediaFile | None, str]]
    if example.is_pair and archive.pairs:
        pairs = archive.pairs
        patterns = (pairs.end, pairs.start, *pairs.references[: len(example.references)])
        sides = (example.target, example.start, *example.references)
        stems = [(m, p.replace("ROOT", root)) for m, p in zip(sides, patterns, strict=True)]
    else:
        stems = [(example.target, root)]
    return [_media_item(m, stem, root, recipes) for m, stem in stems if m is not None]


def _media_item(media: MediaFile, stem: str, root: str, recipes: dict[str, Recipe]) -> Item:
    folder, own_stem, own_ending = split_name(media.path)
    recipe = recipes.get(media.path)
    stored = own_ending
    if recipe is not None:
        usual = _ENDINGS[recipe.format]
        stored = own_ending if own_ending in usual else usual[0]
    name = f"{stem}.{stored}"
    changes = recipe.changes if recipe else ()
    converted = recipe is not None and recipe.format != recipe.stored_format
    if why := _why_renamed(media.path, folder, own_stem, stem, converted, name):
        changes = (*changes, Change("renamed", why))
    return Item(name, root, media.role, media.entry, changes, recipe, pixels=recipe.pixels if recipe else 0)


def _why_renamed(path: str, folder: str, own_stem: str, stem: str, converted: bool, name: str) -> str:
    """The reason for a new name; "" where only a conversion gave the picture another ending."""
    if folder:
        return "the trainer reads one flat folder"
    if stem == own_stem:
        if converted or name == path:
            return ""
        return "some trainers pass over unusual endings and capitals"
    if not is_fine(own_stem):
        return "only ASCII letters, digits and . _ - are safe everywhere"
    return "the trainer would read the name otherwise, or another file has it"


def _caption_item(album: Album, root: str, archive: Archive, caption: CaptionText) -> Item:
    entry = album.entries.get(caption.path) if caption.path else None
    return Item(
        f"{root}{archive.caption_suffix}",
        root,
        "caption",
        entry,
        caption.changes,
        text=caption.data,
        line=caption.line,
    )


def _left_out(example: Example, archive: Archive) -> list[tuple[str, str]]:
    out = [(entry.path, "lies beside a picture; trainers do not read it") for entry in example.companions]
    out += [(c.path, "another caption of the same picture came first") for c in example.other_captions]
    if example.mask and not archive.masks:
        out.append((example.mask.path, "this trainer takes no masks"))
    return out
