"""The base of three files, for the engine just like a folder of diffusers."""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit import bases
from albumkit.adapter.base import read_size
from albumkit.engine import hub
from albumkit.engine.base import Base
from albumkit.engine.comfy.configs import SCHEDULER, config_of
from albumkit.engine.comfy.files import FOLDERS, File, choose, models_folder, usual_folders
from albumkit.engine.comfy.names import fill
from albumkit.engine.families.flux2 import CHAT_TEMPLATE
from albumkit.engine.machine import quiet
from albumkit.errors import AdapterError, AlbumkitError

if TYPE_CHECKING:
    import torch

#: Where Qwen3's tokenizer may be in the hub's cache: a repository, and the folder in it.
_TOKENIZERS = (
    ("Qwen/Qwen3-4B", ""),
    ("Qwen/Qwen3-8B", ""),
    ("black-forest-labs/FLUX.2-klein-base-4B", "tokenizer"),
    ("black-forest-labs/FLUX.2-klein-base-9B", "tokenizer"),
    ("black-forest-labs/FLUX.2-klein-4B", "tokenizer"),
    ("black-forest-labs/FLUX.2-klein-9B", "tokenizer"),
)
#: ComfyUI's own, beside its ``models``.
_OWN = "comfy/text_encoders/qwen25_tokenizer"
_VOCABULARIES = ("tokenizer.json", "vocab.json")
_CLASSES = {
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3Model"],
    "tokenizer": ["transformers", "Qwen2TokenizerFast"],
    "transformer": ["diffusers", "Flux2Transformer2DModel"],
    "vae": ["diffusers", "AutoencoderKLFlux2"],
}


@dataclass(frozen=True)
class ComfyBase(Base):
    """``folder`` is where the transformer lies, ``tokenizer`` the folder of the tokenizer."""

    files: Mapping[str, File] = field(default_factory=dict)
    tokenizer: Path = Path()

    @property
    def place(self) -> str:
        return ",".join(self.files[part].path.absolute().as_posix() for part in FOLDERS)

    @property
    def _own_name(self) -> str:
        return self.files["transformer"].path.stem

    @property
    def note(self) -> str:
        if self.known is not None and bases.find_base(self.files["transformer"].path.name) != self.known:
            return (
                "known by its shapes; whether it is the base or the distilled model, its name does not tell"
            )
        return super().note

    @functools.cached_property
    def index(self) -> dict[str, Any]:
        distilled = self.known is not None and self.known.distilled
        return {"_class_name": "Flux2KleinPipeline", "is_distilled": distilled, **_CLASSES}

    def config(self, part: str) -> dict[str, Any]:
        return dict(SCHEDULER) if part == "scheduler" else config_of(part, self.files[part].shapes)

    def missing(self) -> list[str]:
        return []

    def weights(self, part: str) -> list[Path]:
        return [self.files[part].path]

    def shapes(self, part: str) -> dict[str, tuple[int, ...]]:
        return self.files[part].shapes

    def load(self, part: str, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> Any:
        library, class_name = self.index[part]
        made = getattr(importlib.import_module(library), class_name)
        with quiet():
            if part == "tokenizer":
                return self._tokenizer(made)
            if part == "scheduler":
                return made.from_config(self.config(part))
            return self._model(part, made, device, dtype)

    def _model(self, part: str, made: Any, device: torch.device | str, dtype: torch.dtype | None) -> Any:
        import torch
        from accelerate import init_empty_weights

        file, config = self.files[part], self.config(part)
        with init_empty_weights():
            text = part == "text_encoder"
            model = made(made.config_class(**config)) if text else made.from_config(config)
        wrong = fill(model, file.pieces, str(file.path), device, dtype or torch.float32)
        if wrong:
            more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise AlbumkitError(
                f"{file.path.as_posix()}: {wrong[0]} is not there, too much, or of another shape{more}.",
                "download or copy the file again",
            )
        return model.requires_grad_(False).eval().to(device)

    def _tokenizer(self, made: Any) -> Any:
        """It must spell the template's marks as single words, and know no more words than the encoder."""
        try:
            tokenizer = made.from_pretrained(self.tokenizer, local_files_only=True)
            tokenizer.chat_template = CHAT_TEMPLATE
            marks = ("<|im_start|>", "<|im_end|>", "<think>", "</think>", "<|endoftext|>")
            ids = [tokenizer(mark, add_special_tokens=False)["input_ids"] for mark in marks]
        except (OSError, ValueError, RuntimeError) as error:
            raise AlbumkitError(
                f"{self.tokenizer.as_posix()}: the tokenizer cannot be loaded: {error}", tokenizer_command()
            ) from error
        most = self.config("text_encoder")["vocab_size"]
        if any(len(one) != 1 or one[0] >= most for one in ids):
            raise AlbumkitError(
                f"{self.tokenizer.as_posix()} is not the tokenizer of this text encoder.", tokenizer_command()
            )
        return tokenizer

    def _files(self, part: str) -> list[Path]:
        return sorted(self.tokenizer.glob("*.json")) if part == "tokenizer" else self.weights(part)

    def _tokenizer_config(self) -> dict[str, Any]:
        file = self.tokenizer / "tokenizer_config.json"
        try:
            return dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise AlbumkitError(f"{file.as_posix()} cannot be read: {error}.", tokenizer_command()) from error


def open_comfy(asked: str, option: str) -> ComfyBase:
    """The base that a folder of ComfyUI, a file in it, or several files mean.

    Raises:
        AlbumkitError: as :func:`albumkit.engine.comfy.files.choose`; or there is no tokenizer.
    """
    files = choose(asked, option)
    transformer = files["transformer"].path
    tokenizer = find_tokenizer(files)
    return ComfyBase(asked, transformer.parent, _known(transformer), files, tokenizer)


def find_tokenizer(files: Mapping[str, File]) -> Path:
    """Qwen3's tokenizer: beside the text encoder or in a folder near it, ComfyUI's own, or the hub's cache.

    Raises:
        AlbumkitError: there is none; the remedy is the command that fetches it.
    """
    places = [files["text_encoder"].path.parent]
    roots = [root for file in files.values() if (root := models_folder(file.path)) is not None]
    for models in [*roots, *usual_folders()]:
        for name in FOLDERS["text_encoder"]:
            places += [file.parent for file in sorted((models / name).rglob("tokenizer_config.json"))]
        places.append(models.parent / _OWN)
    for repository, folder in _TOKENIZERS:
        if (snapshot := hub.find_snapshot(repository)) is not None:
            places.append(snapshot / folder)
    for place in places:
        if (place / "tokenizer_config.json").is_file() and any((place / n).is_file() for n in _VOCABULARIES):
            return place
    raise AlbumkitError(
        "The tokenizer of the text encoder is not on this machine: ComfyUI keeps it outside of models.",
        tokenizer_command(),
    )


def tokenizer_command() -> str:
    """What fetches Qwen3's tokenizer, 11 MB."""
    return hub.fetch_line("Qwen/Qwen3-4B", "tokenizer.json", "tokenizer_config.json")


def _known(transformer: Path) -> bases.Base | None:
    """What rules/bases.json tells of it: by its name where that fits its shapes, else by the shapes alone."""
    try:
        size = read_size(transformer)
    except AdapterError:
        return None
    named = bases.find_base(transformer.name)
    if named is not None and size.id in (named.id, named.train_on):
        return named
    return bases.base_of_family(size.id)
