"""Who is on the card: text encoder, autoencoder and transformer, one after the other. Two are there at once
only while pictures are looked at, and only where there is room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from albumkit.engine.memory import decoding_bytes

if TYPE_CHECKING:
    from albumkit.engine.base import Base
    from albumkit.engine.machine import Machine

#: A part must leave this share of itself free to compute in.
_ROOM = 1.2


class Stage:
    """Loads the parts of a base when they are first needed, and lets one of them onto the card at a time.

    Without a card of its own memory there is nothing to move; the text encoder, the largest after the
    transformer, is still let go when it has said what it was asked.
    """

    def __init__(self, base: Base, machine: Machine) -> None:
        self.base, self.machine = base, machine
        self._loaded: dict[str, Any] = {}
        self._on_card: set[str] = set()

    def text(self) -> tuple[Any, Any]:
        """Text encoder and tokenizer."""
        if "tokenizer" not in self._loaded:
            self._loaded["tokenizer"] = self.base.load("tokenizer")
        return self._use("text_encoder"), self._loaded["tokenizer"]

    def vae(self, pixels: int = 0) -> Any:
        """The autoencoder; in fp32, as bf16 shows in its pictures and it is small.

        Args:
            pixels: To be decoded at once. The transformer stays where it is if there is room for that: to
                fetch it back would take longer than the picture.
        """
        return self._use("vae", beside=bool(pixels) and self._has_room(pixels))

    def transformer(self) -> Any:
        """The transformer."""
        return self._use("transformer")

    def drop_text(self) -> None:
        """Free text encoder and tokenizer: everything that will be read has been encoded."""
        for part in ("text_encoder", "tokenizer"):
            self._loaded.pop(part, None)
        self._on_card.discard("text_encoder")
        self.machine.free()

    def _use(self, part: str, beside: bool = False) -> Any:
        cuda = self.machine.device.type == "cuda"
        if not beside and (others := self._on_card - {part}):
            for other in others:
                self._loaded[other].to("cpu")
            self._on_card -= others
            self.machine.free()
        if part not in self._loaded:
            self._loaded[part] = self._load(part)
        elif cuda and part not in self._on_card:
            self._loaded[part].to(self.machine.device)
        if cuda:
            self._on_card.add(part)
        return self._loaded[part]

    def _has_room(self, pixels: int) -> bool:
        self.machine.free()
        room = self.machine.room()
        return room is not None and room >= decoding_bytes(self.base, pixels)

    def _load(self, part: str) -> Any:
        """Straight onto the card, where it has room; a text encoder that has none runs from host memory,
        layer by layer.
        """
        import torch

        dtype = torch.float32 if part == "vae" else self.machine.dtype
        room = self.machine.room()
        if part == "text_encoder" and room is not None:
            size = self.base.parameters(part) * dtype.itemsize
            if size * _ROOM > room:
                from accelerate import cpu_offload

                return cpu_offload(self.base.load(part, "cpu", dtype), self.machine.device)
        return self.base.load(part, self.machine.device, dtype)
