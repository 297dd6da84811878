"""Fixes of captions: encoding, case, spelling, absence, and another trigger for all."""

from __future__ import annotations

import codecs
import json
import tomllib

import pytest
from fix_albums import apply, jpeg, put, said, texts

from albumkit.album.captions import CaptionSource, decode_caption
from albumkit.errors import AlbumkitError, UsageError
from albumkit.fix.captions import decode
from albumkit.fix.draft import Cannot
from albumkit.fix.trigger import with_trigger
from albumkit.fixing import rename_trigger, undo_fixes

TOML = '[album]\nkind = "subject"\ntrigger_phrase = "TOK"\nclass_phrase = "ceramic cat"\n'
WORDS = "TOK ceramic cat, \u00e9cru \u201cwall\u201d\r\nsecond line  \n"


def album(folder, **captions):
    """``a="..."`` -> a.jpg with a.txt."""
    pictures = {f"{name}.jpg": jpeg(n) for n, name in enumerate(captions)}
    return put(
        folder / "cat", {"album.toml": TOML, **pictures, **{f"{n}.txt": t for n, t in captions.items()}}
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (WORDS.encode("utf-16"), "UTF-16 to UTF-8"),
        (codecs.BOM_UTF16_BE + WORDS.encode("utf-16-be"), "UTF-16 to UTF-8"),
        (WORDS.encode("utf-32"), "UTF-32 to UTF-8"),
        (WORDS.encode("utf-8-sig"), "byte order mark taken out"),
        (WORDS.encode("cp1252"), "Windows-1252 to UTF-8"),
    ],
)
def test_a_caption_becomes_utf8_and_its_text_stays(tmp_path, data, words):
    cat = album(tmp_path, a=data)
    plan = apply(cat, {"encoding": ["a.jpg"]})
    assert said(plan) == [("a.txt", words)]
    assert (cat / "a.txt").read_bytes() == WORDS.encode()


def test_a_good_caption_is_left_alone(tmp_path):
    assert apply(album(tmp_path, a=WORDS), {"encoding": ["a.jpg"]}).changes == ()


@pytest.mark.parametrize("data", [b"caf\x81\xe9", b"a\x00b", codecs.BOM_UTF16_LE + b"a"])
def test_bytes_that_nobody_can_read_are_left_alone(tmp_path, data):
    plan = apply(album(tmp_path, a=data), {"encoding": ["a.jpg"]})
    assert [(r.fix, r.path) for r in plan.refusals] == [("encoding", "a.txt")]
    assert "save it as UTF-8" in plan.refusals[0].reason
    assert not plan.changes


def test_what_reads_captions_and_what_mends_them_agree():
    names = {"utf-8": "utf-8", "cp1252": "latin-1", "utf-16-le": "utf-16", "utf-32-le": "utf-32"}
    for codec in ("utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-32"):
        data = WORDS.encode(codec)
        text, found = decode(data)
        assert text.encode(found) == data
        read = decode_caption(data, CaptionSource("a.txt", "txt"))
        assert names[found] == read.encoding.removesuffix("-sig")
        assert " ".join(text.removeprefix("\ufeff").split()) == " ".join(read.text.split())
    with pytest.raises(Cannot, match="too large"):
        decode(b"a" * (2 << 20))


def test_the_trigger_gets_its_case_wherever_it_stands(tmp_path):
    cat = album(tmp_path, a="tok cat, Tok.\r\ntoken, tok's\n", b="TOK")
    plan = apply(cat, {"trigger-case": ["a.jpg", "b.jpg"]})
    assert (cat / "a.txt").read_bytes() == b"TOK cat, TOK.\r\ntoken, TOK's\n"
    assert [edit.path for edit in plan.edits] == ["a.txt"]
    assert plan.edits[0].before == ("tok cat, Tok.", "token, tok's")
    assert plan.edits[0].after == ("TOK cat, TOK.", "token, TOK's")


def test_an_edit_keeps_the_encoding_that_nobody_asked_to_change(tmp_path):
    cat = album(tmp_path, a="tok \u00e9cru".encode("utf-16"), b="tok \u00e9cru".encode("cp1252"))
    apply(cat, {"trigger-case": ["a.jpg", "b.jpg"]})
    assert (cat / "a.txt").read_bytes().decode("utf-16") == "TOK \u00e9cru"
    assert (cat / "b.txt").read_bytes() == "TOK \u00e9cru".encode("cp1252")


def test_fixes_of_one_caption_add_up(tmp_path):
    cat = album(tmp_path, a="tok \u00e9cru".encode("cp1252"))
    plan = apply(cat, {"trigger-case": ["a.jpg"], "encoding": ["a.jpg"]})
    assert (cat / "a.txt").read_bytes() == "TOK \u00e9cru".encode()
    assert [edit.fix for edit in plan.edits] == ["encoding", "trigger-case"]


def test_a_misspelt_trigger_is_spelt_right(tmp_path):
    cat = album(tmp_path, a="a photo of TOKK cat, TOKK\n", b="a photo of a cat")
    plan = apply(cat, {"trigger-spelling": ["a.jpg", "b.jpg"]})
    assert (cat / "a.txt").read_bytes() == b"a photo of TOK cat, TOK\n"
    assert [edit.path for edit in plan.edits] == ["a.txt"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a photo of a ceramic cat on a table", "a photo of TOK ceramic cat on a table"),
        ("The Ceramic cat, at dawn", "TOK Ceramic cat, at dawn"),
        ("two ceramic cats", "TOK ceramic cat, two ceramic cats"),
        ("ceramic\ncat", "TOK ceramic\ncat"),
        ("  at dawn\n", "  TOK ceramic cat, at dawn\n"),
        ("banana ceramic cat", "banana TOK ceramic cat"),
        ("a [trigger] cat", "a [trigger] cat"),
        ("a tok cat", "a tok cat"),
        (" \n", " \n"),
    ],
)
def test_the_trigger_is_put_where_it_belongs(before, after):
    assert with_trigger(before, "TOK", "ceramic cat") == after


def test_without_a_class_phrase_the_trigger_stands_alone():
    assert with_trigger("make it snow", "TOK", "") == "TOK, make it snow"


def test_captions_in_metadata_are_edited_where_they_stand(tmp_path):
    rows = '{"file_name": "a.jpg", "n": [1,  2], "text": "a ceramic cat \\u00e9"}\r\n\n'
    rows += '{"text":"other","file_name":"b.jpg"}\n'
    cat = put(
        tmp_path / "cat",
        {
            "album.toml": TOML,
            "a.jpg": jpeg(1),
            "b.jpg": jpeg(2),
            "c.jpg": jpeg(3),
            "d.jpg": jpeg(4),
            "metadata.jsonl": rows,
            "metadata.csv": 'file_name,n,text\nc.jpg,"1,5","a ceramic cat, ""x"""\nd.jpg,2,"two\nlines"\n',
        },
    )
    apply(cat, {"trigger-absent": ["a.jpg", "c.jpg", "d.jpg"]})
    assert (cat / "metadata.jsonl").read_bytes().decode() == rows.replace("a ceramic cat", "TOK ceramic cat")
    assert (cat / "metadata.csv").read_bytes().decode() == (
        'file_name,n,text\nc.jpg,"1,5","TOK ceramic cat, ""x"""\nd.jpg,2,"TOK ceramic cat, two\nlines"\n'
    )


def test_a_caption_in_two_parts_gets_the_trigger_once(tmp_path):
    kohya = '{\n  "a": {"caption": "at dawn", "tags": "sky, sea"},\n  "b": {"tags": "tok"}\n}\n'
    cat = put(
        tmp_path / "cat",
        {"album.toml": TOML, "a.jpg": jpeg(1), "b.jpg": jpeg(2), "meta.json": kohya},
    )
    apply(cat, {"trigger-absent": ["a.jpg"], "trigger-case": ["b.jpg"]})
    new = kohya.replace("at dawn", "TOK ceramic cat, at dawn").replace('"tok"', '"TOK"')
    assert (cat / "meta.json").read_text() == new


def test_a_link_is_not_written_through(tmp_path):
    cat = album(tmp_path, a="tok", b="tok")
    put(tmp_path, {"shared.txt": "tok shared"})
    (cat / "a.txt").unlink()
    (cat / "a.txt").symlink_to("../shared.txt")
    plan = apply(cat, {"trigger-case": ["a.jpg", "b.jpg"]})
    assert [r.reason for r in plan.refusals] == ["it is a link to ../shared.txt: mend that file"]
    assert (tmp_path / "shared.txt").read_text() == "tok shared"
    assert (cat / "b.txt").read_text() == "TOK"


def test_an_lfs_pointer_is_no_caption(tmp_path):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n"
    plan = apply(album(tmp_path, a=pointer), {"trigger-absent": ["a.jpg"]})
    assert [r.reason for r in plan.refusals] == ["Git LFS has not fetched it: git lfs pull"]


FULL = """\
# TOK is the word
[album]
kind = "subject"
trigger_phrase = 'TOK'          # TOK, once
class_phrase = "ceramic cat"
[use]
prompts = [
  "a photo of tok ceramic cat",  # beach
]
[train]
trainer = "fal-ai/flux-2-klein-9b-base-trainer"
default_caption = "a photo of TOK ceramic cat"
output = "runs/TOK"
[train."fal-ai/ltx23-video-trainer"]
trigger_phrase = "TOK"
validation = [{ prompt = "TOK at sea", image_url = "https://TOK/x" }]
"""


def test_another_trigger_everywhere(tmp_path):
    cat = album(tmp_path, a="a photo of tok ceramic cat, TOK\n", b="nothing", c="a [trigger] cat, tokens")
    put(cat, {"album.toml": FULL})
    before = texts(cat)
    report = rename_trigger([cat], "ohwx cat", apply=True)
    assert report.exit_code == 0
    assert (cat / "a.txt").read_text() == "a photo of ohwx cat ceramic cat, ohwx cat\n"
    assert (cat / "c.txt").read_bytes() == before["c.txt"]
    wanted = FULL.replace("'TOK'", '"ohwx cat"').replace("of tok", "of ohwx cat")
    wanted = wanted.replace("of TOK", "of ohwx cat").replace('= "TOK"', '= "ohwx cat"')
    assert (cat / "album.toml").read_text() == wanted.replace("TOK at sea", "ohwx cat at sea")
    assert undo_fixes([cat]).exit_code == 0
    assert texts(cat) == before


def test_another_trigger_is_shown_before_it_is_written(tmp_path):
    cat = album(tmp_path, a="TOK cat")
    before = texts(cat)
    report = rename_trigger([cat], "sks")
    assert report.exit_code == 1
    assert [(e.path, e.after) for e in report.albums[0].edits] == [
        ("a.txt", ("sks cat",)),
        ("album.toml", ('trigger_phrase = "sks"',)),
    ]
    assert texts(cat) == before
    assert not (cat / ".albumkit").exists()


def test_another_trigger_stands_in_the_shared_instruction_too(tmp_path):
    cat = album(tmp_path, a="TOK cat")
    text = '[caption]\nnever_say = ["TOK"]\ninstruction = "turn TOK cat blue"\n'
    (cat / "album.toml").write_text(f'[album]\ntrigger_phrase = "TOK"\n{text}')
    assert rename_trigger([cat], "sks", apply=True).exit_code == 0
    caption = tomllib.loads((cat / "album.toml").read_text())["caption"]
    assert caption == {"never_say": ["TOK"], "instruction": "turn sks cat blue"}


def test_a_shared_file_is_left_to_its_owner(tmp_path):
    put(tmp_path, {"album.toml": '[album]\ntrigger_phrase = "TOK"\n[use]\nprompts = ["TOK cat"]\n'})
    cat = album(tmp_path, a="TOK cat")
    put(cat, {"album.toml": 'extend = "../album.toml"\n'})
    report = rename_trigger([cat], "sks", apply=True)
    assert tomllib.loads((cat / "album.toml").read_text())["album"] == {"trigger_phrase": "sks"}
    assert [(r.path, r.reason.split(";")[0]) for r in report.albums[0].refusals] == [
        ("../album.toml", 'line 2 says "TOK"'),
        ("../album.toml", 'line 4 says "TOK"'),
    ]


def test_no_trigger_to_rename_or_to_name(tmp_path):
    cat = put(tmp_path / "cat", {"a.jpg": jpeg()})
    error = rename_trigger([cat], "sks").albums[0].error
    assert isinstance(error, AlbumkitError)
    assert error.message == f"{cat.as_posix()}: there is no trigger_phrase to rename."
    for nothing in ("", "  "):
        with pytest.raises(UsageError, match="needs a word"):
            rename_trigger([cat], nothing)


def test_decomposed_accents_are_found(tmp_path):
    cat = album(tmp_path, a="a photo of CAFE\u0301 cat")
    put(cat, {"album.toml": TOML.replace("TOK", "caf\u00e9")})
    apply(cat, {"trigger-case": ["a.jpg"]})
    assert (cat / "a.txt").read_text(encoding="utf-8") == "a photo of caf\u00e9 cat"


def test_metadata_that_is_broken_is_left_alone(tmp_path):
    cat = put(tmp_path / "cat", {"album.toml": TOML, "a.jpg": jpeg(), "x.json": json.dumps([1])})
    assert apply(cat, {"trigger-absent": ["a.jpg"]}).changes == ()
