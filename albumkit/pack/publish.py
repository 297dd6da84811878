"""Three files that appear whole or not at all.

Each is written under a hidden name beside its target (``.NAME.zip.PID.partial``) and takes the target's
name in one move when all are complete. The archive goes first: should the process die before the manifest
follows, the sha256 in the manifest tells that the two do not belong together.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from albumkit.atomic import sync_folder
from albumkit.errors import PackRefused
from albumkit.pack.archive import is_ours

if sys.platform != "win32":
    import fcntl

MANIFEST_SCHEMA = "albumkit-pack/1"
REQUEST_SCHEMA = "albumkit-request/1"
_TRIES = 3


def beside(out: Path) -> tuple[Path, Path]:
    """``NAME.manifest.json`` and ``NAME.request.json`` for ``NAME.zip``."""
    return out.with_name(f"{out.stem}.manifest.json"), out.with_name(f"{out.stem}.request.json")


class Partial:
    """A file on its way to ``target``. A link stays a link: the file that it leads to is replaced.

    While it is open it is locked, which is how others tell it from what a killed process left behind: the
    system drops the lock with the process, whatever becomes of its number. Windows needs no lock: it deletes
    no open file.
    """

    def __init__(self, target: Path) -> None:
        self.target = Path(os.path.realpath(target))
        self.path = self.target.with_name(f".{self.target.name}.{os.getpid()}.partial")
        self.stream = self._create()
        self._is_published = False

    def _create(self) -> BinaryIO:
        for _ in range(_TRIES):
            sweep(self.path)
            try:
                stream = open(self.path, "x+b")  # noqa: SIM115 - closed by discard
            except FileExistsError:
                break
            if _lock(stream) and _is_at(stream, self.path):
                return stream
            stream.close()  # somebody's sweep came between creating and locking
        raise _busy(self.target)

    def sync(self) -> None:
        """Everything written so far reaches the disk."""
        self.stream.flush()
        os.fsync(self.stream.fileno())

    def publish(self) -> None:
        """Take the target's name, with the mode of the file that had it."""
        if os.name == "nt":
            self.stream.close()
        with contextlib.suppress(OSError):
            self.path.chmod(self.target.stat().st_mode & 0o7777)
        self.path.replace(self.target)
        self._is_published = True
        self.stream.close()

    def discard(self) -> None:
        """Close and remove what was not published."""
        with contextlib.suppress(OSError):
            self.stream.close()
        if not self._is_published:
            with contextlib.suppress(OSError):
                self.path.unlink()


class Publication:
    """The three partial files of one pack; leaving the block removes whatever did not become real.

    Raises:
        PackRefused: another pack is writing the same archive, or a file of that name is somebody else's.
        OSError: the folder cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self._targets = (out, *beside(out))
        for target, check in zip(self._targets, (is_ours, _is_manifest, _is_request), strict=True):
            _check_replaceable(target, check)
        self._open: list[Partial] = []

    def __enter__(self) -> Publication:
        try:
            for target in self._targets:
                self._open.append(Partial(target))
            for partial in self._open:
                _sweep_others(partial)
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._discard()

    @property
    def archive(self) -> Partial:
        """Where the zip is written."""
        return self._open[0]

    def publish(self, documents: Sequence[bytes]) -> None:
        """Write manifest and request, then give all three their names, the archive first.

        Raises:
            PackRefused: the archive is in place, and a document beside it could not be replaced.
            OSError: anything before that; nothing has changed then.
        """
        for partial, document in zip(self._open[1:], documents, strict=True):
            partial.stream.write(document)
            partial.sync()
        self.archive.publish()
        for partial in self._open[1:]:
            try:
                partial.publish()
            except OSError as error:
                name, reason = partial.target.name, error.strerror or error
                raise PackRefused(
                    f"{self.archive.target.name} is written, but {name} could not be replaced: {reason}.",
                    f"Close what holds {name} open and pack again.",
                ) from error
        sync_folder(self.archive.target.parent)

    def _discard(self) -> None:
        for partial in self._open:
            partial.discard()


def sweep(path: Path) -> bool:
    """Remove a partial file whose process is gone; False when one is still writing it."""
    try:
        stream = open(path, "r+b")  # noqa: SIM115 - closed below
    except OSError:
        return not path.exists()
    try:
        if not _lock(stream):
            return False
        if os.name == "nt":
            stream.close()
        path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    finally:
        stream.close()
    return True


def _sweep_others(partial: Partial) -> None:
    """What killed processes left for the same target; a living one is in our way, and we in its."""
    pattern = re.compile(rf"\.{re.escape(partial.target.name)}\.[0-9]+\.partial")
    for found in partial.target.parent.iterdir():
        if pattern.fullmatch(found.name) and found != partial.path and not sweep(found):
            raise _busy(partial.target)


def _lock(stream: BinaryIO) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: nobody can tell then, and two packs at once are rare
        return True
    return True


def _is_at(stream: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except OSError:
        return False


def _busy(target: Path) -> PackRefused:
    return PackRefused(f"Another pack is writing {target.name} right now.", "Wait until it is done.")


def _check_replaceable(target: Path, check: Callable[[Path], bool]) -> None:
    if target.is_dir():
        raise PackRefused(f"{target.as_posix()} is a folder.", "Give the archive another name with --out.")
    if target.exists() and not check(target):
        raise PackRefused(
            f"{target.as_posix()} is already there and was not written by pack.",
            "Move it away, or give the archive another name with --out.",
        )


def _is_manifest(path: Path) -> bool:
    return _schema_of(path).startswith("albumkit-pack/")


def _is_request(path: Path) -> bool:
    return _schema_of(path).startswith("albumkit-request/")


def _schema_of(path: Path) -> str:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return ""
    return str(document.get("schema", "")) if isinstance(document, dict) else ""
