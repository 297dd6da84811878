"""Which rules run: all but the opt-in ones, unless somebody says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from albumkit.errors import ConfigError, UnknownName
from albumkit.opening import OpenAlbum
from albumkit.rule import Rule


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line asks for: rule ids, former ids, or folders of rules (``caption``)."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def choose(self, rules: Sequence[Rule], opened: OpenAlbum) -> tuple[Rule, ...]:
        """The rules to run on an album. An opt-in rule runs when it is named itself, here or in album.toml.

        Raises:
            UnknownName: the command line names no rule.
            ConfigError: [lint] enable or [[lint.ignore]] of album.toml does.
        """
        _check_config(opened, rules)
        wanted = _named(self.select, rules) if self.select else {rule.id for rule in rules}
        unwanted = _named(self.ignore, rules)
        asked = {*self.select, *opened.config.enable}
        return tuple(
            rule
            for rule in rules
            if rule.id in wanted
            and rule.id not in unwanted
            and (not rule.opt_in or not asked.isdisjoint((rule.id, *rule.aliases)))
        )


#: What runs when nobody says anything.
EVERYTHING = Selection()


def _named(names: Iterable[str], rules: Sequence[Rule]) -> set[str]:
    """Ids of the rules that the names mean."""
    known = {name: {rule.id} for rule in rules for name in (rule.id, *rule.aliases)}
    for rule in rules:
        folder = rule.id.partition("/")[0]
        for name in (folder, f"{folder}/", f"{folder}/*"):
            known.setdefault(name, set()).add(rule.id)
    found: set[str] = set()
    for name in names:
        if name not in known:
            raise UnknownName("rule", name, known)
        found |= known[name]
    return found


def _check_config(opened: OpenAlbum, rules: Sequence[Rule]) -> None:
    """A misspelt rule in album.toml would silence nothing, or switch nothing on, without a word."""
    config = opened.config
    places = [("lint.enable", name) for name in config.enable]
    places += [("lint.ignore", ignore.rule) for ignore in config.ignores]
    known = {name for rule in rules for name in (rule.id, *rule.aliases)}
    for key, name in places:
        if name not in known:
            error = UnknownName("rule", name, known)
            place = config.origins.get(key)
            file = place.file if place else config.files[0]
            raise ConfigError(file, f"{key}: {error.message}", error.remedy, place.line if place else None)
