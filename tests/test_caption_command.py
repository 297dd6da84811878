"""``albumkit caption`` as people and programs see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from caption_runs import EDIT, KLEIN, SUBJECT, Looking, Scripted, captions, unfinished
from click.testing import CliRunner

from albumkit.cli.caption import command
from albumkit.errors import CaptionerError, UsageError
from albumkit.report.safe import visible

GOOD = "on a wooden shelf, soft window light, close-up"


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``cat``, in the working folder: three pictures, of which one has a caption."""
    monkeypatch.chdir(tmp_path)
    unfinished(tmp_path / "cat", 3)
    (tmp_path / "cat" / "IMG_01.txt").write_text("TOK ceramic cat in the garden at noon, close-up")
    return Path("cat")


def call(monkeypatch: pytest.MonkeyPatch, captioner: Scripted, *words: str) -> tuple[int, str]:
    monkeypatch.setattr("albumkit.cli.caption._captioner", lambda options: captioner)
    result = CliRunner().invoke(command, list(words), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout


def test_it_tells_what_it_wrote_and_what_is_left(album, monkeypatch):
    answers = [GOOD, "on a shelf", "on a beautiful shelf", "on a bed"]
    code, text = call(monkeypatch, Scripted(answers), "cat")
    assert code == 1
    assert text.splitlines() == [
        "cat   captioned 1 of 2, 1 were there",
        "  by scripted@1, asked as rules/caption-policies/subject.toml says",
        "",
        "  IMG_00.png",
        f"    + a photo of TOK ceramic cat {GOOD}",
        "",
        "left for you",
        "  IMG_02.png   asked 3 times",
        "    a photo of TOK ceramic cat on a bed",
        "      policy/fewest_words: It has 3 words beside the subject: write at least 5.",
        "",
        "all 2 captions together",
        "  places    shelf 1, window 1, garden 1; in none: table, street, lawn, beach",
        "  light     window light 1, soft light 1, noon 1; in none: sunlight, overcast,",
        "            lamp, golden hour, backlit, night, shade",
        "  framing   close-up 2; in none: full body, wide shot, from above, from below,",
        "            eye level, side view, back view",
        "",
        "next   albumkit caption cat --review   shows them one by one",
        "       albumkit caption cat --undo     takes them back",
    ]


def test_a_dry_run_shows_and_writes_nothing(album, monkeypatch):
    code, text = call(monkeypatch, Looking(), "cat", "--dry-run", "--overwrite")
    assert code == 0
    assert "cat   would caption 3 of 3" in text
    assert "    - TOK ceramic cat in the garden at noon, close-up\n    + a photo of TOK ceramic cat" in text
    assert text.endswith(
        "nothing was written\nnext   the same without --dry-run   writes them; nobody is asked again\n"
    )
    assert list(captions(album)) == ["IMG_01.txt"]


def test_json_holds_all_of_it(album, monkeypatch):
    answers = [GOOD, CaptionerError("it timed out"), "again?"]
    code, text = call(monkeypatch, Scripted(answers), "cat", "--format", "json")
    document = json.loads(text)
    assert code == 1
    keys = "schema what album kind policy captioner written record there seconds interrupted stopped captions"
    assert list(document) == [*keys.split(), "refusals", "together"]
    assert document["schema"] == "albumkit-caption/1"
    assert document["captioner"] == "scripted@1"
    assert document["captions"] == [
        {
            "path": "IMG_00.png",
            "state": "captioned",
            "caption": f"a photo of TOK ceramic cat {GOOD}",
            "before": None,
            "answer": GOOD,
            "asked": 1,
            "reasons": [],
        },
        {
            "path": "IMG_02.png",
            "state": "failed",
            "caption": None,
            "before": None,
            "answer": None,
            "asked": 1,
            "reasons": [{"rule": "captioner", "words": "it timed out"}],
        },
    ]
    assert document["together"]["named"]["places"]["counts"] == {"shelf": 1, "window": 1, "garden": 1}
    code, text = call(monkeypatch, Scripted(), "cat", "--check", "--format", "json")
    assert (code, json.loads(text)["checked"], json.loads(text)["missing"]) == (0, 2, 1)
    code, text = call(monkeypatch, Scripted(), "cat", "--undo", "--format", "json")
    assert (code, [edit["path"] for edit in json.loads(text)["edits"]]) == (0, ["IMG_00.txt"])


def test_an_end_that_comes_early_says_how_to_go_on(album, monkeypatch):
    class Refused(Scripted):
        def ask(self, questions):
            raise CaptionerError("the server refuses the key", "export OPENAI_API_KEY=...")

    code, text = call(monkeypatch, Refused(), "cat")
    assert code == 1
    assert (
        "stopped before all was asked\n  the server refuses the key\n  do   export OPENAI_API_KEY=..." in text
    )
    assert text.endswith("next   albumkit caption cat   goes on from here\n")
    code, text = call(monkeypatch, Scripted([GOOD, KeyboardInterrupt()]), "cat")
    assert code == 130
    assert "captioned 1 of 2" in text
    assert "next   albumkit caption cat            goes on from here" in text


def test_a_phrase_is_replaced_after_it_was_shown(album, monkeypatch):
    words = ("cat", "--replace", "garden", "back yard")
    code, text = call(monkeypatch, Scripted(), *words)
    assert code == 1
    assert text.splitlines() == [
        "cat   would change 1 file",
        '  IMG_01.txt   "garden" to "back yard"',
        "    - TOK ceramic cat in the garden at noon, close-up",
        "    + TOK ceramic cat in the back yard at noon, close-up",
        "",
        "nothing was written",
        'next   albumkit caption cat --replace garden "back yard" --apply   writes it',
    ]
    code, text = call(monkeypatch, Scripted(), *words, "--apply")
    assert code == 0
    assert text.startswith("cat   replaced: 1 file")
    assert call(monkeypatch, Scripted(), *words) == (0, "cat   nothing replaced\n")
    code, text = call(monkeypatch, Scripted(), "cat", "--undo")
    assert (code, text) == (0, "cat   undone: 1 file\n  IMG_01.txt   its bytes of before\n")


def test_check_shows_what_would_be_refused(album, monkeypatch):
    (album / "IMG_00.txt").write_text("a beautiful cat on a wooden shelf in soft light")
    code, text = call(monkeypatch, Scripted(), "cat", "--check")
    assert code == 1
    assert text.splitlines()[:7] == [
        "cat   1 of 2 captions to look at, 1 missing",
        "",
        "  IMG_00.png",
        "    a beautiful cat on a wooden shelf in soft light",
        '      policy/never_say: It says "beautiful", which shows nothing.',
        '      caption/trigger-absent: "TOK" is not in "a beautiful cat on a wooden shelf',
        '      in soft light": say "TOK ceramic cat" once in each caption.',
    ]


def test_check_of_an_album_without_captions_says_no_more(album, monkeypatch):
    (album / "IMG_01.txt").unlink()
    _, text = call(monkeypatch, Scripted(), "cat", "--check")
    assert text.splitlines() == [
        "cat   nothing to say, 3 missing",
        "",
        "next   albumkit caption cat   writes the missing ones",
    ]


def test_the_sheet_is_a_page_with_the_captions(album, monkeypatch, tmp_path):
    code, text = call(
        monkeypatch, Scripted([GOOD, "in snow, blue light, wide shot"]), "cat", "--sheet", "a.html"
    )
    assert code == 0
    assert text.endswith("wrote  a.html\n")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("<article") == 3
    assert "soft window light, close-up" in page
    assert page.count("data:image/jpeg") == 3
    assert '<p class="brand">albumkit caption</p>' in page
    assert "lint passes" not in page
    assert '<body class="unmasked">' in page
    call(monkeypatch, Scripted(), "cat", "--undo")
    call(monkeypatch, Scripted(), "cat", "--dry-run", "--sheet", "b.html")
    assert "soft window light, close-up" in (tmp_path / "b.html").read_text(encoding="utf-8")
    for name, words in (("a.png", "ends in .html"), ("none/a.html", "there is no folder none")):
        with pytest.raises(UsageError, match=words):
            call(monkeypatch, Scripted(), "cat", "--sheet", name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--undo --redo", "--redo: --undo does not take it"),
        ("--check --model x", "--model: --check does not take it"),
        ("--replace a b --fresh", "--fresh: --replace does not take it"),
        ("--apply", "--apply: it goes with --replace"),
        ("--resume --fresh", "--fresh asks anew what --resume goes on with"),
        ("--only caption", "--only: it goes with --check"),
        ("--all", "--all: it goes with --review"),
        ("--redo --overwrite", "--overwrite does all that --redo does"),
        ("--review", "--review needs a terminal"),
        ("--shared", "A shared instruction is for edit albums; this one is of kind subject"),
    ],
)
def test_options_that_do_not_go_together(album, monkeypatch, words, said):
    with pytest.raises(UsageError, match=said):
        call(monkeypatch, Scripted(), "cat", *words.split())


def test_progress_is_told_in_plain_lines_when_piped(album, monkeypatch):
    monkeypatch.setattr("albumkit.cli.caption._captioner", lambda options: Looking())
    result = CliRunner().invoke(command, ["cat"], standalone_mode=False)
    lines = result.stderr.splitlines()
    assert lines[0] == "captions 0/2"
    assert lines[-1].startswith("captions 2/2, ")
    assert lines[-1].endswith("/s")


def test_what_a_model_says_cannot_steer_the_terminal(album, monkeypatch):
    _, text = call(monkeypatch, Scripted([f"{GOOD}\x1b[2J"] * 9), "cat", "--dry-run")
    assert "\x1b" not in text
    assert visible("\x1b[2J") in text


def test_an_edit_album_with_a_given_instruction(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    unfinished(tmp_path / "pairs", 2, EDIT)
    code, text = call(monkeypatch, Scripted(), "pairs", "--instruction", "turn the sketch into a photo")
    assert code == 0
    assert text.startswith(
        "pairs   captioned 2 of 2\n\n  IMG_00_end.png\n    + turn the sketch into a photo\n"
    )


def test_without_what_it_needs_it_says_where_to_write_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    unfinished(tmp_path / "cat", 1, SUBJECT.partition("\n")[0], KLEIN)
    with pytest.raises(UsageError) as error:
        call(monkeypatch, Scripted(), "cat")
    assert error.value.message == "cat: captions of a subject album need trigger_phrase and class_phrase."
    assert error.value.remedy.startswith(
        'Write trigger_phrase = "TOK" and class_phrase = "ceramic cat figurine"'
    )
    assert error.value.remedy.endswith("into [album] of cat/album.toml (albumkit init cat begins one).")
