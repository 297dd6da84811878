"""Fused factors that are really several side by side: made, and recognised on the way back.

One LoRA each for q, k and v, with lower factors A of their own, is one LoRA for qkv only with the A's stacked
and the B's on the diagonal of a matrix of zeros. The rank is the sum. Whoever has such a matrix finds the
single ones again by its zeros, whichever program made it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from albumkit.adapter.conversion.matrix import Matrix, Source, stack, zeros
from albumkit.adapter.words import FLOATS

#: First and last (excluded) column that is not zero; None where all are.
_Span = tuple[int, int] | None


def diagonal(parts: Sequence[Matrix | None], rows: Sequence[int]) -> Matrix:
    """Upper factors on the diagonal, zeros elsewhere; a missing one has rows but no columns."""
    held = [part for part in parts if part is not None]
    rank, before = sum(part.columns for part in held), 0
    made = []
    for part, count in zip(parts, rows, strict=True):
        if part is None:
            made.append(zeros(held[0].dtype, count, rank))
            continue
        made.append(part.padded(before, rank - before - part.columns))
        before += part.columns
    return stack(made)


def same_bytes(source: Source, matrices: Sequence[Matrix]) -> bool:
    """Whether all are equal, bit by bit."""
    first, *others = matrices
    for other in others:
        if (other.dtype, other.rows, other.columns) != (first.dtype, first.rows, first.columns):
            return False
        pairs = zip(source.chunks(first), source.chunks(other), strict=True)
        if any(a != b for a, b in pairs):
            return False
    return True


def block_ranks(
    source: Source, up: Matrix, rows: Sequence[int], known: Sequence[int] | None
) -> tuple[int, ...] | None:
    """The ranks of the parts, where an upper factor is block-diagonal; None where it is not.

    Args:
        rows: How many rows each part has.
        known: The ranks that the file itself tells; they count only if the zeros agree.
    """
    firsts = list(itertools.accumulate(rows, initial=0))[:-1]
    # Of a matrix that is full, one row of each part is enough to know it.
    for counts in ([1] * len(rows), rows):
        spans: list[_Span] = []
        for first, count in zip(firsts, counts, strict=True):
            spans.append(_span(source, up.cut_rows(first, count)))
            if _in_order(spans) is None:
                return None
    if known is not None and (len(known), sum(known)) == (len(rows), up.columns) and _fits(spans, known):
        return tuple(known)
    starts = _in_order(spans)
    if starts is None or not any(spans):
        return None
    third, rest = divmod(up.columns, len(rows))
    if not rest and _fits(spans, [third] * len(rows)):
        return (third,) * len(rows)
    ends = [*starts[1:], up.columns]
    return tuple(end - start for start, end in zip(starts, ends, strict=True))


def _in_order(spans: Sequence[_Span]) -> list[int] | None:
    """Where each part's columns begin, if every part's lie behind those of the part before; else None."""
    starts: list[int] = []
    end = 0
    for span in spans:
        if span is not None and span[0] < end:
            return None
        starts.append(end if span is None or not starts else span[0])
        end = end if span is None else span[1]
    return starts


def _fits(spans: Sequence[_Span], ranks: Sequence[int]) -> bool:
    """Whether all that is not zero lies on the diagonal."""
    ends = list(itertools.accumulate(ranks))
    return all(
        span is None or (end - rank <= span[0] and span[1] <= end)
        for span, rank, end in zip(spans, ranks, ends, strict=True)
    )


def _span(source: Source, part: Matrix) -> _Span:
    """The columns of a part that are not zero in every row."""
    word = FLOATS[part.dtype]
    line = part.columns * word
    first, last = line, 0
    for chunk in source.chunks(part):
        for start in range(0, len(chunk), line):
            row = chunk[start : start + line]
            first = min(first, line - len(row.lstrip(b"\0")))
            last = max(last, len(row.rstrip(b"\0")))
        if first == 0 and last == line:
            break
    return (first // word, -(-last // word)) if last else None
