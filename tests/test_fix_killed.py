"""A fix that is killed: the next command leaves the album as before or as it should be, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from fix_albums import WANTED, apply, files, spoiled
from killing import DEAD, POINTS, RANDOM, Case, run

from albumkit.fixing import rename_trigger, undo_fixes

SCRIPT = "fix_killed.py"
KINDS = ("apply", "set", "undo")


def case_of(kind: str, folder: Path) -> Case:
    album = spoiled(folder / "start" / "cat")
    if kind == "undo":
        apply(album, WANTED)
    return Case(SCRIPT, kind, album, folder)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_injected_moments(kind, tmp_path):
    assert len(case_of(kind, tmp_path).die_at_each(POINTS)) == POINTS


def test_killed_by_the_system(tmp_path):
    case_of("apply", tmp_path).die_at_random(RANDOM, seed=1)


def test_killed_again_while_it_is_put_right(tmp_path):
    case = case_of("apply", tmp_path)
    firsts = [round(case.moments * part) for part in (0.55, 0.75, 0.95)]
    jobs = [(moment, case.copy(f"{moment}-{n}")) for moment in firsts for n in range(3)]
    assert set(run(SCRIPT, "apply", jobs)) == {DEAD}
    again = run(SCRIPT, "open", [((2, 5, 9)[n % 3], album) for n, (_, album) in enumerate(jobs)])
    assert again.count(DEAD) >= 6
    for _, album in jobs:
        case.is_after(album)


def test_after_a_kill_the_fix_can_be_done_and_undone(tmp_path):
    case = case_of("apply", tmp_path)
    album = case.copy("killed")
    assert run(SCRIPT, "apply", [(case.moments * 3 // 4, album)]) == [DEAD]
    assert case.is_after(album) is False
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
        case = case_of(kind, tmp_path / kind)
        at_moments += len(case.die_at_each(50))
        for batch in range(10):  # those who had finished before their time do not count
            at_random += len(case.die_at_random(20, seed=10 * number + batch))
            if at_random >= 17 * (number + 1):
                break
    print(f"died: {at_moments} at injected moments, {at_random} by SIGKILL; all albums before or after")
    assert at_moments + at_random >= 200
