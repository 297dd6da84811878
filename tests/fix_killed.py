"""Change albums and die at chosen moments: ``python fix_killed.py KIND MOMENT ALBUM [MOMENT ALBUM]...``.

KIND is apply, set, undo, caption, or open (which only puts right what is pending). Each album is changed in a
process of its own, forked where the system can: starting Python two hundred times takes minutes. Moments are
numbered: before and after every fsync, rename, link, removal, new folder and new file. At moment 0 nobody
dies, and the number of moments and the seconds it took are written beside the album; ``~0.02`` means SIGKILL
from outside after so many seconds. Prints the exit codes, a line each; -9 (or 9) is a death.
"""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import caption_runs
import jsonschema  # noqa: F401 - here once, rather than in every fork
import jsonschema_rs  # noqa: F401
from fix_albums import WANTED, apply

from albumkit.caption.answers import Answers
from albumkit.fixing import rename_trigger, undo_fixes
from albumkit.ledger import Ledger
from albumkit.opening import open_album

passed = 0
deadline = 0


def tick() -> None:
    global passed
    passed += 1
    if passed == deadline:
        os._exit(9)


def deadly(function: Callable[..., Any], counts: Callable[..., bool] = lambda *_, **__: True) -> Any:
    def wrapped(*args: Any, **named: Any) -> Any:
        if not counts(*args, **named):
            return function(*args, **named)
        tick()
        result = function(*args, **named)
        tick()
        return result

    return wrapped


def makes_a_file(path: Any, mode: str = "r", *_: Any, **__: Any) -> bool:
    return "x" in mode or "w" in mode or "a" in mode


def change(kind: str, moment: int, album: Path) -> None:
    global deadline
    deadline, begun = moment, time.perf_counter()
    for name in ("fsync", "rename", "replace", "link", "unlink", "mkdir"):
        setattr(os, name, deadly(getattr(os, name)))
    real, builtins.open = open, deadly(open, makes_a_file)
    CHANGES[kind](album)
    builtins.open = real
    if not moment:
        (album.parent / "moments").write_text(f"{passed} {time.perf_counter() - begun}")


def set_trigger(album: Path) -> None:
    assert rename_trigger([album], "sks", apply=True).exit_code == 0


def undo(album: Path) -> None:
    assert undo_fixes([album]).exit_code == 0


def caption(album: Path) -> None:
    """With a state and cache folder of its own; asking, keeping answers and the ledger are moments too."""
    for name in ("cache", "state"):
        os.environ[f"ALBUMKIT_{name.upper()}_DIR"] = str(album.parent / name)
    for place, name in ((caption_runs.Looking, "ask"), (Answers, "keep"), (Ledger, "record")):
        setattr(place, name, deadly(getattr(place, name)))
    assert caption_runs.run(album, caption_runs.Noting(album.parent / "asked", batch=2)).exit_code == 0


CHANGES: dict[str, Callable[[Path], object]] = {
    "apply": lambda album: apply(album, WANTED),
    "set": set_trigger,
    "undo": undo,
    "caption": caption,
    "open": open_album,
}


class Worker:
    """One change in a process of its own."""

    def __init__(self, kind: str, moment: str, album: str) -> None:
        self.process = None
        if not hasattr(os, "fork"):
            self.process = subprocess.Popen([sys.executable, __file__, kind, "-", moment, album])
            return
        self.pid = os.fork()
        if self.pid:
            return
        try:
            change(kind, int(moment), Path(album))
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


def run(kind: str, moment: str, album: str) -> int:
    if not moment.startswith("~"):
        return Worker(kind, moment, album).wait()
    worker = Worker(kind, "0", album)
    time.sleep(float(moment[1:]))
    worker.kill()
    return worker.wait()


if __name__ == "__main__":
    _, what, *jobs = sys.argv
    if jobs[0] == "-":
        change(what, int(jobs[1]), Path(jobs[2]))
    else:
        for one, place in zip(jobs[::2], jobs[1::2], strict=True):
            print(run(what, one, place), flush=True)
