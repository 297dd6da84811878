"""Make a good album of each kind: what lint must be quiet about.

    python benchmarks/good_albums.py /tmp/good [subject masked style edit video] [--part 4] [--jobs 2]

- ``subject``: one figurine in 24 pictures of a phone: 12 megapixels, JPEG and HEIC, Display P3, some lying on
  their sides with EXIF to say so, no GPS, each with the moving half of a Live Photo.
- ``masked``: the same 24 of one megapixel, with masks, for a trainer that reads them.
- ``style``: 40 drawings in ink: 24 on white paper, 16 of the night on dark blue.
- ``edit``: 15 pairs of one place by day and by night; one instruction for all.
- ``video``: 8 clips of 121 frames: one slow camera movement each, no cuts.

Everything is rendered (scenes.py), so there are no rights to mind, and the same call makes the same pictures.
``--part N`` renders an Nth of each side, for a quick look. Eleven minutes of processor time otherwise.
``contact_sheet.png`` in the folder shows all of it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the processes share the cores already

import av
import numpy as np
from good_places import Shot, figurine, street_shots, subject_shots
from PIL import Image, ImageFilter
from scenes import Array, Picture, at_night, noise, trace

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from heic import heic_bytes
from pack_pictures import wide_profile

INSTRUCTION = "turn this day photo into the same scene at night, moonlight, lit windows"
#: Linear sRGB to linear Display P3 (both D65).
TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]], np.float32)


def developed(light: Array, seed: int, exposure: float = 0.62, wide: bool = False) -> Image.Image:
    """Linear light as a camera stores it: highlights rolled off, grain, 8 bit."""
    if wide:
        light = light @ TO_P3.T
    x = light * exposure
    toned = (x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)).clip(0, 1) ** (1 / 2.2)
    grain = np.random.default_rng(seed).normal(0, 0.008, toned.shape[:2]).astype(np.float32)
    return Image.fromarray(((toned + grain[..., None]).clip(0, 1) * 255 + 0.5).astype(np.uint8))


def enlarged(picture: Image.Image, size: tuple[int, int], seed: int) -> Image.Image:
    """To the pixels of a phone: its own sharpening and grain come on top, as a phone's do."""
    large = picture.resize(size, Image.Resampling.LANCZOS).filter(ImageFilter.UnsharpMask(2, 80, 1))
    grain = np.random.default_rng(seed).normal(0, 2.2, (size[1], size[0], 1))
    return Image.fromarray((np.asarray(large) + grain).clip(0, 255).astype(np.uint8))


def inked(seen: Picture, night: bool) -> Image.Image:
    """A drawing of what was seen: outlines where things and their faces end, hatching for shade."""
    height, width = seen.depth.shape
    edge = np.zeros((height, width), bool)
    for axis in (0, 1):
        step = np.roll(seen.what, 1, axis) != seen.what
        turn = np.sum(np.roll(seen.normal, 1, axis) * seen.normal, 2) < 0.75
        edge |= step | (turn & (seen.what >= 0))
    edge[0], edge[:, 0] = False, False
    lines = Image.fromarray(edge.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(3))
    line = np.asarray(lines.filter(ImageFilter.GaussianBlur(0.6)), np.float32) / 255
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    shade = (seen.light @ np.array((0.3, 0.6, 0.1), np.float32) * (6 if night else 0.75)).clip(0, 1) ** 0.5
    wobble = noise(x, y, 0.02, 3) * 14
    for angle, below in ((0.8, 0.62), (-0.75, 0.45), (0.1, 0.3)):
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle) + wobble) * 0.75)
        stroke = (wave > 0.35) & (shade < below) & (seen.what != -2)
        line = np.maximum(line, stroke * (0.55 + 0.4 * noise(x, y, 0.05, 4)))
    paper = 0.955 + 0.05 * (noise(x, y, 0.2, 2) - 0.5)
    white = paper[..., None] * np.array((1, 0.99, 0.96), np.float32)
    ink = np.array((0.05, 0.05, 0.09), np.float32)
    drawn = white * (1 - line[..., None]) + ink * line[..., None]
    if night:
        glow = (seen.light.max(2) > 0.45).astype(np.float32)[..., None]
        dark = np.array((0.035, 0.05, 0.13), np.float32) * (0.7 + 0.6 * noise(x, y, 0.2, 2)[..., None])
        drawn = dark + (0.8 * line * (0.35 + shade))[..., None] * np.array((0.5, 0.58, 0.75), np.float32)
        drawn = drawn * (1 - glow) + np.array((0.98, 0.82, 0.45), np.float32) * glow
    return Image.fromarray((drawn.clip(0, 1) * 255).astype(np.uint8))


def phone_picture(folder: Path, part: int, numbered: tuple[int, Shot]) -> None:
    """A still with its moving half and caption, as they come out of a phone."""
    number, shot = numbered
    width, height = (1512, 2016) if shot.upright else (2016, 1512)
    seen = trace(shot.scene, shot.camera, width // part, height // part)
    small = developed(seen.light, number, wide=True)
    still = enlarged(small, (width * 2 // part, height * 2 // part), number)
    exif = Image.Exif()
    exif[271], exif[272], exif[306] = "Apple", "iPhone 15", f"2026:06:{number + 1:02}:10:20:30"
    name = f"IMG_{4000 + number * 7}"
    if number % 4 == 3:
        (folder / f"{name}.HEIC").write_bytes(heic_bytes(still, wide_profile()))
    else:
        if shot.upright:  # the sensor lies on its side; EXIF says how to turn it
            still, exif[274] = still.transpose(Image.Transpose.ROTATE_90), 6
        still.save(folder / f"{name}.JPG", quality=92, exif=exif, icc_profile=wide_profile())
    (folder / f"{name}.txt").write_text(caption_of(shot), encoding="utf-8")
    write_clip(folder / f"{name}.MOV", pan(small, (320 // part, 240 // part), 40, 0.04), 20)


def masked_picture(folder: Path, part: int, numbered: tuple[int, Shot]) -> None:
    """A picture and the mask of the figurine, whose parts come first in its scene."""
    number, shot = numbered
    width, height = (896, 1184) if shot.upright else (1184, 896)
    seen = trace(shot.scene, shot.camera, width // part, height // part)
    developed(seen.light, number).save(folder / f"cat_{number:02}.jpg", quality=92)
    mask = ((seen.what >= 0) & (seen.what < len(figurine()))).astype(np.uint8) * 255
    (folder / "masks").mkdir(exist_ok=True)
    Image.fromarray(mask).save(folder / "masks" / f"cat_{number:02}.png")
    (folder / f"cat_{number:02}.txt").write_text(caption_of(shot), encoding="utf-8")


def caption_of(shot: Shot) -> str:
    return f"a photo of TOK ceramic cat figurine {shot.words}\n"


def drawing(folder: Path, part: int, numbered: tuple[int, Shot]) -> None:
    number, shot = numbered
    width, height = ((1152, 896), (896, 1152), (1024, 1024))[number % 3]
    night = number >= 24
    seen = trace(at_night(shot.scene) if night else shot.scene, shot.camera, width // part, height // part)
    inked(seen, night).save(folder / f"ink_{number:02}.png")
    when = (
        "at night under stars"
        if night
        else ("by day", "in the evening", "on a grey day", "in the morning")[number % 4]
    )
    text = f"TOK ink drawing, {shot.words}, {when}"
    (folder / f"ink_{number:02}.txt").write_text(text + "\n", encoding="utf-8")


def pair(folder: Path, part: int, numbered: tuple[int, Shot]) -> None:
    number, shot = numbered
    size = (1216 // part, 896 // part)
    for side, scene, exposure in (("start", shot.scene, 0.62), ("end", at_night(shot.scene), 1.6)):
        picture = developed(trace(scene, shot.camera, *size).light, number, exposure)
        picture.save(folder / f"place_{number:02}_{side}.jpg", quality=93)
    (folder / f"place_{number:02}.txt").write_text(INSTRUCTION + "\n", encoding="utf-8")


def clip(folder: Path, part: int, numbered: tuple[int, Shot]) -> None:
    number, shot = numbered
    still = developed(trace(shot.scene, shot.camera, 1536 // part, 1024 // part).light, number)
    moves = [
        "slow push-in on",
        "slow pull-out from",
        "slow pan to the right over",
        "slow pan to the left over",
    ]
    frames = pan(still, (768 // part, 512 // part), 121, 0.3, number % 4)
    write_clip(folder / f"move_{number:02}.mp4", frames, 25)
    text = f"TOK camera move, {moves[number % 4]} a ceramic cat figurine {shot.words}"
    (folder / f"move_{number:02}.txt").write_text(text + "\n", encoding="utf-8")


def pan(
    still: Image.Image, size: tuple[int, int], count: int, reach: float, way: int = 0
) -> Iterable[Image.Image]:
    """Frames of a window that moves over a still: in, out, right or left by ``reach`` of its side."""
    size = (size[0] // 2 * 2, size[1] // 2 * 2)  # H.264 halves the colours
    if (size[0] > size[1]) != (still.width > still.height):
        size = (size[1], size[0])
    for number in range(count):
        t = number / (count - 1)
        t = t * t * (3 - 2 * t)
        part = 1 - reach * (t if way == 0 else 1 - t if way == 1 else 1)
        width, height = still.width * part, still.height * part
        left = {2: (still.width - width) * t, 3: (still.width - width) * (1 - t)}.get(
            way, (still.width - width) / 2
        )
        top = (still.height - height) / 2
        yield still.resize(size, Image.Resampling.BICUBIC, (left, top, left + width, top + height))


def write_clip(file: Path, frames: Iterable[Image.Image], rate: int) -> None:
    with av.open(str(file), "w") as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(rate), options={"crf": "20"})
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_image(frame)))
        if stream is not None:
            container.mux(stream.encode())


SETTINGS = {
    "subject": """\
[album]
kind = "subject"
trigger_phrase = "TOK"
class_phrase = "ceramic cat figurine"
[use]
runtime = ["comfy"]
prompts = ["a photo of TOK ceramic cat figurine on a balcony, golden hour, close-up"]
[train]
trainer = "fal-ai/flux-2-klein-9b-base-trainer"
steps = 1000
output_lora_format = "comfy"
""",
    "masked": """\
[album]
kind = "subject"
trigger_phrase = "TOK"
class_phrase = "ceramic cat figurine"
[use]
runtime = ["comfy"]
prompts = ["a photo of TOK ceramic cat figurine on a balcony, golden hour, close-up"]
[train]
trainer = "local"
steps = 1000
create_masks = true
validation = [{ prompt = "a photo of TOK ceramic cat figurine on a balcony, golden hour, close-up" }]
[train.local]
base = "black-forest-labs/FLUX.2-klein-base-4B"
""",
    "style": """\
[album]
kind = "style"
trigger_phrase = "TOK"
class_phrase = "ink drawing"
[use]
runtime = ["comfy"]
prompts = ["TOK ink drawing, a lighthouse in a storm"]
[train]
trainer = "fal-ai/flux-2-klein-9b-base-trainer"
steps = 1500
output_lora_format = "comfy"
""",
    "edit": f"""\
[album]
kind = "edit"
trigger_phrase = ""
[use]
runtime = ["comfy"]
prompts = ["{INSTRUCTION}"]
[train]
trainer = "fal-ai/flux-2-klein-9b-base-trainer/edit"
steps = 1000
output_lora_format = "comfy"
""",
    "video": """\
[album]
kind = "video"
trigger_phrase = "TOK"
class_phrase = "camera move"
[use]
runtime = ["comfy"]
prompts = ["TOK camera move, slow push-in on a red bicycle"]
[train]
trainer = "fal-ai/ltx23-video-trainer"
number_of_steps = 1500
number_of_frames = 121
validation = [{ prompt = "TOK camera move, slow push-in on a red bicycle" }]
""",
}


def shots_of(kind: str) -> list[Shot]:
    """What each kind of album shows."""
    if kind in ("subject", "masked"):
        return subject_shots()
    if kind == "video":
        return subject_shots()[2:24:3][:8]
    count, seed = (40, 5) if kind == "style" else (15, 11)
    shots = street_shots(count, seed)
    if kind == "edit":  # something of its own in each, so that the night is what the pairs share
        return [
            replace(s, scene=replace(s.scene, things=s.scene.things + figurine((1, 4), 20, 0.8)))
            for s in shots
        ]
    return shots


MAKERS = {
    "subject": phone_picture,
    "masked": masked_picture,
    "style": drawing,
    "edit": pair,
    "video": clip,
}


def make_album(folder: Path, kind: str, part: int = 1, jobs: int = 2) -> None:
    """One album of a kind, an nth (``part``) as large on each side as it should be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "album.toml").write_text(SETTINGS[kind], encoding="utf-8")
    make, shots = partial(MAKERS[kind], folder, part), enumerate(shots_of(kind))
    if jobs == 1:
        list(map(make, shots))
        return
    with ProcessPoolExecutor(jobs) as pool:
        list(pool.map(make, shots))


def contact_sheet(root: Path, kinds: Iterable[str]) -> None:
    """All pictures, and the middle of each clip, in rows of eight."""
    import pi_heif

    pi_heif.register_heif_opener()
    cells = []
    for kind in kinds:
        for file in sorted((root / kind).iterdir()):
            if file.suffix.lower() in (".jpg", ".png", ".heic"):
                with Image.open(file) as opened:
                    opened.draft("RGB", (500, 500))
                    picture = opened.convert("RGB")
                    if opened.getexif().get(274) == 6 and file.suffix == ".JPG":
                        picture = picture.transpose(Image.Transpose.ROTATE_270)
            elif file.suffix == ".mp4":
                with av.open(str(file)) as container:
                    picture = list(container.decode(video=0))[60].to_image()
            else:
                continue
            picture.thumbnail((240, 200))
            cells.append(picture)
    sheet = Image.new("RGB", (8 * 250, -(-len(cells) // 8) * 210), "grey")
    for number, picture in enumerate(cells):
        sheet.paste(picture, (number % 8 * 250 + 5, number // 8 * 210 + 5))
    sheet.save(root / "contact_sheet.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("kinds", nargs="*", default=list(SETTINGS), metavar="KIND")
    parser.add_argument("--part", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    for kind in given.kinds:
        make_album(given.folder / kind, kind, given.part, given.jobs)
        print(kind, flush=True)
    contact_sheet(given.folder, given.kinds)


if __name__ == "__main__":
    main()
