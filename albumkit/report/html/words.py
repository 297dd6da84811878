"""Pieces of HTML that every part of the page uses."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable

from albumkit.errors import UnknownName
from albumkit.lint import Finding
from albumkit.phrases import find_phrase
from albumkit.report.links import page_url
from albumkit.report.safe import visible
from albumkit.rule import Remedy, Rule, find_rule


def text(words: str) -> str:
    """Words of anybody as text or as the value of an attribute."""
    return html.escape(visible(words))


def many(count: int, noun: str) -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{count:,} {noun[:-1] if count == 1 and noun.endswith('s') else noun}"


def badge(severity: str, words: str = "") -> str:
    """A severity as a word on its colour; never a colour alone."""
    return f'<span class="badge {severity}">{text(words or severity)}</span>'


def rule_button(rule: str) -> str:
    """A rule's name, which shows only its pictures when it is pressed."""
    return (
        f'<button type="button" class="rule" data-rule="{text(rule)}" title="Show only this rule">'
        f"{text(rule).replace('/', '/<wbr>')}</button>"
    )


def known_rule(name: str) -> Rule | None:
    """None for a house rule of the albums' own repository."""
    try:
        return find_rule(name)
    except UnknownName:
        return None


def remedies(found: Iterable[Remedy]) -> str:
    """What mends a fault, as a list."""
    rows = []
    for remedy in found:
        command = remedy.do.startswith("albumkit ") or " = " in remedy.do
        shown = f"<code>{text(remedy.do)}</code>" if command else text(remedy.do)
        gives = f' <span class="gives">{text(remedy.gives)}</span>' if remedy.gives else ""
        rows.append(f"<li>{shown}{gives}</li>")
    return f'<ul class="do">{"".join(rows)}</ul>' if rows else ""


def why(rule: str) -> str:
    """Why a rule matters, with a link to its page when there is one."""
    found = known_rule(rule)
    if found is None:
        return ""
    url = page_url(rule)
    link = f' <a href="{text(url)}" rel="noreferrer">more about {text(rule)}</a>' if url else ""
    return f'<p class="why">{text(found.why)}{link}</p>'


def marked(caption: str, phrase: str | None) -> str:
    """A caption with the trigger phrase marked wherever it stands."""
    parts, rest = [], unicodedata.normalize("NFC", caption)  # as find_phrase counts
    while phrase and (match := find_phrase(phrase, rest)) is not None:
        parts += [text(rest[: match.start()]), f"<mark>{text(match[0])}</mark>"]
        rest = rest[match.end() :]
    return "".join([*parts, text(rest)])


def sentence(finding: Finding) -> str:
    """A finding's message, with the line of album.toml that it is about."""
    line = f' <span class="line">line {finding.line}</span>' if finding.line else ""
    return f"{text(finding.message)}{line}"
