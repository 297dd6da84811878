"""Looks during the training: the same prompts with the same seeds every so many steps, and the sheet of them
all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit.atomic import whole_file
from albumkit.engine.sample import Recipe, sample_latents, to_picture

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from albumkit.engine.knobs import Prompt
    from albumkit.engine.stage import Stage

_FOLDER = "samples"
_STEP = re.compile(r"step-(\d{6,})")
#: Side of a thumbnail on the sheet, half the margin with the words, and the space between, in pixels.
_THUMB, _MARGIN, _EDGE = 256, 40, 8


def look(
    run: Path,
    step: int,
    prompts: tuple[Prompt, ...],
    texts: Mapping[str, Tensor],
    stage: Stage,
    recipe: Recipe,
    inputs: Sequence[Sequence[Tensor]],
) -> list[Path]:
    """Make the pictures of one step and bring the sheet up to date.

    Args:
        texts: Every prompt's embedding, and the empty one's.
        inputs: For every prompt the latents of the pictures to edit; none where nothing is edited.

    Returns:
        The pictures, in the order of the prompts.
    """
    transformer, base, machine = stage.transformer(), stage.base, stage.machine
    latents = [
        sample_latents(transformer, base, machine, texts[one.text], texts[""], recipe, one.seed, given)
        for one, given in zip(prompts, inputs, strict=True)
    ]
    vae = stage.vae(recipe.width * recipe.height)
    files = []
    for number, one in enumerate(latents):
        files.append(_picture(run, step, number))
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        with whole_file(files[-1]) as stream:
            to_picture(stage.base, vae, one).save(stream, "PNG")
    stage.transformer()
    draw_sheet(run, prompts)
    return files


def looked(run: Path, step: int, prompts: tuple[Prompt, ...]) -> bool:
    """Whether all pictures of a step are there."""
    return all(_picture(run, step, number).is_file() for number in range(len(prompts)))


def _picture(run: Path, step: int, number: int) -> Path:
    return run / _FOLDER / f"step-{step:06d}" / f"{number + 1}.png"


def draw_sheet(run: Path, prompts: tuple[Prompt, ...]) -> Path:
    """``sheet.png``: prompts across, steps down."""
    from PIL import Image, ImageDraw

    names = [folder.name for folder in (run / _FOLDER).glob("step-*")]
    steps = sorted(int(match[1]) for name in names if (match := _STEP.fullmatch(name)))
    rows = [(step, [_thumb(_picture(run, step, n)) for n in range(len(prompts))]) for step in steps]
    heights = [max((thumb.height for thumb in thumbs if thumb), default=0) for _, thumbs in rows]
    size = (_MARGIN * 2 + (_THUMB + _EDGE) * len(prompts), _MARGIN + sum(heights) + _EDGE * len(rows))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for column, prompt in enumerate(prompts):
        pen.text((_MARGIN * 2 + column * (_THUMB + _EDGE), _EDGE), _wrapped(prompt.text), fill="black")
    top = _MARGIN
    for (step, thumbs), height in zip(rows, heights, strict=True):
        pen.text((_EDGE, top + height // 2), f"step {step}", fill="black")
        for column, thumb in enumerate(thumbs):
            if thumb is not None:
                sheet.paste(thumb, (_MARGIN * 2 + column * (_THUMB + _EDGE), top))
        top += height + _EDGE
    path = run / "sheet.png"
    with whole_file(path) as stream:
        sheet.save(stream, "PNG")
    return path


def _thumb(file: Path) -> Image | None:
    """As large as a cell, whatever it was; None where there is none."""
    from PIL import Image, ImageOps

    if not file.is_file():
        return None
    with Image.open(file) as picture:
        return ImageOps.contain(picture, (_THUMB, _THUMB), Image.Resampling.BICUBIC)


def _wrapped(text: str) -> str:
    """At most two lines of a thumbnail's width; letters that the built-in font lacks as question marks."""
    import textwrap

    lines = textwrap.wrap(text.encode("latin-1", "replace").decode("latin-1"), _THUMB // 6)
    return "\n".join([*lines[:1], *(["..."] if len(lines) > 2 else lines[1:2])])
