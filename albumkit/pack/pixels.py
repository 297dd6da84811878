"""Decoding and encoding, one picture at a time, from bytes to bytes."""

from __future__ import annotations

import io

from PIL import Image, ImageFile

from albumkit.colour import eight_bits, flat_rgb
from albumkit.images import decode_error, open_image, read_header, reason_of, upright
from albumkit.pack.model import Change, Unpackable
from albumkit.pack.recipe import Recipe
from albumkit.pack.strip import Irregular, strip_metadata

#: JPEG quality of encoded pictures, without colour subsampling.
QUALITY = 95


def make_picture(data: bytes, recipe: Recipe, background: tuple[int, int, int]) -> bytes:
    """The picture's bytes in the archive: 8 bits, upright, sRGB, no metadata.

    Raises:
        Unpackable: it cannot be decoded to its last byte.
    """
    if recipe.how == "encoded":
        return _encode(data, recipe, background)
    bare = data if recipe.how == "copied" else strip_metadata(data, recipe.format)[0]
    if problem := decode_error(io.BytesIO(bare)):
        raise Unpackable(problem)
    return bare


def _encode(data: bytes, recipe: Recipe, background: tuple[int, int, int]) -> bytes:
    try:
        with open_image(io.BytesIO(data)) as image:
            if recipe.halved and isinstance(image, ImageFile.ImageFile):
                image.draft(None, (image.width // 2, image.height // 2))
            image.load()
            turned = upright(image, recipe.stored_format, recipe.orientation)
            mode = recipe.profile.mode
            rgb = flat_rgb(turned, recipe.icc, mode, background=background, has_alpha=recipe.has_alpha)
    except (Unpackable, MemoryError):
        raise
    except Exception as error:  # plugins raise nearly anything for a broken file
        raise Unpackable(reason_of(error)) from error
    if rgb.size != (recipe.width, recipe.height):
        raise Unpackable(f"decodes to {rgb.width}x{rgb.height}, not {recipe.width}x{recipe.height}")
    rgb.info = {}  # writers take comments, profiles and transparency from here
    out = io.BytesIO()
    if recipe.format == "JPEG":
        rgb.save(out, "JPEG", quality=QUALITY, subsampling=0)
    else:
        rgb.save(out, "PNG")
    return out.getvalue()


def make_mask(data: bytes, size: tuple[int, int], ending: str) -> tuple[bytes, str, tuple[Change, ...]]:
    """A mask as 8-bit grey: white is learned, black is not. Transparent parts count as black.

    Args:
        size: Width and height of the upright picture; a mask of another size is scaled to it.
        ending: ``png``, or ``jpg`` where the trainer wants it so (then of quality 100).

    Returns:
        The bytes, how they were made, and what was changed.

    Raises:
        Unpackable: it cannot be decoded.
    """
    header = read_header(io.BytesIO(data))
    try:
        with open_image(io.BytesIO(data)) as image:
            stored = f"{image.mode} with transparency" if "transparency" in image.info else image.mode
            image.load()
            grey = _grey(image)
    except (Unpackable, MemoryError):
        raise
    except Exception as error:
        raise Unpackable(reason_of(error)) from error
    grey = upright(grey, header.format, header.orientation)
    changes = []
    if stored != "L":
        changes.append(Change("mask to grey", f"it is {stored}; a mask is 8-bit grey"))
    if grey.size != size:
        changes.append(Change("mask scaled", f"from {grey.width}x{grey.height} to its picture's size"))
        grey = grey.resize(size, Image.Resampling.BILINEAR)
    plain = header.format == "PNG" and data[24] == 8 and header.orientation == 1 and not changes
    if plain and ending == "png":
        bare = _bare(data)
        if bare is not None:
            return bare, "copied" if bare == data else "cleaned", ()
    grey.info = {}
    out = io.BytesIO()
    if ending == "png":
        grey.save(out, "PNG")
    else:
        grey.save(out, "JPEG", quality=100)
    return out.getvalue(), "encoded", tuple(changes)


def _bare(data: bytes) -> bytes | None:
    try:
        return strip_metadata(data, "PNG")[0]
    except Irregular:
        return None


def _grey(image: Image.Image) -> Image.Image:
    image = eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        whole = image.convert("RGBA")
        black = Image.new("RGB", whole.size)
        black.paste(whole.convert("RGB"), mask=whole.getchannel("A"))
        return black.convert("L")
    return image.convert("L")
