"""Make the pictures of sample_albums/ again from the two clips inside the opencv-python sdist.

    pip download --no-deps --no-binary opencv-python opencv-python==5.0.0.93
    tar xzf opencv_python-5.0.0.93.tar.gz
    pip install av==18.1.0 pillow==13.0.0
    python benchmarks/make_samples.py opencv_python-5.0.0.93 [--into sample_albums]

Writes every picture of the albums, all of `messy` but its album.toml files and README, and the instructions
of `edit_pairs`. It never writes README.md, album.toml or the captions of `cookie_box`: people wrote those.
Same files byte for byte with the versions above; another build of FFmpeg or libjpeg may differ by a bit.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from frames import BOX, CUP, SHA256, frames, jpeg, sketch
from make_messy import make_messy

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
        print(f"{name}: {sum(f.stat().st_size for f in folder.rglob('*') if f.is_file()) // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
