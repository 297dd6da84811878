"""Who is on the card: text encoder, autoencoder and transformer, one after the other, never together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        self._on_card = ""

    def text(self) -> tuple[Any, Any]:
        """Text encoder and tokenizer."""
        if "tokenizer" not in self._loaded:
            self._loaded["tokenizer"] = self.base.load("tokenizer")
        return self._use("text_encoder"), self._loaded["tokenizer"]

    def vae(self) -> Any:
        """The autoencoder; in fp32, as bf16 shows in its pictures and it is small."""
        return self._use("vae")

    def transformer(self) -> Any:
        """The transformer."""
        return self._use("transformer")

    def drop_text(self) -> None:
        """Free text encoder and tokenizer: everything that will be read has been encoded."""
        for part in ("text_encoder", "tokenizer"):
            self._loaded.pop(part, None)
        self._on_card = "" if self._on_card == "text_encoder" else self._on_card
        self.machine.free()

    def _use(self, part: str) -> Any:
        if part == self._on_card:
            return self._loaded[part]
        cuda = self.machine.device.type == "cuda"
        if cuda and self._on_card:
            self._loaded[self._on_card].to("cpu")
            self.machine.free()
        if part not in self._loaded:
            self._loaded[part] = self._load(part)
        elif cuda:
            self._loaded[part].to(self.machine.device)
        self._on_card = part if cuda else ""
        return self._loaded[part]

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
