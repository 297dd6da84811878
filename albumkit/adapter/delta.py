"""What one module adds to the weight of the model, as factors or row by row."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from albumkit.adapter.model import Adapter, Module
from albumkit.adapter.words import read_raw, to_floats
from albumkit.errors import AdapterError


@dataclass(frozen=True, slots=True)
class Delta:
    """``scale`` times a product; ``shape`` is (out, in), that of the weight it is added to.

    A LoRA is ``left`` (out, r) times ``right`` (r, in), matrix times matrix. A LoKr is ``left`` (a, b) with
    every element replaced by itself times ``right`` (c, d); out = a*c, in = b*d. Both lie row after row in
    arrays of floats ("f"; "d" for F64), which ``numpy.frombuffer`` and ``torch.frombuffer`` take as they are.

    Attributes:
        product: ``matrix`` for a LoRA, ``kronecker`` for a LoKr.
        left, right: The two factors.
        columns: Of ``left`` and of ``right``: (r, in) for a LoRA, (b, d) for a LoKr.
    """

    shape: tuple[int, int]
    scale: float
    product: str
    left: array[float]
    right: array[float]
    columns: tuple[int, int]

    def row(self, index: int) -> array[float]:
        """One row of the change, ``in`` numbers ("d"). Some ``in`` * r multiplications in plain Python: for a
        look at a few rows, and for tests.
        """
        left_columns, right_columns = self.columns
        if self.product == "kronecker":
            rows = len(self.right) // right_columns
            outer = self._line(self.left, index // rows, left_columns)
            inner = self._line(self.right, index % rows, right_columns)
            return array("d", [self.scale * a * b for a in outer for b in inner])
        total = [0.0] * self.shape[1]
        for k, weight in enumerate(self._line(self.left, index, left_columns)):
            line = self._line(self.right, k, right_columns)
            total = [t + weight * x for t, x in zip(total, line, strict=True)]
        return array("d", [self.scale * t for t in total])

    def rows(self) -> Iterator[array[float]]:
        """Every row in turn."""
        return map(self.row, range(self.shape[0]))

    @staticmethod
    def _line(numbers: array[float], index: int, columns: int) -> array[float]:
        return numbers[index * columns : (index + 1) * columns]


def read_delta(adapter: Adapter, module: Module) -> Delta:
    """Read the factors of a module; see :meth:`albumkit.adapter.Adapter.delta`."""
    if module.magnitude:
        raise AdapterError(
            adapter.path, f"{module.name} is a DoRA: its change depends on the weights of the base."
        )
    if module.kind == "loha":
        raise AdapterError(adapter.path, f"{module.name} is a LoHa, which is only recognised.")
    with open(adapter.path, "rb") as stream:
        held = {
            role: to_floats(read_raw(stream, adapter.path, tensor), tensor.dtype)
            for role, tensor in module.tensors.items()
            if role not in ("alpha", "magnitude")
        }
    if module.kind == "lora":
        return Delta(
            module.shape,
            adapter.scale(module),
            "matrix",
            held["up"],
            held["down"],
            (module.rank, module.shape[1]),
        )
    left, left_columns = _whole(module, held, "lokr_w1")
    right, right_columns = _whole(module, held, "lokr_w2")
    return Delta(module.shape, adapter.scale(module), "kronecker", left, right, (left_columns, right_columns))


def _whole(module: Module, held: Mapping[str, array[float]], role: str) -> tuple[array[float], int]:
    """A factor of a LoKr and its columns; multiplied out where it is stored as a product of two."""
    if role in held:
        return held[role], module.tensors[role].shape[1]
    rows, rank = module.tensors[f"{role}_a"].shape
    columns = module.tensors[f"{role}_b"].shape[1]
    product = Delta((rows, columns), 1.0, "matrix", held[f"{role}_a"], held[f"{role}_b"], (rank, columns))
    return array("f", [x for row in product.rows() for x in row]), columns
