"""A contact sheet of masks: every picture with its mask laid over it, to be looked at in ten seconds.

What is learned stands in its colours under a green tint with an outline, what is not is dark and grey.
"""

from __future__ import annotations

import io
import math
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from albumkit.album import Album, Example
from albumkit.images import load_picture, reason_of
from albumkit.lint import Finding
from albumkit.parallel import in_order
from albumkit.report.text import many

if TYPE_CHECKING:
    from albumkit.masking import MaskReport

_GROUND, _PAPER, _FAINT = (24, 26, 30), (235, 235, 235), (150, 153, 160)
_TINT, _OUTLINE = (40, 220, 120), (90, 255, 150)
_SEVERITIES = {"error": (255, 105, 97), "warning": (255, 190, 80), "note": (140, 190, 255)}
#: Pixels of a picture's side on the sheet, by how many there are at most.
_SIDES = ((40, 260), (120, 200), (10**9, 140))
_GAP, _LINE, _TEXT = 10, 17, 13
#: Findings of a mask that are named; the rest is a count.
_MOST_NAMED = 2


@dataclass(frozen=True, slots=True)
class _Tile:
    """One picture as it is drawn; ``words`` are lines with their colours."""

    picture: Image.Image
    words: tuple[tuple[str, tuple[int, int, int]], ...]


def draw_masks(report: MaskReport) -> Image.Image:
    """The album as it is, or as it would be, after a call of mask; also the pictures without one."""
    album = report.opened.album
    examples = [example for example in album.examples if example.target is not None]
    side = next(side for most, side in _SIDES if len(examples) <= most)
    drawn = _Drawer(report, side)
    tiles = [tile for _, tile in in_order(examples, drawn, os.cpu_count() or 1)]
    return _page(_title(report), tiles, side)


def _title(report: MaskReport) -> str:
    plan = report.plan
    parts = [many(len(report.good), "new masks") if report.good else ""]
    parts += [f"by {report.model}" if report.model else "", report.shaping.words]
    parts += [f"{len(plan.ours)} made earlier" if plan.ours else ""]
    parts += [f"{len(plan.yours)} yours" if plan.yours else ""]
    return "   ".join([report.opened.album.name, ", ".join(part for part in parts if part)])


class _Drawer:
    """Draws one example; called in several threads."""

    def __init__(self, report: MaskReport, side: int) -> None:
        self._album: Album = report.opened.album
        self._side = side
        self._new = {one.job.example.path: one for one in report.made}
        self._yours = set(report.plan.yours)
        self._reasons = {one.path: one.reason for one in report.plan.left}
        self._reasons |= {one.job.example.path: one.reason for one in report.failed}
        self._findings: dict[str, list[Finding]] = defaultdict(list)
        for finding in report.judged.findings if report.judged else ():
            if finding.ignored is None:
                self._findings[finding.path].append(finding)

    def __call__(self, example: Example) -> _Tile:
        assert example.target is not None
        words = [(example.target.path.rpartition("/")[2], _PAPER)]
        try:
            with self._album.source.open(example.target.entry) as stream:
                picture = load_picture(stream, 4 * self._side**2)
            mask, whose, place = self._mask(example)
        except Exception as error:  # a clip, a broken file: plugins raise nearly anything
            reason = self._reasons.get(example.path) or reason_of(error)
            blank = Image.new("RGB", (self._side, self._side // 2), _GROUND)
            return _Tile(blank, (*words, (reason, _SEVERITIES["warning"])))
        picture.thumbnail((self._side, self._side), Image.Resampling.LANCZOS)
        if mask is None:
            reason = self._reasons.get(example.path, "")
            words.append((f"no mask{': ' if reason else ''}{reason}", _SEVERITIES["warning"]))
            return _Tile(_dimmed(picture), tuple(words))
        mask = mask.convert("L").resize(picture.size, Image.Resampling.BOX, reducing_gap=2.0)
        share = sum(value * count for value, count in enumerate(mask.histogram())) / (
            255 * mask.width * mask.height
        )
        words.append((f"{100 * share:.0f} %{whose}", _FAINT))
        return _Tile(_overlay(picture, mask), (*words, *self._named(place)))

    def _mask(self, example: Example) -> tuple[Image.Image | None, str, str]:
        """The mask that counts, whose it is, and its path."""
        if (made := self._new.get(example.path)) is not None:
            whose = ", refused" if made.refused else ""
            return Image.open(io.BytesIO(made.data), formats=("PNG",)), whose, made.job.target
        if example.mask is None:
            return None, "", ""
        with self._album.source.open(example.mask) as stream:
            mask = load_picture(stream, 16 * self._side**2)
        return mask, ", yours" if example.mask.path in self._yours else "", example.mask.path

    def _named(self, place: str) -> list[tuple[str, tuple[int, int, int]]]:
        found = self._findings.get(place, [])
        words = [(f.rule, _SEVERITIES[f.severity]) for f in found[:_MOST_NAMED]]
        if more := len(found) - _MOST_NAMED:
            words += [(f"and {more} more", _FAINT)] if more > 0 else []
        return words


def _overlay(picture: Image.Image, mask: Image.Image) -> Image.Image:
    tinted = Image.blend(picture, Image.new("RGB", picture.size, _TINT), 0.16)
    shown = Image.composite(tinted, _dimmed(picture), mask)
    hard = mask.point([255 if value >= 128 else 0 for value in range(256)])
    outline = ImageChops.subtract(hard, hard.filter(ImageFilter.MinFilter(3)))
    shown.paste(_OUTLINE, mask=outline)
    return shown


def _dimmed(picture: Image.Image) -> Image.Image:
    return ImageOps.grayscale(picture).point([value * 3 // 10 for value in range(256)]).convert("RGB")


def _page(title: str, tiles: Sequence[_Tile], side: int) -> Image.Image:
    """Rows of tiles, about four wide to three high, under a title; each row as high as it needs."""
    columns = max(1, min(len(tiles), round(math.sqrt(len(tiles) * 4 / 3))))
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    shown = [max(tile.picture.height for tile in row) for row in rows]
    heights = [
        high + _LINE * max(len(tile.words) for tile in row) + 2 * _GAP
        for high, row in zip(shown, rows, strict=True)
    ]
    head = 2 * _GAP + _LINE
    size = (columns * (side + _GAP) + _GAP, head + sum(heights) + _GAP)
    page = Image.new("RGB", size, _GROUND)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_TEXT)
    draw.text((_GAP, _GAP), _fitted(title, size[0] - 2 * _GAP, font), _PAPER, font)
    top = head
    for row, high, height in zip(rows, shown, heights, strict=True):
        for number, tile in enumerate(row):
            left = _GAP + number * (side + _GAP)
            page.paste(
                tile.picture,
                (left + (side - tile.picture.width) // 2, top + high - tile.picture.height),
            )
            for line, (text, colour) in enumerate(tile.words):
                draw.text((left, top + high + 2 + line * _LINE), _fitted(text, side, font), colour, font)
        top += height
    return page


def _fitted(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, its middle left out where it is longer than ``width`` pixels."""
    if font.getlength(text) <= width:
        return text
    for kept in range(len(text), 1, -1):
        short = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
        if font.getlength(short) <= width:
            return short
    return "…"
