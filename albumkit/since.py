"""Which findings concern the files that changed since a commit."""

from __future__ import annotations

from dataclasses import dataclass

from albumkit.album.names import split_name
from albumkit.git import Changes
from albumkit.lint import Finding
from albumkit.opening import OpenAlbum

#: Findings of these scopes are about the whole, which a change of any part may have spoilt.
_WHOLE = frozenset({"album", "settings", "knob"})


@dataclass(frozen=True, slots=True)
class Touched:
    """What changed in an album. ``everything``: its settings did, or the zip that it is.

    ``files`` holds the changed files of the album and all files of the examples that they belong to.
    """

    everything: bool
    files: frozenset[str]

    @classmethod
    def of(cls, opened: OpenAlbum, changes: Changes) -> Touched:
        """Errors as :meth:`albumkit.git.Changes.of`."""
        changed = changes.of(opened.path)
        place = opened.path.resolve()
        settings = {file.resolve() for file in opened.config.files} | {place}
        inside = {file.relative_to(place).as_posix() for file in changed if place in file.parents}
        entries = opened.album.entries
        gone = {_stem(path) for path in inside if path not in entries}
        files = set(inside)
        for example in opened.album.examples:
            paths = {one.path for one in example.media} | {one.path for one in example.companions}
            paths |= {example.mask.path} if example.mask else set()
            paths |= {example.caption.path} if example.caption else set()
            if not paths.isdisjoint(inside) or _stem(example.path) in gone:
                files |= paths
        if gone:  # what lost its picture, say
            files.update(path for path in entries if _stem(path) in gone)
        return cls(not settings.isdisjoint(changed), frozenset(files))

    def __bool__(self) -> bool:
        return self.everything or bool(self.files)

    def concerns(self, finding: Finding) -> bool:
        """Whether a finding may come from the change."""
        named = (finding.path, *finding.paths)
        return self.everything or finding.scope in _WHOLE or not self.files.isdisjoint(named)


def _stem(path: str) -> str:
    """The name that a picture and its sidecars share; a mask's without what marks it as one."""
    stem = split_name(path)[1]
    for mark in (".mask", "-masklabel"):
        stem = stem.removesuffix(mark)
    return stem
