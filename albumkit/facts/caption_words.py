"""Facts of what captions are made of: words as such, and phrases out of the lists under rules/words.

A caption is cut into words once for all facts, without trigger and class phrase: they stand in every caption.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass

from albumkit.album import Album, Example
from albumkit.facts import caption as _caption
from albumkit.facts.registry import NotApplicable, fact
from albumkit.phrases import phrase_pattern
from albumkit.propose import Proposal, propose_class_phrase, propose_trigger
from albumkit.settings import Settings
from albumkit.words import phrases, word_set, words_of

#: As many captions say how an album calls its subject; more only cost time.
_ENOUGH = 1000
#: Fewer captions agree by chance on a word behind the trigger.
_FEWEST = 5
#: A camera's or a program's name for a file, when that is the whole caption.
_CAMERA_NAME = re.compile(
    r"(?:img|dsc[fn]?|pxl|vid|mvi|gopr|gx|dji|p|photo|image|picture|frame|scan|screenshot|untitled|download)"
    r"[ _-]*\d[\d _.()-]*(?:\.\w{3,4})?",
    re.IGNORECASE,
)
#: Lists, headings and bold type as Markdown writes them.
_MARKDOWN = re.compile(r"^\s*(?:[-*\u2022] |#{1,6} )|\*\*", re.MULTILINE)
#: Tags never hold one of these: "looking at viewer" is a tag, "on a shelf" part of a sentence.
_ARTICLES = frozenset("a an the his her its their this that is are was were".split())
_LONGEST_TAG = 4


@dataclass(frozen=True, slots=True)
class Called:
    """How captions call what they teach; "" for a trigger or class phrase that nobody knows or wants.

    ``origin`` is where the class phrase comes from, in words.
    """

    trigger: str
    class_phrase: str
    origin: str


@dataclass(frozen=True, slots=True)
class Said:
    """A caption in composed form, and its words in lower case without trigger and class phrase: ``names`` are
    the words of these.
    """

    text: str
    words: tuple[str, ...]
    names: tuple[str, ...]

    def find(self, listed: str) -> dict[str, str]:
        """What the caption holds of a list: the entry's name -> as it stands there (words.Phrases.find)."""
        return phrases(listed).find(self.text, self.words, self.names)


@fact("album")
def texts(album: Album) -> dict[str, str]:
    """Example path -> caption in composed form; captions that are blank or no text are left out."""
    found = {}
    for example in album.examples:
        caption = album.caption(example)
        if caption is not None and caption.text:
            text = caption.text
            found[example.path] = text if text.isascii() else unicodedata.normalize("NFC", text)
    return found


@fact("album")
def called(texts: dict[str, str], settings: Settings) -> Called:
    """Trigger and class phrase: as album.toml gives them, else as most captions have them."""
    some = list(itertools.islice(texts.values(), _ENOUGH))
    trigger = settings.trigger_phrase
    if trigger is None:
        trigger = _value(propose_trigger(some))
    trigger = " ".join(unicodedata.normalize("NFC", trigger).split())
    if settings.class_phrase:
        return Called(trigger, settings.class_phrase, "album.toml")
    proposed = propose_class_phrase(some, trigger) if len(some) >= _FEWEST else None
    return Called(trigger, _value(proposed), proposed.why if proposed else "")


@fact("album")
def said(texts: dict[str, str], called: Called) -> dict[str, Said]:
    """Example path -> its caption cut into words."""
    names = [n.casefold() for n in (called.trigger, called.class_phrase, _caption.PLACEHOLDER) if n]
    patterns = [phrase_pattern(name, re.NOFLAG) for name in names]
    shared = tuple(word for name in names for word in words_of(name))
    same: dict[str, str] = {}  # a word once in memory, however many captions hold it
    found = {}
    for path, text in texts.items():
        bare = text.casefold()
        for pattern in patterns:
            bare = pattern.sub(" ", bare)
        words = tuple([same.setdefault(word, word) for word in words_of(bare)])
        found[path] = Said(text, words, shared)
    return found


@fact("caption")
def own_words(example: Example, said: dict[str, Said]) -> Said:
    """The caption's words; not applicable without caption, and to one that is blank or no text."""
    found = said.get(example.path)
    if found is None:
        raise NotApplicable("no caption")
    return found


@fact("caption")
def placeholder(own_words: Said, settings: Settings) -> str:
    """The first piece of a template that was never filled in, "" for none. [trigger] is one only where
    neither pack nor the trainer puts the trigger in its place.
    """
    text = own_words.text
    if "[" in text and _caption.PLACEHOLDER in text.casefold() and not _fills_in(settings):
        return _caption.PLACEHOLDER
    return next(iter(own_words.find("placeholders").values()), "")


@fact("caption")
def assistant_words(own_words: Said) -> str:
    """What a language model said around its caption, or Markdown that it left in; "" for nothing."""
    if found := own_words.find("assistant-phrases"):
        return next(iter(found.values())).strip()
    text = own_words.text
    if ("\n" in text or "**" in text or text[:1] in "#-*\u2022") and (mark := _MARKDOWN.search(text)):
        return f"{mark.group().strip()} (Markdown)"
    return ""


@fact("caption")
def tag_count(own_words: Said) -> int:
    """Tags between commas when the caption consists of nothing else, else 0. A tag has at most four words and
    no article.
    """
    parts = [part for part in own_words.text.split(",") if part.strip()]
    if len(parts) < 2:
        return 0
    articles = _ARTICLES
    for part in parts:
        words = part.casefold().split()
        if len(words) > _LONGEST_TAG or not articles.isdisjoint(words):
            return 0
    return len(parts)


@fact("caption")
def filename_words(own_words: Said, example: Example) -> int:
    """Words of a caption that only repeats its picture's file name, or is a camera's; else 0. Numbers are no
    words, but a name of nothing else counts as one.
    """
    words = own_words.words
    if not words:
        return 0
    stem = example.path.rpartition("/")[2].rpartition(".")[0]
    named = len(own_words.text) <= 64 and _CAMERA_NAME.fullmatch(own_words.text.strip())
    if not named and not _same_letters(own_words.text, stem):
        return 0
    return max(1, sum(not word.isdigit() for part in words for word in part.split("_") if word))


@fact("pair")
def instruction(example: Example, said: dict[str, Said]) -> Said:
    """The caption of a pair; not applicable without one."""
    return own_words(example, said)


@fact("pair")
def describes_only(instruction: Said) -> bool:
    """Whether a pair's caption begins like a description and holds no word of change. Only English is known:
    captions that begin otherwise count as instructions.
    """
    if not word_set("change-words").isdisjoint(instruction.words):
        return False
    return bool(instruction.find("description-openings"))


@fact("pair")
def instruction_start(instruction: Said) -> str:
    """The first words of a pair's caption, for messages (at most 48 characters)."""
    return _caption.caption_start(instruction.text)


def _value(proposal: Proposal | None) -> str:
    return proposal.value if proposal else ""


def _fills_in(settings: Settings) -> bool:
    """Whether [trigger] becomes the trigger: pack does it for archives where the trainer does not."""
    trainer = settings.trainer
    return bool(settings.trigger_phrase) and (
        trainer.reads == "archive" or trainer.trigger.policy == "placeholder"
    )


def _same_letters(text: str, stem: str) -> bool:
    """Whether two texts differ in nothing but blanks, hyphens, dots, underscores and case."""
    if abs(len(text) - len(stem)) > 8:
        return False
    return re.sub(r"[\W_]+", "", text).casefold() == re.sub(r"[\W_]+", "", stem).casefold()
