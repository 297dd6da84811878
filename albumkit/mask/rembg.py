"""Masks by rembg: any of its models that runs on this machine and finds the subject by itself.

Only rembg's sessions are imported. The rest of it is for cut-outs: it loads pymatting, which compiles itself
for most of a minute at its first use on a machine, and again after every upgrade of numba.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image

from albumkit.errors import AlbumkitError, MissingExtra, UnknownName
from albumkit.paths import from_home

#: U-2-Net, free (Apache-2.0) and the quickest of those that are exact enough: a trainer reduces a mask to its
#: latent grid, 64 x 64 for 1024 pixels, and this one answers in 320 x 320.
DEFAULT = "u2net"
#: Models of rembg that do something else: sam wants to be told where, the cloth model finds clothes.
_OTHERS = frozenset({"sam", "u2net_cloth_seg"})
#: Providers of onnxruntime that are tried before the processor, the quickest first. TensorRT compiles for
#: minutes, CoreML rounds to 16 bits.
_PROVIDERS = (
    "CUDAExecutionProvider",
    "MIGraphXExecutionProvider",
    "ROCMExecutionProvider",
    "DmlExecutionProvider",
    "OpenVINOExecutionProvider",
)
#: What its models look at where the network itself does not say.
_USUAL_SIDE = 1024


def open_rembg(model: str = DEFAULT, tell: Callable[[str], None] = lambda _: None) -> RembgMasker:
    """Load one model; fetched first where it is not there and fetching is not switched off.

    Args:
        tell: Called with a line before each thing that takes a while.

    Raises:
        MissingExtra: rembg or onnxruntime is not installed.
        UnknownName: no such model, or none that can mask by itself.
        AlbumkitError: its file is not there and cannot be fetched, or cannot be loaded.
    """
    _import_rembg()
    sessions = importlib.import_module("rembg.sessions").sessions
    offered = {name: kind for name, kind in sessions.items() if _is_offered(name, kind)}
    if model not in offered:
        raise UnknownName("masking model", model, offered, f"rembg offers: {', '.join(sorted(offered))}")
    file = _model_file(model, offered[model], tell)
    tell(f"loading {model}, {file.stat().st_size / 1e6:.0f} MB")
    return RembgMasker(model, file)


class RembgMasker:
    """One session of rembg. It answers one picture after the other, with all of the processor's cores."""

    def __init__(self, model: str, file: Path) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)  # errors; fallbacks are told by rembg's warning below
        options = onnxruntime.SessionOptions()
        # Threads that wait for work by spinning would take the cores from those that decode and encode.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        there = onnxruntime.get_available_providers()
        providers = [name for name in _PROVIDERS if name in there] + ["CPUExecutionProvider"]
        new_session = importlib.import_module("rembg.session_factory").new_session
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self._session = new_session(model, sess_opts=options, providers=providers)
            except Exception as error:  # onnxruntime's own kinds, none of them public
                raise AlbumkitError(
                    f"{from_home(file)} cannot be loaded: {_first_line(error)}",
                    "If the file is damaged, take it away: it is fetched again.",
                ) from error
        self.name = model
        self.identity = f"rembg {model} {file.stat().st_size}"
        self.notes = tuple(_first_line(w.message) for w in caught if w.category is RuntimeWarning)
        self.side = _side_of(self._session.inner_session.get_inputs()[0].shape)
        self._turn = threading.Lock()

    def find(self, picture: Image.Image) -> Image.Image:
        import numpy

        small = picture.resize((self.side, self.side), Image.Resampling.LANCZOS)
        try:
            with self._turn, numpy.errstate(all="ignore"):  # rembg divides by zero for a blank answer
                (mask,) = self._session.predict(small)
        except Exception as error:  # out of memory on the card, and whatever else onnxruntime raises
            raise AlbumkitError(f"{self.name} failed: {_first_line(error)}") from error
        grey: Image.Image = mask.convert("L")
        return grey


def _import_rembg() -> None:
    """Import rembg without what it loads for cut-outs; ``rembg.remove`` still works for whoever wants it."""
    if "rembg" in sys.modules:
        return
    name = "rembg.bg"

    def remove(*args: Any, **options: Any) -> Any:
        return importlib.import_module(name).remove(*args, **options)

    stand_in = ModuleType(name)
    stand_in.remove = remove  # type: ignore[attr-defined]
    sys.modules[name] = stand_in
    try:
        importlib.import_module("rembg")
    except ImportError as error:
        raise MissingExtra((error.name or "rembg").partition(".")[0], "mask", "albumkit mask") from error
    finally:
        del sys.modules[name]


def _is_offered(name: str, kind: Any) -> bool:
    """Whether a model runs here (some are services that pictures are sent to) and asks for nothing more."""
    here = kind.is_local() and not kind.requires_credentials()
    return here and name not in _OTHERS and not name.endswith("_custom")


def _model_file(model: str, kind: Any, tell: Callable[[str], None]) -> Path:
    """Where the model's weights lie.

    Raises:
        AlbumkitError: nowhere, and they cannot be fetched.
    """
    there = kind.resolve_existing(f"{model}.onnx")
    if there is not None:
        return Path(there)
    url, checksum = _source_of(kind)
    place = Path(kind.model_dir()) / f"{model}.onnx"
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        reason = "HF_HUB_OFFLINE says that nothing is to be fetched"
    else:
        tell(f"fetching {model} from {url} (once)")
        try:
            return Path(kind.download_models())
        except Exception as error:  # of requests, urllib3, pooch, and for fp16 of onnx
            reason = _first_line(error)
    raise AlbumkitError(
        f"The weights of {model} are not on this machine: {reason}.",
        f"Put {url or f'{model}.onnx'}{checksum} at {from_home(place)}. "
        "U2NET_HOME or REMBG_HOME names another folder than ~/.rembg; models of older rembgs in ~/.u2net are "
        "found too.",
    )


class _Asked(Exception):
    """No error: carries what a session would fetch."""


def _source_of(kind: Any) -> tuple[str, str]:
    """(address, " (md5 ...)") of a model's weights: what its session would fetch, asked without fetching."""
    import pooch

    def ask(url: str, known_hash: str | None = None, *_: Any, **__: Any) -> str:
        raise _Asked(url, f" ({known_hash.replace(':', ' ')})" if known_hash else "")

    real, pooch.retrieve = pooch.retrieve, ask
    try:
        kind.download_models()
    except _Asked as asked:
        return asked.args[0], asked.args[1]
    except Exception:  # it wants something else first, and says so when it is really asked
        return "", ""
    finally:
        pooch.retrieve = real
    return "", ""


def _side_of(shape: Any) -> int:
    """The side of the square that a network looks at, of its input's shape (batch, 3, height, width)."""
    sides = [side for side in shape[2:] if isinstance(side, int)]
    return max(sides, default=_USUAL_SIDE)


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
