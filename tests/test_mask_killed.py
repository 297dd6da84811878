"""Making masks is killed: no half file, no lost mask, and the same call completes without asking again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fix_albums import files
from killing import POINTS, RANDOM, Case
from mask_albums import discs, hand_made
from mask_killed import mask, undo

SCRIPT = "mask_killed.py"
COUNT = 6


def case_of(kind: str, folder: Path) -> Case:
    """Six pictures; one has a mask by hand, which is to be replaced, and one keeps it as JPEG."""
    album = discs(folder / "start" / "cat", COUNT)
    hand_made(album / "masks" / "a.png")
    hand_made(album / "masks" / "b.jpg")
    if kind == "undo":
        mask(album)
    return Case(SCRIPT, kind, album, folder)


def completes(case: Case, albums: list[Path]) -> None:
    """The same call again gives what an undisturbed one gives; only what was under way is asked twice."""
    for album in albums:
        if files(album) == case.before:
            (undo if case.kind == "undo" else mask)(album)
        assert files(album) == case.after
        if case.kind == "mask":
            asked = len((album.parent / "asked").read_text().splitlines())
            assert COUNT <= asked <= COUNT + 1 + (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def own_folders_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """``mask`` names each album's own folders in the environment: put back what was there."""
    for name in ("ALBUMKIT_CACHE_DIR", "ALBUMKIT_STATE_DIR"):
        monkeypatch.setenv(name, os.environ[name])


@pytest.mark.parametrize("kind", ["mask", "undo"])
def test_killed_at_injected_moments(kind, tmp_path):
    case = case_of(kind, tmp_path)
    completes(case, case.die_at_each(POINTS))


def test_killed_by_the_system(tmp_path):
    case = case_of("mask", tmp_path)
    completes(case, case.die_at_random(RANDOM, seed=1))


@pytest.mark.slow
def test_a_hundred_kills(tmp_path):
    """The figure of docs/commands/mask.md."""
    case = case_of("mask", tmp_path / "mask")
    albums = case.die_at_each(60)
    for batch in range(20):  # those who had finished before their time do not count
        albums += case.die_at_random(20, seed=batch)
        if len(albums) >= 100:
            break
    completes(case, albums)
    print(f"died: {len(albums)}; all albums before or after, all completed by the same call")
    assert len(albums) >= 100
