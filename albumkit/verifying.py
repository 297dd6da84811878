"""``verify`` for the files of a command line: open, look at every number, predict each program, judge."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
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
from albumkit.engine.base import Base, find_base
from albumkit.engine.effect import Effect, Look, measure_effects, side_by_side
from albumkit.errors import AdapterError, AlbumkitError, UnknownName, UsageError
from albumkit.facts import find_fact
from albumkit.house import rules_for
from albumkit.opening import check_version
from albumkit.rule import Rule
from albumkit.verdict import judge

if TYPE_CHECKING:
    from albumkit.lint import Finding
    from albumkit.workflows import Progress

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
    for. ``rules``: those of its house. ``trigger``: what the prompt needs, and ``trigger_from`` who says so.
    ``error``: why there is nothing else to tell of it. ``effect``: what it did to a base that was really run,
    and ``picture`` where that is to be seen.
    """

    path: str
    asked: Asked = Asked()
    base: Size | None = None
    rules: tuple[Rule, ...] = ()
    adapter: Adapter | None = None
    health: Health | None = None
    predictions: tuple[Prediction, ...] = ()
    findings: tuple[Finding, ...] = ()
    #: What the rules say of each program by itself.
    by_program: dict[Runtime, Sequence[Finding]] = field(default_factory=dict)
    trigger: str = ""
    trigger_from: str = ""
    prompt: str = ""
    error: AlbumkitError | None = None
    effect: Effect | None = None
    picture: str = ""

    @property
    def told(self) -> tuple[Prediction, ...]:
        """The predictions that count: of the programs that were asked for, else of all that are known."""
        if self.asked.runtimes:
            return tuple(one for one in self.predictions if one.runtime in self.asked.runtimes)
        return tuple(one for one in self.predictions if one.result != "unknown")

    def is_good(self, prediction: Prediction) -> bool:
        """Whether this program loads all of it, and no rule calls what comes of it an error."""
        return prediction.result == "full" and not _errors(self.by_program[prediction.runtime])

    @property
    def loads(self) -> bool:
        """Whether it loads wherever it is asked to."""
        told = self.told
        if self.asked.every:
            told = tuple(one for one in told if one.result != "unknown")
        if self.asked.runtimes:
            return bool(told) and all(map(self.is_good, told))
        return any(map(self.is_good, told))

    @property
    def own_findings(self) -> tuple[Finding, ...]:
        """Those about the file itself, not about what programs do with it."""
        about_programs = {rule.id for rule in self.rules if _is_about_programs(rule)}
        return tuple(finding for finding in self.findings if finding.rule not in about_programs)

    @property
    def fails(self) -> bool:
        """Whether it makes verify exit 1."""
        if self.error is not None or (self.effect is not None and not self.effect.ok):
            return True
        return not self.loads or bool(_errors(self.own_findings))


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
        progress: Called with megabytes that were looked at, and with the steps of the trial.

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
    tried = find_base(trial.base, "--effect", any_pipeline=True) if trial is not None else None
    size = find_base_size(base) if base is not None else _size_of(tried)
    report = VerifyReport([_verify(path, _from_options(runtimes), size, progress) for path in paths])
    if trial is not None and tried is not None:
        _try(report.files, trial, tried, progress)
    return report


def _size_of(base: Base | None) -> Size | None:
    """The published model that a trial's base is, if it is one."""
    try:
        return read_size(base.weights("transformer")[0]) if base is not None else None
    except AdapterError:
        return None


def _try(files: Sequence[Verified], trial: Trial, base: Base, progress: Progress | None) -> None:
    """Run the base with each file that could be opened."""
    opened = [(file, file.adapter) for file in files if file.adapter is not None and file.error is None]
    wanted = [(adapter, trial.prompt or file.prompt) for file, adapter in opened]
    if not wanted:
        return
    step = functools.partial(progress, trial.base) if progress else None
    effects = measure_effects(base, wanted, trial.look, step)
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
    found = Verified(path.as_posix(), asked or _from_album(config), base, rules_for(config))
    try:
        adapter = found.adapter = open_adapter(path)
        found.health = scan(adapter, _megabytes(progress, path.name))
    except AdapterError as error:
        found.error = error
        return found
    found.predictions = tuple(predict(adapter, runtime, size=base) for runtime in RUNTIMES)
    about_programs = [rule for rule in found.rules if _is_about_programs(rule)]
    for one in found.predictions:
        judged = judge(adapter, [one], None, base=base, rules=about_programs)
        found.by_program[one.runtime] = judged.findings
    found.findings = tuple(judge(adapter, found.told, found.health, base=base, rules=found.rules).findings)
    found.trigger, found.trigger_from = trigger_of(adapter, config)
    found.prompt = _prompt(config, found.trigger)
    return found


def _megabytes(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    """Bytes as a person reads them."""
    if progress is None:
        return None
    return lambda done, total: progress(f"{name}, MB", done // 1_000_000, total // 1_000_000)


def _is_about_programs(rule: Rule) -> bool:
    """Whether a rule asks for what programs do with a file, not for the file alone."""
    facts = [find_fact("adapter", name) for name in rule.needs] if rule.scope == "adapter" else []
    return any("predictions" in known.needs for known in facts if known)


def _errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


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


def trigger_of(adapter: Adapter, config: Config | None = None) -> tuple[str, str]:
    """The trigger, and who says so: the file itself, else the album.toml above it."""
    for key in _TRIGGERS:
        if words := adapter.metadata.get(key, "").strip():
            return words, "the file's header"
    try:
        tags = json.loads(adapter.metadata.get(_TAGS, "{}"))
        (words,) = {tag for group in tags.values() for tag in group}
        return str(words), "the file's header"
    except (ValueError, AttributeError, TypeError, RecursionError):
        pass  # no tags, or those of many captions
    if config is not None and (words := config.album.trigger_phrase or ""):
        return words, config.origins["album.trigger_phrase"].file.as_posix()
    return "", ""


def _prompt(config: Config, trigger: str) -> str:
    """What to ask the base for: as it will be used, else as it was captioned."""
    if config.use.prompts:
        return config.use.prompts[0]
    subject = " ".join(word for word in (trigger, config.album.class_phrase) if word)
    return f"a photo of {subject}" if subject else "a photo"
