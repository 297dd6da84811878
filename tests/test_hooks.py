"""The hook under real pre-commit: real commits in a repository of albums, judged by a hook environment that
pre-commit itself builds from a local clone of this working tree.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from checkout import copy_checkout
from conftest import write_picture
from filelock import FileLock
from repositories import SIZE, add_album, call, git, new_repository

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

CONFIG = """\
repos:
  - repo: {repo}
    rev: {rev}
    hooks:
      - id: albumkit-lint
        verbose: true
"""


@dataclass(frozen=True)
class Hooked:
    """A repository of two good albums with the hook installed, and how long its environment took."""

    template: Path
    environments: Path
    seconds: float


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Hooked:
    """Clone, install and first commit, once for all processes of a run; tests work on copies."""
    base = tmp_path_factory.getbasetemp().resolve()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "hook"
    note = base / "seconds"
    with FileLock(f"{base}.lock"):
        if not note.exists():
            note.write_text(str(build_environment(base)))
    return Hooked(base / "albums", base / "pre-commit", float(note.read_text()))


def build_environment(base: Path) -> float:
    """Let pre-commit install the hook from a clone of this tree; the seconds that took."""
    shutil.rmtree(base, ignore_errors=True)
    source = new_repository(copy_checkout(base / "albumkit"))
    git(source, "add", "-A")
    git(source, "commit", "-q", "-m", "the working tree")
    data = new_repository(base / "albums")
    config = CONFIG.format(repo=source.as_posix(), rev=git(source, "rev-parse", "HEAD"))
    (data / ".pre-commit-config.yaml").write_text(config)
    add_album(data / "cat", "ceramic cat")
    add_album(data / "dog", "wooden dog")
    home = {"PRE_COMMIT_HOME": str(base / "pre-commit")}
    start = time.perf_counter()
    built = call([sys.executable, "-m", "pre_commit", "install", "--install-hooks"], data, **home)
    seconds = time.perf_counter() - start
    if built.returncode:
        skip_without_registry(base)
        pytest.fail(f"pre-commit could not build the environment:\n{built.stdout}")
    git(data, "add", "-A")
    git(data, "commit", "-q", "-m", "two good albums", **home)
    return seconds


def skip_without_registry(base: Path) -> None:
    """Tell a broken package from a machine where pip reaches no registry."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--retries",
        "1",
        "-d",
        str(base / "probe"),
    ]
    if call([*pip, "hatchling"], base).returncode:
        pytest.skip("pip reaches no registry, and pre-commit installs hooks with pip")


@pytest.fixture
def albums(hooked: Hooked, tmp_path: Path) -> Path:
    """A copy of the repository of two good albums."""
    return Path(shutil.copytree(hooked.template, tmp_path / "albums"))


@pytest.fixture
def commit(hooked: Hooked) -> Callable[..., tuple[int, str]]:
    """``commit(repository, *options)`` -> (exit code, what git and the hook printed)."""

    def run(repository: Path, *options: str) -> tuple[int, str]:
        env = {"PRE_COMMIT_HOME": str(hooked.environments), "COLUMNS": "80"}
        done = call(["git", "commit", "-m", "a change", *options], repository, **env)
        assert "albumkit lint....." in done.stdout, done.stdout
        return done.returncode, done.stdout

    return run


def test_environment_installs_the_light_core_only(hooked, record_testsuite_property):
    record_testsuite_property("hook_environment_seconds", round(hooked.seconds, 1))
    folder = "Scripts" if os.name == "nt" else "bin"
    (python,) = hooked.environments.glob(f"repo*/py_env-*/{folder}/python{'.exe' if os.name == 'nt' else ''}")
    listing = call([str(python), "-m", "pip", "list", "--format=json"], hooked.template)
    names = {package["name"].lower() for package in json.loads(listing.stdout)}
    assert "albumkit" in names
    assert not names & {"torch", "diffusers", "transformers", "av"}
    print(f"the hook's environment took {hooked.seconds:.1f} s")


def test_good_commit_passes(albums, commit):
    (albums / "cat" / "IMG_0.txt").write_text("a photo of TOK ceramic cat in the grass\n")
    code, said = commit(albums, "--all")
    assert code == 0, said
    assert "0 errors, 0 warnings" in said
    assert "2 albums, 20 pictures" in said


def test_commit_of_other_files_is_judged_too(albums, commit):
    (albums / "README.md").write_text("Two albums.\n")
    git(albums, "add", "README.md")
    code, said = commit(albums)
    assert code == 0, said
    assert "2 albums, 20 pictures" in said


def test_deleted_caption_is_refused(albums, commit):
    git(albums, "rm", "-q", "cat/IMG_3.txt")
    code, said = commit(albums)
    assert code == 1
    assert "caption/missing" in said
    assert "IMG_3" in said
    assert git(albums, "log", "--format=%s") == "two good albums"


def test_renamed_caption_is_refused(albums, commit):
    git(albums, "mv", "dog/IMG_1.txt", "dog/IMG_1 copy.txt")
    code, said = commit(albums)
    assert code == 1
    assert "caption/missing" in said
    assert "dog" in said
    assert "IMG_1" in said


def test_two_albums_in_one_commit_are_both_named(albums, commit):
    git(albums, "rm", "-q", "cat/IMG_2.txt", "dog/IMG_4.txt")
    code, said = commit(albums)
    assert code == 1
    cat, dog = said.index("cat   subject"), said.index("dog   subject")
    assert cat < said.index("IMG_2") < dog < said.index("IMG_4")


def test_untracked_picture_does_not_count(albums, commit):
    write_picture(albums / "cat" / "IMG_9.jpg", SIZE, shade=7)
    (albums / "cat" / "IMG_0.txt").write_text("a photo of TOK ceramic cat by the sea\n")
    git(albums, "add", "cat/IMG_0.txt")
    code, said = commit(albums)
    assert code == 0, said
    assert "20 pictures" in said


def test_caption_left_on_disk_but_out_of_git_is_missing(albums, commit):
    git(albums, "rm", "-q", "--cached", "cat/IMG_3.txt")
    code, said = commit(albums)
    assert code == 1
    assert "caption/missing" in said


def test_deletion_that_is_not_committed_does_not_count(albums, commit):
    """pre-commit puts unstaged changes aside; what the commit holds is whole."""
    (albums / "cat" / "IMG_3.txt").unlink()
    (albums / "dog" / "IMG_0.txt").write_text("a photo of TOK wooden dog by the sea\n")
    git(albums, "add", "dog/IMG_0.txt")
    code, said = commit(albums)
    assert code == 0, said
    assert not (albums / "cat" / "IMG_3.txt").exists()


def test_commit_all_takes_deletions_along(albums, commit):
    (albums / "cat" / "IMG_3.txt").unlink()
    code, said = commit(albums, "--all")
    assert code == 1
    assert "IMG_3" in said


def test_commit_of_one_file_is_judged_by_the_index_of_that_commit(albums, commit):
    """git hands the hook another index than the repository's own, in which more is staged."""
    git(albums, "rm", "-q", "cat/IMG_3.txt")
    (albums / "dog" / "IMG_0.txt").write_text("a photo of TOK wooden dog by the sea\n")
    code, said = commit(albums, "dog/IMG_0.txt")
    assert code == 0, said
    assert git(albums, "diff", "--cached", "--name-only") == "cat/IMG_3.txt"


def test_commit_in_a_worktree(albums, commit, tmp_path):
    git(albums, "worktree", "add", "-q", str(tmp_path / "tree"))
    git(tmp_path / "tree", "rm", "-q", "cat/IMG_3.txt")
    code, said = commit(tmp_path / "tree")
    assert code == 1
    assert "IMG_3" in said


def test_commit_in_a_submodule(albums, commit, hooked, tmp_path):
    """Its index lies in the outer repository's .git, where GIT_DIR and GIT_INDEX_FILE point."""
    outer = new_repository(tmp_path / "outer")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(albums), "inner")
    install = [sys.executable, "-m", "pre_commit", "install"]
    assert call(install, outer / "inner", PRE_COMMIT_HOME=str(hooked.environments)).returncode == 0
    git(outer / "inner", "rm", "-q", "cat/IMG_3.txt")
    code, said = commit(outer / "inner")
    assert code == 1
    assert "IMG_3" in said
