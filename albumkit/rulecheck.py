"""Whether rules do what they say: asked of ours by the tests, of house rules by ``albumkit explain --check``.

Of each rule file: its form, its facts, its examples and counterexamples with their exact messages, that two
validators judge it alike, and its fixtures. A fixture is a picture, or a folder that is an album, in
``fixtures/RULE/good``, ``bad`` or ``missed``: the rule must fire on ``bad`` only. ``missed`` holds what the
rule ought to find and does not, so that its limits are on record; when a better fact finds one, it moves to
``bad``.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from albumkit.caption.policy import check_policy, files_of
from albumkit.config import KINDS
from albumkit.errors import AlbumkitError
from albumkit.facts import COSTS, FactCache, Measured
from albumkit.house import check_profile, checked_rule, faults_of_facts, misplaced
from albumkit.lint import lint
from albumkit.opening import open_album
from albumkit.paths import rules_root
from albumkit.rule import Rule, rule_files
from albumkit.settings import resolve
from albumkit.trainers import all_trainers

SIDES = ("good", "bad", "missed")
#: Values that facts do not have, or that validators are known to judge differently.
_NUMBERS = (0, 1, -1, 7, 10**12, 1.0, 1.1, 1.1000000001, 1e308)
_ODD: tuple[Any, ...] = (*_NUMBERS, "", "x", True, False, None, [], ["a"], {})


@dataclass
class Checked:
    """One file and what is wrong with it. ``name`` is the rule's id, or a path where there is no rule."""

    name: str
    faults: list[str] = field(default_factory=list)
    #: Fixtures that were judged.
    cases: int = 0


def check_folder(folder: Path, fixtures: Path | None = None) -> list[Checked]:
    """Check every rule, profile and caption policy of a folder of rules.

    Args:
        folder: It holds caption/, example/ ... as ours does.
        fixtures: Where the cases lie; ``folder/fixtures`` by default. Ours lie in tests/; a wheel has none,
            and there they are left aside.
    """
    ours = folder.resolve() == rules_root().resolve()
    fixtures = fixtures or _fixtures_of(folder, ours)
    checked = []
    for words in () if ours else misplaced(folder):  # ours holds trainers and more beside its rules
        place, _, fault = words.partition(": ")
        checked.append(Checked(place, [fault]))
    rules: list[Rule] = []
    for file in rule_files(folder):
        one = Checked(file.relative_to(folder).with_suffix("").as_posix())
        checked.append(one)
        try:
            rule = checked_rule(file, folder)
        except AlbumkitError as error:
            one.faults.append(error.message)
            continue
        rules.append(rule)
        one.faults += faults(rule)
        if not one.faults and fixtures is not None:
            one.cases = sum(1 for _ in cases(rule.id, fixtures))
            one.faults += faults_of_fixtures(rule, fixtures)
    for file in [folder / "profiles" / f"{kind}.json" for kind in KINDS]:
        if file.is_file():
            checked.append(one := Checked(file.relative_to(folder).as_posix()))
            try:
                check_profile(file, folder, rules)
            except AlbumkitError as error:
                one.faults.append(error.message)
    for file in files_of(folder):
        checked.append(one := Checked(file.relative_to(folder).as_posix()))
        try:
            check_policy(file)
        except AlbumkitError as error:
            one.faults.append(error.message)
    known = rules_with_cases(fixtures) if fixtures else set()
    strays = sorted(known - {one.name for one in checked})
    return checked + [Checked(f"fixtures/{stray}", ["belongs to no rule of this folder"]) for stray in strays]


def _fixtures_of(folder: Path, ours: bool) -> Path | None:
    if not ours:
        return folder / "fixtures"
    tests = folder.parent / "tests" / "fixtures"
    return tests if tests.is_dir() else None


def faults(rule: Rule) -> list[str]:
    """All that is wrong with a rule whose file has the right form, its fixtures left aside."""
    found = list(faults_of_facts(rule))
    if found:
        return found  # the rest would only repeat it
    return [*_faults_of_knobs(rule), *_faults_of_examples(rule), *_faults_of_validators(rule)]


def _faults_of_knobs(rule: Rule) -> Iterator[str]:
    knobs = {knob for trainer in all_trainers() for knob in trainer.knobs}
    for key, knob in (("needs_knob", rule.needs_knob), ("about_knob", rule.about_knob)):
        if knob and knob not in knobs:
            yield f"{key}: no trainer has the knob {knob}"


def _faults_of_examples(rule: Rule) -> Iterator[str]:
    for number, example in enumerate(rule.examples, 1):
        if set(example) != set(rule.needs):
            yield f"example {number} must give these facts and no others: {', '.join(rule.needs)}"
        elif broken := rule.violation(example):
            yield f"example {number} does not pass: {broken[0]} = {broken[1]!r}, limit {broken[2]!r}"
    for number, case in enumerate(rule.counterexamples, 1):
        given = {name: case["facts"].get(name) for name in rule.needs}
        if lacking := sorted({*rule.needs, *rule.message_fields} - set(case["facts"])):
            yield f"counterexample {number} lacks {', '.join(lacking)}"
        elif rule.violation(given) is None:
            yield f"counterexample {number} passes"
        elif (says := rule.message.format(**{"album_path": "ALBUM", **case["facts"]})) != case["message"]:
            yield f"counterexample {number} says: {says}"


def _faults_of_validators(rule: Rule) -> Iterator[str]:
    """jsonschema, which reads documents, and jsonschema-rs, which judges facts in bulk, must agree."""
    import jsonschema

    slow = jsonschema.Draft202012Validator(dict(rule.schema))
    samples: list[Mapping[str, Any]] = [dict.fromkeys(rule.needs, value) for value in _ODD]
    samples += [{}, *rule.examples, *(case["facts"] for case in rule.counterexamples)]
    for facts in samples:
        if slow.is_valid(facts) != rule.validator.is_valid(facts):
            yield f"two validators disagree about {json.dumps(facts)}"
    if rule.validator.is_valid({}):
        yield "it passes where nothing was measured"


# Fixtures


def cases(rule_id: str, fixtures: Path) -> Iterator[tuple[str, Path]]:
    """(side, picture or album) of a rule."""
    for side in SIDES:
        for case in sorted((fixtures / rule_id / side).glob("*")):
            yield side, case


def rules_with_cases(fixtures: Path) -> set[str]:
    """Ids of the rules, real or not, that have fixtures."""
    held = (case for side in SIDES for case in fixtures.glob(f"*/*/{side}/*"))
    return {case.parents[1].relative_to(fixtures).as_posix() for case in held}


def faults_of_fixtures(rule: Rule, fixtures: Path) -> Iterator[str]:
    """Sides without a case, and cases that the rule judges otherwise than their side says.

    A rule over pixels needs all three sides; any other needs good and bad ones once it has a case at all.
    """
    held = list(cases(rule.id, fixtures))
    pixels = COSTS.index(rule.cost) >= COSTS.index("pixels")
    needed = SIDES if pixels else ("good", "bad") if held else ()
    for side in needed:
        if side not in {s for s, _ in held}:
            yield f"fixtures/{rule.id}/{side} holds no case"
    for side, case in held:
        if fault := fault_of_case(rule, side, case):
            yield f"fixtures/{rule.id}/{side}/{case.name}: {fault}"


def fault_of_case(rule: Rule, side: str, case: Path) -> str:
    """What a fixture shows to be wrong with the rule, or "". An opt-in rule is asked all the same."""
    with tempfile.TemporaryDirectory(prefix="albumkit-") as folder:
        album = case
        if case.is_file():
            album = Path(folder) / "album"
            album.mkdir()
            shutil.copy(case, album)
        try:
            opened = open_album(album)
            settings = resolve(opened.config, guessed_kind=opened.guessed_kind)
            measured = Measured(opened.album, FactCache.none())
            result = lint(opened, settings, measured, rules=[replace(rule, opt_in=False)])
        except AlbumkitError as error:
            return error.message
    if result.skipped:
        return f"could not be judged: {result.skipped[0].reason}"
    fired = [f.message for f in result.findings] + [h.words for h in result.handled]
    if side == "bad":
        return "" if fired else "the rule does not fire"
    return f"the rule fires: {fired[0]}" if fired else ""
