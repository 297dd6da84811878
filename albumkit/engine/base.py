"""The base: which frozen model is meant, where it lies on this machine, and its parts, loaded one at a time.

A base is a folder in diffusers' form: ``model_index.json`` names the class of each part, every part has a
folder of its own. Nothing is ever downloaded here.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit import bases
from albumkit.adapter.header import read_header
from albumkit.engine import families, hub
from albumkit.engine.machine import need_libraries, quiet
from albumkit.errors import AlbumkitError, UsageError

if TYPE_CHECKING:
    import torch

    from albumkit.engine.families import Family

#: The name of the base that ships inside the package.
POCKET = "pocket"
_POCKET_FOLDER = Path(__file__).parent / "pocket" / "model"
#: The longest text that FLUX.2 klein was trained with; a tokenizer that holds less says so itself.
_LONGEST_TEXT = 512
_FORM = (
    "name a folder in diffusers' form, a name on the hub such as black-forest-labs/FLUX.2-klein-base-4B, "
    "or pocket"
)


@dataclass(frozen=True)
class Base:
    """A base on this machine: ``asked`` is how it was named, ``known`` what rules/bases.json tells of it."""

    asked: str
    folder: Path
    known: bases.Base | None

    @property
    def id(self) -> str:
        """A short name for files: that of rules/bases.json, or the folder's."""
        return self.known.id if self.known else re.sub(r"[^A-Za-z0-9._-]+", "-", self.folder.name).strip("-.")

    @property
    def title(self) -> str:
        return self.known.title if self.known else self.asked

    @property
    def licence(self) -> str:
        """The licence's name, and whether money may be made."""
        if self.known is None or self.known.licence is None:
            return "unknown to albumkit: read the page of the base"
        words = {"yes": "", "no": " (no commercial use)", "conditions": " (commercial use under conditions)"}
        return self.known.licence + words.get(self.known.commercial or "", "")

    @functools.cached_property
    def index(self) -> dict[str, Any]:
        """``model_index.json``."""
        return self._json("model_index.json")

    @property
    def family(self) -> Family:
        return families.find(self.index["_class_name"])

    @property
    def distilled(self) -> bool:
        return bool(self.index.get("is_distilled", self.known is not None and self.known.distilled))

    @functools.cached_property
    def text_length(self) -> int:
        """Tokens that the base reads of a prompt: a fact of the base, alike in training and use."""
        most = self._json("tokenizer/tokenizer_config.json").get("model_max_length", _LONGEST_TEXT)
        return int(min(_LONGEST_TEXT, most))

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

    def config(self, part: str) -> dict[str, Any]:
        """The configuration of ``transformer``, ``vae``, ``text_encoder`` or ``scheduler``."""
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        return self._json(f"{part}/{name}")

    def weights(self, part: str) -> list[Path]:
        """Its safetensors files.

        Raises:
            AlbumkitError: there are none.
        """
        found = sorted((self.folder / part).glob("*.safetensors"))
        if not found:
            raise AlbumkitError(f"{self.asked}: there are no weights in {part}/.", self._fetch())
        return found

    def parameters(self, part: str) -> int:
        """How many numbers a part has, by the headers of its files."""
        return sum(tensor.count for file in self.weights(part) for tensor in read_header(file).tensors)

    def linears(self, part: str) -> dict[str, tuple[int, int]]:
        """(out, in) of every matrix of a part by the name of its module, by the headers of its files."""
        return {
            tensor.name.removesuffix(".weight"): (tensor.shape[0], tensor.shape[1])
            for file in self.weights(part)
            for tensor in read_header(file).tensors
            if tensor.name.endswith(".weight") and len(tensor.shape) == 2
        }

    def fingerprint(self, *parts: str) -> str:
        """Identity of some parts by content, in an instant also for many gigabytes (never a date, a name of a
        folder or a path).
        """
        return hub.fingerprint(
            (f"{part}/{file.name}", file)
            for part in parts
            for file in sorted((self.folder / part).rglob("*"))
            if file.is_file()
        )

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
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise AlbumkitError(
                f"{self.asked}: {part} could not be loaded: {first}", self._fetch()
            ) from error
        if hasattr(loaded, "requires_grad_"):
            loaded = loaded.requires_grad_(False).eval().to(device)
        return loaded

    def _json(self, name: str) -> dict[str, Any]:
        file = self.folder / name
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise AlbumkitError(f"{self.asked}: {name} cannot be read: {reason}.", self._fetch()) from error
        if not isinstance(document, dict):
            raise AlbumkitError(f"{self.asked}: {name} is no JSON object.", self._fetch())
        return document

    def _fetch(self) -> str:
        return hub.fetch_line(self.asked)


def find_base(asked: str) -> Base:
    """The base that a name means: a folder, a name on the hub that is in its cache, an id, or ``pocket``.

    Raises:
        MissingExtra: the extra ``train`` is not installed.
        UsageError: it is none of these, or no architecture that albumkit trains.
        AlbumkitError: it is not on this machine; the remedy is the command that fetches it.
    """
    need_libraries("a base")
    known = bases.find_base(asked)
    path = Path(asked)
    if asked == POCKET:
        base = Base(asked, _POCKET_FOLDER, known)
    elif path.is_dir():
        base = Base(asked, path, known)
    elif path.is_file() or path.suffix == ".safetensors":
        raise UsageError(
            f"--base {asked}: one file is no base: the text encoder and the autoencoder are needed, too.",
            _FORM,
        )
    elif hub.is_hub_name(asked):
        base = Base(asked, hub.in_cache(asked), known)
    elif by_id := bases.base_of_family(asked):
        return find_base(by_id.hub) if by_id.hub else _nothing(asked)
    else:
        return _nothing(asked)
    if not (base.folder / "model_index.json").is_file():
        if asked == POCKET:
            raise AlbumkitError(
                "pocket is not in this installation.", 'pip install --force-reinstall "albumkit[train]"'
            )
        raise UsageError(f"--base {asked}: there is no model_index.json in it.", _FORM)
    _ = base.family
    return base


def bases_here() -> list[str]:
    """Names of the bases on this machine that albumkit can train: pocket, and what the hub's cache holds
    whole.
    """
    found = [POCKET] if (_POCKET_FOLDER / "model_index.json").is_file() else []
    for index in sorted(hub.hub_cache().glob("models--*/snapshots/*/model_index.json")):
        name = index.parts[-4].removeprefix("models--").replace("--", "/", 1)
        try:
            families.find(json.loads(index.read_text(encoding="utf-8"))["_class_name"])
        except (OSError, ValueError, KeyError, UsageError):
            continue
        found += [] if name in found else [name]
    return found


def _nothing(asked: str) -> Base:
    raise UsageError(f"--base {asked}: there is no such folder, and no base of that name.", _FORM)
