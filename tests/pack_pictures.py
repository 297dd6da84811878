"""Pictures, profiles and albums that the tests of pack are made of."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from albumkit.opening import open_album
from albumkit.pack import Pack, write_pack
from albumkit.settings import Settings, resolve

KLEIN = "fal-ai/flux-2-klein-9b-base-trainer"
EDIT = "fal-ai/flux-2-klein-9b-base-trainer/edit"
LTX = "fal-ai/ltx23-video-trainer"
RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 190, 40), (40, 50, 210), (128, 128, 128)

#: What has to be done to an upright picture so that a viewer that honours the orientation shows it again.
UNTURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def quarters(width: int = 48, height: int = 32) -> Image.Image:
    """Four plain colours, so that every turn and mirroring can be told from any other."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    picture.paste(GREY, (width // 2, height // 2, width, height))
    return picture


def corners(picture: Image.Image) -> list[tuple[int, ...]]:
    """The colour in the middle of each quarter: left top, right top, left bottom, right bottom."""
    rgb = picture.convert("RGB")
    spots = [(x * rgb.width // 4, y * rgb.height // 4) for y in (1, 3) for x in (1, 3)]
    return [tuple(rgb.getpixel(spot)) for spot in spots]


def is_close(a: Any, b: Any, most: int = 6) -> bool:
    """Whether colours, or lists of them, differ by at most so many levels."""
    if isinstance(a, int):
        return abs(a - b) <= most
    return all(is_close(x, y, most) for x, y in zip(a, b, strict=True))


def encoded(picture: Image.Image, format_name: str, **save: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format_name, **save)
    return out.getvalue()


def exif(orientation: int = 1, location: bool = False) -> Image.Exif:
    made = Image.Exif()
    made[ExifTags.Base.Orientation] = orientation
    made[ExifTags.Base.Make] = "a camera"
    if location:
        made.get_ifd(ExifTags.IFD.GPSInfo).update(
            {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 0.0)}
        )
    return made


def decoded(data: bytes) -> Image.Image:
    """Pixels as they are stored: nobody turns them by metadata here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow speaks of odd metadata
        picture = Image.open(io.BytesIO(data))
        picture.load()
    return picture


def _profile(colour_space: bytes, device: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2.1 from its tags (ICC.1:2001-04)."""
    text = b"test profile\0"
    described = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061),
        **tags,
    }
    table, body, at = b"", b"", 128 + 4 + 12 * len(described)
    for name, data in described.items():
        padded = data + b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += padded
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02100000, device, colour_space, pcs)
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp")
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(described)) + table + body


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in (x, y, z)))


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def wide_profile() -> bytes:
    """Display P3's primaries, adapted to D50, with a plain gamma of 2.2."""
    curve = _gamma(2.2)
    return _profile(
        b"RGB ",
        b"mntr",
        b"XYZ ",
        {
            b"rXYZ": _xyz(0.51512, 0.24120, -0.00105),
            b"gXYZ": _xyz(0.29198, 0.69225, 0.04189),
            b"bXYZ": _xyz(0.15710, 0.06657, 0.78407),
            b"rTRC": curve,
            b"gTRC": curve,
            b"bTRC": curve,
        },
    )


def grey_profile(gamma: float = 1.0) -> bytes:
    """Grey whose middle is far from sRGB's."""
    return _profile(b"GRAY", b"mntr", b"XYZ ", {b"kTRC": _gamma(gamma)})


def cmyk_profile() -> bytes:
    """A press on which every ink only darkens: lightness from the four inks, no colour."""
    ramp = bytes(range(256))
    nodes = b""
    for node in range(16):
        inks = [(node >> shift) & 1 for shift in (3, 2, 1, 0)]
        light = max(0, 255 - 60 * inks[0] - 60 * inks[1] - 60 * inks[2] - 255 * inks[3])
        nodes += bytes((light, 128, 128))
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + ramp * 4 + nodes + ramp * 3
    return _profile(b"CMYK", b"prtr", b"Lab ", {b"A2B0": table})


def put(folder: Path, files: dict[str, bytes | str]) -> Path:
    """Write files below a folder, making the folders between."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def link(path: Path, target: Path) -> None:
    """A symbolic link, where the system lets us make one."""
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("no symbolic links here")


def as_zip(file: Path, files: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file


def settings_for(path: Path, trainer: str | None = KLEIN, **overrides: Any) -> Settings:
    opened = open_album(path)
    return resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=trainer, overrides=overrides)


def pack(
    path: Path, out: Path, trainer: str | None = KLEIN, set_: dict[str, Any] | None = None, **how: Any
) -> Pack:
    """Open an album as the command does and pack it."""
    opened = open_album(path)
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=trainer, overrides=set_ or {})
    return write_pack(opened.album, settings, out, **how)


def members(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def pack_one(
    folder: Path, name: str, data: bytes, trainer: str = KLEIN, **how: Any
) -> tuple[bytes, Any, str]:
    """Pack an album of one picture; returns its bytes in the archive, its PackedFile and its new name."""
    album = put(folder / "album", {name: data})
    made = pack(album, folder / "made.zip", trainer, **how)
    (file,) = made.files
    return members(made.archive)[file.name], file, file.name


def picture(number: int = 0, kind: str = "JPEG", **save: Any) -> bytes:
    """No two numbers give the same bytes."""
    shade = (number * 37 % 256, number * 11 % 256, number // 7 % 256)
    return encoded(Image.new("RGB", (40, 30), shade), kind, **save)


def varied(folder: Path) -> Path:
    """Everything that makes pack work: formats, turns, profiles, captions of all kinds, folders."""
    files: dict[str, bytes | str] = {"album.toml": '[album]\nkind = "subject"\ntrigger_phrase = "TOK"\n'}
    for number in range(12):
        kind, ending = [("JPEG", "JPG"), ("PNG", "png"), ("BMP", "bmp"), ("WEBP", "webp")][number % 4]
        save = {"exif": exif(number % 8 + 1, location=True)} if kind != "BMP" else {}
        files[f"n{number % 3}/IMG {number}.{ending}"] = picture(number, kind, **save)
        files[f"n{number % 3}/IMG {number}.txt"] = f"TOK number {number}"
    return put(folder, files)


def triggered(folder: Path, **files: str) -> Path:
    toml = '[album]\ntrigger_phrase = "TOK"\n[train.local]\nbase = "b"\n'
    toml += 'default_caption = "a photo of [trigger]"\n'
    return put(folder, {"album.toml": toml, "a.jpg": picture(1), "b.jpg": picture(2), **files})
