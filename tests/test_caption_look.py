"""``caption --look``: captions held against what a model sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from caption_runs import EDIT, Scripted, unfinished
from click.testing import CliRunner

from albumkit.caption.protocol import Answer, Question
from albumkit.captioning.look import LookReport, look_at
from albumkit.cli.caption import command
from albumkit.errors import CaptionerError, UsageError


class Seeing(Scripted):
    """Answers what ``sees(number of the picture, term)`` says."""

    def __init__(self, sees: Callable[[int, str], bool | str], **options: bool) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.batch = 3
        self._sees = sees

    def ask(self, questions: Sequence[Question]) -> list[Answer | CaptionerError]:
        self.questions += questions
        given: list[Answer | CaptionerError] = []
        for question in questions:
            pixel = question.images[0].getpixel((0, 0))
            assert isinstance(pixel, tuple)
            term = question.instruction.partition("framing: ")[2].partition("?")[0]
            seen = self._sees(round(pixel[0] / 20), term)
            given.append(Answer(seen if isinstance(seen, str) else "Yes." if seen else "no"))
        return given


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Twelve pictures of a cat, all on a table with a red scarf; one caption names a bicycle too."""
    album = unfinished(tmp_path / "cat", 12)
    for number in range(12):
        more = ", beside a bicycle" if number == 3 else ""
        text = f"a photo of TOK ceramic cat with a red scarf, view {number}{more}"
        (album / f"IMG_{number:02}.txt").write_text(text)
    return album


def look(album: Path, captioner: Scripted, **options: Sequence[str]) -> LookReport:
    return look_at(album, lambda: captioner, **options)  # type: ignore[arg-type]


def test_what_is_said_is_held_against_what_is_seen(album):
    report = look(album, Seeing(lambda n, term: term in ("red", "scarf", "table")))
    terms = {one.term: one for one in report.terms}
    assert {"red", "scarf", "table", "window light", "close-up"} <= set(terms)
    scarf, table, light = terms["scarf"], terms["table"], terms["window light"]
    assert (scarf.always_said, scarf.always_there) == (True, True)
    assert (len(table.said), table.always_there, len(table.there_not_said)) == (0, True, 12)
    assert (light.always_said, light.always_there) == (False, False)


def test_what_is_said_and_not_there_is_named(album):
    report = look(album, Seeing(lambda n, term: False), terms=["bicycle"])
    (bicycle,) = report.terms
    assert bicycle.said_not_there == ["IMG_03.png"]


def test_a_term_is_said_by_any_of_its_spellings(album):
    (album / "IMG_00.txt").write_text("a photo of TOK ceramic cat on a bike")
    report = look(album, Seeing(lambda n, term: n == 0), terms=["bicycle"])
    assert report.terms[0].said == {"IMG_00.png", "IMG_03.png"}


def test_an_answer_that_is_neither_counts_for_nothing(album):
    report = look(
        album, Seeing(lambda n, term: "It is hard to tell." if n else "YES, it is"), terms=["scarf"]
    )
    assert report.terms[0].asked == ("IMG_00.png",)
    assert report.terms[0].there == {"IMG_00.png"}
    assert not report.terms[0].always_there


def test_answers_are_kept(album):
    look(album, Seeing(lambda n, term: True), terms=["scarf"])
    again = Seeing(lambda n, term: False)
    assert len(look(album, again, terms=["scarf", "table"]).terms[0].there) == 12
    assert len(again.questions) == 12


def test_who_cannot_answer_is_not_asked(album, tmp_path):
    with pytest.raises(UsageError, match="describes pictures and cannot answer yes or no"):
        look(album, Seeing(lambda n, term: True, follows=False))
    with pytest.raises(UsageError, match="has no captions to hold against its pictures"):
        look(unfinished(tmp_path / "none", 1), Seeing(lambda n, term: True))
    with pytest.raises(UsageError, match=r"edit.toml has no question for it \(asks.look\)"):
        look(unfinished(tmp_path / "pairs", 1, EDIT), Seeing(lambda n, term: True))


def test_the_command_tells_it(album, monkeypatch):
    monkeypatch.chdir(album.parent)
    sees = Seeing(lambda n, term: term in ("red", "scarf", "table"))
    monkeypatch.setattr("albumkit.cli.caption._captioner", lambda options: sees)
    (album / "IMG_05.png").write_bytes(b"broken")
    result = CliRunner().invoke(command, ["cat", "--look"], standalone_mode=False)
    assert result.return_value == 1
    lines = result.stdout.splitlines()
    assert lines[:11] == [
        "cat   looked at 12 pictures for 25 words",
        "  by scripted@1",
        "",
        "always said, because always there: only pictures without it can teach otherwise",
        "  red in 11 of 11, scarf in 11 of 11",
        "",
        "never said, though always there: it becomes a part of the trigger",
        "  table in 11 of 11",
        "",
        "not looked at",
        "  IMG_05.png: not a picture that can be read.",
    ]
    assert lines[-1] == "next   albumkit caption cat --review --all   shows them one by one"
    result = CliRunner().invoke(
        command, ["cat", "--look", "--term", "scarf", "--format", "json"], standalone_mode=False
    )
    document = json.loads(result.stdout)
    assert (document["what"], document["terms"][0]["always_there"]) == ("look", True)
    assert list(document["failed"]) == ["IMG_05.png"]
