"""Checkpoints: an adapter that can be tried at once, and apart from it what a run needs to go on.

``checkpoints/step-000250/`` holds ``TRIGGER-BASE-250.safetensors``, ``state.safetensors`` (the adapter as it
is trained, and the optimizer's two moments) and ``state.json``. The folder is filled under a hidden name, put
on the disk and then renamed: whenever the process is killed, every checkpoint that is seen is whole. No state
of a random generator is kept, since none has any: see :class:`albumkit.engine.data.Look`.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit.adapter import convert
from albumkit.atomic import sync_folder, write_whole
from albumkit.engine.lora import SLOT
from albumkit.errors import AlbumkitError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from albumkit.engine.knobs import Knobs
    from albumkit.engine.loop import Loop

_FOLDER = "checkpoints"
_NAME = re.compile(r"step-(\d{6,})")
_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Checkpoint:
    """One whole checkpoint."""

    folder: Path
    step: int
    adapter: Path


@dataclass(frozen=True)
class Label:
    """What an adapter's file says about itself. ``base`` is the short name in the file's name."""

    base: str
    texts: Mapping[str, str]

    def file_name(self, trigger: str, step: int) -> str:
        """``TRIGGER-BASE-STEP.safetensors``, fit for every file system."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", trigger).strip("-.") or "lora"
        return f"{plain}-{self.base}-{step}.safetensors"


def save(run: Path, loop: Loop, label: Label) -> Checkpoint:
    """Write the checkpoint of the step that the loop stands at, and forget the oldest beyond ``keep``."""
    knobs = loop.knobs
    final = run / _FOLDER / f"step-{loop.step:06d}"
    partial = final.with_name(f".{final.name}.partial")
    for left in (partial, final):  # of a killed process; or of a run that went on from an earlier step
        _forget(left)
    partial.mkdir(parents=True)
    name = label.file_name(knobs.trigger, loop.step)
    write_adapter(partial / name, loop.parameters, knobs, label.texts, loop.machine.dtype)
    write_whole(partial / "state.safetensors", _state(loop))
    document = {"schema": "albumkit-state/1", "step": loop.step, "adapter": name}
    write_whole(partial / "state.json", json.dumps(document, indent=2).encode())
    sync_folder(partial)
    partial.replace(final)
    sync_folder(final.parent)
    for old in all_checkpoints(run)[: -knobs.keep] if knobs.keep else ():
        _forget(old.folder)
    return Checkpoint(final, loop.step, final / name)


def all_checkpoints(run: Path) -> list[Checkpoint]:
    """The whole ones, oldest first."""
    found = []
    for folder in (run / _FOLDER).glob("step-*"):
        try:
            document = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if _NAME.fullmatch(folder.name):
            found.append(Checkpoint(folder, document["step"], folder / document["adapter"]))
    return sorted(found, key=lambda one: one.step)


def restore(checkpoint: Checkpoint, loop: Loop) -> None:
    """Put parameters and moments back into a loop that was made to stand at the checkpoint's step.

    Raises:
        AlbumkitError: it belongs to another adapter (rank, target or base).
    """
    import torch
    from safetensors.torch import load_file

    state = load_file(checkpoint.folder / "state.safetensors")
    wanted = {key: tuple(p.shape) for key, p in loop.parameters.items()}
    found = {key: tuple(t.shape) for key, t in state.items() if not key.startswith(_MOMENTS)}
    if wanted != found or checkpoint.step != loop.step:
        raise AlbumkitError(
            f"{checkpoint.folder.as_posix()} belongs to another adapter: rank, target or base differ.",
            "go on with the settings that the run began with",
        )
    with torch.no_grad():
        for name, parameter in loop.parameters.items():
            parameter.copy_(state[name])
            if f"exp_avg.{name}" in state:
                moments = {key: state[f"{key}.{name}"].to(parameter.device) for key in _MOMENTS}
                step = torch.tensor(float(checkpoint.step))
                loop.optimizer.state[parameter] = {"step": step, **moments}


def _state(loop: Loop) -> bytes:
    from safetensors.torch import save as to_bytes

    tensors = {name: p.detach().cpu().contiguous() for name, p in loop.parameters.items()}
    for name, parameter in loop.parameters.items():
        for key in _MOMENTS if parameter in loop.optimizer.state else ():
            tensors[f"{key}.{name}"] = loop.optimizer.state[parameter][key].cpu().contiguous()
    data: bytes = to_bytes(tensors)
    return data


def write_adapter(
    path: Path,
    parameters: Mapping[str, Tensor],
    knobs: Knobs,
    texts: Mapping[str, str],
    dtype: torch.dtype,
) -> None:
    """Write an adapter in ``output_lora_format``, in the numbers of its base.

    alpha / rank is multiplied into B (exact where it is a power of two, as 1 is), so that every program
    applies the same strength, whatever it knows of alphas.
    """
    from safetensors.torch import save as to_bytes

    scale = knobs.alpha / knobs.rank
    tensors = {}
    for name, parameter in parameters.items():
        values = parameter.detach().cpu()
        values = values * scale if ".lora_B." in name and scale != 1 else values
        tensors["transformer." + name.replace(f".{SLOT}.", ".")] = values.to(dtype).contiguous()
    data = _in_order(to_bytes(tensors, metadata={"format": "pt", **texts}))
    if knobs.output_lora_format == "diffusers":
        write_whole(path, data)
        return
    plain = path.with_name(f".{path.stem}.diffusers.safetensors")
    try:
        write_whole(plain, data)
        convert(plain, path, knobs.output_lora_format, force=True)
    finally:
        plain.unlink(missing_ok=True)


def _in_order(data: bytes) -> bytes:
    """A safetensors file whose header names its texts by the alphabet: the library takes another order each
    time, and the same training would give other bytes.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:end])
    entries["__metadata__"] = dict(sorted(entries["__metadata__"].items()))
    header = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[end:]


def read_adapter(path: Path, parameters: Mapping[str, Tensor]) -> None:
    """Put the numbers of a file that ``write_adapter`` wrote into an attached adapter, exactly; scale 1 is
    meant.

    Raises:
        AdapterError: the file is none, or for another model.
    """
    import tempfile

    from safetensors.torch import load_file

    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "adapter.safetensors"
        convert(path, plain, "diffusers")
        tensors = load_file(plain)
    import torch

    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors["transformer." + name.replace(f".{SLOT}.", ".")])


def _forget(folder: Path) -> None:
    """Remove a folder of ours; first what makes it count, so that no half of it is ever taken for whole."""
    if folder.is_dir():
        (folder / "state.json").unlink(missing_ok=True)
        shutil.rmtree(folder)


def header_texts(
    *,
    knobs: Knobs,
    base: Any,
    album_hash: str,
    captions: Mapping[str, int],
    version: str,
) -> dict[str, str]:
    """The texts of an adapter's header: provenance, the trigger, and what programs look for to suggest words.

    Args:
        base: A :class:`albumkit.engine.base.Base`.
        captions: Caption -> how many examples have it.
    """
    trigger = " ".join(word for word in (knobs.trigger, knobs.class_phrase) if word)
    settings = knobs.to_json()
    texts = {
        "albumkit": version,
        "albumkit_album_hash": album_hash,
        "albumkit_base": base.name,
        "albumkit_base_licence": base.licence,
        "albumkit_settings": json.dumps(settings, sort_keys=True),
        "ss_tag_frequency": json.dumps({"album": dict(sorted(captions.items()))}),
        "modelspec.title": f"{knobs.trigger or 'LoRA'} on {base.title}",
        "modelspec.architecture": f"{base.id}/lora",
    }
    if trigger:
        texts |= {"trained_words": json.dumps([trigger]), "modelspec.trigger_phrase": trigger}
    return texts
