"""Albums without captions, a captioner that says what a script tells it, and short questions to both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from albums import SCENES
from conftest import write_picture

from albumkit.caption.protocol import Answer, Question
from albumkit.captioning import CaptionReport, caption_album
from albumkit.errors import CaptionerError

SUBJECT = 'kind = "subject"\ntrigger_phrase = "TOK"\nclass_phrase = "ceramic cat"'
STYLE = 'kind = "style"\ntrigger_phrase = "inknyte style"'
EDIT = 'kind = "edit"\ntrigger_phrase = ""'
KLEIN = '[train]\ntrainer = "fal-ai/flux-2-klein-9b-base-trainer"\n'

#: Answers that are good enough.
GOOD = [
    "on a wooden shelf, soft window light, close-up",
    "in wet grass at dawn, low angle",
    "beside a red bicycle, harsh noon sun, full view",
]


def full(answer: str) -> str:
    """The caption that a good answer becomes."""
    return f"a photo of TOK ceramic cat {answer}"


class Scripted:
    """Gives its answers in order; an exception among them is raised, a CaptionerError handed back."""

    def __init__(
        self, answers: Sequence[str | BaseException] = (), *, batch: int = 1, follows: bool = True
    ) -> None:
        self.answers = list(answers)
        self.batch = batch
        self.follows_instructions = follows
        self.name = "scripted@1"
        self.questions: list[Question] = []
        self.batches: list[int] = []
        self.closed = 0

    def ask(self, questions: Sequence[Question]) -> list[Answer | CaptionerError]:
        self.batches.append(len(questions))
        given: list[Answer | CaptionerError] = []
        for question in questions:
            self.questions.append(question)
            answer = self.answers.pop(0)
            if isinstance(answer, CaptionerError):
                given.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                given.append(Answer(answer))
        return given

    def close(self) -> None:
        self.closed += 1


class Looking(Scripted):
    """Tells the pictures of :func:`unfinished` apart by their colour, and answers each with its scene."""

    def ask(self, questions: Sequence[Question]) -> list[Answer | CaptionerError]:
        self.answers = [SCENES[round(q.images[0].getpixel((0, 0))[0] / 20)] for q in questions]  # type: ignore[index]
        return super().ask(questions)


class Noting(Looking):
    """Notes in a file each picture that it answered, so that a test can tell what was asked twice."""

    def __init__(self, file: Path, *, batch: int = 1) -> None:
        super().__init__(batch=batch)
        self._file = file

    def ask(self, questions: Sequence[Question]) -> list[Answer | CaptionerError]:
        given = super().ask(questions)
        with self._file.open("a") as notes:
            notes.write("".join(f"{one.text}\n" for one in given if isinstance(one, Answer)))
        return given


def unfinished(folder: Path, count: int, album: str = SUBJECT, more: str = KLEIN, **save: Any) -> Path:
    """``count`` pictures IMG_00, IMG_01 ... without captions; pairs for an edit album."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        if "edit" in album:
            write_picture(folder / f"IMG_{number:02}_start.png", shade=number * 20, **save)
            write_picture(folder / f"IMG_{number:02}_end.png", shade=number * 20 + 9, **save)
        else:
            write_picture(folder / f"IMG_{number:02}.png", shade=number * 20, **save)
    (folder / "album.toml").write_text(f"[album]\n{album}\n{more}", encoding="utf-8")
    return folder


def run(folder: Path, captioner: Scripted, **options: Any) -> CaptionReport:
    return caption_album(folder, lambda: captioner, **options)


def captions(folder: Path) -> dict[str, str]:
    """Sidecar name -> its text, without the line end that each must have."""
    found = {}
    for file in sorted(folder.rglob("*.txt")):
        text = file.read_bytes().decode()
        found[file.relative_to(folder).as_posix()] = text.removesuffix("\n")
    return found


def states(report: CaptionReport) -> dict[str, str]:
    return {one.path: one.state for one in report.outcomes}


def reasons(report: CaptionReport) -> dict[str, list[str]]:
    """Example path -> the rules that refuse its last answer."""
    return {one.path: [r.rule for r in one.reasons] for one in report.outcomes if one.reasons}
