"""The base: which frozen model is meant, where it lies on this machine, and its parts, loaded one at a time.

A base is a folder in diffusers' form: ``model_index.json`` names the class of each part, every part has a
folder of its own. Nothing is ever downloaded here.
"""

from __future__ import annotations

import functools
import importlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit import bases
from albumkit.adapter.header import read_header
from albumkit.engine import families, hub
from albumkit.engine.machine import beginning, need_libraries, quiet
from albumkit.errors import AlbumkitError, UsageError

if TYPE_CHECKING:
    import torch

    from albumkit.engine.families import Family

#: The name of the base that ships inside the package.
POCKET = "pocket"
POCKET_FOLDER = Path(__file__).parent / "pocket" / "model"
#: The longest text that FLUX.2 klein was trained with; a tokenizer that holds less says so itself.
_LONGEST_TEXT = 512
#: Endings of single files.
FILES = (".safetensors", ".sft", ".gguf")
#: One of these holds a tokenizer's words.
_VOCABULARIES = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")


@dataclass(frozen=True)
class Base:
    """A base on this machine: ``asked`` is how it was named, ``known`` what rules/bases.json tells of it."""

    asked: str
    folder: Path
    known: bases.Base | None

    @property
    def place(self) -> str:
        """What finds it again from any folder."""
        named = self.asked == POCKET or not Path(self.asked).exists()
        return self.asked if named else self.folder.absolute().as_posix()

    @property
    def name(self) -> str:
        """What others know it by: its name on the hub, or the folder's; never a path of this machine."""
        if self.known is not None:
            return self.known.hub or self.known.id
        return self.asked if hub.is_hub_name(self.asked) and not Path(self.asked).exists() else self._own_name

    @property
    def _own_name(self) -> str:
        return self.folder.name

    @property
    def id(self) -> str:
        """A short name for files: that of rules/bases.json, or the last part of its own."""
        own = self.name.rpartition("/")[2]
        return self.known.id if self.known else re.sub(r"[^A-Za-z0-9._-]+", "-", own).strip("-.")

    @property
    def title(self) -> str:
        return self.known.title if self.known else self.name

    @property
    def licence(self) -> str:
        """The licence's name, and whether money may be made."""
        if self.known is None or self.known.licence is None:
            return "unknown to albumkit: read the page of the base"
        words = {"yes": "", "no": " (no commercial use)", "conditions": " (commercial use under conditions)"}
        return self.known.licence + words.get(self.known.commercial or "", "")

    @property
    def note(self) -> str:
        """What a person should know before training on it; mostly nothing."""
        if not self.distilled:
            return ""
        better = bases.base_of_family(self.known.train_on) if self.known and self.known.train_on else None
        instead = f": train on {better.title}, use the LoRA on both" if better else ""
        return f"it was distilled to make a picture in a few steps{instead}"

    @functools.cached_property
    def index(self) -> dict[str, Any]:
        """``model_index.json``."""
        return self._json("model_index.json")

    @property
    def family(self) -> Family:
        return families.find(str(self.index.get("_class_name")))

    @property
    def distilled(self) -> bool:
        return bool(self.index.get("is_distilled", self.known is not None and self.known.distilled))

    @functools.cached_property
    def text_length(self) -> int:
        """Tokens that the base reads of a prompt: a fact of the base, alike in training and use."""
        return int(min(_LONGEST_TEXT, self._tokenizer_config().get("model_max_length", _LONGEST_TEXT)))

    @property
    def pixels_per_token(self) -> int:
        return self.family.pixels_per_token(self.config("vae"))

    @property
    def side(self) -> int:
        """Side in pixels of the square that it makes pictures of by default."""
        return (self.known.picture_side if self.known else None) or 1024

    @property
    def guidance(self) -> float:
        """How far its pictures lean away from the empty prompt by default: 4 as diffusers' pipeline has it,
        1 (not at all) where that was distilled away.
        """
        return (self.known.guidance if self.known else None) or (1.0 if self.distilled else 4.0)

    @property
    def picture_steps(self) -> int:
        """Steps of the sampler that show what it makes: fewer where it was distilled to need few."""
        return 4 if self.distilled else 20

    def config(self, part: str) -> dict[str, Any]:
        """The configuration of ``transformer``, ``vae``, ``text_encoder`` or ``scheduler``."""
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        return self._json(f"{part}/{name}")

    @property
    def parts(self) -> tuple[str, ...]:
        """What the pipeline is made of: transformer, vae, text_encoder, tokenizer, scheduler ..."""
        pairs = {name: value for name, value in self.index.items() if isinstance(value, list)}
        return tuple(name for name, value in pairs.items() if value and value[0])

    def has_weights(self, part: str) -> bool:
        """Whether it is a model, and no tokenizer or scheduler."""
        return not part.startswith(("tokenizer", "scheduler", "feature_extractor"))

    def weights(self, part: str) -> list[Path]:
        """The safetensors files that its library reads, whether they are there or not."""
        folder = self.folder / part
        stem = "model" if self.index[part][0] == "transformers" else "diffusion_pytorch_model"
        shards = folder / f"{stem}.safetensors.index.json"
        if shards.is_file():
            names = self._json(shards.relative_to(self.folder).as_posix()).get("weight_map", {}).values()
            return [folder / name for name in sorted(set(names))]
        return [folder / f"{stem}.safetensors"]

    def missing(self) -> list[str]:
        """Files that the pipeline needs and that are not there, as after a download that broke off."""
        if not (self.folder / "model_index.json").is_file():
            return ["model_index.json"]
        wanted: list[Path] = []
        for part in self.parts:
            folder = self.folder / part
            if part.startswith("tokenizer"):
                wanted.append(folder / "tokenizer_config.json")
                if not any((folder / name).is_file() for name in _VOCABULARIES):
                    wanted.append(folder / _VOCABULARIES[0])
            elif part.startswith("scheduler"):
                wanted.append(folder / "scheduler_config.json")
            elif self.has_weights(part):
                wanted += [folder / "config.json", *self.weights(part)]
        return [file.relative_to(self.folder).as_posix() for file in wanted if not file.is_file()]

    def check(self, any_pipeline: bool = False) -> None:
        """Whether it is whole, by the names of its files.

        Args:
            any_pipeline: Of diffusers, also one that albumkit cannot train.

        Raises:
            UsageError: it is no architecture that albumkit trains.
            AlbumkitError: it is not whole; the remedy is the command that fetches the rest.
        """
        missing = self.missing()
        if not any_pipeline and "model_index.json" not in missing:
            _ = self.family
        if missing:
            more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
            words = f"{self.asked} is not whole on this machine: {missing[0]} is missing{more}."
            raise AlbumkitError(words, self.fetch)

    def shapes(self, part: str) -> dict[str, tuple[int, ...]]:
        """Shapes of a part's weights by the names of its library, by the headers of its files.

        Raises:
            AdapterError: a file is cut short, or no safetensors.
        """
        headers = [read_header(file) for file in self.weights(part)]
        return {tensor.name: tensor.shape for header in headers for tensor in header.tensors}

    def parameters(self, part: str) -> int:
        """How many numbers a part has."""
        return sum(map(math.prod, self.shapes(part).values()))

    def linears(self, part: str) -> dict[str, tuple[int, int]]:
        """(out, in) of every matrix of a part by the name of its module."""
        return {
            name.removesuffix(".weight"): (shape[0], shape[1])
            for name, shape in self.shapes(part).items()
            if name.endswith(".weight") and len(shape) == 2
        }

    def fingerprint(self, *parts: str) -> str:
        """Identity of some parts by content, in an instant also for many gigabytes (never a date, a name of a
        folder or a path).
        """
        return hub.fingerprint((f"{part}/{file.name}", file) for part in parts for file in self._files(part))

    def _files(self, part: str) -> list[Path]:
        return [file for file in sorted((self.folder / part).rglob("*")) if file.is_file()]

    def load(self, part: str, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> Any:
        """One part, frozen, ready to use.

        Raises:
            AlbumkitError: its library cannot load it.
        """
        library, class_name = self.index[part]
        made = getattr(importlib.import_module(library), class_name)
        options: dict[str, Any] = {"local_files_only": True}
        if dtype is not None:
            options["dtype" if library == "transformers" else "torch_dtype"] = dtype
        try:
            with quiet():
                loaded = made.from_pretrained(self.folder / part, **options)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            words = f"{self.asked}: {part} could not be loaded: {beginning(error)}"
            raise AlbumkitError(words, self.fetch) from error
        if hasattr(loaded, "requires_grad_"):
            loaded = loaded.requires_grad_(False).eval().to(device)
        return loaded

    def _tokenizer_config(self) -> dict[str, Any]:
        part = "tokenizer_2" if "tokenizer_2" in self.parts else "tokenizer"  # FLUX.1: that of T5
        return self._json(f"{part}/tokenizer_config.json")

    def _json(self, name: str) -> dict[str, Any]:
        file = self.folder / name
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise AlbumkitError(f"{self.asked}: {name} cannot be read: {reason}.", self.fetch) from error
        if not isinstance(document, dict):
            raise AlbumkitError(f"{self.asked}: {name} is no JSON object.", self.fetch)
        return document

    @property
    def fetch(self) -> str:
        """What mends a base that is not whole."""
        reinstall = 'pip install --force-reinstall "albumkit[train]"'
        return reinstall if self.asked == POCKET else hub.fetch_line(self.asked)


def find_base(asked: str, option: str = "--base", *, any_pipeline: bool = False) -> Base:
    """The base that a name means: a folder, a name on the hub that is in its cache, an id, or ``pocket``.

    Args:
        option: What of the command line named it.
        any_pipeline: Of diffusers, also one that albumkit cannot train.

    Raises:
        MissingExtra: the extra ``train`` is not installed.
        UsageError: it is none of these, or no architecture that albumkit trains.
        AlbumkitError: it is not, or not whole, on this machine; the remedy is the command that fetches it.
    """
    need_libraries(option)
    known = bases.find_base(asked)
    path = Path(asked)
    if asked == POCKET:
        base = Base(asked, POCKET_FOLDER, known)
    elif (path / "model_index.json").is_file():
        base = Base(asked, path, known)
    elif path.exists() or path.suffix in FILES:
        return _of_files(asked, option)
    elif hub.is_hub_name(asked):
        base = Base(asked, hub.in_cache(asked), known)
    elif (by_id := bases.base_of_family(asked)) and by_id.hub:
        return find_base(by_id.hub, option, any_pipeline=any_pipeline)
    else:
        raise UsageError(
            f"{option} {asked}: there is no such folder, and no base of that name.", forms(option)
        )
    base.check(any_pipeline)
    return base


def forms(option: str) -> str:
    """What ``--base`` takes, a line each."""
    return (
        f"{option} black-forest-labs/FLUX.2-klein-base-4B   or another name on the hub that is in its cache\n"
        f"{option} ComfyUI   its folder, or a file in models/diffusion_models\n"
        f"{option} FOLDER   in diffusers' form\n"
        f"{option} {POCKET}   the small base that ships with albumkit"
    )


def _of_files(asked: str, option: str) -> Base:
    from albumkit.engine.comfy.base import open_comfy
    from albumkit.engine.comfy.files import models_folder

    if Path(asked).is_dir() and models_folder(Path(asked)) is None:
        words = "there is no model_index.json in it, and no diffusion_models"
        raise UsageError(f"{option} {asked}: {words}.", forms(option))
    return open_comfy(asked, option)
