"""The trigger in captions: its case, its spelling, its absence, and another one for all of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from albumkit.album.find import CONFIG_NAME
from albumkit.facts import NotApplicable, Unmeasured
from albumkit.facts.caption import PLACEHOLDER, trigger_found
from albumkit.fix.captions import Once, changed_lines, edit_captions
from albumkit.fix.draft import Cannot, Draft, Refusal
from albumkit.phrases import find_phrase, replace_phrase
from albumkit.tomledit import NotEditable, Place, edit_texts, set_text

CASE, SPELLING, ABSENT, RENAME = "trigger-case", "trigger-spelling", "trigger-absent", "trigger-rename"
#: Knobs and keys whose texts are read as captions are; a path or an id is never touched.
_WORDED = re.compile(r"prompt|caption|trigger|phrase|\A(?:validation|instruction)\Z")
_ARTICLE = re.compile(r"\b(?:an?|the)\s+\Z", re.IGNORECASE)


def plan_case(draft: Draft, paths: Sequence[str]) -> None:
    """The trigger written as in album.toml wherever it stands in another case."""
    trigger = _trigger(draft, CASE)
    if trigger:
        words = f'"{trigger}" in its own case'
        edit_captions(
            draft, CASE, words, draft.examples(paths), lambda t: replace_phrase(trigger, t, trigger)
        )


def plan_spelling(draft: Draft, paths: Sequence[str]) -> None:
    """The word that is nearly the trigger becomes the trigger."""
    trigger = _trigger(draft, SPELLING)

    def mend(text: str) -> str:
        try:
            found = trigger_found(text, trigger, draft.settings.trainer)
        except (NotApplicable, Unmeasured):
            return text
        return replace_phrase(found.word, text, trigger) if found.state == "misspelt" else text

    if trigger:
        edit_captions(draft, SPELLING, f'"{trigger}" spelt right', draft.examples(paths), Once(mend))


def plan_absent(draft: Draft, paths: Sequence[str]) -> None:
    """The trigger put before the class phrase, where the caption has it; else both at the front."""
    trigger = _trigger(draft, ABSENT)
    class_phrase = draft.settings.class_phrase or ""
    if trigger:
        edit_captions(
            draft,
            ABSENT,
            f'"{trigger}" put in',
            draft.examples(paths),
            Once(lambda text: with_trigger(text, trigger, class_phrase)),
        )


def with_trigger(text: str, trigger: str, class_phrase: str) -> str:
    """``a photo of a ceramic cat`` -> ``a photo of TOK ceramic cat``; ``seen at dawn`` -> ``TOK ceramic cat,
    seen at dawn``. The class phrase keeps its spelling; the article goes: a trigger is a name.
    """
    if not text.strip() or PLACEHOLDER in text.casefold() or find_phrase(trigger, text):
        return text
    found = find_phrase(class_phrase, text) if class_phrase.strip() else None
    if found is not None:
        text = found.string
        before = _ARTICLE.sub("", text[: found.start()])
        return f"{before}{trigger} {text[found.start() :]}"
    head = text[: len(text) - len(text.lstrip())]
    return f"{head}{' '.join(filter(None, (trigger, class_phrase.strip())))}, {text.lstrip()}"


def plan_rename(draft: Draft, new: str) -> None:
    """Another trigger in every caption and in album.toml: trigger_phrase, prompts, default caption.

    Raises:
        Cannot: there is no trigger to rename, or album.toml cannot be edited.
    """
    old = draft.settings.trigger_phrase
    if not old or not old.strip():
        raise Cannot("there is no trigger_phrase to rename")
    words = f'"{old}" to "{new}"'
    edit_captions(draft, RENAME, words, draft.album.examples, lambda t: replace_phrase(old, t, new))

    def edit(text: str) -> str:
        text = edit_texts(text, lambda place, value: _renamed(place, value, old, new))
        return text if _names_trigger(text) else set_text(text, "album", "trigger_phrase", new)

    try:
        before, after = draft.edit_config(edit)
    except NotEditable as error:
        raise Cannot(f"{CONFIG_NAME}: {error}") from error
    if before != after:
        draft.note(RENAME, CONFIG_NAME, words, *changed_lines(before, after))
    for file in draft.opened.config.files:
        _tell_of_shared(draft, file, old)


def _renamed(place: Place, value: str, old: str, new: str) -> str:
    if place == ("album", "trigger_phrase"):
        return new
    key = next(step for step in reversed(place) if isinstance(step, str))
    if place[0] in ("use", "caption", "train") and _WORDED.search(key):
        return replace_phrase(old, value, new)
    return value


def _names_trigger(text: str) -> bool:
    """Whether this file itself says what the trigger is."""
    return "trigger_phrase" in tomllib.loads(text.replace("\r\n", "\n")).get("album", {})


def _tell_of_shared(draft: Draft, file: Path, old: str) -> None:
    """Files that several albums share are not ours to change for one of them."""
    shown = draft.opened.relative(file)
    if shown == CONFIG_NAME:
        return
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        if find_phrase(old, line.partition("#")[0]):
            reason = f'line {number} says "{old}"; other albums may share it, so it is left to you'
            draft.refusals.append(Refusal(RENAME, shown, reason))


def _trigger(draft: Draft, fix: str) -> str:
    trigger = (draft.settings.trigger_phrase or "").strip()
    if not trigger:
        draft.refusals.append(Refusal(fix, CONFIG_NAME, "no trigger_phrase is given"))
    return trigger
