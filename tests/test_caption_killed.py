"""A captioning that is killed: no half file, no lost answer, and the next call completes it."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from albums import SCENES
from caption_runs import SUBJECT, captions, unfinished
from killing import DEAD, POINTS, RANDOM, points, run

from albumkit.opening import open_album

SCRIPT = "caption_killed.py"
COUNT = 6


class Case:
    """An album of which one caption is a person's, and how it is captioned by a call that nobody kills."""

    def __init__(self, folder: Path) -> None:
        self.album = unfinished(folder / "start" / "cat", COUNT, SUBJECT)
        (self.album / "IMG_03.txt").write_text("mine: TOK ceramic cat in a drawer, dim light, from above")
        self.before = captions(self.album)
        done = self.copy(folder / "done")
        assert run(SCRIPT, "caption", [(0, done)]) == [0]
        moments, seconds = (done.parent / "moments").read_text().split()
        self.moments, self.seconds = int(moments), float(seconds)
        self.after = captions(done)
        assert len(self.after) == COUNT
        assert self.after["IMG_03.txt"] == self.before["IMG_03.txt"]

    def copy(self, folder: Path) -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.album, folder / "cat")
        return folder / "cat"

    def goes_on(self, albums: list[Path]) -> None:
        """Each is before or after; the next call completes it, and asks nothing that was kept."""
        for album in albums:
            open_album(album)
            assert captions(album) in (self.before, self.after)
        assert run(SCRIPT, "caption", [(0, album) for album in albums]) == [0] * len(albums)
        for album in albums:
            assert captions(album) == self.after
            asked = Counter((album.parent / "asked").read_text().splitlines())
            assert set(asked) == {SCENES[n] for n in range(COUNT) if n != 3}
            assert sum(asked.values()) <= COUNT - 1 + 2, "at most the batch that was under way"
            assert not list(album.glob(".*.tmp"))


def die_at_each(case: Case, folder: Path, count: int) -> int:
    assert case.moments >= count
    jobs = [(moment, case.copy(folder / f"at-{moment}")) for moment in points(case.moments, count)]
    assert run(SCRIPT, "caption", jobs) == [DEAD] * len(jobs)
    case.goes_on([album for _, album in jobs])
    return len(jobs)


def die_at_random(case: Case, folder: Path, count: int, seed: int) -> int:
    """SIGKILL from outside at random times; gives the number of those who had not finished."""
    dice = random.Random(seed)
    jobs = [
        (f"~{dice.random() * case.seconds:.4f}", case.copy(folder / f"kill-{seed}-{n}")) for n in range(count)
    ]
    codes = run(SCRIPT, "caption", jobs)
    case.goes_on([album for _, album in jobs])
    return sum(code != 0 for code in codes)


def test_killed_at_injected_moments_and_by_the_system(tmp_path):
    case = Case(tmp_path)
    assert die_at_each(case, tmp_path, POINTS) == POINTS
    die_at_random(case, tmp_path, RANDOM, seed=1)


@pytest.mark.slow
def test_a_hundred_kills(tmp_path):
    """The figure of docs/commands/caption.md."""
    case = Case(tmp_path)
    at_moments = die_at_each(case, tmp_path, 60)
    at_random = 0
    for batch in range(10):  # those who had finished before their time do not count
        at_random += die_at_random(case, tmp_path, 20, seed=batch)
        if at_random >= 40:
            break
    print(f"died: {at_moments} at injected moments, {at_random} by SIGKILL; every album was completed")
    assert at_moments + at_random >= 100
