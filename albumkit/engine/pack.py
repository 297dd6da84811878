"""Reading a pack of the layout ``local``: a zip, or a folder that it was unpacked into.

``ROOT.ext`` with ``ROOT.txt``, ``masks/ROOT.png``, and ``ROOT_start.ext``, ``ROOT_end.ext`` for pairs.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from albumkit.errors import AlbumkitError
from albumkit.pack.papers import hash_album
from albumkit.trainer import Archive

_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Member:
    """One file of the pack; ``role`` as in the manifest: target, start, reference, mask, caption."""

    name: str
    root: str
    role: str
    sha256: str


@dataclass(frozen=True)
class Item:
    """One example as the pack holds it. ``hash`` is its identity: of pictures, caption and mask together."""

    root: str
    hash: str
    target: Member
    inputs: tuple[Member, ...]
    mask: Member | None
    caption: str


class OpenPack:
    """A pack whose files were named and hashed; pictures are read when they are needed."""

    def __init__(self, path: Path, archive: Archive) -> None:
        """Read names, captions and hashes.

        Raises:
            AlbumkitError: it is no pack of this layout, or an example has no caption.
        """
        self.path = path
        self._roles = _roles(archive)
        members = [member for name in self._names() if (member := self._member(name))]
        self.album_hash, hashes = hash_album(members)
        by_root: dict[str, list[Member]] = defaultdict(list)
        for member in members:
            by_root[member.root].append(member)
        self.items = tuple(self._item(root, hashes[root], by_root[root]) for root in sorted(by_root))
        if not self.items:
            raise AlbumkitError(f"{path.as_posix()}: there are no pictures in it.")

    def read(self, member: Member) -> bytes:
        """The bytes of one file."""
        if self.path.is_dir():
            return (self.path / member.name).read_bytes()
        with _open_zip(self.path) as archive:  # not kept open: Windows could not remove the file
            return archive.read(member.name)

    def _names(self) -> list[str]:
        if not self.path.is_dir():
            with _open_zip(self.path) as archive:
                return sorted(name for name in archive.namelist() if not name.endswith("/"))
        files = (file for file in self.path.rglob("*") if file.is_file())
        return sorted(file.relative_to(self.path).as_posix() for file in files)

    def _member(self, name: str) -> Member | None:
        for role, pattern in self._roles:
            if match := pattern.fullmatch(name):
                data = self.read(Member(name, "", role, ""))
                return Member(name, match["root"], role, hashlib.sha256(data).hexdigest())
        return None

    def _item(self, root: str, digest: str, members: list[Member]) -> Item:
        roles: dict[str, list[Member]] = defaultdict(list)
        for member in members:
            roles[member.role].append(member)
        if len(roles["target"]) != 1:
            raise AlbumkitError(
                f"{self.path.as_posix()}: {root} has {len(roles['target'])} pictures to learn."
            )
        if not roles["caption"]:
            raise AlbumkitError(f"{self.path.as_posix()}: {root} has no caption.", "pack the album again")
        return Item(
            root=root,
            hash=digest,
            target=roles["target"][0],
            inputs=(*roles["start"], *roles["reference"]),
            mask=roles["mask"][0] if roles["mask"] else None,
            caption=self.read(roles["caption"][0]).decode("utf-8").strip(),
        )


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise AlbumkitError(f"{path.as_posix()} cannot be read as a pack: {error}.") from error


def _roles(archive: Archive) -> list[tuple[str, re.Pattern[str]]]:
    """Which names play which part, the most telling first."""
    ending = rf"({'|'.join(map(re.escape, _PICTURES))})"
    stems: list[tuple[str, str]] = []
    if archive.pairs:
        pairs = archive.pairs
        stems = [("target", pairs.end), ("start", pairs.start), *(("reference", r) for r in pairs.references)]
    roles = [("mask", re.escape(archive.masks))] if archive.masks else []
    roles += [(role, re.escape(stem) + ending) for role, stem in stems]
    roles += [("caption", rf"ROOT{re.escape(archive.caption_suffix)}"), ("target", rf"ROOT{ending}")]
    return [(role, re.compile(text.replace("ROOT", r"(?P<root>[^/]+?)", 1))) for role, text in roles]
