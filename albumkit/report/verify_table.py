"""Several files of verify: a sentence, then a line for each, then what mends those that do not load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from albumkit.adapter.predict import RUNTIMES, TITLES
from albumkit.report.text import many, wrapped
from albumkit.report.verify import do_lines
from albumkit.report.verify_words import STYLES, TROUBLE, conjoined, effect_words, remedy, trouble, word

if TYPE_CHECKING:
    from albumkit.adapter import Adapter
    from albumkit.verifying import Verified

_HEADS = ("scheme", "model", "rank", *(TITLES[runtime] for runtime in RUNTIMES))
_GAP = "  "
_UNKNOWN = "?"
_MOST_REMEDIES = 6
_SHORT = {"not known": _UNKNOWN}
#: Long names get a line of their own rather than less room than this.
_LEAST_NAME = 12


def table_lines(files: Sequence[Verified], width: int) -> list[Text]:
    """Files in the order in which they were named."""
    good = sum(not file.fails for file in files)
    style = "bold green" if good == len(files) else "bold red"
    rows = [_cells(file) for file in files]
    folder = _common_folder(files)
    widths = [max(map(len, column)) for column in zip(_HEADS, *filter(None, rows), strict=True)]
    room = max(_LEAST_NAME, width - sum(widths) - len(_GAP) * len(widths))
    names = [file.path.removeprefix(folder) for file in files]
    name = min(room, max(map(len, [*names, folder])))
    lines = [*wrapped(_sentence(files, good), width, "", style=style), Text()]
    head = Text((folder or "file").ljust(name), "dim")
    lines.append(_cells_after(head, _HEADS, widths, ["dim"] * len(_HEADS)))
    for file, shown, cells in zip(files, names, rows, strict=True):
        lines += _file_lines(file, shown, cells, name, widths, width)
    return lines + _mend_lines(files, width)


def _common_folder(files: Sequence[Verified]) -> str:
    """The folder that all files are in, with its slash, so that it need not stand in every line."""
    folders = {file.path.rpartition("/")[0] for file in files}
    folder = folders.pop() if len(folders) == 1 else ""
    return f"{folder}/" if folder else ""


def _sentence(files: Sequence[Verified], good: int) -> str:
    first, *others = {file.asked.runtimes for file in files}
    if others:
        where = "every program that they are asked for"
    else:
        where = conjoined([TITLES[runtime] for runtime in first]) if first else "one program at least"
    return f"{good or 'None'} of {many(len(files), 'files')} would work in {where}."


def _cells(file: Verified) -> tuple[str, ...] | None:
    """The cells behind the name; None for a file that could not be opened."""
    adapter = file.adapter
    if file.error is not None or adapter is None:
        return None
    ranks = sorted(adapter.ranks)
    rank = str(ranks[0]) if len(ranks) == 1 else f"{ranks[0]}-{ranks[-1]}" if ranks else "-"
    return (
        adapter.scheme.id,
        _model(adapter),
        rank,
        *(_SHORT.get(said, said) for said in _words(file)),
    )


def _words(file: Verified) -> list[str]:
    return [word(file, found) for found in file.predictions]


def _model(adapter: Adapter) -> str:
    if adapter.size is not None:
        return adapter.size.title.replace("FLUX.2 klein", "klein") if adapter.size.known else "other"
    return adapter.other.title if adapter.other else "?"


def _file_lines(
    file: Verified, shown: str, cells: Sequence[str] | None, name: int, widths: Sequence[int], width: int
) -> list[Text]:
    lines: list[Text] = []
    if len(shown) > name:
        lines, shown = [Text(shown)], ""
    if cells is None:
        assert file.error is not None
        words = file.error.message.removeprefix(f"{file.path}: ")
        body = wrapped(words, width, " " * (name + len(_GAP)), style="red")
        body[0] = Text.assemble(shown.ljust(name), _GAP, (body[0].plain.strip(), "red"))
        return lines + body
    counts = [found in file.told for found in file.predictions]
    styles = [
        STYLES.get(said, TROUBLE) if counted else "dim"
        for said, counted in zip(_words(file), counts, strict=True)
    ]
    lines.append(_cells_after(Text(shown.ljust(name)), cells, widths, ["", "", "", *styles]))
    if wrong := trouble(file):
        lines += wrapped(wrong, width, "    ", style="red")
    if file.effect is not None:
        lines += wrapped(effect_words(file.effect), width, "    ", style="dim" if file.effect.ok else "red")
    return lines


def _cells_after(line: Text, cells: Sequence[str], widths: Sequence[int], styles: Sequence[str]) -> Text:
    for number, (cell, width, style) in enumerate(zip(cells, widths, styles, strict=True)):
        last = number == len(cells) - 1
        line.append(_GAP).append(cell if last else cell.ljust(width), style)
    return line


def _mend_lines(files: Sequence[Verified], width: int) -> list[Text]:
    """What mends each; and the command that tells more."""
    mends: dict[str, list[str]] = {}
    for file in files:
        if file.fails and (words := remedy(file)):
            mends.setdefault(words, []).append(file.path)
    lines: list[Text] = []
    for words, paths in list(mends.items())[:_MOST_REMEDIES]:
        where = paths[0] if len(paths) == 1 else many(len(paths), "files")
        lines += do_lines(words if words.startswith("albumkit ") else f"{words} ({where})", width, "")
    if len(mends) > _MOST_REMEDIES:
        lines.append(Text(f"     and so on for {len(mends) - _MOST_REMEDIES} more", "dim"))
    unsure = any(_UNKNOWN in (_cells(file) or ()) for file in files)
    if lines or unsure:
        more = "tells why; ? is not known" if unsure else "tells why"
        lines.append(Text.assemble(("next", "green"), f"   albumkit verify FILE   {more}"))
    return [Text(), *lines] if lines else []
