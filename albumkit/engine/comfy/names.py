"""What each weight of a single file is called in diffusers and transformers, and which rows of it they mean.

Transformer: Black Forest Labs' names, by the table that LoRAs are read with (:mod:`albumkit.adapter.naming`).
Autoencoder: those of their own code (``ae.safetensors``). Text encoder: Hugging Face's, behind any prefix.
A file that has the names of diffusers already, as ComfyUI's ``flux2-vae.safetensors``, is taken as it is.

diffusers' ``from_single_file`` knows the transformer alone (0.42), and not by its header; a test holds what
is done here to what it does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albumkit.adapter import Header, Tensor, architecture

if TYPE_CHECKING:
    import torch

#: What checkpoints put before the names of the transformer.
_PREFIX = "model.diffusion_model."
_DOUBLE_NORM = re.compile(r"double_blocks\.(\d+)\.(img|txt)_attn\.norm\.(query|key)_norm\.(?:scale|weight)")
_SINGLE_NORM = re.compile(r"single_blocks\.(\d+)\.norm\.(query|key)_norm\.(?:scale|weight)")
#: Names of the autoencoder: what the file says -> what diffusers says, but for the decoder's levels, which it
#: counts from the other end.
_AUTOENCODER: tuple[tuple[str, str], ...] = (
    (r"(?:encoder\.)?quant_conv\.", "quant_conv."),
    (r"(?:decoder\.)?post_quant_conv\.", "post_quant_conv."),
    (r"(encoder|decoder)\.norm_out\.", r"\1.conv_norm_out."),
    (r"encoder\.down\.(\d+)\.block\.(\d+)\.", r"encoder.down_blocks.\1.resnets.\2."),
    (r"encoder\.down\.(\d+)\.downsample\.", r"encoder.down_blocks.\1.downsamplers.0."),
    (r"decoder\.up\.(\d+)\.block\.(\d+)\.", r"decoder.up_blocks.\1.resnets.\2."),
    (r"decoder\.up\.(\d+)\.upsample\.", r"decoder.up_blocks.\1.upsamplers.0."),
    (r"(encoder|decoder)\.mid\.block_1\.", r"\1.mid_block.resnets.0."),
    (r"(encoder|decoder)\.mid\.block_2\.", r"\1.mid_block.resnets.1."),
    (r"(encoder|decoder)\.mid\.attn_1\.norm\.", r"\1.mid_block.attentions.0.group_norm."),
    (r"(encoder|decoder)\.mid\.attn_1\.([qkv])\.", r"\1.mid_block.attentions.0.to_\2."),
    (r"(encoder|decoder)\.mid\.attn_1\.proj_out\.", r"\1.mid_block.attentions.0.to_out.0."),
)


@dataclass(frozen=True)
class Piece:
    """One weight as its library wants it: some rows of a tensor of the file.

    Attributes:
        tensor: Of the file's header.
        part, parts: Which of so many equal shares of its rows.
        swapped: Its halves stand in the other order there.
        matrix: A convolution of one pixel there, a matrix here.
    """

    tensor: Tensor
    part: int = 0
    parts: int = 1
    swapped: bool = False
    matrix: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        shape = self.tensor.shape[:2] if self.matrix else self.tensor.shape
        return (shape[0] // self.parts, *shape[1:]) if self.parts > 1 else shape

    def of(self, values: torch.Tensor) -> torch.Tensor:
        """The weight, of the whole tensor's numbers."""
        if self.parts > 1:
            values = values.chunk(self.parts)[self.part]
        if self.swapped:
            values = values.roll(values.shape[0] // 2, 0)
        return values[:, :, 0, 0] if self.matrix else values


#: Name of the library -> where it comes from.
Pieces = Mapping[str, Piece]


def pieces_of(header: Header) -> tuple[str, Pieces]:
    """Which part of a FLUX.2 klein a file holds, and its weights as their library calls them.

    Returns:
        ``transformer``, ``text_encoder``, ``vae``, or "" for a file of something else; a quantised one is
        known by its names, too.
    """
    tensors = {tensor.name: tensor for tensor in header.tensors}
    for part, read in _READERS.items():
        if (pieces := read(tensors)) is not None:
            return part, pieces
    return "", {}


def _transformer(tensors: Mapping[str, Tensor]) -> Pieces | None:
    plain = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items()}
    if "single_stream_modulation.linear.weight" in plain:
        return {name: Piece(tensor) for name, tensor in plain.items()}
    if "single_stream_modulation.lin.weight" not in plain:
        return None
    found: dict[str, Piece] = {}
    for name, tensor in plain.items():
        found |= _of_transformer(name, tensor)
    return found


def _of_transformer(name: str, tensor: Tensor) -> dict[str, Piece]:
    if match := _DOUBLE_NORM.fullmatch(name):
        block, stream, kind = match.groups()
        added = "added_" if stream == "txt" else ""
        return {f"transformer_blocks.{block}.attn.norm_{added}{kind[0]}.weight": Piece(tensor)}
    if match := _SINGLE_NORM.fullmatch(name):
        block, kind = match.groups()
        return {f"single_transformer_blocks.{block}.attn.norm_{kind[0]}.weight": Piece(tensor)}
    place = architecture("flux2").place("bfl", name.removesuffix(".weight"))
    if place is None or not name.endswith(".weight"):
        return {name: Piece(tensor)}  # a stranger, which the model will not know
    names = place.diffusers_names
    return {
        f"{one}.weight": Piece(tensor, number, len(names), place.linear.swapped)
        for number, one in enumerate(names)
    }


def _text_encoder(tensors: Mapping[str, Tensor]) -> Pieces | None:
    """Qwen3 without its head, which no prompt needs; it is often left out of the file."""
    words = next((name for name in tensors if name.endswith("embed_tokens.weight")), None)
    if words is None:
        return None
    prefix = words.removesuffix("embed_tokens.weight")
    if f"{prefix}layers.0.self_attn.q_norm.weight" not in tensors:
        return None
    return {name.removeprefix(prefix): Piece(t) for name, t in tensors.items() if "lm_head." not in name}


def _autoencoder(tensors: Mapping[str, Tensor]) -> Pieces | None:
    if "bn.running_mean" not in tensors or "decoder.conv_in.weight" not in tensors:
        return None
    if any(name.startswith("encoder.down_blocks.") for name in tensors):
        return {name: Piece(tensor) for name, tensor in tensors.items()}
    levels = [int(match[1]) for name in tensors if (match := re.match(r"decoder\.up\.(\d+)\.", name))]
    last = max(levels, default=0)
    found = {}
    for name, tensor in tensors.items():
        for pattern, replacement in _AUTOENCODER:
            if re.match(pattern, name):
                name = re.sub(f"^{pattern}", replacement, name)
                break
        name = name.replace(".nin_shortcut.", ".conv_shortcut.")
        name = re.sub(r"(?<=decoder\.up_blocks\.)\d+", lambda level: str(last - int(level[0])), name)
        found[name] = Piece(tensor, matrix=".attentions." in name and len(tensor.shape) == 4)
    return found


_READERS: Mapping[str, Callable[[Mapping[str, Tensor]], Pieces | None]] = {
    "transformer": _transformer,
    "text_encoder": _text_encoder,
    "vae": _autoencoder,
}


def fill(model: Any, pieces: Pieces, path: str, device: torch.device | str, dtype: torch.dtype) -> list[str]:
    """Read the weights of a model that was built without any, straight to where they are wanted.

    Returns:
        What the file lacks or has too much of, or in another shape; then nothing was read.
    """
    from safetensors import safe_open

    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}  # of no use, often left out
    given = {name: piece.shape for name, piece in pieces.items()}
    both = [name for name in {**wanted, **given} if name not in counters]
    if wrong := [name for name in both if wanted.get(name) != given.get(name)]:
        return wrong
    state = {}
    with safe_open(path, "pt", device=str(device)) as file:
        for name, piece in pieces.items():
            values = piece.of(file.get_tensor(piece.tensor.name))
            kind = dtype if values.is_floating_point() else values.dtype
            state[name] = values.to(kind, copy=piece.parts > 1).contiguous()
    model.load_state_dict(state, strict=False, assign=True)
    return []
