"""The judge that ships, and the exam that it holds: on renders, where the answer is known."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("diffusers")

from albumkit.engine import pocket  # noqa: E402
from albumkit.engine.base import find_base  # noqa: E402
from albumkit.engine.machine import Machine  # noqa: E402
from albumkit.engine.pocket.exam import Exam, Subject, draw_sheet, read_subject  # noqa: E402
from albumkit.engine.pocket.judge import likeness, load_judge, own_likeness, seen_words  # noqa: E402
from albumkit.engine.pocket.world import figurine, names, render, sample  # noqa: E402
from albumkit.errors import UsageError  # noqa: E402

ALBUM = Path(__file__).parent.parent / "sample_albums" / "tok_figurine"


@pytest.fixture(scope="module")
def subject() -> Subject:
    torch.set_num_threads(1)
    return read_subject(ALBUM)


def to_pixels(images: torch.Tensor) -> torch.Tensor:
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def test_the_card_has_figures_at_the_guidance_that_pictures_are_made_with() -> None:
    figures = json.loads((Path(pocket.__file__).with_name("figures.json")).read_text(encoding="utf-8"))
    card = figures["card"][f"guidance {find_base('pocket').guidance:g}"]
    assert card["colour"] >= 0.9
    assert card["place"] >= 0.9
    assert card["object"] >= 0.8


def test_judge_sees_what_was_drawn() -> None:
    scenes = sample(91, 20)
    seen = seen_words(load_judge(), to_pixels(render(scenes, 128)[0]))
    for aspect, words, drawn in (
        ("object", names.KINDS, scenes.kind),
        ("place", names.PLACES, scenes.place),
        ("light", names.LIGHTS, scenes.light),
    ):
        right = [word == words[i] for word, i in zip(seen[aspect], drawn.tolist(), strict=True)]
        assert sum(right) >= 18, aspect


def test_likeness_tells_the_subject_from_others(subject: Subject) -> None:
    judge = load_judge()
    same = likeness(judge, to_pixels(render(figurine(92, 8), 128)[0]), subject.pixels)
    others = likeness(judge, to_pixels(render(sample(93, 8), 128)[0]), subject.pixels)
    own = own_likeness(judge, subject.pixels)
    assert same.min() > 0.5 * own.mean() > others.max()
    vectors = judge.see(subject.pixels)[1]
    first = torch.nn.functional.cosine_similarity(vectors[:1], vectors[1:]).mean()
    assert torch.allclose(own[0], first, atol=1e-5)


def test_album_leaves_32_questions(subject: Subject) -> None:
    asked = subject.elsewhere(3)
    assert len(asked) == 3 * 32
    assert {(one.place, one.light) for one in asked}.isdisjoint(subject.settings)
    assert asked[0].prompt.startswith("a photo of TOK ceramic cat figurine ")
    assert {one.seed for one in asked} == {0, 1, 2}


def test_base_obeys_and_does_not_know_the_subject(subject: Subject) -> None:
    exam = Exam(subject, subject.elsewhere(1)[::11], find_base("pocket"), cpu(), steps=4)
    own = exam.of_album()
    assert own.obedience == 1.0
    assert own.of_own == pytest.approx(1.0)
    answer = exam.put_to(exam.base.load("transformer"))
    assert answer.score.pictures == len(answer.pixels) == 3
    assert answer.score.of_own < 0.4
    assert answer.score.place > 0.5
    sheet = draw_sheet(subject, answer)
    left, upper = 168 + 128 * names.LIGHTS.index(answer.asked[0].light), 20
    cell = sheet.crop((left, upper, left + 128, upper + 128))
    assert len(cell.getcolors(128 * 128) or []) > 100, "the first picture is not where it belongs"


def test_together_or_alone_the_same_picture_is_made(subject: Subject) -> None:
    exam = Exam(subject, subject.elsewhere(1)[:3], find_base("pocket"), cpu(), steps=2)
    alone = Exam(subject, subject.elsewhere(1)[1:2], find_base("pocket"), cpu(), steps=2)
    transformer = exam.base.load("transformer")
    assert torch.allclose(exam.put_to(transformer).pixels[1], alone.put_to(transformer).pixels[0], atol=1e-3)


def test_album_of_another_world_is_refused() -> None:
    with pytest.raises(UsageError, match="names no place and light"):
        read_subject(ALBUM.parent / "cookie_box")


def test_command_tells_what_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "albumkit.engine.pocket.evaluate", "x.safetensors"]
    album = ["--album", str(ALBUM.parent / "cookie_box")]
    done = subprocess.run([*command, *album], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "names no place and light" in done.stderr
    assert "Traceback" not in done.stderr


def cpu() -> Machine:
    return Machine(torch.device("cpu"), torch.float32)
