"""``caption``: answers that were given once are never asked for again, and calls that are gone on with."""

from __future__ import annotations

import pytest
from caption_runs import (
    GOOD,
    Scripted,
    captions,
    full,
    run,
    unfinished,
)
from conftest import write_picture

from albumkit.captioning import undo_captions
from albumkit.errors import UsageError
from albumkit.report.caption import caption_lines


def test_answers_are_kept_by_content(tmp_path):
    """Renamed, moved, or captioned for another limit: nobody is asked again."""
    album = unfinished(tmp_path / "cat", 2)
    run(album, Scripted(GOOD), dry=True)
    assert captions(album) == {}
    (album / "IMG_00.png").rename(album / "other.png")
    album = album.rename(tmp_path / "moved")
    assert run(album, Scripted()).exit_code == 0
    assert captions(album) == {"other.txt": full(GOOD[0]), "IMG_01.txt": full(GOOD[1])}
    undo_captions(album)
    fresh = Scripted([GOOD[2], GOOD[1]])
    run(album, fresh, fresh=True)
    assert len(fresh.questions) == 2
    assert captions(album)["IMG_01.txt"] == full(GOOD[2])
    write_picture(album / "other.png", shade=200)
    undo_captions(album)
    changed = Scripted([GOOD[1]])
    run(album, changed)
    assert len(changed.questions) == 1


def test_resume_goes_on_with_what_was_answered_and_begins_nothing(tmp_path):
    album = unfinished(tmp_path / "cat", 3)
    with pytest.raises(
        UsageError, match="scripted@1 said of its pictures, asked as now, was kept"
    ) as refused:
        run(album, Scripted(GOOD), resume=True)
    assert refused.value.remedy.startswith("albumkit caption ")
    run(album, Scripted([GOOD[0], KeyboardInterrupt()]), dry=True)
    rest = Scripted(GOOD[1:])
    assert run(album, rest, resume=True).exit_code == 0
    assert len(rest.questions) == 2
    with pytest.raises(UsageError, match="no picture waits for an answer"):
        run(album, Scripted(), resume=True)


def test_resume_goes_on_with_a_call_that_wrote_what_it_had(tmp_path):
    album = unfinished(tmp_path / "cat", 3)
    run(album, Scripted([GOOD[0], KeyboardInterrupt()]))
    assert len(captions(album)) == 1
    assert run(album, Scripted(GOOD[1:]), resume=True).exit_code == 0
    assert len(captions(album)) == 3


def test_a_cache_that_cannot_be_used_costs_only_the_asking(tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("ALBUMKIT_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache" / "answers.sqlite").write_bytes(b"no database" * 100)
    album = unfinished(tmp_path / "cat", 1)
    assert run(album, Scripted(GOOD)).exit_code == 0
    undo_captions(album)
    assert run(album, Scripted()).exit_code == 0, "begun anew, and kept"


def test_answers_that_cannot_be_kept_are_told(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    monkeypatch.setenv("ALBUMKIT_CACHE_DIR", str(tmp_path / "cache"))
    album = unfinished(tmp_path / "cat", 1)
    report = run(album, Scripted(GOOD))
    assert report.exit_code == 0
    assert report.not_kept.endswith("answers are not kept for the next call.")
    assert report.not_kept in " ".join(" ".join(line.plain for line in caption_lines(report, 300)).split())
