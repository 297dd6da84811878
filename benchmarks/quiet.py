"""How often each pixel rule fires on good pictures, and what lint says of good albums.

    apt-get download lomiri-wallpapers-16.04 mate-backgrounds plasma-workspace-wallpapers
    for f in *.deb; do dpkg-deb -x "$f" "${f%%_*}"; done
    pip download --no-deps scikit-image==0.26.0 scikit-learn==1.9.1 imgaug==0.4.0
    for f in *.whl; do unzip -qd "${f%%-*}" "$f"; done
    mkdir plasma
    for n in BytheWater ColdRipple ColorfulCups DarkestHour EveningGlow FallenLeaf Grey Kite OneStandsOut \\
        Path summer_1am; do \\
        cp plasma-workspace-wallpapers/usr/share/wallpapers/$n/contents/images/2560x1600.jpg plasma/$n.jpg
    done
    python benchmarks/good_albums.py good
    python benchmarks/quiet.py --out benchmarks/quiet.md --photos lomiri=lomiri-wallpapers-16.04 \\
        --photos mate=mate-backgrounds/usr/share/backgrounds/mate/nature --photos plasma=plasma \\
        --photos scikit-image=scikit_image/skimage/data --photos others=scikit_learn --photos others=imgaug \\
        --album subject=good/subject --album masked=good/masked --album style=good/style \\
        --album edit=good/edit --album video=good/video --album cookie_box=sample_albums/cookie_box \\
        --album edit_pairs=sample_albums/edit_pairs \\
        --bad example/blurry=scikit_image/skimage/data/clock_motion.png

``--photos NAME=FOLDER`` names photographs that stand alone, each of which is judged as an example; many
folders of one name are one source. ``--album NAME=FOLDER`` a good album, judged as it is, in every scope; of
one with masks the limits about masks are measured too. ``--bad RULE=FILE`` names pictures that were taken
with the fault. Pictures below 256 pixels and those of ``NOT_PHOTOGRAPHS`` are left out. Every rule of cost
pixels that the tree holds is run, those that are off by default too. The limits that were fitted here follow:
quiet_limits.py.
"""

from __future__ import annotations

import argparse
import fnmatch
import platform
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from quiet_limits import limit_sections

from albumkit.facts import FactCache, Measured
from albumkit.lint import AlbumResult, lint
from albumkit.opening import open_album
from albumkit.rule import Rule, load_rules
from albumkit.settings import resolve
from albumkit.workflows import lint_paths

#: In the packages named above, but made, drawn, printed, seen through a microscope, black and white, or
#: taken with a fault: patterns of file names.
NOT_PHOTOGRAPHS = """
    umang_by* Infinite-Sea* Fossa_by* Painting-Colors* analogpattern_by* Elephants* chessboard* clock_motion*
    color.png horse.png logo.png page.png text.png phantom.png cell.png ihc.png microaneurysms.png
    retina.jpg hubble* moon.png lbp* multipage* no_time* simple.* truncated* mssim* *depth_map* bubble*
    screenshot*""".split()
#: A rule that fires on a larger share of good photographs is off by default.
NOISY = 0.05
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
#: example/truncated asks whether there are pixels at all.
RULES = [r for r in load_rules() if r.cost == "pixels" and r.id != "example/truncated"]


def photographs(folder: Path, skip: Sequence[str]) -> list[Path]:
    """Every photograph below a folder, in order of their names."""
    found = []
    for file in sorted(folder.rglob("*"), key=lambda f: (f.name, f)):
        if file.suffix.lower() not in ENDINGS or any(fnmatch.fnmatch(file.name, p) for p in skip):
            continue
        with Image.open(file) as image:
            if min(image.size) >= 256 and image.mode in ("RGB", "L"):
                found.append(file)
    return found


@dataclass(frozen=True)
class Fired:
    """What every pixel rule said of one folder."""

    #: Rule -> the paths on which it fires.
    paths: dict[str, set[str]]
    #: Rules that the kind of album has not switched off.
    judged: frozenset[str]
    #: Scope -> subjects.
    subjects: dict[str, int]

    @classmethod
    def on(cls, folder: Path) -> Fired:
        opened = open_album(folder)
        settings = resolve(opened.config, guessed_kind=opened.guessed_kind)
        result = lint(opened, settings, Measured(opened.album, FactCache.none()), rules=RULES)
        paths: dict[str, set[str]] = defaultdict(set)
        for one in (*result.findings, *result.handled):
            paths[one.rule].add(one.path)
        examples = opened.album.examples
        subjects = {
            "example": len(opened.album.media),
            "clip": sum(m.media == "clip" for m in opened.album.media),
            "pair": sum(e.is_pair for e in examples),
            "mask": sum(e.mask is not None for e in examples),
            "caption": len(examples),
        }
        return cls(paths, frozenset(result.rules), subjects)

    def cell(self, rule: Rule) -> str:
        count = self.subjects[rule.scope]
        if not count:
            return ""
        return f"{len(self.paths[rule.id])} of {count}" if rule.id in self.judged else "off"


def alarm_table(photos: dict[str, list[Path]], albums: dict[str, Path], work: Path) -> list[str]:
    """Rule by source: fired of how many; then which photographs."""
    fired: dict[str, Fired] = {}
    for name, files in photos.items():
        folder = work / f"photos_{name}"
        folder.mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder)
        fired[name] = Fired.on(folder)
        shutil.rmtree(folder)
    fired |= {name: Fired.on(folder) for name, folder in albums.items()}
    lines = [
        "| rule | " + " | ".join(fired) + " | photographs together |",
        "|---|" + "---:|" * (len(fired) + 1),
    ]
    named, noisy = [], []
    for rule in RULES:
        hits = sorted(path for name in photos for path in fired[name].paths[rule.id])
        of = sum(fired[name].subjects[rule.scope] for name in photos)
        total = f"{len(hits)} of {of} ({len(hits) / of:.1%})" if of else ""
        cells = " | ".join(one.cell(rule) for one in fired.values())
        lines.append(f"| {rule.id}{' (off by default)' if rule.opt_in else ''} | {cells} | {total} |")
        named += [f"- {rule.id}: {path}" for path in hits]
        noisy += [rule.id] if of and len(hits) / of > NOISY else []
    lines += ["", "*off*: switched off for albums of this kind.", ""]
    lines += [f"Above {NOISY:.0%}: {', '.join(noisy) or 'none'}.", "", "What fired on photographs:", ""]
    return [*lines, *(named or ["- nothing"]), ""]


def album_table(albums: dict[str, Path]) -> list[str]:
    """What lint says of each album, as its album.toml and the profile of its kind have it."""
    results = {
        name: lint_paths([folder], cache=FactCache.none(), baseline=False).albums[0]
        for name, folder in albums.items()
    }
    lines = ["| album | errors | warnings | notes | pack mends |", "|---|---:|---:|---:|---:|"]
    for name, result in results.items():
        counts = " | ".join(str(result.count(severity)) for severity in ("error", "warning", "note"))
        what = f"{name}: {result.kind}, {result.examples} {result.noun}"
        lines.append(f"| {what} | {counts} | {len(result.handled)} |")
    return [*lines, "", *(line for name, result in results.items() for line in told(name, result)), ""]


def told(name: str, result: AlbumResult) -> Iterator[str]:
    """A line for each rule that speaks, with its first finding."""
    by_rule = defaultdict(list)
    for finding in result.findings:
        by_rule[finding.severity, finding.rule].append(finding)
    for (severity, rule), findings in by_rule.items():
        first = findings[0]
        where = first.path or "the album"
        where = f"{len(findings)} of them, as {where}" if len(findings) > 1 else where
        yield f"- {name}: {severity} {rule} ({where}): {first.message}"
    for one in result.skipped:
        yield f"- {name}: {one.rule} could not be judged: {one.reason}"


def report(options: argparse.Namespace, work: Path) -> str:
    photos: dict[str, list[Path]] = defaultdict(list)
    for name, folder in map(_pair, options.photos):
        photos[name] += photographs(Path(folder), [*NOT_PHOTOGRAPHS, *options.skip])
    albums = {name: Path(folder) for name, folder in map(_pair, options.album)}
    bad: dict[str, list[Path]] = defaultdict(list)
    for name, file in map(_pair, options.bad):
        bad[name].append(Path(file))
    everyone = sorted((file for files in photos.values() for file in files), key=lambda f: f.stem)
    if not everyone:
        raise SystemExit("no photographs: name a folder of them with --photos NAME=FOLDER")
    if len({file.stem for file in everyone}) < len(everyone):
        raise SystemExit("two of the photographs have one name")
    lines = [
        "# How quiet the pixel rules are",
        "",
        "Written by `python benchmarks/quiet.py`, which says where to get the pictures. "
        f"Python {platform.python_version()}, Pillow {Image.__version__}; "
        + ", ".join(f"{name}: {len(files)} photographs" for name, files in photos.items())
        + f". A rule that fires on more than {NOISY:.0%} of good photographs is off by default.",
        "",
        "## On good pictures",
        "",
        *alarm_table(photos, albums, work),
        "## Good albums, as lint judges them",
        "",
        "A rule counts once however many pictures it names. Bound: 0 errors and at most 2 warnings.",
        "",
        *album_table(albums),
        *limit_sections(everyone, albums, bad, work),
    ]
    return "\n".join(lines)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise SystemExit(f"{text}: say NAME=PATH")
    return name, value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--album", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--bad", action="append", default=[], metavar="RULE=FILE")
    parser.add_argument("--skip", action="append", default=[], metavar="PATTERN")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="albumkit-quiet-") as work:
        text = report(options, Path(work))
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
