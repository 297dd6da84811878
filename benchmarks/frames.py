"""Frames of OpenCV's two sample clips, and what the sample albums make of them."""

from __future__ import annotations

import io
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
