"""Rules about what captions say, that good ones are left alone, and what they do with the trigger."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from caption_albums import KINDS, about_captions, album, captions, check, found

from albumkit import words
from albumkit.facts import caption_length
from albumkit.facts.caption_sets import at_least
from albumkit.paths import rules_root


@pytest.mark.parametrize("kind", KINDS)
def test_good_captions_are_left_alone(tmp_path, kind):
    result = check(album(tmp_path / "a", captions(kind), KINDS[kind], pairs=kind == "edit"))
    assert len(captions(kind)) == {"subject": 24, "pattern": 24, "style": 40, "edit": 15, "video": 8}[kind]
    assert about_captions(result) == {}


def test_good_captions_are_left_alone_without_album_toml(tmp_path):
    folder = album(tmp_path / "a", captions("subject"))
    (folder / "album.toml").unlink()
    assert about_captions(check(folder)) == {}


def test_edit_instructions_may_be_nearly_the_same(tmp_path):
    things = "cat dog house car tree lamp boat hat cup shoe bird fish".split()
    told = [
        f"TOK, turn the {thing} in this old black and white photo into a bright red one" for thing in things
    ]
    folder = album(tmp_path / "a", told, 'kind = "edit"\ntrigger_phrase = "TOK"', pairs=True)
    assert about_captions(check(folder)) == {}


# byte-order-mark


def test_a_byte_order_mark_is_handled_by_pack_and_told_to_who_reads_the_folder(tmp_path, monkeypatch):
    folder = album(tmp_path / "a", [b"\xef\xbb\xbfa photo of TOK cat on a shelf", "TOK cat in snow"])
    result = check(folder)
    assert [(h.rule, h.path) for h in result.handled] == [("caption/byte-order-mark", "IMG_00.jpg")]
    rule = json.loads((rules_root() / "caption" / "byte-order-mark.json").read_text(encoding="utf-8"))
    assert rule["x-albumkit"]["fix"] == {"name": "encoding", "safety": "safe"}


# too-long

LONG = "word " * 509


@pytest.fixture
def no_tokenizer(monkeypatch):
    monkeypatch.setattr(caption_length, "qwen3_tokens", lambda: None)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (LONG.strip(), None),
        (LONG + "one", 510),
        ("1 " * 255 + "1" * 255, 510),  # each digit is a token
        ("a, " * 255, 510),
        ("x" * 4000, None),  # one word may be one token
        ("猫" * 600, None),
    ],
)
def test_without_a_tokenizer_a_bound_decides(tmp_path, no_tokenizer, text, tokens):
    messages = found(album(tmp_path / "a", [text]), "caption/too-long")
    told = f"at least {tokens} tokens (no tokenizer is at hand: words, digits and signs counted); "
    expected = {"IMG_00.jpg": told + "this trainer reads 509 and cuts the end off."} if tokens else {}
    assert messages == expected


def test_with_a_tokenizer_the_tokens_are_counted(tmp_path, monkeypatch):
    asked = []

    def count(text):
        asked.append(text)
        return len(text) // 2

    monkeypatch.setattr(caption_length, "qwen3_tokens", lambda: count)
    folder = album(tmp_path / "a", ["TOK cat", "TOK " + "x" * 600, "TOK " + "x" * 1100])
    assert found(folder, "caption/too-long") == {
        "IMG_02.jpg": "552 tokens; this trainer reads 509 and cuts the end off."
    }
    assert len(asked) == 2, "what is short in bytes needs no tokenizer"
    assert found(folder, "caption/too-long", trainer="fal-ai/ltx23-video-trainer") == {}, "no limit is stated"


def test_the_tokenizer_is_looked_for_and_never_fetched(tmp_path, monkeypatch):
    monkeypatch.delenv("ALBUMKIT_TOKENIZER", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--Qwen--Qwen3-4B" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "tokenizer.json").write_text("{}")
    assert list(caption_length._tokenizer_files()) == [snapshot / "tokenizer.json"]
    monkeypatch.setenv("ALBUMKIT_TOKENIZER", str(tmp_path / "mine.json"))
    assert list(caption_length._tokenizer_files()) == [tmp_path / "mine.json"]


def test_a_real_tokenizer_counts_no_less_than_the_bound(tmp_path, monkeypatch):
    tokenizers = pytest.importorskip("tokenizers")
    # A model with no merges: every byte is a token, as in the worst case of Qwen3.
    alphabet = {c: n for n, c in enumerate(tokenizers.pre_tokenizers.ByteLevel.alphabet())}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=alphabet, merges=[]))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.save(str(tmp_path / "tokenizer.json"))
    monkeypatch.setenv("ALBUMKIT_TOKENIZER", str(tmp_path / "tokenizer.json"))
    caption_length.qwen3_tokens.cache_clear()
    try:
        assert caption_length.qwen3_tokens()("a cat") == 5
    finally:
        caption_length.qwen3_tokens.cache_clear()


# near-identical

COPIED = (
    "a photo of TOK cat wearing a knitted striped pullover, whiskers painted thinly, ears folded, "
    "tail curled, mouth open, eyes {}, paws crossed, fur brushed"
)


def test_copied_captions_name_each_other(tmp_path):
    texts = [COPIED.format(word) for word in ("shut", "narrowed", "round")]
    folder = album(tmp_path / "a", [*texts, "TOK cat asleep in a basket, morning light"])
    messages = found(folder, "caption/near-identical")
    assert messages["IMG_00.jpg"] == 'differs from that of IMG_01.jpg and 1 more only in "shut".'
    assert set(messages) == {"IMG_00.jpg", "IMG_01.jpg", "IMG_02.jpg"}
    related = {f.path: f.paths for f in check(folder).findings if f.rule == "caption/near-identical"}
    assert related["IMG_02.jpg"] == ("IMG_02.jpg", "IMG_00.jpg", "IMG_01.jpg")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("a photo of TOK cat on a chair", "photo of the TOK cat on the chair", True),
        ("a photo of TOK cat on chair 1", "a photo of TOK cat on chair 2", True),
        ("a photo of TOK on a chair", "a photo of TOK cat on a chair", True),
        ("TOK cat on a chair", "TOK cat on a sofa", False),
        ("a photo of TOK cat, view 1", "a photo of TOK cat, view 2", False),  # nothing is said at all
        ("a photo of TOK cat seen from above", "a photo of TOK cat seen from below", False),
        (COPIED.format("shut"), COPIED.format("shut") + ", close-up", False),  # told apart by the framing
        (COPIED.format("shut"), "TOK cat " + "runs " * 3, False),
    ],
)
def test_how_near_is_near(tmp_path, one, other, alike):
    toml = 'trigger_phrase = "TOK"\nclass_phrase = "cat"'
    assert bool(found(album(tmp_path / "a", [one, other], toml), "caption/near-identical")) == alike


def test_identical_captions_are_told_once(tmp_path):
    folder = album(tmp_path / "a", ["TOK cat on a chair in the sun"] * 3)
    assert set(about_captions(check(folder))) == {"caption/identical"}


# trigger-case-varies


def test_the_trigger_in_another_case(tmp_path):
    folder = album(
        tmp_path / "a", ["a photo of TOK cat", "tok cat asleep", "TOK cat beside a Tok  dog", "a STOK"]
    )
    assert found(folder, "caption/trigger-case-varies") == {
        "IMG_01.jpg": '"tok" stands for "TOK".',
        "IMG_02.jpg": '"Tok" stands for "TOK".',
    }


def test_the_case_is_known_without_album_toml(tmp_path):
    folder = album(tmp_path / "a", captions("subject")[:9] + ["tok ceramic cat figurine in a tree"])
    (folder / "album.toml").unlink()
    assert set(found(folder, "caption/trigger-case-varies")) == {"IMG_09.jpg"}


# class-phrase-drifts


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("a photo of TOK kitten on a shelf", "kitten"),
        ("a photo of TOK tabby kitten, asleep", "tabby kitten"),
        ("a photo of TOK cat in a tree", ""),
        ("a photo of TOK cats in a tree", ""),
        ("a photo of TOK fluffy cat in a tree", ""),
        ("a cat called TOK on a shelf", ""),
        ("TOK on a shelf", ""),
        ("TOK eats a fish", ""),
        ("TOK jumps over a fence", ""),
        ("TOK happily asleep", ""),
        ("TOK asleep in a box", ""),
        ("TOK kitten asleep in a box", "kitten"),
        ("TOK dog eats a fish", "dog"),
        ("TOK 7", ""),
        ("TOK, a kitten", ""),
    ],
)
def test_another_class_phrase_is_named(tmp_path, text, other):
    texts = [f"a photo of TOK cat {place}" for place in ("on a chair", "in the grass", "at dusk", "in a box")]
    folder = album(tmp_path / "a", [*texts, text], 'trigger_phrase = "TOK"\nclass_phrase = "cat"')
    told = f'says "TOK {other}" where the class phrase is "cat" (album.toml).'
    assert found(folder, "caption/class-phrase-drifts") == ({"IMG_04.jpg": told} if other else {})


def test_the_class_phrase_is_inferred_from_enough_captions(tmp_path):
    places = "on a chair, in the grass, at dusk, in a box, by a lake".split(", ")
    texts = [f"a photo of TOK cat {place}" for place in places]
    folder = album(tmp_path / "a", [*texts, "TOK kitten under a tree"])
    assert found(folder, "caption/class-phrase-drifts") == {
        "IMG_05.jpg": 'says "TOK kitten" where the class phrase is "cat" (follows it in 5 of 6 captions).'
    }
    assert not found(album(tmp_path / "b", [*texts[:3], "TOK kitten here"]), "caption/class-phrase-drifts")


# class-phrase-absent


def test_the_trigger_without_the_class_phrase_is_told(tmp_path):
    texts = [
        "TOK on a chair",
        "TOK cats in the sun",
        "a cat named TOK",
        "TOK kitten asleep",
        "a dog",
        "TOK boots",
    ]
    folder = album(tmp_path / "a", texts, 'trigger_phrase = "TOK"\nclass_phrase = "ceramic cat"')
    told = '"TOK" stands without "ceramic cat" (album.toml).'
    messages = found(folder, "caption/class-phrase-absent")
    assert messages == {"IMG_00.jpg": told, "IMG_05.jpg": told}
    assert set(found(folder, "caption/class-phrase-drifts")) == {"IMG_03.jpg"}


# trigger-is-a-word


@pytest.mark.parametrize(
    ("trigger", "known"),
    [
        ("cat", "an English word"),
        ("Cats", "an English word"),
        ("PAINTED", "an English word"),
        ("red fox", "made of English words"),
        ("ink-wash style", "made of English words"),
        ("Anna", "a given name"),
        ("anna style", "a name that many people have"),
        *((made, "") for made in "TOK ohwx sks zyxcat m1ko c4t TOK-style inknyte_style".split()),
        ("ohwx woman", ""),
        ("猫", ""),
        ("x", ""),
    ],
)
def test_a_trigger_that_the_base_knows(tmp_path, trigger, known):
    folder = album(tmp_path / "a", [f"a photo of {trigger} on a shelf"], f'trigger_phrase = "{trigger}"')
    told = f'trigger_phrase = "{trigger}" is {known}: the base has its own idea of it.'
    assert found(folder, "caption/trigger-is-a-word") == ({"album.toml": told} if known else {})


# placeholder-left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a photo of {subject} on a shelf", "{subject}"),
        ("TODO", "TODO"),
        ("TOK cat, TODO: light", "TODO"),
        ("Your caption here", "Your caption here"),
        ("lorem ipsum dolor", "lorem ipsum"),
        ("a photo of TOK, <caption>", "<caption>"),
        ("TOK xxx", "xxx"),
        ("[insert what it does] TOK", "[insert"),
        ("TOK con todo el sol", ""),  # "with all the sun"
        ("TOK cat with a sign that says name", ""),
        ("TOK cat inserting a coin", ""),
        ("a photo of [trigger] cat", ""),  # pack fills it in
    ],
)
def test_a_template_never_filled_in(tmp_path, text, left):
    told = {"IMG_00.jpg": f'"{left}" was never filled in.'} if left else {}
    assert found(album(tmp_path / "a", [text]), "caption/placeholder-left") == told


def test_a_trigger_placeholder_that_nobody_fills_in(tmp_path):
    folder = album(tmp_path / "a", ["a photo of [Trigger] cat"], 'trigger_phrase = ""')
    assert found(folder, "caption/placeholder-left") == {"IMG_00.jpg": '"[trigger]" was never filled in.'}


# empty-adjectives and fused-term: shares that know that a few captions are few


@pytest.mark.parametrize(
    ("count", "total", "share"),
    [(20, 20, 0.839), (5, 5, 0.566), (19, 20, 0.764), (18, 20, 0.699), (0, 20, 0.0), (9, 9, 0.701)],
)
def test_the_lower_end_of_wilsons_interval(count, total, share):
    """Figures of scipy.stats.binomtest(count, total).proportion_ci(method="wilson").low."""
    assert round(at_least(count, total), 3) == share


def with_word(texts: list[str], word: str, count: int) -> list[str]:
    return [f"{text}, {word}" if number < count else text for number, text in enumerate(texts)]


@pytest.mark.parametrize(("count", "fires"), [(4, False), (5, False), (6, True), (24, True)])
def test_praise_in_many_captions(tmp_path, count, fires):
    folder = album(tmp_path / "a", with_word(captions("pattern"), "stunning, 8K", count), KINDS["pattern"])
    messages = found(folder, "caption/empty-adjectives")
    told = f'"stunning" in {count} and "8k" in {count} of 24 captions praise and show nothing.'
    assert messages == ({"": told} if fires else {})


@pytest.mark.parametrize(("count", "fires"), [(20, False), (21, False), (22, True), (24, True)])
def test_a_word_in_nearly_all_captions(tmp_path, count, fires):
    folder = album(tmp_path / "a", with_word(captions("pattern"), "knitted scarf", count), KINDS["pattern"])
    told = f'"knitted" in {count} and "scarf" in {count} of 24 captions: not to be told from the trigger.'
    assert found(folder, "caption/fused-term") == ({"": told} if fires else {})


def test_the_trigger_with_a_hyphen_behind_it_is_still_the_trigger(tmp_path):
    texts = [text.replace("TOK cat", "TOK-style cat") for text in captions("pattern")]
    assert found(album(tmp_path / "a", texts, KINDS["pattern"]), "caption/fused-term") == {}


def test_few_captions_show_no_fusion(tmp_path):
    texts = with_word(captions("subject")[:8], "red scarf", 8)
    assert found(album(tmp_path / "a", texts, KINDS["subject"]), "caption/fused-term") == {}


# The lists


def test_every_list_of_words_is_read_and_sound():
    lists = {file.stem for file in (rules_root() / "words").iterdir()}
    source = "".join(
        p.read_text(encoding="utf-8") for p in (Path(words.__file__).parent / "facts").glob("*.py")
    )
    assert {name for name in lists if f'"{name}"' in source} == lists
    for name in lists:
        assert words.phrases(name), name
        flat = [w for line in words.word_lines(name) for w in line.split(",")]
        assert all(w.strip() for w in flat), name


def test_an_edited_list_takes_effect(tmp_path, monkeypatch):
    copy = shutil.copytree(rules_root() / "words", tmp_path / "words")
    with (copy / "placeholders.txt").open("a", encoding="utf-8") as file:
        file.write("blah blah\n")
    monkeypatch.setattr(words, "rules_root", lambda: tmp_path)
    for cached in (words.word_lines, words.phrases):
        cached.cache_clear()
    try:
        folder = album(tmp_path / "a", ["TOK blah blah"])
        assert found(folder, "caption/placeholder-left") == {"IMG_00.jpg": '"blah blah" was never filled in.'}
    finally:
        monkeypatch.undo()
        for cached in (words.word_lines, words.phrases):
            cached.cache_clear()


def test_the_dictionary_is_small_and_its_licence_lies_beside_it():
    data = Path(words.__file__).parent / "data"
    assert (
        sum(file.stat().st_size for file in data.glob("*-*.txt") if "LICENSE" not in file.name) <= 100 << 10
    )
    assert "Kevin Atkinson" in (data / "english-words.LICENSE.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    ["", "[trigger]", "TOK", "\U0001f408" * 9, ",,,,,,", "<>", "TOK\n\n\n-", "\u0301", "a" * 70_000, "**"],
)
def test_odd_captions_are_judged(tmp_path, text):
    result = check(album(tmp_path / "a", [text] * 12))
    assert not [s for s in result.skipped if s.rule.startswith("caption/")]
