"""What a program will do with an adapter: load it, load a part, do nothing without a word, or raise.

>>> predict(adapter, "diffusers").result             # doctest: +SKIP
'full'
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from packaging.version import InvalidVersion, Version

from albumkit.adapter.conversion import can_convert
from albumkit.adapter.loaders import comfy, fal, flux1, flux2
from albumkit.adapter.loaders.outcome import FAULTS, LoaderError, Outcome, shape_words
from albumkit.adapter.model import Adapter
from albumkit.adapter.naming import Architecture, Size, architecture, find_size
from albumkit.adapter.recognise import fits_size
from albumkit.adapter.schemes import read_stem
from albumkit.errors import UnknownName, UsageError
from albumkit.paths import quoted

Runtime = Literal["comfy", "diffusers", "fal"]
Result = Literal["full", "partial", "nothing", "error", "unknown"]
RUNTIMES: tuple[Runtime, ...] = ("comfy", "diffusers", "fal")
TITLES = {"comfy": "ComfyUI", "diffusers": "diffusers", "fal": "fal"}
#: The newest version of each that was read and run; newer ones are taken to be like it.
NEWEST = {"comfy": comfy.NEWEST, "diffusers": flux2.NEWEST, "fal": ""}

_DIFFUSERS: dict[str, Callable[[Adapter, Architecture, Size, Version], Outcome]] = {
    "flux1": flux1.send,
    "flux2": flux2.send,
}
_MILESTONES = {"comfy": comfy.MILESTONES, "diffusers": flux2.MILESTONES}


@dataclass(frozen=True, slots=True)
class Dropped:
    """A module without effect, and why."""

    module: str
    why: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What loads with other values than its writer meant. ``code`` is one of ``loaders.outcome.FAULTS``."""

    code: str
    modules: tuple[str, ...]

    @property
    def words(self) -> str:
        """What happens, in words."""
        return FAULTS[self.code]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one program does with one adapter.

    Attributes:
        runtime: ``comfy``, ``diffusers`` or ``fal``.
        version: The version that it is predicted for.
        size: The model that it is loaded into.
        result: ``full``, ``partial``, ``nothing``, ``error`` (it raises) or ``unknown`` (not measured).
        loaded: Names of modules that have an effect, a wrong one included.
        dropped: The others, each with the reason; none where it raises.
        faults: What loads with wrong values.
        error: Name of the exception that it raises; "".
        why: Why it is not loaded, in words; "" where all is loaded.
        since: The oldest version known to load it fully and rightly; "" when none does, or every one does.
        remedy: A command, or words, that make it load here; "" when nothing is to be done or nothing helps.
    """

    runtime: Runtime
    version: str
    size: Size | None
    result: Result
    loaded: tuple[str, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    faults: tuple[Fault, ...] = ()
    error: str = ""
    why: str = ""
    since: str = ""
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """All of it is loaded, with the values that were meant."""
        return self.result == "full" and not self.faults

    @property
    def silent(self) -> bool:
        """It goes wrong, and no exception tells."""
        return self.result in ("partial", "nothing") or bool(self.faults)

    @property
    def total(self) -> int:
        """Modules of the file."""
        return len(self.loaded) + len(self.dropped)


def predict(
    adapter: Adapter, runtime: Runtime, *, version: str | None = None, size: Size | str | None = None
) -> Prediction:
    """Predict what a program does with an adapter.

    Args:
        adapter: Opened.
        runtime: ``comfy``, ``diffusers`` or ``fal``.
        version: Of the program, such as ``0.38``; ``installed`` for the diffusers of this Python. By default
            the newest one known.
        size: The model that it is loaded into, a Size or its id; by default the one that it was made for.

    Raises:
        UnknownName: there is no such runtime or model.
        UsageError: the version is none, or diffusers is not installed.
    """
    if runtime not in RUNTIMES:
        raise UnknownName("runtime", runtime, RUNTIMES, f"Known are {', '.join(RUNTIMES)}.")
    model = find_size(size) if isinstance(size, str) else size or adapter.size
    if runtime == "fal" and version is not None:
        raise UsageError("fal's endpoints have no version to state.")
    number = _version(runtime, version)
    if model is None or adapter.architecture is None:
        title = adapter.other.title if adapter.other else "an unknown model"
        why = f"it is for {title}, for which albumkit has no table yet"
        return Prediction(runtime, number, model, "unknown", why=why)
    table = architecture(model.architecture)
    adapter = _as_seen_by(adapter, table)
    if runtime == "fal" and not fal.known(adapter, table):
        why = "fal's endpoints take what fal's own FLUX.2 trainers write; nobody outside measured other forms"
        return Prediction(runtime, number, model, "unknown", why=why, remedy=_remedy(adapter, runtime, model))
    found = _predict(adapter, runtime, number, model)
    since = _since(adapter, runtime, model)
    remedy = "" if found.ok else _remedy(adapter, runtime, model)
    if not found.ok and since and Version(since) > Version(number):
        remedy = f"use {TITLES[runtime]} {since} or newer"
    return replace(found, since=since, remedy=remedy)


def _version(runtime: Runtime, version: str | None) -> str:
    if version is None:
        return NEWEST[runtime]
    if version == "installed":
        try:
            return importlib.metadata.version("diffusers" if runtime == "diffusers" else runtime)
        except importlib.metadata.PackageNotFoundError as error:
            raise UsageError(f"{TITLES[runtime]} is not installed in this Python.") from error
    try:
        Version(version)
    except InvalidVersion as error:
        raise UsageError(f"{version} is no version.") from error
    return version


def _predict(adapter: Adapter, runtime: Runtime, version: str, size: Size) -> Prediction:
    table = architecture(size.architecture)
    try:
        if runtime == "comfy":
            outcome = comfy.send(adapter, table, size, Version(version))
        elif runtime == "diffusers":
            outcome = _DIFFUSERS[table.id](adapter, table, size, Version(version))
        else:
            outcome = fal.send(adapter, size)
    except LoaderError as error:
        return Prediction(runtime, version, size, "error", error=error.kind, why=error.words)
    loaded = tuple(m.name for m in adapter.modules if m.name in outcome.loaded)
    dropped = tuple(
        Dropped(m.name, outcome.dropped.get(m.name, ""))
        for m in adapter.modules
        if m.name not in outcome.loaded
    )
    faults = tuple(Fault(code, tuple(modules)) for code, modules in outcome.faults.items())
    result: Result = "full" if not dropped else "partial" if loaded else "nothing"
    why = dropped[0].why if dropped else faults[0].words if faults else ""
    return Prediction(runtime, version, size, result, loaded, dropped, faults, why=why)


def _as_seen_by(adapter: Adapter, table: Architecture) -> Adapter:
    """The adapter with its names read by the table of another architecture; some exist in both."""
    if adapter.architecture is table:
        return adapter
    spellings = {module.stem: read_stem(module.stem, table) for module in adapter.modules}
    modules = tuple(
        replace(m, place=found.place if (found := spellings[m.stem]) else None) for m in adapter.modules
    )
    return replace(adapter, architecture=table, modules=modules)


def _since(adapter: Adapter, runtime: Runtime, size: Size) -> str:
    """The oldest milestone from which on it loads fully and rightly."""
    since = ""
    for version in reversed(_MILESTONES.get(runtime, ())):
        if not _predict(adapter, runtime, version, size).ok:
            return since
        since = version
    return ""


def _remedy(adapter: Adapter, runtime: Runtime, size: Size) -> str:
    strangers = [module for module in adapter.modules if not fits_size(module, size)]
    if strangers:
        made_for = adapter.size.title if adapter.size else "its own model"
        return f"use it with {made_for}: {shape_words(strangers[0], size)}"
    if any(module.magnitude for module in adapter.modules):
        return "train it again without DoRA"
    path, form = adapter.path, best_form(adapter, runtime)
    out = path.with_name(f"{path.stem}_{form}.safetensors")
    call = f"albumkit convert {quoted(path.as_posix())} {quoted(out.as_posix())} --to {form}"
    if can_convert(adapter, form):
        return call
    if can_convert(adapter, form, lossy=True):
        return f"{call} --lossy"
    return "" if runtime == "fal" else "train it again as a plain LoRA"


def best_form(adapter: Adapter, runtime: Runtime) -> str:
    """The form to convert to, for one runtime: one that other runtimes load too, where there is one.

    FLUX.2: ``comfy`` loads everywhere but for the last adaLN, which diffusers takes rightly only under its
    own names; fal takes ``fal``. FLUX.1: ``diffusers`` loads in ComfyUI and in diffusers.
    """
    if adapter.architecture is not None and adapter.architecture.id == "flux1":
        return "diffusers"
    if runtime == "diffusers" and any(
        m.place is not None and m.place.linear.swapped for m in adapter.modules
    ):
        return "diffusers"
    return "fal" if runtime == "fal" else "comfy"
