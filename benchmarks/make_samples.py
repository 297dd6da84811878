"""Make the pictures of sample_albums/ again from the two clips inside the opencv-python sdist.

    pip download --no-deps --no-binary opencv-python opencv-python==5.0.0.93
    tar xzf opencv_python-5.0.0.93.tar.gz
    pip install av==18.1.0 pillow==13.0.0
    python benchmarks/make_samples.py opencv_python-5.0.0.93 [--into sample_albums]

Writes every picture of the three albums, all of `messy` but its album.toml and README, and the instructions
of `edit_pairs`. It never writes README.md, album.toml or the captions of `cookie_box`: people wrote those.
Same files byte for byte with the versions above; another build of FFmpeg or libjpeg may differ by a bit.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path

import av
from PIL import Image, ImageChops, ImageFilter, ImageMath, ImageOps

BOX = "samples/cpp/tutorial_code/calib3d/real_time_pose_estimation/Data/box.mp4"
CUP = "doc/js_tutorials/js_assets/cup.mp4"
SHA256 = {
    BOX: "62b744b99403f899707c43398a3822441add6160379ab6dd6c12bde9e3075f8d",
    CUP: "37db9cee98f70b1458985a15ad2e5b0183e90e24c281b534afcf812e5986154f",
}

ALBUMS = Path(__file__).resolve().parent.parent / "sample_albums"

#: Frames of box.mp4, in order box_01, box_02, ...: the sharpest ones near poses that differ, then by eye.
COOKIE_BOX = (36, 80, 104, 118, 131, 141, 159, 184, 208, 224, 240, 259, 272, 302, 357, 373, 393, 421)

#: Root name, clip, frame, left upper corner of the 512x384 window that is cut out, never scaled.
EDIT_PAIRS = (
    ("box_a", BOX, 60, (128, 0)),
    ("box_b", BOX, 108, (90, 0)),
    ("box_c", BOX, 162, (40, 20)),
    ("box_d", BOX, 196, (100, 0)),
    ("box_e", BOX, 266, (100, 80)),
    ("box_f", BOX, 294, (20, 60)),
    ("box_g", BOX, 432, (128, 0)),
    ("cup_a", CUP, 36, (128, 60)),
    ("cup_b", CUP, 66, (0, 80)),
    ("cup_c", CUP, 96, (60, 40)),
    ("cup_d", CUP, 122, (128, 30)),
    ("cup_e", CUP, 138, (120, 60)),
    ("cup_f", CUP, 205, (64, 50)),
)
EDIT_SIZE = (512, 384)
INSTRUCTION = "turn this pencil sketch into a photo"

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
}
#: The upright part of the frame that becomes IMG_0401.JPG: left, top, right, bottom.
PORTRAIT = (170, 0, 530, 480)
ORIENTATION = 0x0112
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
}


def frames(clip: Path, wanted: Collection[int]) -> dict[int, Image.Image]:
    """The wanted frames of a clip, decoded in order (box.mp4 does not seek well), as RGB pictures."""
    found: dict[int, Image.Image] = {}
    with av.open(str(clip)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                found[number] = frame.to_image()  # type: ignore[no-untyped-call]
    return found


def sketch(photo: Image.Image) -> Image.Image:
    """A pencil drawing of a photo, as a grey picture of the same size.

    Colour dodge: grey / (1 - blurred negative) leaves only where a pixel is darker than its surroundings.
    Lifting the blacks first keeps the codec's blocks in dark parts from being drawn.
    """
    plain = photo.convert("L")
    grey = _tones(plain.filter(ImageFilter.MedianFilter(3)), lambda v: 64 + v * 191 / 255)
    veil = ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(5))
    lines: Image.Image = ImageMath.lambda_eval(
        lambda at: at["convert"](at["min"](at["grey"] * 255 / (256 - at["veil"]), 255), "L"),
        grey=grey,
        veil=veil,
    )
    pressed = _tones(lines, lambda v: 255 * (v / 255) ** 2.4)
    shade = _tones(plain.filter(ImageFilter.GaussianBlur(3)), lambda v: 200 + v * 55 / 255)
    return ImageChops.multiply(pressed, shade)


def _tones(grey: Image.Image, curve: Callable[[int], float]) -> Image.Image:
    return grey.point([int(curve(value)) for value in range(256)])


def jpeg(picture: Image.Image, quality: int, **more: object) -> bytes:
    """The picture as a baseline JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True, **more)
    return buffer.getvalue()


def make_cookie_box(source: Path, folder: Path) -> None:
    """box_01.jpg ...: whole frames, encoded once."""
    found = frames(source / BOX, COOKIE_BOX)
    for number, frame in enumerate(COOKIE_BOX, 1):
        (folder / f"box_{number:02}.jpg").write_bytes(jpeg(found[frame], 92))


def make_edit_pairs(source: Path, folder: Path) -> None:
    """ROOT_end.jpg is the photo, ROOT_start.jpg is drawn from it, ROOT.txt is the instruction."""
    found = {}
    for clip in (BOX, CUP):
        found[clip] = frames(source / clip, {pair[2] for pair in EDIT_PAIRS if pair[1] == clip})
    for root, clip, frame, (left, top) in EDIT_PAIRS:
        photo = found[clip][frame].crop((left, top, left + EDIT_SIZE[0], top + EDIT_SIZE[1]))
        (folder / f"{root}_end.jpg").write_bytes(jpeg(photo, 90))
        (folder / f"{root}_start.jpg").write_bytes(jpeg(sketch(photo), 88))
        (folder / f"{root}.txt").write_bytes(f"{INSTRUCTION}\n".encode())


def make_messy(source: Path, folder: Path) -> None:
    """Pictures, captions and junk of `messy`; its README says which fault is where."""
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


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sdist", type=Path, help="the unpacked opencv_python-5.0.0.93 folder")
    parser.add_argument(
        "--into", type=Path, default=ALBUMS, help="where the albums are (default: those of this checkout)"
    )
    given = parser.parse_args()
    source = given.sdist / "opencv"
    for clip, expected in SHA256.items():
        path = source / clip
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            print(f"{path.as_posix()}: this is not the clip of opencv-python 5.0.0.93.", file=sys.stderr)
            return 1
    makers = {"cookie_box": make_cookie_box, "messy": make_messy, "edit_pairs": make_edit_pairs}
    for name, make in makers.items():
        folder = given.into / name
        folder.mkdir(parents=True, exist_ok=True)
        make(source, folder)
        print(f"{name}: {sum(f.stat().st_size for f in folder.iterdir()) // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
