"""Albums of tiny pictures, judged by the rules about settings."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from albumkit.facts import FactCache, Measured
from albumkit.lint import AlbumResult, lint
from albumkit.opening import open_album
from albumkit.rule import load_rules
from albumkit.settings import resolve

KLEIN = "fal-ai/flux-2-klein-9b-base-trainer"
FLUX3 = "blackforestlabs/flux-3/klein/base/trainer"

RULES = [rule for rule in load_rules() if rule.id.startswith("settings/")]


def judged(album: Path, text: str, count: int = 15, masks: int = 0) -> AlbumResult:
    """An album of so many tiny pictures with this album.toml, judged by the rules about settings."""
    album.mkdir(exist_ok=True)
    for number in range(count):
        Image.new("L", (8, 8)).save(album / f"{number:03}.png")
        (album / f"{number:03}.txt").write_text("a photo of TOK cat")
    for number in range(masks):
        (album / "masks").mkdir(exist_ok=True)
        Image.new("L", (8, 8), 255).save(album / "masks" / f"{number:03}.png")
    if text:
        (album / "album.toml").write_text(text)
    opened = open_album(album)
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind)
    measured = Measured(opened.album, FactCache.none())
    return lint(opened, settings, measured, rules=RULES, cost="header")


def found(album: Path, text: str, count: int = 15, masks: int = 0) -> dict[str, str]:
    """rule -> message, its folder left out; the trigger is given."""
    if "[album]" not in text:
        text = f'[album]\ntrigger_phrase = "TOK"\n{text}'
    result = judged(album, text, count, masks)
    return {f.rule.removeprefix("settings/"): f.message for f in result.findings}


def train(trainer: str, *lines: str) -> str:
    return "\n".join(["[train]", f'trainer = "{trainer}"', *lines])


def local(*lines: str, base: str = "black-forest-labs/FLUX.2-klein-base-4B") -> str:
    """A training here, with a test prompt, so that only what the lines say can be wrong."""
    prompt = 'validation = [{ prompt = "a photo of TOK cat" }]'
    return train("local", f'base = "{base}"', prompt, *lines)
