"""The faults of sample_albums/messy, made on purpose; run by make_samples.py."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
from pathlib import Path

import av
from frames import BOX, CUP, frames, jpeg, sketch
from PIL import Image, ImageDraw, ImageFilter, ImageOps

#: Frame of cup.mp4 and size of every picture of `messy`.
MESSY = {
    "IMG_0401.JPG": (211, (300, 400)),
    "tumbler_02.jpg": (60, (480, 360)),
    "tumbler_04.jpg": (72, (480, 360)),
    "tumbler_05.tiff": (123, (240, 180)),
    "tumbler_06.bmp": (20, (160, 120)),
    "tumbler_07.jpg": (92, (480, 360)),
    "tumbler_08.jpg": (110, (480, 360)),
    "tumbler_09.jpg": (135, (480, 360)),
    "tumbler_10.jpg": (87, (480, 360)),
    "tumbler_11.jpg": (48, (480, 360)),
    "tumbler_12.jpg": (150, (480, 360)),
    "tumbler_13.jpg": (166, (480, 360)),
    "tumbler_14.jpg": (178, (480, 360)),
    "tumbler_16.png": (30, (160, 120)),
    "tumbler_17.jpg": (100, (160, 120)),
    "tumbler_18.jpg": (190, (480, 360)),
    "tumbler_19.jpg": (198, (480, 360)),
    "tumbler_20.jpg": (5, (480, 360)),
    "tumbler_21.jpg": (178, (448, 336)),
}
#: The upright part of the frame that becomes IMG_0401.JPG: left, top, right, bottom.
PORTRAIT = (170, 0, 530, 480)
ORIENTATION, GPS = 0x0112, 0x8825
#: Captions of `messy`: the bytes are part of the fault, so they are written here and not in an editor.
MESSY_CAPTIONS = {
    "IMG_0401.txt": b"a photo of TOK tumbler held upright, hand from the right, portrait framing\n",
    "tumbler_02.txt": b"a photo of TOK tumbler tilted far to the left, bare forearm from the right\n",
    "tumbler_03.txt": b"a photo of TOK tumbler held in one hand, off-white wall\n",
    "tumbler_04.txt": b"a photo of TOK tumbler tilted to the left near the left edge, even light\n",
    "tumbler_04_copy.txt": b"a photo of TOK tumbler leaning left, long forearm across the frame\n",
    "tumbler_05.txt": b"a photo of TOK tumbler leaning to the right, a bright streak of light on it\n",
    "tumbler_06.txt": b"a photo of TOK tumbler upright, right of the middle, thumb across it\n",
    "tumbler_08.txt": b" \n",
    "tumbler_09.txt": b"\xff\xfe"
    + "a photo of TOK tumbler small in the frame, its base seen\r\n".encode("utf-16-le"),
    "tumbler_10.txt": "a photo of TOK tumbler upright before an écru wall\n".encode("latin-1"),
    "tumbler_11.txt": b"a photo of TOKK tumbler leaning slightly to the left, fingers behind it\n",
    "tumbler_12.txt": b"a photo of a tumbler held far from the camera, a lot of empty wall\n",
    "tumbler_13.txt": b"a photo of TOK tumbler held upright by one hand, plain wall, soft light\n",
    "tumbler_14.txt": b"a photo of TOK tumbler held upright by one hand, plain wall, soft light\n",
    "tumbler_15.txt": b"a photo of TOK tumbler lying on a table\n",
    "tumbler_16.txt": b"\xef\xbb\xbfa photo of TOK tumbler cut out, tilted to the right\n",
    "tumbler_17.txt": b"a photo of TOK tumbler, TODO: describe the light\n",
    "tumbler_18.txt": b"The image shows a TOK tumbler held by a hand, out of focus.\n",
    "tumbler_19.txt": b"TOK, tumbler, dark, indoors, masterpiece, best quality\n",
    "tumbler_20.txt": b"a photo of tok tumbler from the side, fingers spread\n",
    "tumbler_21.txt": b"tumbler_21\n",
}


#: Root in `messy/masked`: frame of cup.mp4, caption, corners of the white ellipse in its mask, if any.
MASKED = {
    "cup_01": (24, "upright, thumb on the near side, plain wall", (170, 55, 268, 250)),
    "cup_02": (54, "tilted to the left, forearm from the right, soft light", (80, 40, 250, 260)),
    "cup_03": (78, "tilted to the left near the left edge, forearm across the frame", (100, 60, 260, 280)),
    "cup_04": (96, "leaning to the right above the middle, fingers in front", (110, 30, 280, 250)),
    "cup_05": (128, "leaning to the right, a streak of light on it", (212, 52, 312, 222)),
    "cup_06": (160, "small in the frame, much empty wall around it", None),
    "cup_07": (204, "close to the camera, fingers spread behind it", (135, 35, 245, 255)),
}
MASKED_SIZE = (384, 288)
#: Root of a pair of `messy/sketches`: frame of box.mp4 and left upper corner of its 384x288 window.
SKETCHES = {
    "box_a": (60, (150, 40)),
    "box_b": (108, (120, 40)),
    "box_c": (162, (60, 60)),
    "box_d": (196, (120, 40)),
    "box_e": (266, (140, 120)),
    "box_f": (432, (150, 40)),
}
INSTRUCTION = "turn this pencil sketch into a photo"
CLIP_CAPTIONS = {
    "cup_short": "TOK tumbler tilted by a hand before a plain wall",
    "cup_cut": "TOK tumbler turned by a hand, then a yellow box on a table",
    "cup_broken": "TOK tumbler lifted slowly",
}


def make_messy(source: Path, folder: Path) -> None:
    """Four albums; their README says which fault is where."""
    for make in (_make_tumbler, _make_masked, _make_sketches, _make_clips):
        album = folder / make.__name__.removeprefix("_make_")
        album.mkdir(parents=True, exist_ok=True)
        make(source, album)


def _make_tumbler(source: Path, folder: Path) -> None:
    """A subject album: pictures, captions and junk."""
    found = frames(source / CUP, {frame for frame, _ in MESSY.values()})
    for name, (frame, size) in MESSY.items():
        (folder / name).write_bytes(_messy_picture(found[frame], name, size))
    whole = (folder / "tumbler_02.jpg").read_bytes()
    (folder / "tumbler_02.jpg").write_bytes(whole[: len(whole) * 60 // 100])
    page = b"<html><head><title>404 Not Found</title></head><body>No such picture.</body></html>\n"
    (folder / "tumbler_03.jpg").write_bytes(page)
    shutil.copyfile(folder / "tumbler_04.jpg", folder / "tumbler_04_copy.jpg")
    for name, data in MESSY_CAPTIONS.items():
        (folder / name).write_bytes(data)
    (folder / "junk.npz").write_bytes(_tiny_npz())
    (folder / "Thumbs.db").write_bytes(b"Not a real one: made for this sample.\n")


def _messy_picture(frame: Image.Image, name: str, size: tuple[int, int]) -> bytes:
    if name == "IMG_0401.JPG":
        upright = frame.crop(PORTRAIT).resize(size, Image.Resampling.LANCZOS)
        exif = Image.Exif()
        exif[ORIENTATION] = 6  # a viewer turns the stored pixels a quarter clockwise: store them turned back
        return jpeg(upright.transpose(Image.Transpose.ROTATE_90), 85, exif=exif)
    picture = frame.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if name == "tumbler_16.png":  # a cut-out whose maker painted red under what is transparent
        shape = Image.new("L", size)
        ImageDraw.Draw(shape).ellipse((50, 5, 125, 115), fill=255)
        cut = Image.composite(picture, Image.new("RGB", size, (255, 0, 0)), shape)
        cut.putalpha(shape)
        cut.save(buffer, "PNG")
        return buffer.getvalue()
    if name == "tumbler_17.jpg":
        picture.save(buffer, "PNG")
        return buffer.getvalue()
    if name == "tumbler_18.jpg":
        return jpeg(picture.filter(ImageFilter.GaussianBlur(9)), 85)
    if name == "tumbler_19.jpg":
        return jpeg(picture.point(lambda value: value * 12 // 255), 85)
    if name == "tumbler_20.jpg":
        exif = Image.Exif()
        exif[GPS] = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)}
        return jpeg(picture, 85, exif=exif)
    if name == "tumbler_21.jpg":
        return jpeg(picture.point(lambda value: min(255, value + 9)), 70)
    if name.endswith(".tiff"):
        picture.save(buffer, "TIFF", compression="tiff_adobe_deflate")
    elif name.endswith(".bmp"):
        picture.save(buffer, "BMP")
    else:
        return jpeg(picture, 85)
    return buffer.getvalue()


def _tiny_npz() -> bytes:
    """What numpy.savez would write for one array of four zeros, with a fixed date."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(16)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("latents.npy")
        entry.create_system = 3  # the same bytes on Windows
        archive.writestr(entry, array)
    return buffer.getvalue()


def _make_masked(source: Path, folder: Path) -> None:
    """A subject album for a trainer that reads masks: good pictures, masks with a fault each."""
    found = frames(source / CUP, {frame for frame, _, _ in MASKED.values()})
    masks = folder / "masks"
    masks.mkdir(exist_ok=True)
    for root, (frame, words, ellipse) in MASKED.items():
        picture = found[frame].resize(MASKED_SIZE, Image.Resampling.LANCZOS)
        (folder / f"{root}.jpg").write_bytes(jpeg(picture, 85))
        (folder / f"{root}.txt").write_bytes(f"a photo of TOK tumbler {words}\n".encode())
        if ellipse is not None:
            _mask(root, ellipse).save(masks / f"{root}.png")
    _mask("cup_99", (120, 30, 270, 265)).save(masks / "cup_99.png")


def _mask(root: str, ellipse: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", MASKED_SIZE)
    if root == "cup_02":
        return mask
    if root == "cup_03":
        return Image.new("L", MASKED_SIZE, 255)
    ImageDraw.Draw(mask).ellipse(ellipse, fill=255)
    if root == "cup_04":
        return ImageOps.invert(mask)
    if root == "cup_05":
        return mask.transpose(Image.Transpose.ROTATE_90)
    if root == "cup_07":
        return Image.merge("RGB", (mask, Image.new("L", MASKED_SIZE), Image.new("L", MASKED_SIZE)))
    return mask


def _make_sketches(source: Path, folder: Path) -> None:
    """An edit album: sketch to photo, as edit_pairs, with a fault in each pair but the first."""
    found = frames(source / BOX, {frame for frame, _ in SKETCHES.values()})
    for root, (frame, (left, top)) in SKETCHES.items():
        photo = found[frame].crop((left, top, left + 384, top + 288))
        drawn = sketch(photo)
        if root == "box_c":
            drawn = drawn.resize((256, 192), Image.Resampling.LANCZOS)
        if root == "box_e":
            drawn = sketch(found[frame].crop((left - 28, top - 12, left + 356, top + 276)))
        (folder / f"{root}_end.jpg").write_bytes(jpeg(photo, 85))
        if root != "box_b":
            (folder / f"{root}_start.jpg").write_bytes(jpeg(photo if root == "box_d" else drawn, 85))
        if root == "box_f":
            (folder / f"{root}_start3.jpg").write_bytes(jpeg(photo.resize((192, 144)), 85))
        text = "a yellow cookie box on a table" if root == "box_a" else INSTRUCTION
        (folder / f"{root}.txt").write_bytes(f"{text}\n".encode())


def _make_clips(source: Path, folder: Path) -> None:
    """A video album: too short, cut in the middle, broken, and one that is fine but has no caption."""
    cup = [frame.resize((192, 144)) for frame in frames(source / CUP, range(100, 222)).values()]
    box = [frame.resize((192, 144)) for frame in frames(source / BOX, range(200, 261)).values()]
    clips = {"cup_a": cup, "cup_short": cup[:9], "cup_cut": cup[:60] + box}
    for name, pictures in clips.items():
        (folder / f"{name}.mp4").write_bytes(_clip(pictures))
    (folder / "cup_broken.mp4").write_bytes(_clip(cup[:30])[:2000])
    for name, text in CLIP_CAPTIONS.items():
        (folder / f"{name}.txt").write_bytes(f"{text}\n".encode())


def _clip(pictures: list[Image.Image]) -> bytes:
    """An H.264 clip of 24 frames a second, the same bytes at every run."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = *pictures[0].size, "yuv420p"
        stream.options = {"crf": "30", "threads": "1", "preset": "medium"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    return buffer.getvalue()
