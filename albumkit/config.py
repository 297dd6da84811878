"""album.toml: what a person decided about an album, as frozen dataclasses.

Every key is optional and an unknown one is an error that names the file, the key and the nearest known
key. ``extend`` takes the settings of another file first; the nearest file wins, key by key. Knobs of
[train] are kept as written: whether a trainer offers them is for rules to judge.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from albumkit.errors import ConfigError, nearest

T = TypeVar("T")

KINDS = ("subject", "style", "edit", "video")
#: What an edit album teaches: changed content in a kept frame, or a changed frame (zoom, pose, view).
EDITS = ("content", "geometry")
RUNTIMES = ("comfy", "fal", "diffusers")

_KEYS: dict[str, tuple[str, ...]] = {
    "": ("extend", "required_version", "album", "use", "caption", "train", "lint"),
    "album": ("kind", "trigger_phrase", "class_phrase", "edit", "exclude"),
    "use": ("runtime", "prompts", "resolution", "commercial"),
    "caption": ("never_say", "instruction"),
    "lint": ("ignore", "enable", "rules"),
    "lint.ignore": ("rule", "paths", "reason"),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written. ``line`` is None where it cannot be told (inline tables)."""

    file: Path
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A value with the place it was written at."""

    value: Any
    origin: Origin


@dataclass(frozen=True, slots=True)
class Ignore:
    """One ``[[lint.ignore]]``; without paths it holds for the whole album."""

    rule: str
    reason: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlbumTable:
    kind: str | None = None
    #: None: not said. "": trained without a trigger, on purpose.
    trigger_phrase: str | None = None
    class_phrase: str | None = None
    edit: str | None = None
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UseTable:
    """Where the LoRA will be used."""

    runtime: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    #: Side in pixels of the square whose area the pictures made with it will have.
    resolution: int | None = None
    #: Whether money will be made with it; None: not said.
    commercial: bool | None = None


@dataclass(frozen=True, slots=True)
class CaptionTable:
    """What captions of the album keep to. ``never_say``: what belongs to the subject for good.
    ``instruction``: the one instruction of an edit album's pairs.
    """

    never_say: tuple[str, ...] = ()
    instruction: str | None = None


@dataclass(frozen=True, slots=True)
class TrainTable:
    """``[train]`` and ``[train."ID"]``: knob name -> value as written."""

    trainer: str | None = None
    knobs: Mapping[str, Written] = field(default_factory=dict)
    per_trainer: Mapping[str, Mapping[str, Written]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """One album's album.toml with everything it extends; ``files``: nearest first, maybe none."""

    album: AlbumTable = AlbumTable()
    use: UseTable = UseTable()
    caption: CaptionTable = CaptionTable()
    train: TrainTable = TrainTable()
    ignores: tuple[Ignore, ...] = ()
    #: Opt-in rules that are wanted here.
    enable: tuple[str, ...] = ()
    #: Folder of house rules, resolved against the file that names it.
    rules: Path | None = None
    #: Versions of albumkit that may judge this album, such as ">=0.2".
    required_version: str | None = None
    files: tuple[Path, ...] = ()
    #: "album.kind" -> place, for everything written outside of [train].
    origins: Mapping[str, Origin] = field(default_factory=dict)


def load_config(file: Path) -> Config:
    """Read an album.toml from disk.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, a value of the wrong type, a circle of ``extend``.
    """
    return _load(file, ())


def _load(file: Path, above: tuple[Path, ...]) -> Config:
    if "\0" in str(file):
        raise ConfigError(above[-1] if above else file, "extend names no file: there is a NUL in it.")
    if file.resolve() in [f.resolve() for f in above]:
        raise ConfigError(above[-1], f"extend goes round in a circle through {file.as_posix()}.")
    try:
        data = file.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        if above:
            raise ConfigError(above[-1], f"extend names {file.as_posix()}: {reason}.") from error
        raise ConfigError(file, f"{reason}.") from error
    config, extend = parse_config(data, file)
    if extend is None:
        return config
    return _over(config, _load(file.parent / extend, (*above, file)))


def parse_config(data: bytes, file: Path) -> tuple[Config, str | None]:
    """One file's own settings and what it extends (unresolved). Errors as :func:`load_config`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(file, "is not UTF-8.", "Save it as UTF-8.") from error
    try:
        document = tomllib.loads(text.replace("\r\n", "\n"))
    except RecursionError as error:
        raise ConfigError(file, "is not valid TOML: brackets within brackets without end.") from error
    except ValueError as error:  # also int()'s own, for a number of thousands of digits
        raise ConfigError(file, f"is not valid TOML: {error}.") from error
    return _Reader(file, text).read(document)


class _Reader:
    """Checks types key by key and remembers lines, so that every complaint has a place."""

    def __init__(self, file: Path, text: str) -> None:
        self.file = file
        self.lines = _lines_of_keys(text)
        self.origins: dict[str, Origin] = {}

    def read(self, document: dict[str, Any]) -> tuple[Config, str | None]:
        self._known("", document)
        tables = {name: self._table(document, name) for name in ("album", "use", "caption", "lint")}
        for name, table in tables.items():
            self._known(name, table)
        album, use = tables["album"], tables["use"]
        config = Config(
            album=AlbumTable(
                kind=self._choice(album, "album.kind", KINDS),
                trigger_phrase=self._text(album, "album.trigger_phrase"),
                class_phrase=self._text(album, "album.class_phrase"),
                edit=self._choice(album, "album.edit", EDITS),
                exclude=self._texts(album, "album.exclude"),
            ),
            use=UseTable(
                runtime=self._choices(use, "use.runtime", RUNTIMES),
                prompts=self._texts(use, "use.prompts"),
                resolution=self._pixels(use, "use.resolution"),
                commercial=self._flag(use, "use.commercial"),
            ),
            caption=CaptionTable(
                never_say=self._texts(tables["caption"], "caption.never_say"),
                instruction=self._text(tables["caption"], "caption.instruction"),
            ),
            train=self._train(self._table(document, "train")),
            ignores=self._ignores(tables["lint"]),
            enable=self._texts(tables["lint"], "lint.enable"),
            rules=self.file.parent / rules if (rules := self._text(tables["lint"], "lint.rules")) else None,
            required_version=self._text(document, "required_version"),
            files=(self.file,),
            origins=self.origins,
        )
        return config, self._text(document, "extend")

    def _train(self, table: dict[str, Any]) -> TrainTable:
        own: dict[str, Written] = {}
        per_trainer: dict[str, Mapping[str, Written]] = {}
        for key, value in table.items():
            if isinstance(value, dict):
                prefix = f"train.{key}"
                per_trainer[key] = {k: Written(v, self._origin(f"{prefix}.{k}")) for k, v in value.items()}
            elif key != "trainer":
                own[key] = Written(value, self._origin(f"train.{key}"))
        return TrainTable(self._text(table, "train.trainer"), own, per_trainer)

    def _ignores(self, table: dict[str, Any]) -> tuple[Ignore, ...]:
        rows = table.get("ignore", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._wrong("lint.ignore", "must be written as [[lint.ignore]] tables")
        found = []
        for row in rows:
            self._known("lint.ignore", row)
            rule, reason = self._text(row, "lint.ignore.rule"), self._text(row, "lint.ignore.reason")
            if not rule or not reason:
                raise self._wrong("lint.ignore", "needs a rule and a reason")
            found.append(Ignore(rule, reason, self._texts(row, "lint.ignore.paths")))
        return tuple(found)

    def _known(self, table: str, values: Mapping[str, Any]) -> None:
        for key in values:
            if key not in _KEYS[table]:
                name = f"{table}.{key}".lstrip(".")
                close = nearest(key, _KEYS[table])
                hint = f" The nearest is {close}." if close else f" Known are {', '.join(_KEYS[table])}."
                raise ConfigError(self.file, f"unknown key {name}.{hint}", line=self.lines.get(name))

    def _table(self, document: dict[str, Any], name: str) -> dict[str, Any]:
        value = document.get(name, {})
        if not isinstance(value, dict):
            raise self._wrong(name, f"must be a table: [{name}]")
        return value

    def _text(self, table: Mapping[str, Any], name: str) -> str | None:
        value = table.get(name.rpartition(".")[2])
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._wrong(name, f"must be a text in quotes, not {value!r}")
        self.origins[name] = self._origin(name)
        return value

    def _texts(self, table: Mapping[str, Any], name: str) -> tuple[str, ...]:
        value = table.get(name.rpartition(".")[2])
        if value is None:
            return ()
        if isinstance(value, str) or not (
            isinstance(value, list) and all(isinstance(item, str) for item in value)
        ):
            raise self._wrong(name, 'must be a list of texts: ["...", "..."]')
        self.origins[name] = self._origin(name)
        return tuple(value)

    def _flag(self, table: Mapping[str, Any], name: str) -> bool | None:
        value = table.get(name.rpartition(".")[2])
        if value is not None and not isinstance(value, bool):
            raise self._wrong(name, f"must be true or false, not {value!r}")
        if value is not None:
            self.origins[name] = self._origin(name)
        return value

    def _pixels(self, table: Mapping[str, Any], name: str) -> int | None:
        value = table.get(name.rpartition(".")[2])
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self._wrong(name, f"must be a whole number of pixels, not {value!r}")
        self.origins[name] = self._origin(name)
        return value

    def _choice(self, table: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str | None:
        value = self._text(table, name)
        if value is not None and value not in allowed:
            raise self._wrong(name, f'is "{value}"; it takes {", ".join(allowed)}')
        return value

    def _choices(self, table: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        values = self._texts(table, name)
        for value in values:
            if value not in allowed:
                raise self._wrong(name, f'names "{value}"; it takes {", ".join(allowed)}')
        return values

    def _origin(self, name: str) -> Origin:
        return Origin(self.file, self.lines.get(name))

    def _wrong(self, name: str, what: str) -> ConfigError:
        return ConfigError(self.file, f"{name} {what}.", line=self.lines.get(name))


_HEADER = re.compile(r"\s*\[{1,2}(?P<name>[^\]]+)\]{1,2}\s*(?:#.*)?\Z")
_KEY = re.compile(
    r"""\s*(?P<key>(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*="""
)


def _lines_of_keys(text: str) -> dict[str, int]:
    """Dotted key -> line, from 1. Good for plain tables, which is what people write; tomllib gives none.

    A line inside a multi-line text can look like a key; the first place found wins.
    """
    table = ""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):  # splitlines would count U+2028 too
        if header := _HEADER.match(line):
            table = _plain(header["name"])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault(f"{table}.{_plain(key['key'])}".lstrip("."), number)
    return lines


def _plain(name: str) -> str:
    return re.sub(r"""["']""", "", name).strip()


def _over(near: Config, far: Config) -> Config:
    """The near file's settings laid over those that it extends. Lists replace; ignores add up."""
    knobs = {**far.train.knobs, **near.train.knobs}
    per_trainer = {
        key: {**far.train.per_trainer.get(key, {}), **near.train.per_trainer.get(key, {})}
        for key in {*far.train.per_trainer, *near.train.per_trainer}
    }
    album, use = near.album, near.use
    return replace(
        near,
        album=AlbumTable(
            kind=album.kind or far.album.kind,
            trigger_phrase=_first(album.trigger_phrase, far.album.trigger_phrase),
            class_phrase=_first(album.class_phrase, far.album.class_phrase),
            edit=album.edit or far.album.edit,
            exclude=album.exclude if "album.exclude" in near.origins else far.album.exclude,
        ),
        use=UseTable(
            runtime=use.runtime if "use.runtime" in near.origins else far.use.runtime,
            prompts=use.prompts if "use.prompts" in near.origins else far.use.prompts,
            resolution=_first(use.resolution, far.use.resolution),
            commercial=_first(use.commercial, far.use.commercial),
        ),
        caption=CaptionTable(
            near.caption.never_say if "caption.never_say" in near.origins else far.caption.never_say,
            _first(near.caption.instruction, far.caption.instruction),
        ),
        train=TrainTable(near.train.trainer or far.train.trainer, knobs, per_trainer),
        ignores=near.ignores + far.ignores,
        enable=near.enable + far.enable,
        rules=near.rules or far.rules,
        required_version=_first(near.required_version, far.required_version),
        files=near.files + far.files,
        origins={**far.origins, **near.origins},
    )


def _first(near: T | None, far: T | None) -> T | None:
    return far if near is None else near
