"""The page of a rule, as Markdown: what ``explain`` prints and what docs/rules holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from albumkit.config import KINDS
from albumkit.paths import rules_root
from albumkit.rule import Rule, load_rules, read_profile

_HANDLED = (
    "**pack mends it.** For a trainer that receives an archive this is no finding: `lint` counts it in one "
    "line and `pack` does it."
)


def rule_page(rule: Rule) -> str:
    """One rule's page: what it says, why it matters, what mends it, what it measures, where it comes from."""
    parts = [f"# {rule.id}", f"{rule.title}. Severity: **{rule.severity}**, since {rule.since}."]
    parts += ["## What it says", f"    {rule.counterexamples[0]['message']}"]
    parts += ["## Why it matters", rule.why]
    if rule.handled_when is not None:
        parts.append(_HANDLED)
    parts += ["## What mends it", "\n".join(_remedy(r.do, r.gives) for r in rule.remedies)]
    parts += ["## What is measured", _measured(rule)]
    if notes := _profiles(rule):
        parts += ["## Kinds of album", notes]
    if rule.of_album:
        parts += ["## To silence it", _silence(rule)]
    parts += ["## Sources", "\n".join(f"- {s}" for s in rule.sources)]
    return "\n\n".join(parts) + "\n"


def rules_index() -> str:
    """The list of all rules, by folder, with severity and title."""
    lines = ["# Rules", "", "Generated from `rules/` by `python -m albumkit.report.pages docs`.", ""]
    folder = ""
    for rule in load_rules():
        if rule.id.split("/")[0] != folder:
            folder = rule.id.split("/")[0]
            lines += [f"## {folder}", "", "| rule | severity | fault |", "|---|---|---|"]
        lines.append(f"| [{rule.id}]({rule.id}.md) | {rule.severity} | {rule.title} |")
        if rule is [r for r in load_rules() if r.id.split("/")[0] == folder][-1]:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def pages() -> dict[str, str]:
    """Every generated page: path below docs/ -> text."""
    found = {f"rules/{rule.id}.md": rule_page(rule) for rule in load_rules()}
    return {"rules/README.md": rules_index(), **found}


def _remedy(do: str, gives: str) -> str:
    shown = _plain(do)
    text = f"`{shown}`" if shown.startswith("albumkit ") or " = " in shown else shown
    return f"- {text}" + (f" ({_plain(gives)})" if gives else "")


def _plain(text: str) -> str:
    """Message fields as a reader of a page sees them: ``{album_path}`` becomes ALBUM."""
    names = {
        "album_path": "ALBUM",
        "trainer_id": "ID",
        "subject_phrase": "TRIGGER CLASS",
        "trigger": "TRIGGER",
    }
    fields = {"caption_names": "ROOT.txt", "start_name": "ROOT_start", "end_name": "ROOT_end"}
    fields |= {
        "loading_remedy": "albumkit convert FILE OUT --to comfy",
        "made_for": "the model it was made for",
    }
    fields |= {"base_title": "the base", "scale_words": "its alpha / rank"}
    for name, shown in {**names, **fields, "better_format": "comfy", "examples_short": "a few"}.items():
        text = text.replace(f"{{{name}}}", shown)
    return text


def _measured(rule: Rule) -> str:
    from albumkit.facts import find_fact

    lines = []
    for name in rule.needs:
        found = find_fact(rule.scope, name)
        if found is not None:
            doc = " ".join(found.doc.split())
            lines.append(f"- `{name}` (of each {rule.scope}, cost {found.cost}): {doc}")
            lines.append(f"  Passes when it {_limit(rule.schema['properties'][name])}.")
    return "\n".join(lines)


_LIMITS = {
    "const": "is {}",
    "enum": "is one of {}",
    "minimum": "is at least {}",
    "maximum": "is at most {}",
    "exclusiveMinimum": "is above {}",
    "exclusiveMaximum": "is below {}",
    "minLength": "has at least {} characters",
    "maxLength": "has at most {} characters",
    "minItems": "has at least {} entries",
    "maxItems": "has at most {} entries",
    "multipleOf": "is a multiple of {}",
}


def _limit(schema: Mapping[str, Any]) -> str:
    """The keywords of one property in words; one without words is shown as the JSON it is."""
    parts = []
    for keyword, value in schema.items():
        if keyword == "not":
            parts.append(_limit(value).replace("is ", "is not ", 1))
        elif keyword in _LIMITS:
            parts.append(_LIMITS[keyword].format(_shown(value)))
        elif keyword != "type":
            parts.append(f"`{json.dumps({keyword: value})}`")
    return " and ".join(parts)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return "empty" if value == "" else f"`{json.dumps(value)}`"


def _profiles(rule: Rule) -> str:
    rows = [(kind, read_profile(rules_root(), kind).get(rule.id)) for kind in KINDS]
    return "\n".join(f"- {kind} albums: {judged.severity}. {judged.why}" for kind, judged in rows if judged)


def _silence(rule: Rule) -> str:
    paths = 'paths = ["IMG_0415.*"]\n' if rule.scope in ("example", "clip", "caption", "pair") else ""
    return f'```toml\n[[lint.ignore]]\nrule = "{rule.id}"\n{paths}reason = "why it is right here"\n```'


def _main() -> None:
    import sys
    from pathlib import Path

    root = Path(sys.argv[1])
    for name, text in pages().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    _main()
