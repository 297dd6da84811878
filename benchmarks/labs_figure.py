"""The figure of three rhythms of a loss curve, drawn with Pillow; see labs_page.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

#: Drawn so many times as large, then shrunk: smooth lines.
_FINE = 3
_WIDTH, _HEIGHT = 400, 300
_LEFT, _TOP, _GAP = 46, 46, 56
_INK, _GRID = (40, 40, 40), (225, 225, 225)
COLOURS = {
    "each step": (205, 205, 205),
    "album loss": (31, 90, 160),
    "held-out loss": (205, 80, 20),
    "identity": (20, 130, 70),
    "obedience": (130, 70, 160),
}


@dataclass(frozen=True)
class Curve:
    """``points`` are (step, value); what it is called decides its colour."""

    name: str
    points: Sequence[tuple[float, float]]


def draw_rhythms(panels: Sequence[tuple[str, Sequence[Curve], Sequence[Curve]]], file: Path) -> None:
    """Panels side by side: losses above, shares below, steps along both.

    Args:
        panels: Title, losses, shares.
    """
    width = (_LEFT + _WIDTH + 18) * len(panels)
    height = _TOP + _HEIGHT + _GAP + _HEIGHT // 2 + 44
    image = Image.new("RGB", (width * _FINE, height * _FINE), "white")
    pen = ImageDraw.Draw(image)
    for number, (title, losses, shares) in enumerate(panels):
        left = (_LEFT + _WIDTH + 18) * number + _LEFT
        _text(pen, (left, 6), title, 15)
        above = (left, _TOP, left + _WIDTH, _TOP + _HEIGHT)
        below = (left, _TOP + _HEIGHT + _GAP, left + _WIDTH, _TOP + _HEIGHT + _GAP + _HEIGHT // 2)
        last = max(step for curve in losses for step, _ in curve.points)
        _panel(pen, above, losses, (0.0, last), _range(losses), "loss")
        _panel(pen, below, shares, (0.0, last), (0.0, 1.1), "share")
    image.resize((width, height), Image.Resampling.LANCZOS).save(file, optimize=True)


def running_mean(lines: Sequence[dict[str, Any]], over: int) -> list[tuple[float, float]]:
    """The loss of each step as a mean over so many around it."""
    losses = [line["loss"] for line in lines]
    points = []
    for at in range(len(losses)):
        some = losses[max(0, at - over // 2) : at + over // 2 + 1]
        points.append((float(lines[at]["step"]), sum(some) / len(some)))
    return points


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    """What the thick lines need; single steps may leave the panel."""
    values = [value for curve in curves if curve.name != "each step" for _, value in curve.points]
    room = (max(values) - min(values)) * 0.12 + 0.01
    return min(values) - room, max(values) + room


def _panel(
    pen: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    curves: Sequence[Curve],
    across: tuple[float, float],
    up: tuple[float, float],
    label: str,
) -> None:
    left, top, right, bottom = box

    def at(step: float, value: float) -> tuple[float, float]:
        x = left + (right - left) * (step - across[0]) / (across[1] - across[0])
        y = bottom - (bottom - top) * (value - up[0]) / (up[1] - up[0])
        return x * _FINE, min(max(y, top), bottom) * _FINE

    for value in _ticks(up):
        y = at(0, value)[1] / _FINE
        _line(pen, [(left * _FINE, y * _FINE), (right * _FINE, y * _FINE)], _GRID, 1)
        _text(pen, (left - 40, y - 7), f"{value:.3g}", 11)
    for step in _ticks(across):
        x = at(step, up[0])[0] / _FINE
        _line(pen, [(x * _FINE, bottom * _FINE), (x * _FINE, (bottom + 4) * _FINE)], _INK, 1)
        _text(pen, (x - 10, bottom + 6), f"{step:g}", 11)
    _line(pen, [(left * _FINE, top * _FINE), (left * _FINE, bottom * _FINE)], _INK, 1)
    _line(pen, [(left * _FINE, bottom * _FINE), (right * _FINE, bottom * _FINE)], _INK, 1)
    place = float(left)
    for curve in curves:
        colour = COLOURS[curve.name]
        _line(pen, [at(*point) for point in curve.points], colour, 1 if curve.name == "each step" else 2)
        _line(pen, [(place * _FINE, (top - 9) * _FINE), ((place + 14) * _FINE, (top - 9) * _FINE)], colour, 3)
        _text(pen, (place + 18, top - 16), curve.name, 11)
        place += 30 + 7 * len(curve.name)


def _ticks(span: tuple[float, float]) -> list[float]:
    """Four to eight round numbers inside of a span."""
    width = span[1] - span[0]
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 50, 100, 200, 500, 1000) if width / s <= 8)
    first = -(-span[0] // step)
    return [round((first + k) * step, 6) for k in range(9) if (first + k) * step <= span[1] + 1e-9]


def _line(
    pen: ImageDraw.ImageDraw,
    points: Sequence[tuple[float, float]],
    colour: tuple[int, int, int],
    width: int,
) -> None:
    pen.line(list(points), fill=colour, width=width * _FINE, joint="curve")


def _text(pen: ImageDraw.ImageDraw, place: tuple[float, float], words: str, size: int) -> None:
    font = ImageFont.load_default(size * _FINE)
    pen.text((place[0] * _FINE, place[1] * _FINE), words, fill=_INK, font=font)
