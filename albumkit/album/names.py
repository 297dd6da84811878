"""File name conventions of albums: endings, sidecars, pair names, exclude globs."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

#: Endings of pictures that some trainer or phone uses.
PICTURES = frozenset(
    "jpg jpeg jpe jfif mpo png apng webp avif avifs tif tiff bmp dib gif heic heif hif".split()
)
#: Pictures that no trainer takes; read all the same, so that lint can say so.
RARE_PICTURES = frozenset(
    "blp bufr cur dcx dds emf eps fit fits flc fli fpx ftc ftu gbr grib h5 hdf icns ico im j2c j2k jp2 jpc "
    "jpf jpx jxl mic msp pbm pcd pcx pfm pgm pnm ppm psd pxr qoi ras rgb rgba bw sgi svg tga icb vda vst "
    "wal wmf xbm xpm".split()
)
#: Camera RAW: beside a picture of the same name a companion, alone a picture that nobody can train on.
RAW = frozenset("3fr arw cr2 cr3 crw dng erf kdc mrw nef nrw orf pef raf raw rw2 sr2 srf srw x3f".split())
VECTORS = frozenset("emf eps svg wmf".split())
CLIPS = frozenset("mp4 mov m4v mkv avi webm".split())
#: What a phone or an editor leaves beside a picture.
COMPANIONS = frozenset({"aae", "xmp"})
CAPTIONS = ("txt", "caption")
#: Folders that systems and tools fill for themselves, in lower case: resource forks, thumbnails of a NAS,
#: waste bins, cached latents and text embeddings of ai-toolkit.
JUNK_FOLDERS = frozenset(
    {"__macosx", "@eadir", "$recycle.bin", "system volume information", "_latent_cache", "_t_e_cache"}
    | {".ipynb_checkpoints", ".appledouble", ".spotlight-v100", ".trashes", ".fseventsd", ".thumbnails"}
)
_JUNK_NAMES = frozenset(
    "thumbs.db ehthumbs.db desktop.ini picasa.ini .ds_store .localized .picasa.ini .directory "
    ".aitk_size.json .bridgesort .bridgecache .bridgecachet".split()
) | {"icon\r"}
#: Half-written and left-behind files; npz: latents that sd-scripts caches beside the pictures.
_JUNK_ENDINGS = frozenset("tmp temp part partial crdownload download bak swp swo pyc npz".split())
_JUNK_STARTS = ("._", "~$", ".~lock.", ".nfs", ".fuse_hidden")
#: Windows keeps these for devices, whatever ending follows
#: (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
DEVICES = r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])"
DEVICE = re.compile(rf"{DEVICES}(?:\.|\Z)", re.IGNORECASE)

TARGET_FOLDERS = ("target", "main")
CONTROL_FOLDER = re.compile(r"control(?:_?([0-9]{1,3}))?\Z", re.IGNORECASE)
#: kohya's repeats; four digits are a year (``2024_holiday``).
KOHYA_FOLDER = re.compile(r"([0-9]{1,3})_(.+)\Z", re.DOTALL)
_PAIR = re.compile(r"(?P<root>.*)_(?P<role>start(?P<n>[2-9]|[1-9][0-9])?|end)\Z", re.IGNORECASE | re.DOTALL)


def split_name(path: str) -> tuple[str, str, str]:
    """``a/b/IMG.1.JPG`` -> (folder ``a/b``, stem ``IMG.1``, ending ``jpg`` in lower case)."""
    folder, _, name = path.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem:
        return folder, name, ""
    return folder, stem, ending.lower()


def passed_over(name: str) -> bool:
    """Whether a file or folder of this name is never looked at: hidden, or no part of any album."""
    return name.startswith(".") or name.lower() in JUNK_FOLDERS


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name is something that systems and tools leave behind."""
    low = name.lower()
    if low in _JUNK_NAMES or low in JUNK_FOLDERS or low.startswith(_JUNK_STARTS) or low.endswith("~"):
        return True
    return split_name(low)[2] in _JUNK_ENDINGS


def known_reason(path: str) -> str:
    """Why a file of this ending cannot be trained on however whole it is; "" when it could be."""
    ending = split_name(path)[2]
    if ending in RAW:
        return "camera RAW, which no trainer reads: develop it to JPEG or PNG"
    if ending in VECTORS:
        return "a vector graphic: export it as PNG"
    return ""


def join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def same_name(text: str) -> str:
    """Unicode composed form: macOS may store decomposed names, captions made elsewhere composed ones."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@dataclass(frozen=True, slots=True)
class PairName:
    """``vase_start2`` -> root ``vase``, role ``start``, number 2 (1 is the start image itself)."""

    root: str
    role: str
    number: int


def pair_name(stem: str) -> PairName | None:
    """The part that a name plays in an edit pair, or None."""
    match = _PAIR.fullmatch(stem)
    if not match or not match["root"]:
        return None
    if match["role"].lower() == "end":
        return PairName(match["root"], "end", 0)
    return PairName(match["root"], "start", int(match["n"] or 1))


class Excluder:
    """``exclude`` globs: ``*`` stays inside one folder, ``**`` does not; a pattern without ``/`` is
    matched against the name in every folder, one that starts with ``/`` or ``./`` only at the top; a
    pattern that matches a folder takes all that is in it. Case counts.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        self._match = _compiled(self.patterns) if patterns else None

    def __call__(self, path: str) -> bool:
        if self._match is None:
            return False
        return self._match.fullmatch(same_name(path)) is not None


@functools.cache
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{_glob_regex(same_name(p))})" for p in patterns), re.DOTALL)


def _glob_regex(pattern: str) -> str:
    pattern = re.sub(r"/{2,}", "/", pattern).rstrip("/")
    anywhere = "" if "/" in pattern else r"(?:.*/)?"
    pattern = pattern.removeprefix("./").lstrip("/")
    out, i = [], 0
    while i < len(pattern):
        if pattern.startswith("**/", i):
            out.append(r"(?:.*/)?")
            i += 3
        elif pattern.startswith("**", i):
            out.append(".*")
            i += 2
        elif pattern[i] == "*":
            out.append("[^/]*")
            i += 1
        elif pattern[i] == "?":
            out.append("[^/]")
            i += 1
        elif pattern[i] == "[" and (end := pattern.find("]", i + 2)) > 0:
            out.append(_class_regex(pattern[i + 1 : end]))
            i = end + 1
        else:
            out.append(re.escape(pattern[i]))
            i += 1
    return f"{anywhere}{''.join(out)}(?:/.*)?"


def _class_regex(body: str) -> str:
    """``[abc]``, ``[a-c]``, ``[!abc]``; what is no such class (``[z-a]``) stands for its own characters."""
    negated = body.startswith("!")
    inner = re.sub(r"([\\^\[&~|])", r"\\\1", body[negated:])
    found = f"[^/{inner}]" if negated else f"[{inner}]"
    try:
        re.compile(found)
    except re.error:
        return re.escape(f"[{body}]")
    return found
