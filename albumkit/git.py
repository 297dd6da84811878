"""What git knows of albums: the files in its index, and those that changed since a commit."""

from __future__ import annotations

import bisect
import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from albumkit.album import expand, names
from albumkit.album.find import CONFIG_NAME
from albumkit.errors import UsageError


class Index:
    """What git's index holds, asked once per repository.

    In the middle of a commit that is what the commit will hold: GIT_INDEX_FILE, which git gives to its
    hooks, is then another index than the repository's own (``git commit -a``, ``git commit FILE``).
    """

    def __init__(self) -> None:
        self._known: dict[Path, list[str]] = {}

    def albums(self, paths: Sequence[Path]) -> list[tuple[Path, frozenset[str] | None]]:
        """The albums that the paths name, each with its files in the index (relative to it).

        A folder is an album by what git holds of it: a stray picture beside three albums does not make
        one album of them all. Repositories inside of the named ones (submodules, clones) are passed over:
        a commit here cannot mend them. There may be none at all.

        Raises:
            UsageError: a path is not there or lies in no git repository, or git does not answer.
        """
        found: dict[Path, tuple[Path, frozenset[str] | None]] = {}
        albums = expand(paths)
        named = {self._top(path) for path in paths}
        for path in albums:
            for album in self._held(path) if self._top(path) in named else ():
                found.setdefault(album.resolve(), (album, self._of(album)))
        return list(found.values())

    def _held(self, path: Path) -> Iterator[Path]:
        """The path, when what makes it an album is in the index; else the albums below it."""
        files = self._of(path)
        here = [file for file in files if "/" not in file]
        shared = any(file.endswith(f"/{CONFIG_NAME}") for file in files)
        if path.is_file() or any(map(_is_media, here)) or (CONFIG_NAME in here and not shared):
            if files:
                yield path
        elif self._has_strays(path):
            below = {file.partition("/")[0] for file in files if "/" in file and not file.startswith(".")}
            for album in expand(sorted(path / name for name in below if (path / name).is_dir())):
                yield from self._held(album)
        elif any(map(_is_media, files)):
            yield path

    @staticmethod
    def _has_strays(folder: Path) -> bool:
        """Whether an album.toml or pictures lie here (which git, so says the caller, does not hold)."""
        try:
            return any(name == CONFIG_NAME or _is_media(name) for name in os.listdir(folder))
        except OSError:
            return False

    def _of(self, album: Path) -> frozenset[str]:
        top = self._top(album)
        if top not in self._known:
            self._known[top] = self._ask(top)
        files = self._known[top]
        inside = album.resolve().relative_to(top).as_posix()
        if album.is_file():
            return frozenset({album.name} if inside in files else ())
        if inside == ".":
            return frozenset(files)
        first, last = (bisect.bisect_left(files, f"{inside}{after}") for after in "/0")  # "0" follows "/"
        return frozenset(file[len(inside) + 1 :] for file in files[first:last])

    def _top(self, path: Path) -> Path:
        folder = (path if path.is_dir() else path.parent).resolve()
        top = repository(folder)
        if top is None:
            raise UsageError(f"{path.as_posix()} is in no git repository, so nothing is tracked.")
        return top

    def _ask(self, top: Path) -> list[str]:
        return _names(top, f"git could not list the files of {top.as_posix()}", "ls-files", "-z", "--cached")


class Changes:
    """The files that changed since a commit: in later commits, index and working tree, and new ones.

    Changed since ``ref`` means since the point where the current branch left it: what a pull request holds.
    """

    def __init__(self, ref: str, *, tracked: bool = False) -> None:
        self._ref = ref
        self._tracked = tracked
        self._known: dict[Path, list[str]] = {}

    def of(self, path: Path) -> frozenset[Path]:
        """Changed files at or below an album's path, deleted ones too, as resolved paths.

        Raises:
            UsageError: no git repository, or a ref that it does not know.
        """
        place = path.resolve()
        top = repository(place if place.is_dir() else place.parent)
        if top is None:
            raise UsageError(f"{path.as_posix()} is in no git repository, so --since has no meaning there.")
        if top not in self._known:
            self._known[top] = self._ask(top)
        return frozenset(top / name for name in self._known[top])

    def _ask(self, top: Path) -> list[str]:
        trouble = f"git does not know {self._ref} in {top.as_posix()}"
        commit = _git(top, trouble, "rev-parse", "--verify", "--end-of-options", f"{self._ref}^{{commit}}")
        base = _git(top, trouble, "merge-base", commit.decode().strip(), "HEAD").decode().strip()
        stage = ("--cached",) if self._tracked else ()
        files = _names(top, trouble, "diff", "--name-only", "-z", "--no-renames", *stage, base, "--")
        if not self._tracked:
            files += _names(top, trouble, "ls-files", "-z", "--others", "--exclude-standard")
        return files


#: What git tells its hooks about their repository, and what would mislead it about any other.
_OF_ONE_REPOSITORY = (
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)


def _names(top: Path, trouble: str, *words: str) -> list[str]:
    """File names that a git command prints with ``-z``, sorted."""
    printed = _git(top, trouble, *words).decode("utf-8", "surrogateescape")
    files = [name for name in printed.split("\0") if name]
    if sys.platform == "darwin":  # git composes accents there (core.precomposeunicode), the disk need not
        files += [unicodedata.normalize("NFD", name) for name in files if not name.isascii()]
    return sorted(set(files))


def _git(top: Path, trouble: str, *words: str) -> bytes:
    own = repository(Path.cwd().resolve()) == top
    env = {k: v for k, v in os.environ.items() if own or k not in _OF_ONE_REPOSITORY}
    try:
        done = subprocess.run(["git", "-C", str(top), *words], capture_output=True, check=True, env=env)
    except OSError as error:
        raise UsageError(f"git cannot be run: {error.strerror}.", "Install git.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().replace("\n", "\n  ")
        raise UsageError(f"{trouble}:\n  {said or 'it shares no commit with HEAD'}") from error
    return done.stdout


def repository(folder: Path) -> Path | None:
    """The nearest folder with a ``.git``: a folder, or a file in worktrees and submodules."""
    if (folder / ".git").exists():
        return folder
    return None if folder == folder.parent else repository(folder.parent)


def _is_media(path: str) -> bool:
    """A picture or clip by its name, outside of hidden folders."""
    return "/." not in f"/{path}" and names.split_name(path)[2] in names.PICTURES | names.CLIPS
