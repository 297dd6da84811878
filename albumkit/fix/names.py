"""``extension`` and ``portable-name``: files renamed with everything that belongs to them."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence

from albumkit.album import Example, MediaFile
from albumkit.album.names import join, pair_name, same_name, split_name
from albumkit.fix.draft import Cannot, Draft, Refusal, files_of
from albumkit.fix.references import update_references
from albumkit.images import FORMAT_NAMES, read_header
from albumkit.pack.names import LONGEST_NAME, portable

EXTENSION, PORTABLE = "extension", "portable-name"
#: Pillow's format name -> the endings that tell it, the usual one first.
ENDINGS = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif", "mpo"),
    "PNG": ("png", "apng"),
    "WEBP": ("webp",),
    "GIF": ("gif",),
    "TIFF": ("tif", "tiff"),
    "BMP": ("bmp", "dib"),
    "HEIF": ("heic", "heif", "hif"),
    "AVIF": ("avif", "avifs"),
    "JPEG2000": ("jp2", "j2k", "j2c", "jpc", "jpf", "jpx"),
}
_MASKS = (".mask", "-masklabel")
#: Room for the longest ending that may follow: ``_start9.jpeg``, ``-masklabel.png``.
_ROOM = 16


def plan_extension(draft: Draft, paths: Sequence[str]) -> None:
    """The ending that the content asks for. Sidecars share the ROOT, so only those that repeat the whole name
    (Lightroom's ``IMG_1.jpg.xmp``) move too.
    """
    wanted = set(paths)
    moved: dict[str, str] = {}
    chosen = [(e, m) for e in draft.examples(paths) for m in e.media if m.path in wanted]
    with draft.refusing(EXTENSION, ""), draft.together():
        for example, media in chosen:
            with draft.refusing(EXTENSION, media.path):
                moved.update(_rename_ending(draft, example, media))
        update_references(draft, EXTENSION, moved)


def _rename_ending(draft: Draft, example: Example, media: MediaFile) -> dict[str, str]:
    if media.media != "image":
        raise Cannot("not a picture: rename it yourself")
    header = read_header(io.BytesIO(draft.read(media.path)))
    endings = ENDINGS.get(header.format)
    if header.error or endings is None:
        raise Cannot(header.error or f"no ending is known for {header.format}")
    now = draft.now(media.path)
    folder, stem, ending = split_name(now)
    if ending in endings:
        return {}
    names = {media.path: join(folder, f"{stem}.{endings[0]}")}
    for entry in example.companions:
        if entry.path.startswith(f"{media.path}."):
            names[entry.path] = names[media.path] + entry.path.removeprefix(media.path)
    words = f"it is {FORMAT_NAMES.get(header.format, header.format)}"
    return _rename(draft, EXTENSION, media.path, names, words)


def plan_portable(draft: Draft, paths: Sequence[str]) -> None:
    """Names that every system and archive takes: the picture, its captions, masks, Live Photo half,
    companions and the other sides of its pair, all under one new ROOT.
    """
    groups: dict[str, list[Example]] = defaultdict(list)
    flagged = set()
    for example in draft.examples(paths):
        flagged.add(same_name(example.root).casefold())
    for example in draft.album.examples:  # a.jpg and a.png share their sidecars
        if (root := same_name(example.root).casefold()) in flagged:
            groups[root].append(example)
    known = {path for example in draft.album.examples for path in files_of(example)}
    for path in set(paths) - known:
        draft.refusals.append(Refusal(PORTABLE, path, "it belongs to no picture: rename it yourself"))
    moved: dict[str, str] = {}
    with draft.refusing(PORTABLE, ""), draft.together():
        for examples in groups.values():
            with draft.refusing(PORTABLE, examples[0].path):
                moved.update(_rename_root(draft, examples))
        update_references(draft, PORTABLE, moved)


def _rename_root(draft: Draft, examples: Sequence[Example]) -> dict[str, str]:
    first = examples[0]
    stem = first.root.rpartition("/")[2]
    files = dict.fromkeys(path for example in examples for path in files_of(example))
    files |= dict.fromkeys(_strays(draft, stem, {path.rpartition("/")[0] for path in files}))
    rests = {}
    for path in files:
        folder, _, name = draft.now(path).rpartition("/")
        rests[path] = (folder, _behind(name, stem))
    plain = portable(portable(stem)[: LONGEST_NAME - _ROOM])
    if plain == stem:
        raise Cannot("its name is portable; rename the folder that it lies in yourself")
    pair = pair_name(stem) is None and not any(example.is_pair for example in examples)
    number = 1
    while number < 1000:
        root = plain if number == 1 else f"{plain}-{number}"
        names = {path: join(folder, root + rest) for path, (folder, rest) in rests.items()}
        if not (pair and pair_name(root)) and not root.lower().endswith(_MASKS) and _all_free(draft, names):
            return _rename(draft, PORTABLE, first.path, names, "")
        number += 1
    raise Cannot(f"every name like {plain} is taken")


def _all_free(draft: Draft, names: dict[str, str]) -> bool:
    own = {same_name(draft.now(path)).casefold() for path in names}
    return all(draft.is_free(new) or same_name(new).casefold() in own for new in names.values())


def _strays(draft: Draft, stem: str, folders: set[str]) -> list[str]:
    """Files of other programs that share the ROOT (caches, a second mask): they belong together too."""
    wanted = {same_name(stem + mask).casefold() for mask in ("", *_MASKS)}
    found = []
    for entry in draft.album.others:
        folder, own, _ = split_name(entry.path)
        if folder in folders and same_name(own).casefold() in wanted:
            found.append(entry.path)
    return found


def _behind(name: str, stem: str) -> str:
    """What follows the stem in a name that may spell it in another case or another Unicode form."""
    wanted = same_name(stem).casefold()
    for length in range(1, len(name) + 1):
        if same_name(name[:length]).casefold() == wanted and not _is_accent(name[length : length + 1]):
            return name[length:]
    raise Cannot(f"{name} belongs to it, but is named otherwise: rename it yourself")


def _is_accent(char: str) -> bool:
    return len(same_name(f"e{char}")) == 1 and bool(char)


def _rename(draft: Draft, fix: str, path: str, names: dict[str, str], words: str) -> dict[str, str]:
    """Rename in the draft; gives old name -> new name as references have to follow them."""
    before = {old: draft.now(old) for old in names}
    names = {old: new for old, new in names.items() if before[old] != new}
    draft.rename(names)
    rest = sorted(before[old] for old in names if old != path)
    with_them = f" (with {', '.join(rest)})" if rest else ""
    said = f": {words}" if words else ""
    main = names.get(path)
    if main is not None:
        draft.note(fix, before[path], f"-> {main.rpartition('/')[2]}{with_them}{said}")
    else:
        for old, new in names.items():
            draft.note(fix, before[old], f"-> {new.rpartition('/')[2]}")
    return {before[old]: new for old, new in names.items()}
