"""House rules: a repository of albums may carry its own ``rules/`` folder, in the format of ours.

``[lint] rules = "../rules"`` in album.toml names it. A rule there with the id of ours replaces it; a profile
there is laid over ours, rule by rule. Shipped rules are checked by our tests; these are checked whenever they
are loaded, because a rule that never speaks looks just like a good album. ``albumkit explain --check`` checks
more: see :mod:`albumkit.rulecheck`.
"""

from __future__ import annotations

import functools
import json
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from albumkit.config import KINDS, Config
from albumkit.documents import first_violation
from albumkit.errors import AlbumkitError, ConfigError, UnknownName, UsageError, nearest
from albumkit.facts import facts_of, json_type
from albumkit.paths import rules_root
from albumkit.rule import (
    RULE_FOLDERS,
    Rule,
    find_rule,
    load_rules,
    profile,
    read_profile,
    read_rule,
    rule_files,
)


def rules_folder(config: Config) -> Path | None:
    """The folder of house rules of an album with this album.toml, resolved; None without one.

    Raises:
        ConfigError: album.toml names a folder that is not there.
    """
    if config.rules is None:
        return None
    if config.rules.is_dir():
        return config.rules.resolve()
    place = config.origins["lint.rules"]
    raise ConfigError(place.file, f"lint.rules names no folder: {config.rules.as_posix()}.", line=place.line)


def rules_for(config: Config) -> tuple[Rule, ...]:
    """The rules that judge an album with this album.toml: ours, with its house rules laid over them.

    Raises:
        ConfigError: the folder is not there, or a rule in it cannot be used; names the file and the place.
    """
    folder = rules_folder(config)
    if folder is None:
        return load_rules()
    merged = {rule.id: rule for rule in (*load_rules(), *house_rules(folder))}
    return tuple(merged[rule_id] for rule_id in sorted(merged))


def profile_for(config: Config, kind: str) -> Mapping[str, str]:
    """Rule id -> severity or "off" for a kind of album, as its house sees it. Errors as :func:`rules_for`."""
    folder = rules_folder(config)
    if folder is None:
        return profile(kind)
    house_rules(folder)  # checks the profiles too
    own = {rule: judged.severity for rule, judged in read_profile(folder, kind).items()}
    return {**profile(kind), **own}


@functools.cache
def house_rules(folder: Path) -> tuple[Rule, ...]:
    """The rules of one folder (resolved), checked, by id; read once in a run. Errors as :func:`rules_for`."""
    for words in misplaced(folder):
        raise UsageError(words)
    found = []
    for file in rule_files(folder):
        rule = checked_rule(file, folder)
        for fault in faults_of_facts(rule):
            raise ConfigError(file, f"{fault}.", f"albumkit explain --check {folder.as_posix()}")
        found.append(rule)
    for file in sorted((folder / "profiles").glob("*.json")):
        check_profile(file, folder, found)
    return tuple(found)


def checked_rule(file: Path, folder: Path) -> Rule:
    """One rule file that has the form of a rule to the letter; raises UsageError naming the place."""
    try:
        rule = read_rule(file, folder)
    except AlbumkitError as error:
        raise UsageError(error.message, error.remedy) from error
    if reason := first_violation(_json(file), _schema("rule")):
        raise ConfigError(file, f"{reason}.", "Its form is rules/rule.schema.json.")
    return rule


def check_profile(file: Path, folder: Path, own: list[Rule]) -> None:
    """Raises UsageError for a profile that has not the form of one, or names a rule that there is not."""
    try:
        judged = read_profile(folder, file.stem)
    except AlbumkitError as error:
        raise UsageError(error.message, error.remedy) from error
    if reason := first_violation(_json(file), _schema("profile")):
        raise ConfigError(file, f"{reason}.", "Its form is rules/profile.schema.json.")
    for name in judged:
        try:
            find_rule(name, (*own, *load_rules()))
        except UnknownName as error:
            raise ConfigError(file, error.message) from error


def misplaced(folder: Path) -> list[str]:
    """What nothing would read in a folder of house rules, in words: a misspelt folder, a rule too deep."""
    places = (*RULE_FOLDERS, "profiles", "fixtures")
    words = []
    for file in sorted(folder.rglob("*.json")):
        parts = file.relative_to(folder).parts
        if parts[0] == "fixtures" or (len(parts) == 1 and file.name.endswith(".schema.json")):
            continue  # a schema beside the rules serves editors
        if len(parts) == 1:
            words.append(f"{file.as_posix()}: a rule lies in a folder, such as caption/.")
        elif parts[0] not in places:
            close = nearest(parts[0], places)
            hint = f"The nearest is {close}." if close else f"Known are {', '.join(places)}."
            words.append(f"{file.as_posix()}: no folder of rules is called {parts[0]}. {hint}")
        elif len(parts) > 2:
            words.append(f"{file.as_posix()}: too deep; it belongs right below {parts[0]}/.")
        elif parts[0] == "profiles" and file.stem not in KINDS:
            words.append(f"{file.as_posix()}: there is no such kind of album; they are {', '.join(KINDS)}.")
    return words


def faults_of_facts(rule: Rule) -> Iterator[str]:
    """What is wrong between a rule and the facts that it asks for.

    Each property must be required, typed, and measured in the rule's scope: of what is missing or has another
    type, validators think differently, and some let it pass. Each field of its words must be a fact too.
    """
    known = facts_of(rule.scope)
    properties = rule.schema["properties"]
    for name in sorted(set(properties) - set(rule.needs)):
        yield f"required lacks {name}"
    for name in rule.needs:
        if name not in properties:
            yield f"properties lacks {name}"
        elif name not in known:
            yield _unmeasured(rule, name)
        elif json_type(known[name]) != properties[name]["type"]:
            is_a = json_type(known[name]) or "no plain value"
            yield f"properties.{name}.type is {properties[name]['type']}; the fact is {is_a}"
    handled = (rule.handled_when or {}).get("required", ())
    for name in dict.fromkeys((*rule.fields, *([rule.related] if rule.related else ()), *handled)):
        if name != "album_path" and name not in known:
            yield _unmeasured(rule, name)
    remedies = (text for remedy in rule.remedies for text in (remedy.do, remedy.gives))
    for text in (rule.message, rule.handled_as, *remedies):
        for _, field, spec, conversion in string.Formatter().parse(text):
            if field is not None and (spec or conversion or not field.isidentifier()):
                yield f"a field is a plain name, unlike in: {text}"


def _unmeasured(rule: Rule, name: str) -> str:
    close = nearest(name, facts_of(rule.scope))
    hint = f"; the nearest fact is {close}" if close else ""
    return f"nothing measures {name} for {rule.scope}{hint}"


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


@functools.cache
def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = _json(rules_root() / f"{name}.schema.json")
    return schema
