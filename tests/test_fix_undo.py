"""fix --undo: every byte of before, the fix before that, and what somebody touched since stays theirs."""

from __future__ import annotations

import os

import pytest
from fix_albums import WANTED, apply, files, jpeg, put, spoiled, texts

from albumkit.errors import AlbumkitError
from albumkit.fix import undoable
from albumkit.fixing import rename_trigger, undo_fixes


def undone(album):
    """(exit code, refusals, error)"""
    report = undo_fixes([album])
    (one,) = report.albums
    return report.exit_code, [(r.path, r.reason) for r in one.refusals], one.error


def test_every_byte_comes_back(tmp_path):
    cat = spoiled(tmp_path / "cat")
    (cat / "b.txt").chmod(0o600)
    os.utime(cat / "b.txt", ns=(10**18, 10**18))
    before = files(cat)
    apply(cat, WANTED)
    assert set(files(cat)) != set(before)
    assert undone(cat) == (0, [], None)
    assert files(cat) == before
    assert (cat / "b.txt").stat().st_mtime_ns == 10**18


def test_fixes_are_undone_one_after_the_other(tmp_path):
    cat = spoiled(tmp_path / "cat")
    states = [files(cat)]
    for name, paths in WANTED.items():
        now = {"b.jpg": "b.png"} if name == "portable-name" else {}
        apply(cat, {name: [now.get(path, path) for path in paths]})
        states.append(files(cat))
        if name == "portable-name":
            break
    assert len(undoable(cat)) == len(states) - 1
    while len(states) > 1:
        states.pop()
        report = undo_fixes([cat])
        assert report.exit_code == 0
        assert report.albums[0].left == len(states) - 1
        assert files(cat) == states[-1]
    code, _, error = undone(cat)
    assert code == 1
    assert isinstance(error, AlbumkitError)
    assert error.message == f"{cat.as_posix()}: there is no fix to undo."
    assert files(cat) == states[0]


def test_after_an_undo_one_can_fix_again(tmp_path):
    cat = spoiled(tmp_path / "cat")
    before = files(cat)
    for _ in range(3):
        apply(cat, WANTED)
        after = files(cat)
        assert undone(cat)[0] == 0
        assert files(cat) == before
    apply(cat, WANTED)
    assert files(cat) == after


def test_a_file_that_was_touched_is_named_and_kept(tmp_path):
    cat = spoiled(tmp_path / "cat")
    before = texts(cat)
    apply(cat, WANTED)
    fixed = texts(cat)
    (cat / "c.txt").write_text("my own words")
    code, refusals, _ = undone(cat)
    assert code == 1
    ((path, reason),) = refusals
    assert path == "c.txt"
    assert reason.startswith("it was changed since, so it stays; its original is ")
    now = texts(cat)
    assert now.pop("c.txt") == b"my own words"
    assert now == {name: data for name, data in before.items() if name != "c.txt"}
    kept = reason.rpartition("its original is ")[2]
    with open(kept, "rb") as stream:
        assert stream.read() == before["c.txt"]
    assert fixed["c.txt"] not in (before["c.txt"], b"my own words")


def test_a_renamed_file_that_was_touched_stays_with_its_picture(tmp_path):
    cat = put(tmp_path / "cat", {"a b.jpg": jpeg(1), "a b.txt": "words".encode("utf-16")})
    apply(cat, {"encoding": ["a b.jpg"], "portable-name": ["a b.jpg"]})
    (cat / "a_b.txt").write_text("my own words")
    code, refusals, _ = undone(cat)
    assert code == 1
    assert [path for path, _ in refusals] == ["a_b.txt"]
    assert texts(cat) == {"a b.jpg": jpeg(1), "a b.txt": b"my own words"}


def test_files_that_are_gone_or_in_the_way_are_named(tmp_path):
    cat = put(
        tmp_path / "cat", {"a b.jpg": jpeg(1), "c d.jpg": jpeg(2), "e.jpg": jpeg(3), "e.txt": b"\xff\xfex\0"}
    )
    apply(cat, {"portable-name": ["a b.jpg", "c d.jpg"], "encoding": ["e.jpg"]})
    (cat / "a_b.jpg").unlink()
    put(cat, {"c d.jpg": "somebody's new one"})
    (cat / "e.txt").unlink()
    before = texts(cat)
    code, refusals, _ = undone(cat)
    assert code == 1
    assert [(path, reason.split(";")[0]) for path, reason in refusals] == [
        ("e.txt", "it is no longer there"),
        ("c_d.jpg", "c d.jpg is there again"),
        ("a_b.jpg", "it is no longer there"),
    ]
    assert texts(cat) == before


def test_an_album_toml_that_was_made_and_edited_stays(tmp_path):
    cat = put(tmp_path / "cat", {"a.jpg": jpeg(1), "b.jpg": jpeg(2)})
    apply(cat, {"exclude": ["a.jpg"]})
    with (cat / "album.toml").open("a") as stream:
        stream.write('kind = "style"\n')
    code, refusals, _ = undone(cat)
    assert code == 1
    assert refusals == [("album.toml", "it was changed since, so it stays")]
    assert "album.toml" in texts(cat)


def test_an_original_that_was_spoiled_is_not_put_back(tmp_path):
    cat = put(tmp_path / "cat", {"a.jpg": jpeg(1), "a.txt": b"\xff\xfex\0"})
    apply(cat, {"encoding": ["a.jpg"]})
    undoable(cat)[0].old(0).write_bytes(b"spoiled")
    assert undone(cat)[1] == [("a.txt", "its kept original is gone or was changed")]
    assert texts(cat)["a.txt"] == b"x"


def test_the_undo_keeps_what_the_fix_had_written(tmp_path):
    """Nothing is ever deleted: not even our own work."""
    cat = put(tmp_path / "cat", {"a.jpg": jpeg(1), "a.txt": b"\xff\xfex\0"})
    apply(cat, {"encoding": ["a.jpg"]})
    assert undone(cat)[0] == 0
    kept = [path.read_bytes() for path in (cat / ".albumkit" / "undo").glob("*/old/*")]
    assert b"x" in kept


def test_an_undo_needs_no_album_toml_that_can_be_read(tmp_path):
    cat = spoiled(tmp_path / "cat")
    before = texts(cat)
    assert rename_trigger([cat], "sks", apply=True).exit_code == 0
    put(cat, {"album.toml": "not toml ["})
    code, refusals, _ = undone(cat)
    assert code == 1
    assert [path for path, _ in refusals] == ["album.toml"]
    assert {**texts(cat), "album.toml": before["album.toml"]} == before


def test_a_zip_has_nothing_to_undo(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "cat.zip", "w") as archive:
        archive.writestr("a.jpg", jpeg(1))
    error = undone(tmp_path / "cat.zip")[2]
    assert error is not None
    assert "is a zip: fix changes files in folders only" in error.message


@pytest.mark.parametrize("touch", [True, False])
def test_links_to_files_are_renamed_and_come_back(tmp_path, touch):
    put(tmp_path, {"elsewhere.jpg": jpeg(1)})
    cat = put(tmp_path / "cat", {"b.jpg": jpeg(2)})
    (cat / "a b.jpg").symlink_to("../elsewhere.jpg")
    before = files(cat)
    apply(cat, {"portable-name": ["a b.jpg"]})
    assert (cat / "a_b.jpg").is_symlink()
    if touch:
        put(tmp_path, {"elsewhere.jpg": jpeg(3)})
    assert undone(cat) == (0, [], None)
    assert files(cat) == before
