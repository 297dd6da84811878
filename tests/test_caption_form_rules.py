"""Rules about what captions are instead of a sentence: tags, names of files, a model speaking."""

from __future__ import annotations

import pytest
from caption_albums import KINDS, album, found
from conftest import write_picture

# tag-list


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("TOK, 1girl, solo, long hair, looking at viewer, blue eyes", 6),
        ("TOK_cat, sitting, wooden_shelf, no humans, indoors", 5),
        ("TOK cat, wooden shelf, window light, close-up", 0),
        ("a photo of TOK cat, sitting, wooden shelf, soft window light, close-up, low angle", 0),
        ("TOK cat sits on a shelf, looks up, yawns, stretches, sleeps, wakes", 0),
    ],
)
def test_tags_instead_of_a_sentence(tmp_path, text, tags):
    messages = found(album(tmp_path / "a", [text]), "caption/tag-list")
    assert [m.split(" ")[0] for m in messages.values()] == ([str(tags)] if tags else [])


# filename-as-caption


@pytest.mark.parametrize(
    ("text", "fires"),
    [
        ("IMG_00", True),
        ("img 00", True),
        ("DSC_4711", True),
        ("PXL_20240611_101500", True),
        ("Screenshot 2024-06-11", True),
        ("photo 3", True),
        ("TOK cat", False),
        ("a photo of TOK", False),
        ("a cat", False),
    ],
)
def test_a_file_name_for_a_caption(tmp_path, text, fires):
    assert bool(found(album(tmp_path / "a", [text]), "caption/filename-as-caption")) == fires


def test_a_descriptive_file_name_is_a_fair_caption(tmp_path):
    folder = tmp_path / "a"
    for name in ("a grey cat asleep on a red sofa", "red-sofa"):
        write_picture(folder / f"{name}.jpg")
        (folder / f"{name}.txt").write_text(name.replace("-", " "))
    assert set(found(folder, "caption/filename-as-caption")) == {"red-sofa.jpg"}


# assistant-boilerplate


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("The image shows TOK cat on a shelf", "The image shows"),
        ("Sure! Here is a caption: TOK cat", "Sure!"),
        ("Sure, here's one: TOK cat", "Sure, here"),
        ("I'm sorry, but I cannot describe people", "I cannot"),
        ("As an AI, I see TOK cat", "As an AI"),
        ("TOK cat on a shelf.\n- soft light\n- close-up", "- (Markdown)"),
        ("**TOK cat** on a shelf", "** (Markdown)"),
        ("TOK cat beside a screen, and the image shows a dog", ""),
        ("a great white shark, TOK style", ""),
        ("a TOK cat - asleep", ""),
        ("TOK cat on a shelf\nin soft light", ""),
    ],
)
def test_a_language_model_speaking(tmp_path, text, phrase):
    told = f'"{phrase}" is a language model speaking, not the picture.'
    messages = found(album(tmp_path / "a", [text]), "caption/assistant-boilerplate")
    assert messages == ({"IMG_00.jpg": told} if phrase else {})


# describes-image-not-change


@pytest.mark.parametrize(
    ("text", "fires"),
    [
        ("a photo of a red house by a lake", True),
        ("The house with a blue door, close to the road", True),
        ("photo of a woman in warm light", True),
        ("turn this pencil sketch into a photo", False),
        ("make the house blue", False),
        ("the same house at night", False),
        ("the door becomes blue", False),
        ("a photo of the house without its roof", False),
        ("colorize", False),
        ("TOK", False),
        ("ein rotes Haus am See", False),
    ],
)
def test_a_description_where_an_instruction_should_stand(tmp_path, text, fires):
    folder = album(tmp_path / "a", [text], 'kind = "edit"\ntrigger_phrase = ""', pairs=True)
    assert bool(found(folder, "caption/describes-image-not-change")) == fires
    assert not found(album(tmp_path / "b", [text]), "caption/describes-image-not-change"), "no pair"


# few-settings


def test_what_the_captions_do_not_name_is_told(tmp_path):
    things = "apple pear plum grape melon lemon cherry peach mango fig kiwi lime".split()
    texts = [f"a photo of TOK cat with a {thing} on a sofa" for thing in things]
    folder = album(tmp_path / "a", texts, KINDS["pattern"])
    assert found(folder, "album/few-settings") == {
        "": "12 captions name 1 place (sofa), no light and no framing."
    }
    assert found(album(tmp_path / "b", texts[:9], KINDS["pattern"]), "album/few-settings") == {}
    spanish = [f"una foto de TOK gato con {thing} sobre una silla" for thing in things]
    assert found(album(tmp_path / "c", spanish, KINDS["pattern"]), "album/few-settings") == {}
