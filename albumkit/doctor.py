"""What this machine has: packages, graphics card, models, and the rules that cannot run for want of them.

Nothing heavy is imported and nothing is downloaded: packages are asked for their metadata, the card through
its driver's own program, models by the folders that they lie in.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from albumkit import __version__
from albumkit.engine import hub
from albumkit.engine.base import POCKET
from albumkit.engine.machine import TORCH_WITH_CUDA
from albumkit.engine.survey import survey
from albumkit.facts import find_fact
from albumkit.paths import cache_dir, from_home, rules_root
from albumkit.rule import Rule, load_rules

State = Literal["there", "missing", "broken"]
#: Extras that gather others or serve the developers of albumkit.
_GATHERED = frozenset({"all", "dev"})
_PURPOSES = {
    "video": "clips",
    "caption": "captions by a model on this machine, exact token counts",
    "mask": "masks by rembg",
    "train": "train, generate, verify --effect",
}
#: Other models in the hub's cache that people train on, or whose tokenizer counts a caption.
_MODELS = re.compile(r"[\w.-]+/(?:FLUX|Qwen3|Z-Image|Wan|LTX)[\w.-]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked for. ``remedy`` is the line that mends it, or ""."""

    group: str
    name: str
    state: State
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Idle:
    """Rules that cannot run here, and the line that mends it."""

    reason: str
    rules: tuple[str, ...]
    remedy: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that ``albumkit doctor`` tells."""

    checks: tuple[Check, ...]
    idle: tuple[Idle, ...]
    rules: int


def examine() -> Diagnosis:
    """Look at this machine. Never raises for what is missing."""
    rules = load_rules()
    extras = _extras()
    checks = [*_core(), *extras, *_tools(), *_graphics(), *_models()]
    missing = {check.name: check.remedy for check in extras if check.state != "there"}
    return Diagnosis(tuple(checks), tuple(_idle(rules, missing)), len(rules))


def _core() -> list[Check]:
    rules = f"{__version__}, {len(load_rules())} rules in {from_home(rules_root())}"
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    upgrade = "pip install --upgrade albumkit"
    own = Check("albumkit", "albumkit", "there", rules)
    if not _declared("Name"):
        away = "runs from a folder without being installed: what it needs is not known"
        own = Check("albumkit", "albumkit", "broken", away, "pip install -e .   in that folder")
    return [
        own,
        Check("albumkit", "Python", "there", python),
        *(_package("albumkit", [needed], needed.name, upgrade) for needed in _requirements(None)),
        _cache(),
    ]


def _extras() -> list[Check]:
    """Each optional part that pyproject.toml declares: its packages, and what they are for."""
    return [
        _package(
            "extras", _requirements(name), name, f'pip install "albumkit[{name}]"', _PURPOSES.get(name, "")
        )
        for name in _declared("Provides-Extra")
        if name not in _GATHERED
    ]


def _declared(key: str) -> list[str]:
    """What pyproject.toml said of albumkit when it was installed; nothing where it was not."""
    try:
        return metadata.metadata("albumkit").get_all(key) or []
    except metadata.PackageNotFoundError:
        return []


def _requirements(extra: str | None) -> list[Requirement]:
    """What albumkit needs by itself (None), or for one extra on top."""
    found = []
    for text in _declared("Requires-Dist"):
        requirement = Requirement(text)
        marker = requirement.marker
        plain = marker is None or marker.evaluate({"extra": ""})
        wanted = (
            plain if extra is None else not plain and marker is not None and marker.evaluate({"extra": extra})
        )
        if wanted:
            found.append(requirement)
    return found


def _package(
    group: str, requirements: Sequence[Requirement], name: str, remedy: str, purpose: str = ""
) -> Check:
    """Whether all of these are installed, and in a version that will do."""
    words: list[str] = []
    state: State = "there"
    for requirement in requirements:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            words.append(f"{requirement.name} is not installed")
            state = "missing"
            continue
        words.append(version if requirement.name == name else f"{requirement.name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            words.append(f"but {requirement.specifier} is needed")
            state = "broken"
    detail = ", ".join(words) + (f" (for {purpose})" if purpose else "")
    return Check(group, name, state, detail, "" if state == "there" else remedy)


def _cache() -> Check:
    """Whether measurements can be kept, and how much they take."""
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        writable, size = False, 0
        reason = error.strerror or "cannot be made"
    else:
        reason = "cannot be written"
    if writable:
        return Check("albumkit", "cache", "there", f"{size / 1e6:.1f} MB in {from_home(folder)}")
    remedy = "set ALBUMKIT_CACHE_DIR to a folder of your own; until then every run measures anew"
    return Check("albumkit", "cache", "broken", f"{from_home(folder)}: {reason}", remedy)


def _tools() -> list[Check]:
    """Programs that some options call."""
    checks = []
    for name, words, purpose in (
        ("git", ["--version"], "--tracked, --since and the hooks"),
        ("git-lfs", ["version"], "albums kept in Git LFS"),
    ):
        said = _run([name, *words])
        if said is None:
            checks.append(Check("tools", name, "missing", f"needed for {purpose}", f"install {name}"))
        else:
            version = re.search(r"\d+(?:\.\d+)+", said)
            checks.append(Check("tools", name, "there", version[0] if version else said.strip()))
    return checks


def nvidia_cards() -> list[str]:
    """``name, memory in MiB, driver`` of every NVIDIA card whose driver answers."""
    said = _run(
        ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    )
    return (said or "").splitlines()


def _graphics() -> list[Check]:
    """NVIDIA cards by their driver, and whether the installed torch can use them."""
    cards = nvidia_cards()
    checks = []
    for line in cards:
        name, memory, driver = (*[part.strip() for part in line.split(",")], "", "")[:3]
        gib = f"{int(memory) / 1024:.0f} GiB, " if memory.isdigit() else ""
        checks.append(Check("graphics", name, "there", f"{gib}driver {driver}"))
    metal = sys.platform == "darwin" and platform.machine() == "arm64"
    if metal:
        checks.append(Check("graphics", "Apple GPU", "there", "shares the computer's memory"))
    if not checks:
        checks.append(
            Check(
                "graphics", "GPU", "missing", "no NVIDIA driver answers: only hosted trainers will be quick"
            )
        )
    torch = _torch(bool(cards))
    return [*checks, torch] if torch else checks


def _torch(nvidia: bool) -> Check | None:
    """The installed torch, without importing it; a build without CUDA beside a card is a fault."""
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return None
    spec = util.find_spec("torch")
    cuda = None
    if spec is not None and spec.origin is not None:
        built = Path(spec.origin).with_name("version.py")
        match = re.search(r"^cuda\b[^=]*=\s*'([\d.]+)'", _text(built), re.MULTILINE)
        cuda = match[1] if match else None
    if cuda:
        return Check("graphics", "torch", "there", f"{version}, built for CUDA {cuda}")
    if nvidia:
        words = f"{version} cannot use the card: built without CUDA"
        return Check("graphics", "torch", "broken", words, TORCH_WITH_CUDA)
    return Check("graphics", "torch", "there", f"{version}, without CUDA")


def _models() -> list[Check]:
    """Bases that can be trained, whole or not, and other models in the hub's cache."""
    checks = []
    for found in survey():
        problem, place = found.problem, from_home(found.folder)
        if found.name == POCKET and problem is None:
            checks.append(Check("models", POCKET, "there", "the small base that ships with albumkit"))
        elif problem is None:
            checks.append(Check("models", found.name, "there", f"in {place}"))
        else:
            checks.append(Check("models", found.name, "missing", problem.message, problem.remedy))
    known = {check.name for check in checks}
    others = [name for name, _ in hub.all_snapshots() if _MODELS.fullmatch(name) and name not in known]
    return checks + [Check("models", name, "there", f"in {from_home(hub.hub_cache())}") for name in others]


def _idle(rules: Iterable[Rule], missing: dict[str, str]) -> list[Idle]:
    """Rules whose facts need an extra that is not there."""
    found = []
    for extra, remedy in missing.items():
        named = tuple(
            rule.id
            for rule in rules
            if any(extra in fact.extras for name in rule.needs if (fact := find_fact(rule.scope, name)))
        )
        if named:
            found.append(Idle(f"the extra {extra} is not installed", named, remedy))
    return found


def _run(words: list[str]) -> str | None:
    """What a program prints; None when it is not there or fails."""
    program = shutil.which(words[0])
    if program is None:
        return None
    try:
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
