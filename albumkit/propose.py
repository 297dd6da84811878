"""What an album says about itself: trigger, class phrase and kind, read from its captions. Pure functions.

A proposal is something a person can nod at, so silence beats nonsense: a word becomes a trigger only when
it stands in nearly all captions and does not look like an ordinary word of any language.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from albumkit.phrases import find_phrase
from albumkit.words import WORD, words_of

#: A trigger stands in at least this share of the captions; a few may have been forgotten.
NEARLY_ALL = 0.8
#: A class phrase follows the trigger in at least this share of the captions that hold it.
MOST = 0.65
#: Longer runs are descriptions that happen to repeat, not the name of a thing.
LONGEST_CLASS_PHRASE = 5


@dataclass(frozen=True, slots=True)
class Proposal:
    """A value and, in a few words, what speaks for it."""

    value: str
    why: str


@dataclass(frozen=True, slots=True)
class _Word:
    text: str

    @property
    def key(self) -> str:
        return self.text.casefold()


_KOHYA = re.compile(r"\d+_(?P<words>.*[^\W\d_].*)\Z", re.DOTALL)

_FUNCTION_WORDS = frozenset(
    "a an the this that these those his her its their my your our one two three some any each every no not "
    "and or but while as so than then there here he she it they we i you who which whose what "
    "is are was were be been being has have had do does can "
    "very more most just only also both all such other another".split()
)
#: Words that end a class phrase: the setting, the pose or the view begins.
_SETTING_WORDS = (
    frozenset(
        "on in at with of from by to into onto over under above below behind beside near between among "
        "against along around across through inside outside atop within without during before after for "
        "like up down off out toward towards upon via next "
        "sitting standing lying laying wearing holding looking facing posing walking running jumping "
        "sleeping resting hanging leaning flying floating smiling laughing playing riding eating drinking "
        "talking working dancing swimming climbing driving reading showing featuring using having doing "
        "making placed held seen shown viewed photographed pictured captured taken turned tilted tipped "
        "framed dressed set lit surrounded positioned displayed posed covered filled partly partially "
        "fully slightly almost half".split()
    )
    | _FUNCTION_WORDS
)
#: What captions are full of; capitals, digits or missing vowels in these say nothing.
_CAPTION_WORDS = frozenset(
    "photo photos photograph picture image images shot closeup close-up portrait view scene style trigger "
    "painting drawing illustration render background foreground camera lens frame light lighting white "
    "black red blue green yellow brown grey gray orange pink purple "
    "raw hdr hd fhd qhd uhd dslr slr rgb rgba bw iso nsfw sfw cgi vfx cg 2d 3d 4d 4k 8k 16k gif jpg png "
    "tv dvd cd dj pc ui ux vr ar ai nft led lcd usb gps atm suv bbq wc tnt xl xxl ps5 vhs crt lp sd "
    "ok id us usa uk uae eu un nyc la nasa fbi ufo bmw vw mr mrs ms dr st jr sr nr vs km cm mm kg lb ft "
    "t-shirt x-ray tgif diy rv vip rpg mri b-roll u-turn hmm shh brr pst gym rhythm".split()
)
#: 35mm, 50mm, 1080p, 90s, 24x36, f18, iso400, 1girl, 2boys, mp4, no5: ordinary although they hold digits.
_ORDINARY_NUMBER = re.compile(
    r"\d+(?:st|nd|rd|th|s|x\d*|k|p|px|mm|cm|m|km|kg|g|ml|l|h|am|pm|fps|mp|d|girls?|boys?|others?|people)?"
    r"|(?:f|iso|mp|no|nr|v|vol|img|dsc|dscf|pxl)\d+",
    re.IGNORECASE,
)
#: Letter pairs that words of Latin-written languages do not have: "ohwx", "zxc", "qwz".
_ODD_PAIR = re.compile(r"[bcdfghjkmpqstvwz]x|x[bdgjkmnrwxz]|q[bcdfghjkmnpqrstvwxyz]|j[bcfgqvwxz]|vq|zq|wz")
_STYLE_WORDS = frozenset({"style", "styled", "styles", "aesthetic", "artstyle", "stil", "estilo", "stile"})


def propose_trigger(captions: Iterable[str], folders: Iterable[str] = ()) -> Proposal | None:
    """The made-up word that nearly all captions hold.

    Args:
        captions: Their texts; blank ones are left out.
        folders: Names of the folders that hold the pictures; kohya's ``10_TOK cat`` names the trigger.

    Returns:
        The trigger as most captions spell it, or None when no such word is to be found.
    """
    texts = [_words(text) for text in captions if text.strip()]
    named = _folder_words(folders)
    if not texts:
        if named and _oddness(named[0]) >= 2:
            return Proposal(named[0], "first word of the folder name")
        return None
    counts: Counter[str] = Counter()
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for words in texts:
        counts.update({word.key for word in words})
        for word in words:
            spellings[word.key][word.text] += 1
    shouted = _mostly_capitals(spellings)
    foreign = _mostly_other_script(spellings)
    ranked = []
    for key, count in counts.items():
        if count < NEARLY_ALL * len(texts):
            continue
        text = spellings[key].most_common(1)[0][0]
        score = _oddness(text, capitals_count=not shouted, latin_is_odd=foreign)
        if len(named) > 1 and key == named[0].casefold() and not _is_ordinary(text):
            score += 3
        if score >= 2:
            place = min(i for words in texts for i, word in enumerate(words) if word.key == key)
            ranked.append((-score, -count, place, text))
    if not ranked:
        return _name_trigger(texts, counts, spellings)
    _, count, _, text = min(ranked)
    return Proposal(text, _share(-count, len(texts)))


def propose_class_phrase(
    captions: Iterable[str], trigger: str | None, folders: Iterable[str] = ()
) -> Proposal | None:
    """The longest run of words that follows the trigger in most captions: "ceramic cat figurine".

    It ends before punctuation and before words of setting, pose or view (on, in, with, held, sitting ...).
    Without captions the words behind the trigger in a kohya folder name count.
    """
    if not trigger or not trigger.strip():
        return None
    find = functools.partial(find_phrase, trigger)
    runs = [run_after(text, match.end()) for text in captions if (match := find(text))]
    if not runs:
        named = _folder_words(folders)
        if len(named) > 1 and named[0].casefold() == trigger.casefold():
            return Proposal(" ".join(named[1:]), "from the folder name")
        return None
    best, follows = "", 0
    for length in range(1, LONGEST_CLASS_PHRASE + 1):
        starts = Counter(" ".join(run[:length]) for run in runs if len(run) >= length)
        folded: Counter[str] = Counter()
        for start, times in starts.items():
            folded[start.casefold()] += times
        if not folded:
            break
        key, held = folded.most_common(1)[0]
        if held < MOST * len(runs):
            break
        best = next(start for start, _ in starts.most_common() if start.casefold() == key)
        follows = held
    return Proposal(best, f"follows it in {_share(follows, len(runs))}") if best else None


def propose_kind(
    captions: Iterable[str], trigger: str | None, class_phrase: str | None, files_look_like: str
) -> Proposal:
    """subject, style, edit or video.

    Files decide on edit and video. Style needs captions that speak for it: "style" beside the trigger, or
    a trigger that ends the captions and never names a thing.
    """
    if files_look_like == "edit":
        return Proposal("edit", "its pictures form pairs, NAME_start and NAME_end")
    if files_look_like == "video":
        return Proposal("video", "it holds clips, no pictures")
    texts = [text for text in captions if text.strip()]
    if not texts:
        return Proposal("subject", "no captions say otherwise")
    if class_phrase and class_phrase.casefold() in _STYLE_WORDS:
        return Proposal("style", f'captions say "{trigger} {class_phrase}"')
    find = functools.partial(find_phrase, trigger) if trigger and trigger.strip() else None
    beside = sum(_speaks_of_style(text, find) for text in texts)
    if beside > len(texts) / 2:
        where = f"beside {trigger}" if find else "in it"
        return Proposal("style", f'"style" stands {where} in {_share(beside, len(texts))}')
    if find and not class_phrase:
        last = sum(_ends_with(text, find) for text in texts)
        if last >= NEARLY_ALL * len(texts):
            return Proposal("style", f"{trigger} ends {_share(last, len(texts))} and names no thing")
    if class_phrase:
        return Proposal("subject", f'captions name a thing: "{trigger} {class_phrase}"')
    return Proposal("subject", "captions do not speak of a style")


def _words(text: str) -> list[_Word]:
    """The words of a caption; "TOK's" counts as TOK."""
    return [_Word(text) for text in words_of(text)]


def _folder_words(folders: Iterable[str]) -> list[str]:
    """The words of kohya's folder name; with several such folders none, since they differ."""
    names = {match["words"] for name in folders if (match := _KOHYA.fullmatch(name))}
    if len(names) != 1:
        return []
    name = names.pop()
    words = name.split()
    # "10_sks_dog" is a blank that somebody would not type in a file name.
    return words if len(words) > 1 else [word for word in name.split("_") if word]


def _is_ordinary(text: str) -> bool:
    key = text.casefold()
    return (
        len(text) < 2
        or key in _CAPTION_WORDS
        or key in _SETTING_WORDS
        or _ORDINARY_NUMBER.fullmatch(text) is not None
    )


def _oddness(text: str, *, capitals_count: bool = True, latin_is_odd: bool = False) -> int:
    """How much a word looks made up: 0 like any word, 2 enough, more is surer."""
    if text.startswith("<"):
        return 4
    if _is_ordinary(text):
        return 0
    score = 0
    for part in [text, *re.split(r"[-'\u2019_]", text)]:
        if not _is_ordinary(part):
            score = max(score, _oddness_of_part(part, capitals_count))
    if "_" in text.strip("_"):
        score += 2
    if latin_is_odd and text.isascii():
        score += 2
    return score


def _oddness_of_part(text: str, capitals_count: bool) -> int:
    plain = _without_accents(text)
    score = 0
    letters = re.search(r"[^\W\d_]", text)
    if letters and re.search(r"\d", text):
        score += 3
    if capitals_count and letters and len(text) > 1:
        if text.isupper() and text.casefold() != text:
            score += 3
        elif re.search(r"[a-z][A-Z]", plain):
            score += 2
    unspeakable = not re.search(r"[aeiouy]", plain, re.IGNORECASE) or _ODD_PAIR.search(plain.casefold())
    if plain.isascii() and plain.isalpha() and unspeakable:
        score += 2
    return score


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def _mostly_capitals(spellings: dict[str, Counter[str]]) -> bool:
    """Captions written in capitals throughout: then capitals speak for no word."""
    words = [text for texts in spellings.values() for text in texts if len(text) > 1]
    return len(words) > 3 and sum(text.isupper() for text in words) > len(words) / 2


def _mostly_other_script(spellings: dict[str, Counter[str]]) -> bool:
    """Captions in another script than Latin: then a Latin word that recurs was put there on purpose."""
    words = [_without_accents(text) for texts in spellings.values() for text in texts]
    letters = [word for word in words if any(c.isalpha() for c in word)]
    return len(letters) > 1 and sum(not word.isascii() for word in letters) > len(letters) / 2


def _name_trigger(
    texts: Sequence[Sequence[_Word]], counts: Counter[str], spellings: dict[str, Counter[str]]
) -> Proposal | None:
    """A name such as "Miko" inside lower-case captions: the one capitalised word amid a sentence.

    Languages that capitalise all nouns, and captions full of names, give more than one: then none is it.
    """
    inner = {
        word.key: word.text
        for words in texts
        for word in words[1:]
        if word.text.istitle() and word.text.isalpha() and len(word.text) > 2 and not _is_ordinary(word.text)
    }
    names = {key for key in inner if all(text.istitle() for text in spellings[key])}
    common = [key for key in names if counts[key] >= NEARLY_ALL * len(texts)]
    others = sum(counts[key] for key in names) - sum(counts[key] for key in common)
    if len(common) != 1 or len(texts) < 3 or others > len(texts) / 5:
        return None
    return Proposal(inner[common[0]], _share(counts[common[0]], len(texts)))


def run_after(text: str, end: int) -> list[str]:
    """The words that follow without punctuation between, up to the first word of setting."""
    text = unicodedata.normalize("NFC", text)
    run: list[str] = []
    for match in WORD.finditer(text, end):
        between = text[end : match.start()]
        if between.strip() or (not between and not run) or "\n" in between:
            break
        if match.group().casefold() in _SETTING_WORDS:
            break
        run.append(match.group())
        end = match.end()
    return run


def _speaks_of_style(text: str, find: Callable[[str], re.Match[str] | None] | None) -> bool:
    text = unicodedata.normalize("NFC", text)
    if find is None:
        return re.search(r"\b(?:in the|in an?) (?:[\w-]+ )?style of\b", text, re.IGNORECASE) is not None
    match = find(text)
    if match is None:
        return False
    before = [word.key for word in _words(text[: match.start()])][-3:]
    after = [word.key for word in _words(text[match.end() :].split(",")[0])][:2]
    near = before[-1:] + after[:1]
    of_style = len(before) > 1 and before[-1] in ("of", "by") and before[-2] in _STYLE_WORDS
    return of_style or any(word in _STYLE_WORDS for word in near)


def _ends_with(text: str, find: Callable[[str], re.Match[str] | None]) -> bool:
    """Whether the trigger closes a caption that says something else before."""
    text = unicodedata.normalize("NFC", text)
    tail = ""
    head = ""
    start = 0
    while match := find(text[start:]):
        head, tail = text[: start + match.start()], text[start + match.end() :]
        start += match.end()
    return bool(start) and not _words(tail) and len(_words(head)) >= 2


def _share(count: int, total: int) -> str:
    return f"all {total} captions" if count == total else f"{count} of {total} captions"
