"""How good a LoRA for pocket is: ``python -m albumkit.engine.pocket.evaluate LORA --album ALBUM``.

Asks for the album's subject in every place and light that the album does not show, three pictures each, and
prints what the judge sees in them (see ``exam.py``), beside the base without the LoRA and the album itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit.engine.machine import need_libraries, share_processor
from albumkit.errors import AlbumkitError

if TYPE_CHECKING:
    from albumkit.engine.pocket.exam import Score


def _table(scores: dict[str, Score]) -> str:
    """Plain text, for 80 columns."""
    rows = [("", *scores)]
    rows.append(("identity (mean cosine)", *(f"{one.identity:.3f}" for one in scores.values())))
    rows.append(("  of the album's own", *(f"{one.of_own:.0%}" for one in scores.values())))
    for label, name in (("place as asked", "place"), ("light as asked", "light"), ("both", "obedience")):
        rows.append((label, *(f"{getattr(one, name):.1%}" for one in scores.values())))
    rows.append(("pictures", *(str(one.pictures) for one in scores.values())))
    return "\n".join(f"{label:<24}" + "".join(f"{cell:>12}" for cell in cells) for label, *cells in rows)


def evaluate(
    lora: Path, album: Path, seeds: int, steps: int | None, guidance: float | None, sheet: Path | None
) -> dict[str, Score]:
    """Scores of the album, of the base, and of the base with the LoRA.

    Args:
        guidance: How far pictures lean away from the empty prompt; the base's own by default.

    Raises:
        AlbumkitError: the album or the LoRA cannot be used.
    """
    from albumkit.engine.base import POCKET, find_base
    from albumkit.engine.generate import load_adapter
    from albumkit.engine.machine import find_machine
    from albumkit.engine.pocket.exam import STEPS, Exam, draw_sheet, read_subject

    subject = read_subject(album)
    base, machine = find_base(POCKET), find_machine()
    exam = Exam(subject, subject.elsewhere(seeds), base, machine, steps or STEPS)
    if guidance is not None:
        exam.recipe = dataclasses.replace(exam.recipe, guidance=guidance)
    transformer = base.load("transformer", machine.device, machine.dtype)
    alone = exam.put_to(transformer)
    load_adapter(base, transformer, lora, 1.0)
    taught = exam.put_to(transformer)
    if sheet is not None:
        draw_sheet(subject, taught).save(sheet)
        draw_sheet(subject, alone).save(sheet.with_name(f"{sheet.stem}-base{sheet.suffix}"))
    return {"album": exam.of_album(), "base": alone.score, "with LoRA": taught.score}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m albumkit.engine.pocket.evaluate", description=(__doc__ or "").split("\n\n")[1]
    )
    parser.add_argument("lora", type=Path, help="a LoRA that was trained on pocket")
    parser.add_argument("--album", type=Path, required=True, help="what it was trained on")
    parser.add_argument("--seeds", type=int, default=3, help="pictures for each prompt")
    parser.add_argument("--steps", type=int, help="of sampling; by default 10, half of what generate takes")
    parser.add_argument(
        "--guidance", type=float, help="away from the empty prompt; the base's own by default"
    )
    parser.add_argument("--sheet", type=Path, help="write a contact sheet here, and FILE-base beside it")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    share_processor()
    try:
        need_libraries("evaluate")
        scores = evaluate(given.lora, given.album, given.seeds, given.steps, given.guidance, given.sheet)
    except AlbumkitError as error:
        print(f"evaluate: {error.message}", *filter(None, [error.remedy]), sep="\n  do   ", file=sys.stderr)
        return error.exit_code
    if given.json:
        print(json.dumps({name: dataclasses.asdict(one) for name, one in scores.items()}, indent=2))
    else:
        print(_table(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
