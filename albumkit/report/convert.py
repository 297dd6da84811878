"""What convert did, for a person and for other programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.text import Text

from albumkit.adapter import Conversion
from albumkit.adapter.predict import TITLES, Prediction, best_form
from albumkit.report.text import file_size, many, wrapped

#: What was done to modules, in words; the rest only got another name.
_DONE = {
    "split": "{} split into {}",
    "unfused": "{} taken apart into {}: they were block-diagonal",
    "shared": "{} fused from {}, which had one lora_A",
    "fused": "{} fused from {} block-diagonally: the rank is their sum",
    "swapped": "{} with the halves of its rows swapped",
    "folded": "scale of {} multiplied into lora_A",
    "unfolded": "scale of {} taken out of lora_A again: it is the alpha",
}


def convert_lines(conversion: Conversion, predictions: Iterable[Prediction], width: int = 80) -> list[Text]:
    """What the new file is, what was done for it, and what each program makes of it."""
    width = max(40, min(width, 100))
    source = conversion.source
    lines = [
        Text.assemble((conversion.path.as_posix(), "bold cyan"), f"   {file_size(conversion.size)}"),
        *wrapped(f"from {source.path.as_posix()}: {_form(conversion)}", width, "  "),
        *wrapped(", ".join(_facts(conversion)), width, "  "),
    ]
    for words in _done(conversion):
        lines += wrapped(words, width, "  ")
    lines.append(Text())
    warnings = []
    for prediction in predictions:
        title = TITLES[prediction.runtime]
        if prediction.ok:
            since = f" >= {prediction.since}" if prediction.since else ""
            lines += wrapped(f"{title}{since} loads all of it{_ranks(conversion, prediction)}", width, "  ")
        elif prediction.result != "unknown":
            warnings.append((f"{title} {_trouble(prediction)}", _other(conversion, prediction)))
    for words, form in warnings:
        first, *rest = wrapped(words, width, " " * 9)
        lines += [Text.assemble(("warning", "yellow"), first.plain[7:]), *rest]
        if form:
            lines.append(Text.assemble(("  do     ", "green"), f"albumkit convert ... --to {form}"))
    return lines


def convert_document(conversion: Conversion, predictions: Iterable[Prediction]) -> dict[str, Any]:
    """albumkit-converted/1: the new file, what was done, and what each program makes of it."""
    source = conversion.source
    return {
        "schema": "albumkit-converted/1",
        "source": source.path.as_posix(),
        "source_form": source.scheme.id,
        "path": conversion.path.as_posix(),
        "form": conversion.form.id,
        "architecture": source.architecture.id if source.architecture else None,
        "model": source.size.id if source.size else None,
        "size": conversion.size,
        "tensors": conversion.tensors,
        "modules": len(conversion.modules),
        "ranks": {str(rank): count for rank, count in sorted(_counted_ranks(conversion).items())},
        "done": dict(conversion.done),
        "rounded_tensors": len(conversion.rounded),
        "rounding_error": conversion.error,
        "keys_left_out": list(conversion.left_out),
        "texts_left_out": list(conversion.texts_left_out),
        "predictions": [_prediction(prediction) for prediction in predictions],
    }


def _form(conversion: Conversion) -> str:
    before, after = conversion.source.scheme.id, conversion.form.id
    return f"{before} became {after}" if before != after else f"it was {after} before"


def _facts(conversion: Conversion) -> list[str]:
    source = conversion.source
    model = source.size.title if source.size else "an unknown model"
    ranks = sorted(_counted_ranks(conversion))
    shown = f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {', '.join(map(str, ranks))}"
    kinds = source.kind if not ranks else shown
    return [model, many(len(conversion.modules), "modules"), kinds, " and ".join(source.dtypes)]


def _done(conversion: Conversion) -> list[str]:
    counts = [(text, conversion.done[key]) for key, text in _DONE.items()]
    table = conversion.source.architecture
    parts = "q, k, v (single blocks: and mlp)" if table and table.id == "flux1" else "q, k, v"
    words = [text.format(many(count, "modules"), parts) for text, count in counts if count]
    if conversion.done["folded"]:
        words.append(_exactness(conversion))
    if conversion.left_out:
        words.append(f"left out: {', '.join(conversion.left_out)}")
    if conversion.texts_left_out:
        texts = ", ".join(conversion.texts_left_out)
        words.append(f"left out of the header, checksums of the old bytes: {texts}")
    return words or ["every number stays as it is"]


def _exactness(conversion: Conversion) -> str:
    if not conversion.rounded:
        return "every number is exact"
    count = many(len(conversion.rounded), "tensors")
    return f"{count} rounded: off by {conversion.error:.2g} of their size (root mean square)"


def _ranks(conversion: Conversion, prediction: Prediction) -> str:
    """Versions of diffusers that cannot be used, and why."""
    ranks = sorted(_counted_ranks(conversion))
    if prediction.runtime != "diffusers" or len(ranks) == 1 or not prediction.since:
        return ""
    return "; older ones scale modules of another rank than the first one's wrongly"


def _trouble(prediction: Prediction) -> str:
    if prediction.result == "error":
        return f"raises {prediction.error}: {prediction.why}"
    if prediction.result == "full":
        fault = prediction.faults[0]
        return f"loads all, but not rightly: {fault.words} ({many(len(fault.modules), 'modules')})"
    if not prediction.loaded:
        return f"loads nothing: {prediction.why}"
    return f"loads {len(prediction.loaded)} of {many(prediction.total, 'modules')}: {prediction.why}"


def _other(conversion: Conversion, prediction: Prediction) -> str:
    """The form that this program would load."""
    form = best_form(conversion.source, prediction.runtime)
    return form if form != conversion.form.id else ""


def _counted_ranks(conversion: Conversion) -> Counter[int]:
    return Counter(rank for rank in conversion.modules.values() if rank)


def _prediction(prediction: Prediction) -> dict[str, Any]:
    return {
        "runtime": prediction.runtime,
        "version": prediction.version,
        "result": prediction.result,
        "since": prediction.since,
        "loaded": len(prediction.loaded),
        "dropped": [{"module": one.module, "why": one.why} for one in prediction.dropped],
        "faults": [{"code": fault.code, "modules": list(fault.modules)} for fault in prediction.faults],
        "error": prediction.error,
        "why": prediction.why,
    }
