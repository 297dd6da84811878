"""The zip file: written so that the same members give the same bytes, and read back before it counts."""

from __future__ import annotations

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO

from albumkit.errors import PackRefused
from albumkit.images import format_of, open_image
from albumkit.pack.model import PackedFile

#: The earliest time that a zip can say. A real one would make every archive differ.
_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_UNIX = 3
_CHUNK = 1 << 20


class ArchiveWriter:
    """Members stored without compression (pictures and clips are compressed already), one after another.

    Leaving the block writes the zip's directory.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED)

    def add(self, name: str, chunks: Iterable[bytes], size: int) -> str:
        """Write one member of ``size`` bytes; returns its sha256 in hex."""
        info = zipfile.ZipInfo(name, _TIME)
        info.compress_type = zipfile.ZIP_STORED
        info.create_system = _UNIX  # else the platform's own
        info.external_attr = _MODE
        info.file_size = size  # decides about 64-bit lengths before the first byte is written
        digest = hashlib.sha256()
        with self._zip.open(info, "w") as member:
            for chunk in chunks:
                digest.update(chunk)
                member.write(chunk)
        return digest.hexdigest()

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._zip.close()
            return
        with contextlib.suppress(Exception):  # a full disk again; what is written is thrown away
            self._zip.close()


def is_ours(path: Path) -> bool:
    """Whether a zip looks like one that pack wrote: stored members, all of 1980, all of one mode.

    Somebody's own backup that happens to have the archive's name does not.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return bool(members) and all(
        m.date_time == _TIME and m.compress_type == zipfile.ZIP_STORED and m.external_attr == _MODE
        for m in members
    )


def verify(path: Path, files: Sequence[PackedFile], captions: dict[str, str]) -> tuple[int, str]:
    """Open the archive anew and compare everything with what was meant to be written.

    Args:
        files: In the archive's order.
        captions: Text by member name.

    Returns:
        Its size in bytes and its sha256 in hex.

    Raises:
        PackRefused: anything differs: a failing disk or memory, or a bug of ours.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist()]
            if names != [file.name for file in files]:
                raise _differs("its list of files")
            for file in files:
                _verify_member(archive, file, captions)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise _differs(str(error)) from error
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in _chunks(stream):
            digest.update(chunk)
        return stream.tell(), digest.hexdigest()


def _verify_member(archive: zipfile.ZipFile, file: PackedFile, captions: dict[str, str]) -> None:
    digest, size, head = hashlib.sha256(), 0, io.BytesIO()
    whole = file.role == "caption" or file.width is not None
    with archive.open(file.name) as member:  # reading to the end checks the CRC
        for chunk in _chunks(member):
            digest.update(chunk)
            size += len(chunk)
            if whole:
                head.write(chunk)
    if (size, digest.hexdigest()) != (file.size, file.sha256):
        raise _differs(file.name)
    if file.role == "caption":
        if head.getvalue() != f"{captions[file.name]}\n".encode():
            raise _differs(file.name)
    elif whole:
        head.seek(0)
        with open_image(head) as image:
            endings = {"JPEG": ("jpg", "jpeg"), "PNG": ("png",), "WEBP": ("webp",)}.get(format_of(image), ())
            if image.size != (file.width, file.height) or file.name.rpartition(".")[2] not in endings:
                raise _differs(file.name)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


def _differs(what: str) -> PackRefused:
    return PackRefused(
        f"The archive did not read back as it was written: {what}. It was thrown away.",
        "Check the drive, or put the archive elsewhere with --out.",
    )
