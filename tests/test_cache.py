"""The fact cache: what is remembered, what never, and every trouble with its file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from corpus import noise
from measuring import OLD, age, count_work, cut, errors, measure, small_album

import albumkit.pixels
from albumkit.album import Entry, read_album
from albumkit.facts import FactCache, Measured
from albumkit.facts import cache as cache_module
from albumkit.facts.cache import RACY_NS, VERSION
from albumkit.workflows import lint_paths


@pytest.fixture
def album(tmp_path) -> Path:
    return small_album(tmp_path / "cat")


@pytest.fixture
def work(monkeypatch) -> dict[str, int]:
    return count_work(monkeypatch)


def test_the_second_run_measures_nothing(album, work):
    assert errors(album) == {}
    assert work == {"headers": 0, "decoded": 4}
    assert errors(album) == {}
    assert work == {"headers": 0, "decoded": 4}


def test_results_are_the_same_with_and_without_cache(album):
    cut(album / "IMG_2.jpg")
    (album / "IMG_3.jpg").write_bytes(b"no picture")
    age(album)

    def judged(cache):
        (result,) = lint_paths([album], cache=cache).albums
        return [(f.rule, f.path, f.message) for f in result.findings], result.handled, result.skipped

    without = judged(FactCache.none())
    assert judged(FactCache()) == judged(FactCache()) == without


def test_an_edited_file_of_the_same_size_is_measured_again(album, work):
    for number in range(2):
        noise(number).save(album / f"IMG_{number}.png")
    age(album)
    measure(album)
    before = (album / "IMG_0.png").stat()
    cut(album / "IMG_0.png")
    os.utime(album / "IMG_0.png", (OLD + 60, OLD + 60))
    assert (album / "IMG_0.png").stat().st_size == before.st_size
    assert list(errors(album)) == ["IMG_0.png"]
    assert work == {"headers": 0, "decoded": 7}


def test_a_renamed_file_keeps_its_pixel_facts(album, work):
    """Its header is read anew and its bytes are hashed; nothing is decoded."""
    cut(album / "IMG_0.jpg")
    age(album)
    assert list(errors(album)) == ["IMG_0.jpg"]
    (album / "IMG_0.jpg").rename(album / "renamed.jpg")
    assert list(errors(album)) == ["renamed.jpg"]
    assert work == {"headers": 1, "decoded": 4}


def test_a_moved_folder_keeps_its_pixel_facts(album, work):
    errors(album)
    moved = album.rename(album.parent / "dog")
    assert errors(moved) == {}
    assert work["decoded"] == 4


def test_a_copy_is_decoded_once(album, work):
    errors(album)
    shutil.copy2(album / "IMG_1.jpg", album / "copy.jpg")
    assert errors(album) == {}
    assert work["decoded"] == 4


def test_a_file_changed_a_moment_ago_is_not_kept(album, work):
    """Within the grain of its time stamp it could change once more, unseen (git calls such files racy)."""
    os.utime(album / "IMG_0.jpg")
    os.utime(album / "IMG_1.jpg", (time.time() + 3600, time.time() + 3600))
    measure(album)
    work.update(headers=0)
    measure(album)
    assert work["headers"] == 2


def test_youth_is_counted_from_the_start_of_reading(album):
    """A run may take minutes: what was young when it was read stays so."""
    now = time.time_ns()
    os.utime(album / "IMG_0.jpg", ns=(now, now))
    found = read_album(album)
    measured = Measured(found, FactCache(), started=now + RACY_NS // 2)
    for media in found.media:
        measured.header(media)
    measured.save()
    assert set(FactCache().headers(found.source.cache_key())) == {"IMG_1.jpg", "IMG_2.jpg", "IMG_3.jpg"}


def test_another_version_empties_the_cache(album, monkeypatch, work):
    measure(album, FactCache(libraries="pillow 1"))
    key = read_album(album).source.cache_key()
    assert len(FactCache(libraries="pillow 1").headers(key)) == 4
    assert FactCache(libraries="pillow 2").headers(key) == {}
    measure(album, FactCache(libraries="pillow 2"))
    assert work == {"headers": 0, "decoded": 8}
    monkeypatch.setattr(cache_module, "VERSION", VERSION + 1)
    assert FactCache(libraries="pillow 2").headers(key) == {}


def test_albums_do_not_share_rows(album, make_picture):
    other = album.parent / "dog"
    make_picture(other / "IMG_0.jpg", (20, 20))
    age(other)
    for _ in range(2):
        for folder, width in ((album, 64), (other, 20)):
            found, measured = measure(folder)
            assert measured.header(found.media[0]).width == width


def where() -> Path:
    return Path(os.environ["ALBUMKIT_CACHE_DIR"]) / "facts.sqlite"


@pytest.mark.parametrize("spoil", ["garbage", "zeros inside", "half"])
def test_a_damaged_cache_is_begun_anew(album, work, spoil):
    cut(album / "IMG_2.jpg")
    age(album)
    assert list(errors(album)) == ["IMG_2.jpg"]
    data = where().read_bytes()
    spoilt = {
        "garbage": b"this is no database " * 500,
        "zeros inside": data[:1024] + bytes(len(data) - 1024),
        "half": data[: len(data) // 2],
    }
    where().write_bytes(spoilt[spoil])
    for _ in range(3):
        assert list(errors(album)) == ["IMG_2.jpg"]
    work.update(headers=0, decoded=0)
    assert list(errors(album)) == ["IMG_2.jpg"]
    assert work == {"headers": 0, "decoded": 0}


def test_a_cache_without_a_place_is_no_cache(album, monkeypatch, tmp_path):
    """A file where the folder should be stands for a folder that may not be written (root may write any)."""
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "deeper"):
        monkeypatch.setenv("ALBUMKIT_CACHE_DIR", str(place))
        assert errors(album) == {}
    monkeypatch.setenv("ALBUMKIT_CACHE_DIR", str(tmp_path))
    (tmp_path / "facts.sqlite").mkdir()
    assert errors(album) == {}
    assert (tmp_path / "facts.sqlite").is_dir()


def test_a_cache_that_may_only_be_read_is_read(album, monkeypatch, work):
    measure(album)
    real = sqlite3.connect

    def read_only(path, **options):
        return real(f"file:{path}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    measure(album)
    assert work == {"headers": 0, "decoded": 4}
    cut(album / "IMG_0.jpg")
    assert list(errors(album)) == ["IMG_0.jpg"]
    assert where().exists()


def test_a_locked_cache_is_left_alone(album, monkeypatch, work):
    monkeypatch.setattr(cache_module, "_PATIENCE_S", 0.05)
    measure(album)
    holder = sqlite3.connect(where(), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert errors(album) == {}
        assert work["decoded"] == 8
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    errors(album)
    assert work["decoded"] == 8


def test_a_cache_locked_between_reading_and_writing(album, monkeypatch):
    monkeypatch.setattr(cache_module, "_PATIENCE_S", 0.05)
    cache = FactCache()
    holder = sqlite3.connect(where(), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert errors(album, cache) == {}
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def test_rows_that_albumkit_did_not_write_are_ignored(album, work):
    measure(album)
    database = sqlite3.connect(where())
    rows = ["{", "[1]", '{"colour": 3}', None]
    for number, facts in enumerate(rows):
        database.execute("UPDATE header SET facts = ? WHERE name = ?", (facts, f"IMG_{number}.jpg"))
    database.execute("UPDATE pixels SET facts = '{\"decode_error\": null}'")
    database.commit()
    database.close()
    assert errors(album) == {}
    assert work == {"headers": 0, "decoded": 8}


def test_numbers_that_sqlite_cannot_hold_are_not_kept(album):
    """Inodes of some drives use all 64 bits; a broken clock may date a file to the year 9999."""
    cache = FactCache()
    rows = [
        (Entry("a", 1, OLD, (1 << 64) - 1), None, "x"),
        (Entry("b", 1, OLD, 5), None, "y"),
        (Entry("c\udce9", 1, OLD, 5), None, "y"),
        (Entry("d", 1, -(1 << 70), 5), None, "y"),
    ]
    cache.keep("folder \udce9", rows, [], time.time_ns())
    assert list(cache.headers("folder \udce9")) == ["b"]


def test_what_may_be_mended_is_not_kept(album, monkeypatch):
    """Permission denied today says nothing about tomorrow, and the file's stat will not tell."""
    real, denied = open, {"IMG_1.jpg"}

    def guarded(path, *args, **kwargs):
        if Path(path).name in denied:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr("albumkit.album.source.open", guarded, raising=False)
    found, measured = measure(album)
    assert {m.path: measured.header(m).error for m in found.media if measured.header(m).error} == {
        "IMG_1.jpg": "Permission denied"
    }
    denied.clear()
    found, measured = measure(album)
    assert not any(measured.header(m).error for m in found.media)


def test_too_little_memory_is_told_and_not_kept(album, monkeypatch):
    real = albumkit.pixels.examine

    def short(*args):
        raise MemoryError

    monkeypatch.setattr(albumkit.pixels, "examine", short)
    (result,) = lint_paths([album]).albums
    reasons = {s.reason for s in result.skipped if s.rule == "example/truncated"}
    assert reasons == {"there was not enough memory to decode it"}
    monkeypatch.setattr(albumkit.pixels, "examine", real)
    assert errors(album) == {}
