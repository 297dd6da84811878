"""Known faults put into good photographs (RGB at the training size) and into good masks, for quiet.py."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

AREA = 1024 * 1024
Degrade = Callable[[Image.Image], bytes]


def at_training_size(image: Image.Image) -> Image.Image:
    """RGB, reduced to about one megapixel; a smaller one stays as it is."""
    scale = (AREA / (image.width * image.height)) ** 0.5
    image = image.convert("RGB")
    if scale >= 1:
        return image
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def again(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def gaussian(sigma: float) -> Degrade:
    """A soft lens."""
    return lambda image: jpeg(image.filter(ImageFilter.GaussianBlur(sigma)))


def disk(radius: int) -> Degrade:
    """A lens out of focus."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return lambda image: jpeg(_convolved(image, kernel))


def motion(length: int, degrees: float) -> Degrade:
    """A camera that moved in a straight line."""
    half, fine = length // 2 + 1, 4
    side, centre = 2 * half + 1, (2 * half + 1) * fine / 2
    dx, dy = (f(np.deg2rad(degrees)) * length * fine / 2 for f in (np.cos, np.sin))
    drawn = Image.new("L", (side * fine, side * fine))
    ImageDraw.Draw(drawn).line((centre - dx, centre - dy, centre + dx, centre + dy), fill=255, width=fine)
    kernel = np.asarray(drawn.resize((side, side), Image.Resampling.BOX), np.float64)
    return lambda image: jpeg(_convolved(image, kernel))


def _convolved(image: Image.Image, kernel: NDArray[np.float64]) -> Image.Image:
    pad = kernel.shape[0] // 2
    values = np.pad(np.asarray(image, np.float32), ((pad, pad), (pad, pad), (0, 0)), "reflect")
    size = (values.shape[0], values.shape[1])
    spectrum = np.fft.rfft2(kernel / kernel.sum(), size).astype(np.complex64)
    for channel in range(3):
        values[..., channel] = np.fft.irfft2(np.fft.rfft2(values[..., channel]) * spectrum, size)
    # A full convolution's upper left corner: what lies 2 * pad from it is the picture.
    kept = values[2 * pad : 2 * pad + image.height, 2 * pad : 2 * pad + image.width]
    return Image.fromarray(np.clip(kept, 0, 255).round().astype(np.uint8))


def exposed(stops: float, clip: bool = True) -> Degrade:
    """As if the shutter had been open 2 ** stops as long, in linear light (IEC 61966-2-1)."""

    def degrade(image: Image.Image) -> bytes:
        level = np.arange(256) / 255
        linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
        linear = np.clip(linear * 2.0**stops, 0, 1)
        level = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
        return jpeg(image.point(list((level * 255).round().astype(int)) * 3))

    return degrade


def gamma(exponent: float) -> Degrade:
    return lambda image: jpeg(image.point([round(255 * (v / 255) ** exponent) for v in range(256)] * 3))


def saved(*qualities: int, as_png: bool = False, cut: int = 0) -> Degrade:
    """Saved as JPEG of each quality in turn, cropped by ``cut`` pixels after the first, at last as PNG."""

    def degrade(image: Image.Image) -> bytes:
        data = jpeg(image, qualities[0])
        if cut:
            found = again(data)
            image = found.crop((cut, cut, found.width, found.height))
            data = png(image)
        for quality in qualities[1:]:
            data = jpeg(again(data), quality)
        return png(again(data)) if as_png else data

    return degrade


def emptied(share: float) -> Degrade:
    """Its middle, ``share`` of the area, on a plain white ground: a product shot from far away."""

    def degrade(image: Image.Image) -> bytes:
        ground = Image.new("RGB", image.size, (244, 244, 242))
        scale = share**0.5
        middle = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
        ground.paste(middle, ((image.width - middle.width) // 2, (image.height - middle.height) // 2))
        return jpeg(ground)

    return degrade


def clouded(strength: float) -> Degrade:
    """Behind a nearly opaque veil: ``strength`` of its contrast is left."""
    return lambda image: jpeg(Image.blend(Image.new("RGB", image.size, (150, 150, 155)), image, strength))


def barred(across: float, down: float, tone: int) -> Degrade:
    """With bars of these shares of the sides left and right, and at top and bottom."""

    def degrade(image: Image.Image) -> bytes:
        bars = (round(image.width * across), round(image.height * down))
        return jpeg(ImageOps.expand(image, bars, fill=(tone,) * 3))

    return degrade


def blurred_bars(down: float) -> Degrade:
    """With bars at top and bottom that show the picture itself, enlarged and blurred."""

    def degrade(image: Image.Image) -> bytes:
        bar = round(image.height * down)
        whole = image.resize((image.width, image.height + 2 * bar)).filter(ImageFilter.GaussianBlur(20))
        whole.paste(image, (0, bar))
        return jpeg(whole)

    return degrade


def halved(image: Image.Image) -> bytes:
    return jpeg(image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS))


def mirrored(image: Image.Image) -> bytes:
    return jpeg(ImageOps.mirror(image))


def cut(left: float, top: float, right: float, bottom: float) -> Degrade:
    """Shares of the sides cut off."""

    def degrade(image: Image.Image) -> bytes:
        wide, high = image.size
        box = (wide * left, high * top, wide * (1 - right), high * (1 - bottom))
        return jpeg(image.crop(tuple(map(round, box))))

    return degrade


def turned(degrees: float) -> Degrade:
    """The next shot by hand: turned, moved, so much cut off that no corner is empty."""
    trim = cut(0.05, 0.03, 0.03, 0.05)
    return lambda image: trim(image.rotate(degrees, Image.Resampling.BICUBIC))


# Masks: white on black.


def inverted(mask: Image.Image) -> bytes:
    return png(ImageOps.invert(mask))


def soft_edge(mask: Image.Image) -> bytes:
    return png(mask.filter(ImageFilter.GaussianBlur(max(mask.size) / 200)))


def half_out(mask: Image.Image) -> bytes:
    """The picture was framed so that the subject stands half beyond the right side."""
    left, _, right, _ = mask.getbbox() or (0, 0, 0, 0)
    moved = Image.new("L", mask.size)
    moved.paste(mask, (mask.width - (left + right) // 2, 0))
    return png(moved)


def spotted(mask: Image.Image) -> bytes:
    """Forty spots of the ground were taken for the subject."""
    dice, spotted = np.random.default_rng(3), mask.copy()
    side = max(mask.size) * 0.025
    for x, y in dice.random((40, 2)) * (mask.width - side, mask.height - side):
        ImageDraw.Draw(spotted).ellipse((x, y, x + side, y + side), fill=255)
    return png(spotted)


def in_four(mask: Image.Image) -> bytes:
    """Three twigs lie before the subject."""
    left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
    parted = mask.copy()
    for share in (0.3, 0.5, 0.7):
        y = round(top + share * (bottom - top))
        ImageDraw.Draw(parted).line((left, y, right, y), fill=0, width=max(2, mask.height // 60))
    return png(parted)


def shrunk(scale: float) -> Degrade:
    """Only a small part, or something small, was taken for the subject."""

    def degrade(mask: Image.Image) -> bytes:
        small = mask.resize((max(1, round(mask.width * scale)), max(1, round(mask.height * scale))))
        ground = Image.new("L", mask.size)
        ground.paste(small, ((mask.width - small.width) // 2, (mask.height - small.height) // 2))
        return png(ground)

    return degrade
