"""Files made here: albums of one-byte files, and broken pictures of every format, cut, lying or noise.

Nothing is random between runs: seeds are fixed. ``build`` fills a folder and says what is what.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

from PIL import Image

#: ending -> Pillow's format and options of saving.
FORMATS: dict[str, tuple[str, dict[str, object]]] = {
    "jpg": ("JPEG", {"quality": 85}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 85}),
    "avif": ("AVIF", {}),
    "tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "tif": ("TIFF", {}),
    "bmp": ("BMP", {}),
    "gif": ("GIF", {}),
    "jp2": ("JPEG2000", {}),
}
#: Where files are cut, as parts of their length: in the header, early, half way, near the end.
CUTS = (0.02, 0.3, 0.6, 0.9)


def noise(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A picture that packs badly, so that a cut of the file is a cut of the pixels."""
    return Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))


def encoded(ending: str, seed: int = 1) -> bytes:
    """A whole picture of this ending's format."""
    name, options = FORMATS[ending]
    stream = io.BytesIO()
    noise(seed).save(stream, name, **options)
    return stream.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width: int, height: int, pixels: bytes = b"\0" * 64) -> bytes:
    """A PNG whose (intact) header claims a size that its few bytes never fill."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


def build(folder: Path) -> tuple[list[str], list[str]]:
    """Fill ``folder`` and return the names of its broken files and of their good neighbours."""
    broken: dict[str, bytes] = {}
    good: dict[str, bytes] = {}
    for number, ending in enumerate(FORMATS):
        whole = encoded(ending, number)
        good[f"good_{ending}.{ending}"] = whole
        for cut in CUTS:
            broken[f"cut_{ending}_{round(cut * 100):02}.{ending}"] = whole[: int(len(whole) * cut)]
    dice = random.Random(20)
    for ending in ("jpg", "png", "webp", "avif", "tiff", "bmp", "gif", "heic", "jp2"):
        broken[f"empty.{ending}"] = b""
        # The first byte keeps noise from passing for a TGA or PCX, which have hardly a signature.
        broken[f"noise.{ending}"] = b"\xfe" + dice.randbytes(3000)
    broken["text.jpg"] = b"<!doctype html><title>404 Not Found</title>"
    broken["pointer_like.png"] = b"version https://git-lfs.github.com/spec/v1\noid sha256:zz\n"
    broken["bomb.png"] = png_claiming(60000, 60000)
    broken["zero_wide.png"] = png_claiming(0, 64)
    broken["starved.png"] = png_claiming(96, 64)
    png = encoded("png", 50)
    middle = len(png) // 2
    broken["bit_rot.png"] = (
        png[:middle] + bytes(b ^ 0xFF for b in png[middle : middle + 40]) + png[middle + 40 :]
    )
    broken["bad_header_sum.png"] = png[:16] + b"\x00\x00\x01\x00" + png[20:]
    broken["screen_only.gif"] = b"GIF89a\x40\x00\x40\x00\x00\x00\x00;"
    broken["huge_screen.gif"] = b"GIF89a\xff\xff\xff\xff\x00\x00\x00;"
    # An offset to the first directory far behind the end, and a directory that points to itself.
    broken["nowhere.tiff"] = b"II*\x00\xff\xff\xff\x7f" + b"\0" * 32
    broken["circle.tiff"] = (
        b"II*\x00\x08\x00\x00\x00\x01\x00" + struct.pack("<HHII", 256, 4, 1, 8) + b"\x08\0\0\0"
    )
    broken["soi_only.jpg"] = b"\xff\xd8\xff"
    broken["no_scan.jpg"] = encoded("jpg", 51)[:200] + b"\xff\xd9"
    broken["riff.webp"] = b"RIFF\x10\x00\x00\x00WEBPVP8 \x00\x00\x00\x00"
    broken["ftyp.heic"] = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
    broken["ftyp.avif"] = b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1avifmiaf"
    # A right picture under a wrong ending is whole; Pillow goes by content.
    good["really_a_png.jpg"] = encoded("png", 52)
    good["really_a_jpeg.png"] = encoded("jpg", 53)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in {**broken, **good}.items():
        (folder / name).write_bytes(data)
    return sorted(broken), sorted(good)


def fill(folder: Path, *names: str, **texts: str) -> Path:
    """One-byte files, and text files given as ``name_txt="..."``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for name, text in texts.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_bytes(text.encode())
    return folder
