"""One album on the contact sheet: its header, what was found by rule, related pictures, every example."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from albumkit.album import Example
from albumkit.lint import AlbumResult, Finding
from albumkit.opening import OpenAlbum
from albumkit.report.html.card import card, picture
from albumkit.report.html.thumbs import Thumb, Thumbs
from albumkit.report.html.words import badge, many, remedies, rule_button, sentence, text, why
from albumkit.rule import SEVERITIES

#: What one album shows at most; a page of more is nothing to look at, and the list by rule stays whole.
MOST_CARDS = 2000
_MOST_GROUPS = 40
_MOST_RELATED = 8
_MOST_NAMES = 30
_RUNTIMES = {"comfy": "ComfyUI", "fal": "fal", "diffusers": "diffusers"}


@dataclass(frozen=True, slots=True)
class Related:
    """Pictures that a rule names together."""

    finding: Finding
    paths: tuple[str, ...]


def album_parts(album: AlbumResult, opened: OpenAlbum | None, anchor: str) -> Iterator[str]:
    """The section of an album in parts; without the album itself its pictures are left out."""
    yield f'<section class="album" id="{anchor}" aria-labelledby="{anchor}-name">{_header(album, anchor)}'
    yield _by_rule(album)
    if opened is not None:
        thumbs = Thumbs(opened.album)
        yield from _side_by_side(album, opened, thumbs)
        yield from _cards(album, opened, thumbs)
    yield f"{_asides(album)}</section>\n"


def related(album: AlbumResult, media: Mapping[str, int]) -> list[Related]:
    """Groups of pictures that findings of one rule name together, each picture in one group of a rule.

    Args:
        media: Position in the album of every picture and clip, by path.
    """
    found = []
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in album.findings:
        if finding.ignored is None and sum(path in media for path in finding.paths) > 1:
            by_rule[finding.rule].append(finding)
    for findings in by_rule.values():
        groups: list[tuple[Finding, set[str]]] = []
        for finding in findings:
            paths = {path for path in finding.paths if path in media}
            touching = [group for group in groups if group[1] & paths]
            groups = [group for group in groups if not group[1] & paths]
            first = touching[0][0] if touching else finding
            groups.append((first, paths.union(*(group[1] for group in touching))))
        found += [Related(f, tuple(sorted(paths, key=media.__getitem__))) for f, paths in groups]
    return found


def _header(album: AlbumResult, anchor: str) -> str:
    settings = album.settings
    facts = [many(album.examples, album.noun), many(album.captions, "captions")]
    chips = [f"<li>{text(fact)}</li>" for fact in facts]
    if settings is not None:
        chips.insert(0, f"<li>{text(settings.kind)}</li>")
        trigger = settings.trigger_phrase
        none = "no trigger" if trigger == "" else "trigger not given"
        chips.append(f"<li>trigger <mark>{text(trigger)}</mark></li>" if trigger else f"<li>{none}</li>")
        chips.append(f"<li>judged for <b>{text(settings.trainer.id)}</b></li>")
        if settings.runtimes:
            used = " and ".join(_RUNTIMES.get(r, r) for r in settings.runtimes)
            chips.append(f"<li>to be used in {text(used)}</li>")
    if not album.config_file and settings is not None:
        chips.append("<li>no album.toml</li>")
    return (
        f'<header><h2 id="{anchor}-name"><bdi>{text(album.album)}</bdi></h2>'
        f'<p class="counts">{counts(album)}</p><ul class="chips">{"".join(chips)}</ul></header>'
    )


def counts(album: AlbumResult) -> str:
    """How many faults of each severity an album has, as badges."""
    found = [(severity, album.count(severity)) for severity in SEVERITIES]
    badges = [badge(severity, many(count, f"{severity}s")) for severity, count in found if count]
    return " ".join(badges) or badge("clean", "nothing to mend")


def _by_rule(album: AlbumResult) -> str:
    groups: dict[tuple[int, str], list[Finding]] = defaultdict(list)
    for finding in album.findings:
        if finding.ignored is None:
            groups[SEVERITIES.index(finding.severity), finding.rule].append(finding)
    rows = [_rule_row(album, groups[key]) for key in sorted(groups)]
    if not rows:
        return ""
    return f'<h3>What was found</h3><ol class="rules">{"".join(rows)}</ol>'


def _rule_row(album: AlbumResult, group: Sequence[Finding]) -> str:
    first = group[0]
    files = [f for f in group if f.path and f.scope not in ("knob", "settings", "album")]
    share = f"{len(files)} of {many(album.examples, album.noun)}" if files else ""
    if len(files) > album.examples:
        share = many(len(files), "files")
    return (
        f'<li class="{first.severity}" data-rule="{text(first.rule)}"><div class="what">'
        f'{badge(first.severity)} {rule_button(first.rule)} <span class="share">{share}</span></div>'
        f'<details class="words"><summary>{_said(first)}{_others(group)}</summary>'
        f"{_rest(group)}{remedies(first.remedies)}{why(first.rule)}</details></li>"
    )


def _said(finding: Finding) -> str:
    """A finding's message behind the name of its file, where it is about one."""
    named = finding.path and finding.scope not in ("knob", "settings", "album")
    name = f"<b><bdi>{text(finding.path)}</bdi></b> " if named else ""
    return f"{name}{sentence(finding)}"


def _others(group: Sequence[Finding]) -> str:
    return f' <span class="share">and {len(group) - 1} more</span>' if len(group) > 1 else ""


def _rest(group: Sequence[Finding]) -> str:
    """What the first line has not told: the other files, and their own words where those differ."""
    rest = group[1 : _MOST_NAMES + 1]
    alike = len({finding.message for finding in group}) == 1
    rows = [f"<li><bdi>{text(f.path)}</bdi></li>" if alike else f"<li>{_said(f)}</li>" for f in rest]
    if len(group) - 1 > len(rest):
        rows.append(f"<li>and {len(group) - 1 - len(rest)} more</li>")
    return f'<ul class="{"names" if alike else "each"}">{"".join(rows)}</ul>' if rows else ""


def _side_by_side(album: AlbumResult, opened: OpenAlbum, thumbs: Thumbs) -> Iterator[str]:
    order = {media.path: number for number, media in enumerate(opened.album.media)}
    groups = related(album, order)
    if not groups:
        return
    known = thumbs.remember([path for group in groups[:_MOST_GROUPS] for path in group.paths[:_MOST_RELATED]])
    yield '<h3>Side by side</h3><div class="groups">'
    yield from (_group(group, known) for group in groups[:_MOST_GROUPS])
    yield "</div>"
    if len(groups) > _MOST_GROUPS:
        yield f"<p>and {len(groups) - _MOST_GROUPS} more groups</p>"


def _group(group: Related, known: Mapping[str, Thumb]) -> str:
    finding = group.finding
    figures = "".join(
        f"<figure>{picture(known[path], path)}<figcaption><bdi>{text(path)}</bdi></figcaption></figure>"
        for path in group.paths[:_MOST_RELATED]
        if path in known
    )
    rest = len(group.paths) - _MOST_RELATED
    more = f'<p class="more">and {rest} more</p>' if rest > 0 else ""
    return (
        f'<div class="related {finding.severity}" data-rule="{text(finding.rule)}">'
        f"<p>{badge(finding.severity)} {rule_button(finding.rule)} {_said(finding)}</p>"
        f'<div class="row">{figures}{more}</div></div>'
    )


def _cards(album: AlbumResult, opened: OpenAlbum, thumbs: Thumbs) -> Iterator[str]:
    examples = opened.album.examples
    if not examples:
        return
    by_path: dict[str, list[Finding]] = defaultdict(list)
    for finding in album.findings:
        by_path[finding.path].append(finding)

    def of(example: Example) -> list[Finding]:
        paths = [media.path for media in example.media] + ([example.mask.path] if example.mask else [])
        return [finding for path in paths for finding in by_path.get(path, ())]

    shown: Sequence[Example] = examples
    if len(examples) > MOST_CARDS:
        shown = [example for example in examples if of(example)][:MOST_CARDS]
    trigger = album.settings.trigger_phrase if album.settings else None
    yield f'<h3>Every {album.noun.removesuffix("s")}</h3><div class="sheet">'
    for tile in thumbs.tiles(shown):
        yield card(tile, opened.album.caption(tile.example), of(tile.example), trigger)
    yield '</div><p class="nothing" hidden>nothing here matches</p>'
    if len(shown) < len(examples):
        yield f"<p>{len(shown):,} of {len(examples):,} are shown: those with findings come first.</p>"


def _asides(album: AlbumResult) -> str:
    parts = []
    if album.handled:
        words = Counter(handled.words for handled in album.handled)
        rows = "".join(f"<li>{count} {text(what)}</li>" for what, count in words.most_common())
        parts.append(f"<h3>pack does these by itself, nothing to do</h3><ul>{rows}</ul>")
    if ignored := Counter((f.rule, f.ignored) for f in album.findings if f.ignored is not None):
        rows = "".join(
            f"<li>{badge('ignored')} {rule_button(rule)} {many(count, 'times')}: {text(reason or '')}</li>"
            for (rule, reason), count in sorted(ignored.items())
        )
        parts.append(f"<h3>Ignored on purpose</h3><ul>{rows}</ul>")
    if album.skipped:
        by_reason: dict[str, set[str]] = defaultdict(set)
        for skip in album.skipped:
            by_reason[skip.reason].add(skip.rule)
        rows = "".join(
            f"<li>{text(', '.join(sorted(rules)))}: {text(reason)}</li>"
            for reason, rules in by_reason.items()
        )
        parts.append(f"<h3>Not judged</h3><ul>{rows}</ul>")
    return (
        f'<footer class="asides">{"".join(f"<div>{part}</div>" for part in parts)}</footer>' if parts else ""
    )
