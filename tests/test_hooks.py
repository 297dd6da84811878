"""The hook under real pre-commit: real commits in a repository of albums, judged by a hook environment that
pre-commit itself builds from a local clone of this working tree.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from albums import SCENES
from checkout import copy_checkout
from conftest import write_picture
from filelock import FileLock

from albumkit.errors import UsageError
from albumkit.facts import FactCache
from albumkit.workflows import lint_paths

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

SIZE = (1024, 1024)
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


def clean_env(**more: str) -> dict[str, str]:
    """The environment of a person who has never configured git; nothing of a commit that runs these tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))}
    someone = {
        f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return {**env, **someone, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **more}


def call(words: list[str], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=cwd,
        env=clean_env(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def git(cwd: Path, *words: str, **env: str) -> str:
    done = call(["git", *words], cwd, **env)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


def new_repository(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    return folder


def add_album(folder: Path, word: str) -> None:
    for number in range(10):
        write_picture(folder / f"IMG_{number}.jpg", SIZE, shade=number * 25)
        (folder / f"IMG_{number}.txt").write_text(f"a photo of TOK {word} {SCENES[number]}\n")
    (folder / "album.toml").write_text(
        f'[album]\nkind = "subject"\ntrigger_phrase = "TOK"\nclass_phrase = "{word}"\n'
    )


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


# What is an album of the repository: lint --tracked without pre-commit around it.


def judged(*paths: Path) -> dict[str, list[str]]:
    """Album as shown -> ids of the rules that it breaks."""
    report = lint_paths(paths or (Path(),), cost="header", tracked=True, cache=FactCache.none())
    return {a.album: sorted({f.rule for f in a.findings if f.severity == "error"}) for a in report.albums}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a README, in which the test stands."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    folder = new_repository(tmp_path / "repository")
    (folder / "README.md").write_text("Albums.\n")
    git(folder, "add", "-A")
    monkeypatch.chdir(folder)
    return folder


def cli(*words: str, cwd: Path) -> tuple[int, str]:
    done = call([sys.executable, "-c", "from albumkit.cli.main import run; run()", *words], cwd)
    return done.returncode, done.stdout


def test_repository_without_album_passes(repository):
    write_picture(repository / ".github" / "logo.png")
    git(repository, "add", "-A")
    assert judged() == {}
    code, said = cli("lint", "--tracked", cwd=repository)
    assert code == 0
    assert said.startswith("no album here: git holds no picture")


def test_empty_repository_passes(repository):
    git(repository, "rm", "-q", "--cached", "README.md")
    write_picture(repository / "IMG_1.jpg")
    assert judged() == {}


def test_repository_that_is_an_album(repository):
    add_album(repository, "cat")
    git(repository, "add", "-A")
    (repository / "IMG_2.txt").unlink()
    git(repository, "add", "-A")
    assert judged() == {".": ["caption/missing"]}


def test_stray_picture_or_settings_do_not_make_one_album_of_all(repository):
    add_album(repository / "cat", "cat")
    add_album(repository / "more" / "dog", "dog")
    git(repository, "add", "-A")
    write_picture(repository / "screenshot.png")
    (repository / "more" / "album.toml").write_text("[train]\nsteps = 1000\n")
    write_picture(repository / "more" / "other.png")
    assert judged() == {"cat": [], "more/dog": []}


def test_tracked_settings_above_albums_stay_shared(repository):
    add_album(repository / "cat", "cat")
    (repository / "album.toml").write_text("[train]\nsteps = 1000\n")
    git(repository, "add", "-A")
    write_picture(repository / "screenshot.png")
    assert judged() == {"cat": []}


def test_album_whose_pictures_are_all_gone_is_an_error(repository):
    add_album(repository / "cat", "cat")
    git(repository, "add", "-A")
    git(repository, "rm", "-q", "--cached", "cat/*.jpg")
    assert judged() == {"cat": ["album/empty"]}


def test_untracked_album_is_none(repository):
    add_album(repository / "cat", "cat")
    assert judged() == {}


def test_layouts_in_several_folders_are_one_album(repository):
    for side in ("control", "target"):
        write_picture(repository / "edit" / side / "a.png", SIZE)
    (repository / "edit" / "target" / "a.txt").write_text("make it red")
    git(repository, "add", "-A")
    assert list(judged()) == ["edit"]


def test_submodules_and_clones_inside_are_not_ours(repository, tmp_path):
    other = new_repository(tmp_path / "other")
    write_picture(other / "bad" / "a.jpg")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "an album")
    add_album(repository / "cat", "cat")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "sub")
    git(repository, "clone", "-q", str(other), "clone")
    git(repository, "add", "cat")
    assert judged() == {"cat": []}
    assert judged(Path("sub")) == {"sub/bad": ["caption/missing"]}


def test_variables_of_a_commit_elsewhere_do_not_mislead(repository, tmp_path, monkeypatch):
    add_album(repository / "cat", "cat")
    git(repository, "add", "-A")
    other = new_repository(tmp_path / "other")
    monkeypatch.chdir(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert list(judged(repository)) == [(repository / "cat").as_posix()]


def test_names_that_git_would_quote(repository):
    for name in ("caf\u00e9 1", "\u732b", "a'b"):
        write_picture(repository / "my cats" / f"{name}.jpg", SIZE)
        (repository / "my cats" / f"{name}.txt").write_text("a photo of a cat, " + name, encoding="utf-8")
    git(repository, "add", "-A")
    report = lint_paths((Path(),), cost="header", tracked=True, cache=FactCache.none())
    assert [(a.album, a.examples, a.captions) for a in report.albums] == [("my cats", 3, 3)]


def test_zip_and_file_by_name(repository):
    add_album(repository / "cat", "cat")
    git(repository, "add", "-A")
    shutil.make_archive(str(repository / "cat"), "zip", repository / "cat")
    assert judged(Path("cat.zip")) == {}
    git(repository, "add", "cat.zip")
    assert list(judged(Path("cat.zip"), Path("cat/IMG_1.jpg"))) == ["cat.zip", "cat"]


def test_outside_of_git_is_a_usage_error(tmp_path):
    add_album(tmp_path / "cat", "cat")
    with pytest.raises(UsageError, match="is in no git repository"):
        judged(tmp_path / "cat")


def test_what_git_says_is_passed_on(repository):
    (repository / ".git" / "index").write_bytes(b"not an index")
    with pytest.raises(UsageError, match=r"git could not list the files.*\n.*index file"):
        judged()
