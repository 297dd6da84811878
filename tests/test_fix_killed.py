"""A fix that is killed: the next command leaves the album as before or as it should be, to the byte."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from fix_albums import WANTED, apply, files, spoiled

from albumkit.fixing import rename_trigger, undo_fixes
from albumkit.opening import open_album

HERE = Path(__file__).parent
KINDS = ("apply", "set", "undo")
#: Injected moments of each kind, and deaths by SIGKILL, in the default suite.
POINTS, RANDOM = 15, 5
DEAD = 9


def run(kind: str, jobs: Sequence[tuple[object, Path]]) -> list[int]:
    """Exit codes of a process for each (moment, album)."""
    words = [str(word) for job in jobs for word in job]
    done = subprocess.run(
        [sys.executable, str(HERE / "fix_killed.py"), kind, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=HERE,
        timeout=600,
    )
    assert not done.stderr
    return [abs(int(line)) for line in done.stdout.split()]


class Case:
    """One kind of change: an album before it, the files before and after."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.album = spoiled(folder / "start" / "cat")
        if kind == "undo":
            apply(self.album, WANTED)
        self.before = files(self.album)
        done = self.copy(folder / "done")
        assert run(kind, [(0, done)]) == [0]
        moments, seconds = (done.parent / "moments").read_text().split()
        self.moments, self.seconds = int(moments), float(seconds)
        self.after = files(done)
        assert self.before != self.after

    def copy(self, folder: Path) -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.album, folder / "cat", symlinks=True)
        return folder / "cat"

    def is_right(self, album: Path) -> bool:
        """Whether one more command leaves the album before or after; "before" can then be changed again."""
        open_album(album)
        now = files(album)
        assert now in (self.before, self.after), sorted(set(now) ^ set(self.before))
        assert not (album / ".albumkit" / "pending.json").exists()
        return now == self.after


@pytest.fixture(params=KINDS)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    return Case(request.param, tmp_path)


def points(moments: int, count: int) -> list[int]:
    """Evenly over all moments, the first and the last among them."""
    return sorted({1 + round(i * (moments - 1) / (count - 1)) for i in range(count)})


def die_at_each(case: Case, tmp_path: Path, count: int) -> int:
    """Give the number of deaths."""
    assert case.moments >= count
    jobs = [(moment, case.copy(tmp_path / f"at-{moment}")) for moment in points(case.moments, count)]
    assert run(case.kind, jobs) == [DEAD] * len(jobs)
    outcomes = [case.is_right(album) for _, album in jobs]
    assert outcomes == sorted(outcomes)  # before, before, ..., after: there is one moment of commit
    assert outcomes[0] is False
    assert outcomes[-1] is True
    return len(jobs)


def die_at_random(case: Case, tmp_path: Path, count: int, seed: int) -> int:
    """SIGKILL from outside at random times of the work; gives the number of those who had not finished."""
    dice = random.Random(seed)
    jobs = [
        (f"~{dice.random() * case.seconds:.4f}", case.copy(tmp_path / f"kill-{seed}-{n}"))
        for n in range(count)
    ]
    codes = run(case.kind, jobs)
    for _, album in jobs:
        case.is_right(album)
    return sum(code != 0 for code in codes)


def test_killed_at_injected_moments(case, tmp_path):
    assert die_at_each(case, tmp_path, POINTS) == POINTS


def test_killed_by_the_system(tmp_path):
    die_at_random(Case("apply", tmp_path), tmp_path, RANDOM, seed=1)


def test_killed_again_while_it_is_put_right(tmp_path):
    case = Case("apply", tmp_path)
    firsts = [round(case.moments * part) for part in (0.55, 0.75, 0.95)]
    jobs = [(moment, case.copy(tmp_path / f"{moment}-{n}")) for moment in firsts for n in range(3)]
    assert set(run("apply", jobs)) == {DEAD}
    again = run("open", [((2, 5, 9)[n % 3], album) for n, (_, album) in enumerate(jobs)])
    assert again.count(DEAD) >= 6
    for _, album in jobs:
        case.is_right(album)


def test_after_a_kill_the_fix_can_be_done_and_undone(tmp_path):
    case = Case("apply", tmp_path)
    album = case.copy(tmp_path / "killed")
    assert run("apply", [(case.moments * 3 // 4, album)]) == [DEAD]
    assert case.is_right(album) is False
    apply(album, WANTED)
    assert files(album) == case.after
    assert rename_trigger([album], "sks", apply=True).exit_code == 0
    assert undo_fixes([album]).exit_code == 0
    assert files(album) == case.after
    assert undo_fixes([album]).exit_code == 0
    assert files(album) == case.before


@pytest.mark.slow
def test_two_hundred_kills(tmp_path):
    """The figure of docs/commands/fix.md."""
    at_moments = at_random = 0
    for number, kind in enumerate(KINDS):
        case = Case(kind, tmp_path / kind)
        at_moments += die_at_each(case, tmp_path / kind, 50)
        for batch in range(10):  # those who had finished before their time do not count
            at_random += die_at_random(case, tmp_path / kind, 20, seed=10 * number + batch)
            if at_random >= 17 * (number + 1):
                break
    print(f"died: {at_moments} at injected moments, {at_random} by SIGKILL; all albums before or after")
    assert at_moments + at_random >= 200
