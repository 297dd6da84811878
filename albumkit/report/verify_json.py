"""albumkit-verify/1: what verify found, for other programs. Keys may be added, never removed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from albumkit import __version__
from albumkit.adapter import Adapter, Module, Size
from albumkit.adapter.predict import Prediction
from albumkit.report.verify import answer, states_of

if TYPE_CHECKING:
    from albumkit.engine.effect import Effect
    from albumkit.verifying import Verified, VerifyReport


def verify_document(report: VerifyReport) -> dict[str, Any]:
    """Every file with its modules, what each program does with it, and the findings."""
    return {
        "schema": "albumkit-verify/1",
        "version": __version__,
        "files": [_file(file) for file in report.files],
    }


def _file(file: Verified) -> dict[str, Any]:
    adapter = file.adapter
    return {
        "path": file.path,
        "answer": answer(file),
        "ok": not file.fails,
        "asked_for": list(file.asked.runtimes),
        "asked_by": file.asked.by or None,
        "error": file.error.message if file.error else None,
        "remedy": file.error.remedy if file.error else "",
        "base": file.base.id if file.base else None,
        "trigger": file.trigger or None,
        **_content(file, adapter),
        "runtimes": {found.runtime: _runtime(found) for found in file.predictions},
        "findings": [],
        "effect": _effect(file, file.effect) if file.effect else None,
    }


def _content(file: Verified, adapter: Adapter | None) -> dict[str, Any]:
    if adapter is None or file.error is not None:
        names = ("scheme", "architecture", "model", "kind", "rank", "alpha")
        return {**dict.fromkeys(names), "modules": [], "leftovers": []}
    states = states_of(file)
    alphas = Counter(_alpha(adapter, module) for module in adapter.modules)
    return {
        "scheme": adapter.scheme.id,
        "architecture": adapter.architecture.id if adapter.architecture else _other(adapter),
        "model": _model(adapter.size),
        "kind": adapter.kind,
        "rank": adapter.rank or None,
        "alpha": alphas.most_common(1)[0][0] if alphas else None,
        "modules": [
            {
                "name": module.name,
                "rank": module.rank or None,
                "alpha": _alpha(adapter, module),
                "scale": adapter.scale(module),
                "state": states.get(module.name, "good"),
            }
            for module in adapter.modules
        ],
        "leftovers": list(adapter.leftovers),
    }


def _alpha(adapter: Adapter, module: Module) -> float | None:
    """The alpha that the writer meant: the module's own, else that of the header."""
    if module.alpha is not None:
        return module.alpha
    return adapter.scale(module) * module.rank if adapter.peft and module.kind == "lora" else None


def _model(size: Size | None) -> dict[str, Any] | None:
    if size is None:
        return None
    return {"id": size.id if size.known else None, "title": size.title}


def _other(adapter: Adapter) -> str | None:
    return adapter.other.id if adapter.other else None


def _effect(file: Verified, effect: Effect) -> dict[str, Any]:
    return {
        "base": effect.base,
        "pipeline": effect.pipeline,
        "device": effect.device,
        "dtype": effect.dtype,
        "prompt": effect.prompt,
        "seed": effect.look.seed,
        "ok": effect.ok,
        "received": effect.received,
        "expected": effect.expected,
        "change": effect.change,
        "levels": effect.levels,
        "picture": file.picture or None,
        "error": effect.error or None,
    }


def _runtime(found: Prediction) -> dict[str, Any]:
    return {
        "result": found.result,
        "ok": found.ok,
        "version": found.version or None,
        "loaded": len(found.loaded),
        "dropped": [dropped.module for dropped in found.dropped],
        "faults": [
            {"fault": fault.code, "words": fault.words, "modules": list(fault.modules)}
            for fault in found.faults
        ],
        "error": found.error or None,
        "why": found.why,
        "since": found.since,
        "remedy": found.remedy,
    }
