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

#: What puts a torch that can use an NVIDIA card in the place of one that cannot.
TORCH_WITH_CUDA = "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu128"
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

    def compute_alike(self, deterministic: bool = True) -> None:
        """Ask CUDA for sums in a fixed order, or let it be as quick as it can: then a run that is repeated,
        or goes on from a checkpoint, drifts from the first one. ``warn_only`` would not do: attention keeps
        its way back without order, and only says so.
        """
        import torch

        if self.device.type == "cuda":
            torch.use_deterministic_algorithms(deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = False

    def free(self) -> None:
        """Give back what nothing refers to any more."""
        import torch

        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def wait(self) -> None:
        """Until the card has done what it was told."""
        import torch

        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def room(self) -> int | None:
        """Bytes that can still be taken of the card; None where the memory is the computer's own."""
        return card_room(self.device) if self.device.type == "cuda" else None

    def forget_peak(self) -> None:
        """Count :meth:`peak` from now on."""
        import torch

        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak(self) -> int | None:
        """The most bytes that tensors took on the card so far; None without a card."""
        import torch

        return torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None


def card_room(device: torch.device | None = None) -> int:
    """Bytes that can still be taken of an NVIDIA card: what is free, and no more than this process may have
    (``torch.cuda.set_per_process_memory_fraction``).
    """
    import torch

    free, total = torch.cuda.mem_get_info(device)
    allowed = int(total * torch.cuda.get_per_process_memory_fraction(device))
    return int(min(free, allowed - torch.cuda.memory_reserved(device)))


@contextlib.contextmanager
def enough_memory(base: str) -> Iterator[None]:
    """A card that is too small for a picture becomes an error with what helps."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise AlbumkitError(
            f"{base}: the memory of the graphics card is not enough.",
            "close what else uses it, or take a smaller --size",
        ) from error


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

    By default they spin, and beside other busy programs a step of pocket takes forty times as long
    (``benchmarks/threads.py``).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def find_machine(nvidia: bool = False) -> Machine:
    """bf16 on an NVIDIA card, fp32 elsewhere (bf16 on a CPU is slower, on Apple's GPU less exact).

    Args:
        nvidia: The driver of an NVIDIA card answers.

    Raises:
        AlbumkitError: the card is there, but torch cannot use it: hours on the CPU would follow. Nothing is
            raised where the card is hidden (``CUDA_VISIBLE_DEVICES``): somebody wants the CPU.
    """
    import torch

    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the card is first used
        return Machine(torch.device("cuda", torch.cuda.current_device()), torch.bfloat16)
    if nvidia and "CUDA_VISIBLE_DEVICES" not in os.environ:
        raise _unused_card()
    if torch.backends.mps.is_available():
        return Machine(torch.device("mps"), torch.float32)
    return Machine(torch.device("cpu"), torch.float32)


def _unused_card() -> AlbumkitError:
    import torch

    processor = "set CUDA_VISIBLE_DEVICES=-1 to train on the processor"
    if torch.version.cuda is None:
        return AlbumkitError(
            f"An NVIDIA card is there, but torch {torch.__version__} was installed without CUDA.",
            f"{TORCH_WITH_CUDA}\n{processor}",
        )
    return AlbumkitError(
        f"An NVIDIA card is there, but torch {torch.__version__} cannot use it: it was built for CUDA "
        f"{torch.version.cuda}, for which the driver may be too old.",
        f"update the driver of the card\n{processor}",
    )


def beginning(error: BaseException) -> str:
    """What a library raised, in a line: PyTorch lists every layer that misfits, the first will do."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:300].rstrip(".") or type(error).__name__


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
            log.set_verbosity(logging.CRITICAL)  # an error that counts is raised, too
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
