"""Files that are written whole or not at all.

A file that holds a person's work must never be seen half written: not by a reader, not after a crash or a
full disk. So the bytes go into a hidden file beside it, onto the disk, and then take its name in one move.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from albumkit.errors import AlbumkitError

#: Errors of the disk itself, which surface while the caller writes.
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A stream (write, seek, read) whose bytes become ``path`` when the block ends without an exception.

    Until then an older file stays as it is; the new one has its mode. A link stays a link: the file that
    it leads to is replaced. Only a process killed outright leaves its hidden ``.tmp`` file behind.

    Raises:
        AlbumkitError: the folder is not there, not writable, the disk is full.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(8)}.albumkit.tmp")
    try:
        stream = open(temporary, "x+b")  # noqa: SIM115 - "x": the mode follows the umask; tempfile's is 0600
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        with stream:
            yield stream
            try:
                stream.flush()
                os.fsync(stream.fileno())
            except OSError as error:
                raise _unwritten(path, error) from error
        _take_the_name(temporary, target, path)
    except OSError as error:
        if error.errno in _FULL:
            raise _unwritten(path, error) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _take_the_name(temporary: Path, target: Path, path: Path) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
    except OSError as error:
        raise _unwritten(path, error) from error
    sync_folder(target.parent)


def _unwritten(path: Path, error: OSError) -> AlbumkitError:
    return AlbumkitError(f"{path.as_posix()} could not be written: {error.strerror or error}.")


def write_whole(path: Path, data: bytes) -> None:
    """Write or replace one file; errors as :func:`whole_file`."""
    with whole_file(path) as stream:
        stream.write(data)


def sync_folder(folder: Path) -> None:
    """Put the new name itself on the disk. Windows cannot open folders, some network drives cannot sync."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
