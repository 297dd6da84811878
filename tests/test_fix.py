"""albumkit fix as people call it: what is found, shown, written; and rules that name fixes."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from albums import good_album
from click.testing import CliRunner
from fix_albums import exif, jpeg, put, texts

from albumkit.cli.fix import command
from albumkit.errors import AlbumkitError, UnknownName, UsageError
from albumkit.facts import FactCache
from albumkit.fix import FIXES, check_select
from albumkit.fixing import fix_paths
from albumkit.rule import load_rules
from albumkit.settings import resolve
from albumkit.workflows import lint_paths


def fix(album: Path, **options: object):
    return fix_paths([album], cache=FactCache.none(), **options)


def edits(report) -> list[tuple[str, str]]:
    return [(edit.fix, edit.path) for album in report.albums for edit in album.edits]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A good album with one safe and one unsafe fault."""
    cat = good_album(tmp_path / "cat")
    (cat / "IMG_00.txt").write_bytes("a photo of TOK ceramic cat, \u00e9cru wall".encode("utf-16"))
    (cat / "IMG_01.txt").write_text("a photo of a ceramic cat in the rain")
    return cat


def test_every_fix_that_a_rule_names_is_there_and_as_safe():
    for rule in load_rules():
        if rule.fix is not None:
            assert rule.fix["name"] in FIXES, rule.id
            assert rule.fix["safety"] == FIXES[rule.fix["name"]].safety, rule.id


def test_a_rule_with_a_fix_says_the_command():
    for rule in load_rules():
        if rule.fix is not None:
            assert any(r.do.startswith("albumkit fix {album_path}") for r in rule.remedies), rule.id


def test_safe_fixes_come_first():
    """What --apply writes must not depend on an unsafe edit before it."""
    safeties = [fix.safety for fix in FIXES.values()]
    assert safeties == sorted(safeties)


def test_a_good_album_has_nothing_to_fix(tmp_path):
    cat = good_album(tmp_path / "cat")
    report = fix(cat, apply=True, unsafe=True)
    assert edits(report) == []
    assert report.exit_code == 0
    assert not (cat / ".albumkit").exists()


def test_a_preview_shows_all_and_writes_nothing(album):
    before = texts(album)
    report = fix(album)
    assert edits(report) == [("encoding", "IMG_00.txt"), ("trigger-absent", "IMG_01.txt")]
    assert report.exit_code == 1
    assert texts(album) == before
    assert not (album / ".albumkit").exists()


def test_apply_does_the_safe_ones(album):
    before = texts(album)
    report = fix(album, apply=True)
    assert edits(report) == [("encoding", "IMG_00.txt")]
    assert report.exit_code == 0
    assert report.albums[0].record.startswith("0001-")
    assert texts(album)["IMG_01.txt"] == before["IMG_01.txt"]
    assert texts(album)["IMG_00.txt"].decode() == "a photo of TOK ceramic cat, \u00e9cru wall"
    again = fix(album)
    assert again.exit_code == 0  # what is left is unsafe
    assert fix(album, unsafe=True).exit_code == 1


def test_unsafe_does_the_others_too_and_lint_agrees(album):
    assert fix(album, apply=True, unsafe=True).exit_code == 0
    assert texts(album)["IMG_01.txt"] == b"a photo of TOK ceramic cat in the rain"
    assert lint_paths([album], cache=FactCache.none()).exit_code() == 0
    assert edits(fix(album)) == []


def test_select_takes_fixes_and_rules(album):
    assert edits(fix(album, select=["trigger-absent"])) == [("trigger-absent", "IMG_01.txt")]
    assert edits(fix(album, select=["caption/not-utf8"])) == [("encoding", "IMG_00.txt")]
    assert edits(fix(album, select=["rotate"])) == []
    with pytest.raises(UnknownName, match=r"no fix or rule named encodin\. The nearest is encoding\."):
        check_select(["encodin"])


def test_ignored_findings_are_not_fixed(album):
    put(album, {"album.toml": (album / "album.toml").read_text() + IGNORES})
    assert edits(fix(album)) == [("trigger-absent", "IMG_01.txt")]
    assert edits(fix(album, select=["encoding"])) == []


IGNORES = """
[[lint.ignore]]
rule = "caption/not-utf8"
paths = ["IMG_00.*"]
reason = "a test"
[[lint.ignore]]
rule = "example/location-metadata"
paths = ["IMG_03.*"]
reason = "a public place"
"""


def test_what_pack_mends_is_left_to_pack_unless_asked_for(album):
    for name in ("IMG_02", "IMG_03"):
        put(album, {f"{name}.jpg": jpeg(9, (1024, 1024), exif=exif(gps=True))})
    assert "location" not in dict(edits(fix(album)))
    asked = fix(album, select=["location"])
    assert edits(asked) == [("location", "IMG_02.jpg"), ("location", "IMG_03.jpg")]
    put(album, {"album.toml": (album / "album.toml").read_text() + IGNORES})
    assert edits(fix(album, select=["example/location-metadata"])) == [("location", "IMG_02.jpg")]


def test_what_is_left_to_pack_is_counted(tmp_path):
    cat = good_album(tmp_path / "cat")
    put(cat, {"IMG_02.jpg": jpeg(9, (1024, 1024), exif=exif(gps=True))})
    code, said = run(cat.as_posix())
    assert code == 0
    assert (
        said
        == f"""\
{cat.as_posix()}   nothing to fix

pack does these by itself; --select does them in your own files
  1 location

"""
    )


def test_a_trainer_that_reads_the_folder_needs_the_files_mended(album, monkeypatch):
    """No shipped trainer does so yet."""

    def resolved(*args: object, **named: object):
        settings = resolve(*args, **named)
        return replace(settings, trainer=replace(settings.trainer, reads="folder"))

    put(album, {"IMG_02.jpg": jpeg(9, (1024, 1024), exif=exif(gps=True))})
    monkeypatch.setattr("albumkit.fixing.resolve", resolved)
    assert ("location", "IMG_02.jpg") in edits(fix(album))


def test_an_exact_duplicate_is_left_out(album):
    put(album, {"IMG_05.jpg": (album / "IMG_04.jpg").read_bytes()})
    report = fix(album, apply=True, unsafe=True, select=["example/exact-duplicate"])
    assert edits(report) == [("exclude", "IMG_05.jpg"), ("exclude", "album.toml")]
    assert 'exclude = ["./IMG_05.*"]' in (album / "album.toml").read_text()


def test_an_error_in_one_album_leaves_the_others(tmp_path, monkeypatch):
    first, second = good_album(tmp_path / "a"), good_album(tmp_path / "b")
    for cat in (first, second):
        (cat / "IMG_00.txt").write_bytes("a photo of TOK ceramic cat at sea".encode("utf-16"))
    put(first, {".albumkit": "in the way"})
    report = fix_paths([tmp_path], apply=True, cache=FactCache.none())
    assert report.exit_code == 1
    assert isinstance(report.albums[0].error, AlbumkitError)
    assert "cannot be written" in report.albums[0].error.message
    assert texts(second)["IMG_00.txt"] == b"a photo of TOK ceramic cat at sea"


def test_a_zip_is_refused_with_the_reason(tmp_path):
    with zipfile.ZipFile(tmp_path / "cat.zip", "w") as archive:
        archive.writestr("a.jpg", jpeg(1))
    before = (tmp_path / "cat.zip").read_bytes()
    report = fix(tmp_path / "cat.zip", apply=True)
    assert report.exit_code == 1
    assert report.albums[0].error is not None
    assert report.albums[0].error.message.endswith("cat.zip is a zip: fix changes files in folders only.")
    assert (tmp_path / "cat.zip").read_bytes() == before


def test_an_album_that_is_a_link_is_fixed_where_it_lies(album, tmp_path):
    (tmp_path / "link").symlink_to(album)
    assert fix(tmp_path / "link", apply=True).exit_code == 0
    assert texts(album)["IMG_00.txt"].startswith(b"a photo")
    assert (album / ".albumkit" / "undo").is_dir()


def test_a_dataset_repository_stays_clean(album):
    def git(*words: str) -> str:
        line = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *words]
        return subprocess.run(line, cwd=album, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "album")
    assert fix(album, apply=True).exit_code == 0
    assert git("status", "--porcelain").split() == ["M", "IMG_00.txt"]


# The command line.


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, list(words), standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.output


def test_the_preview_reads_like_a_diff(album):
    code, said = run(album.as_posix())
    assert code == 1
    assert (
        said
        == f"""\
{album.as_posix()}   would do 1 fix in 1 file

encoding   captions saved as UTF-8 without byte order mark
  IMG_00.txt   UTF-16 to UTF-8

unsafe: look at each of these before you let them be done

trigger-absent   trigger and class phrase put into captions
  IMG_01.txt   "TOK" put in
    - a photo of a ceramic cat in the rain
    + a photo of TOK ceramic cat in the rain

nothing was written
next   albumkit fix {album.as_posix()} --apply            does the safe ones
       albumkit fix {album.as_posix()} --apply --unsafe   does all of it
"""
    )


def test_what_was_done_and_how_to_take_it_back(album):
    code, said = run("--apply", album.as_posix())
    assert code == 0
    assert said.startswith(f"{album.as_posix()}   did 1 fix in 1 file\n")
    assert said.endswith(f"next   albumkit fix {album.as_posix()} --undo   takes it back\n")
    code, said = run("--undo", album.as_posix())
    assert (code, said) == (0, f"{album.as_posix()}   undone: 1 file\n  IMG_00.txt   its bytes of before\n\n")


def test_another_trigger_from_the_command_line(album):
    code, said = run("--set", "trigger_phrase=sks", album.as_posix())
    assert code == 1
    assert "would change 12 files" in said
    assert "the same with --apply" in said
    code, _ = run("--set", 'trigger_phrase="sks"', "--apply", album.as_posix())
    assert code == 0
    assert 'trigger_phrase = "sks"' in (album / "album.toml").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--undo", "--apply"), "--undo takes no other option"),
        (("--set", "trigger_phrase=a", "--unsafe"), "--set goes with --apply"),
        (("--set", "steps=1"), "no value that fix --set changes named steps"),
        (("--set", "trigger_phrase"), "that is not NAME=VALUE"),
        (("--set", "trigger_phrase="), "needs a word"),
        (("--select", "rotat"), "The nearest is rotate"),
    ],
)
def test_wrong_calls_say_what_is_wrong(album, words, said):
    with pytest.raises(UsageError, match=said):
        run(*words, album.as_posix())


def test_the_document_for_programs(album):
    code, said = run("--format", "json", album.as_posix())
    document = json.loads(said)
    assert code == 1
    assert (document["schema"], document["what"], document["written"]) == ("albumkit-fix/1", "fix", False)
    assert document["albums"][0]["edits"][1] == {
        "fix": "trigger-absent",
        "safety": "unsafe",
        "path": "IMG_01.txt",
        "words": '"TOK" put in',
        "before": ["a photo of a ceramic cat in the rain"],
        "after": ["a photo of TOK ceramic cat in the rain"],
    }
    assert document["albums"][0]["record"] is None


def test_what_cannot_be_fixed_is_told(album):
    (album / "IMG_02.txt").write_bytes(b"a photo of TOK ceramic cat\x81\xe9")
    _, said = run("--select", "encoding", album.as_posix())
    assert "left as it is\n  IMG_02.txt\n      encoding: its bytes are no text that can be told" in said


def test_several_albums_in_one_call(album, tmp_path):
    good_album(tmp_path / "dog")
    _, said = run(tmp_path.as_posix())
    assert "nothing to fix in 1 album\n" in said
    assert "albumkit fix PATH --apply" in said


def test_an_interrupted_fix_is_told_on_stderr(album):
    put(album, {".albumkit/pending.json": PENDING, ".albumkit/undo/0001-20260101-000000/x": "x"})
    call = [
        sys.executable,
        "-c",
        "from albumkit.cli.main import run; run()",
        "lint",
        "--format",
        "json",
        "cat",
    ]
    done = subprocess.run(call, cwd=album.parent, capture_output=True, text=True, check=False)
    assert done.stderr == "cat: an interrupted change was rolled back; every file is as it was before it.\n"
    assert json.loads(done.stdout)


PENDING = '{"kind": "apply", "stage": "0001-20260101-000000", "note": {}, "changes": []}'
