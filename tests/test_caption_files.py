"""Captions in files: whose they are, where they stand, what replaces them, and what takes that back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from caption_runs import (
    GOOD,
    Looking,
    Scripted,
    captions,
    full,
    run,
    states,
    unfinished,
)
from conftest import write_picture
from fix_albums import texts

from albumkit.captioning import check_album, replace_in_captions, undo_captions
from albumkit.errors import AlbumkitError, UsageError
from albumkit.fixing import fix_paths, rename_trigger, undo_fixes
from albumkit.ledger import Ledger
from albumkit.opening import open_album

# Whose a caption is


def test_a_persons_caption_is_never_touched(tmp_path):
    album = unfinished(tmp_path / "cat", 2)
    run(album, Scripted(GOOD))
    (album / "IMG_00.txt").write_text(f"{full(GOOD[0])}, as I see it\n")
    before = texts(album)
    redone = Scripted([GOOD[2]])
    report = run(album, redone, which="redo", fresh=True)
    assert states(report) == {"IMG_01.png": "captioned"}
    now = texts(album)
    assert now.pop("IMG_01.txt") == f"{full(GOOD[2])}\n".encode()
    before.pop("IMG_01.txt")
    assert now == before


def test_even_one_blank_makes_it_a_persons(tmp_path):
    album = unfinished(tmp_path / "cat", 1)
    run(album, Scripted(GOOD))
    (album / "IMG_00.txt").write_bytes((album / "IMG_00.txt").read_bytes() + b" ")
    assert run(album, Scripted(), which="redo").outcomes == []


def test_another_picture_under_the_name_makes_it_a_persons(tmp_path):
    album = unfinished(tmp_path / "cat", 1)
    run(album, Scripted(GOOD))
    write_picture(album / "IMG_00.png", shade=99)
    assert run(album, Scripted(), which="redo").outcomes == []


def test_overwrite_keeps_the_old_one_and_undo_brings_it_back(tmp_path):
    album = unfinished(tmp_path / "cat", 2)
    mine = b"\xff\xfe" + "TOK ceramic cat, mine \u00e9".encode("utf-16-le")
    (album / "IMG_00.txt").write_bytes(mine)
    before = texts(album)
    report = run(album, Scripted(GOOD), which="overwrite")
    assert captions(album) == {"IMG_00.txt": full(GOOD[0]), "IMG_01.txt": full(GOOD[1])}
    assert report.outcomes[0].before == "TOK ceramic cat, mine \u00e9"
    undone = undo_captions(album)
    assert texts(album) == before
    assert {edit.path for edit in undone.edits} == {"IMG_00.txt", "IMG_01.txt"}
    with pytest.raises(AlbumkitError, match="there is no caption to undo"):
        undo_captions(album)


def test_undo_leaves_what_was_edited_since(tmp_path):
    album = unfinished(tmp_path / "cat", 2)
    run(album, Scripted(GOOD))
    (album / "IMG_00.txt").write_text("mine now")
    undone = undo_captions(album)
    assert captions(album) == {"IMG_00.txt": "mine now"}
    assert [refusal.path for refusal in undone.refusals] == ["IMG_00.txt"]


def test_fix_and_caption_take_back_their_own(tmp_path):
    album = unfinished(tmp_path / "cat", 2)
    run(album, Scripted(GOOD))
    written = texts(album)
    assert rename_trigger([album], "sks", apply=True).exit_code == 0
    renamed = texts(album)
    undone = undo_captions(album)
    assert len(undone.refusals) == 2, "they were changed since"
    assert texts(album) == renamed
    assert undo_fixes([album]).exit_code == 0
    assert texts(album) == written
    with pytest.raises(AlbumkitError):
        raise undo_fixes([album]).albums[0].error or AssertionError
    undo_captions(album)
    assert captions(album) == {}


def test_a_caption_that_appears_meanwhile_is_not_overwritten(tmp_path):
    album = unfinished(tmp_path / "cat", 2)

    class Writing(Scripted):
        def ask(self, questions):
            (album / "IMG_00.txt").write_text("mine, just now")
            return super().ask(questions)

    report = run(album, Writing(GOOD))
    assert captions(album) == {"IMG_00.txt": "mine, just now", "IMG_01.txt": full(GOOD[1])}
    assert [(r.path, r.reason) for r in report.wrote.refusals] == [
        ("IMG_00.png", "its caption was written meanwhile, by somebody else")
    ]
    assert report.exit_code == 1


def test_a_picture_that_changes_meanwhile_is_not_captioned(tmp_path):
    album = unfinished(tmp_path / "cat", 1)

    class Changing(Scripted):
        def ask(self, questions):
            write_picture(album / "IMG_00.png", (90, 90), shade=200)
            return super().ask(questions)

    report = run(album, Changing(GOOD))
    assert captions(album) == {}
    assert report.wrote.refusals[0].reason == "its picture was changed meanwhile"


def test_where_the_ledger_cannot_be_written_nothing_is(tmp_path, monkeypatch):
    album = unfinished(tmp_path / "cat", 1)
    (tmp_path / "state").write_text("a file where the folder should be")
    monkeypatch.setenv("ALBUMKIT_STATE_DIR", str(tmp_path / "state"))
    with pytest.raises(AlbumkitError, match=r"written\.sqlite: .* The album was not changed"):
        run(album, Scripted(GOOD))
    assert captions(album) == {}


# Where captions stand


def test_captions_in_metadata_are_replaced_where_they_stand(tmp_path):
    album = unfinished(tmp_path / "cat", 2)
    line = '{"file_name": "IMG_00.png", "text": "mine", "id": 7}\n'
    line += '{"file_name": "IMG_01.png", "text": "\\u00e9"}\n'
    (album / "metadata.jsonl").write_text(line)
    run(album, Scripted(GOOD), which="overwrite")
    rows = [json.loads(row) for row in (album / "metadata.jsonl").read_text().splitlines()]
    assert rows == [
        {"file_name": "IMG_00.png", "text": full(GOOD[0]), "id": 7},
        {"file_name": "IMG_01.png", "text": full(GOOD[1])},
    ]
    assert captions(album) == {}
    report = run(album, Scripted([GOOD[2], GOOD[1]]), which="redo", fresh=True)
    assert states(report) == {"IMG_00.png": "captioned", "IMG_01.png": "captioned"}, "they are the machine's"
    undo_captions(album)
    undo_captions(album)
    assert (album / "metadata.jsonl").read_text() == line


def test_kohyas_caption_and_tags_become_one_caption(tmp_path):
    album = unfinished(tmp_path / "cat", 1)
    kohya = {"IMG_00.png": {"caption": "a cat", "tags": "cat, shelf", "train_resolution": [64, 48]}}
    (album / "meta_cap.json").write_text(json.dumps(kohya))
    run(album, Scripted(GOOD), which="overwrite")
    now = json.loads((album / "meta_cap.json").read_text())
    assert now == {"IMG_00.png": {"caption": full(GOOD[0]), "tags": "", "train_resolution": [64, 48]}}
    opened = open_album(album)
    assert opened.album.caption(opened.album.examples[0]).text == full(GOOD[0])


def test_new_captions_take_the_ending_that_the_album_uses(tmp_path):
    album = unfinished(tmp_path / "cat", 2)
    (album / "IMG_00.caption").write_text(full(GOOD[0]))
    run(album, Scripted([GOOD[1]]))
    assert (album / "IMG_01.caption").read_text() == f"{full(GOOD[1])}\n"


def test_two_pictures_that_share_a_sidecar_are_told(tmp_path):
    album = unfinished(tmp_path / "cat", 1)
    write_picture(album / "IMG_00.jpg", shade=200)
    report = run(album, Scripted())
    assert captions(album) == {}
    assert states(report) == {"IMG_00.jpg": "failed", "IMG_00.png": "failed"}
    words = "IMG_00.txt belongs to IMG_00.jpg and IMG_00.png: give one another name."
    assert {r.words for one in report.outcomes for r in one.reasons} == {words}
    assert report.exit_code == 1


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_link_is_not_written_through(tmp_path):
    album = unfinished(tmp_path / "cat", 1)
    (tmp_path / "elsewhere.txt").write_text("mine")
    (album / "IMG_00.txt").symlink_to(tmp_path / "elsewhere.txt")
    report = run(album, Scripted(GOOD), which="overwrite")
    assert (tmp_path / "elsewhere.txt").read_text() == "mine"
    assert "it is a link to" in report.wrote.refusals[0].reason


def test_a_zip_and_several_albums_are_refused(tmp_path):
    album = unfinished(tmp_path / "albums" / "cat", 1)
    unfinished(tmp_path / "albums" / "dog", 1)
    with pytest.raises(UsageError, match="holds 2 albums; caption takes one at a time"):
        run(tmp_path / "albums", Scripted())
    packed = Path(shutil.make_archive(str(tmp_path / "cat"), "zip", album))
    for call in (lambda: run(packed, Scripted()), lambda: undo_captions(packed)):
        with pytest.raises(AlbumkitError, match="is a zip: captions are written into folders only"):
            call()


# Replace and check


def test_a_phrase_is_replaced_everywhere_and_taken_back(tmp_path):
    album = unfinished(tmp_path / "cat", 3)
    (album / "IMG_00.txt").write_text("TOK ceramic cat on a couch, Couch behind it")
    (album / "metadata.jsonl").write_text('{"file_name": "IMG_01.png", "text": "TOK ceramic cat, a couch"}\n')
    before = texts(album)
    shown = replace_in_captions(album, "couch", "sofa")
    assert texts(album) == before
    assert shown.edits[0].before == ("TOK ceramic cat on a couch, Couch behind it",)
    assert shown.edits[0].after == ("TOK ceramic cat on a sofa, sofa behind it",)
    replace_in_captions(album, "couch", "sofa", apply=True)
    assert captions(album)["IMG_00.txt"] == "TOK ceramic cat on a sofa, sofa behind it"
    assert '"TOK ceramic cat, a sofa"' in (album / "metadata.jsonl").read_text()
    undo_captions(album)
    assert texts(album) == before


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("TOK cat, stunning, on a shelf", "TOK cat, on a shelf"),
        ("TOK cat in stunning light", "TOK cat in light"),
        ("stunning, TOK cat", "TOK cat"),
    ],
)
def test_a_phrase_is_taken_out_without_a_trace(tmp_path, text, rest):
    album = unfinished(tmp_path / "cat", 1)
    (album / "IMG_00.txt").write_text(text)
    replace_in_captions(album, "stunning", "", apply=True)
    assert captions(album) == {"IMG_00.txt": rest}
    with pytest.raises(UsageError, match="nothing to look for"):
        replace_in_captions(album, " ", "x")


def test_what_was_replaced_is_the_persons(tmp_path):
    album = unfinished(tmp_path / "cat", 1)
    run(album, Scripted(GOOD))
    replace_in_captions(album, "shelf", "board", apply=True)
    assert run(album, Scripted(), which="redo").outcomes == []


def test_check_judges_what_is_there_as_it_would_an_answer(tmp_path):
    album = unfinished(tmp_path / "cat", 4)
    (album / "IMG_00.txt").write_text(full(GOOD[0]))
    (album / "IMG_01.txt").write_text("a photo of a beautiful ceramic cat on a shelf in soft light")
    (album / "IMG_02.txt").write_text("TOK ceramic cat and TOK ceramic cat on a shelf in soft light")
    report = check_album(album)
    assert (report.checked, report.missing, report.exit_code) == (3, 1, 1)
    assert {one.path: [r.rule for r in one.reasons] for one in report.found} == {
        "IMG_01.png": ["policy/never_say", "caption/trigger-absent"],
        "IMG_02.png": ["policy/subject_once"],
    }
    only = check_album(album, only=["policy"])
    assert [r.rule for one in only.found for r in one.reasons] == ["policy/never_say", "policy/subject_once"]
    assert check_album(album, only=["caption/too-long"]).exit_code == 0
    with pytest.raises(UsageError, match="The nearest is caption/too-long"):
        check_album(album, only=["caption/to-long"])


def test_the_view_of_all_captions(tmp_path):
    album = unfinished(tmp_path / "cat", 12)
    report = run(album, Looking())
    view = report.overview
    assert view is not None
    assert (view.captions, view.fused) == (12, False)
    assert view.named["places"].counts["shelf"] == 1
    assert "street" in view.named["places"].missing
    assert "close-up" not in view.named["framings"].missing
    for number in range(12):
        (album / f"IMG_{number:02}.txt").write_text(full(f"with a red scarf on stone {number}"))
    view = check_album(album).overview
    assert view is not None
    assert view.fused
    assert dict(view.common) == {"red": 12, "scarf": 12, "stone": 12}
    assert view.named["lights"].counts == {}


def test_a_dry_run_sees_all_captions_together(tmp_path):
    album = unfinished(tmp_path / "cat", 12)
    report = run(album, Looking(), dry=True)
    assert captions(album) == {}
    assert not (album / ".albumkit").exists()
    assert report.overview is not None
    assert report.overview.captions == 12
    assert [edit.words for edit in report.wrote.edits] == ["a new caption"] * 12


def test_the_ledger_says_what_made_a_caption(tmp_path):
    album = unfinished(tmp_path / "cat", 1)
    run(album, Scripted(GOOD))
    media = hashlib.sha256((album / "IMG_00.png").read_bytes()).hexdigest()
    sidecar = hashlib.sha256((album / "IMG_00.txt").read_bytes()).hexdigest()
    with Ledger() as ledger:
        written = ledger.find("caption", media, sidecar)
    assert written is not None
    assert written.note == {"what": "caption", "captioner": "scripted@1", "policy": "subject"}


def test_fix_still_mends_what_caption_wrote(tmp_path):
    album = unfinished(tmp_path / "cat", 1)
    run(album, Scripted(GOOD))
    (album / "IMG_00.txt").write_text(full(GOOD[0]).replace("TOK", "tok"))
    report = fix_paths([album], select=["trigger-case"], apply=True)
    assert [edit.fix for edit in report.albums[0].edits] == ["trigger-case"]
