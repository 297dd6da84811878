"""Names inside the archive."""

from __future__ import annotations

import random
import re
import string

import pytest

from albumkit.pack.names import LONGEST_NAME, Wish, allot_roots, is_fine, portable

MISREAD = re.compile(r"(?:_start|_end|_mask)[0-9]*\Z", re.IGNORECASE)


@pytest.mark.parametrize("name", ["IMG_0412", "a", "_x", "a.b-c", "10_tok", "Com", "console", "lpt10"])
def test_fine_names_stay(name):
    assert portable(name) == name


@pytest.mark.parametrize(
    ("name", "portable_name"),
    [
        ("Größe", "Grosse"),
        ("Gro\u0308\u00dfe", "Grosse"),
        ("a photo (1)", "a_photo_1"),
        ("日本", "picture"),
        ("猫1", "1"),
        ("con", "_con"),
        ("LPT1.x", "_LPT1.x"),
        ("-v", "v"),
        ("a.", "a"),
        ("Ærø", "AEro"),
        ("\udcff", "picture"),
        ("a\nb", "a_b"),
    ],
)
def test_others_become_portable(name, portable_name):
    assert portable(name) == portable_name
    assert is_fine(portable_name)


def test_what_can_stay_stays_and_the_others_make_room():
    wishes = [
        Wish("b/c", "x", "jpg"),
        Wish("b", "x", "jpg"),
        Wish("", "x", "png"),
        Wish("", "X", "jpg"),
        Wish("", "x", "webp"),
        Wish("b", "x", "png"),
        Wish("", "x_png", "png"),
    ]
    assert allot_roots(wishes) == ["b_c_x", "b_x", "x", "X_jpg", "x_webp", "x-2", "x_png"]


def test_endings_that_a_trainer_would_misread_are_broken_up():
    names = ["x_start", "X_END", "x_start2", "x_mask_end", "_start", "x-start", "started"]
    roots = allot_roots([Wish("", name, "jpg") for name in names], MISREAD)
    assert roots == ["x_start_jpg", "X-END", "x-start2", "x_mask-end", "start", "x-start", "started"]
    assert not any(MISREAD.search(root) for root in roots)


def test_long_names_are_cut_and_stay_apart():
    wishes = [Wish("", "n" * 150 + str(i), "jpg", 5) for i in range(12)]
    roots = allot_roots(wishes)
    assert len(set(roots)) == 12
    assert max(map(len, roots)) + 5 == LONGEST_NAME
    assert allot_roots([Wish("", "n" * 96, "jpg", 4)]) == ["n" * 96]


ODD = string.ascii_letters + "._- 1äß日\\:*?\0\udc80"


def test_any_names_come_out_unique_fine_and_short():
    dice = random.Random(7)
    for _ in range(200):
        wishes = []
        for _ in range(dice.randrange(30)):
            stem = "".join(dice.choices(ODD, k=dice.choice((1, 2, 3, 120))))
            stem += dice.choice(("", "", "_start", "_END2", "_mask"))
            wishes.append(Wish(dice.choice(("", "a", "b/c")), stem, dice.choice(("jpg", "png")), 13))
        roots = allot_roots(wishes, MISREAD)
        assert len({root.lower() for root in roots}) == len(wishes)
        for root in roots:
            assert is_fine(root)
            assert not MISREAD.search(root)
            assert len(root) + 13 <= LONGEST_NAME
        assert roots == allot_roots(wishes, MISREAD)
