"""Every fix by name. Rules name them in ``fix``; a test holds rules and this table together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from albumkit.fix import encoding, exclude, location, names, rotate, trigger
from albumkit.fix.draft import Draft

Safety = Literal["safe", "unsafe"]


@dataclass(frozen=True, slots=True)
class Fix:
    """``plan`` puts into a draft what mends the named files; ``words`` say what it does, for lists.

    Safe: what the album says stays the same, and no eye is needed. Unsafe: it guesses, or leaves something
    out; a person has to look.
    """

    name: str
    safety: Safety
    words: str
    plan: Callable[[Draft, Sequence[str]], None]


#: In the order of doing: text before names, safe before unsafe, so that what ``--apply`` does without
#: ``--unsafe`` never depends on an unsafe edit.
_ALL = (
    Fix("encoding", "safe", "captions saved as UTF-8 without byte order mark", encoding.plan),
    Fix(trigger.CASE, "safe", "the trigger in its own case", trigger.plan_case),
    Fix(location.NAME, "safe", "GPS positions out of pictures, everything else kept", location.plan),
    Fix(rotate.NAME, "safe", "JPEGs turned upright without loss", rotate.plan),
    Fix(names.EXTENSION, "safe", "endings by content", names.plan_extension),
    Fix(names.PORTABLE, "safe", "names that every system takes, with all sidecars", names.plan_portable),
    Fix(trigger.SPELLING, "unsafe", "a misspelt trigger spelt right", trigger.plan_spelling),
    Fix(trigger.ABSENT, "unsafe", "trigger and class phrase put into captions", trigger.plan_absent),
    Fix(exclude.NAME, "unsafe", "examples left out by album.toml", exclude.plan),
)
FIXES: dict[str, Fix] = {fix.name: fix for fix in _ALL}
