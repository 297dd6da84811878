"""``albumkit mask``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from albumkit.cli.options import format_option
from albumkit.cli.pace import paced
from albumkit.cli.screen import echo_json, print_lines
from albumkit.errors import UsageError

if TYPE_CHECKING:
    from albumkit.masking import MaskReport

#: Endings of a contact sheet, and Pillow's names of the formats.
_SHEETS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


@click.command()
@click.argument("album", type=click.Path(path_type=Path))
@click.option(
    "--model", metavar="NAME", default="u2net", show_default=True, help="Which of rembg's models finds it."
)
@click.option(
    "--grow", type=click.FloatRange(-20, 20), default=0.0, metavar="PERCENT", help="Widen it; below 0 narrow."
)
@click.option(
    "--feather", type=click.FloatRange(0, 20), default=0.0, metavar="PERCENT", help="Soften its edges."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    metavar="LIMIT",
    help="Hard edges: white from here on (0 to 1).",
)
@click.option("--invert", is_flag=True, help="Learn all but the subject.")
@click.option("--redo", is_flag=True, help="Make the machine's masks anew too. Yours stay.")
@click.option("--overwrite", is_flag=True, help="Make all anew, yours too; --undo brings them back.")
@click.option("--files", multiple=True, metavar="GLOB", help="Only these pictures. May be repeated.")
@click.option("--resume", is_flag=True, help="Go on with a call that was stopped, or refuse.")
@click.option("--dry-run", "dry", is_flag=True, help="Make and judge them, but write no mask.")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw all masks over their pictures, to look at: PNG, JPEG or WebP.",
)
@click.option("--undo", is_flag=True, help="Take back what the last call wrote; again: the one before.")
@format_option("text", "json")
def command(album: Path, style: str, **options: Any) -> int:
    """Write a mask for each picture that has none: white where the subject is.

    Each mask is judged before it is written, and one that is worse than none is left to you. A mask that you
    made or changed is never touched unless you say --overwrite. PERCENT is of the picture's longer side.

    What was found is kept as it comes: a call that was stopped, or killed, is gone on with by the same call.
    --resume does the same, but begins nothing.

    Exit code 1 when a picture could not be masked.
    """
    if options["undo"]:
        return _undo(album, style, options)
    if options["redo"] and options["overwrite"]:
        raise UsageError("--overwrite does all that --redo does.", "albumkit mask ALBUM --overwrite")
    if (sheet := options["sheet"]) is not None:
        _check_sheet(sheet, album)
    report = _mask(album, style, options)
    if sheet is not None:
        _draw(report, sheet)
    from albumkit.report.mask import mask_document, mask_lines

    if style == "json":
        echo_json(mask_document(report))
    else:
        print_lines(lambda width: mask_lines(report, width, sheet=sheet.as_posix() if sheet else ""))
    return report.exit_code


def _mask(album: Path, style: str, options: dict[str, Any]) -> MaskReport:
    from albumkit.mask.rembg import open_rembg
    from albumkit.mask.shaping import Shaping
    from albumkit.masking import make_masks

    shaping = Shaping(options["grow"], options["feather"], options["threshold"], options["invert"])
    tell = functools.partial(click.echo, err=True) if style == "text" else lambda _: None
    with paced(style == "text") as progress:
        return make_masks(
            album,
            lambda: open_rembg(options["model"], tell),
            shaping=shaping,
            which="overwrite" if options["overwrite"] else "redo" if options["redo"] else "missing",
            only=options["files"],
            dry=options["dry"],
            resume=options["resume"],
            progress=progress,
        )


def _check_sheet(sheet: Path, album: Path) -> None:
    """Raises UsageError where no sheet can be written, before anything is made."""
    if sheet.suffix.lower() not in _SHEETS:
        raise UsageError(f"--sheet {sheet.as_posix()}: a sheet is a PNG, JPEG or WebP.", "--sheet masks.jpg")
    if not sheet.parent.is_dir():
        raise UsageError(f"{sheet.as_posix()}: there is no folder {sheet.parent.as_posix()}.")
    if album.resolve() in sheet.resolve().parents:
        raise UsageError(
            f"{sheet.as_posix()} lies in the album, where it would be one of its pictures.",
            f"--sheet {sheet.name}",
        )


def _draw(report: MaskReport, sheet: Path) -> None:
    from albumkit.atomic import whole_file
    from albumkit.report.sheet import draw_masks

    picture = draw_masks(report)
    form = _SHEETS[sheet.suffix.lower()]
    with whole_file(sheet) as stream:
        picture.save(stream, form, **({} if form == "PNG" else {"quality": 88}))


def _undo(album: Path, style: str, options: dict[str, Any]) -> int:
    if any(value for name, value in options.items() if name not in ("undo", "model")):
        raise UsageError("--undo takes no other option.", "albumkit mask --undo ALBUM")
    from albumkit.masking import undo_masks
    from albumkit.report.mask import undo_document, undo_lines

    done = undo_masks(album)
    if style == "json":
        echo_json(undo_document(album.as_posix(), done))
    else:
        print_lines(lambda width: undo_lines(album.as_posix(), done, width))
    return int(bool(done.refusals))
