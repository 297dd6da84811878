"""Caption policies: ours are sound, a house's stands for ours, what is wrong with one is told by place."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from caption_runs import SUBJECT, Scripted, captions, run, unfinished

from albumkit.caption.compose import Subject, again_text, compose, question_text, shared_text
from albumkit.caption.limits import answer_faults, faults
from albumkit.caption.policy import Policy, policy_for, read_policy
from albumkit.config import KINDS
from albumkit.errors import ConfigError
from albumkit.paths import rules_root
from albumkit.rulecheck import check_folder

CAT = Subject("TOK", "ceramic cat figurine")


def subject() -> Policy:
    return policy_for("subject")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_policy_that_can_be_asked(kind):
    policy = policy_for(kind)
    assert policy.kind == kind
    question = question_text(policy, CAT, ["glazed", "green eyes"], references=2)
    assert "{" not in question
    assert "glazed, green eyes" in question
    assert str(policy.limits.most_words) in question
    again = again_text(policy, question, "no", ["It was too short."])
    assert again.startswith(question)
    assert "no" in again
    assert "It was too short." in again


def test_no_policy_file_is_left_unread():
    files = {p.stem for p in (rules_root() / "caption-policies").iterdir()}
    assert files == set(KINDS)


def test_the_forms_that_a_policy_shows_keep_to_it():
    """A captioner copies its examples, so they must be captions that would be taken."""
    policy = subject()
    shown = policy.asks.instruction.rpartition("form:")[2].strip().splitlines()
    assert len(shown) == 2
    for text in shown:
        assert faults(policy, CAT, compose(policy, CAT, text)) == []
        assert compose(policy, CAT, text) == f"a photo of TOK ceramic cat figurine {text}"


@pytest.mark.parametrize("references", [0, 1, 3])
def test_references_are_named_where_there_are_some(references):
    text = question_text(policy_for("edit"), Subject(), references=references)
    assert ("reference" in text) is bool(references)
    assert not references or f"The {references} between" in text


def test_the_shared_question_holds_all_instructions():
    text = shared_text(policy_for("edit"), ["turn it blue", "make it blue"])
    assert "- turn it blue\n- make it blue" in text


SUBJECT_ANSWERS = [
    ("On a wooden shelf, soft light, close-up.", " on a wooden shelf, soft light, close-up"),
    ('"on a wooden shelf"', " on a wooden shelf"),
    ("**On a wooden shelf**", " on a wooden shelf"),
    ("```\non a wooden shelf\n```", " on a wooden shelf"),
    ("```text\non a wooden shelf\n```", " on a wooden shelf"),
    ("\u201con a wooden shelf\u201d", " on a wooden shelf"),
    ("a photo of the ceramic cat figurine on a shelf", " on a shelf"),
    ("A photo of TOK ceramic cat figurine, on a shelf", " on a shelf"),
    ("The ceramic cat figurine: on a shelf", " on a shelf"),
    ("the ceramic cat figurine is placed on a shelf", " placed on a shelf"),
    ("... on a shelf", "... on a shelf"),
    ("<think>A cat.\nOn what?</think>\n\non a shelf", " on a shelf"),
    ("<think>never closed, so nothing was said", ""),
    ("soft light from the left, on a shelf", ", soft light from the left, on a shelf"),
    ("beside\na\n  vase", " beside a vase"),
    ("Paris street at night", ", Paris street at night"),
    ("LED strip above it", ", LED strip above it"),
    ('on a shelf with "TEA" on it', ' on a shelf with "TEA" on it'),
    ('"TEA" on a tin behind it, "open" on the door', ', "TEA" on a tin behind it, "open" on the door'),
    ("", ""),
    (" . ", ""),
]


@pytest.mark.parametrize(("answer", "rest"), SUBJECT_ANSWERS)
def test_an_answer_goes_on_behind_the_subject(answer, rest):
    caption = compose(subject(), CAT, answer)
    if rest.startswith("..."):
        assert caption == "a photo of TOK ceramic cat figurine, ... on a shelf"
    else:
        assert caption == (f"a photo of TOK ceramic cat figurine{rest}" if rest else "")


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        ("a white cat statue sitting on a wooden table", " sitting on a wooden table"),
        ("there is a cat that is standing in the snow", " standing in the snow"),
        ("a cat", ", a cat"),
    ],
)
def test_of_a_description_only_what_is_around_the_subject_is_used(answer, rest):
    expected = f"a photo of TOK ceramic cat figurine{rest}"
    assert compose(subject(), CAT, answer, describes=True) == expected


def test_other_kinds_are_composed_as_their_policy_says():
    style = policy_for("style")
    assert (
        compose(style, Subject("inknyte style"), "A watercolor painting of two boats on a lake.")
        == "two boats on a lake, in inknyte style"
    )
    video = policy_for("video")
    assert (
        compose(video, Subject("TOK", "puppet"), "The puppet walks to the left, daylight")
        == "TOK puppet walks to the left, daylight"
    )
    assert compose(video, Subject("", "puppet"), "walks to the left") == "puppet walks to the left"
    assert compose(policy_for("edit"), Subject(), "Instruction: Turn it blue.") == "turn it blue"


FAULTS = [
    ("on a shelf in soft light, close-up", []),
    ("on a shelf", ["fewest_words"]),
    ("on a shelf " + "and a vase " * 20, ["most_words"]),
    ("on a shelf. The light is soft. Close-up", ["one_sentence"]),
    ("on a shelf at f/2.8, St. Ives behind it, 3.5 m away", []),
    ("beside another ceramic cat figurine in soft light", ["subject_once"]),
    ("beside TOK in the soft light of a lamp", ["subject_once"]),
    ("in soft light, the figurine faces left here", ["subject_once"]),
    ("in soft light, a figurine of a dog beside it", []),
    ("on a shelf in stunning soft light, close-up", ["never_say"]),
    ("on what seems to be a shelf in soft light", ["never_say"]),
    ("on a shelf in soft light, Glazed and shiny", ["never_say"]),
]


@pytest.mark.parametrize(("answer", "names"), FAULTS)
def test_what_a_policy_forbids(answer, names):
    caption = f"a photo of TOK ceramic cat figurine {answer}"
    found = faults(subject(), CAT, caption, ["glazed", "ceramic"])
    assert [fault.name for fault in found] == names
    assert all(re.match(r"It .*\.", fault.words) for fault in found)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("the image shows a shelf", ["never_lists"]),
        ("I'm sorry, I can't say", ["never_lists", "never_lists"]),
        ("on a shelf with a", ["cut_off"]),
        ("on a shelf seen from above", []),
    ],
)
def test_what_is_wrong_with_an_answer_itself(said, names):
    assert [fault.name for fault in answer_faults(subject().use, said)] == names


def broken(folder: Path, old: str, new: str) -> Path:
    file = folder / "subject.toml"
    text = (rules_root() / "caption-policies" / "subject.toml").read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("most_words = 40", "most_words = many", "is not valid TOML"),
        ("most_words = 40", 'most_words = "40"', "limits.most_words: '40' is not of type 'integer'"),
        ("most_words = 40", "most_word = 40", "most_word"),
        ("most_words = 40", "most_words = 4", "limits.fewest_words is more than limits.most_words"),
        ('{answer}"', '{anser}"', "caption: "),
        ("Write only what", "Write {class} only what", "asks.instruction: there is no field class"),
        ("Write only what", "Write { only what", "asks.instruction: "),
        ('"empty-adjectives"', '"empty-adjective"', "no list empty-adjective; empty-adjectives?"),
        (
            '"backlit"',
            '"back-lit"',
            "back-lit begins no line of rules/words/lights.txt; backlit?",
        ),
        ('"trigger_phrase", "class_phrase"', '"trigger"', "needs"),
    ],
)
def test_a_broken_policy_is_an_error_naming_file_and_place(tmp_path, old, new, words):
    with pytest.raises(ConfigError, match=re.escape(words)) as error:
        read_policy(broken(tmp_path, old, new))
    assert "subject.toml" in error.value.message
    assert error.value.exit_code == 2


def test_a_policy_that_is_not_text_or_not_there(tmp_path):
    (tmp_path / "style.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_policy(tmp_path / "style.toml")
    with pytest.raises(ConfigError, match="No such file"):
        read_policy(tmp_path / "edit.toml")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """An album whose repository has a policy of its own."""
    folder = tmp_path / "rules" / "caption-policies"
    shutil.copytree(rules_root() / "caption-policies", folder)
    for kind in set(KINDS) - {"subject"}:
        (folder / f"{kind}.toml").unlink()
    broken(folder, 'caption = "a photo of {subject} {answer}"', 'caption = "{subject}: {answer}"')
    return unfinished(tmp_path / "cat", 1, SUBJECT, '[lint]\nrules = "../rules"\n')


def test_a_policy_of_the_house_stands_for_ours(house):
    report = run(house, Scripted(["on a shelf in soft light, close-up"]))
    assert report.exit_code == 0
    assert report.policy == "../rules/caption-policies/subject.toml"
    assert captions(house) == {"IMG_00.txt": "TOK ceramic cat: on a shelf in soft light, close-up"}
    assert policy_for("style", house.parent / "rules") == policy_for("style")


@pytest.mark.parametrize("name", ["subjects.toml", "subject.json", "README.md"])
def test_a_file_beside_it_that_nothing_reads_is_an_error(house, name):
    (house.parent / "rules" / "caption-policies" / name).write_text("")
    with pytest.raises(ConfigError, match=f"{name}: is no caption policy: they are named subject, style"):
        run(house, Scripted())


def test_explain_checks_the_policies_of_a_house(house):
    folder = house.parent / "rules"
    (good,) = check_folder(folder)
    assert (good.name, good.faults) == ("caption-policies/subject.toml", [])
    broken(folder / "caption-policies", "most_words = 40", "most_word = 40")
    (bad,) = check_folder(folder)
    assert "most_word" in bad.faults[0]
    assert [one.name for one in check_folder(rules_root()) if "policies" in one.name] == [
        f"caption-policies/{kind}.toml" for kind in sorted(KINDS)
    ]
