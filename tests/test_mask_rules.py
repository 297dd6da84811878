"""Rules of masks: present, of their picture's shape, readable, and judged only where a trainer reads them."""

from __future__ import annotations

import io
import threading
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from albums import KLEIN
from PIL import Image, ImageDraw, ImageOps

from albumkit.facts import FactCache, Measured
from albumkit.lint import AlbumResult, lint
from albumkit.opening import open_album
from albumkit.pack.pixels import make_mask
from albumkit.pack.recipe import inspect_mask
from albumkit.pixels.mask import measure_mask, part_sizes
from albumkit.rule import find_rule, load_rules
from albumkit.settings import resolve

MASK_RULES = [rule for rule in load_rules() if rule.scope == "mask"]
FAST = "fal-ai/flux-lora-fast-training"


def ellipse(size: tuple[int, int] = (120, 90), share: float = 0.6) -> Image.Image:
    mask = Image.new("L", size)
    (width, height), rest = size, (1 - share) / 2
    box = (width * rest, height * rest, width * (1 - rest), height * (1 - rest))
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return mask


def album(folder: Path, masks: dict[str, Image.Image | bytes | None], size=(120, 90), **picture) -> Path:
    """Pictures of one size and their masks: an image, bytes to write as they are, or none."""
    (folder / "masks").mkdir(parents=True)
    for shade, (root, mask) in enumerate(masks.items()):
        Image.new("RGB", size, (shade * 9, 90, 60)).save(folder / f"{root}.jpg", **picture)
        file = folder / "masks" / f"{root}.png"
        if isinstance(mask, bytes):
            file.write_bytes(mask)
        elif mask is not None:
            mask.save(file)
    return folder


def judge(
    folder: Path, *rules: str, trainer: str = "local", cache: FactCache | None = None, **settings
) -> AlbumResult:
    opened = open_album(folder)
    resolved = resolve(opened.config, guessed_kind="subject", trainer=trainer, overrides=settings)
    measured = Measured(opened.album, cache or FactCache.none())
    chosen = [find_rule(rule) for rule in rules] or MASK_RULES
    result = lint(opened, resolved, measured, rules=chosen)
    measured.save()
    return result


def found(result: AlbumResult) -> dict[str, str]:
    """Rule -> message, of an album where each fires once at most."""
    assert len({f.rule for f in result.findings}) == len(result.findings)
    return {finding.rule: finding.message for finding in result.findings}


def test_good_masks_are_silent(tmp_path):
    folder = album(tmp_path / "a", {f"m{n}": ellipse(share=0.4 + n / 30) for n in range(10)})
    result = judge(folder)
    assert (result.findings, result.handled, result.skipped) == ([], [], [])


def test_masks_that_no_trainer_reads_are_not_judged(tmp_path):
    folder = album(tmp_path / "a", {"a": b"broken", "b": Image.new("L", (50, 50)), "c": None})
    result = judge(folder, trainer=KLEIN)
    assert (result.findings, result.handled, result.skipped) == ([], [], [])


# Missing


def test_a_picture_without_mask_among_masked_ones_is_named(tmp_path):
    folder = album(tmp_path / "a", {"a": ellipse(), "b": ellipse(), "c": None})
    for trainer in ("local", FAST):
        result = judge(folder, "mask/missing", trainer=trainer)
        assert [(f.path, f.message) for f in result.findings] == [
            ("c.jpg", "no mask, while 2 of 3 examples have one.")
        ]
        made, drawn = result.findings[0].remedies[:2]
        assert made.do == f"albumkit mask {folder.as_posix()}"
        assert drawn.do.startswith("draw masks/c.png")


def test_no_mask_is_missing_where_none_is_used(tmp_path):
    folder = album(tmp_path / "a", {"a": ellipse(), "c": None})
    assert not judge(folder, "mask/missing", create_masks=False).findings
    assert not judge(folder, "mask/missing", trainer=KLEIN).findings
    assert not judge(album(tmp_path / "none", {"a": None, "b": None}), "mask/missing").findings


# Size


@pytest.mark.parametrize("size", [(120, 90), (240, 180), (40, 30), (121, 90)])
def test_a_mask_of_the_same_shape_lies_on_its_picture(size, tmp_path):
    assert not judge(album(tmp_path / "a", {"a": ellipse(size)}), "mask/size-differs").findings


def test_a_mask_of_another_shape_is_an_error(tmp_path):
    folder = album(tmp_path / "a", {"a": ellipse((100, 100))})
    assert found(judge(folder)) == {"mask/size-differs": "100x100 for a picture of 120x90 (upright)."}


def test_a_mask_drawn_before_the_picture_was_turned_lies_on_its_side(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    folder = album(tmp_path / "a", {"stored": ellipse((120, 90)), "upright": ellipse((90, 120))}, exif=exif)
    result = judge(folder, "mask/size-differs")
    said = "120x90 for a picture of 90x120 (upright); it seems to lie on its side."
    assert [(f.path, f.message) for f in result.findings] == [("masks/stored.png", said)]


def test_lint_and_pack_refuse_the_same_masks():
    """Two places hold the limit: the rule, and pack, which would scale the mask."""
    limit = find_rule("mask/size-differs").schema["properties"]["mask_stretch"]["maximum"]
    for height in range(900, 1100, 5):
        stored = io.BytesIO()
        Image.new("L", (1000, height)).save(stored, "PNG")
        try:
            inspect_mask(stored.getvalue(), (1000, 1000))
            packs = True
        except Exception:
            packs = False
        assert packs == (round(abs(1000 / height - 1), 4) <= limit), height


# What they show


def test_each_fault_is_told_with_its_figures(tmp_path):
    black, white = Image.new("L", (120, 90)), Image.new("L", (120, 90), 255)
    classes, turned = ellipse().point(lambda v: v // 255), ImageOps.invert(ellipse())
    red = Image.new("RGB", (120, 90), (200, 30, 30))
    cases = {
        "black": (black, "mask/empty", "0 % of it is brighter than near black (the brightest value is 0 of"),
        "classes": (classes, "mask/empty", "(the brightest value is 1 of 255): nothing is learned"),
        "white": (white, "mask/full", "100 % of it is white"),
        "turned": (turned, "mask/inverted", "white at the rim (100 %) and black in the middle"),
        "colours": (red, "mask/not-greyscale", "in colours: loaders"),
        "broken": (b"no picture", "mask/unreadable", "not a picture that can be read"),
        "nothing": (b"", "mask/unreadable", "the file is empty (0 bytes)"),
    }
    for name, (mask, rule, words) in cases.items():
        messages = found(judge(album(tmp_path / name, {"a": mask})))
        assert set(messages) == {rule}, name
        assert words in messages[rule]


def test_grey_in_a_palette_or_in_the_alpha_is_turned_to_grey_by_pack(tmp_path):
    clear = Image.merge("RGBA", (*[Image.new("L", (120, 90), 255)] * 3, ellipse()))
    result = judge(album(tmp_path / "a", {"p": ellipse().convert("P"), "t": clear}))
    assert not result.findings
    assert [(h.path, h.words) for h in result.handled] == [
        ("masks/p.png", "mask turned to grey"),
        ("masks/t.png", "mask turned to grey"),
    ]


def variants() -> dict[str, Image.Image]:
    grey = ellipse()
    clear = Image.merge("RGBA", (*[Image.new("L", grey.size, 255)] * 3, grey))
    deep = grey.convert("I").point(lambda v: v * 257).convert("I;16")
    plain = {mode: grey.convert(mode) for mode in ("1", "L", "P", "RGB", "LA")}
    return {**plain, "RGBA": clear, "I;16": deep, "soft": grey.resize((30, 20)).resize((120, 90))}


@pytest.mark.parametrize("name", variants())
def test_the_weight_measured_is_the_weight_packed(name):
    """The same mask by two ways: pixels measures what pack will write."""
    stored = io.BytesIO()
    variants()[name].save(stored, "PNG")
    packed = Image.open(io.BytesIO(make_mask(stored.getvalue(), (120, 90), "png")[0]))
    assert measure_mask(io.BytesIO(stored.getvalue()))["share"] == pytest.approx(
        np.asarray(packed).mean() / 255, abs=1e-4
    )


def test_a_mask_is_measured_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # shown, the stored left side is the upper one
    half = Image.new("L", (80, 60))
    half.paste(255, (0, 0, 40, 60))
    stored = io.BytesIO()
    half.save(stored, "PNG", exif=exif)
    assert measure_mask(stored)["sides"] == pytest.approx([0.5, 1, 0.5, 0], abs=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_the_smallest_masks_are_measured(size):
    for value in (0, 255):
        stored = io.BytesIO()
        Image.new("L", size, value).save(stored, "PNG")
        facts = measure_mask(stored)
        assert (facts["mask_error"], facts["share"]) == ("", value / 255)


def test_parts_are_counted_as_a_flood_would():
    dice = np.random.default_rng(5)
    for filled in (0.05, 0.3, 0.45, 0.7, 1.0):
        for shape in ((1, 1), (1, 30), (30, 1), (23, 31)):
            white = dice.random(shape) < filled
            assert sorted(part_sizes(white).tolist()) == flooded(white)
    spiral = np.zeros((64, 64), dtype=bool)
    for inset in range(0, 30, 4):  # one line that winds inwards: the longest way that labels have to go
        spiral[inset, max(0, inset - 4) : 64 - inset] = True
        spiral[inset : 64 - inset, 63 - inset] = True
        spiral[63 - inset, inset : 64 - inset] = True
        spiral[inset + 4 : 64 - inset, inset] = True
    assert part_sizes(spiral).tolist() == [spiral.sum()]


def flooded(white) -> list[int]:
    rest = {(int(y), int(x)) for y, x in np.argwhere(white)}
    sizes = []
    while rest:
        waiting, size = deque([rest.pop()]), 0
        while waiting:
            y, x = waiting.popleft()
            size += 1
            near = {(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & rest
            rest -= near
            waiting.extend(near)
        sizes.append(size)
    return sorted(sizes)


# An album of them


def test_a_whole_album_inverted_is_told_also_where_subjects_are_small(tmp_path):
    masks = {f"m{n}": ImageOps.invert(ellipse(share=0.2 + n / 50)) for n in range(5)}
    result = judge(album(tmp_path / "a", masks))
    assert [f.path for f in result.findings] == [f"masks/m{n}.png" for n in range(5)]
    assert {f.rule for f in result.findings} == {"mask/inverted"}
    lone = judge(album(tmp_path / "b", {"a": ImageOps.invert(ellipse(share=0.2))}), "mask/inverted")
    assert not lone.findings  # one alone may be a frame with a hole


def test_an_album_too_small_to_compare_is_not_compared(tmp_path):
    scrap = ellipse(share=0.1)
    few = {f"m{n}": ellipse() for n in range(6)} | {"odd": scrap}
    assert not judge(album(tmp_path / "few", few)).findings
    more = {f"m{n}": ellipse() for n in range(7)} | {"odd": scrap}
    result = judge(album(tmp_path / "more", more))
    assert found(result) == {"mask/share-outlier": "0.94 % of it is white, 29 % in the median of the album."}


# Reading them


def test_masks_are_decoded_once_and_in_parallel(tmp_path, monkeypatch):
    import albumkit.pixels.mask as module

    calls = []
    real = module.measure_mask
    monkeypatch.setattr(
        module, "measure_mask", lambda stream: calls.append(threading.get_ident()) or real(stream)
    )
    folder = album(tmp_path / "a", {f"m{n}": ellipse(share=0.4 + n / 40) for n in range(6)})
    cache = FactCache()
    judge(folder, cache=cache)
    assert len(calls) == 6
    assert threading.get_ident() not in calls
    judge(folder, cache=cache)
    assert len(calls) == 6


def test_a_pointer_in_place_of_a_mask_is_reported_not_passed(tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"
    result = judge(album(tmp_path / "a", {"a": pointer}))
    assert not result.findings
    assert {s.rule for s in result.skipped} >= {"mask/unreadable", "mask/empty", "mask/size-differs"}
    assert all("git lfs pull" in s.reason for s in result.skipped)
