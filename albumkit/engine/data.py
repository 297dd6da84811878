"""From a pack to what the loop draws: buckets, crops, latents, text, token weights, and the order of looks.

No example is ever dropped. What was encoded is kept by content (hash of the bytes, fingerprint of the base,
size), never by order or path: a picture cannot meet another one's caption.
"""

from __future__ import annotations

import functools
import hashlib
import io
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from albumkit.atomic import write_whole
from albumkit.engine.pack import Item, Member, OpenPack

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from albumkit.engine.base import Base
    from albumkit.engine.knobs import Knobs
    from albumkit.engine.machine import Machine

#: Pictures more stretched than this are cropped to it.
_LONGEST = 3.0


@dataclass(frozen=True, order=True)
class Bucket:
    """A size that examples are trained at, in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class Placed:
    """An example with the bucket it trains in. ``lost``: the share of its picture that cropping cuts off;
    ``scale``: by how much it is shrunk (below 1) or blown up.
    """

    item: Item
    bucket: Bucket
    lost: float
    scale: float

    @property
    def words(self) -> str:
        """How it is cropped, for a person."""
        cut = f"{self.lost:.0%} cut off" if self.lost >= 0.005 else "nothing cut off"
        return f"{self.bucket}, {cut}" + (f", blown up {self.scale:.1f}x" if self.scale > 1 else "")


def all_buckets(side: int, token: int, aspect: str = "buckets") -> tuple[Bucket, ...]:
    """Sizes of about the area of a square, never above it, in whole tokens.

    Args:
        side: Of the square, in pixels.
        token: Pixels that a token covers.
        aspect: ``buckets``, or one shape such as ``4:3``.
    """
    step = max(token, side // 16 // token * token)
    if aspect != "buckets":
        across, down = map(int, aspect.split(":"))
        width = round((side * side * across / down) ** 0.5 / step) * step
        return (_bucket(side, width, step),)
    tall = {_bucket(side, width, step) for width in range(step, side + 1, step)}
    fine = [one for one in tall if one.height <= one.width * _LONGEST]
    return tuple(sorted({*fine, *(Bucket(one.height, one.width) for one in fine)}))


def _bucket(side: int, width: int, step: int) -> Bucket:
    width = max(step, width)
    return Bucket(width, max(step, side * side // width // step * step))


def place(
    items: Sequence[Item], sizes: Mapping[str, tuple[int, int]], buckets: Sequence[Bucket]
) -> list[Placed]:
    """Each example into the bucket that cuts least off it.

    Args:
        sizes: Width and height of each target, by ROOT.
    """
    placed = []
    for item in items:
        width, height = sizes[item.root]
        bucket = min(buckets, key=lambda one: (_lost(width, height, one), -one.width * one.height))
        scale = max(bucket.width / width, bucket.height / height)
        placed.append(Placed(item, bucket, _lost(width, height, bucket), scale))
    return placed


def _lost(width: int, height: int, bucket: Bucket) -> float:
    aspect, wanted = width / height, bucket.width / bucket.height
    return 1 - min(aspect, wanted) / max(aspect, wanted)


def picture_sizes(pack: OpenPack) -> dict[str, tuple[int, int]]:
    """Width and height of each target, from its header."""
    sizes = {}
    for item in pack.items:
        with Image.open(io.BytesIO(pack.read(item.target))) as picture:
            sizes[item.root] = picture.size
    return sizes


def fitted(data: bytes, bucket: Bucket, mode: str) -> Image.Image:
    """A picture scaled to cover its bucket and cropped around its middle."""
    from PIL import ImageOps

    with Image.open(io.BytesIO(data)) as picture:
        resample = Image.Resampling.LANCZOS if mode == "RGB" else Image.Resampling.BOX
        return ImageOps.fit(picture.convert(mode), (bucket.width, bucket.height), resample)


def to_pixels(picture: Image.Image) -> Tensor:
    """RGB -> (1, 3, height, width) in -1..1."""
    import torch

    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return values.view(1, picture.height, picture.width, 3).permute(0, 3, 1, 2).float() / 127.5 - 1


def token_weights(data: bytes, bucket: Bucket, token: int, floor: float) -> Tensor:
    """A mask -> the weight of each token, (1, height, width) from ``floor`` (black) to 1 (white)."""
    import torch

    grid = (bucket.width // token, bucket.height // token)
    small = fitted(data, bucket, "L").resize(grid, Image.Resampling.BOX)
    values = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(1, grid[1], grid[0])
    return floor + (1 - floor) * values.float() / 255


class Cache:
    """Tensors by key, in a folder; None keeps nothing. What it returns has the bits that were made."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.hits = self.misses = 0

    def get(self, parts: Sequence[object], make: Callable[[], Tensor]) -> Tensor:
        """The tensor of a key; made, and kept, where it is not there."""
        from safetensors.torch import load, save

        key = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
        file = self.folder / f"{key}.safetensors" if self.folder else None
        if file is not None and file.is_file():
            self.hits += 1
            return load(file.read_bytes())["t"]
        self.misses += 1
        made = make().detach().cpu().contiguous()
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, save({"t": made}))
        return made


@dataclass(frozen=True)
class Material:
    """All that the loop learns from, in host memory; pictures by ROOT, texts by their own words."""

    latents: Mapping[str, Tensor]
    references: Mapping[str, tuple[Tensor, ...]]
    weights: Mapping[str, Tensor | None]
    texts: Mapping[str, Tensor]


class Encoder:
    """Turns pictures and words into what the transformer reads, through a cache."""

    def __init__(self, base: Base, machine: Machine, cache: Cache) -> None:
        self.base, self.machine, self.cache = base, machine, cache
        #: Called after each text and picture with how many there were so far.
        self.done: Callable[[int], None] = lambda _count: None
        self._count = 0

    def _get(self, parts: Sequence[object], make: Callable[[], Tensor]) -> Tensor:
        found = self.cache.get(parts, make)
        self._count += 1
        self.done(self._count)
        return found

    @functools.cached_property
    def _identity_of_texts(self) -> str:
        return self.base.fingerprint("text_encoder", "tokenizer")

    @functools.cached_property
    def _identity_of_pictures(self) -> str:
        return self.base.fingerprint("vae")

    def texts(self, texts: Sequence[str], encoder: Callable[[], tuple[Any, Any]]) -> dict[str, Tensor]:
        """Each text by itself, so that its bits do not depend on its neighbours.

        Args:
            encoder: Gives encoder and tokenizer; called only when something is not in the cache.
        """
        import torch

        identity = self._identity_of_texts
        length, family, device = self.base.text_length, self.base.family, self.machine.device

        def make(text: str) -> Tensor:
            parts = encoder()  # what is loaded in inference mode could not be moved to the card and back
            with torch.inference_mode():
                encoded: Tensor = family.encode_text(*parts, text, length, device)[0]
                return encoded

        rows = ("text", identity, length, self.machine.dtype_name)
        return {
            text: self._get((*rows, _sha256(text.encode())), functools.partial(make, text))
            for text in dict.fromkeys(texts)
        }

    def picture(self, pack: OpenPack, member: Member, bucket: Bucket, vae: Callable[[], Any]) -> Tensor:
        """The latents of one picture at its bucket's size, (channels, height, width)."""
        import torch

        def make() -> Tensor:
            pixels = to_pixels(fitted(pack.read(member), bucket, "RGB")).to(self.machine.device)
            part = vae()
            with torch.inference_mode():
                return self.base.family.encode_image(part, pixels)[0]

        rows = ("picture", self._identity_of_pictures, self.machine.dtype_name)
        return self._get((*rows, member.sha256, bucket), make)

    def pictures(
        self, pack: OpenPack, placed: Sequence[Placed], knobs: Knobs, vae: Callable[[], Any]
    ) -> tuple[dict[str, Tensor], dict[str, tuple[Tensor, ...]], dict[str, Tensor | None]]:
        """Latents, references and token weights by ROOT."""
        token = self.base.pixels_per_token
        latents, references, weights = {}, {}, {}
        for one in placed:
            item = one.item
            latents[item.root] = self.picture(pack, item.target, one.bucket, vae)
            references[item.root] = tuple(self.picture(pack, side, one.bucket, vae) for side in item.inputs)
            masked = knobs.masks and item.mask is not None
            weights[item.root] = (
                token_weights(pack.read(item.mask), one.bucket, token, knobs.mask_floor)
                if masked and item.mask
                else None
            )
        return latents, references, weights


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Look:
    """One look at one example, the ``turn``-th. Its chance depends on nothing else than seed, turn and
    content: the same look sees the same noise in any batch, on any device, before and after a resume.
    """

    placed: Placed
    turn: int

    def chance(self, seed: int) -> torch.Generator:
        import torch

        key = _sha256(f"{seed}/{self.turn}/{self.placed.item.hash}".encode())
        return torch.Generator().manual_seed(int(key[:15], 16))


class Deck:
    """All examples, shuffled anew for every turn. A batch holds examples of one bucket; what does not fill
    one waits for the next turn, so that every example is drawn equally often.
    """

    def __init__(self, placed: Sequence[Placed], batch_size: int, seed: int) -> None:
        self._placed = sorted(placed, key=lambda one: (one.item.hash, one.item.root))
        self._batch_size, self._seed = batch_size, seed

    def batches(self) -> Iterator[tuple[Look, ...]]:
        """Without end."""
        waiting: dict[tuple[Bucket, int], list[Look]] = defaultdict(list)
        turn = 0
        while True:
            order = list(self._placed)
            random.Random(f"{self._seed}/{turn}").shuffle(order)
            for one in order:
                group = waiting[one.bucket, len(one.item.inputs)]
                group.append(Look(one, turn))
                if len(group) == self._batch_size:
                    yield tuple(group)
                    group.clear()
            turn += 1
