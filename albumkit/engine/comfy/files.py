"""Which files of a ``models`` folder make a base: named by a person, or the only ones that fit together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from albumkit import bases
from albumkit.adapter import Header, read_header
from albumkit.adapter.base import read_size
from albumkit.engine import hub
from albumkit.engine.base import FILES, forms
from albumkit.engine.comfy.configs import config_of
from albumkit.engine.comfy.names import Pieces, pieces_of
from albumkit.engine.families.flux2 import TEXT_LAYERS
from albumkit.errors import AdapterError, AlbumkitError, UsageError

#: Part -> the folders that ComfyUI looks for it in, today's name first.
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "transformer": ("diffusion_models", "unet"),
    "text_encoder": ("text_encoders", "clip"),
    "vae": ("vae",),
}
TITLES = {"transformer": "transformer", "text_encoder": "text encoder", "vae": "autoencoder"}
#: What weights are trained on; everything else was made smaller.
_WHOLE = {"BF16", "F16", "F32"}
#: Where ComfyUI's own makers keep klein's other parts (the name is spelt so).
_HUB = "Comfy-Org/vae-text-encorder-for-flux-klein-"
#: By the width of the text that the transformer reads.
_ENCODERS = {
    7680: (f"{_HUB}4b", "split_files/text_encoders/qwen_3_4b.safetensors"),
    12288: (f"{_HUB}9b", "split_files/text_encoders/qwen_3_8b.safetensors"),
}
_AUTOENCODER = (f"{_HUB}4b", "split_files/vae/flux2-vae.safetensors")


@dataclass(frozen=True)
class File:
    """One file: the part of a klein that it holds ("" for something else), and its weights.

    ``small``: what its numbers were made smaller to (fp8, nvfp4, int8, GGUF), or "".
    """

    path: Path
    part: str
    pieces: Pieces
    small: str = ""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """By the names of the library."""
        return {name: piece.shape for name, piece in self.pieces.items()}


def look_at(path: Path) -> File:
    """What a file holds, by its header.

    Raises:
        AdapterError: it cannot be read.
    """
    if path.suffix.lower() == ".gguf":
        try:
            size = read_size(path)
        except AdapterError:
            return File(path, "", {}, "GGUF")
        return File(path, "transformer" if size.id.startswith("flux2-klein") else "", {}, "GGUF")
    header = read_header(path)
    part, pieces = pieces_of(header)
    if "time_guidance_embed.guidance_embedder.linear_1.weight" in pieces:
        part = ""  # FLUX.2 dev, whose text encoder is another one
    return File(path, part, pieces, _small(header))


def _small(header: Header) -> str:
    kinds = {t.dtype for t in header.tensors if t.name.endswith(".weight") and len(t.shape) == 2} - _WHOLE
    if kinds & {"U8", "F4"}:
        return "nvfp4"
    if any(kind.startswith("F8") for kind in kinds):
        return "fp8"
    return ", ".join(sorted(kinds)).lower().replace("i8", "int8")


def models_folder(path: Path) -> Path | None:
    """ComfyUI's ``models``, by ComfyUI's folder, by ``models`` itself or by a file below it; None if none."""
    if path.is_file():
        names = {name for some in FOLDERS.values() for name in some}
        above = [*path.parents, *path.absolute().parents]  # as it was typed, if that tells enough
        return next((folder.parent for folder in above if folder.name in names), None)
    return next((one for one in (path, path / "models") if any(_folders(one, "transformer"))), None)


def _folders(models: Path, part: str) -> Iterator[Path]:
    return (folder for name in FOLDERS[part] if (folder := models / name).is_dir())


def files_of(models: Path, part: str) -> tuple[list[File], list[AdapterError]]:
    """The files of one part, also those that are of no use; and what could not be read."""
    found, broken = [], []
    for folder in _folders(models, part):
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in FILES and path.is_file():
                try:
                    file = look_at(path)
                except AdapterError as error:
                    broken.append(error)
                    continue
                found += [file] if file.part == part else []
    return found, broken


def choose(asked: str, option: str) -> dict[str, File]:
    """The three files that ``--base`` means: a folder, one file, or several with a comma between them.

    Raises:
        UsageError: several would do; the remedy says how to choose.
        AdapterError: a file cannot be read.
        AlbumkitError: a part is not there, or only in smaller numbers; the remedy is what fetches it.
    """
    paths = [Path(asked)] if Path(asked).exists() else [Path(one.strip()) for one in asked.split(",")]
    chosen: dict[str, File] = {}
    for path in paths:
        if path.is_dir():
            continue
        if not path.is_file():
            raise UsageError(f"{option} {path.as_posix()}: there is no such file.", forms(option))
        file = look_at(path)
        if not file.part:
            words = f"it holds {_stranger(file)}, no part of a FLUX.2 klein"
            raise UsageError(f"{option} {path.as_posix()}: {words}.", forms(option))
        if file.part in chosen:
            raise UsageError(f"{option}: {path.as_posix()} is a second {TITLES[file.part]}.")
        chosen[file.part] = _whole(file, chosen)
    models = next((found for path in paths if (found := models_folder(path)) is not None), None)
    for part in FOLDERS:
        if part not in chosen:
            chosen[part] = _only(models, part, chosen, asked, option)
        elif not _fits(chosen[part], chosen):
            one, other = chosen[part].path.as_posix(), chosen["transformer"].path.as_posix()
            raise UsageError(f"{option}: the {TITLES[part]} {one} does not belong to {other}.")
    return chosen


def _only(models: Path | None, part: str, chosen: Mapping[str, File], asked: str, option: str) -> File:
    """The one file of a folder that fits what was chosen already."""
    if models is None:
        raise UsageError(
            f"{option} {asked}: its {TITLES[part]} is needed, too, and it lies in no models folder.",
            f"{option} TRANSFORMER.safetensors,TEXT_ENCODER.safetensors,AUTOENCODER.safetensors",
        )
    files, broken = files_of(models, part)
    fitting = [file for file in files if _fits(file, chosen)]
    usable = [file for file in fitting if not file.small]
    if len(usable) == 1:
        return usable[0]
    if usable:
        named = ", ".join(file.path.relative_to(models).as_posix() for file in usable)
        given = [file.path.as_posix() for file in chosen.values()]
        raise UsageError(
            f"{option} {asked}: there are {len(usable)} {TITLES[part]}s to choose from: {named}.",
            f"{option} {','.join([*given, usable[0].path.as_posix()])}   or another of them",
        )
    if fitting:
        _whole(fitting[0], chosen)
    where = " or ".join(name for name in FOLDERS[part])
    words = f"{models.as_posix()}: there is no {TITLES[part]} of a FLUX.2 klein in {where}"
    more = f"; {broken[0].message}" if broken else "."
    raise AlbumkitError(words + more, fetch_of(part, chosen, None, models))


def _fits(file: File, chosen: Mapping[str, File]) -> bool:
    """Whether a text encoder or an autoencoder belongs to the transformer."""
    if file.part == "transformer" or "transformer" not in chosen:
        return True
    if not file.pieces:
        return False
    wanted = config_of("transformer", chosen["transformer"].shapes)
    config = config_of(file.part, file.shapes)
    if file.part == "vae":
        return bool(4 * config["latent_channels"] == wanted["in_channels"])
    fits = 3 * config["hidden_size"] == wanted["joint_attention_dim"]
    return bool(fits and config["num_hidden_layers"] >= TEXT_LAYERS[-1] and not _strangers(file))


def _strangers(file: File) -> bool:
    """Whether a text encoder can see pictures, too: Qwen3-VL is not what klein was trained with."""
    return any(not name.startswith(("embed_tokens.", "layers.", "norm.")) for name in file.pieces)


def _whole(file: File, chosen: Mapping[str, File]) -> File:
    """The file, if its numbers can be trained on."""
    if not file.small:
        return file
    raise AlbumkitError(
        f"{file.path.as_posix()} holds {file.small} numbers, and training needs bf16 ones.",
        fetch_of(file.part, chosen, file, models_folder(file.path)),
    )


def fetch_of(part: str, chosen: Mapping[str, File], file: File | None, models: Path | None) -> str:
    """The command that fetches a part into its folder.

    Args:
        file: One that is there and of no use, whose name tells what is wanted.
    """
    folder = (models / FOLDERS[part][0]).as_posix() if models else f"models/{FOLDERS[part][0]}"
    if part == "vae":
        source: tuple[str, str] | None = _AUTOENCODER
    elif part == "text_encoder":
        width = config_of("transformer", chosen["transformer"].shapes)["joint_attention_dim"] if chosen else 0
        source = _ENCODERS.get(width)
    else:
        known = bases.find_base(file.path.name) if file else None
        named = (known.train_on or known.id) if known else "flux2-klein-4b"
        base = bases.base_of_family(named)
        name = base.hub if base and base.hub else ""
        source = (name, f"{name.rpartition('/')[2].lower().replace('.', '-')}.safetensors")
    if source is None:
        return f"put the one that belongs to it into {folder}"
    return hub.fetch_line(*source, f"--local-dir {folder}")


def _stranger(file: File) -> str:
    """What a file holds instead."""
    try:
        return read_size(file.path).title
    except AdapterError:
        return "something else"


def usual_folders() -> list[Path]:
    """Folders of ComfyUI that are where people put it, or where ``COMFYUI_PATH`` says."""
    home = Path.home()
    places = [Path("ComfyUI"), home / "ComfyUI", home / "comfy" / "ComfyUI", home / "Documents" / "ComfyUI"]
    if own := os.environ.get("COMFYUI_PATH"):
        places.insert(0, Path(own))
    return [found for place in places if (found := models_folder(place)) is not None]
