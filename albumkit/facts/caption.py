"""Facts of captions: is there one, what does the trainer do without, does the trigger reach the training."""

from __future__ import annotations

import re
from dataclasses import dataclass

from albumkit.album import Album, Caption, Example
from albumkit.facts import album as _album  # noqa: F401 - registered first
from albumkit.facts.registry import NotApplicable, Unmeasured, fact
from albumkit.phrases import find_phrase
from albumkit.settings import Settings
from albumkit.trainer import Trainer

#: Written in captions where some trainers (and pack) put the trigger phrase.
PLACEHOLDER = "[trigger]"


@dataclass(frozen=True, slots=True)
class TriggerFound:
    """``state``: present, misspelt (``word`` is what stands there) or absent."""

    state: str
    word: str = ""


@fact("caption")
def caption_outcome(example: Example, album: Album, settings: Settings, trainer: Trainer) -> str:
    """What the example is trained with: its own caption, the default caption, the trigger, one that the
    trainer writes itself (automatic), or nothing, so that the trainer stops (refused).
    """
    if album.caption(example) is not None:
        return "own"
    policy = trainer.captions
    if policy.without == "unstated":
        raise Unmeasured("this trainer does not say what becomes of an example without caption")
    if policy.without == "automatic":
        return "automatic"
    text = settings.value(policy.knob) if policy.knob else None
    if policy.without == "trigger" and not text:
        text = settings.trigger_phrase
    if not (isinstance(text, str) and text.strip()):
        return "refused"
    return "default" if policy.without == "default-or-refuse" else "trigger"


@fact("caption")
def caption_names(example: Example) -> str:
    """The file that would hold the caption."""
    return f"{example.root.rpartition('/')[2]}.txt"


@fact("caption")
def replacement(example: Example, settings: Settings, trainer: Trainer) -> str:
    """The text that stands in for the missing caption."""
    knob = trainer.captions.knob
    return str((settings.value(knob) if knob else None) or settings.trigger_phrase or "")


@fact("caption")
def own_caption(example: Example, album: Album) -> Caption:
    """The example's caption; not applicable when it has none."""
    caption = album.caption(example)
    if caption is None:
        raise NotApplicable("no caption")
    return caption


@fact("caption")
def caption_problem(own_caption: Caption) -> str:
    """Why the caption's bytes are no text; empty when they are."""
    return own_caption.problem


@fact("caption")
def caption_encoding(own_caption: Caption) -> str:
    """utf-8, utf-16, utf-32 or latin-1, as the bytes turned out; not applicable to what is no text."""
    if own_caption.problem:
        raise NotApplicable("unreadable")
    return own_caption.encoding


@fact("caption")
def byte_order_mark(own_caption: Caption) -> bool:
    """Whether the caption's file begins with UTF-8's byte order mark; not applicable to what is no text."""
    if own_caption.problem:
        raise NotApplicable("unreadable")
    return own_caption.marked


@fact("caption")
def caption_file(own_caption: Caption) -> str:
    """The file that holds the caption."""
    return own_caption.source.path


@fact("caption")
def readable_caption(own_caption: Caption) -> str:
    """The caption's text; not applicable when its bytes are none."""
    if own_caption.problem:
        raise NotApplicable("unreadable")
    return own_caption.text


@fact("caption")
def caption_length(readable_caption: str) -> int:
    """Characters after normalising; 0 for a file of blanks."""
    return len(readable_caption)


@fact("caption")
def caption_text(readable_caption: str) -> str:
    """The text of a caption that is not blank."""
    if not readable_caption:
        raise NotApplicable("empty")
    return readable_caption


@fact("caption")
def trigger_found(caption_text: str, trigger: str, trainer: Trainer) -> TriggerFound:
    """Whether the trigger stands in the caption, in any case; the placeholder [trigger] counts where the
    trainer or pack replaces it.
    """
    policy = trainer.trigger.policy
    if policy == "prepended":
        raise NotApplicable("this trainer puts the trigger before every caption itself")
    if policy == "unstated":
        raise Unmeasured("this trainer does not say what it does with the trigger")
    if PLACEHOLDER in caption_text.casefold() or find_phrase(trigger, caption_text):
        return TriggerFound("present")
    misspelt = _near_miss(caption_text, trigger.casefold())
    return TriggerFound("misspelt", misspelt) if misspelt else TriggerFound("absent")


@fact("caption")
def trigger_state(trigger_found: TriggerFound) -> str:
    """present, misspelt or absent."""
    return trigger_found.state


@fact("caption")
def misspelling(trigger_found: TriggerFound) -> str:
    """The word that stands where the trigger should."""
    return trigger_found.word


@fact("caption")
def caption_start(caption_text: str) -> str:
    """The first words, for messages (at most 48 characters)."""
    line = caption_text.replace("\n", " ")
    return line if len(line) <= 48 else line[:45].rsplit(" ", 1)[0] + " ..."


@fact("caption")
def caption_twins(example: Example, same_caption: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Other examples with the same caption."""
    return same_caption.get(example.path, ())


@fact("caption")
def caption_twin_count(caption_twins: tuple[str, ...]) -> int:
    """How many other examples have the same caption."""
    return len(caption_twins)


def _near_miss(text: str, phrase: str) -> str:
    """A run of words, as written, that is one or two edits from the phrase (in lower case).

    Short triggers allow one edit only: ordinary words lie one edit from a three-letter trigger all the time
    ("to" and "TOK"). So a near miss must share the first letter and, below five letters, be no shorter.
    """
    words = re.findall(r"\w+", text)
    count = max(1, len(phrase.split()))
    allowed = 1 if len(phrase) < 6 else 2
    for start in range(len(words) - count + 1):
        written = " ".join(words[start : start + count])
        run = written.casefold()
        if run[:1] != phrase[:1] or abs(len(run) - len(phrase)) > allowed:
            continue
        if len(phrase) < 5 and (len(run) < len(phrase) or run in _COMMON):
            continue
        if 0 < edit_distance(run, phrase) <= allowed:
            return written
    joined = phrase.replace(" ", "")
    return next((w for w in words if count > 1 and w.casefold() == joined), "")


#: Everyday words of captions close to usual short triggers ("TOK", "sks", "ohwx"); never a misspelling.
_COMMON = frozenset(
    "took toy toys top ton tone took talk told sky skin skis ski sits oh the too two tie".split()
)


def edit_distance(a: str, b: str) -> int:
    """Damerau's distance restricted to adjacent swaps: inserts, deletes, replaces and swaps cost 1 each."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
