"""Facts of all captions together: which are nearly the same, which words stand in nearly all of them, and how
many places, lights and framings they name.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from albumkit.album import Example
from albumkit.facts.caption_words import Called, Said
from albumkit.facts.registry import NotApplicable, fact
from albumkit.words import spellings, word_set

#: Captions are compared where at most one word of content in so many differs; rules judge what is too near.
_ONE_IN = 8
#: A word of more captions than this tells too few apart to look for near ones among them.
_COMMON = 64
#: Twins that are named; all of them are counted.
_NAMED = 8
#: 97.5 % of a normal distribution lie below it: the usual interval of 95 %.
_Z = 1.96
_SETTINGS = ("places", "lights", "framings")
#: Fewer captions than this show no habit.
_HABIT = 10


@dataclass(frozen=True, slots=True)
class Twins:
    """Other captions near to one. ``percent`` of the words of content are shared with the nearest; ``words``
    stand in this one only.
    """

    percent: int
    count: int
    paths: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Common:
    """The words that stand in the most captions, each with their number; ``captions`` is the highest."""

    words: tuple[tuple[str, int], ...]
    captions: int
    of: int


@dataclass(frozen=True, slots=True)
class Named:
    """What of one kind of setting the captions name, in the order of the list."""

    names: tuple[str, ...]


def at_least(count: int, total: int) -> float:
    """The lower end of Wilson's 95 % interval for a share: what ``count`` of ``total`` shows for sure.

    20 of 20 is 0.84, 5 of 5 only 0.57. Wilson (1927), JASA 22:209.
    """
    if not total:
        return 0.0
    share, z2 = count / total, _Z * _Z
    middle = share + z2 / (2 * total)
    spread = _Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return (middle - spread) / (1 + z2 / total)


@fact("album")
def captions_with(said: dict[str, Said]) -> Counter[str]:
    """Word -> how many captions hold it (document frequency), without trigger and class phrase."""
    held: Counter[str] = Counter()
    for one in said.values():
        held.update(set(one.words))
    return held


@fact("album")
def near_twins(said: dict[str, Said], captions_with: Counter[str]) -> dict[str, Twins]:
    """Example path -> the captions that are equal to its own but for a few words; equal texts are left out.

    Trigger, class phrase, words of grammar and numbers do not count; a caption of nothing else has no twins.
    Captions told apart by a word of place, light or framing do their work and are no twins either.
    """
    empty = word_set("function-words", "medium-words") | set(filter(str.isdigit, captions_with))
    groups: dict[frozenset[str], list[str]] = defaultdict(list)
    for path, one in said.items():
        if content := frozenset(one.words) - empty:
            groups[content].append(path)
    near = _near_groups(list(groups))
    found: dict[str, Twins] = {}
    for content, paths in groups.items():
        others = near.get(content, [])
        percent = max((100 * len(content & o) // max(len(content), len(o)) for o in others), default=0)
        if len(paths) == 1 and not others:
            continue
        candidates = [path for other in others for path in groups[other]]
        counts = Counter(said[path].text for path in paths)
        first = {said[path].text: path for path in reversed(paths)}
        some = list(itertools.islice(reversed(first.items()), _NAMED + 1))
        for path in paths if others or len(first) > 1 else ():
            own = said[path]
            inside = [p for text, p in some if text != own.text]
            named = (*inside, *candidates[:_NAMED])[:_NAMED]
            theirs = said[named[0]].words
            words = tuple(dict.fromkeys(word for word in own.words if word not in theirs))
            count = len(paths) - counts[own.text] + len(candidates)
            found[path] = Twins(100 if inside else percent, count, named, words)
    return found


def _near_groups(contents: Sequence[frozenset[str]]) -> dict[frozenset[str], list[frozenset[str]]]:
    """Sets of words -> the others that share all but one word in _ONE_IN, the nearest first, then in order.

    Two such sets share one of their rarest words, so only sets that do are compared (prefix filtering:
    Chaudhuri, Ganti, Kaushik 2006).
    """
    settings = word_set(*_SETTINGS) - word_set("function-words")
    seen_in = Counter(word for content in contents for word in content)
    rank = {word: number for number, (word, _) in enumerate(sorted(seen_in.items(), key=_rarest))}
    index: dict[str, list[frozenset[str]]] = defaultdict(list)
    place = {content: number for number, content in enumerate(contents)}
    near: dict[frozenset[str], list[tuple[int, int]]] = defaultdict(list)
    for content in contents:
        if len(content) < _ONE_IN:
            continue
        rare = sorted(content, key=rank.__getitem__)[: len(content) // _ONE_IN + 1]
        candidates = {c for word in rare if len(index[word]) <= _COMMON for c in index[word]}
        for word in rare:
            index[word].append(content)
        for other in candidates:
            longest = max(len(content), len(other))
            unlike = longest - len(content & other)
            if unlike * _ONE_IN <= longest and settings.isdisjoint(content ^ other):
                near[content].append((unlike, place[other]))
                near[other].append((unlike, place[content]))
    return {content: [contents[p] for _, p in sorted(found)] for content, found in near.items()}


def _rarest(item: tuple[str, int]) -> tuple[int, str]:
    return item[1], item[0]


@fact("caption")
def twins(example: Example, own_words: Said, near_twins: dict[str, Twins]) -> Twins:
    """The captions near to this one."""
    return near_twins.get(example.path) or Twins(0, 0, (), ())


@fact("caption")
def near_percent(twins: Twins) -> int:
    """Words of content that the nearest other caption shares, in percent; 0 when none comes near."""
    return twins.percent


@fact("caption")
def near_count(twins: Twins) -> int:
    """How many other captions are near."""
    return twins.count


@fact("caption")
def near_paths(twins: Twins) -> tuple[str, ...]:
    """The examples of the near captions, the nearest first, eight at most."""
    return twins.paths


@fact("caption")
def near_others(twins: Twins) -> str:
    """The nearest other by its file name, and how many more there are."""
    if not twins.paths:
        return ""
    name = twins.paths[0].rpartition("/")[2]
    return f"that of {name}" if twins.count == 1 else f"that of {name} and {twins.count - 1} more"


@fact("caption")
def near_difference(twins: Twins) -> str:
    """What this caption has and the nearest has not, in words."""
    if not twins.words:
        return "the order of its words or a word less"
    return ", ".join(f'"{word}"' for word in twins.words)


@fact("album")
def commonest(captions_with: Counter[str], said: dict[str, Said], called: Called) -> Common:
    """The words that stand in the most captions, without trigger, class phrase and the words that captions
    are built of; with the first come those that stand in at least nine tenths as many. Not applicable without
    a trigger: a word in all captions is one then.
    """
    if not called.trigger:
        raise NotApplicable("no trigger")
    ordinary = word_set("function-words", "medium-words", "caption-frame")
    ranked = sorted(
        (-count, word) for word, count in captions_with.items() if word not in ordinary and not word.isdigit()
    )
    if not ranked:
        raise NotApplicable("no captions")
    most = -ranked[0][0]
    words = tuple((word, -count) for count, word in ranked[:6] if -count * 10 >= most * 9)
    return Common(words, most, len(said))


@fact("album")
def commonest_at_least(commonest: Common) -> float:
    """The share of captions that hold the commonest word: the lower end of its 95 % interval (Wilson), so
    that a few captions show little. All of 9 is 0.70, all of 20 is 0.84.
    """
    return round(at_least(commonest.captions, commonest.of), 3)


@fact("album")
def commonest_words(commonest: Common) -> str:
    """The commonest words with their counts, for messages."""
    shown = [f'"{word}" in {count}' for word, count in commonest.words]
    return f"{_and(shown)} of {commonest.of} captions"


@fact("album")
def praise(said: dict[str, Said]) -> dict[str, tuple[str, ...]]:
    """Example path -> the words of praise in its caption (rules/words/empty-adjectives.txt)."""
    found = ((path, tuple(one.find("empty-adjectives"))) for path, one in said.items())
    return {path: names for path, names in found if names}


@fact("album")
def praise_at_least(praise: dict[str, tuple[str, ...]], said: dict[str, Said]) -> float:
    """The share of captions that hold a word of praise, as the lower end of its 95 % interval (Wilson)."""
    if not said:
        raise NotApplicable("no captions")
    return round(at_least(len(praise), len(said)), 3)


@fact("album")
def praise_words(praise: dict[str, tuple[str, ...]], said: dict[str, Said]) -> str:
    """The words of praise with their counts, the commonest first, six at most, for messages."""
    counts = Counter(name for names in praise.values() for name in names)
    shown = [f'"{name}" in {count}' for name, count in counts.most_common(6)]
    return f"{_and(shown)} of {len(said)} captions" if shown else ""


@fact("album")
def praise_paths(praise: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The examples whose captions praise."""
    return tuple(praise)


@fact("album")
def settings_named(said: dict[str, Said], captions_with: Counter[str]) -> dict[str, Named]:
    """places, lights, framings -> which of them the captions name, out of the lists under rules/words.

    Not applicable to fewer than ten captions, which show no habit, and to captions that are not English.
    """
    if len(said) < _HABIT or not _is_english(said.values()):
        raise NotApplicable("too few captions, or not in English")
    everything = "|".join(f" {' '.join(one.words)} " for one in said.values())

    def stands(words: tuple[str, ...]) -> bool:
        known = all(word in captions_with for word in words)
        return known and (len(words) == 1 or f" {' '.join(words)} " in everything)

    return {
        kind: Named(tuple(name for name, variants in spellings(kind) if any(map(stands, variants))))
        for kind in _SETTINGS
    }


@fact("album")
def places_named(settings_named: dict[str, Named]) -> int:
    """How many different places the captions name."""
    return len(settings_named["places"].names)


@fact("album")
def lights_named(settings_named: dict[str, Named]) -> int:
    """How many different lights the captions name."""
    return len(settings_named["lights"].names)


@fact("album")
def framings_named(settings_named: dict[str, Named]) -> int:
    """How many different framings the captions name."""
    return len(settings_named["framings"].names)


@fact("album")
def settings_words(settings_named: dict[str, Named], said: dict[str, Said]) -> str:
    """The three counts with an example or two, for messages: "24 captions name 1 place (sofa), ..."."""
    parts = []
    for kind, named in settings_named.items():
        shown = f" ({', '.join(named.names[:3])})" if 0 < len(named.names) <= 3 else ""
        parts.append(f"{_count(len(named.names), kind)}{shown}")
    return f"{len(said)} captions name {_and(parts)}"


def _count(number: int, plural: str) -> str:
    return f"no {plural[:-1]}" if not number else f"{number} {plural[:-1] if number == 1 else plural}"


def _is_english(captions: Iterable[Said]) -> bool:
    """Whether at least half of them hold one of the commonest words of English."""
    english = {"the", "with", "of", "and", "from", "at", "by"}
    total = spoken = 0
    for one in captions:
        total += 1
        spoken += not english.isdisjoint(one.words)
    return spoken * 2 >= total


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
