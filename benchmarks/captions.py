"""Captions by pocket of pictures that it never saw: what they name, and whether lint is content with them.

    python benchmarks/captions.py --work /tmp/albumkit-captions

500 held-out scenes of the pocket world are drawn as 20 style albums. These, and a copy of
`sample_albums/tok_figurine` without its captions, are captioned by the command itself, and linted by the
command itself. Of two pictures of an album that would get the same caption the command leaves one to a
person. Exit code 1 where place, light or object is named rightly in fewer than 90 of 100 pictures, or where
lint has an error about a caption.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

from albumkit.engine.pocket.make.captioning import says
from albumkit.engine.pocket.world import Scenes, render, sample
from albumkit.engine.pocket.world.names import COLOUR_NAMES, FRAMINGS, KINDS, LIGHTS, PLACES

_ALBUMS, _EACH, _SEED = 20, 25, 9191
_ASKED = 0.9
_FIGURINE = Path(__file__).parent.parent / "sample_albums" / "tok_figurine"


def albumkit(*words: str | Path) -> dict:
    command = [
        sys.executable,
        "-c",
        "from albumkit.cli.main import run; run()",
        *map(str, words),
        "--format",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def draw(folder: Path, scenes: Scenes) -> None:
    folder.mkdir(parents=True)
    for i, pixels in enumerate(render(scenes, 256)[0]):
        Image.fromarray(pixels.numpy()).save(folder / f"{i:02}.png")
    (folder / "album.toml").write_text('[album]\nkind = "style"\ntrigger_phrase = "pcktwrld style"\n')


def captioned(album: Path) -> tuple[list[str], int]:
    """The captions in the order of the pictures, "" where it is left to a person, and lint's errors."""
    albumkit("caption", album, "--with", "pocket")
    files = [file.with_suffix(".txt") for file in sorted(album.glob("*.[jp][pn]g"))]
    texts = [file.read_text(encoding="utf-8") if file.exists() else "" for file in files]
    report = albumkit("lint", album, "--select", "caption")
    wrong = [f for f in report["findings"] if f["severity"] == "error" and f["rule"] != "caption/missing"]
    return texts, len(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the albums; made anew")
    work = parser.parse_args().work
    shutil.rmtree(work, ignore_errors=True)
    scenes = sample(_SEED, _ALBUMS * _EACH, held=True)
    texts: list[str] = []
    errors = 0
    for k in range(_ALBUMS):
        draw(work / f"style_{k:02}", scenes[slice(k * _EACH, (k + 1) * _EACH)])
        some, wrong = captioned(work / f"style_{k:02}")
        texts += some
        errors += wrong
    right = {}
    for aspect, field, names in (
        ("object", "kind", KINDS),
        ("colour", "colour", COLOUR_NAMES),
        ("place", "place", PLACES),
        ("light", "light", LIGHTS),
        ("framing", "framing", FRAMINGS),
    ):
        truth = [names[i] for i in getattr(scenes, field).tolist()]
        right[aspect] = sum(says(t, n, names) for t, n in zip(texts, truth, strict=True)) / len(texts)
    print(f"| {len(texts)} held-out scenes | |\n|---|---:|")
    print(f"| captioned | {sum(map(bool, texts))} |")
    for aspect, share in right.items():
        print(f"| {aspect} named rightly | {100 * share:.1f} % |")
    print(f"| errors of lint about them | {errors} |")
    figurine = work / "tok_figurine"
    shutil.copytree(_FIGURINE, figurine, ignore=shutil.ignore_patterns("*.txt"))
    said, wrong = captioned(figurine)
    own = [file.read_text(encoding="utf-8") for file in sorted(_FIGURINE.glob("*.txt"))]
    opened = sum(text.startswith("a photo of TOK ceramic cat figurine ") for text in said)
    same = sum(a.strip() == b.strip() for a, b in zip(said, own, strict=True))
    print(f"\n| tok_figurine, {len(own)} pictures | |\n|---|---:|")
    print(f"| trigger and class phrase kept | {opened} |\n| as the renderer would say it | {same} |")
    print(f"| errors of lint about them | {wrong} |")
    enough = all(right[aspect] >= _ASKED for aspect in ("object", "place", "light"))
    return 0 if enough and not errors + wrong and opened == len(own) else 1


if __name__ == "__main__":
    sys.exit(main())
