"""Rules: JSON Schemas over facts, plus the words a person needs. All opinion, no code.

A rule is one file below ``rules/``; its path is its id. A repository of albums may have such a folder of its
own: see :mod:`albumkit.house`.
"""

from __future__ import annotations

import functools
import json
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumkit.documents import unusable
from albumkit.errors import UnknownName
from albumkit.facts import ADAPTER_SCOPES, COSTS, SCOPES, Cost, Scope, find_fact
from albumkit.paths import rules_root

SEVERITIES = ("error", "warning", "note")
#: Folders of rules/ that hold rules; the others hold trainers and profiles.
RULE_FOLDERS = ("example", "clip", "album", "caption", "mask", "pair", "settings", "adapter")


@dataclass(frozen=True, slots=True)
class Remedy:
    """A command or edit that mends a fault, and what it gives; both may hold message fields."""

    do: str
    gives: str = ""


@dataclass(frozen=True)
class Rule:
    """One fault: its schema over facts, and its words. ``id`` is its path below rules/."""

    id: str
    scope: Scope
    severity: str
    title: str
    schema: Mapping[str, Any]
    needs: tuple[str, ...]
    message: str
    why: str
    remedies: tuple[Remedy, ...]
    sources: tuple[str, ...]
    since: str
    examples: tuple[Mapping[str, Any], ...]
    counterexamples: tuple[Mapping[str, Any], ...]
    needs_knob: str | None = None
    #: A knob whose line in album.toml is the place of the fault (settings rules).
    about_knob: str | None = None
    #: A fact that names the other files of the fault.
    related: str | None = None
    #: When pack mends it: a schema over facts, and the words of the counted line.
    handled_when: Mapping[str, Any] | None = None
    handled_as: str = ""
    fix: Mapping[str, str] | None = None
    #: Off until a person asks for it (--select, [lint] enable): it is right too seldom, or wanted by few.
    opt_in: bool = False
    aliases: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @functools.cached_property
    def message_fields(self) -> tuple[str, ...]:
        """The facts that the message shows."""
        return tuple(name for name in _fields([self.message]) if name != "album_path")

    @functools.cached_property
    def cost(self) -> Cost:
        """The dearest fact that the rule needs."""
        facts = [find_fact(self.scope, name) for name in self.needs]
        return max((f.cost for f in facts if f), key=COSTS.index, default="stat")

    @property
    def of_album(self) -> bool:
        """Whether lint runs it; the others judge the LoRA that comes out: :mod:`albumkit.verdict`."""
        return self.scope not in ADAPTER_SCOPES

    @functools.cached_property
    def validator(self) -> Any:
        import jsonschema_rs

        return jsonschema_rs.Draft202012Validator(dict(self.schema))

    @functools.cached_property
    def handled_validator(self) -> Any:
        import jsonschema_rs

        return jsonschema_rs.Draft202012Validator(dict(self.handled_when) if self.handled_when else False)

    def violation(self, facts: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
        """(fact, value, limit) of the first broken property, or None when the facts pass."""
        for error in self.validator.iter_errors(facts):
            name = str(error.instance_path[0]) if error.instance_path else self.needs[0]
            part: Any = self.schema
            for step in error.schema_path:
                part = part[step]
            return name, facts.get(name), part
        return None


@functools.cache
def load_rules() -> tuple[Rule, ...]:
    """Every shipped rule, by id. An album may have further ones: :func:`albumkit.house.rules_for`."""
    return read_rules(rules_root())


def read_rules(folder: Path) -> tuple[Rule, ...]:
    """The rules of one folder, by id; raises AlbumkitError for a file that is none."""
    return tuple(sorted((read_rule(file, folder) for file in rule_files(folder)), key=lambda rule: rule.id))


def rule_files(folder: Path) -> list[Path]:
    """The rule files of a folder of rules, sorted."""
    return sorted(file for name in RULE_FOLDERS for file in (folder / name).glob("*.json"))


def find_rule(name: str, rules: Sequence[Rule] | None = None) -> Rule:
    """A rule by id or former id, of the shipped ones unless told; raises UnknownName with the nearest."""
    known = load_rules() if rules is None else rules
    for rule in known:
        if name == rule.id or name in rule.aliases:
            return rule
    raise UnknownName("rule", name, [rule.id for rule in known])


def read_rule(file: Path, folder: Path) -> Rule:
    """One rule file of a folder of rules; raises AlbumkitError naming the place of what is wrong."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        words = document.pop("x-albumkit")
        if words["severity"] not in SEVERITIES or words["scope"] not in SCOPES:
            raise ValueError("severity or scope")
        handled = words.get("handled") or {}
        texts = [words["message"], handled.get("as", "")]
        texts += [text for r in words["remedy"] for text in (r["do"], r.get("gives", ""))]
        return Rule(
            id=file.relative_to(folder).with_suffix("").as_posix(),
            scope=words["scope"],
            severity=words["severity"],
            title=document["title"],
            schema=document,
            needs=tuple(document["required"]),
            message=words["message"],
            why=words["why"],
            remedies=tuple(Remedy(r["do"], r.get("gives", "")) for r in words["remedy"]),
            sources=tuple(words["sources"]),
            since=words["since"],
            examples=tuple(words["examples"]),
            counterexamples=tuple(words["counterexamples"]),
            needs_knob=words.get("needs_knob"),
            about_knob=words.get("about_knob"),
            related=words.get("related"),
            handled_when=handled.get("when"),
            handled_as=handled.get("as", ""),
            fix=words.get("fix"),
            opt_in=words.get("opt_in", False),
            aliases=tuple(words.get("aliases", ())),
            fields=tuple(dict.fromkeys(_fields(texts))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unusable(file, "a rule", "rule.schema.json", error) from error


def _fields(texts: Iterable[str]) -> list[str]:
    return [name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name]


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a kind of album judges one rule: another severity, or "off"; and why."""

    severity: str
    why: str


@functools.cache
def read_profile(folder: Path, kind: str) -> Mapping[str, Judgement]:
    """Rule id -> how this kind of album judges it, by one folder of rules; empty where nothing differs.

    Raises:
        AlbumkitError: the file does not have the form of a profile.
    """
    file = folder / "profiles" / f"{kind}.json"
    if not file.is_file():
        return {}
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["rules"]
        return {rule: Judgement(**row) for rule, row in rows.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unusable(file, "a profile", "profile.schema.json", error) from error


def profile(kind: str) -> Mapping[str, str]:
    """Rule id -> severity or "off" for a kind of album; empty where nothing differs."""
    return {rule: judged.severity for rule, judged in read_profile(rules_root(), kind).items()}
