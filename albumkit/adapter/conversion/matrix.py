"""Matrices that are still bytes of a file: cut, stacked and padded before a single number is read.

A factor of 100 MB is described by a few integers; :meth:`Source.chunks` brings its bytes an eighth of a
megabyte at a time. Rows lie one after the other (as in every safetensors file), so that some rows of a matrix
are one stretch of bytes, and some columns a stretch of each row.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import RawIOBase
from pathlib import Path

from albumkit.adapter.conversion.scaling import Rounding, scaled
from albumkit.adapter.header import DTYPE_BITS, Tensor
from albumkit.errors import AdapterError

#: Bytes in hand at once: they stay in the processor's cache.
_CHUNK = 1 << 17


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows, in bytes: each ``left`` zeros, ``width`` bytes of the file, ``right`` zeros.

    Attributes:
        start: Where in the file the bytes of the first row begin.
        rows: How many rows.
        pitch: From the beginning of one row in the file to that of the next.
        scale: What every number is multiplied with.
    """

    start: int
    rows: int
    pitch: int
    width: int
    left: int = 0
    right: int = 0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Matrix:
    """Pieces one below the other, all as wide. ``name`` is the tensor that it began as, for messages."""

    dtype: str
    rows: int
    columns: int
    pieces: tuple[Piece, ...]
    name: str = ""

    @classmethod
    def of(cls, tensor: Tensor) -> Matrix:
        """A tensor of the file; dimensions behind the first are columns, a single number is a row of one."""
        rows = tensor.shape[0] if tensor.shape else 1
        columns = tensor.count // rows if rows else 0
        pitch = tensor.size // rows if rows else 0
        pieces = (Piece(tensor.start, rows, pitch, pitch),)
        return cls(tensor.dtype, rows, columns, pieces, name=tensor.name)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.rows * self.columns * self._word

    @property
    def _word(self) -> int:
        return DTYPE_BITS[self.dtype] // 8

    def cut_rows(self, first: int, count: int) -> Matrix:
        """Some rows of a matrix that is still in one piece."""
        (piece,) = self.pieces
        piece = replace(piece, start=piece.start + first * piece.pitch, rows=count)
        return replace(self, rows=count, pieces=(piece,))

    def cut_columns(self, first: int, count: int) -> Matrix:
        """Some columns of a matrix that is still in one piece and not padded."""
        (piece,) = self.pieces
        piece = replace(piece, start=piece.start + first * self._word, width=count * self._word)
        return replace(self, columns=count, pieces=(piece,))

    def padded(self, left: int, right: int) -> Matrix:
        """With columns of zeros on both sides."""
        before, after = left * self._word, right * self._word
        pieces = tuple(replace(p, left=p.left + before, right=p.right + after) for p in self.pieces)
        return replace(self, columns=left + self.columns + right, pieces=pieces)

    def times(self, factor: float) -> Matrix:
        """Every number multiplied."""
        return replace(self, pieces=tuple(replace(p, scale=p.scale * factor) for p in self.pieces))


def zeros(dtype: str, rows: int, columns: int) -> Matrix:
    """Nothing but zeros."""
    return Matrix(dtype, rows, 0, (Piece(0, rows, 0, 0),)).padded(0, columns)


def stack(matrices: list[Matrix]) -> Matrix:
    """One below the other: all of one dtype and width."""
    pieces = tuple(piece for matrix in matrices for piece in matrix.pieces)
    return replace(matrices[0], rows=sum(matrix.rows for matrix in matrices), pieces=pieces)


class Source:
    """The file that the bytes come from, read by ``read``; nothing of it stays in memory."""

    def __init__(self, path: Path, stream: RawIOBase, rounding: Rounding) -> None:
        self.path = path
        self.rounding = rounding
        self._stream = stream
        self._state = self._look()

    def must_be_unchanged(self) -> None:
        """Raises:
        AdapterError: the file was written to since it was opened.
        """
        if self._look() != self._state:
            raise AdapterError(self.path, "it changed while it was read.", "convert it again")

    def _look(self) -> tuple[int, int]:
        found = os.fstat(self._stream.fileno())
        return found.st_size, found.st_mtime_ns

    def chunks(self, matrix: Matrix) -> Iterator[bytes | bytearray]:
        """The bytes of a matrix, in whole rows. A chunk is good until the next one is asked for.

        Raises:
            AdapterError: the file changed, or numbers cannot be multiplied without a loss nobody allowed.
        """
        for piece in matrix.pieces:
            for chunk in self._rows(piece, matrix.name):
                if piece.scale == 1.0:
                    yield chunk
                else:
                    yield scaled(chunk, matrix.dtype, piece.scale, matrix.name, self.rounding)

    def _rows(self, piece: Piece, name: str) -> Iterator[bytearray]:
        line = piece.left + piece.width + piece.right
        at_once = max(1, _CHUNK // max(1, piece.pitch, line))
        buffer = bytearray()
        for first in range(0, piece.rows, at_once):
            rows = min(at_once, piece.rows - first)
            wanted = rows * piece.pitch - (piece.pitch - piece.width)
            if wanted != len(buffer):
                buffer = bytearray(wanted)
            self._read(piece.start + first * piece.pitch, buffer, name)
            if line == piece.pitch == piece.width:
                yield buffer
                continue
            lines = bytearray(rows * line)
            for row in range(rows):
                to, at = row * line + piece.left, row * piece.pitch
                lines[to : to + piece.width] = buffer[at : at + piece.width]
            yield lines

    def _read(self, start: int, buffer: bytearray, name: str) -> None:
        if not buffer:
            return
        try:
            self._stream.seek(start)
            count = self._stream.readinto(buffer)
        except OSError as error:  # else it would pass for one of the file that is written
            raise AdapterError(self.path, f"it cannot be read: {error.strerror or error}.") from error
        if count != len(buffer):
            raise AdapterError(self.path, f"it changed while it was read: {name} is no longer there.")
