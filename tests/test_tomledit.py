"""Edits of album.toml that keep what a person wrote around them."""

from __future__ import annotations

import tomllib

import pytest

from albumkit.tomledit import NotEditable, edit_texts, extend_list, layout_of, set_text, toml_value

FILE = """\
# mine
extend = "../album.toml"
[album]   # the album
trigger_phrase = 'TOK'
exclude = [
  "a.jpg",   # blurred
  "b.jpg"    # me
]
[use]
prompts = ["a TOK cat", 'the "TOK" cat', \"\"\"
two lines
of TOK\"\"\"]
[train."fal-ai/x"]
validation = [{ prompt = "TOK", image_url = "x" }, {prompt="b"}]
[[lint.ignore]]
rule = "x/y"
paths = ["p"]
[[lint.ignore]]
rule = "x/z"
"""


def test_every_text_is_found_where_it_stands():
    document = tomllib.loads(FILE)
    for place, (start, end) in layout_of(FILE).texts.items():
        value = document
        for step in place:
            value = value[step]
        assert tomllib.loads(f"v = {FILE[start:end]}") == {"v": value}
    assert ("train", "fal-ai/x", "validation", 0, "prompt") in layout_of(FILE).texts
    assert ("lint", "ignore", 1, "rule") in layout_of(FILE).texts


def test_texts_change_and_nothing_else_does():
    new = edit_texts(FILE, lambda _, text: text.replace("TOK", "sks"))
    assert new == FILE.replace("TOK", "sks")


def test_a_text_that_needs_escapes_gets_them():
    new = edit_texts('a = "x"  # why\n', lambda _place, _text: 'say "hi"\n')
    assert new == 'a = "say \\"hi\\"\\n"  # why\n'


def test_list_items_go_on_lines_of_their_own():
    new = extend_list(FILE, ("album", "exclude"), ["c d.jpg", "e.jpg"])
    assert '  "b.jpg",    # me\n  "c d.jpg",\n  "e.jpg"\n]\n' in new
    assert new.replace('\n  "c d.jpg",\n  "e.jpg"', "").replace('"b.jpg",', '"b.jpg"') == FILE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('[album]\nexclude = ["a"]  # c\n', '[album]\nexclude = ["a", "n"]  # c\n'),
        ('[album]\nexclude = ["a",]\n', '[album]\nexclude = ["a", "n"]\n'),
        ("[album]\nexclude = []", '[album]\nexclude = ["n"]'),
        ('[album]\nexclude = [\n  "a", # x, y\n]\n', '[album]\nexclude = [\n  "a", # x, y\n  "n",\n]\n'),
        ('[album]\r\nexclude = [\r\n  "a"\r\n]\r\n', '[album]\r\nexclude = [\r\n  "a",\r\n  "n"\r\n]\r\n'),
        ('[album]\nkind = "style"\n\n[use]\n', '[album]\nkind = "style"\nexclude = ["n"]\n\n[use]\n'),
        ('[use]\nprompts = ["p"]', '[use]\nprompts = ["p"]\n\n[album]\nexclude = ["n"]\n'),
        ("", '[album]\nexclude = ["n"]\n'),
        ('album.kind = "style"\n[use]\n', 'album.kind = "style"\nalbum.exclude = ["n"]\n[use]\n'),
        ('[album]\nkind = "style"', '[album]\nkind = "style"\nexclude = ["n"]\n'),
    ],
)
def test_a_list_grows_in_the_hand_of_its_writer(before, after):
    new = extend_list(before, ("album", "exclude"), ["n"])
    if before.endswith('"a",]\n'):
        assert tomllib.loads(new) == tomllib.loads(after)
    else:
        assert new == after


def test_a_new_list_begins_with_what_it_would_hide():
    assert extend_list("[album]\n", ("album", "exclude"), ["n"], ["shared/*"]) == (
        '[album]\nexclude = ["shared/*", "n"]\n'
    )


def test_a_key_is_set_or_added():
    assert set_text('[album]\ntrigger_phrase = "a" # c\n', "album", "trigger_phrase", "b") == (
        '[album]\ntrigger_phrase = "b" # c\n'
    )
    assert set_text("[use]\n", "album", "trigger_phrase", "b") == '[use]\n\n[album]\ntrigger_phrase = "b"\n'


def test_what_cannot_be_edited_is_said():
    with pytest.raises(NotEditable, match="edit it by hand"):
        extend_list('album = { kind = "style" }\n', ("album", "exclude"), ["n"])


def test_values_read_back_as_they_were():
    for value in ("a\u007fb\u2028c\U0001f408", 'q"\\', [1, "x"], {"a b": True}, 5e-5):
        assert tomllib.loads(f"v = {toml_value(value)}") == {"v": value}
