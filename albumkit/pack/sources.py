"""Reading the album's files, and noticing when one is no longer what the album was read from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from albumkit.album import Album, Entry, FolderSource
from albumkit.errors import PackRefused
from albumkit.images import reason_of
from albumkit.pack.model import Unpackable, refuse_files

_CHUNK = 1 << 20
_AGAIN = "Let whatever writes there finish, then pack again."


def read_entry(album: Album, entry: Entry) -> bytes:
    """All of a file.

    Raises:
        Unpackable: it cannot be read.
        PackRefused: it vanished or has another size than when the album was read.
    """
    return b"".join(read_chunks(album, entry))


def read_chunks(album: Album, entry: Entry) -> Iterator[bytes]:
    """A file in pieces of a megabyte; errors as :func:`read_entry`."""
    if entry.problem:
        raise Unpackable(entry.problem)
    length = 0
    try:
        with album.source.open(entry) as stream:
            while chunk := stream.read(_CHUNK):
                length += len(chunk)
                yield chunk
    except FileNotFoundError as error:
        raise refuse_files(
            "While the album was packed a file vanished", [(entry.path, "")], _AGAIN
        ) from error
    except OSError as error:
        raise Unpackable(reason_of(error)) from error
    if length != entry.size:
        raise refuse_files("While the album was packed a file changed", [(entry.path, "")], _AGAIN)


def check_unchanged(album: Album, entries: Iterable[Entry]) -> None:
    """Compare size, time and inode of every used file with what they were when the album was read.

    Raises:
        PackRefused: naming the files that changed or vanished; the archive would be of no one moment.
    """
    if changed := album.source.changed(entries):
        raise refuse_files("Files changed while the album was packed", changed, _AGAIN)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def lfs_refusal(album: Album, paths: list[str]) -> PackRefused:
    """For files that are only Git LFS pointers, with the exact line that fetches them."""
    if not isinstance(album.source, FolderSource):
        remedy = "The zip was made before git lfs pull; fetch the files and make it again."
    else:
        remedy = f'git lfs pull --include "{album.lfs_include}"'
    return refuse_files("Git LFS has not fetched these files yet", [(path, "") for path in paths], remedy)
