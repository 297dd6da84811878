"""Trigger, class phrase and kind, as captions propose them; and the silences."""

from __future__ import annotations

import pytest

from albumkit.phrases import find_phrase
from albumkit.propose import propose_class_phrase, propose_kind, propose_trigger

COOKIE_BOX = [
    "a photo of TOK cookie box held upright, soft light",
    "a photo of TOK cookie box tipped down to the right at the far edge of a table",
    "a photo of TOK cookie box in the upper middle of the frame, a pen on the cloth",
    "a photo of TOK cookie box held up in the upper right corner",
]


def proposed(captions: list[str], folders: tuple[str, ...] = ()) -> tuple[str | None, str | None, str]:
    """(trigger, class phrase, kind) of an album of single pictures."""
    trigger = propose_trigger(captions, folders)
    word = trigger.value if trigger else None
    phrase = propose_class_phrase(captions, word, folders)
    words = phrase.value if phrase else None
    return word, words, propose_kind(captions, word, words, "subject").value


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        pytest.param(COOKIE_BOX, ("TOK", "cookie box", "subject"), id="amid a sentence"),
        pytest.param(["ohwx man, a hat", "ohwx man"], ("ohwx", "man", "subject"), id="odd letter pair"),
        pytest.param(["sks dog", "sks dog on grass"], ("sks", "dog", "subject"), id="no vowels"),
        pytest.param(["p3rs0n woman, smiling", "p3rs0n woman"], ("p3rs0n", "woman", "subject"), id="digits"),
        pytest.param(
            ["my_tok vase on a desk", "my_tok vase"], ("my_tok", "vase", "subject"), id="underscore"
        ),
        pytest.param(["<sks> toy on sand", "<sks> toy"], ("<sks>", "toy", "subject"), id="textual inversion"),
        pytest.param(["a MyCat doll", "MyCat doll here"], ("MyCat", "doll", "subject"), id="inner capital"),
        pytest.param(["TOK, sitting, bar", "TOK, a beach"], ("TOK", None, "subject"), id="comma tags"),
        pytest.param(["TOK's cat asleep", "TOK's cat"], ("TOK", None, "subject"), id="possessive"),
        pytest.param(
            ["TOK ceramic cat figurine on a shelf", "TOK ceramic cat figurine"],
            ("TOK", "ceramic cat figurine", "subject"),
            id="three words",
        ),
        pytest.param(
            ["a photo of Miko cat in snow", "Miko cat", "a photo of Miko cat, indoors"],
            ("Miko", "cat", "subject"),
            id="a name",
        ),
        pytest.param(
            ["ein Foto von TOK Katze auf dem Sofa", "ein Foto von TOK Katze im Garten"],
            ("TOK", "Katze", "subject"),
            id="German",
        ),
        pytest.param(
            ["фото sks собака на траве", "фото sks собака дома"], ("sks", "собака", "subject"), id="Russian"
        ),
        pytest.param(
            ["фото miko на траве", "miko дома"], ("miko", None, "subject"), id="Latin amid Cyrillic"
        ),
        pytest.param(["一张TOK猫的照片", "TOK猫在公园"], ("TOK", None, "subject"), id="no blanks in Chinese"),
        pytest.param(["zoë_tok vase on", "zoe\u0308_tok vase at"], ("zoë_tok", "vase", "subject"), id="NFC"),
        pytest.param(
            ["a cat in the style of TOK", "a dog on a roof in the style of TOK"],
            ("TOK", None, "style"),
            id="in the style of",
        ),
        pytest.param(["TOK style, a house", "TOK style, a cat"], ("TOK", "style", "style"), id="TOK style"),
        pytest.param(
            ["a cat on a mat, TOK", "a house by a lake, TOK"], ("TOK", None, "style"), id="at the end"
        ),
    ],
)
def test_captions_speak(captions: list[str], expected: tuple[str | None, str | None, str]) -> None:
    assert proposed(captions) == expected


@pytest.mark.parametrize(
    "captions",
    [
        pytest.param(["a dog on grass", "a dog at the beach", "a dog with a ball"], id="plain words"),
        pytest.param(["1girl, solo, 35mm, 8k", "1girl, hat, 35mm, 8k"], id="tags with digits"),
        pytest.param(["RAW photo, HDR, DSLR, f1.8", "RAW photo, HDR, DSLR, f1.8, cat"], id="camera words"),
        pytest.param(["A PHOTO OF A DOG", "A PHOTO OF A DOG ON GRASS"], id="all capitals"),
        pytest.param(["Eine Katze auf dem Sofa", "Die Katze im Garten", "Eine Katze, ein Hund"], id="German"),
        pytest.param(["a [trigger] man in a hat", "a [trigger] man on a bike"], id="placeholder"),
        pytest.param(["a rhythm gym", "by my gym in the sky"], id="y is a vowel"),
        pytest.param(["turn this pencil sketch into a photo"] * 6, id="one instruction"),
        pytest.param(["TOK cat", "a cat", "a dog", "a bird"], id="in too few"),
        pytest.param(["", "  "], id="blank"),
        pytest.param([], id="none"),
    ],
)
def test_silence_beats_nonsense(captions: list[str]) -> None:
    assert proposed(captions) == (None, None, "subject")


def test_four_of_five_captions_are_enough() -> None:
    captions = ["TOK cat", "tok cat", "TOK cat", "TOK cat", "a cat"]
    trigger = propose_trigger(captions)
    assert trigger is not None
    assert (trigger.value, trigger.why) == ("TOK", "4 of 5 captions")
    assert propose_trigger([*captions, "a cat"]) is None


@pytest.mark.parametrize(
    ("captions", "folder", "expected"),
    [
        ([], "10_TOK cat", ("TOK", "cat")),
        ([], "5_sks_dog", ("sks", "dog")),
        (["miko cat on a sofa", "miko cat"], "10_miko cat", ("miko", "cat")),
        ([], "10_my_album", (None, None)),
        ([], "20_ceramic vase", (None, None)),
        ([], "holiday", (None, None)),
        ([], "2026_08_14", (None, None)),
    ],
)
def test_a_kohya_folder_names_trigger_and_class(
    captions: list[str], folder: str, expected: tuple[str | None, str | None]
) -> None:
    assert proposed(captions, (folder,))[:2] == expected


def test_two_kohya_folders_name_nothing() -> None:
    assert proposed([], ("10_TOK cat", "5_sks dog"))[:2] == (None, None)


def test_most_captions_decide_on_the_class_phrase() -> None:
    captions = ["TOK cat asleep", "TOK cat on a bed", "TOK Cat", "TOK in the rain"]
    phrase = propose_class_phrase(captions, "TOK")
    assert phrase is not None
    assert (phrase.value, phrase.why) == ("cat", "follows it in 3 of 4 captions")


@pytest.mark.parametrize("trigger", [None, "", "  ", "absent", "T(K"])
def test_no_class_phrase_without_the_trigger(trigger: str | None) -> None:
    assert propose_class_phrase(["TOK cat"], trigger) is None


def test_a_trigger_of_two_words_is_followed_too() -> None:
    phrase = propose_class_phrase(["a zib zob  teapot, red", "ZIB zob teapot"], "zib zob")
    assert phrase is not None
    assert phrase.value == "teapot"


def test_files_decide_on_edit_and_video() -> None:
    edit = propose_kind(["TOK style"], "TOK", "style", "edit")
    assert (edit.value, edit.why) == ("edit", "its pictures form pairs, NAME_start and NAME_end")
    assert propose_kind([], None, None, "video").value == "video"


def test_style_without_a_trigger() -> None:
    captions = ["a lake in the style of an old map", "a road in the style of an old map"]
    assert propose_kind(captions, None, None, "subject").value == "style"


@pytest.mark.parametrize(
    "caption",
    [
        pytest.param("一张TOK猫的照片", id="no blank behind it"),
        pytest.param("a zoe\u0308_tok vase", id="decomposed letters"),
    ],
)
def test_lint_finds_the_trigger_that_init_proposes(caption: str) -> None:
    proposal = propose_trigger([caption])
    assert proposal is not None
    assert find_phrase(proposal.value, caption)
