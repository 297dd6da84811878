"""A klein of diffusers' form as ComfyUI keeps one: single files under the names of Black Forest Labs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

Tensors = dict[str, Any]
_RENAMED = (
    ("x_embedder.", "img_in."),
    ("context_embedder.", "txt_in."),
    ("time_guidance_embed.timestep_embedder.linear_1.", "time_in.in_layer."),
    ("time_guidance_embed.timestep_embedder.linear_2.", "time_in.out_layer."),
    ("_modulation_img.linear.", "_modulation_img.lin."),
    ("_modulation_txt.linear.", "_modulation_txt.lin."),
    ("single_stream_modulation.linear.", "single_stream_modulation.lin."),
    ("proj_out.", "final_layer.linear."),
    ("single_transformer_blocks.", "single_blocks."),
    ("transformer_blocks.", "double_blocks."),
    ("attn.to_qkv_mlp_proj.", "linear1."),
    ("attn.to_out.0.", "img_attn.proj."),
    ("attn.to_add_out.", "txt_attn.proj."),
    ("attn.to_out.", "linear2."),
    ("ff.linear_in.", "img_mlp.0."),
    ("ff.linear_out.", "img_mlp.2."),
    ("ff_context.linear_in.", "txt_mlp.0."),
    ("ff_context.linear_out.", "txt_mlp.2."),
)
_NORMS = {
    "attn.norm_q.weight": "img_attn.norm.query_norm.scale",
    "attn.norm_k.weight": "img_attn.norm.key_norm.scale",
    "attn.norm_added_q.weight": "txt_attn.norm.query_norm.scale",
    "attn.norm_added_k.weight": "txt_attn.norm.key_norm.scale",
}


def transformer(klein: Path) -> Tensors:
    """With q, k and v in one, and shift before scale."""
    import torch

    state = load_file(klein / "transformer" / "diffusion_pytorch_model.safetensors")
    scale, shift = state.pop("norm_out.linear.weight").chunk(2)
    made = {"final_layer.adaLN_modulation.1.weight": torch.cat([shift, scale])}
    blocks = {name.split(".attn.")[0] for name in state if name.startswith("transformer_blocks.")}
    for block in sorted(block for block in blocks if re.fullmatch(r"transformer_blocks\.\d+", block)):
        for stream, names in (("img", "to_{}"), ("txt", "add_{}_proj")):
            parts = [state.pop(f"{block}.attn.{names.format(letter)}.weight") for letter in "qkv"]
            made[f"{block.replace('transformer', 'double')}.{stream}_attn.qkv.weight"] = torch.cat(parts)
    for name, tensor in state.items():
        single = name.startswith("single_transformer")
        for ours, theirs in _NORMS.items():
            name = name.replace(ours, theirs.replace("img_attn.", "") if single else theirs)
        for ours, theirs in _RENAMED:
            name = name.replace(ours, theirs)
        made[name] = tensor
    return made


def text_encoder(klein: Path, prefix: str = "model.") -> Tensors:
    state = load_file(klein / "text_encoder" / "model.safetensors")
    return {prefix + name.removeprefix("model."): tensor for name, tensor in state.items()}


def autoencoder(klein: Path) -> Tensors:
    """As Black Forest Labs' own ``ae.safetensors`` has it."""
    state = load_file(klein / "vae" / "diffusion_pytorch_model.safetensors")
    made = {}
    for name, tensor in state.items():
        name = re.sub(r"^quant_conv", "encoder.quant_conv", name)
        name = re.sub(r"^post_quant_conv", "decoder.post_quant_conv", name)
        name = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.", r"encoder.down.\1.block.", name)
        name = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", name)
        for level in range(4):
            name = name.replace(f"decoder.up_blocks.{level}.resnets", f"decoder.up.{3 - level}.block")
            name = name.replace(f"decoder.up_blocks.{level}.upsamplers.0", f"decoder.up.{3 - level}.upsample")
        for ours, theirs in (
            ("conv_norm_out", "norm_out"),
            ("conv_shortcut", "nin_shortcut"),
            ("mid_block.resnets.0", "mid.block_1"),
            ("mid_block.resnets.1", "mid.block_2"),
            ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"),
            ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"),
            ("mid_block.attentions.0.to_", "mid.attn_1."),
        ):
            name = name.replace(ours, theirs)
        made[name] = tensor[:, :, None, None] if ".mid.attn_1." in name and tensor.ndim == 2 else tensor
    return made


def make_comfy(klein: Path, root: Path, *, tokenizer: bool = True) -> Path:
    """A folder of ComfyUI with the three files under ``models``, and its own tokenizer.

    Returns:
        The ``models`` folder.
    """
    models = root / "models"
    write(models / "diffusion_models" / "klein-tiny-base.safetensors", transformer(klein))
    write(models / "text_encoders" / "qwen_3_tiny.safetensors", text_encoder(klein))
    write(models / "vae" / "flux2-vae.safetensors", autoencoder(klein))
    if tokenizer:
        shutil.copytree(klein / "tokenizer", root / "comfy" / "text_encoders" / "qwen25_tokenizer")
    return models


def write(path: Path, tensors: Tensors, *, without: Iterable[str] = ()) -> Path:
    """One file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: t.contiguous() for name, t in tensors.items() if name not in set(without)}, path)
    return path
