"""Measuring many files: what vanishes on the way, the bound on pixels in flight, what a run costs."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from pathlib import Path

import pytest
from measuring import count_work, measure, small_album
from PIL import Image

from albumkit.album import read_album
from albumkit.facts import FactCache, Measured, NotDecoded, Unmeasured
from albumkit.facts import measure as measure_module
from albumkit.parallel import Budget
from albumkit.workflows import lint_paths


@pytest.fixture
def album(tmp_path) -> Path:
    return small_album(tmp_path / "cat")


@pytest.fixture
def work(monkeypatch) -> dict[str, int]:
    return count_work(monkeypatch)


def test_progress_is_told_part_by_part_up_to_the_last_picture(tmp_path):
    for number in range(40):
        Image.new("L", (8, 8), number).save(tmp_path / f"{number:02}.png")
    found, told = read_album(tmp_path), []
    measured = Measured(found, FactCache(), jobs=2, progress=lambda done, total: told.append((done, total)))
    measured.decode_all(found.media)
    assert told == [(done, 40) for done in range(2, 41, 2)]


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


# Large pictures


def test_a_picture_beyond_the_bound_is_skipped_with_its_size(tmp_path, monkeypatch, make_picture):
    monkeypatch.setattr(measure_module, "MOST_PIXELS", 2000)
    make_picture(tmp_path / "large.png", (64, 48))
    make_picture(tmp_path / "small.png", (20, 20))
    make_picture(tmp_path / "large.jpg", (64, 48))
    (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    skipped = {s.path: s.reason for s in result.skipped if s.rule == "example/truncated"}
    assert skipped == {"large.png": "0 megapixels: decoded here only up to 0"}


def test_a_file_of_gigabytes_is_not_read_into_memory(tmp_path, monkeypatch, make_picture):
    make_picture(tmp_path / "a.jpg")
    monkeypatch.setattr(measure_module, "LARGEST_MEMBER", 100)
    (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    reasons = [s.reason for s in result.skipped if s.rule == "example/truncated"]
    assert reasons == ["a file of 0.0 GiB: decoded here only up to 1 GiB"]


def test_what_each_picture_takes_of_the_bound(album, monkeypatch, make_picture):
    """A large baseline JPEG is decoded at a part of its sides; a progressive one lies in memory whole."""
    make_picture(album / "p.jpg", (4000, 480), progressive=True)
    make_picture(album / "q.jpg", (4000, 480))
    make_picture(album / "r.png", (640, 480))
    taken = []
    real = Budget.take
    monkeypatch.setattr(Budget, "take", lambda self, amount: taken.append(amount) or real(self, amount))
    measure(album, FactCache.none())
    assert sorted(taken) == [3072] * 4 + [120_000, 307_200, 1_920_000]


def test_the_bound_is_never_passed():
    budget = Budget(100)
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
    budget = Budget(10)

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
