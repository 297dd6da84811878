"""Git LFS pointers: recognised, skipped with the line that fetches them, judged by what the cache knows."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from measuring import age, count_work, cut, errors, small_album

from albumkit.album import read_album
from albumkit.facts import FactCache
from albumkit.workflows import lint_paths


@pytest.fixture
def album(tmp_path) -> Path:
    return small_album(tmp_path / "cat")


@pytest.fixture
def work(monkeypatch) -> dict[str, int]:
    return count_work(monkeypatch)


def pointer(data: bytes) -> bytes:
    oid = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n".encode()


@pytest.fixture
def repository(tmp_path, album) -> Path:
    """albums/cat in a git repository, all of its pictures pointers; the real bytes are kept aside."""
    folder = tmp_path / "repo" / "albums" / "cat"
    folder.parent.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    shutil.move(album, folder)
    (tmp_path / "real").mkdir()
    for file in folder.glob("*.jpg"):
        data = file.read_bytes()
        (tmp_path / "real" / file.name).write_bytes(data)
        file.write_bytes(pointer(data))
    age(folder)
    return folder


def test_a_pointer_is_skipped_with_the_line_that_fetches_it(repository):
    (repository / "IMG_3.txt").write_text("no trigger here")
    (repository / "album.toml").write_text('[album]\ntrigger_phrase = "TOK"\n[train]\nsteps = 1250\n')
    (result,) = lint_paths([repository], cache=FactCache.none()).albums
    skipped = {s.reason for s in result.skipped if s.rule.startswith("example/")}
    assert skipped == {'Git LFS pointer; run: git lfs pull --include "albums/cat/**"'}
    found = {f.rule: f.path for f in result.findings}
    assert found["caption/trigger-absent"] == "IMG_3.jpg"
    assert found["settings/not-a-multiple"] == "album.toml"
    assert not {rule for rule in found if rule.startswith("example/")}
    assert (result.examples, result.captions) == (4, 4)


def test_pairs_of_pointers_are_still_pairs(tmp_path):
    (tmp_path / ".git").mkdir()
    for name in ("a_start", "a_end", "b_end"):
        (tmp_path / f"{name}.png").write_bytes(pointer(name.encode()))
    (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    assert [f.path for f in result.findings if f.rule == "pair/start-missing"] == ["b_end.png"]
    assert {s.reason for s in result.skipped if s.path == "b_end.png" or not s.path} >= {
        'Git LFS pointer; run: git lfs pull --include "*"'
    }


def test_facts_of_a_pointer_come_from_the_cache_by_its_oid(repository, tmp_path, work):
    """Measured once where the bytes were: another clone, or this one before they were pruned."""
    cut(tmp_path / "real" / "IMG_2.jpg")
    (repository / "IMG_2.jpg").write_bytes(pointer((tmp_path / "real" / "IMG_2.jpg").read_bytes()))
    (tmp_path / "real" / "IMG_3.jpg").unlink()
    age(tmp_path)
    assert list(errors(tmp_path / "real")) == ["IMG_2.jpg"]
    work.update(headers=0, decoded=0)
    (result,) = lint_paths([repository], cache=FactCache(libraries="")).albums
    assert work == {"headers": 0, "decoded": 0}
    assert [(f.path, f.rule) for f in result.findings if f.rule == "example/truncated"] == [
        ("IMG_2.jpg", "example/truncated")
    ]
    assert {f.path for f in result.findings if f.rule == "example/below-training-resolution"} == {
        f"IMG_{n}.jpg" for n in range(3)
    }
    assert {s.path for s in result.skipped if "Git LFS" in s.reason} == {"IMG_3.jpg"}


def test_two_pointers_to_one_file_are_duplicates(repository):
    shutil.copy(repository / "IMG_0.jpg", repository / "again.jpg")
    (result,) = lint_paths([repository], cache=FactCache.none()).albums
    assert [f.paths for f in result.findings if f.rule == "example/exact-duplicate"] == [
        ("again.jpg", "IMG_0.jpg")
    ]


def test_captions_and_metadata_may_be_pointers_too(repository):
    (repository / "IMG_0.txt").write_bytes(pointer(b"TOK 0"))
    (repository / "IMG_1.txt").unlink()
    (repository / "IMG_1.caption").write_bytes(pointer(b"TOK 1"))
    (repository / "metadata.jsonl").write_bytes(pointer(b"{}"))
    (result,) = lint_paths([repository], cache=FactCache.none()).albums
    unread = {f.path: f.message for f in result.findings if f.rule == "caption/unreadable"}
    assert set(unread) == {"IMG_0.jpg", "IMG_1.jpg"}
    assert all("Git LFS pointer" in message for message in unread.values())
    problems = [f.message for f in result.findings if f.rule == "album/unreadable"]
    assert problems == ["metadata.jsonl: a Git LFS pointer; run: git lfs pull"]


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [
        (".", "*"),
        ("cat", "cat/**"),
        ("albums/my cat", "albums/my cat/**"),
        ("a, b/c[1]", "a? b/c?1?/**"),
        ("$HOME `x` \"q\" 'r' {a} !", "?HOME ?x? ?q? ?r? ?a? ?/**"),
        ("\u732b/caf\u00e9", "\u732b/caf\u00e9/**"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="Windows allows none of these names")
def test_the_include_pattern_is_relative_to_the_top_of_the_repository(tmp_path, folder, pattern):
    (tmp_path / ".git").mkdir()
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    assert read_album(tmp_path / folder).lfs_include == pattern


def test_a_worktree_has_a_file_for_its_git_folder(tmp_path):
    (tmp_path / ".git").write_text("gitdir: /somewhere/else\n")
    (tmp_path / "cat").mkdir()
    assert read_album(tmp_path / "cat").lfs_include == "cat/**"


@pytest.mark.parametrize(
    "data",
    [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:zz\nsize 3\n" + b" " * 60,
        b"version https://git-lfs.github.com/spec/v2\n" + pointer(b"x")[43:],
        b"# " + pointer(b"x"),
    ],
)
def test_nearly_a_pointer_is_a_broken_picture(tmp_path, data):
    (tmp_path / "a.jpg").write_bytes(data)
    (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    assert [f.path for f in result.findings if f.rule == "example/unreadable"] == ["a.jpg"]
