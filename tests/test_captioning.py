"""``caption``: what is asked, what is refused, and what becomes of an answer."""

from __future__ import annotations

import json

import pytest
from albums import SCENES
from caption_runs import (
    GOOD,
    KLEIN,
    STYLE,
    SUBJECT,
    Looking,
    Scripted,
    captions,
    full,
    reasons,
    run,
    states,
    unfinished,
)
from conftest import write_picture
from fix_albums import texts
from PIL import Image
from test_house_rules import RULE, write

from albumkit.captioning import caption_album
from albumkit.errors import CaptionerError, UsageError

# What is asked and written


def test_what_is_missing_is_written_and_nothing_else_touched(tmp_path):
    album = unfinished(tmp_path / "cat", 3)
    (album / "IMG_01.txt").write_text("mine: TOK ceramic cat asleep in the garden at noon, close-up")
    before = texts(album)
    captioner = Scripted([GOOD[0], GOOD[2]])
    report = run(album, captioner)
    assert (report.exit_code, report.there, report.captioner) == (0, 1, "scripted@1")
    now = texts(album)
    assert now.pop("IMG_00.txt") == f"{full(GOOD[0])}\n".encode()
    assert now.pop("IMG_02.txt") == f"{full(GOOD[2])}\n".encode()
    assert now == before
    assert captioner.closed == 1
    (question, _) = captioner.questions
    assert "ceramic cat" in question.instruction
    assert question.system.startswith("You write captions")
    assert question.max_tokens == 90
    assert [image.mode for image in question.images] == ["RGB"]


def test_an_album_with_all_its_captions_asks_nobody(tmp_path):
    album = unfinished(tmp_path / "cat", 1)
    (album / "IMG_00.txt").write_text(full(GOOD[0]))

    def nobody():
        raise AssertionError("no captioner is wanted")

    report = caption_album(album, nobody)
    assert (report.exit_code, report.outcomes, report.there) == (0, [], 1)
    assert report.wrote.record == ""


def test_a_picture_is_shown_as_people_see_it(tmp_path):
    album = unfinished(tmp_path / "cat", 0)
    turned = write_picture(album / "a.jpg", (2400, 1600), shade=3)
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(turned) as image:
        image.save(turned, exif=exif)
    grey = Image.new("I;16", (40, 30), 40000)
    grey.save(album / "b.png")
    seen = Image.new("RGBA", (30, 30), (255, 0, 0, 0))
    seen.save(album / "c.png")
    captioner = Scripted(GOOD)
    run(album, captioner)
    tall, deep, empty = (question.images[0] for question in captioner.questions)
    assert tall.height > tall.width
    assert tall.width * tall.height <= 1_500_000
    assert deep.getpixel((0, 0)) == (156, 156, 156)
    assert empty.getpixel((0, 0)) == (255, 255, 255)


def test_batches_hold_pictures_of_one_size(tmp_path):
    album = unfinished(tmp_path / "cat", 0)
    sizes = [(64, 48), (48, 64), (64, 48), (48, 64), (80, 80)]
    for number, size in enumerate(sizes):
        write_picture(album / f"IMG_{number:02}.png", size, shade=number * 20)
    captioner = Looking(batch=2)
    report = run(album, captioner)
    assert captioner.batches == [2, 2, 1]
    shown = [question.images[0].size for question in captioner.questions]
    assert shown[0] == shown[1]
    assert shown[2] == shown[3]
    assert list(states(report)) == sorted(states(report)), "the report keeps the album's order"
    assert captions(album) == {f"IMG_{n:02}.txt": full(SCENES[n]) for n in range(5)}


def test_only_some_files(tmp_path):
    album = unfinished(tmp_path / "cat", 3)
    run(album, Scripted([GOOD[0]]), only=["IMG_02.*"])
    assert list(captions(album)) == ["IMG_02.txt"]
    with pytest.raises(UsageError, match=r"No picture of .* fits IMG_9\*"):
        run(album, Scripted(), only=["IMG_9*"])


@pytest.mark.parametrize(
    ("toml", "lacking"),
    [
        ('kind = "subject"\ntrigger_phrase = "TOK"', "class_phrase"),
        ('kind = "subject"', "trigger_phrase and class_phrase"),
        ('kind = "style"', "trigger_phrase"),
    ],
)
def test_what_the_policy_needs_is_asked_for(tmp_path, toml, lacking):
    album = unfinished(tmp_path / "cat", 1, toml)
    with pytest.raises(UsageError, match=f"album need {lacking}") as error:
        run(album, Scripted())
    assert 'class_phrase = "ceramic cat figurine"' in error.value.remedy or lacking == "trigger_phrase"


def test_a_subject_without_trigger_on_purpose(tmp_path):
    album = unfinished(tmp_path / "cat", 1, SUBJECT.replace("TOK", ""))
    assert run(album, Scripted(GOOD)).exit_code == 0
    assert captions(album) == {"IMG_00.txt": f"a photo of ceramic cat {GOOD[0]}"}


def test_where_the_trainer_puts_the_trigger_itself_captions_lack_it(tmp_path):
    toml = 'kind = "video"\ntrigger_phrase = "TOK"\nclass_phrase = "puppet"'
    album = unfinished(tmp_path / "puppet", 1, toml, '[train]\ntrainer = "fal-ai/ltx23-video-trainer"\n')
    assert run(album, Scripted(["walks over a wooden stage, spotlight, static camera"])).exit_code == 0
    assert captions(album) == {"IMG_00.txt": "puppet walks over a wooden stage, spotlight, static camera"}


def test_a_style_is_captioned_by_its_content(tmp_path):
    album = unfinished(tmp_path / "ink", 2, STYLE)
    answers = ["A painting of two boats on a lake.", "An ink drawing of a harbour", "a harbour with a crane"]
    captioner = Scripted(answers)
    assert run(album, captioner).exit_code == 0
    assert captions(album) == {
        "IMG_00.txt": "two boats on a lake, in inknyte style",
        "IMG_01.txt": "a harbour with a crane, in inknyte style",
    }
    assert 'It says "ink drawing"' in captioner.questions[2].instruction


# What is refused


REFUSED = [
    ("I'm sorry, I cannot help with that request.", "policy/never_lists"),
    ("Sure! Here is a caption: a cat on a shelf in soft light", "policy/never_lists"),
    ("", "policy/empty"),
    ("on a shelf", "policy/fewest_words"),
    ("on a shelf. It is made of wood. The light is soft.", "policy/one_sentence"),
    ("on a shelf with a second ceramic cat, soft light", "policy/subject_once"),
    ("on a beautiful shelf in soft light, close-up", "policy/never_say"),
    ("with green eyes, on a shelf in soft light, close-up", "policy/never_say"),
    ("on a [place] in soft light, close-up, from above", "caption/placeholder-left"),
    ("on a wooden shelf with a vase, soft light of a lamp and a", "policy/cut_off"),
]


@pytest.mark.parametrize(("answer", "rule"), REFUSED, ids=[rule for _, rule in REFUSED])
def test_a_bad_answer_is_asked_for_again_with_the_reason(tmp_path, answer, rule):
    album = unfinished(tmp_path / "cat", 1, SUBJECT, f'[caption]\nnever_say = ["green eyes"]\n{KLEIN}')
    captioner = Scripted([answer, GOOD[0]])
    report = run(album, captioner)
    assert states(report) == {"IMG_00.png": "captioned"}
    assert captions(album) == {"IMG_00.txt": full(GOOD[0])}
    first, second = (question.instruction for question in captioner.questions)
    assert second.startswith(first)
    assert f"Your last answer was: {answer.strip()}" in second
    left = run(album, Scripted([answer] * 2), which="redo", fresh=True)
    assert rule in reasons(left)["IMG_00.png"]
    assert all(r.words in second for r in left.outcomes[0].reasons)


def test_after_three_refused_answers_it_is_left_to_the_person(tmp_path):
    album = unfinished(tmp_path / "cat", 2)
    captioner = Scripted(["on a shelf", GOOD[1], "on a sofa", "on a bed"])
    report = run(album, captioner)
    assert states(report) == {"IMG_00.png": "left", "IMG_01.png": "captioned"}
    assert [one.asked for one in report.outcomes] == [3, 1]
    assert report.outcomes[0].caption == full("on a bed")
    assert report.exit_code == 1
    assert list(captions(album)) == ["IMG_01.txt"]


def test_the_same_answer_again_ends_the_asking(tmp_path):
    captioner = Scripted(["on a shelf", "on a shelf"])
    report = run(unfinished(tmp_path / "cat", 1), captioner)
    assert (states(report), len(captioner.questions)) == ({"IMG_00.png": "left"}, 2)


def test_who_only_describes_is_asked_once(tmp_path):
    captioner = Scripted(["a cat statue sitting on a table in a kitchen", "a cat statue"], follows=False)
    album = unfinished(tmp_path / "cat", 2)
    report = run(album, captioner)
    assert states(report) == {"IMG_00.png": "captioned", "IMG_01.png": "left"}
    assert captions(album) == {"IMG_00.txt": full("sitting on a table in a kitchen")}


def test_of_two_equal_captions_the_first_is_kept(tmp_path):
    album = unfinished(tmp_path / "cat", 3)
    captioner = Scripted([GOOD[0], GOOD[0], GOOD[1], GOOD[2]], batch=3)
    report = run(album, captioner)
    assert states(report) == dict.fromkeys(states(report), "captioned")
    assert captions(album)["IMG_00.txt"] == full(GOOD[0])
    assert captions(album)["IMG_01.txt"] == full(GOOD[2])
    assert "the same as 1 other" in captioner.questions[3].instruction


def test_a_caption_equal_to_one_that_is_there_is_refused(tmp_path):
    album = unfinished(tmp_path / "cat", 2)
    (album / "IMG_01.txt").write_text(full(GOOD[0]))
    report = run(album, Scripted([GOOD[0], GOOD[1]]))
    assert (report.outcomes[0].asked, report.exit_code) == (2, 0)


def test_house_rules_about_captions_are_asked_too(tmp_path):
    write(tmp_path / "rules" / "caption" / "short.json", RULE)
    document = json.loads((tmp_path / "rules" / "caption" / "short.json").read_text())
    document["properties"]["caption_length"]["minimum"] = 70
    write(tmp_path / "rules" / "caption" / "short.json", document)
    album = unfinished(tmp_path / "cat", 1, SUBJECT, f'[lint]\nrules = "../rules"\n{KLEIN}')
    report = run(album, Scripted([GOOD[1], GOOD[2], GOOD[0]]))
    assert reasons(report) == {}
    assert report.outcomes[0].asked == 3 or report.outcomes[0].asked == 2
    assert len(captions(album)["IMG_00.txt"]) >= 70


# What goes wrong


def test_one_question_that_fails_does_not_end_the_others(tmp_path):
    album = unfinished(tmp_path / "cat", 2)
    report = run(album, Scripted([CaptionerError("it timed out 3 times"), GOOD[1]]))
    assert states(report) == {"IMG_00.png": "failed", "IMG_01.png": "captioned"}
    assert report.outcomes[0].reasons[0].words == "it timed out 3 times"
    assert report.exit_code == 1


def test_a_picture_that_cannot_be_shown_fails_alone(tmp_path):
    album = unfinished(tmp_path / "cat", 2)
    (album / "IMG_00.png").write_bytes((album / "IMG_00.png").read_bytes()[:60])
    report = run(album, Scripted([GOOD[1]]))
    assert states(report) == {"IMG_00.png": "failed", "IMG_01.png": "captioned"}
    assert report.outcomes[0].reasons[0].words.startswith("IMG_00.png: ")


@pytest.mark.parametrize("end", [KeyboardInterrupt(), CaptionerError("the key was refused", "set it")])
def test_an_early_end_writes_what_was_answered_and_the_next_call_goes_on(tmp_path, end):
    album = unfinished(tmp_path / "cat", 3)
    if isinstance(end, CaptionerError):

        class Ending(Scripted):
            def ask(self, questions):
                if len(self.questions) == 1:
                    raise end
                return super().ask(questions)

        captioner: Scripted = Ending(GOOD)
    else:
        captioner = Scripted([GOOD[0], end])
    report = run(album, captioner)
    assert list(captions(album)) == ["IMG_00.txt"]
    assert states(report) == {"IMG_00.png": "captioned", "IMG_01.png": "open", "IMG_02.png": "open"}
    assert report.exit_code == (130 if report.interrupted else 1)
    assert captioner.closed == 1
    assert run(album, Scripted(GOOD[1:])).exit_code == 0
    assert captions(album) == {f"IMG_{n:02}.txt": full(text) for n, text in enumerate(GOOD)}


def test_a_bug_of_the_captioner_is_told(tmp_path):
    class Short(Scripted):
        def ask(self, questions):
            return []

    report = run(unfinished(tmp_path / "cat", 1), Short())
    assert report.stopped is not None
    assert report.stopped.message == "scripted@1 gave 0 answers to 1 questions."
