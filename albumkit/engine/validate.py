"""Looks during the training: the same prompts with the same seeds every so many steps, and the sheet of them
all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
#: Sides of a thumbnail on the sheet, and of the margin with the words, in pixels.
_THUMB, _MARGIN, _EDGE = 256, 40, 8


def look(
    run: Path,
    step: int,
    prompts: tuple[Prompt, ...],
    texts: Mapping[str, Tensor],
    stage: Stage,
    recipe: Recipe,
) -> list[Path]:
    """Make the pictures of one step and bring the sheet up to date.

    Args:
        texts: Every prompt's embedding, and the empty one's.

    Returns:
        The pictures, in the order of the prompts.
    """
    latents = [
        sample_latents(
            stage.transformer(), stage.base, stage.machine, texts[one.text], texts[""], recipe, one.seed
        )
        for one in prompts
    ]
    folder = run / _FOLDER / f"step-{step:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    vae = stage.vae(recipe.width * recipe.height)
    files = []
    for number, one in enumerate(latents):
        files.append(folder / f"{number + 1}.png")
        with whole_file(files[-1]) as stream:
            to_picture(stage.base, vae, one).save(stream, "PNG")
    stage.transformer()
    draw_sheet(run, prompts)
    return files


def draw_sheet(run: Path, prompts: tuple[Prompt, ...]) -> Path:
    """``sheet.png``: prompts across, steps down."""
    from PIL import Image, ImageDraw

    rows = sorted((run / _FOLDER).glob("step-*"), key=lambda folder: folder.name)
    rows = [row for row in rows if _STEP.fullmatch(row.name)]
    cell = _THUMB + _EDGE
    width = _MARGIN * 2 + cell * len(prompts)
    sheet = Image.new("RGB", (width, _MARGIN + cell * len(rows)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, prompt in enumerate(prompts):
        pen.text((_MARGIN * 2 + column * cell, _EDGE), _wrapped(prompt.text), fill="black")
    for line, row in enumerate(rows):
        top = _MARGIN + line * cell
        pen.text((_EDGE, top + _THUMB // 2), f"{int(row.name.removeprefix('step-'))}", fill="black")
        for column in range(len(prompts)):
            file = row / f"{column + 1}.png"
            if file.is_file():
                with Image.open(file) as picture:
                    sheet.paste(_thumb(picture), (_MARGIN * 2 + column * cell, top))
    path = run / "sheet.png"
    with whole_file(path) as stream:
        sheet.save(stream, "PNG")
    return path


def _thumb(picture: Image) -> Image:
    """At most a cell large; a picture that is smaller grows by whole pixels."""
    times = _THUMB // max(picture.size)
    if times > 1:
        return picture.resize((picture.width * times, picture.height * times), 0)
    picture.thumbnail((_THUMB, _THUMB))
    return picture


def _wrapped(text: str) -> str:
    """At most two lines of a thumbnail's width; letters that the built-in font lacks as question marks."""
    import textwrap

    lines = textwrap.wrap(text.encode("latin-1", "replace").decode("latin-1"), _THUMB // 6)
    return "\n".join([*lines[:1], *(["..."] if len(lines) > 2 else lines[1:2])])
