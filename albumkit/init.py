"""album.toml for an album that has none: what its files and captions say, and the commented file.

:func:`survey` looks, a person (or nobody) decides, :func:`compose` writes the words, :func:`save` the file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumkit.album import Album, find_albums, read_album
from albumkit.album.find import CONFIG_NAME
from albumkit.atomic import write_whole
from albumkit.errors import AlbumError, AlbumkitError, UsageError
from albumkit.opening import guess_kind, recover_album
from albumkit.paths import quoted
from albumkit.propose import Proposal, propose_class_phrase, propose_kind, propose_trigger
from albumkit.settings import DEFAULT_TRAINERS
from albumkit.tomledit import toml_value
from albumkit.trainer import Knob, Trainer
from albumkit.trainers import load_trainer

RUNTIME_WORDS = {"comfy": "ComfyUI", "fal": "fal", "diffusers": "diffusers"}
#: Comments of album.toml start in this column, where the setting before them leaves room.
_COMMENT_COLUMN = 33
_LONGEST_LINE = 100


@dataclass(frozen=True, slots=True)
class Survey:
    """An album as found, and what its captions propose. ``captions``: the texts of those that have one."""

    path: Path
    album: Album
    captions: tuple[str, ...]
    folders: tuple[str, ...]
    trigger: Proposal | None
    class_phrase: Proposal | None
    kind: Proposal

    @property
    def uncaptioned(self) -> int:
        return len(self.album.examples) - len(self.captions)


@dataclass(frozen=True, slots=True)
class LoraFormat:
    """The output_lora_format for some runtimes (None: the trainer offers no choice, or nobody chose)."""

    value: str | None
    why: str
    #: Whether every wanted runtime is known to load it in full.
    fits: bool = True


@dataclass(frozen=True, slots=True)
class Choices:
    """What goes into the file; a ``trigger`` of None is commented out, "" means none on purpose."""

    kind: str
    trainer: Trainer
    trigger: str | None = None
    class_phrase: str | None = None
    runtimes: tuple[str, ...] = ()
    steps: int | None = None
    lora_format: LoraFormat = LoraFormat(None, "")
    #: Examples that have no caption of their own.
    uncaptioned: int = 0
    #: A file of shared settings above the album, as ``extend`` would name it.
    shared: str | None = None


def check_place(path: Path, *, force: bool = False) -> None:
    """Make sure that an album.toml may be written here, before anybody is asked anything.

    Raises:
        UsageError: no such folder, a zip or another file, a folder of several albums.
        AlbumkitError: there is an album.toml and ``force`` is not set.
    """
    shown = path.as_posix()
    if path.is_file():
        if path.suffix.lower() == ".zip":
            raise UsageError(
                f"{shown} is a zip, and init cannot write into a zip.",
                "Unpack it and name the folder; lint and pack take the zip as it is.",
            )
        raise UsageError(f"{shown} is a file.", "Name the folder that it lies in.")
    if not path.is_dir():
        raise UsageError(f"{shown}: there is no such folder.")
    if os.path.lexists(path / CONFIG_NAME) and not force:
        raise AlbumkitError(
            f"{(path / CONFIG_NAME).as_posix()} is there already.",
            f"albumkit init {quoted(shown)} --force   writes a new one, keeps the old as {CONFIG_NAME}.bak",
        )
    found = find_albums(path)
    if found != [path]:
        listed = ", ".join(album.as_posix() for album in found[:3]) + (" ..." if len(found) > 3 else "")
        count = f"{len(found)} albums" if len(found) > 1 else "its pictures in a folder below"
        raise UsageError(f"{shown} holds {count}: {listed}", f"albumkit init {quoted(found[0].as_posix())}")


def survey(path: Path) -> Survey:
    """Read the album without any settings and ask its captions what it is.

    Raises:
        AlbumError: it holds no pictures and no clips, or cannot be read.
    """
    recover_album(path)
    album = read_album(path)
    if not album.examples:
        raise AlbumError(
            f"{path.as_posix()} holds no pictures and no clips.",
            f"Put some into it (.jpg .png .heic .mp4 ...), then albumkit init {quoted(path.as_posix())}",
        )
    own = [caption for example in album.examples if (caption := album.caption(example)) is not None]
    texts = tuple(caption.text for caption in own if caption.text)
    parents = {example.path.rpartition("/")[0].rpartition("/")[2] for example in album.examples}
    folders = tuple(sorted(parents - {""})) or (path.resolve().name,)
    trigger = propose_trigger(texts, folders)
    phrase = propose_class_phrase(texts, trigger.value if trigger else None, folders)
    kind = propose_kind(
        texts, trigger.value if trigger else None, phrase.value if phrase else None, guess_kind(album)
    )
    if trigger is None and kind.value == "edit":
        trigger = Proposal("", "the instruction in the captions calls the edit up")
    return Survey(path, album, texts, folders, trigger, phrase, kind)


def choose_trainer(kind: str, named: str | None) -> Trainer:
    """The named trainer, else the default for this kind of album. UnknownName for one that is not."""
    return load_trainer(named if named is not None else DEFAULT_TRAINERS[kind])


def choose_format(trainer: Trainer, runtimes: Sequence[str]) -> LoraFormat:
    """The key format that all wanted runtimes load in full; else the one for the first of them."""
    knob = trainer.knobs.get("output_lora_format")
    if knob is None:
        loads = trainer.lora_formats.get("")
        if loads is None:
            return LoraFormat(None, "where its LoRA loads in full is not known", fits=not runtimes)
        return LoraFormat(None, f"its LoRA loads in {_names(loads)}", set(runtimes) <= set(loads))
    if not runtimes:
        return LoraFormat(None, "not chosen: nobody said where the LoRA will be used")
    order = sorted(trainer.lora_formats, key=lambda name: name != knob.default)
    known = {name: loads for name in order if (loads := trainer.lora_formats[name]) is not None}
    for name, loads in known.items():
        if set(runtimes) <= set(loads):
            return LoraFormat(name, f"loads in {_names(loads)}")
    if runtimes[0] in order and runtimes[0] not in known:
        return LoraFormat(
            runtimes[0], f"made for {RUNTIME_WORDS[runtimes[0]]}; that it loads in full is not proven", False
        )
    best = max(
        known, key=lambda n: (runtimes[0] in known[n], len(set(runtimes) & set(known[n]))), default=None
    )
    if best is None or runtimes[0] not in known[best]:
        return LoraFormat(None, f"no form is known to load in {_names(runtimes)}", False)
    missed = [runtime for runtime in runtimes if runtime not in known[best]]
    return LoraFormat(best, f"loads in {_names(known[best])}, not in {_names(missed)}; no form does", False)


def shared_settings(path: Path) -> str | None:
    """``../album.toml`` when such a file stands above the album."""
    return f"../{CONFIG_NAME}" if (path.resolve().parent / CONFIG_NAME).is_file() else None


def compose(choices: Choices) -> str:
    """The text of album.toml. Reading it back gives exactly the choices; every key is explained.

    Raises:
        UsageError: a text that cannot be written as UTF-8, or ``steps`` for a trainer without that knob.
    """
    lines = [
        "# Settings of this album for albumkit. Every key is optional; a # in front switches a line off."
    ]
    if choices.shared:
        lines += ["", *_line("extend", choices.shared, "takes the settings of that file first", off=True)]
    lines += ["", "[album]", *_album_lines(choices)]
    lines += ["", "[use]", *_use_lines(choices)]
    lines += ["", "[train]", *_train_lines(choices)]
    return "\n".join(lines) + "\n"


def save(path: Path, text: str) -> tuple[Path, Path | None]:
    """Write album.toml into the album; an older one is kept beside it under a free name.

    Returns:
        The file, and where the older one went (album.toml.bak, .bak2 ...) or None.
    """
    file = path / CONFIG_NAME
    backup: Path | None = None
    if os.path.lexists(file):
        try:
            old = file.read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            raise AlbumkitError(
                f"{file.as_posix()} cannot be kept: {reason}.", "Move it away first."
            ) from error
        backup = _free_name(path)
        write_whole(backup, old)
        with suppress(OSError):
            shutil.copystat(file, backup)
    write_whole(file, text.encode("utf-8"))
    return file, backup


def _line(key: str, value: Any, comment: str, *, off: bool = False) -> list[str]:
    """``key = value   # comment``; a long comment stands on its own line above, or it would run off."""
    setting = f"{'# ' if off else ''}{key} = {toml_value(value)}"
    line = f"{setting:<{_COMMENT_COLUMN - 1}} # {comment}"
    if len(setting) >= _COMMENT_COLUMN:
        line = f"{setting}   # {comment}"
    return [line] if len(line) <= _LONGEST_LINE else [f"# {comment}", setting]


def _album_lines(choices: Choices) -> list[str]:
    kind, trigger = choices.kind, choices.trigger
    lines = _line("kind", kind, "subject | style | edit | video")
    if trigger is None:
        lines += _line(
            "trigger_phrase",
            "TOK",
            'a made-up word that calls it up, once in every caption; "" = none',
            off=True,
        )
    elif trigger:
        lines += _line("trigger_phrase", trigger, "the made-up word that calls it up; once in every caption")
    elif kind == "edit":
        lines += _line("trigger_phrase", "", "none, on purpose: the instruction calls the edit up")
    else:
        lines += _line("trigger_phrase", "", "none, on purpose")
    if choices.class_phrase:
        lines += _line("class_phrase", choices.class_phrase, "what it is, in plain words, behind the trigger")
    elif kind == "subject":
        example = "ceramic cat figurine"
        lines += _line("class_phrase", example, "what it is, in plain words, behind the trigger", off=True)
    return lines + _line("exclude", ["rejects/*"], "files that every command passes over", off=True)


def _use_lines(choices: Choices) -> list[str]:
    where = "where the LoRA will be used: comfy | fal | diffusers"
    lines = _line("runtime", list(choices.runtimes) or ["comfy"], where, off=not choices.runtimes)
    return lines + _line("prompts", [_example_prompt(choices)], "what you want to make with it", off=True)


def _example_prompt(choices: Choices) -> str:
    if choices.kind == "edit":
        return (
            f"{choices.trigger} turn this sketch into a photo"
            if choices.trigger
            else "turn this sketch into a photo"
        )
    trigger = choices.trigger if choices.trigger is not None else "TOK"
    if choices.kind == "style":
        what = choices.class_phrase if choices.class_phrase else ""
        named = f"{trigger} {what}".strip()
        return f"a lighthouse, {named}" if named else "a lighthouse"
    named = f"{trigger} {choices.class_phrase or ''}".strip() or "cat"
    return f"{named} walking on a beach" if choices.kind == "video" else f"a photo of {named} on a beach"


def _train_lines(choices: Choices) -> list[str]:
    trainer = choices.trainer
    lines = _line("trainer", trainer.id, "`albumkit trainers` lists them all")
    lines += _steps_lines(trainer, choices.steps)
    rate = trainer.knobs.get("learning_rate")
    if rate and rate.has_default:
        words = "the trainer's own; halve it when results look fried"
        lines += _line("learning_rate", rate.default, words, off=True)
    if choices.lora_format.value is not None:
        lines += _line("output_lora_format", choices.lora_format.value, choices.lora_format.why)
    lines += _required_lines(trainer.knobs.values(), trainer)
    stand_in = trainer.captions.knob if trainer.captions.without == "default-or-refuse" else None
    if stand_in and choices.uncaptioned and choices.kind != "edit":
        count = f"{choices.uncaptioned} without one" if choices.uncaptioned > 1 else "the one without"
        lines += _line(stand_in, _stand_in_caption(choices), f"the caption of {count}", off=True)
    return lines


def _stand_in_caption(choices: Choices) -> str:
    named = f"{choices.trigger or ''} {choices.class_phrase or ''}".strip()
    return f"a photo of {named}" if named else "a photo of TOK ceramic cat figurine"


def _steps_lines(trainer: Trainer, steps: int | None) -> list[str]:
    knob = trainer.knobs.get("steps")
    if knob is None:
        if steps is not None:
            raise UsageError(f"{trainer.id} has no knob for steps.", "Leave --steps out.")
        return []
    words = {None: "how long it learns", 100: "this trainer takes hundreds"}
    comment = words.get(knob.multiple_of, f"this trainer takes multiples of {knob.multiple_of}")
    if steps is None and not knob.has_default:
        return _line("steps", 1000, f"{comment}; required" if knob.required else comment, off=True)
    return _line("steps", knob.default if steps is None else steps, comment)


def _required_lines(knobs: Iterable[Knob], trainer: Trainer) -> list[str]:
    """Knobs that the trainer demands and nobody can guess, switched off, with an example."""
    known = {trainer.archive.knob, "steps", "trigger_phrase"}
    lines: list[str] = []
    for knob in knobs:
        if knob.required and not knob.has_default and knob.name not in known:
            example = {"boolean": True, "integer": 1, "number": 1.0, "array": []}.get(
                knob.schema["type"], "..."
            )
            value = knob.schema["enum"][0] if "enum" in knob.schema else example
            lines += _line(knob.name, value, f"required: {knob.words.title}", off=True)
    return lines


def _free_name(path: Path) -> Path:
    number = 1
    while True:
        name = f"{CONFIG_NAME}.bak{number if number > 1 else ''}"
        if not os.path.lexists(path / name):
            return path / name
        number += 1


def _names(runtimes: Iterable[str]) -> str:
    """ "ComfyUI", "ComfyUI and diffusers", in the order of RUNTIME_WORDS."""
    words = [RUNTIME_WORDS[runtime] for runtime in RUNTIME_WORDS if runtime in set(runtimes)]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words) or "nothing known"
