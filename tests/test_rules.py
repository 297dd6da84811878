"""Every shipped rule: its form, its examples, its words, and that two validators agree on it."""

from __future__ import annotations

import json
import string
from pathlib import Path

import jsonschema
import jsonschema_rs
import pytest

from albumkit.errors import AlbumkitError, UnknownName
from albumkit.facts import all_facts, find_fact
from albumkit.paths import rules_root
from albumkit.report.pages import pages
from albumkit.rule import RULE_FOLDERS, Rule, find_rule, load_rules, profile
from albumkit.trainers import all_trainers

RULES = load_rules()
META = json.loads((rules_root() / "rule.schema.json").read_text(encoding="utf-8"))
DOCS = Path(__file__).parent.parent / "docs"
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def document(rule: Rule) -> dict:
    return json.loads((rules_root() / f"{rule.id}.json").read_text(encoding="utf-8"))


@each_rule
def test_the_file_has_the_form_of_a_rule(rule):
    jsonschema.Draft202012Validator(META).validate(document(rule))
    jsonschema.Draft202012Validator.check_schema(rule.schema)


@each_rule
def test_every_property_is_required_typed_and_measured(rule):
    properties = rule.schema["properties"]
    assert set(rule.needs) == set(properties)
    types = {str: "string", int: "integer", float: "number", bool: "boolean", tuple: "array"}
    for name in rule.needs:
        fact = find_fact(rule.scope, name)
        assert fact is not None, f"nothing measures {name}"
        assert types[getattr(fact.type, "__origin__", None) or fact.type] == properties[name]["type"]


@each_rule
def test_examples_pass_and_counterexamples_fail_with_their_message(rule):
    for example in rule.examples:
        assert set(example) == set(rule.needs)
        assert rule.violation(example) is None
    for case in document(rule)["x-albumkit"]["counterexamples"]:
        broken = rule.violation({name: case["facts"][name] for name in rule.needs})
        assert broken is not None
        assert broken[0] in rule.needs
        assert rule.message.format(**case["facts"]) == case["message"]


@each_rule
def test_fields_of_message_and_remedies_are_facts_of_the_scope(rule):
    for name in rule.fields:
        assert name == "album_path" or find_fact(rule.scope, name), f"{name} is no fact of {rule.scope}"
    texts = [rule.message, *(r.do for r in rule.remedies), *(r.gives for r in rule.remedies)]
    for text in texts:
        plain = [spec or conversion for _, name, spec, conversion in string.Formatter().parse(text) if name]
        assert not any(plain), "plain field names only"


ODD = ["", "x", 0, 1, -1, 7, 10**12, 1.0, 1.1, 1.1000000001, 1e308, True, False, None, [], ["a"], {}]


@each_rule
def test_both_validators_judge_alike(rule):
    """The documents' validator (jsonschema) and the bulk one (jsonschema-rs), also on wrong types."""
    slow = jsonschema.Draft202012Validator(rule.schema)
    fast = jsonschema_rs.Draft202012Validator(rule.schema)
    cases = [dict.fromkeys(rule.needs, value) for value in ODD]
    cases += [{}, *rule.examples]
    cases += [c["facts"] for c in document(rule)["x-albumkit"]["counterexamples"]]
    for case in cases:
        assert slow.is_valid(case) == fast.is_valid(case), case
    assert not fast.is_valid({}), "a missing fact must not pass"


@each_rule
def test_handled_is_decided_by_facts(rule):
    if rule.handled_when is not None:
        assert rule.handled_as
        for name in rule.handled_when["required"]:
            assert find_fact(rule.scope, name)


def test_knobs_named_by_rules_exist_somewhere():
    known = {knob for trainer in all_trainers() for knob in trainer.knobs}
    for rule in RULES:
        assert {rule.needs_knob, rule.about_knob} - {None} <= known


def test_every_rule_of_the_issue_is_there():
    wanted = """
      example/unreadable example/truncated example/decompression-bomb example/format-not-accepted
      example/orientation-not-applied example/below-training-resolution example/exact-duplicate album/empty
      album/too-few-examples caption/missing caption/default-used caption/empty caption/not-utf8
      caption/trigger-absent caption/trigger-misspelt caption/identical pair/start-missing pair/end-missing
      settings/unknown-knob settings/out-of-range settings/not-a-multiple
      settings/default-caption-without-trigger settings/format-for-another-runtime
      settings/trigger-ignored-by-trainer""".split()
    assert set(wanted) <= {rule.id for rule in RULES}


def test_no_rule_file_is_left_unread():
    files = {p.relative_to(rules_root()).with_suffix("").as_posix() for p in rules_root().rglob("*.json")}
    rest = {f for f in files if f.split("/")[0] not in (*RULE_FOLDERS, "trainers", "profiles")}
    assert rest == {"rule.schema", "trainer.schema", "knobs", "bases", "bases.schema", "profile.schema"}
    assert {f for f in files if f.split("/")[0] in RULE_FOLDERS} == {rule.id for rule in RULES}


def test_profiles_name_rules_and_severities():
    for file in (rules_root() / "profiles").glob("*.json"):
        for rule, severity in profile(file.stem).items():
            assert find_rule(rule)
            assert severity in ("error", "warning", "note", "off")


def test_an_unknown_rule_names_the_nearest():
    with pytest.raises(UnknownName, match="caption/missing"):
        find_rule("caption/mising")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ('{"title": "x"}', "is a required property"),
        (
            json.dumps(document(RULES[0])).replace('"severity": "', '"severity": "fatal '),
            "x-albumkit.severity",
        ),
        (json.dumps(document(RULES[0])).replace('"severity"', '"sevrity"'), "sevrity"),
    ],
)
def test_a_broken_rule_file_is_named_with_the_place_in_it(tmp_path, text, words):
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "mine.json").write_text(text)
    with pytest.raises(AlbumkitError, match=words) as error:
        load_rules(tmp_path)
    assert "album/mine.json" in error.value.message


def test_every_fact_says_what_it_is():
    for fact in all_facts():
        assert len(fact.doc) > 10, fact.name


def test_the_pages_in_docs_are_the_generated_ones():
    """Refresh with: python -m albumkit.report.pages docs"""
    for name, text in pages().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"docs/{name} is out of date"
    on_disk = {p.relative_to(DOCS).as_posix() for p in (DOCS / "rules").rglob("*.md")}
    assert on_disk == set(pages())
