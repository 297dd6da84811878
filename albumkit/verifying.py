"""``verify`` for the files of a command line: open, look at every number, predict each program, judge."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit.adapter import Adapter, Size, open_adapter
from albumkit.adapter.base import read_size
from albumkit.adapter.health import Health, scan
from albumkit.adapter.naming import ARCHITECTURES, architecture
from albumkit.adapter.predict import RUNTIMES, Prediction, Runtime, predict
from albumkit.album.find import config_above
from albumkit.atomic import whole_file
from albumkit.bases import all_bases
from albumkit.config import Config, load_config
from albumkit.engine.effect import Effect, Look, find_folder, measure_effects, side_by_side
from albumkit.errors import AdapterError, AlbumkitError, UnknownName, UsageError
from albumkit.opening import check_version
from albumkit.workflows import Progress

if TYPE_CHECKING:
    from albumkit.lint import Finding

#: Texts of a header that name the trigger: the ModelSpec standard, then what single trainers write.
_TRIGGERS = ("modelspec.trigger_phrase", "trigger_phrase", "trigger_word")
#: ai-toolkit puts the trigger here, as the only tag; others put all tags of all captions here.
_TAGS = "ss_tag_frequency"


@dataclass(frozen=True)
class Asked:
    """The programs that a file must load in, and who says so.

    ``runtimes``: none means any one of them. ``by``: ``--for``, an album.toml, or "" when nobody said.
    ``every``: all of them were asked for at once, so that one of which nothing is known does not count.
    """

    runtimes: tuple[Runtime, ...] = ()
    by: str = ""
    every: bool = False


@dataclass(frozen=True)
class Trial:
    """What ``--effect`` asks for.

    ``prompt``: None for the one that fits the file. ``look``: how the base is asked. ``out``: where the
    pictures go; None for beside the file, if ``look`` wants any.
    """

    base: str
    prompt: str | None = None
    look: Look = field(default_factory=Look)
    out: Path | None = None


@dataclass
class Verified:
    """What is known of one file.

    ``path``: as typed, with ``/``. ``base``: the model that it is loaded into; None: the one that it was made
    for. ``trigger``: what the prompt needs, and ``trigger_from`` who says so. ``error``: why there is nothing
    else to tell of it. ``effect``: what it did to a base that was really run, and ``picture`` where that is
    to be seen.
    """

    path: str
    asked: Asked = Asked()
    base: Size | None = None
    adapter: Adapter | None = None
    health: Health | None = None
    predictions: tuple[Prediction, ...] = ()
    findings: tuple[Finding, ...] = ()
    trigger: str = ""
    trigger_from: str = ""
    prompt: str = ""
    error: AlbumkitError | None = None
    effect: Effect | None = None
    picture: str = ""

    @property
    def wrong_base(self) -> bool:
        """Whether the base is not the model that it was made for."""
        size = self.adapter.size if self.adapter else None
        return self.base is not None and size is not None and self.base != size

    @property
    def loads(self) -> bool:
        """Whether it loads, rightly and fully, wherever it is asked to."""
        if self.error is not None:
            return False
        found = [one for one in self.predictions if not self.asked.runtimes or self.is_asked(one)]
        if not self.asked.runtimes:
            return any(one.ok for one in found)
        if self.asked.every:
            found = [one for one in found if one.result != "unknown"]
        return bool(found) and all(one.ok for one in found)

    def is_asked(self, prediction: Prediction) -> bool:
        """Whether it must load in this program."""
        return prediction.runtime in self.asked.runtimes

    @property
    def fails(self) -> bool:
        """Whether it makes verify exit 1."""
        if self.effect is not None and not self.effect.ok:
            return True
        return not self.loads or any(finding.severity == "error" for finding in self.findings)


@dataclass
class VerifyReport:
    """One call of verify."""

    files: list[Verified] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """1 when a file fails."""
        return int(any(file.fails for file in self.files))


def verify_files(
    paths: Sequence[Path],
    *,
    runtimes: Sequence[str] = (),
    base: str | None = None,
    trial: Trial | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Tell of every file what is in it and what each program will do with it.

    Args:
        runtimes: Programs that it must load in, or ``all``; by default those of [use] in the album.toml above
            each file, else any.
        base: The model that it is loaded into: a name, or a file or folder of the model.
        trial: A base to run each file with.
        progress: Called with bytes that were looked at.

    Raises:
        UsageError: a path that is not there, a base that is none, an unusable album.toml.
        AlbumkitError: the base of the trial is not here or does not run, or the picture cannot be written.
    """
    for path in paths:
        if path.is_dir():
            raise UsageError(
                f"{path.as_posix()} is a folder.", f"albumkit verify {path.as_posix()}/*.safetensors"
            )
        if not path.exists():
            raise UsageError(f"{path.as_posix()}: there is no such file.")
    folder = find_folder(trial.base) if trial is not None else None
    size = find_base_size(base) if base is not None else _size_of(folder)
    report = VerifyReport([_verify(path, _from_options(runtimes), size, progress) for path in paths])
    if trial is not None and folder is not None:
        _try(report.files, trial, folder)
    return report


def _size_of(folder: Path | None) -> Size | None:
    """The published model that a trial's base is, if it is one."""
    try:
        return read_size(folder) if folder is not None else None
    except AdapterError:
        return None


def _try(files: Sequence[Verified], trial: Trial, folder: Path) -> None:
    """Run the base with each file that could be opened."""
    opened = [(file, file.adapter) for file in files if file.adapter is not None and file.error is None]
    wanted = [(adapter, trial.prompt or file.prompt) for file, adapter in opened]
    if not wanted:
        return
    effects = measure_effects(trial.base, folder, wanted, trial.look)
    for (file, _), effect in zip(opened, effects, strict=True):
        file.effect = effect
        if effect.pictures:
            path = Path(file.path)
            out = trial.out or path.with_name(f"{path.stem}.effect.png")
            with whole_file(out) as stream:
                side_by_side(effect, path.name).save(stream, format="PNG")
            file.picture = out.as_posix()


def find_base_size(base: str) -> Size:
    """The model that ``--base`` means: a path that is there, else a name such as ``klein-9b``.

    Raises:
        UsageError: no model that has a table.
    """
    path = Path(base)
    if path.exists():
        try:
            return read_size(path)
        except AdapterError as error:
            raise UsageError(f"--base {error.message}", error.remedy) from error
    if path.suffix.lower() in (".safetensors", ".gguf"):
        raise UsageError(f"--base {path.as_posix()}: there is no such file.")
    sizes = {size.id: size for name in ARCHITECTURES for size in architecture(name).sizes}
    wanted = _words(base)
    fitting = [size for size in sizes.values() if wanted and wanted <= _words(*_names(size))]
    if len(fitting) == 1:
        return fitting[0]
    known = f"Known are {', '.join(sizes)}, and any file of such a model."
    if fitting:
        raise UsageError(f"--base {base} could be {' or '.join(s.id for s in fitting)}.", known)
    raise UnknownName("base", base, sizes, known)


def _names(size: Size) -> list[str]:
    """What people call a model, its distilled twin included."""
    bases = [base for base in all_bases() if size.id in (base.id, base.train_on)]
    return [size.id, size.title, *(name for base in bases for name in (base.id, base.title, base.hub or ""))]


def _words(*names: str) -> frozenset[str]:
    """Letters and digits apart: ``klein9b``, ``Klein-9B`` and ``klein 9b`` are one name."""
    return frozenset(word for name in names for word in re.findall(r"[a-z]+|\d+", name.casefold()))


def _from_options(runtimes: Sequence[str]) -> Asked | None:
    if "all" in runtimes:
        return Asked(RUNTIMES, "--for", every=True)
    chosen = tuple(runtime for runtime in RUNTIMES if runtime in runtimes)
    return Asked(chosen, "--for") if chosen else None


def _verify(path: Path, asked: Asked | None, base: Size | None, progress: Progress | None) -> Verified:
    config = _config_of(path)
    found = Verified(path.as_posix(), asked or _from_album(config), base)
    try:
        adapter = found.adapter = open_adapter(path)
        step = functools.partial(progress, path.name) if progress else None
        found.health = scan(adapter, step)
    except AdapterError as error:
        found.error = error
        return found
    found.predictions = tuple(predict(adapter, runtime, size=base) for runtime in RUNTIMES)
    found.trigger, found.trigger_from = _trigger(adapter, config)
    found.prompt = _prompt(config, found.trigger)
    return found


def _config_of(path: Path) -> Config:
    """The nearest album.toml above a file; also one that only holds what albums below it share."""
    file = config_above(path)
    if file is None:
        return Config()
    config = load_config(file)
    check_version(config)
    return config


def _from_album(config: Config) -> Asked:
    runtimes = tuple(runtime for runtime in RUNTIMES if runtime in config.use.runtime)
    if not runtimes:
        return Asked()
    return Asked(runtimes, config.origins["use.runtime"].file.as_posix())


def _trigger(adapter: Adapter, config: Config) -> tuple[str, str]:
    """The trigger, and who says so."""
    for key in _TRIGGERS:
        if words := adapter.metadata.get(key, "").strip():
            return words, "the file's header"
    try:
        tags = json.loads(adapter.metadata.get(_TAGS, "{}"))
        (words,) = {tag for group in tags.values() for tag in group}
        return str(words), "the file's header"
    except (ValueError, AttributeError, TypeError, RecursionError):
        pass  # no tags, or those of many captions
    if words := config.album.trigger_phrase or "":
        return words, config.origins["album.trigger_phrase"].file.as_posix()
    return "", ""


def _prompt(config: Config, trigger: str) -> str:
    """What to ask the base for: as it will be used, else as it was captioned."""
    if config.use.prompts:
        return config.use.prompts[0]
    return " ".join(word for word in ("a photo of", trigger, config.album.class_phrase) if word)
