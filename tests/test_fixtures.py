"""Pixel rules on files: ``tests/fixtures/<rule>/`` holds ``good``, ``bad`` and ``missed`` cases.

A case is a picture, or a folder that is an album. ``missed`` holds what the rule ought to find and does not,
so that its limits are on record: when a better fact finds one, the case moves to ``bad``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from albumkit.facts import FactCache, Measured
from albumkit.lint import lint
from albumkit.opening import open_album
from albumkit.rule import Rule, load_rules
from albumkit.settings import resolve

FIXTURES = Path(__file__).parent / "fixtures"
SIDES = ("good", "bad", "missed")
#: example/truncated asks whether pixels can be had at all; tests/corpus.py feeds it hundreds of files.
PIXEL_RULES = [r for r in load_rules() if r.cost == "pixels" and r.id != "example/truncated"]
CASES = [
    pytest.param(rule, side, case, id=f"{rule.id}-{side}-{case.name}")
    for rule in load_rules()
    for side in SIDES
    for case in sorted((FIXTURES / rule.id / side).glob("*"))
]


@pytest.mark.parametrize("rule", PIXEL_RULES, ids=lambda rule: rule.id)
@pytest.mark.parametrize("side", SIDES)
def test_every_pixel_rule_has_cases_on_all_sides(rule: Rule, side: str) -> None:
    assert any((FIXTURES / rule.id / side).glob("*")), f"tests/fixtures/{rule.id}/{side} holds no case"


def test_fixtures_belong_to_rules() -> None:
    known = {rule.id for rule in load_rules()}
    held = {side.parent.relative_to(FIXTURES).as_posix() for s in SIDES for side in FIXTURES.rglob(s)}
    assert held <= known


@pytest.mark.parametrize(("rule", "side", "case"), CASES)
def test_the_rule_fires_on_bad_cases_only(rule: Rule, side: str, case: Path, tmp_path: Path) -> None:
    album = case
    if case.is_file():
        album = tmp_path / "album"
        album.mkdir()
        shutil.copy(case, album)
    opened = open_album(album)
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind)
    measured = Measured(opened.album, FactCache.none())
    result = lint(opened, settings, measured, rules=[rule])
    fired = [f.message for f in result.findings] + [h.words for h in result.handled]
    assert not result.skipped
    assert bool(fired) == (side == "bad"), fired
