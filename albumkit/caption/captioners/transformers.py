"""Captioner on this machine: any image-text-to-text model that ``transformers`` knows, from the hub's cache
or a folder. Nothing is downloaded, and no code that a model brings along is run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit.adapter.header import read_header
from albumkit.caption.captioners import blip, chat, florence2, processors
from albumkit.caption.protocol import Answer, Question
from albumkit.engine import hub
from albumkit.engine.machine import Machine, find_machine, quiet
from albumkit.errors import CaptionerError, MissingExtra, UsageError
from albumkit.images import fitting

if TYPE_CHECKING:
    from albumkit.caption.captioners.manner import Manner

#: 4.44 billion parameters, 8.9 GB in bf16: fits a card of 12 GB with three questions at once, and 16 GB of
#: memory without a card. See docs/captioners.md.
DEFAULT = "Qwen/Qwen3-VL-4B-Instruct"
#: 8.77 billion parameters, 17.5 GB in bf16: for cards of 24 GB.
LARGE = "Qwen/Qwen3-VL-8B-Instruct"
#: 2.13 billion parameters, 4.3 GB in bf16.
SMALL = "Qwen/Qwen3-VL-2B-Instruct"

_MANNERS = {"florence2": florence2.MANNER, "blip": blip.MANNER}
#: Bytes that a model needs beside its weights, and that each question takes: a picture of a megapixel makes
#: 1,000 tokens of Qwen3-VL, whose keys and values in 36 layers take 150 MB, and what is computed on the way
#: as much again. A batch that does not fit all the same is halved.
_SPARE, _EACH = 1_000_000_000, 500_000_000
_MOST_AT_ONCE = 8
#: Pixels of a picture on a card, and elsewhere, where a token costs fifty times as much.
_PIXELS_ON_CARD, _PIXELS = 1_000_000, 500_000


class _Untakable(Exception):
    """A picture far too narrow, or words that hold the placeholder of a picture."""


class Transformers:
    """A model on this machine; loaded when it is asked for the first time.

    Args:
        model: A name on the hub whose files are in its cache, or a folder.
        machine: Where it runs; found by itself where None.
        nvidia: The driver of an NVIDIA card answers (a torch without CUDA is then refused).
        batch: How many questions at once; by the free memory of the card where None, one without a card.
        max_pixels: Of one picture; larger ones are made smaller.

    Raises:
        MissingExtra: the extra ``caption`` is not installed.
        UsageError: the name is none, or the model's kind is unknown.
        AlbumkitError: it is not on this machine; the remedy is the command that fetches it.
        CaptionerError: it does not fit the card, or torchvision does not fit torch.
    """

    def __init__(
        self,
        model: str = DEFAULT,
        *,
        machine: Machine | None = None,
        nvidia: bool = False,
        batch: int | None = None,
        max_pixels: int | None = None,
    ) -> None:
        for package in ("torch", "transformers", "accelerate"):
            if find_spec(package) is None:
                raise MissingExtra(package, "caption", "a model on this machine")
        processors.check_torchvision()
        self._asked = model
        self._folder = _folder_of(model)
        self._name = _name_of(model, self._folder)
        kind = _kind_of(model, self._folder)
        self._manner: Manner = _MANNERS.get(kind, chat.MANNER)
        found = machine or find_machine(nvidia)
        parameters = _parameters(self._folder)
        self._machine = replace(found, dtype=_dtype(found, parameters))
        on_card = found.device.type == "cuda"
        self._batch = batch or self._fitting_batch(parameters)
        self._max_pixels = max_pixels or (_PIXELS_ON_CARD if on_card else _PIXELS)
        self._loaded: tuple[Any, Any] | None = None

    @property
    def name(self) -> str:
        """``owner/name@revision``; of a folder its own name and what identifies its content."""
        return self._name

    @property
    def batch(self) -> int:
        """As many questions as fit the card's free memory, at most eight; one without a card."""
        return self._batch

    @property
    def follows_instructions(self) -> bool:
        return self._manner.follows_instructions

    @property
    def most_images(self) -> int | None:
        return self._manner.most_images

    def ask(self, questions: Sequence[Question]) -> list[Answer | CaptionerError]:
        """See :meth:`albumkit.caption.protocol.Captioner.ask`."""
        if self._loaded is None:
            self._loaded = self._load()
        faults = [self._unfit(question) for question in questions]
        fit = [question for question, fault in zip(questions, faults, strict=True) if fault is None]
        answers: list[Answer | CaptionerError] = []
        while len(answers) < len(fit):
            answers += self._answered(fit[len(answers) : len(answers) + self._batch])
        given = iter(answers)
        return [fault or next(given) for fault in faults]

    def close(self) -> None:
        """Lets go of the model."""
        self._loaded = None
        self._machine.free()

    def _answered(self, questions: Sequence[Question]) -> list[Answer | CaptionerError]:
        """One batch; where it fails in two halves, until it is known which question is at fault."""
        import torch

        try:
            return list(self._generated(questions))
        except torch.OutOfMemoryError:
            fault = CaptionerError(f"{self.name}: out of memory with one question alone.", f"--model {SMALL}")
            self._batch = max(1, min(self._batch, len(questions) // 2))
        except _Untakable as error:
            fault = CaptionerError(f"{self.name} cannot take the question: {error}")
        self._machine.free()
        if len(questions) == 1:
            return [fault]
        half = len(questions) // 2
        return [*self._answered(questions[:half]), *self._answered(questions[half:])]

    def _unfit(self, question: Question) -> CaptionerError | None:
        most = self._manner.most_images
        if not question.images:
            return CaptionerError(f"{self.name} was shown no picture.")
        if most is not None and len(question.images) > most:
            return CaptionerError(
                f"{self.name} looks at one picture only, not at {len(question.images)}.", f"--model {DEFAULT}"
            )
        return None

    def _generated(self, questions: Sequence[Question]) -> list[Answer]:
        """Greedy answers of one batch.

        Raises:
            _Untakable: the processor cannot take one of them.
            torch.OutOfMemoryError: they are too many.
        """
        import torch

        assert self._loaded is not None
        model, processor = self._loaded
        shown = [
            replace(question, images=tuple(fitting(image, self._max_pixels) for image in question.images))
            for question in questions
        ]
        with quiet(), torch.inference_mode():
            try:
                encoded = self._manner.encode(processor, shown)
            except Exception as error:  # processors raise nearly anything for what they cannot take
                raise _Untakable(_first_line(error)) from error
            inputs = encoded.to(model.device, self._machine.dtype)
            tokens = model.generate(
                **inputs,
                do_sample=False,
                num_beams=1,
                max_new_tokens=max(question.max_tokens for question in questions),
            )
        if self._manner.echoes:
            tokens = tokens[:, inputs["input_ids"].shape[1] :]
        rows = [row[: question.max_tokens] for row, question in zip(tokens, questions, strict=True)]
        return [Answer(text) for text in processor.batch_decode(rows, skip_special_tokens=True)]

    def _load(self) -> tuple[Any, Any]:
        """The model and its processor.

        Raises:
            CaptionerError: a file or a package is missing, or the weights are not that model's.
        """
        import torch
        from transformers import AutoModelForImageTextToText

        processor = processors.load(self._folder, self._asked)
        if self._manner is chat.MANNER and not processors.chats(processor):
            raise CaptionerError(
                f"{self._asked} has no chat template: it takes no questions.", f"--model {DEFAULT}"
            )
        try:
            with quiet():
                model, report = AutoModelForImageTextToText.from_pretrained(
                    self._folder,
                    dtype=self._machine.dtype,
                    device_map={"": self._machine.device},
                    local_files_only=True,
                    output_loading_info=True,
                )
        except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
            full = isinstance(error, torch.OutOfMemoryError)
            raise CaptionerError(
                f"{self._asked} could not be loaded: {_first_line(error)}",
                f"--model {SMALL}" if full else hub.fetch_line(self._asked),
            ) from error
        if missing := sorted(report["missing_keys"]):
            raise CaptionerError(
                f"{self._asked} lacks {len(missing)} of the model's weights, {missing[0]} for one.",
                hub.fetch_line(self._asked),
            )
        return model.eval(), processor

    def _fitting_batch(self, parameters: int) -> int:
        """How many questions fit the card.

        Raises:
            CaptionerError: not even one.
        """
        room = self._machine.room()
        if room is None:
            return 1
        weights = parameters * self._machine.dtype.itemsize
        batch = questions_at_once(weights, room)
        if not batch:
            raise CaptionerError(
                f"{self._asked} needs about {(weights + _SPARE) / 1e9:.1f} GB; "
                f"the card has {room / 1e9:.1f} GB free.",
                f"--model {SMALL if self._asked == DEFAULT else DEFAULT}",
            )
        return batch


def questions_at_once(weights: int, room: int) -> int:
    """How many questions fit into ``room`` free bytes of a card beside the weights; 0: not even one."""
    left = room - weights - _SPARE
    return 0 if left < 0 else max(1, min(_MOST_AT_ONCE, left // _EACH))


def _folder_of(model: str) -> Path:
    folder = Path(model)
    if not folder.is_dir():
        if not hub.is_hub_name(model):
            raise UsageError(
                f"--model {model}: there is no such folder.",
                f"name a folder, or a model on the hub as {DEFAULT}",
            )
        if model.startswith("microsoft/Florence-2"):
            raise _own_code(model)
        folder = hub.in_cache(model)
    return folder


def _name_of(model: str, folder: Path) -> str:
    if Path(model).is_dir():
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        identity = hub.fingerprint((file.relative_to(folder).as_posix(), file) for file in files)
        return f"{folder.resolve().name}@{identity[:12]}"
    return f"{model}@{folder.name[:12]}"


def _kind_of(model: str, folder: Path) -> str:
    """``model_type`` of its configuration.

    Raises:
        UsageError: no model that looks at pictures and answers in words, or none that is known here.
        CaptionerError: the configuration cannot be read.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = str(config["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CaptionerError(
            f"{model}: its config.json cannot be read: {_first_line(error)}", hub.fetch_line(model)
        ) from error
    if kind == "florence2" and "auto_map" in config:
        raise _own_code(model)
    if kind not in KNOWN:
        raise UsageError(
            f"--model {model}: {kind} is no model that transformers can ask about pictures.",
            f"--model {DEFAULT} (or pip install --upgrade transformers, if it is new)",
        )
    return kind


def _own_code(model: str) -> UsageError:
    """Of Florence-2 as it was first published; transformers knows it by converted weights."""
    return UsageError(
        f"--model {model}: these weights bring code of their own, which is never run here.",
        f"--model florence-community/{Path(model).name}",
    )


def _parameters(folder: Path) -> int:
    """How many numbers its weights are, by the headers of the files; 0 where they are not safetensors."""
    return sum(
        tensor.count for file in folder.glob("model*.safetensors") for tensor in read_header(file).tensors
    )


def _dtype(machine: Machine, parameters: int) -> Any:
    """That of the machine; bf16 where fp32 would fill more than two thirds of the computer's memory."""
    import torch

    if machine.device.type == "cuda" or parameters * 4 * 1.5 <= _memory():
        return machine.dtype
    return torch.bfloat16


def _memory() -> float:
    """Bytes of this computer; 16 GB where it does not tell (Windows)."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return 16e9


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
