"""The limits that were fitted here, and how well they tell good pictures from those with a known fault.

Every other photograph by name (mask, by name of its picture) was used to fit, the rest to measure:
``limit_sections`` repeats it for each of ``FITS``. Used by quiet.py.
"""

from __future__ import annotations

import itertools
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import degrade as d
from PIL import Image

from albumkit.facts import FactCache, Measured, NotApplicable, Table, Unmeasured
from albumkit.opening import open_album
from albumkit.rule import find_rule
from albumkit.settings import resolve

Column = list[float | None]


@dataclass(frozen=True)
class Fit:
    """A limit that was fitted here: the fact, and what it must find beside what it must pass."""

    rule: str
    fact: str
    must_find: dict[str, d.Degrade]
    must_pass: dict[str, d.Degrade] = field(default_factory=dict)
    may_find: dict[str, d.Degrade] = field(default_factory=dict)
    #: Of a photograph alone, of it and its copy in one album, or of one mask among those of an album.
    of: Literal["photograph", "pair", "mask"] = "photograph"

    @property
    def bound(self) -> tuple[str, float]:
        """("maximum" or "minimum", the limit) as the rule file has it."""
        schema = find_rule(self.rule).schema["properties"][self.fact]
        return next((key, schema[key]) for key in ("maximum", "minimum") if key in schema)

    @property
    def copies(self) -> dict[str, d.Degrade]:
        """All that is made of a picture, by name."""
        as_it_is = {} if self.of == "mask" else {AS_IT_IS: d.jpeg}
        return {**as_it_is, **self.must_pass, **self.must_find, **self.may_find}

    def wanted(self, name: str) -> str:
        """Whether the rule should fire on such a copy."""
        return "yes" if name in self.must_find else "may" if name in self.may_find else "no"


AS_IT_IS = "as it is"
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
    Fit(
        "example/letterboxed",
        "bar_percent",
        must_find={
            "film: black bars of 12 %": d.barred(0, 0.12, 4),
            "black bars of 20 % at the sides": d.barred(0.2, 0, 0),
            "a white rim of 4 %": d.barred(0.04, 0.04, 250),
        },
        must_pass={"a white rim of 0.5 %": d.barred(0.005, 0.005, 250)},
        may_find={
            "a white rim of 1 %": d.barred(0.01, 0.01, 250),
            "bars of 12 % of the picture itself, blurred": d.blurred_bars(0.12),
        },
    ),
    Fit(
        "example/near-duplicate",
        "likeness",
        of="pair",
        must_find={
            "saved again, q50": d.saved(50),
            "half the size": d.halved,
            "a stop darker": d.exposed(-1),
            "3 % cut off": d.cut(0.03, 0.02, 0.01, 0.03),
            "burst: turned by 1.2 degrees, 4 % cut off": d.turned(1.2),
        },
        may_find={"mirrored": d.mirrored, "15 % cut off on each side": d.cut(0.15, 0.15, 0.15, 0.15)},
    ),
    Fit(
        "mask/inverted",
        "mask_inversion",
        of="mask",
        must_find={"inverted": d.inverted},
        must_pass={"soft edge": d.soft_edge, "half out of the picture": d.half_out},
    ),
    Fit(
        "mask/cut-at-border",
        "mask_cut",
        of="mask",
        must_find={"half out of the picture": d.half_out},
        must_pass={"soft edge": d.soft_edge, "40 spots": d.spotted},
    ),
    Fit(
        "mask/fragmented",
        "mask_parts",
        of="mask",
        must_find={"40 spots": d.spotted},
        must_pass={"soft edge": d.soft_edge, "half out of the picture": d.half_out, "in four": d.in_four},
    ),
    Fit(
        "mask/share-outlier",
        "share_deviation",
        of="mask",
        must_find={"a seventh of its sides": d.shrunk(1 / 7)},
        must_pass={"soft edge": d.soft_edge, "half out of the picture": d.half_out},
        may_find={"a third of its sides": d.shrunk(1 / 3), "inverted": d.inverted},
    ),
)


def values(folder: Path, fact: str) -> dict[str, float | None]:
    """Path -> a fact of every picture of a folder, or of every mask; None where it does not apply."""
    opened = open_album(folder)
    album = opened.album
    settings = resolve(opened.config, guessed_kind="subject")
    measured = Measured(album, FactCache.none())
    measured.decode_all(album.media)
    context = {"album": album, "measured": measured, "settings": settings, "trainer": settings.trainer}
    top = Table("album", [""], {name: [value] for name, value in context.items()})
    parent = Table("settings", [""], {}, top)
    masked = [example for example in album.examples if example.mask]
    if masked:
        table = Table("mask", [e.mask.path for e in masked if e.mask], {"example": masked}, parent)
    else:
        table = Table("example", [m.path for m in album.media], {"media": album.media}, parent)
    found = zip(table.paths, table.column(fact), strict=True)
    return {path: None if isinstance(v, (NotApplicable, Unmeasured)) else v for path, v in sorted(found)}


def write(data: bytes, folder: Path, stem: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ending = "png" if data.startswith(b"\x89PNG") else "jpg"
    (folder / f"{stem}.{ending}").write_bytes(data)


def folder_name(name: str) -> str:
    return re.sub("[^a-z0-9]+", "_", name.casefold())


def degraded(task: tuple[Path, Path, int]) -> None:
    """Write every copy of one photograph that a fit (by its number) asks for, a folder a degradation."""
    source, work, number = task
    fit = FITS[number]
    with Image.open(source) as image:
        photo = d.at_training_size(image)
    for name, change in fit.copies.items():
        folder = work / folder_name(name)
        write(change(photo), folder, source.stem)
        if fit.of == "pair" and name != AS_IT_IS:
            write(d.jpeg(photo), folder, f"{source.stem}_2")


def of_photographs(fit: Fit, photos: Sequence[Path], work: Path) -> dict[str, Column]:
    """Copy -> the fact of each photograph's; of a photograph and its copy the larger of both."""
    with ProcessPoolExecutor() as pool:
        list(pool.map(degraded, [(photo, work, FITS.index(fit)) for photo in photos]))
    columns = {}
    for name in fit.copies:
        by_stem: dict[str, list[float]] = {photo.stem: [] for photo in photos}
        for path, value in values(work / folder_name(name), fit.fact).items():
            if value is not None:
                by_stem[Path(path).stem.removesuffix("_2")].append(value)
        columns[name] = [max(some, default=None) for some in by_stem.values()]
    return columns


def of_masks(fit: Fit, album: Path, work: Path) -> dict[str, Column]:
    """The same of masks, each changed alone: what is usual in the album is what all others are."""
    shutil.copytree(album, work)
    columns: dict[str, Column] = {AS_IT_IS: list(values(work, fit.fact).values())}
    masks = sorted((work / "masks").iterdir())
    for name, change in fit.copies.items():
        columns[name] = []
        for mask in masks:
            kept = mask.read_bytes()
            with Image.open(mask) as image:
                mask.write_bytes(change(image.convert("L")))
            columns[name].append(values(work, fit.fact)[mask.relative_to(work).as_posix()])
            mask.write_bytes(kept)
    return columns


def share(found: Sequence[bool]) -> str:
    return f"{sum(found)} of {len(found)} ({100 * sum(found) / max(1, len(found)):.0f} %)"


def breaks(value: float | None, key: str, limit: float) -> bool:
    return value is not None and (value > limit if key == "maximum" else value < limit)


def section(fit: Fit, columns: Mapping[str, Column]) -> Iterator[str]:
    """What one limit does, with the limit that the first half alone would have given."""
    key, limit = fit.bound
    first = {name: column[::2] for name, column in columns.items()}
    fitted = best_limit(
        [v for name, column in first.items() if fit.wanted(name) == "no" for v in column],
        [v for name, column in first.items() if fit.wanted(name) == "yes" for v in column],
        key,
    )
    yield f"### {fit.rule}: `{fit.fact}`, {key} {limit:g}"
    yield ""
    yield "The first half alone gives {:g}: any limit from {:g} to {:g} does as well there.".format(*fitted)
    yield ""
    yield f"| copies of the {fit.of}s | should fire | first half | second half | median |"
    yield "|---|---|---:|---:|---:|"
    for name, column in columns.items():
        halves = [share([breaks(v, key, limit) for v in column[start::2]]) for start in (0, 1)]
        known = sorted(v for v in column if v is not None)
        middle = f"{known[len(known) // 2]:g}" if known else "none"
        yield f"| {name} | {fit.wanted(name)} | {halves[0]} | {halves[1]} | {middle} |"


def taken_with_the_fault(fit: Fit, files: Sequence[Path]) -> str:
    key, limit = fit.bound
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            shutil.copy(file, folder)
        found = share([breaks(v, key, limit) for v in values(Path(folder), fit.fact).values()])
    return f"| taken with the fault: {', '.join(f.stem for f in files)} | yes | | {found} | |"


def best_limit(good: Column, poor: Column, key: str) -> tuple[float, float, float]:
    """The limit at which hits less twice the false alarms, both as shares, are the most: the middle of where
    they are, with its ends.
    """
    known = sorted({v for v in (*good, *poor) if v is not None})

    def worth(limit: float) -> float:
        alarms = sum(breaks(v, key, limit) for v in good) / len(good)
        return sum(breaks(v, key, limit) for v in poor) / len(poor) - 2 * alarms

    gaps = list(itertools.pairwise(known))
    worths = [round(worth((low + high) / 2), 6) for low, high in gaps]
    best = [gap for gap, w in zip(gaps, worths, strict=True) if w == max(worths)]
    low, high = best[0][0], best[-1][1]
    return round((low + high) / 2, 2), low, high


def limit_sections(
    photos: Sequence[Path], albums: Mapping[str, Path], bad: Mapping[str, Sequence[Path]], work: Path
) -> Iterator[str]:
    """Lines about every limit; about masks where one of the albums has some."""
    masked = next((album for album in albums.values() if (album / "masks").is_dir()), None)
    yield "## Limits fitted here"
    yield ""
    yield "Every other photograph (or mask) by name was used to fit, the first half; the rest to measure. All"
    yield "are brought to one megapixel at most; copies are saved at quality 90 unless they say otherwise."
    yield "Where nobody must be told and nobody is wrong who is, a row says *may*."
    for fit in FITS:
        folder = work / folder_name(fit.rule)
        if fit.of != "mask":
            columns = of_photographs(fit, photos, folder)
        elif masked:
            columns = of_masks(fit, masked, folder)
        else:
            continue
        shutil.rmtree(folder)
        yield ""
        yield from section(fit, columns)
        if bad.get(fit.rule):
            yield taken_with_the_fault(fit, bad[fit.rule])
    yield ""
