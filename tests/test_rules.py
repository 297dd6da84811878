"""Every shipped rule: its form, its examples, its words, and that two validators agree on it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from albumkit import rulecheck
from albumkit.config import KINDS
from albumkit.errors import UnknownName
from albumkit.facts import all_facts
from albumkit.house import check_profile
from albumkit.paths import rules_root
from albumkit.report.pages import pages
from albumkit.rule import RULE_FOLDERS, Rule, find_rule, load_rules, profile

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
def test_the_rule_does_what_it_says(rule):
    """Facts, examples, messages and two validators; what is asked stands in albumkit/rulecheck.py, and that
    each question finds its fault is tested in test_house_rules.py.
    """
    assert rulecheck.faults(rule) == []


@each_rule
def test_handled_is_told_in_words(rule):
    assert rule.handled_when is None or rule.handled_as


def test_every_promised_rule_is_there():
    wanted = """
      example/unreadable example/truncated example/decompression-bomb example/format-not-accepted
      example/orientation-not-applied example/below-training-resolution example/exact-duplicate album/empty
      album/too-few-examples caption/missing caption/default-used caption/empty caption/not-utf8
      caption/trigger-absent caption/trigger-misspelt caption/identical pair/start-missing pair/end-missing
      settings/unknown-knob settings/out-of-range settings/not-a-multiple
      settings/default-caption-without-trigger settings/format-for-another-runtime
      settings/trigger-ignored-by-trainer
      example/extension-mismatch example/hidden-pixels-under-alpha example/cmyk-or-lab example/high-bit-depth
      example/animated example/wide-gamut-profile example/location-metadata example/extreme-aspect-ratio
      example/cropped-by-bucket example/blurry example/too-dark example/too-bright example/low-information
      example/heavy-jpeg-artifacts example/letterboxed example/near-duplicate
      album/junk-files album/nested-folders album/mixed-media album/name-not-portable
      album/name-collision
      album/orphan-caption album/orphan-mask album/ambiguous-caption album/archive-too-large
      album/few-settings
      caption/byte-order-mark caption/too-long caption/near-identical caption/trigger-case-varies
      caption/class-phrase-drifts caption/trigger-is-a-word caption/placeholder-left caption/empty-adjectives
      caption/fused-term caption/tag-list caption/filename-as-caption caption/assistant-boilerplate
      caption/describes-image-not-change
      pair/size-differs pair/identical pair/misaligned pair/too-many-references pair/reference-gap
      clip/unreadable clip/too-short clip/frame-rate-differs clip/variable-frame-rate clip/rotated
      clip/scene-cut-inside clip/audio-missing
      mask/missing mask/size-differs mask/empty mask/full mask/inverted mask/fragmented mask/cut-at-border
      mask/share-outlier mask/not-greyscale
      settings/frame-count-not-offered settings/steps-too-many-for-album settings/steps-too-few-for-album
      settings/rate-and-steps-both-raised settings/effective-rate-starved settings/rank-not-offered
      settings/rank-high-for-album settings/style-with-masks settings/subject-without-masks
      settings/resolution-below-use settings/validation-absent settings/validation-prompt-without-trigger
      settings/distilled-base settings/non-commercial-base""".split()
    assert set(wanted) <= {rule.id for rule in RULES}


def test_no_rule_file_is_left_unread():
    files = {p.relative_to(rules_root()).with_suffix("").as_posix() for p in rules_root().rglob("*.json")}
    rest = {f for f in files if f.split("/")[0] not in (*RULE_FOLDERS, "trainers", "profiles")}
    schemas = {"rule.schema", "trainer.schema", "bases.schema", "profile.schema", "caption-policy.schema"}
    assert rest == {"knobs", "bases"} | schemas
    assert {f for f in files if f.split("/")[0] in RULE_FOLDERS} == {rule.id for rule in RULES}


@pytest.mark.parametrize("kind", KINDS)
def test_profiles_name_rules_and_severities(kind):
    check_profile(rules_root() / "profiles" / f"{kind}.json", rules_root(), list(RULES))
    assert set(profile(kind).values()) <= {"error", "warning", "note", "off"}


def test_an_unknown_rule_names_the_nearest():
    with pytest.raises(UnknownName, match="caption/missing"):
        find_rule("caption/mising")


def test_every_fact_says_what_it_is():
    for fact in all_facts():
        assert len(fact.doc) > 10, fact.name


def test_the_pages_in_docs_are_the_generated_ones():
    """Refresh with: python -m albumkit.report.pages docs"""
    for name, text in pages().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"docs/{name} is out of date"
    on_disk = {p.relative_to(DOCS).as_posix() for p in (DOCS / "rules").rglob("*.md")}
    assert on_disk == set(pages())
