"""An album with everything wrong that a fix can mend, and the short way from wanted fixes to files."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from albumkit.fix import Plan, make_plan
from albumkit.journal import Record, locked, perform
from albumkit.opening import OpenAlbum, open_album
from albumkit.settings import resolve

CONFIG = """\
# my cat
[album]
kind = "subject"
trigger_phrase = "TOK"        # the word
class_phrase = "ceramic cat"

[use]
prompts = ["a photo of TOK ceramic cat at the beach"]

[[lint.ignore]]
rule = "example/below-training-resolution"
paths = ["IMG 1.*"]
reason = "a scan"
"""
#: Every fix that needs no other program, and the files of the spoiled album that want it.
WANTED = {
    "encoding": ["IMG 1.jpg"],
    "trigger-case": ["b.jpg"],
    "location": ["IMG 1.jpg"],
    "extension": ["b.jpg"],
    "portable-name": ["IMG 1.jpg"],
    "trigger-absent": ["c.jpg", "d.jpg"],
    "exclude": ["e.jpg"],
}


def jpeg(shade: int = 0, size: tuple[int, int] = (32, 32), **save: object) -> bytes:
    return picture("JPEG", shade, size, **save)


def picture(kind: str, shade: int = 0, size: tuple[int, int] = (32, 32), **save: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (shade, 40, 90)).save(out, kind, **save)
    return out.getvalue()


def exif(orientation: int = 1, gps: bool = False) -> Image.Exif:
    """With a maker, so that a test can tell whether it stays."""
    block = Image.Exif()
    block[0x010F] = "ACME"
    if orientation != 1:
        block[0x0112] = orientation
    if gps:
        block[0x8825] = {1: "N", 2: (52.0, 31.0, 12.25), 3: "E", 4: (13.0, 24.0, 18.5)}
    return block


def put(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """Write files, text as UTF-8 without touching line ends."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def spoiled(folder: Path) -> Path:
    return put(
        folder,
        {
            "IMG 1.jpg": jpeg(1, exif=exif(gps=True)),
            "IMG 1.txt": "TOK ceramic cat before an \u00e9cru wall".encode("cp1252"),
            "IMG 1.AAE": b"<plist/>",
            "masks/IMG 1.png": picture("PNG", 255),
            "b.jpg": picture("PNG", 2),
            "b.txt": "tok ceramic cat, tok again\r\n",
            "c.jpg": jpeg(3),
            "c.txt": "a photo of a ceramic cat by a lake\n",
            "d.jpg": jpeg(4),
            "e.jpg": jpeg(4),
            "e.txt": "TOK ceramic cat twice",
            "metadata.jsonl": '{"file_name": "d.jpg", "text": "on a shelf", "n": 1}\n'
            '{"file_name":"IMG 1.jpg","text":"unused"}\n',
            "album.toml": CONFIG,
        },
    )


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of an album with its bytes and mode; where a link leads for a link. Ours are left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = (path.readlink().as_posix().encode(), -1)
        elif path.is_file() and not name.startswith(".albumkit"):
            found[name] = (path.read_bytes(), path.stat().st_mode)
    return found


def texts(folder: Path) -> dict[str, bytes]:
    return {name: data for name, (data, _) in files(folder).items()}


def draft(folder: Path, wanted: Mapping[str, Sequence[str]]) -> tuple[OpenAlbum, Plan]:
    opened = open_album(folder)
    return opened, make_plan(opened, resolve(opened.config, guessed_kind=opened.guessed_kind), wanted)


def write(folder: Path, plan: Plan, kind: str = "apply") -> Record:
    with locked(folder) as workplace:
        return perform(Path(os.path.realpath(folder)), workplace, kind, {}, plan.changes)


def apply(folder: Path, wanted: Mapping[str, Sequence[str]]) -> Plan:
    """Plan and write; what could not be planned is in the plan's refusals."""
    _, plan = draft(folder, wanted)
    if plan.changes:
        write(folder, plan)
    return plan


def said(plan: Plan) -> list[tuple[str, str]]:
    return [(edit.path, edit.words) for edit in plan.edits]
