"""What caption-audit 1.3.0, lora-audit 0.1.0 and albumkit find in the same four albums, as one Markdown page.

    python benchmarks/peers.py --work /tmp/albumkit-peers > benchmarks/peers.md

makes a virtual environment for each peer (``--bin FOLDER`` takes installed ones) and an album of typical
caption faults. Each peer gets the trigger and class phrase of album.toml where it takes them, and runs with
its own defaults.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PEERS = {"caption-audit": "caption-audit==1.3.0", "lora-audit": "lora-audit==0.1.0"}
TOOLS = (*PEERS, "albumkit")


@dataclass(frozen=True)
class Fault:
    """One fault under the names that the three give it; ``why`` albumkit is silent where a peer is not."""

    words: str
    caption_audit: tuple[str, ...] = ()
    lora_audit: tuple[str, ...] = ()
    albumkit: tuple[str, ...] = ()
    why: str = ""


#: A rule of albumkit that stands in no line gets a line of its own.
FAULTS = (
    Fault(
        "no caption",
        ("missing",),
        ("E001",),
        ("caption/missing",),
        "The peers do not know edit pairs: ROOT.txt belongs to ROOT_start and ROOT_end.",
    ),
    Fault("a stand-in caption", (), ("W004",), ("caption/default-used",)),
    Fault("blank caption", ("empty",), ("W001",), ("caption/empty",)),
    Fault(
        "not UTF-8, no text, or a byte order mark",
        ("encoding",),
        (),
        ("caption/not-utf8", "caption/unreadable", "caption/byte-order-mark"),
    ),
    Fault(
        "trigger absent, misspelt or in another case",
        ("trigger", "variant"),
        ("W003",),
        ("caption/trigger-absent", "caption/trigger-misspelt", "caption/trigger-case-varies"),
    ),
    Fault(
        "class phrase not in the caption, or another one",
        ("class",),
        (),
        ("caption/class-phrase-drifts", "caption/class-phrase-absent"),
        "Captions that are blank, in UTF-16 or without the trigger are told as that.",
    ),
    Fault(
        "the same caption twice",
        ("exact",),
        ("W002",),
        ("caption/identical",),
        "One instruction for all pairs is how an edit is taught.",
    ),
    Fault("nearly the same caption", ("near",), (), ("caption/near-identical",)),
    Fault(
        "a word in nearly all captions",
        ("fused",),
        (),
        ("caption/fused-term",),
        '"a photo" is how captions begin, and an edit album shares its instruction.',
    ),
    Fault(
        "a word in 35 to 85 % of the captions",
        ("common",),
        why='Half of the captions may well say "corner": what varies is not fused. On a good album '
        "(cookie_box) the list is long.",
    ),
    Fault(
        "trigger not the first word, or not always in one place",
        ("position",),
        why="No source says that the place matters to an encoder that reads the whole sentence; "
        '"a photo of TOK cat" is the usual form.',
    ),
    Fault(
        "caption much longer or shorter than the others",
        ("length",),
        why="One caption in twenty is that far off by chance. In caption_faults it is the one that "
        "caption/too-long names, in tumbler one in UTF-16 read as if it were UTF-8.",
    ),
    Fault(
        "few different words (type-token ratio)",
        ("diversity",),
        why="The ratio falls with the length of the texts, good or not: it speaks on cookie_box too; "
        "album/few-settings counts places, lights and framings.",
    ),
    Fault(
        "caption without picture",
        ("orphan",),
        ("W006",),
        ("album/orphan-caption",),
        "The peers do not know TIFF, BMP and edit pairs.",
    ),
    Fault("file name with blanks or odd letters", (), ("W005",), ("album/name-not-portable",)),
    Fault("small picture", (), ("W007",), ("example/below-training-resolution",)),
    Fault(
        "pictures of several sizes",
        (),
        ("W008",),
        why="Trainers sort sizes into buckets. A crop that hurts is example/cropped-by-bucket.",
    ),
    Fault("few or many pictures", (), ("W009",), ("album/too-few-examples",)),
    Fault("files of the operating system", (), ("W010",), ("album/junk-files",)),
    Fault(
        "a list names a file that is not there",
        (),
        ("W011", "W012"),
        why="train and validation lists belong to trainers that albumkit does not pack for.",
    ),
    Fault("extension of another format", (), ("W013",), ("example/extension-mismatch",)),
)


@dataclass
class Found:
    """Tool -> its name of a fault -> the files, or a word that says what it is about."""

    by_tool: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def of(self, tool: str, fault: Fault) -> list[str]:
        names = {"caption-audit": fault.caption_audit, "lora-audit": fault.lora_audit}.get(
            tool, fault.albumkit
        )
        held = self.by_tool[tool]
        return [item for name in names for item in held.get(name, ())]


def environment(folder: Path, requirement: str) -> Path:
    """The scripts folder of a virtual environment with one package."""
    bin_folder = folder / ("Scripts" if sys.platform == "win32" else "bin")
    if not folder.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(bin_folder / "python"), "-m", "pip", "install", "-q", requirement], check=True)
    return bin_folder


def output(command: list[str]) -> Any:
    """The JSON that a tool prints; a linter's exit code 1 is an answer."""
    env = {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, env=env)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return json.loads(done.stdout)


def caption_audit(script: Path, folder: Path, config: Mapping[str, Any]) -> dict[str, list[str]]:
    command = [str(script / "caption-audit"), str(folder), "--format", "json"]
    for option, key in (("--trigger", "trigger_phrase"), ("--class-word", "class_phrase")):
        if config.get(key):
            command += [option, config[key]]
    told = output(command)
    pairing, trigger, sets = told["pairing"], told["trigger"], told["redundancy"]
    found = {
        "missing": [name for _, name in pairing["images_without_caption"]],
        "orphan": pairing["captions_without_image"],
        "empty": pairing["empty_captions"],
        "encoding": [name for name, _ in pairing["encoding_problems"]],
        "trigger": trigger["missing_files"],
        "variant": [name for variant in trigger["variants"] for name in variant["files"]],
        "position": [f[1] for f in trigger["findings"] if "position" in f[1] or "first token" in f[1]],
        "class": [name for word in trigger["class_word_coverage"] for name in word["missing_files"]],
        "exact": [name for group in sets["exact"] for name in group["files"]],
        "near": sorted({name for pair in sets["near"] for name in (pair["a"], pair["b"])}),
        "length": [outlier["file"] for outlier in told["distribution"]["outliers"]],
        "diversity": [f[1] for f in told["distribution"]["findings"] if "diversity" in f[1]],
    }
    for row in told["df"]["primary"]:
        key = "fused" if row["severity"] == "CRITICAL" else "common"
        found.setdefault(key, []).append(f'"{row["term"]}"')
    return found


def lora_audit(script: Path, folder: Path, work: Path) -> dict[str, list[str]]:
    command = [str(script / "lora-audit"), "scan", str(folder), "-q", "-o", str(work / "page.html")]
    report = work / "lora-audit.json"
    subprocess.run([*command, "--json", str(report)], capture_output=True, check=False)
    told = json.loads(report.read_text(encoding="utf-8"))
    wanted = [f for f in told["findings"] if f["sev"] != "info"]
    return {f["id"]: f["items"] or ["the album"] for f in wanted}


def albumkit(folder: Path) -> dict[str, list[str]]:
    run = "from albumkit.cli.main import run; run()"
    told = output([sys.executable, "-c", run, "lint", "--format", "json", str(folder)])
    found: dict[str, list[str]] = defaultdict(list)
    for finding in [*told["findings"], *told["handled"]]:
        found[finding["rule"]].append(Path(finding["path"] or "the album").name)
    return found


SCENES = """on a windowsill between two ferns, pale morning light, close-up
in the middle of an oak table, overcast daylight, wide shot
half sunk in dry leaves, low evening sun, low angle
held up against the sky, hard noon light, from below
on wet cobblestones at night, light of a shop window, eye level
on a garden wall, late afternoon sun, seen from behind
in a box of paper wool, flash, from above
next to a stack of books, warm lamp, three-quarter view
on a dashboard, cool grey light, from the passenger seat
on the edge of a bathtub, even light, in profile
among apples on a market stall, diffuse noon light, full view
in fresh snow, blue dusk, tilted
on a mantelpiece between candles, dark room, from the left
on a tram seat, neon tubes, from the aisle
in a studio, one softbox, front view
at the foot of a staircase, stripes of sunlight, from the landing
on a rock above a lake, haze, small in the frame
on a kitchen counter, ceiling lamp, over the shoulder
in a hallway mirror, dim light, waist up
on a picnic blanket, dappled shade, at an angle
on a stack of firewood, foggy morning, side view
on a drawing desk, clamp lamp, macro
in shallow surf, backlit, low to the sand
under a tree, soft shade, from afar""".split("\n")


def captions_with_faults() -> list[str]:
    """24 captions, most of them good, with the faults that people make."""
    texts = [f"a photo of TOK cat {scene}, beside a red cushion" for scene in SCENES]
    for number in range(0, 21, 3):
        texts[number] = texts[number].replace("photo", "stunning photo")
    texts[1] = texts[1].replace("TOK", "tok")
    texts[2] = texts[2].replace("TOK cat", "TOK kitten")
    texts[4] = "TOK cat, red cushion, cobblestones, night, shop window, looking at viewer"
    texts[5] = "The image shows TOK cat on a garden wall beside a red cushion in the late afternoon sun"
    texts[7] = "a photo of TOK cat {place}, warm lamp, beside a red cushion"
    texts[8] = "IMG_08"
    texts[10] = "a photo of TOKK cat among apples on a market stall, diffuse noon light, beside a red cushion"
    texts[11] = (
        "a photo of TOK cat in fresh snow, blue dusk, beside a red cushion " + "and one more thing " * 130
    )
    copied = "a photo of TOK cat with thin painted whiskers, folded ears, a curled tail, an open mouth, "
    texts[13] = copied + "crossed paws, brushed fur, narrow eyes, beside a red cushion"
    texts[14] = copied + "crossed paws, brushed fur, round eyes, beside a red cushion"
    texts[16] = texts[17]
    texts[20] = "TOK on a stack of firewood, foggy morning, side view, beside a red cushion"
    texts[19] = ""
    return texts


def faulty_album(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, text in enumerate(captions_with_faults()):
        picture = Image.effect_noise((24, 24), 100 + number).resize((1024, 1024), Image.Resampling.NEAREST)
        picture.convert("RGB").save(folder / f"IMG_{number:02}.jpg", quality=88)
        mark = b"\xef\xbb\xbf" if number == 22 else b""
        (folder / f"IMG_{number:02}.txt").write_bytes(mark + text.encode())
    (folder / "album.toml").write_text(
        '[album]\nkind = "subject"\ntrigger_phrase = "TOK"\nclass_phrase = "cat"\n'
        '[use]\nruntime = ["comfy"]\n[train]\noutput_lora_format = "comfy"\n'
    )
    return folder


def judged(folder: Path, scripts: Mapping[str, Path], work: Path) -> Found:
    config = tomllib.loads((folder / "album.toml").read_text(encoding="utf-8"))["album"]
    copy = work / "read" / folder.name  # lora-audit may write beside what it reads
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    return Found(
        {
            "caption-audit": caption_audit(scripts["caption-audit"], copy, config),
            "lora-audit": lora_audit(scripts["lora-audit"], copy, work),
            "albumkit": albumkit(copy),
        }
    )


def rows(found: Found) -> Iterator[tuple[str, list[list[str]]]]:
    """(fault, what each tool found) for every fault that anyone found."""
    known = {rule for fault in FAULTS for rule in fault.albumkit}
    rest = [Fault(rule, albumkit=(rule,)) for rule in sorted(set(found.by_tool["albumkit"]) - known)]
    for fault in (*FAULTS, *rest):
        cells = [found.of(tool, fault) for tool in TOOLS]
        if any(cells):
            yield fault.words, cells


def cell(items: list[str]) -> str:
    shown = sorted({Path(item).stem if item[:1] != '"' else item for item in items})
    if not shown:
        return ""
    return ", ".join(shown) if len(shown) <= 3 else f"{len(shown)}: {', '.join(shown[:2])}, ..."


def page(albums: list[Path], scripts: Mapping[str, Path], work: Path) -> Iterator[str]:
    yield "# What the peers find, and what albumkit finds\n"
    yield "Made by `python benchmarks/peers.py`. caption-audit 1.3.0 reads captions only, lora-audit 0.1.0"
    yield "captions and headers. A cell names the files or the words; an empty one: nothing was said.\n"
    theirs: dict[str, set[str]] = defaultdict(set)
    ours: dict[str, set[str]] = defaultdict(set)
    for folder in albums:
        yield f"## {folder.name}\n"
        yield "| fault | caption-audit | lora-audit | albumkit |\n|---|---|---|---|"
        for words, cells in rows(judged(folder, scripts, work)):
            yield f"| {words} | {' | '.join(map(cell, cells))} |"
            if any(cells[:2]) and not cells[2]:
                theirs[words].add(folder.name)
            if cells[2] and not any(cells[:2]):
                ours[words].add(folder.name)
        yield ""
    yield "## What only the peers found\n"
    yield "| fault | where | why albumkit is silent |\n|---|---|---|"
    reasons = {fault.words: fault.why for fault in FAULTS}
    for words, names in theirs.items():
        yield f"| {words} | {', '.join(sorted(names))} | {reasons[words] or 'A rule is missing.'} |"
    yield "\n## What only albumkit found\n"
    yield "| fault | where |\n|---|---|"
    for words, names in ours.items():
        yield f"| {words} | {', '.join(sorted(names))} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bin", type=Path, help="a folder that holds the scripts of both peers")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    scripts = {
        name: options.bin or environment(options.work / f"venv-{name}", requirement)
        for name, requirement in PEERS.items()
    }
    samples = [ROOT / "sample_albums" / name for name in ("messy/tumbler", "cookie_box", "edit_pairs")]
    for line in page([*samples, faulty_album(options.work / "caption_faults")], scripts, options.work):
        print(line)


if __name__ == "__main__":
    main()
