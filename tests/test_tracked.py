"""Albums as git's index has them (``lint --tracked``): which there are, and which files they have."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from conftest import write_picture
from repositories import SIZE, add_album, call, git, new_repository

from albumkit.errors import UsageError
from albumkit.facts import FactCache
from albumkit.workflows import lint_paths

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


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
