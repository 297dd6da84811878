"""The ``albumkit`` command: finds the subcommand and turns every ending into an exit code.

0 clean; 1 an expected failure; 2 wrong usage; 3 a bug, with its traceback in a log; 130 Ctrl-C.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import NoReturn

import click

from albumkit import __version__
from albumkit.errors import AlbumkitError, nearest

#: Command -> its line in ``--help``. The modules stay unloaded until a command runs.
COMMANDS = {
    "init": "Write a commented album.toml, proposed from what the album holds.",
    "lint": "Judge albums and settings before any money or GPU time is spent.",
    "explain": "Explain a rule, or what a trainer's error text means.",
    "trainers": "List the trainers, or explain the knobs of one.",
    "config": "Show every setting of an album and where it comes from.",
    "fix": "Mend what lint found: preview, apply, undo.",
    "caption": "Write captions that teach: ask a model, judge its answers, review, undo.",
    "mask": "Write masks of the subject: find it, judge the mask, draw a sheet, undo.",
    "pack": "Write the archive that the trainer receives.",
    "train": "Train a LoRA on an album, with a base on this machine.",
    "generate": "Make a picture with a base and a LoRA.",
    "verify": "Tell whether a LoRA loads: in ComfyUI, in diffusers, on fal.",
    "convert": "Write a LoRA with the key names that ComfyUI, fal, diffusers or kohya want.",
    "doctor": "Show what this machine has, and which rules cannot run on it.",
}


class _Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"albumkit.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            close = nearest(args[0], COMMANDS)
            hint = f" The nearest is {close}." if close else ""
            ctx.fail(f"There is no command {args[0]}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="albumkit %(version)s")
def main() -> None:
    """From an album of pictures to a LoRA that is proven to load.

    Start with `albumkit lint ALBUM`: it needs no settings, writes nothing and tells what is wrong.
    """


def run() -> NoReturn:
    """Entry point of the console script."""
    # A large album is some 100,000 objects that live to the end: looking for cycles among them is a tenth
    # of the time.
    gc.set_threshold(100_000, 20, 20)
    try:
        code = main.main(prog_name="albumkit", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
    except AlbumkitError as error:
        _say(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (head, less) has gone; keep Python from complaining about it while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception:
        sys.exit(_bug())
    finally:
        # Or Python looks for cycles among them once more before it ends.
        gc.freeze()


def _say(error: AlbumkitError) -> None:
    ways = [f"  {'or' if number else 'do'}   {way}" for number, way in enumerate(error.remedy.splitlines())]
    text = "\n".join([f"albumkit: {error.message}", *ways])
    encoding = sys.stderr.encoding or "ascii"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def _bug() -> int:
    """Keep the traceback and say where; never lose the bug because the log cannot be written."""
    import time
    import traceback

    from albumkit.paths import log_dir

    text = f"albumkit {__version__}, Python {sys.version}\n{' '.join(sys.argv)}\n\n{traceback.format_exc()}"
    try:
        log_dir().mkdir(parents=True, exist_ok=True)
        log = log_dir() / f"bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        log.write_text(text, encoding="utf-8", errors="backslashreplace")
        print(f"albumkit: this is a bug of albumkit. The details are in {log.as_posix()}", file=sys.stderr)
    except OSError:
        print(f"albumkit: this is a bug of albumkit.\n{text}", file=sys.stderr)
    return 3
