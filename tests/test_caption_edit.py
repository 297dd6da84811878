"""``caption`` of edit albums: instructions, shared or for each pair."""

from __future__ import annotations

import pytest
from caption_runs import (
    EDIT,
    KLEIN,
    Scripted,
    captions,
    run,
    states,
    unfinished,
)
from conftest import write_picture

from albumkit.errors import UsageError


def test_a_pair_is_shown_from_start_to_end(tmp_path):
    album = unfinished(tmp_path / "pairs", 1, EDIT)
    write_picture(album / "IMG_00_start2.png", (80, 80), shade=100)
    captioner = Scripted(["Turn the sketch into a photo, with the frame of the reference image."])
    assert run(album, captioner).exit_code == 0
    reds = [image.getpixel((0, 0))[0] for image in captioner.questions[0].images]
    assert reds == [0, 100, 9]
    assert "The 1 between them" in captioner.questions[0].instruction
    assert captions(album) == {
        "IMG_00.txt": "turn the sketch into a photo, with the frame of the reference image"
    }


def test_a_description_is_no_instruction(tmp_path):
    album = unfinished(tmp_path / "pairs", 1, EDIT)
    captioner = Scripted(["a photo of a box on a table", "turn this sketch into a photo"])
    report = run(album, captioner)
    assert (report.exit_code, report.outcomes[0].asked) == (0, 2)


def test_half_a_pair_fails(tmp_path):
    album = unfinished(tmp_path / "pairs", 2, EDIT)
    (album / "IMG_01_start.png").unlink()
    report = run(album, Scripted(["turn this sketch into a photo"]))
    assert states(report)["IMG_01_end.png"] == "failed"
    assert "the other half of the pair is missing" in report.outcomes[1].reasons[0].words


@pytest.mark.parametrize("how", ["option", "album.toml", "captions"])
def test_a_shared_instruction_asks_nobody(tmp_path, how):
    text = "turn this pencil sketch into a photo"
    more = f'[caption]\ninstruction = "{text}"\n{KLEIN}' if how == "album.toml" else KLEIN
    album = unfinished(tmp_path / "pairs", 3, EDIT, more)
    if how == "captions":
        for number in range(2):
            (album / f"IMG_{number:02}.txt").write_text(text)
    report = run(album, Scripted(), instruction=text if how == "option" else None)
    assert report.exit_code == 0
    assert captions(album) == {f"IMG_{n:02}.txt": text for n in range(3)}
    assert report.captioner == ""


def test_a_shared_instruction_that_shall_be_written_anew_is_asked_for(tmp_path):
    album = unfinished(tmp_path / "pairs", 2, EDIT)
    run(album, Scripted(["turn it into a photo", "turn it into a photo"]))
    captioner = Scripted(["paint the vase red", "paint the cup blue"])
    assert run(album, captioner, which="redo", fresh=True).exit_code == 0
    assert captions(album) == {"IMG_00.txt": "paint the vase red", "IMG_01.txt": "paint the cup blue"}


def test_one_instruction_is_made_of_those_of_the_pairs(tmp_path):
    album = unfinished(tmp_path / "pairs", 3, EDIT)
    captioner = Scripted(
        ["turn it into a photo", "make it a photo", "turn it into a photo", "Turn this sketch into a photo."]
    )
    assert run(album, captioner, shared=True).exit_code == 0
    assert "- turn it into a photo\n- make it a photo\n" in captioner.questions[-1].instruction
    assert captions(album) == {f"IMG_{n:02}.txt": "turn this sketch into a photo" for n in range(3)}


def test_instructions_need_somebody_who_compares_pictures(tmp_path):
    album = unfinished(tmp_path / "pairs", 1, EDIT)
    captioner = Scripted(follows=False)
    with pytest.raises(UsageError, match="scripted@1 looks at one picture at a time"):
        run(album, captioner)
    assert captioner.closed == 1
    with pytest.raises(UsageError, match="A shared instruction is for edit albums"):
        run(unfinished(tmp_path / "cat", 1), Scripted(), shared=True)
