"""One example on the contact sheet: its pictures, its caption, what was found."""

from __future__ import annotations

from collections.abc import Sequence

from albumkit.album import Caption
from albumkit.lint import Finding
from albumkit.report.html.thumbs import Thumb, Tile
from albumkit.report.html.words import badge, marked, rule_button, sentence, text
from albumkit.rule import SEVERITIES

#: Characters of a caption that are shown before it has to be opened.
_SHOWN = 260
_ROLES = {"start": "start", "reference": "reference", "target": "end"}


def card(tile: Tile, caption: Caption | None, findings: Sequence[Finding], trigger: str | None) -> str:
    """An ``article``; what the filters ask for stands in its data attributes."""
    open_findings = [f for f in findings if f.ignored is None]
    states = {f.severity for f in open_findings} or {"clean"}
    states |= {"ignored"} if len(open_findings) < len(findings) else set()
    rules = sorted({f.rule for f in findings})
    worst = next((s for s in SEVERITIES if s in states), "clean")
    name = tile.example.path
    pair = " pair" if tile.example.is_pair else ""
    return (
        f'<article class="card{pair} {worst}" data-states="{" ".join(sorted(states))}" '
        f'data-rules="{text(" ".join(rules))}">'
        f'<div class="strip">{_pictures(tile, caption)}</div>'
        f'<h4><bdi title="{text(name)}">{text(name)}</bdi></h4>{_size(tile)}'
        f"{_caption(caption, trigger)}{_findings(findings, name)}</article>\n"
    )


def picture(thumb: Thumb, alt: str, label: str = "", mask: Thumb | None = None, extra: str = "") -> str:
    """A square with the whole picture in it, or with the reason why there is none."""
    tag = f'<span class="role">{text(label)}</span>' if label else ""
    if not thumb.uri:
        what = f"{text(alt)}: {text(thumb.problem)}"
        body = f'<span class="none" role="img" aria-label="{what}"><span>{text(thumb.problem)}</span></span>'
        return f'<span class="tile{extra}">{body}{tag}</span>'
    shape = "wide" if thumb.width >= thumb.height else "tall"
    over = ""
    if mask is not None and mask.uri:
        over = f'<img class="mask" src="{mask.uri}" alt="" loading="lazy" decoding="async">'
    return (
        f'<span class="tile{extra}"><span class="frame {shape}" '
        f'style="aspect-ratio:{thumb.width}/{thumb.height}">'
        f'<img src="{thumb.uri}" alt="{text(alt)}" width="{thumb.width}" height="{thumb.height}" '
        f'loading="lazy" decoding="async">{over}</span>{tag}</span>'
    )


def _pictures(tile: Tile, caption: Caption | None) -> str:
    example = tile.example
    thumbs = {media.path: thumb for media, thumb in zip(example.media, tile.media, strict=True)}
    described = caption.text if caption is not None and caption.text else "no caption"
    if not example.is_pair:
        ((path, thumb),) = list(thumbs.items())[:1]
        is_clip = example.media[0].media == "clip"
        label = f"\u25b6 {thumb.words}" if is_clip else ""
        return picture(thumb, f"{path}: {described[:200]}", label, tile.mask)
    start = _side(thumbs, example.start.path if example.start else "", "start", described)
    end = _side(thumbs, example.target.path if example.target else "", "end", described, tile.mask)
    more = "".join(
        picture(thumbs[r.path], f"{r.path}, a reference", "reference", extra=" small")
        for r in example.references
    )
    return f'{start}<span class="arrow" aria-hidden="true">\u2192</span>{end}{more}'


def _side(thumbs: dict[str, Thumb], path: str, role: str, caption: str, mask: Thumb | None = None) -> str:
    """One half of a pair, also where it is missing."""
    if path not in thumbs:
        return picture(Thumb("", problem=f"no {role} picture"), f"{role} of the pair", role)
    return picture(thumbs[path], f"{path}, {role} of the pair: {caption[:200]}", role, mask)


def _size(tile: Tile) -> str:
    thumb = tile.media[-1] if tile.example.target is None else tile.media[0]
    parts = [f"{thumb.width} \u00d7 {thumb.height}", thumb.words] if thumb.uri else []
    if tile.mask is not None:
        parts.append("mask" if tile.mask.uri else f"mask: {tile.mask.problem}")
    if tile.example.repeats > 1:
        parts.append(f"{tile.example.repeats} repeats")
    words = " \u00b7 ".join(part for part in parts if part)
    return f'<p class="size">{text(words)}</p>' if words else ""


def _caption(caption: Caption | None, trigger: str | None) -> str:
    if caption is None or not caption.text:
        reason = "no caption" if caption is None else caption.problem or "the caption is empty"
        return f'<p class="caption without">{text(reason)}</p>'
    words = caption.text
    if len(words) <= _SHOWN:
        return f'<p class="caption" dir="auto">{marked(words, trigger)}</p>'
    cut = words.rfind(" ", 0, _SHOWN)
    cut = cut if cut > _SHOWN // 2 else _SHOWN
    return (
        f'<details class="caption" dir="auto"><summary>{marked(words[:cut], trigger)}\u2026</summary>'
        f"{marked(words[cut:].lstrip(), trigger)}</details>"
    )


def _findings(findings: Sequence[Finding], name: str) -> str:
    """What was found; of a file that is not the card's own (a pair's start, a mask) with its name."""
    if not findings:
        return ""
    rows = []
    for finding in findings:
        state = "ignored" if finding.ignored is not None else finding.severity
        other = f"<b><bdi>{text(finding.path)}</bdi></b> " if finding.path != name else ""
        reason = f' <span class="reason">ignored: {text(finding.ignored)}</span>' if finding.ignored else ""
        rows.append(
            f'<li class="{state}" data-rule="{text(finding.rule)}">{badge(state)} {rule_button(finding.rule)}'
            f'<span class="said">{other}{sentence(finding)}{reason}</span></li>'
        )
    return f'<ul class="findings">{"".join(rows)}</ul>'
