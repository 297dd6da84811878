"""Caption policies: what is asked for an album of each kind, and what may stand in its captions.

All opinion, in files that a person reads and changes: ``rules/caption-policies/KIND.toml``. A repository of
albums may have its own in the folder that ``[lint] rules`` names; one there stands for ours as a whole.
"""

from __future__ import annotations

import functools
import json
import string
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumkit.config import KINDS
from albumkit.documents import first_violation
from albumkit.errors import ConfigError, nearest
from albumkit.paths import rules_root
from albumkit.words import word_lines, word_lists

FOLDER = "caption-policies"
_SCHEMA = "caption-policy.schema.json"
#: The fields that each text may hold.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "caption": ("answer", "subject", "trigger", "class_phrase"),
    "asks.instruction": ("class_phrase", "fewest_words", "most_words", "references", "never_say"),
    "asks.never": ("words",),
    "asks.references": ("count",),
    "asks.again": ("answer", "reasons"),
    "asks.look": ("term",),
    "asks.shared": ("instructions", "fewest_words", "most_words"),
}


@dataclass(frozen=True, slots=True)
class Asks:
    """What a captioner is asked: texts with fields (see rules/caption-policy.schema.json)."""

    instruction: str
    again: str
    max_tokens: int
    system: str = ""
    never: str = ""
    references: str = ""
    shared: str = ""
    look: str = ""
    frames: int = 1
    #: Whether a captioner that only describes pictures is of no use.
    only_instructable: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """What of an answer is used. ``goes_on_with``: first words that follow the subject without a comma; None
    where no subject stands before the answer. ``never_lists``: lists of words that no answer may hold.
    """

    openings: tuple[str, ...] = ()
    drops_subject: bool = False
    goes_on_with: frozenset[str] | None = None
    never_lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a caption must keep to; words are counted without trigger and class phrase."""

    fewest_words: int
    most_words: int
    one_sentence: bool
    subject_once: bool = False
    never_say: tuple[str, ...] = ()
    never_say_lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """One kind of album's way with captions. ``needs``: keys of [album] without which nothing can be asked.
    ``variety``: of places, lights and framings the entries that an album should have some of.
    """

    kind: str
    title: str
    file: Path
    caption: str
    asks: Asks
    use: Use
    limits: Limits
    needs: tuple[str, ...] = ()
    variety: Mapping[str, tuple[str, ...]] | None = None


def policy_for(kind: str, house: Path | None = None) -> Policy:
    """The policy of a kind of album.

    Args:
        house: The folder of house rules, where the album's repository has one.

    Raises:
        ConfigError: a policy cannot be used, or a file beside it is named after no kind; names the file.
    """
    if house is not None:
        for file in files_of(house):
            _check_name(file)
        own = house / FOLDER / f"{kind}.toml"
        if own.is_file():
            return read_policy(own)
    return read_policy(rules_root() / FOLDER / f"{kind}.toml")


def read_policy(file: Path) -> Policy:
    """One policy file; ``policy.kind`` is its name. Errors as :func:`policy_for`."""
    try:
        document = tomllib.loads(file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise ConfigError(file, f"{error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(file, "is not UTF-8.", "Save it as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(file, f"is not valid TOML: {error}.") from error
    for fault in _faults(document):
        raise ConfigError(file, f"is no caption policy: {fault}.", f"Its form is rules/{_SCHEMA}.")
    use, variety = document["answer"], document.get("variety")
    goes_on = use.get("goes_on_with")
    return Policy(
        kind=file.stem,
        title=document["title"],
        file=file,
        caption=document["caption"],
        asks=Asks(**document["asks"]),
        use=Use(
            tuple(use.get("openings", ())),
            use.get("drops_subject", False),
            None if goes_on is None else frozenset(word.casefold() for word in goes_on),
            tuple(use.get("never_lists", ())),
        ),
        limits=Limits(**_tuples(document["limits"])),
        needs=tuple(document.get("needs", ())),
        variety={k: tuple(v) for k, v in variety.items()} if variety else None,
    )


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _faults(document: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a policy, in words: its form, then what a schema cannot say."""
    if fault := first_violation(document, _schema()):
        yield fault
        return
    for name, fields in _FIELDS.items():
        table, _, key = name.rpartition(".")
        yield from _bad_fields(name, (document[table] if table else document).get(key, ""), fields)
    limits = document["limits"]
    if limits["fewest_words"] > limits["most_words"]:
        yield "limits.fewest_words is more than limits.most_words"
    lists = (*limits.get("never_say_lists", ()), *document["answer"].get("never_lists", ()))
    for name in lists:
        if name not in word_lists():
            yield f"rules/words has no list {name}{_or(nearest(name, word_lists()))}"
    for kind, names in document.get("variety", {}).items():
        known = [line.partition(",")[0].strip() for line in word_lines(kind)]
        for name in names:
            if name not in known:
                begins = f"{name} begins no line of rules/words/{kind}.txt"
                yield f"variety.{kind}: {begins}{_or(nearest(name, known))}"


def _or(close: str | None) -> str:
    return f"; {close}?" if close else ""


def _bad_fields(name: str, text: str, fields: tuple[str, ...]) -> Iterator[str]:
    try:
        found = [(field, spec, conversion) for _, field, spec, conversion in string.Formatter().parse(text)]
    except ValueError as error:
        yield f"{name}: {error} (write {{{{ and }}}} for braces)"
        return
    for field, spec, conversion in found:
        if field is None:
            continue
        if field not in fields or spec or conversion:
            yield f"{name}: there is no field {field}{_or(nearest(field, fields))}"


def files_of(folder: Path) -> list[Path]:
    """What lies where a folder of rules has its policies."""
    return sorted((folder / FOLDER).glob("*"))


def check_policy(file: Path) -> None:
    """Raises ConfigError for a file that is none, or that nothing would read."""
    _check_name(file)
    read_policy(file)


def _check_name(file: Path) -> None:
    """A misspelt file name would leave ours in force without a word."""
    if file.suffix != ".toml" or file.stem not in KINDS:
        raise ConfigError(file, f"is no caption policy: they are named {', '.join(KINDS)}.toml.")


@functools.cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((rules_root() / _SCHEMA).read_text(encoding="utf-8"))
    return schema
