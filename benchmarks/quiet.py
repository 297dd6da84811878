"""How often each pixel rule fires on good pictures, and on the same pictures with a known fault.

    apt-get download lomiri-wallpapers-16.04 mate-backgrounds plasma-workspace-wallpapers
    for f in *.deb; do dpkg-deb -x "$f" "${f%%_*}"; done
    pip download --no-deps scikit-image scikit-learn imgaug
    for f in *.whl; do unzip -qd "${f%%-*}" "$f"; done
    python benchmarks/quiet.py --out benchmarks/quiet.md --photos lomiri=lomiri-wallpapers-16.04 \\
        --photos mate=mate-backgrounds/usr/share/backgrounds/mate/nature \\
        --photos scikit=scikit_image/skimage/data --album cookie_box=sample_albums/cookie_box

``--photos NAME=FOLDER`` names photographs that stand alone, each of which is judged as an example; ``--album
NAME=FOLDER`` a good album, judged as it is, in every scope. Both may be given many times, a name too:
its folders are then one source. ``--bad RULE=FILE`` names pictures that were taken with the fault. Pictures
below 256 pixels and those of ``NOT_PHOTOGRAPHS`` are left out. Every rule of cost pixels that the tree holds
is run, those that are off by default too.

Limits fitted here were fitted on one half of the photographs (every other one by name) and measured on the
other: the script repeats it.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import itertools
import platform
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import degrade as d
from PIL import Image

from albumkit.facts import FactCache, Measured, NotApplicable, Table, Unmeasured
from albumkit.lint import lint
from albumkit.opening import OpenAlbum, open_album
from albumkit.rule import find_rule, load_rules
from albumkit.settings import resolve

#: In the packages named above, but made, drawn, printed, seen through a microscope, black and white, or
#: taken with a fault: patterns of file names.
NOT_PHOTOGRAPHS = """
    umang_by* Infinite-Sea* Fossa_by* Painting-Colors* analogpattern_by* Elephants* chessboard* clock_motion*
    color.png horse.png logo.png page.png text.png phantom.png cell.png ihc.png microaneurysms.png
    retina.jpg hubble* moon.png lbp* multipage* no_time* simple.* truncated* mssim* *depth_map* bubble*
    screenshot*""".split()
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
#: example/truncated asks whether there are pixels at all.
RULES = [r for r in load_rules() if r.cost == "pixels" and r.id != "example/truncated"]


@dataclass(frozen=True)
class Fit:
    """A limit that was fitted here: the fact, and what it must find beside what it must pass."""

    rule: str
    fact: str
    must_find: dict[str, d.Degrade]
    must_pass: dict[str, d.Degrade] = field(default_factory=dict)
    may_find: dict[str, d.Degrade] = field(default_factory=dict)

    @property
    def bound(self) -> tuple[str, float]:
        """("maximum" or "minimum", the limit) as the rule file has it."""
        schema = find_rule(self.rule).schema["properties"][self.fact]
        return next((key, schema[key]) for key in ("maximum", "minimum") if key in schema)


FITS = (
    Fit(
        "example/blurry",
        "edge_width",
        must_find={
            "Gaussian, sigma 3 px": d.gaussian(3),
            "Gaussian, sigma 5 px": d.gaussian(5),
            "out of focus, radius 6 px": d.disk(6),
            "out of focus, radius 10 px": d.disk(10),
            "motion 20 px, 0 degrees": d.motion(20, 0),
            "motion 20 px, 45 degrees": d.motion(20, 45),
            "motion 20 px, 90 degrees": d.motion(20, 90),
            "motion 30 px, 120 degrees": d.motion(30, 120),
        },
        must_pass={"Gaussian, sigma 0.7 px": d.gaussian(0.7)},
        may_find={
            "Gaussian, sigma 2 px": d.gaussian(2),
            "motion 10 px, 0 degrees": d.motion(10, 0),
            "motion 20 px, 20 degrees": d.motion(20, 20),
        },
    ),
    Fit(
        "example/too-dark",
        "bright_level",
        must_find={"4 stops under": d.exposed(-4), "5 stops under": d.exposed(-5)},
        must_pass={"1 stop under": d.exposed(-1), "2 stops under": d.exposed(-2)},
        may_find={"3 stops under": d.exposed(-3), "gamma 3": d.gamma(3)},
    ),
    Fit(
        "example/too-bright",
        "dark_level",
        must_find={
            "a veil: a tenth of the contrast, bright": lambda i: d.exposed(4)(d.again(d.clouded(0.1)(i)))
        },
        must_pass={"1 stop over": d.exposed(1)},
        may_find={"3 stops over": d.exposed(3), "4 stops over": d.exposed(4), "5 stops over": d.exposed(5)},
    ),
    Fit(
        "example/low-information",
        "structured_share",
        must_find={
            "0.3 % of it on a plain ground": d.emptied(0.003),
            "a veil: 2 % of the contrast": d.clouded(0.02),
        },
        must_pass={"4 % of it on a plain ground": d.emptied(0.04), "10 % of it": d.emptied(0.1)},
        may_find={"1 % of it on a plain ground": d.emptied(0.01)},
    ),
    Fit(
        "example/heavy-jpeg-artifacts",
        "blockiness",
        must_find={
            "q5": d.saved(5),
            "q8": d.saved(8),
            "q10": d.saved(10),
            "q8, then PNG": d.saved(8, as_png=True),
            "q8, then q95": d.saved(8, 95),
            "q8, cropped, then q95": d.saved(8, 95, cut=3),
            "q15, then PNG": d.saved(15, as_png=True),
        },
        must_pass={
            "q75": d.saved(75),
            "q75 twice": d.saved(75, 75),
            "q75, cropped, q75": d.saved(75, 75, cut=3),
            "q60": d.saved(60),
        },
        may_find={"q20, then PNG": d.saved(20, as_png=True), "q30, then PNG": d.saved(30, as_png=True)},
    ),
)


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


def stem(file: Path) -> str:
    """A name of its own in an album: half of the wallpapers of one package are called 2560x1600.jpg."""
    place = hashlib.sha256(file.as_posix().encode()).hexdigest()[:4]
    packaged = file.parts[-4] if file.parts[-3:-2] == ("contents",) else file.stem
    return f"{re.sub('[^A-Za-z0-9]+', '_', packaged)}_{place}"


def fired(folder: Path) -> tuple[dict[str, set[str]], dict[str, int]]:
    """Rule -> the paths on which it fires, every rule switched on; scope -> subjects."""
    opened = open_album(folder)
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind)
    result = lint(_all_enabled(opened), settings, Measured(opened.album, FactCache.none()), rules=RULES)
    found: dict[str, set[str]] = defaultdict(set)
    for one in (*result.findings, *result.handled):
        found[one.rule].add(one.path)
    examples = opened.album.examples
    return found, {
        "example": len(opened.album.media),
        "clip": sum(m.media == "clip" for m in opened.album.media),
        "pair": sum(e.is_pair for e in examples),
        "mask": sum(e.mask is not None for e in examples),
        "caption": len(examples),
    }


def _all_enabled(opened: OpenAlbum) -> OpenAlbum:
    return replace(opened, config=replace(opened.config, enable=tuple(rule.id for rule in RULES)))


def values(folder: Path, fact: str) -> list[float | None]:
    """A fact of every picture of a folder, in order of path; None where it does not apply."""
    opened = open_album(folder)
    settings = resolve(opened.config, guessed_kind="subject")
    measured = Measured(opened.album, FactCache.none())
    measured.decode_all(opened.album.media)
    context = {"album": opened.album, "measured": measured, "settings": settings, "trainer": settings.trainer}
    top = Table("album", [""], {name: [value] for name, value in context.items()})
    media = sorted(opened.album.media, key=lambda m: m.path)
    table = Table("example", [m.path for m in media], {"media": media}, Table("settings", [""], {}, top))
    return [None if isinstance(v, (NotApplicable, Unmeasured)) else v for v in table.column(fact)]


def degraded(task: tuple[Path, Path, int]) -> None:
    """Write every copy of one photograph that a fit (by its number) asks for, a folder a degradation."""
    source, work, number = task
    fit = FITS[number]
    with Image.open(source) as image:
        photo = d.at_training_size(image)
    for name, change in {"as it is": d.jpeg, **fit.must_find, **fit.must_pass, **fit.may_find}.items():
        data = change(photo)
        ending = "png" if data.startswith(b"\x89PNG") else "jpg"
        folder = work / re.sub("[^a-z0-9]+", "_", name.casefold())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stem(source)}.{ending}").write_bytes(data)


def share(found: Sequence[bool]) -> str:
    return f"{sum(found)} of {len(found)} ({100 * sum(found) / max(1, len(found)):.0f} %)"


def breaks(value: float | None, key: str, limit: float) -> bool:
    return value is not None and (value > limit if key == "maximum" else value < limit)


def fit_table(fit: Fit, photos: list[Path], bad: list[Path], work: Path) -> list[str]:
    """The section of one fitted limit: fit on the even half by name, told on both."""
    photos = sorted(photos, key=lambda f: stem(f))
    folder = work / fit.rule.replace("/", "_")
    with ProcessPoolExecutor() as pool:
        list(pool.map(degraded, [(photo, folder, FITS.index(fit)) for photo in photos]))
    names = {"as it is": d.jpeg, **fit.must_pass, **fit.must_find, **fit.may_find}
    measured = {n: values(folder / re.sub("[^a-z0-9]+", "_", n.casefold()), fit.fact) for n in names}
    shutil.rmtree(folder)
    key, limit = fit.bound
    good = ["as it is", *fit.must_pass]
    fitted = best_limit(
        [v for name in good for v in measured[name][::2]],
        [v for name in fit.must_find for v in measured[name][::2]],
        key,
    )
    lines = [
        f"### {fit.rule}: `{fit.fact}`, {key} {limit:g}",
        "",
        f"Fitted on the first half: {fitted:g}. Shipped: {limit:g}.",
        "",
        "| copies of the photographs | should fire | first half | second half | median |",
        "|---|---|---:|---:|---:|",
    ]
    for name, column in measured.items():
        wanted = "no" if name in good else "yes" if name in fit.must_find else "may"
        halves = [share([breaks(v, key, limit) for v in column[start::2]]) for start in (0, 1)]
        known = sorted(v for v in column if v is not None)
        middle = f"{known[len(known) // 2]:g}" if known else "none"
        lines.append(f"| {name} | {wanted} | {halves[0]} | {halves[1]} | {middle} |")
    if bad:
        with tempfile.TemporaryDirectory() as folder_of_bad:
            for file in bad:
                shutil.copy(file, folder_of_bad)
            found = values(Path(folder_of_bad), fit.fact)
        taken = share([breaks(v, key, limit) for v in found])
        lines.append(f"| taken with the fault: {', '.join(f.stem for f in bad)} | yes | | {taken} | |")
    return [*lines, ""]


def best_limit(good: list[float | None], poor: list[float | None], key: str) -> float:
    """The middle of the limits at which hits less twice the false alarms, both as shares, are the most."""
    known = sorted({v for v in (*good, *poor) if v is not None})
    between = [(a + b) / 2 for a, b in itertools.pairwise(known)]

    def worth(limit: float) -> float:
        alarms = sum(breaks(v, key, limit) for v in good) / len(good)
        return sum(breaks(v, key, limit) for v in poor) / len(poor) - 2 * alarms

    worths = [round(worth(limit), 6) for limit in between]
    best = [limit for limit, w in zip(between, worths, strict=True) if w == max(worths)]
    return round((best[0] + best[-1]) / 2, 2)


def alarm_table(photos: dict[str, list[Path]], albums: dict[str, list[Path]], work: Path) -> list[str]:
    """Rule by source: fired of how many; then which pictures."""
    sources: dict[str, tuple[dict[str, set[str]], dict[str, int]]] = {}
    for name, files in photos.items():
        folder = work / f"photos_{name}"
        folder.mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder / f"{stem(file)}{file.suffix.lower()}")
        sources[name] = fired(folder)
        shutil.rmtree(folder)
    for name, folders in albums.items():
        found: dict[str, set[str]] = defaultdict(set)
        counts: dict[str, int] = defaultdict(int)
        for folder in folders:
            one, subjects = fired(folder)
            for rule, paths in one.items():
                found[rule] |= {f"{folder.name}/{path}" for path in paths}
            for scope, count in subjects.items():
                counts[scope] += count
        sources[name] = (found, counts)
    lines = [
        "| rule | " + " | ".join(sources) + " | photographs together |",
        "|---|" + "---:|" * (len(sources) + 1),
    ]
    named = []
    for rule in RULES:
        cells, hits, of = [], 0, 0
        for name, (found, counts) in sources.items():
            count = counts.get(rule.scope, 1)
            hit = len(found.get(rule.id, ()))
            cells.append(f"{hit} of {count}" if count else "")
            if name in photos:
                hits, of = hits + hit, of + count
                named += [f"- {rule.id}: {path}" for path in sorted(found.get(rule.id, ()))]
        off = " (off by default)" if rule.opt_in else ""
        total = f"{hits} of {of} ({100 * hits / of:.1f} %)" if of else ""
        lines.append(f"| {rule.id}{off} | {' | '.join(cells)} | {total} |")
    return [*lines, "", "What fired on photographs:", "", *(named or ["- nothing"]), ""]


def report(options: argparse.Namespace, work: Path) -> str:
    photos: dict[str, list[Path]] = defaultdict(list)
    for name, folder in map(_pair, options.photos):
        photos[name] += photographs(Path(folder), [*NOT_PHOTOGRAPHS, *options.skip])
    albums: dict[str, list[Path]] = defaultdict(list)
    for name, folder in map(_pair, options.album):
        albums[name].append(Path(folder))
    bad: dict[str, list[Path]] = defaultdict(list)
    for name, file in map(_pair, options.bad):
        bad[name].append(Path(file))
    everyone = [file for files in photos.values() for file in files]
    if not everyone:
        raise SystemExit("no photographs: name a folder of them with --photos NAME=FOLDER")
    lines = [
        "# How quiet the pixel rules are",
        "",
        "Written by `python benchmarks/quiet.py`, which says where to get the pictures. "
        f"Python {platform.python_version()}, Pillow {Image.__version__}; "
        + ", ".join(f"{name}: {len(files)} photographs" for name, files in photos.items())
        + ". A rule that fires on more than 5 % of good photographs is off by default.",
        "",
        "## On good pictures",
        "",
        *alarm_table(photos, albums, work),
        "## Limits fitted here",
        "",
        "Every other photograph by name was used to fit (the first half), the rest to measure. All are",
        "brought to one megapixel at most; copies are saved at quality 90 unless they say otherwise. Where",
        "nobody must be told and nobody is wrong who is, a row says *may*.",
        "",
    ]
    for fit in FITS:
        lines += fit_table(fit, everyone, bad.get(fit.rule, []), work)
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
