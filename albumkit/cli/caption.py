"""``albumkit caption``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from albumkit.cli.options import format_option, trainer_option
from albumkit.cli.pace import paced
from albumkit.cli.screen import echo_json, print_lines
from albumkit.errors import UsageError

if TYPE_CHECKING:
    from albumkit.caption.protocol import Captioner


@click.command()
@click.argument("album", type=click.Path(path_type=Path))
@click.option(
    "--with",
    "with_",
    type=click.Choice(["transformers", "endpoint", "pocket"]),
    help="What captions: a model on this machine, a server, or the toy that ships.",
)
@click.option("--model", metavar="ID", help="A name on the hub, a folder, or the server's name for it.")
@click.option("--base-url", metavar="URL", help="The server's address, as http://localhost:11434/v1.")
@click.option("--key-variable", metavar="NAME", help="Its key's variable.  [default: ALBUMKIT_ENDPOINT_KEY]")
@click.option("--concurrency", type=click.IntRange(1, 64), metavar="N", help="Questions to it at a time.")
@click.option("--timeout", type=click.FloatRange(1), metavar="S", help="Seconds for an answer of it.")
@click.option("--batch", type=click.IntRange(1, 64), metavar="N", help="Pictures at a time, on this machine.")
@click.option("--redo", is_flag=True, help="Write the machine's captions anew too. Yours stay.")
@click.option("--overwrite", is_flag=True, help="Write all anew, yours too; --undo brings them back.")
@click.option("--files", multiple=True, metavar="GLOB", help="Only these pictures. May be repeated.")
@click.option("--shared", is_flag=True, help="Edit albums: one instruction for all pairs.")
@click.option("--instruction", metavar="TEXT", help="Edit albums: this one for all; nobody is asked.")
@click.option("--fresh", is_flag=True, help="Ask again what was asked by an earlier call.")
@click.option("--resume", is_flag=True, help="Go on with a call that was stopped, or refuse.")
@click.option("--dry-run", "dry", is_flag=True, help="Ask and show, but write nothing.")
@click.option("--check", is_flag=True, help="Judge the captions that are there.")
@click.option("--look", is_flag=True, help="Hold what captions say against what the model sees.")
@click.option("--term", multiple=True, metavar="WORD", help="With --look: ask about this. May be repeated.")
@click.option("--review", is_flag=True, help="Walk through the captions: picture, findings, accept or edit.")
@click.option("--all", "all_", is_flag=True, help="With --review: yours and the accepted ones too.")
@click.option(
    "--only", multiple=True, metavar="RULE", help="With --check and --review: what this rule finds."
)
@click.option(
    "--sheet", type=click.Path(path_type=Path), metavar="FILE", help="Write a page of pictures with captions."
)
@click.option("--replace", nargs=2, metavar="OLD NEW", help='Another phrase in all captions; NEW may be "".')
@click.option("--apply", "apply_", is_flag=True, help="With --replace: write it.")
@click.option("--undo", is_flag=True, help="Take back what the last call wrote; again: the one before.")
@trainer_option
@format_option("text", "json")
def command(album: Path, style: str, **options: Any) -> int:
    """Write a caption for each picture that has none, and judge it before it is written.

    A caption names what the picture's subject is not: place, light, framing; trigger and class phrase are
    put before it. What is asked and what is refused stands in rules/caption-policies. A caption that you
    wrote or changed is never touched unless you say --overwrite.

    Answers are kept as they come: a call that was stopped, or killed, is gone on with by the same call.
    --resume does the same, but begins nothing.

    Exit code 1 when a picture could not be captioned, or --check refuses a caption.
    """
    mode = _mode(options)
    if mode == "undo":
        return _undo(album, style)
    if mode == "replace":
        return _replace(album, style, options)
    if mode == "check":
        return _check(album, style, options)
    if mode == "look":
        return _look(album, style, options)
    if mode == "review":
        return _review(album, options)
    return _caption(album, style, options)


#: Options that choose the captioner, as ``captioner_for`` takes them.
_ASKED = ("model", "base_url", "key_variable", "concurrency", "timeout", "batch")
_WRITING = ("redo", "overwrite", "shared", "instruction", "dry", "fresh", "resume")
#: Each way of the command, and the options that it takes beside ALBUM and --format.
_MODES: dict[str, tuple[str, ...]] = {
    "undo": (),
    "replace": ("apply_",),
    "check": ("only", "files", "trainer", "sheet"),
    "look": ("with_", *_ASKED, "term", "files", "fresh", "trainer"),
    "review": ("all_", "only", "files", "trainer"),
    "": ("with_", *_ASKED, *_WRITING, "files", "trainer", "sheet"),
}


def _mode(options: dict[str, Any]) -> str:
    """Which way is meant; "" for captioning itself.

    Raises:
        UsageError: options of two ways, or one that goes with another.
    """
    mode = next((name for name in _MODES if options.get(name)), "")
    flags = {param.name: param.opts[-1] for param in command.params}
    for name, value in options.items():
        if value and name not in (mode, *_MODES[mode]):
            whole = next((way for way, own in _MODES.items() if way and name in own), "")
            words = f"--{mode} does not take it" if mode else f"it goes with --{whole}"
            raise UsageError(f"{flags[name]}: {words}.", "albumkit caption --help")
    if options["redo"] and options["overwrite"]:
        raise UsageError("--overwrite does all that --redo does.", "albumkit caption ALBUM --overwrite")
    if options["resume"] and options["fresh"]:
        raise UsageError("--fresh asks anew what --resume goes on with.", "albumkit caption ALBUM --fresh")
    return mode


def _caption(album: Path, style: str, options: dict[str, Any]) -> int:
    from albumkit.captioning import caption_album
    from albumkit.report.caption import caption_document, caption_lines

    sheet = _sheet_file(options["sheet"])
    which: Any = "overwrite" if options["overwrite"] else "redo" if options["redo"] else "missing"
    with paced(style == "text") as progress:
        report = caption_album(
            album,
            lambda: _captioner(options),
            which=which,
            only=options["files"],
            shared=options["shared"],
            instruction=options["instruction"],
            trainer=options["trainer"],
            dry=options["dry"],
            fresh=options["fresh"],
            resume=options["resume"],
            progress=progress,
        )
    if style == "json":
        echo_json(caption_document(report))
    else:
        print_lines(lambda width: caption_lines(report, width))
    if sheet is not None:
        done = [one for one in report.outcomes if one.state == "captioned"]
        _write_sheet(album, sheet, style, {one.path: one.caption for one in done}, options["trainer"])
    return report.exit_code


def _captioner(options: dict[str, Any]) -> Captioner:
    from albumkit.caption.captioners import captioner_for
    from albumkit.doctor import nvidia_cards
    from albumkit.engine.machine import share_processor

    share_processor()
    chosen = {name: options[name] for name in _ASKED}
    return captioner_for(options["with_"], nvidia=bool(nvidia_cards()), **chosen)


def _check(album: Path, style: str, options: dict[str, Any]) -> int:
    from albumkit.captioning import check_album
    from albumkit.report.caption import check_document, check_lines

    sheet = _sheet_file(options["sheet"])
    report = check_album(album, files=options["files"], only=options["only"], trainer=options["trainer"])
    if style == "json":
        echo_json(check_document(report))
    else:
        print_lines(lambda width: check_lines(report, width))
    if sheet is not None:
        _write_sheet(album, sheet, style, {}, options["trainer"])
    return report.exit_code


def _look(album: Path, style: str, options: dict[str, Any]) -> int:
    from albumkit.captioning.look import look_at
    from albumkit.report.look import look_document, look_lines

    with paced(style == "text") as progress:
        report = look_at(
            album,
            lambda: _captioner(options),
            terms=options["term"],
            only=options["files"],
            fresh=options["fresh"],
            trainer=options["trainer"],
            progress=progress,
        )
    if style == "json":
        echo_json(look_document(report))
    else:
        print_lines(lambda width: look_lines(report, width))
    return int(bool(report.failed))


def _review(album: Path, options: dict[str, Any]) -> int:
    from albumkit.cli.review import review

    return review(
        album,
        files=options["files"],
        only=options["only"],
        everything=options["all_"],
        trainer=options["trainer"],
    )


def _sheet_file(file: Path | None) -> Path | None:
    """Raises UsageError, before anything is asked, for a name that cannot hold the page."""
    if file is not None and file.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{file.as_posix()}: the sheet is a page; its name ends in .html.")
    if file is not None and not file.parent.is_dir():
        raise UsageError(f"{file.as_posix()}: there is no folder {file.parent.as_posix()}.")
    return file


def _write_sheet(album: Path, file: Path, style: str, proposed: dict[str, str], trainer: str | None) -> None:
    from albumkit.atomic import whole_file
    from albumkit.captioning.sheet import sheet_of
    from albumkit.report.html import render

    report = sheet_of(album, proposed, trainer=trainer)
    with whole_file(file) as stream:
        for part in render(report, strict=False, command="caption"):
            stream.write(part.encode())
    click.echo(f"wrote  {file.as_posix()}", err=style == "json")


def _replace(album: Path, style: str, options: dict[str, Any]) -> int:
    from albumkit.captioning import replace_in_captions
    from albumkit.paths import quoted
    from albumkit.report.caption import change_document, change_lines

    old, new = options["replace"]
    wrote = replace_in_captions(album, old, new, apply=options["apply_"])
    if style == "json":
        echo_json(change_document("replace", album.as_posix(), wrote))
    else:
        call = f"albumkit caption {quoted(album.as_posix())} --replace {quoted(old)} {quoted(new)} --apply"
        again = "" if options["apply_"] else call
        print_lines(lambda width: change_lines("replaced", album.as_posix(), wrote, width, again=again))
    return int(bool(wrote.refusals) or (bool(wrote.edits) and not options["apply_"]))


def _undo(album: Path, style: str) -> int:
    from albumkit.captioning import undo_captions
    from albumkit.report.caption import change_document, change_lines

    wrote = undo_captions(album)
    if style == "json":
        echo_json(change_document("undo", album.as_posix(), wrote))
    else:
        print_lines(lambda width: change_lines("undone", album.as_posix(), wrote, width))
    return int(bool(wrote.refusals))
