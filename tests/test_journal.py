"""Several files change together or not at all: failures, locks, links, and journals of strangers."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
import sys
from pathlib import Path

import pytest
from fix_albums import files, put, texts

from albumkit.errors import AlbumError, AlbumkitError
from albumkit.facts import FactCache
from albumkit.journal import Change, history, locked, moves, perform, recover
from albumkit.journal.moves import move, move_back
from albumkit.opening import open_album
from albumkit.workflows import lint_paths

CHANGES = [
    Change("a.txt", "b.txt", b"new a"),
    Change("c.txt", "c.txt", b"new c"),
    Change("d.txt", "sub/d.txt"),
    Change(None, "made.txt", b"made"),
    Change("gone.txt", None),
]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    names = ("a", "c", "d", "gone")
    return put(tmp_path / "cat", {"sub/x.txt": "x", **{f"{n}.txt": f"old {n}" for n in names}})


def do(album: Path, changes: list[Change]) -> None:
    with locked(album) as workplace:
        perform(album, workplace, "apply", {"why": "a test"}, changes)


def test_all_changes_are_made_and_told(album):
    do(album, CHANGES)
    assert texts(album) == {
        "b.txt": b"new a",
        "c.txt": b"new c",
        "sub/d.txt": b"old d",
        "made.txt": b"made",
        "sub/x.txt": b"x",
    }
    (record,) = history(album)
    assert (record.kind, record.note["why"]) == ("apply", "a test")
    assert record.old(0).read_bytes() == b"old a"
    assert record.old(4).read_bytes() == b"old gone"
    assert not (record.folder / "new").exists()
    assert (album / ".albumkit" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("call", ["link", "rename", "replace", "fsync", "unlink"])
@pytest.mark.parametrize("which", [1, 2, 4, 8])
def test_a_full_disk_changes_nothing(album, monkeypatch, call, which):
    """At the n-th call of its kind; whatever was done is taken back at once, with the error of the disk."""
    before, real, calls = files(album), getattr(os, call), []

    def failing(*args: object, **named: object) -> object:
        calls.append(args)
        if len(calls) == which:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **named)

    monkeypatch.setattr(os, call, failing)
    said = ""
    try:
        do(album, CHANGES)
    except AlbumkitError as error:
        said = error.message
    monkeypatch.undo()
    assert recover(album) == ""
    if len(calls) < which or not said:  # not called so often, or not needed: folders that cannot be synced
        assert texts(album)["b.txt"] == b"new a"
    else:
        assert "No space left on device" in said
        assert files(album) == before


def test_a_file_in_the_way_is_named_and_everything_taken_back(album):
    put(album, {"sub/d.txt": "somebody else's"})
    before = files(album)
    with pytest.raises(AlbumkitError, match=r"sub/d\.txt: File exists\. Nothing was changed\."):
        do(album, CHANGES)
    assert files(album) == before


def test_a_file_that_changed_meanwhile_is_left_alone(album):
    from albumkit.journal import Seen

    seen = Seen.of(album / "c.txt")
    (album / "c.txt").write_text("edited just now")
    before = files(album)
    with pytest.raises(AlbumkitError, match=r"c\.txt: it changed meanwhile"):
        do(album, [CHANGES[0], Change("c.txt", "c.txt", b"new", seen)])
    assert files(album) == before


def test_an_interrupt_takes_everything_back(album, monkeypatch):
    before = files(album)
    monkeypatch.setattr("albumkit.journal.transaction.sync_folder", interrupted_at(4))
    with pytest.raises(KeyboardInterrupt):
        do(album, CHANGES)
    assert files(album) == before


def interrupted_at(count: int) -> object:
    calls = []

    def sync(_: Path) -> None:
        calls.append(1)
        if len(calls) == count + 1:
            raise KeyboardInterrupt

    return sync


def test_two_at_once_are_kept_apart(album):
    with locked(album), pytest.raises(AlbumError, match="Another albumkit is changing"):
        do(album, CHANGES)


def test_a_folder_that_cannot_be_written_is_named(album):
    put(album, {".albumkit": "a file"})
    with pytest.raises(AlbumError, match=r"\.albumkit cannot be written: File exists\. Nothing was changed"):
        do(album, CHANGES)


def test_the_mode_of_a_file_stays(album):
    (album / "c.txt").chmod(0o640)
    do(album, CHANGES)
    assert stat.S_IMODE((album / "c.txt").stat().st_mode) == 0o640


def test_what_we_keep_is_not_what_others_write_to(album, tmp_path):
    """A file with a second name elsewhere: writing through that one must not spoil the original we keep."""
    os.link(album / "c.txt", tmp_path / "other.txt")
    do(album, [Change("c.txt", "c.txt", b"new")])
    (tmp_path / "other.txt").write_text("written through")
    assert history(album)[0].old(0).read_bytes() == b"old c"
    assert (album / "c.txt").read_bytes() == b"new"


def test_links_are_renamed_as_links(album):
    (album / "l.txt").symlink_to("c.txt")
    do(album, [Change("l.txt", "m.txt")])
    assert (album / "m.txt").is_symlink()
    assert (album / "m.txt").read_bytes() == b"old c"


def test_without_hard_links_nothing_is_overwritten_either(album, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(FileExistsError):
        move(album / "a.txt", album / "c.txt", album / "aside")
    before = files(album)
    do(album, CHANGES)
    assert texts(album)["b.txt"] == b"new a"
    assert history(album)[0].old(0).read_bytes() == before["a.txt"][0]


def test_a_name_in_another_case_where_case_does_not_count(album, monkeypatch):
    """Such a file system says that the new name is there already, and that it is the same file."""
    monkeypatch.setattr(moves, "_is_one_entry", lambda *_: True)
    steps = []
    real = Path.rename
    monkeypatch.setattr(Path, "rename", lambda self, to: (steps.append((self.name, to.name)), real(self, to)))
    move(album / "a.txt", album / "A.txt", album / "aside-0000")
    assert steps == [("a.txt", "aside-0000"), ("aside-0000", "A.txt")]
    (album / "A.txt").rename(album / "aside-0000")  # it died between the two
    assert move_back(album / "a.txt", album / "A.txt", album / "aside-0000") == ""
    assert (album / "a.txt").read_bytes() == b"old a"


def pending(album: Path, entries: list[dict[str, object]], stage: str = "0001-20260101-000000") -> None:
    folder = album / ".albumkit" / "undo" / stage
    (folder / "old").mkdir(parents=True, exist_ok=True)
    (folder / "new").mkdir(exist_ok=True)
    document = {
        "schema": "albumkit-journal/1",
        "kind": "apply",
        "stage": stage,
        "note": {},
        "changes": entries,
    }
    (album / ".albumkit" / "pending.json").write_text(json.dumps(document))


def test_every_command_that_opens_an_album_puts_it_right(album, caplog):
    put(album, {"moved.txt": "m"})
    pending(album, [{"from": "was.txt", "to": "moved.txt"}])
    with caplog.at_level(logging.WARNING):
        open_album(album)
    assert "cat: an interrupted change was rolled back; every file is as it was before it." in caplog.text
    assert texts(album)["was.txt"] == b"m"
    assert "moved.txt" not in texts(album)


def test_what_a_person_did_after_the_crash_stays(album):
    """The file was replaced by the fix, which died; then somebody edited it. Both texts are kept."""
    kept = album / ".albumkit" / "undo" / "0001-20260101-000000" / "old" / "0000"
    sums = {"before": "0" * 64, "after": "1" * 64}
    pending(album, [{"from": "c.txt", "to": "c.txt", **sums}])
    kept.write_text("the original")
    said = recover(album)
    assert f"except: c.txt: it was changed since; it stays, its original is {kept.as_posix()}" in said
    assert texts(album)["c.txt"] == b"old c"
    assert kept.read_text() == "the original"
    assert recover(album) == ""


@pytest.mark.parametrize(
    ("entry", "stage"),
    [
        ({"from": "../out.txt", "to": "a.txt"}, "0001-20260101-000000"),
        ({"from": "/out.txt", "to": "a.txt"}, "0001-20260101-000000"),
        ({"from": "link/out.txt", "to": "a.txt"}, "0001-20260101-000000"),
        ({"from": "out.txt"}, "0001-20260101-000000"),
        ({"from": "out.txt", "to": "a.txt"}, "../../../somewhere"),
    ],
)
def test_the_journal_of_a_stranger_leads_nowhere(album, tmp_path, entry, stage):
    (album / "link").symlink_to(tmp_path)
    (album / ".albumkit").mkdir()
    pending(album, [entry], "0001-20260101-000000")
    file = album / ".albumkit" / "pending.json"
    file.write_text(file.read_text().replace("0001-20260101-000000", stage))
    before = files(album)
    with pytest.raises(AlbumError):
        recover(album)
    assert files(album) == before
    assert not (tmp_path / "out.txt").exists()


def test_a_linked_folder_of_ours_is_not_ours(album, tmp_path):
    (tmp_path / "home" / "new").mkdir(parents=True)
    (album / ".albumkit" / "undo").mkdir(parents=True)
    pending(album, [])
    stage = album / ".albumkit" / "undo" / "0001-20260101-000000"
    for folder in ("old", "new"):
        (stage / folder).rmdir()
    stage.rmdir()
    stage.symlink_to(tmp_path / "home")
    with pytest.raises(AlbumError, match="its folder is a link"):
        recover(album)
    assert (tmp_path / "home" / "new").is_dir()


def test_an_album_that_cannot_be_put_right_is_a_finding(album):
    (album / ".albumkit").mkdir()
    (album / ".albumkit" / "pending.json").write_text("{")
    report = lint_paths([album], cache=FactCache.none())
    assert [f.rule for f in report.albums[0].findings] == ["album/unreadable"]
    assert "the journal of an interrupted change, cannot be read" in report.albums[0].findings[0].message


def test_what_died_before_it_began_is_swept(album):
    dead = album / ".albumkit" / "undo" / "0001-20260101-000000"
    (dead / "old").mkdir(parents=True)
    do(album, CHANGES)
    assert not dead.exists()
    assert [record.name[:4] for record in history(album)] == ["0001"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text(album):
    name = os.fsdecode(b"caf\xe9.txt")
    (album / name).write_text("x")
    do(album, [Change(name, "cafe.txt")])
    assert texts(album)["cafe.txt"] == b"x"
    assert history(album)[0].entries[0]["from"] == name
