"""Single moves of files that a crash cannot split and that overwrite nothing."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from pathlib import Path


def digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_new(path: Path, data: bytes) -> None:
    """A file that must not be there yet, on the disk when this returns."""
    with open(path, "xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def keep(original: Path, place: Path) -> None:
    """The same bytes under a second name: a hard link, which costs nothing, else a copy.

    A file that has other names already is copied: somebody who writes through one of those would change
    what we keep.
    """
    if original.lstat().st_nlink == 1:
        with contextlib.suppress(OSError, NotImplementedError):  # FAT, network drives, foreign owners
            os.link(original, place, follow_symlinks=False)
            return
    shutil.copy2(original, place)
    handle = os.open(place, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(source: Path, target: Path, aside: Path) -> None:
    """Give a file another name on the same disk; a link stays a link.

    A hard link followed by taking the old name away never overwrites, whoever else writes there meanwhile;
    where there are no hard links the free name is looked for first. Where case does not count (macOS,
    Windows) ``img.jpg`` is in the way of ``IMG.jpg``, so such a name goes by way of ``aside``.

    Raises:
        FileExistsError: another file has the name.
    """
    if _is_one_entry(source, target):
        source.rename(aside)
        aside.rename(target)
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        source.rename(target)
        return
    source.unlink()


def move_back(source: Path, target: Path, aside: Path) -> str:
    """Undo :func:`move` wherever it was interrupted; doing it twice does no harm.

    Returns:
        "" or why it could not be done.
    """
    if os.path.lexists(aside):
        aside.rename(source)
    elif not is_there(target):
        return "" if is_there(source) else "it is under neither of its names"
    elif not is_there(source):
        move(target, source, aside)
    elif os.path.samestat(source.lstat(), target.lstat()):
        target.unlink()  # it died between the link and taking the old name away
    return ""


def is_there(path: Path) -> bool:
    """Whether a file has exactly this name, which lexists does not tell where case does not count."""
    if not os.path.lexists(path):
        return False
    try:
        return path.name in os.listdir(path.parent)
    except OSError:
        return True


def _is_one_entry(source: Path, target: Path) -> bool:
    """Whether the file system takes both names for the same one."""
    if source.parent != target.parent or source.name.casefold() != target.name.casefold():
        return False
    try:
        same = os.path.samestat(source.lstat(), target.lstat())
    except OSError:
        return False
    return same and not is_there(target)
