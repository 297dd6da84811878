"""Predictions against what was measured: every cell of the matrices of FLUX.2 and FLUX.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from adapters import COLUMNS, TINY, make

from albumkit.adapter import Size, find_size, open_adapter
from albumkit.adapter.predict import Prediction, predict

MATRIX = json.loads((Path(__file__).parent / "data" / "lora_matrix.json").read_text(encoding="utf-8"))
SIZES = {"flux2": TINY, "flux1": find_size("flux1-dev")}
CELLS = [
    pytest.param(
        architecture,
        row,
        column,
        runtime,
        row[runtime][column],
        id=f"{architecture}-{row['scheme']}-{column}-{runtime}",
    )
    for architecture in SIZES
    for row in MATRIX[architecture]
    for runtime in ("comfy", "diffusers")
    for column in COLUMNS
    if row[runtime][column] is not None
]


def shown(found: Prediction, wanted: str) -> str:
    """A prediction in the words of a cell, as exact as the cell is."""
    words: list[str] = [found.result]
    if "/" in wanted:
        words.append(f"{len(found.loaded)}/{found.total}")
    if found.error and wanted != "error":
        words.append(found.error)
    return " ".join(words + [fault.code for fault in found.faults])


@pytest.mark.parametrize(("architecture", "row", "column", "runtime", "wanted"), CELLS)
def test_a_cell_is_predicted(architecture, row, column, runtime, wanted, tmp_path):
    size, into = of_row(row, SIZES[architecture])
    adapter = open_adapter(make(tmp_path / "a.safetensors", size, row["file"], COLUMNS[column]))
    assert shown(predict(adapter, runtime, size=into), wanted) == wanted


def of_row(row: dict[str, Any], usual: Size) -> tuple[Size, Size]:
    """The model that a row's file is made for, and the one that it is loaded into."""
    file = row["file"]
    if "made_for" in file:
        return find_size(file["made_for"]), find_size(file["into"])
    return usual, usual
