"""Measuring: what is cached and what never, Git LFS pointers, the bound on pixels in flight, trouble."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from corpus import noise
from PIL import Image

from albumkit.album import Album, Entry, read_album
from albumkit.facts import FactCache, Measured, NotDecoded, Unmeasured
from albumkit.facts import cache as cache_module
from albumkit.facts import measure as measure_module
from albumkit.facts.cache import RACY_NS, VERSION
from albumkit.facts.measure import _Budget
from albumkit.images import decode_error
from albumkit.workflows import lint_paths

OLD = 1_700_000_000


def age(folder: Path, seconds: int = OLD) -> None:
    """Give every file a time stamp long past, as files have that nobody is writing at this moment."""
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (seconds, seconds))


@pytest.fixture
def album(tmp_path, make_picture) -> Path:
    folder = tmp_path / "cat"
    for number in range(4):
        make_picture(folder / f"IMG_{number}.jpg", shade=number * 31)
        (folder / f"IMG_{number}.txt").write_text(f"TOK {number}")
    age(folder)
    return folder


@pytest.fixture
def work(monkeypatch) -> dict[str, int]:
    """Counts headers read and pictures decoded."""
    counts = {"headers": 0, "decoded": 0}
    real_header, real_decode = measure_module.read_header, measure_module.decode_error
    inside = threading.local()

    def read_header(stream):
        if not getattr(inside, "decoding", False):
            counts["headers"] += 1
        return real_header(stream)

    def decode(stream, *args):
        counts["decoded"] += 1
        return real_decode(stream, *args)

    real = Measured._decode

    def decode_one(self, media):
        inside.decoding = True
        try:
            real(self, media)
        finally:
            inside.decoding = False

    monkeypatch.setattr(measure_module, "read_header", read_header)
    monkeypatch.setattr(measure_module, "decode_error", decode)
    monkeypatch.setattr(Measured, "_decode", decode_one)
    return counts


def measure(folder: Path, cache: FactCache | None = None, decode: bool = True) -> tuple[Album, Measured]:
    found = read_album(folder)
    measured = Measured(found, cache or FactCache(), decode=decode)
    measured.decode_all(found.media if decode else ())
    for media in found.media:
        measured.header(media)
    measured.save()
    return found, measured


def errors(folder: Path, cache: FactCache | None = None) -> dict[str, str]:
    """Path -> why its pixels cannot be had, for those that cannot."""
    found, measured = measure(folder, cache)
    facts = {m.path: measured.pixels(m)["decode_error"] for m in found.media if not measured.header(m).error}
    return {path: error for path, error in facts.items() if error}


def cut(file: Path) -> None:
    """Break a picture without changing its size."""
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 3] + bytes(len(data) - len(data) // 3))


def noisy(file: Path, seed: int) -> None:
    noise(seed).save(file, "PNG")


# The cache


def test_the_second_run_measures_nothing(album, work):
    assert errors(album) == {}
    assert work == {"headers": 4, "decoded": 4}
    assert errors(album) == {}
    assert work == {"headers": 4, "decoded": 4}


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
        noisy(album / f"IMG_{number}.png", number)
    age(album)
    measure(album)
    before = (album / "IMG_0.png").stat()
    cut(album / "IMG_0.png")
    os.utime(album / "IMG_0.png", (OLD + 60, OLD + 60))
    assert (album / "IMG_0.png").stat().st_size == before.st_size
    assert list(errors(album)) == ["IMG_0.png"]
    assert work == {"headers": 7, "decoded": 7}


def test_a_renamed_file_keeps_its_pixel_facts(album, work):
    """Its header is read anew and its bytes are hashed; nothing is decoded."""
    cut(album / "IMG_0.jpg")
    age(album)
    assert list(errors(album)) == ["IMG_0.jpg"]
    (album / "IMG_0.jpg").rename(album / "renamed.jpg")
    assert list(errors(album)) == ["renamed.jpg"]
    assert work == {"headers": 5, "decoded": 4}


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
    assert work == {"headers": 8, "decoded": 8}
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
    assert work == {"headers": 4, "decoded": 4}
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
    assert work == {"headers": 8, "decoded": 8}


def test_numbers_that_sqlite_cannot_hold_are_not_kept(album):
    """Inodes of some drives use all 64 bits; a broken clock may date a file to the year 9999."""
    cache = FactCache()
    rows = {
        "a": (Entry("a", 1, OLD, (1 << 64) - 1), None, "x"),
        "b": (Entry("b", 1, OLD, 5), None, "y"),
        "c": (Entry("c\udce9", 1, OLD, 5), None, "y"),
        "d": (Entry("d", 1, -(1 << 70), 5), None, "y"),
    }
    cache.keep("folder \udce9", rows, {}, time.time_ns())
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
    real = decode_error

    def short(stream):
        raise MemoryError

    monkeypatch.setattr(measure_module, "decode_error", short)
    (result,) = lint_paths([album]).albums
    reasons = {s.reason for s in result.skipped if s.rule == "example/truncated"}
    assert reasons == {"there was not enough memory to decode it"}
    monkeypatch.setattr(measure_module, "decode_error", real)
    assert errors(album) == {}


# Files that vanish or change on the way


def test_a_file_that_vanishes_before_its_header_is_read(album):
    found = read_album(album)
    (album / "IMG_1.jpg").unlink()
    measured = Measured(found, FactCache())
    measured.decode_all(found.media)
    assert [measured.header(m).error for m in found.media] == [
        "",
        "the file vanished while it was read",
        "",
        "",
    ]
    assert measured.pixels(found.media[0]) == measured.pixels(found.media[0])


def test_a_file_that_vanishes_between_header_and_pixels(album, monkeypatch):
    real = Measured.decode_all

    def decode_all(self, media):
        for one in media:
            self.header(one)
        (album / "IMG_2.jpg").unlink()
        real(self, media)

    monkeypatch.setattr(Measured, "decode_all", decode_all)
    (result,) = lint_paths([album]).albums
    broken = [(f.path, f.message) for f in result.findings if f.rule == "example/truncated"]
    assert len(broken) == 1
    assert broken[0][0] == "IMG_2.jpg"
    assert "the file vanished while it was read" in broken[0][1]


def test_files_that_vanish_while_others_are_decoded(tmp_path, make_picture):
    folder = tmp_path / "many"
    for number in range(30):
        make_picture(folder / f"{number:02}.jpg", shade=number * 7)
        (folder / f"{number:02}.txt").write_text(f"TOK {number}")

    def progress(shown, done, total):
        for number in range(20, 30):
            for ending in ("jpg", "txt"):
                (folder / f"{number}.{ending}").unlink(missing_ok=True)

    (result,) = lint_paths([folder], cache=FactCache.none(), progress=progress).albums
    assert result.examples == 30
    vanished = {f.path for f in result.findings if "vanished" in f.message}
    assert vanished <= {f"{n}.jpg" for n in range(20, 30)}
    assert not {f.path for f in result.findings if f.rule == "example/truncated"} - vanished


def test_a_caption_that_vanishes_after_the_listing(album, monkeypatch):
    real = read_album

    def read_then_lose(*args, **kwargs):
        found = real(*args, **kwargs)
        (album / "IMG_1.txt").unlink()
        return found

    monkeypatch.setattr("albumkit.opening.read_album", read_then_lose)
    (result,) = lint_paths([album], cache=FactCache.none()).albums
    assert [(f.path, f.rule) for f in result.findings if f.rule.startswith("caption/")] == [
        ("IMG_1.jpg", "caption/unreadable")
    ]


def test_a_file_that_changes_on_the_way_keeps_header_and_pixels_together(album):
    found = read_album(album)
    measured = Measured(found, FactCache())
    target = found.media[0]
    assert measured.header(target).width == 64
    Image.new("RGB", (10, 10)).save(album / target.path)
    measured.decode_all(found.media)
    measured.save()
    sha256 = hashlib.sha256((album / target.path).read_bytes()).hexdigest()
    assert FactCache().pixels([sha256])[sha256]["header"]["width"] == 10


# Git LFS


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


# Large pictures


def test_a_picture_beyond_the_bound_is_skipped_with_its_size(tmp_path, monkeypatch, make_picture):
    monkeypatch.setattr(measure_module, "MEGAPIXELS_AT_ONCE", 0.002)
    make_picture(tmp_path / "large.png", (64, 48))
    make_picture(tmp_path / "small.png", (20, 20))
    make_picture(tmp_path / "large.jpg", (64, 48))
    (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    skipped = {s.path: s.reason for s in result.skipped if s.rule == "example/truncated"}
    assert skipped == {"large.png": "0 megapixels: decoded here only up to 0.002"}


def test_a_file_of_gigabytes_is_not_read_into_memory(tmp_path, monkeypatch, make_picture):
    make_picture(tmp_path / "a.jpg")
    monkeypatch.setattr(measure_module, "LARGEST_MEMBER", 100)
    (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    reasons = [s.reason for s in result.skipped if s.rule == "example/truncated"]
    assert reasons == ["a file of 0.0 GiB: decoded here only up to 1 GiB"]


def test_what_each_picture_takes_of_the_bound(album, monkeypatch, make_picture):
    """A baseline JPEG is decoded at an eighth of its sides; a progressive one lies in memory whole."""
    make_picture(album / "p.jpg", (640, 480), progressive=True)
    make_picture(album / "q.jpg", (640, 480))
    make_picture(album / "r.png", (640, 480))
    taken = []
    real = _Budget.take
    monkeypatch.setattr(_Budget, "take", lambda self, amount: taken.append(amount) or real(self, amount))
    measure(album, FactCache.none())
    assert sorted(taken) == [48] * 4 + [4800, 307_200, 307_200]


def test_the_bound_is_never_passed():
    budget = _Budget(100)
    dice = random.Random(3)
    amounts = [dice.randint(1, 60) for _ in range(150)] + [100, 250, 1000]
    dice.shuffle(amounts)
    lock = threading.Lock()
    flying: list[int] = []
    most = 0
    alone = []

    def one(amount: int) -> None:
        nonlocal most
        with budget.take(amount):
            with lock:
                flying.append(amount)
                most = max(most, sum(min(a, 100) for a in flying))
                if amount >= 100:
                    alone.append(len(flying) == 1)
            time.sleep(0.0005)
            with lock:
                if amount >= 100:
                    alone.append(len(flying) == 1)
                flying.remove(amount)

    threads = [threading.Thread(target=one, args=(amount,)) for amount in amounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert not any(thread.is_alive() for thread in threads)
    assert 60 < most <= 100
    assert alone == [True] * 6
    assert budget._free == 100


def test_the_bound_is_given_back_after_a_failure():
    budget = _Budget(10)

    def fail() -> None:
        with budget.take(10):
            raise RuntimeError("decoder")

    with pytest.raises(RuntimeError, match="decoder"):
        fail()
    with budget.take(10):
        pass


# Costs


def test_without_decoding_only_known_pixels_are_told(album, work):
    found, measured = measure(album, decode=False)
    assert work == {"headers": 4, "decoded": 0}
    with pytest.raises(NotDecoded):
        measured.pixels(found.media[0])
    measure(album)
    found, measured = measure(album, decode=False)
    assert measured.pixels(found.media[0])["decode_error"] == ""


def test_an_unread_file_has_no_hash(album):
    found = read_album(album)
    (album / "IMG_0.jpg").unlink()
    measured = Measured(found, FactCache.none())
    with pytest.raises(Unmeasured, match="vanished"):
        measured.sha256(found.media[0])
    measured.decode_all(found.media)
    with pytest.raises(Unmeasured, match="vanished"):
        measured.sha256(found.media[0])
