"""Killing commands at chosen moments: what the tests of fix, caption and mask share.

The killed side is a script of its own, ``main({"apply": change, ...})``, called as
``python SCRIPT.py KIND MOMENT ALBUM [MOMENT ALBUM]...``. Each album is changed in a process of its own,
forked where the system can: starting Python two hundred times takes minutes. Moments are numbered: before and
after every fsync, rename, link, removal, new folder, new file, and call of what the script adds, in whatever
thread. At moment 0 nobody dies, and the number of moments and the seconds it took are written beside the
album; ``~0.02`` means SIGKILL from outside after so many seconds. The script prints the exit codes, a line
each; -9 (or 9) is a death.

The test's side is :func:`run` and :class:`Case`.
"""

from __future__ import annotations

import builtins
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fix_albums import files

from albumkit.opening import open_album

HERE = Path(__file__).parent
#: Injected moments of each kind, and deaths by SIGKILL, in the default suite.
POINTS, RANDOM = 15, 5
DEAD = 9

Changes = Mapping[str, Callable[[Path], None]]
#: Methods that moments stand around too: (class, name). What SQLite writes goes past ``os``.
More = Sequence[tuple[type, str]]

_passed = 0
_deadline = 0
_counting = threading.Lock()


def _tick() -> None:
    global _passed
    with _counting:
        _passed += 1
        if _passed == _deadline:
            os._exit(DEAD)


def _deadly(function: Callable[..., Any], counts: Callable[..., bool] = lambda *_, **__: True) -> Any:
    def wrapped(*args: Any, **named: Any) -> Any:
        if not counts(*args, **named):
            return function(*args, **named)
        _tick()
        result = function(*args, **named)
        _tick()
        return result

    return wrapped


def _makes_a_file(path: Any, mode: str = "r", *_: Any, **__: Any) -> bool:
    return "x" in mode or "w" in mode or "a" in mode


def _change(change: Callable[[Path], None], moment: int, album: Path, more: More) -> None:
    global _deadline
    _deadline, begun = moment, time.perf_counter()
    for owner, name in more:
        setattr(owner, name, _deadly(getattr(owner, name)))
    for name in ("fsync", "rename", "replace", "link", "unlink", "mkdir"):
        setattr(os, name, _deadly(getattr(os, name)))
    real, builtins.open = open, _deadly(open, _makes_a_file)
    change(album)
    builtins.open = real
    if not moment:
        (album.parent / "moments").write_text(f"{_passed} {time.perf_counter() - begun}")


class _Worker:
    """One change in a process of its own."""

    def __init__(self, changes: Changes, kind: str, moment: str, album: str, more: More) -> None:
        self.process = None
        if not hasattr(os, "fork"):
            self.process = subprocess.Popen([sys.executable, sys.argv[0], kind, "-", moment, album])
            return
        self.pid = os.fork()
        if self.pid:
            return
        try:
            _change(changes[kind], int(moment), Path(album), more)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
        else:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        return self.process.wait() if self.process else os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _exit_code(changes: Changes, kind: str, moment: str, album: str, more: More) -> int:
    if not moment.startswith("~"):
        return _Worker(changes, kind, moment, album, more).wait()
    worker = _Worker(changes, kind, "0", album, more)
    time.sleep(float(moment[1:]))
    worker.kill()
    return worker.wait()


def main(changes: Changes, more: More = ()) -> None:
    """What a script of killed changes does; ``open``, which only puts right what is pending, is added."""
    changes = {**changes, "open": lambda album: (open_album(album), None)[1]}
    _, kind, *jobs = sys.argv
    if jobs[0] == "-":
        _change(changes[kind], int(jobs[1]), Path(jobs[2]), more)
        return
    for moment, album in zip(jobs[::2], jobs[1::2], strict=True):
        print(_exit_code(changes, kind, moment, album, more), flush=True)


def run(script: str, kind: str, jobs: Sequence[tuple[object, Path]]) -> list[int]:
    """Exit codes of a process for each (moment, album)."""
    words = [str(word) for job in jobs for word in job]
    done = subprocess.run(
        [sys.executable, str(HERE / script), kind, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=HERE,
        timeout=600,
    )
    assert not done.stderr
    return [abs(int(line)) for line in done.stdout.split()]


def points(moments: int, count: int) -> list[int]:
    """Evenly over all moments, the first and the last among them."""
    return sorted({1 + round(i * (moments - 1) / (count - 1)) for i in range(count)})


class Case:
    """One kind of change: an album, its files before and after."""

    def __init__(self, script: str, kind: str, album: Path, folder: Path) -> None:
        """``album`` is copied, never changed; the copies go into ``folder``."""
        self.script, self.kind, self.album, self.folder = script, kind, album, folder
        self.before = files(album)
        done = self.copy("done")
        assert run(script, kind, [(0, done)]) == [0]
        moments, seconds = (done.parent / "moments").read_text().split()
        self.moments, self.seconds = int(moments), float(seconds)
        self.after = files(done)
        assert self.before != self.after

    def copy(self, name: str) -> Path:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        shutil.copytree(self.album, self.folder / name / "cat", symlinks=True)
        return self.folder / name / "cat"

    def is_after(self, album: Path) -> bool:
        """Which of the two one more command leaves the album as; anything else fails."""
        open_album(album)
        now = files(album)
        assert now in (self.before, self.after), sorted(set(now) ^ set(self.before))
        assert not (album / ".albumkit" / "pending.json").exists()
        return now == self.after

    def die_at_each(self, count: int) -> list[Path]:
        """Die at so many moments; gives the albums, put right."""
        assert self.moments >= count
        jobs = [(moment, self.copy(f"at-{moment}")) for moment in points(self.moments, count)]
        assert run(self.script, self.kind, jobs) == [DEAD] * len(jobs)
        outcomes = [self.is_after(album) for _, album in jobs]
        assert outcomes == sorted(outcomes)  # before, before, ..., after: there is one moment of commit
        assert outcomes[0] is False
        assert outcomes[-1] is True
        return [album for _, album in jobs]

    def die_at_random(self, count: int, seed: int) -> list[Path]:
        """SIGKILL from outside at random times of the work; gives the albums of those who had not finished,
        put right.
        """
        dice = random.Random(seed)
        jobs = [(f"~{dice.random() * self.seconds:.4f}", self.copy(f"kill-{seed}-{n}")) for n in range(count)]
        codes = run(self.script, self.kind, jobs)
        for _, album in jobs:
            self.is_after(album)
        return [album for code, (_, album) in zip(codes, jobs, strict=True) if code]
