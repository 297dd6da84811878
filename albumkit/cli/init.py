"""``albumkit init``."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from albumkit.cli.options import trainer_option
from albumkit.cli.screen import print_lines
from albumkit.config import KINDS, RUNTIMES
from albumkit.paths import quoted

if TYPE_CHECKING:
    from rich.text import Text

    from albumkit.init import Choices, Survey
    from albumkit.propose import Proposal

#: What a person types for "no trigger, on purpose" and "no class phrase".
NONE = "none"


@dataclass(frozen=True, slots=True)
class _Answers:
    """What flags or a person said; None: nothing. ``runtimes`` of () is nothing said too."""

    kind: str | None
    trigger: str | None
    class_phrase: str | None
    runtimes: tuple[str, ...]


@click.command()
@click.argument("album", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(KINDS), help="What is to be learnt.")
@click.option("--trigger", metavar="T", help='The made-up word that calls it up; "" for none, on purpose.')
@click.option("--class-phrase", metavar="C", help="What it is in plain words, such as: ceramic cat figurine")
@click.option(
    "--use",
    "runtimes",
    multiple=True,
    type=click.Choice(RUNTIMES),
    help="Where the LoRA will be used; repeatable.",
)
@trainer_option
@click.option(
    "--steps", type=click.IntRange(min=1), metavar="N", help="Training steps. [default: the trainer's]"
)
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: take what the album proposes.")
@click.option("--force", is_flag=True, help="Replace an album.toml; the old one is kept as album.toml.bak.")
def command(
    album: Path,
    kind: str | None,
    trigger: str | None,
    class_phrase: str | None,
    runtimes: tuple[str, ...],
    trainer: str | None,
    steps: int | None,
    yes: bool,
    force: bool,
) -> None:
    """Write a commented album.toml into ALBUM, a folder of pictures or clips.

    Kind, trigger and class phrase are proposed from its files and captions. On a terminal init asks before
    it writes; flags answer its questions beforehand.
    """
    from albumkit import init

    init.check_place(album, force=force)
    if trainer is not None:
        init.choose_trainer("subject", trainer)  # a misspelt one is known before the questions
    found = init.survey(album)
    asks = not yes and _is_terminal()
    if asks:
        click.echo(_headline(found))
    answers = _Answers(kind, trigger, class_phrase, tuple(dict.fromkeys(runtimes)))
    if asks:
        answers = _ask(found, answers)
    choices = _choices(found, answers, trainer, steps)
    text = init.compose(choices)
    file, backup = init.save(album, text)
    if not asks:
        click.echo(f"{_headline(found)}\n")
    print_lines(lambda width: _summary(found, choices, answers, named=trainer is not None, width=width))
    if backup:
        click.echo(f"kept   {backup.as_posix()}, as it was")
    click.echo(f"wrote  {file.as_posix()}")
    click.echo(f"next   albumkit lint {quoted(album.as_posix())}")


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _headline(found: Survey) -> str:
    noun = "pair" if found.album.has_pairs else "clip" if found.kind.value == "video" else "picture"
    examples, captions = len(found.album.examples), len(found.captions)
    return (
        f"{found.path.as_posix()}   {examples} {noun}{'s' * (examples != 1)}, "
        f"{captions} caption{'s' * (captions != 1)}"
    )


def _choices(found: Survey, answers: _Answers, trainer: str | None, steps: int | None) -> Choices:
    from albumkit import init

    kind = answers.kind or found.kind.value
    trigger = answers.trigger if answers.trigger is not None else _proposed_trigger(found, kind)
    phrase = answers.class_phrase
    if phrase is None:
        phrase = _proposed_phrase(found, trigger, kind)
    chosen = init.choose_trainer(kind, trainer)
    return init.Choices(
        kind=kind,
        trainer=chosen,
        trigger=trigger,
        class_phrase=phrase or None,
        runtimes=answers.runtimes,
        steps=steps,
        lora_format=init.choose_format(chosen, answers.runtimes),
        uncaptioned=found.uncaptioned,
        shared=init.shared_settings(found.path),
    )


def _proposed_trigger(found: Survey, kind: str) -> str | None:
    if found.trigger is not None and (found.trigger.value or kind == "edit"):
        return found.trigger.value
    return "" if kind == "edit" else None


def _proposed_phrase(found: Survey, trigger: str | None, kind: str) -> str | None:
    """The words behind the trigger that counts, which need not be the one we found."""
    from albumkit.propose import propose_class_phrase

    if kind == "edit" or not trigger:
        return None
    phrase = propose_class_phrase(found.captions, trigger, found.folders)
    return phrase.value if phrase else None


def _ask(found: Survey, given: _Answers) -> _Answers:
    """The questions whose answers no flag gave; Enter takes what stands in brackets."""
    kind = given.kind
    if kind is None:
        _explain(f"What is to be learnt: {', '.join(KINDS)}.", found.kind)
        kind = click.prompt("kind", default=found.kind.value, type=click.Choice(KINDS), show_choices=False)
    trigger = given.trigger
    if trigger is None:
        proposed = _proposed_trigger(found, kind)
        _explain(
            "The trigger: a made-up word that calls it up. "
            f'"{NONE}" trains without one{"" if proposed is not None else "; Enter leaves it open"}.',
            found.trigger if proposed else None,
        )
        shown = NONE if proposed == "" else proposed or ""
        typed = _line("trigger", shown)
        trigger = "" if typed.casefold() == NONE else typed or None
    phrase = given.class_phrase
    if phrase is None and kind in ("subject", "video"):
        guess = _proposed_phrase(found, trigger, kind) or ""
        _explain(f'The class phrase: what it is, in plain words. "{NONE}" if there is no word for it.', None)
        typed = _line("class phrase", guess)
        phrase = "" if typed.casefold() == NONE else typed
    runtimes = given.runtimes or _ask_runtimes()
    click.echo()
    return _Answers(kind, trigger, phrase, runtimes)


def _line(question: str, default: str) -> str:
    typed: str = click.prompt(question, default=default, show_default=bool(default))
    return typed.strip()


def _ask_runtimes() -> tuple[str, ...]:
    _explain(f"Where the LoRA will be used: {', '.join(RUNTIMES)}. Several with a comma.", None)
    while True:
        typed = click.prompt("used in", default="comfy").casefold().replace("comfyui", "comfy")
        names = tuple(dict.fromkeys(name for name in typed.replace(",", " ").split()))
        wrong = [name for name in names if name not in RUNTIMES]
        if names and not wrong:
            return names
        click.echo(f"  {wrong[0] if wrong else 'nothing'} is none of {', '.join(RUNTIMES)}.")


def _explain(question: str, proposal: Proposal | None) -> None:
    click.echo()
    dim = not os.environ.get("NO_COLOR")
    click.secho(f"  {question}", dim=dim or None)
    if proposal:
        click.secho(f"  {proposal.value or NONE}: {proposal.why}", dim=dim or None)


def _summary(found: Survey, choices: Choices, answers: _Answers, *, named: bool, width: int) -> list[Text]:
    """What was chosen, a line each, with what speaks for it."""
    from rich.text import Text

    from albumkit.init import RUNTIME_WORDS
    from albumkit.report.config import Line, aligned

    def row(name: str, value: str, proposal: Proposal | None, said: str | None, missing: str) -> Line:
        if not value:
            return Line(name, "-", missing, "dim")
        told = said is not None and (proposal is None or said != proposal.value)
        return Line(name, value, "as you said" if told or proposal is None else proposal.why, "cyan")

    trigger, trainer = choices.trigger, choices.trainer
    shown = NONE if trigger == "" else trigger or ""
    rows = [
        row("kind", choices.kind, found.kind, answers.kind, ""),
        row("trigger", shown, found.trigger, answers.trigger, "none found in the captions: write it in"),
    ]
    if choices.class_phrase or choices.kind == "subject":
        phrase = choices.class_phrase or ""
        missing = "no words follow the trigger in most captions"
        rows.append(row("class phrase", phrase, found.class_phrase, answers.class_phrase, missing))
    places = ", ".join(RUNTIME_WORDS[name] for name in choices.runtimes)
    rows.append(row("used in", places, None, places, "not said: set runtime in the file"))
    reason = "as you said" if named else f"default for {choices.kind}"
    style = "cyan"
    if choices.kind not in trainer.kinds:
        reason, style = f"for {' and '.join(trainer.kinds)} albums!", "yellow"
    rows.append(Line("trainer", trainer.id, reason, style))
    if choices.runtimes:
        form = choices.lora_format
        rows.append(Line("LoRA format", form.value or "-", form.why, "cyan" if form.fits else "yellow"))
    return [*aligned(rows, min(width, 100)), Text()]
