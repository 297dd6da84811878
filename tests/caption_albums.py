"""Albums made of captions alone, and short questions to the rules about them."""

from __future__ import annotations

from pathlib import Path

from conftest import write_picture

from albumkit.facts import FactCache
from albumkit.lint import AlbumResult
from albumkit.paths import rules_root
from albumkit.workflows import lint_paths

GOOD = Path(__file__).parent / "data" / "good_captions"
KLEIN = "fal-ai/flux-2-klein-9b-base-trainer"


def captions(name: str) -> list[str]:
    return (GOOD / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def album(
    folder: Path, texts: list[str | bytes], toml: str = 'trigger_phrase = "TOK"', pairs: bool = False
) -> Path:
    """One small picture (or pair) a caption: IMG_00, IMG_01, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts):
        root = folder / f"IMG_{number:02}"
        if pairs:
            write_picture(folder / f"{root.name}_start.jpg", shade=number * 6)
            write_picture(folder / f"{root.name}_end.jpg", shade=number * 6 + 3)
        else:
            write_picture(root.with_suffix(".jpg"), shade=number * 6)
        root.with_suffix(".txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "album.toml").write_text(f"[album]\n{toml}\n", encoding="utf-8")
    return folder


def check(folder: Path, **options) -> AlbumResult:
    return lint_paths([folder], cost="header", cache=FactCache.none(), **options).albums[0]


def found(folder: Path, rule: str, **options) -> dict[str, str]:
    """Path -> message of what a rule finds."""
    return {f.path: f.message for f in check(folder, **options).findings if f.rule == rule}


def about_captions(result: AlbumResult) -> dict[str, str]:
    ours = {f"caption/{p.stem}" for p in (rules_root() / "caption").glob("*.json")} | {"album/few-settings"}
    return {f.rule: f.message for f in result.findings if f.rule in ours}


KINDS = {
    "subject": 'kind = "subject"\ntrigger_phrase = "TOK"\nclass_phrase = "ceramic cat figurine"',
    "pattern": 'kind = "subject"\ntrigger_phrase = "TOK"\nclass_phrase = "cat"',
    "style": 'kind = "style"\ntrigger_phrase = "inknyte style"',
    "edit": 'kind = "edit"\ntrigger_phrase = ""',
    "video": 'kind = "video"\ntrigger_phrase = "TOK"\nclass_phrase = "puppet"',
}
