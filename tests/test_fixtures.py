"""Pixel rules on files: ``tests/fixtures/<rule>/`` holds ``good``, ``bad`` and ``missed`` cases.

What they are for, and how a rule is asked about them, stands in albumkit/rulecheck.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from albumkit.rule import Rule, load_rules
from albumkit.rulecheck import SIDES, cases, fault_of_case, rules_with_cases

FIXTURES = Path(__file__).parent / "fixtures"
PIXEL_RULES = [rule for rule in load_rules() if rule.cost == "pixels"]
CASES = [
    pytest.param(rule, side, case, id=f"{rule.id}-{side}-{case.name}")
    for rule in load_rules()
    for side, case in cases(rule.id, FIXTURES)
]


@pytest.mark.parametrize("rule", PIXEL_RULES, ids=lambda rule: rule.id)
@pytest.mark.parametrize("side", SIDES)
def test_every_pixel_rule_has_cases_on_all_sides(rule: Rule, side: str) -> None:
    assert side in dict(cases(rule.id, FIXTURES)), f"tests/fixtures/{rule.id}/{side} holds no case"


def test_fixtures_belong_to_rules() -> None:
    assert rules_with_cases(FIXTURES) <= {rule.id for rule in load_rules()}


@pytest.mark.parametrize(("rule", "side", "case"), CASES)
def test_the_rule_fires_on_bad_cases_only(rule: Rule, side: str, case: Path) -> None:
    assert not fault_of_case(rule, side, case)
