"""Processors of ``transformers``: what makes tensors of words and pictures, and the packages they need."""

from __future__ import annotations

from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from albumkit.engine import hub
from albumkit.engine.machine import quiet
from albumkit.errors import CaptionerError


def check_torchvision() -> None:
    """Refuses a torchvision of another torch, which fails while it is imported and takes transformers with
    it: to be called before anything of transformers is imported. None at all is no fault yet.

    Raises:
        CaptionerError: the remedy is the install line.
    """
    if find_spec("torchvision") is None:
        return
    try:
        import_module("torchvision")
    except Exception as error:  # its compiled half raises nearly anything
        versions = f"torchvision {_version('torchvision')} does not match torch {_version('torch')}"
        raise CaptionerError(f"{versions}.", torchvision_line()) from error


def load(folder: Path, asked: str) -> Any:
    """The processor of a model.

    Args:
        asked: How the model was named.

    Raises:
        CaptionerError: a package or a file is missing; the remedy is the line that brings it.
    """
    from transformers import AutoProcessor

    try:
        with quiet():
            return AutoProcessor.from_pretrained(folder, local_files_only=True)
    except ImportError as error:
        raise _missing(asked, str(error)) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CaptionerError(
            f"{asked}: its processor could not be loaded: {lines[0]}", hub.fetch_line(asked)
        ) from error


def chats(processor: Any) -> bool:
    """Whether it knows the form of a conversation."""
    return bool(
        getattr(processor, "chat_template", None)
        or getattr(getattr(processor, "tokenizer", None), "chat_template", None)
    )


def torchvision_line() -> str:
    """Installs the torchvision that was built for the installed torch, and leaves torch alone.

    torchvision 0.N+15 belongs to torch 2.N, patch by patch (github.com/pytorch/vision, "Installation"); a
    build without CUDA, or for one version of it, lies in an index of its own.
    """
    try:
        torch = Version(metadata.version("torch"))
    except (metadata.PackageNotFoundError, InvalidVersion):
        return 'pip install "albumkit[caption]"'
    index = f" --index-url https://download.pytorch.org/whl/{torch.local}" if torch.local else ""
    return f'pip install "torchvision==0.{torch.minor + 15}.{torch.micro}"{index}'


def _missing(asked: str, words: str) -> CaptionerError:
    """By the words of transformers, which name the package that a processor wants."""
    lowered = words.lower()
    if "torchvision" in lowered:
        return CaptionerError(f"The processor of {asked} needs torchvision.", torchvision_line())
    if "num2words" in lowered:
        return CaptionerError(f"The processor of {asked} needs num2words.", "pip install num2words")
    first = (words.strip().splitlines() or ["a package is missing"])[0]
    return CaptionerError(f"The processor of {asked}: {first}", 'pip install "albumkit[caption]"')


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(of unknown version)"
