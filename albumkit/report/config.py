"""What ``albumkit config`` shows: every setting of an album and where it comes from; text or JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from albumkit import __version__
from albumkit.config import Origin
from albumkit.errors import nearest
from albumkit.opening import OpenAlbum
from albumkit.paths import quoted
from albumkit.settings import Settings, Value
from albumkit.tomledit import toml_value
from albumkit.trainers import all_knob_names

if TYPE_CHECKING:
    from rich.text import Text

SCHEMA = "albumkit-config/1"
NOT_SET = "not set"
#: Few knobs have longer names; those push their values.
_WIDEST_NAME = 24


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. ``file`` is relative to the album, "" when it was not read from a file."""

    name: str
    value: Any
    origin: str
    file: str = ""
    line: int | None = None
    #: For a name that the trainer does not know: the one that was meant, or "".
    near: str = ""
    #: For such a name: whether some other trainer has it.
    elsewhere: bool = False
    #: A knob's spelling in the trainer's own request.
    own_name: str = ""

    @property
    def is_unset(self) -> bool:
        return self.value is None or (self.value == [] and not self.file)

    @property
    def by_person(self) -> bool:
        return bool(self.file) or self.origin == "command line"

    @property
    def place(self) -> str:
        """``album.toml line 4``, or in words where the value comes from."""
        if not self.file:
            return self.origin
        return f"{self.file} line {self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class ConfigView:
    """Everything that counts for one album, by table of album.toml."""

    opened: OpenAlbum
    settings: Settings
    album: tuple[Row, ...]
    use: tuple[Row, ...]
    caption: tuple[Row, ...]
    trainer: Row
    knobs: tuple[Row, ...]
    unknown: tuple[Row, ...]

    @property
    def files(self) -> list[str]:
        return [self.opened.relative(file) for file in self.opened.config.files]


def view(opened: OpenAlbum, settings: Settings) -> ConfigView:
    """Put every resolved value beside its origin."""
    config = opened.config

    def written(key: str, value: Any, otherwise: str = NOT_SET) -> Row:
        name = key.partition(".")[2]
        place = config.origins.get(key)
        return _row(opened, name, value, otherwise, place)

    trigger = written("album.trigger_phrase", settings.trigger_phrase)
    stronger = settings.knobs.get("trigger_phrase") or settings.unknown.get("trigger_phrase")
    if stronger and stronger.is_set and isinstance(stronger.value, str):
        trigger = _row(opened, "trigger_phrase", stronger.value, stronger.origin, stronger.place)
    by_file = settings.trainer_origin == "album.toml"
    trainer_place = config.origins.get("train.trainer") if by_file else None
    return ConfigView(
        opened=opened,
        settings=settings,
        album=(
            written("album.kind", settings.kind, settings.kind_origin),
            trigger,
            written("album.class_phrase", settings.class_phrase),
            written("album.exclude", list(config.album.exclude)),
        ),
        use=(
            written("use.runtime", list(settings.runtimes)),
            written("use.prompts", list(settings.prompts)),
            written("use.resolution", settings.use_resolution),
            written("use.commercial", settings.commercial),
        ),
        caption=(
            written("caption.never_say", list(config.caption.never_say)),
            written("caption.instruction", config.caption.instruction),
        ),
        trainer=_row(opened, "trainer", settings.trainer.id, settings.trainer_origin, trainer_place),
        knobs=tuple(_knobs(opened, settings)),
        unknown=tuple(_unknown(opened, settings)),
    )


def config_document(shown: ConfigView) -> dict[str, Any]:
    """The JSON form; ``value`` is null for what is not set."""
    opened, config = shown.opened, shown.opened.config
    return {
        "schema": SCHEMA,
        "version": __version__,
        "album": opened.display,
        "examples": len(opened.album.examples),
        "files": shown.files,
        "trainer": shown.settings.trainer.id,
        "kind": shown.settings.kind,
        "settings": [
            *({"table": "album", **_json_row(row)} for row in shown.album),
            *({"table": "use", **_json_row(row)} for row in shown.use),
            *({"table": "caption", **_json_row(row)} for row in shown.caption),
            {"table": "train", **_json_row(shown.trainer)},
        ],
        "knobs": [{**_json_row(row), "own_name": row.own_name} for row in shown.knobs],
        "unknown": [{**_json_row(row), "nearest": row.near or None} for row in shown.unknown],
        "ignores": [{"rule": i.rule, "paths": list(i.paths), "reason": i.reason} for i in config.ignores],
    }


def config_lines(shown: ConfigView, width: int) -> list[Text]:
    """The text form, at most ``width`` columns wide."""
    from rich.text import Text

    width = max(40, min(width, 100))
    opened, settings = shown.opened, shown.settings
    caption = [row for row in shown.caption if row.by_person]
    rows = (*shown.album, *shown.use, *caption, shown.trainer, *shown.knobs, *shown.unknown)
    column = max(len(row.name) for row in rows)
    lines = [_headline(shown, width)]
    sections = [("[album]", shown.album), ("[use]", shown.use), ("[caption]", caption)]
    for title, members in (*sections, ("[train]", (shown.trainer, *shown.knobs))):
        if not members:
            continue
        lines += [Text(), Text(title, "bold"), *aligned([_line(row) for row in members], width, column)]
    if shown.unknown:
        reason = "   this trainer has no such knob"
        lines += [Text(), Text.assemble(("unknown", "bold red"), (reason, "dim"))]
        lines += aligned([_line(row) for row in shown.unknown], width, column)
    if opened.config.ignores:
        lines += [Text(), Text("[[lint.ignore]]", "bold")]
        ignores = [Line(i.rule, "\n".join(i.paths) or "everywhere", i.reason) for i in opened.config.ignores]
        lines += aligned(ignores, width, column)
    other = [name for name in opened.config.train.per_trainer if name != settings.trainer.id]
    if other:
        lines += [Text(), Text(f"not used here: the settings for {', '.join(sorted(other))}", "dim")]
    return [*lines, Text(), _next(shown)]


@dataclass(frozen=True, slots=True)
class Line:
    """A name, its value and where that comes from, as they are drawn; line breaks in ``value`` are kept."""

    name: str
    value: str
    aside: str
    style: str = ""


def aligned(rows: Sequence[Line], width: int, column: int = 0) -> list[Text]:
    """Three columns: the name (at least ``column`` wide), the value, at the right edge where it is from.

    What is too long for its column goes on below, inside it; a very long name pushes its value.
    """
    from rich.cells import cell_len

    column = min(max(column, *(cell_len(row.name) for row in rows), 0), _WIDEST_NAME)
    return [line for row in rows for line in _draw(row, width, 4 + max(column, cell_len(row.name)))]


def _draw(row: Line, width: int, left: int) -> list[Text]:
    from rich.cells import cell_len
    from rich.text import Text

    room = width - left
    longest = max(map(cell_len, row.value.split("\n")))
    right = cell_len(row.aside)
    if longest + 2 + right > room:  # not on one line: the aside keeps a third, and the longer one folds
        right = min(right, max(room - longest - 2, room // 3, min(24, room // 2)))
        spare = room - 2 - max(map(cell_len, row.value.split()), default=0)
        right = spare if 12 <= spare < right else right  # rather than break a trainer's id
    values = [part for line in row.value.split("\n") for part in _fold(line, room - right - 2)]
    asides = _fold(row.aside, right)
    edge = width - max(map(cell_len, asides))
    drawn = []
    for number in range(max(len(values), len(asides))):
        line = Text(f"  {row.name}" if number == 0 else "")
        line.append(" " * (left - line.cell_len))
        line.append(values[number] if number < len(values) else "", row.style)
        if number < len(asides) and asides[number]:
            line.append(" " * max(2, edge - line.cell_len))
            line.append(asides[number], "dim")
        line.rstrip()
        drawn.append(line)
    return drawn


def _fold(text: str, room: int) -> list[str]:
    """Lines of at most ``room`` cells, broken at blanks where there are some."""
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for word in text.split(" "):
        for number, piece in enumerate(chop_cells(word, max(room, 8)) or [""]):
            joined = f"{lines[-1]} {piece}" if number == 0 and lines != [""] else lines[-1] + piece
            if cell_len(joined) <= room or lines == [""]:
                lines[-1] = joined
            else:
                lines.append(piece)
    return lines


def _row(opened: OpenAlbum, name: str, value: Any, origin: str, place: Origin | None) -> Row:
    if place is None:
        return Row(name, value, origin)
    return Row(name, value, "file", opened.relative(place.file), place.line)


def _knobs(opened: OpenAlbum, settings: Settings) -> list[Row]:
    rows = []
    for knob in settings.trainer.knobs.values():
        if knob.name == settings.trainer.archive.knob:
            continue
        missing = f"{NOT_SET}, required" if knob.required else NOT_SET
        value = settings.knobs.get(knob.name) or Value(None, missing)
        row = _row(opened, knob.name, value.value, value.origin, value.place)
        rows.append(replace(row, own_name=knob.own_name))
    return rows


def _unknown(opened: OpenAlbum, settings: Settings) -> list[Row]:
    known = {name for knob in settings.trainer.knobs.values() for name in (knob.name, knob.own_name)}
    rows = []
    for name, value in settings.unknown.items():
        elsewhere = name in all_knob_names()
        near = "" if elsewhere else nearest(name, known) or ""
        row = _row(opened, name, value.value, value.origin, value.place)
        rows.append(replace(row, near=near, elsewhere=elsewhere))
    return rows


def _line(row: Row) -> Line:
    hint = f", nearest is {row.near}" if row.near else ", other trainers have it" if row.elsewhere else ""
    if row.is_unset:
        return Line(row.name, "-", row.place, "dim")
    if isinstance(row.value, list) and len(row.value) > 1 and all(isinstance(v, str) for v in row.value):
        value = "\n".join(map(toml_value, row.value))
    else:
        value = toml_value(row.value)
    return Line(row.name, value, row.place + hint, "cyan" if row.by_person else "")


def _json_row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "value": None if row.is_unset else _plain(row.value),
        "origin": row.origin,
        "file": row.file or None,
        "line": row.line,
    }


def _plain(value: Any) -> Any:
    """What JSON can hold: dates, nan and inf of TOML become text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _headline(shown: ConfigView, width: int) -> Text:
    from rich.text import Text

    from albumkit.report.text import many

    album = shown.opened.album
    noun = "pairs" if album.has_pairs else "clips" if shown.opened.guessed_kind == "video" else "pictures"
    line = Text.assemble(
        (shown.opened.display, "bold"), f"   {shown.settings.kind}, {many(len(album.examples), noun)}"
    )
    place = f"({', '.join(shown.files) or 'no album.toml'})"
    gap = width - line.cell_len - len(place)
    return line.append(" " * gap + place, "dim") if gap >= 2 else line


def _next(shown: ConfigView) -> Text:
    from rich.text import Text

    name = quoted(shown.opened.display)
    commands = [f"albumkit lint {name}"]
    if not shown.files and shown.opened.path.is_dir():
        commands.insert(0, f"albumkit init {name}")
    return Text.assemble(("next   ", "green"), "  |  ".join(commands))
