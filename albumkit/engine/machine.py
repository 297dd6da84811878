"""What this machine computes with: the device, the numbers it counts in, and letting memory go."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from albumkit.errors import AlbumkitError, MissingExtra

if TYPE_CHECKING:
    import torch

_NEEDED = ("torch", "diffusers", "transformers", "peft", "accelerate", "safetensors")


@dataclass(frozen=True)
class Machine:
    """``dtype`` is what the frozen base is kept and multiplied in; the adapter itself always trains in
    fp32.
    """

    device: torch.device
    dtype: torch.dtype

    @property
    def dtype_name(self) -> str:
        return str(self.dtype).removeprefix("torch.")

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        """Multiplies in ``dtype`` where parameters of two kinds meet; does nothing in fp32."""
        import torch

        if self.dtype == torch.float32:
            yield
        else:
            with torch.autocast(self.device.type, dtype=self.dtype):
                yield

    def free(self) -> None:
        """Give back what nothing refers to any more."""
        import torch

        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def room(self) -> int | None:
        """Free bytes on the card; None where the memory is the computer's own."""
        import torch

        return torch.cuda.mem_get_info(self.device)[0] if self.device.type == "cuda" else None

    def forget_peak(self) -> None:
        """Count :meth:`peak` from now on."""
        import torch

        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak(self) -> int | None:
        """The most bytes that tensors took on the card so far; None without a card."""
        import torch

        return torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None


def need_libraries(purpose: str) -> None:
    """Whether the extra ``train`` is installed.

    Raises:
        MissingExtra: it is not; the remedy is the install line.
    """
    for package in _NEEDED:
        if find_spec(package) is None:
            raise MissingExtra(package, "train", purpose)


def share_processor() -> None:
    """Let torch's threads sleep while they wait for each other, which counts only before torch is loaded.

    By default they spin: beside other busy programs on two cores, a step of pocket took 13 s with two threads
    spinning and 1.6 s with two sleeping.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def find_machine(nvidia: bool = False) -> Machine:
    """bf16 on an NVIDIA card, fp32 elsewhere (bf16 on a CPU is slower, on Apple's GPU less exact).

    Args:
        nvidia: The driver of an NVIDIA card answers.

    Raises:
        AlbumkitError: the card is there, but torch was installed without CUDA: hours on the CPU would follow.
    """
    import torch

    if torch.cuda.is_available():
        _compute_alike()
        return Machine(torch.device("cuda", torch.cuda.current_device()), torch.bfloat16)
    if nvidia and torch.version.cuda is None:
        raise AlbumkitError(
            f"An NVIDIA card is there, but torch {torch.__version__} was installed without CUDA.",
            "pip install --upgrade --force-reinstall torch --index-url https://download.pytorch.org/whl/cu128",
        )
    if torch.backends.mps.is_available():
        return Machine(torch.device("mps"), torch.float32)
    return Machine(torch.device("cpu"), torch.float32)


def _compute_alike() -> None:
    """Ask CUDA for sums in a fixed order: otherwise a resumed run drifts from the one that it continues."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what the libraries print about themselves while they load."""
    import logging
    import warnings

    # Captions need no diffusers.
    names = [name for name in ("diffusers", "transformers") if find_spec(name) is not None]
    logs = [import_module(name).logging for name in names]
    before = [(log, log.get_verbosity(), _has_bars(log)) for log in logs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for log in logs:
            log.set_verbosity(logging.ERROR)
            log.disable_progress_bar()
        try:
            yield
        finally:
            for log, verbosity, bars in before:
                log.set_verbosity(verbosity)
                if bars:
                    log.enable_progress_bar()


def _has_bars(log: Any) -> bool:
    return hasattr(log, "is_progress_bar_enabled") and bool(log.is_progress_bar_enabled())
