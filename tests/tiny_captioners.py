"""Image-text-to-text models of the real classes with random weights, small enough to run in a moment, their
real PIL image processors, and pocket's tokenizer with the tokens that pictures need.

The real processors of Qwen3-VL and SmolVLM want a part for videos, which wants torchvision; nothing here is a
video, so they are made without that part (:func:`without_video`) and are otherwise the library's own.
SmolVLM's wants num2words for videos alone, too.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TOKENIZER = Path(__file__).parent.parent / "albumkit" / "engine" / "pocket" / "model" / "tokenizer"

#: In the form of Qwen's: each picture is a placeholder between two marks.
QWEN_CHAT = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% for c in m.content %}"
    "{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}"
    "{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
#: In the form of SmolVLM's.
SMOL_CHAT = (
    "<|im_start|>{% for m in messages %}{{ m.role | capitalize }}:{% for c in m.content %}"
    "{% if c.type == 'image' %}<image>{% else %}{{ ' ' + c.text }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
#: Refuses a system message, as Gemma's first did.
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
)
#: Drops it.
DEAF = "{% for m in messages if m.role != 'system' %}"


def tokenizer(*more: str, **named: str) -> Any:
    """Pocket's, with more special tokens; ``named`` ones are attributes too."""
    from transformers import AutoTokenizer

    found = AutoTokenizer.from_pretrained(TOKENIZER, extra_special_tokens=named)
    found.add_tokens([*named.values(), *more], special_tokens=True)
    found.model_max_length = 8192
    return found


def without_video(made: type, *parts: Any, **options: Any) -> Any:
    """A processor of the library's class ``made`` with nothing behind its part for videos."""
    nothing = SimpleNamespace(num_frames=1, fps=1)

    def check(self: Any, name: str, part: Any) -> Any:
        return None if part is nothing else made.check_argument_for_proper_class(self, name, part)

    return type(made.__name__, (made,), {"check_argument_for_proper_class": check})(
        *parts, nothing, **options
    )


def qwen_parts() -> tuple[Any, Any]:
    """Image processor and tokenizer."""
    from transformers import Qwen2VLImageProcessorPil

    images = Qwen2VLImageProcessorPil(
        patch_size=16,
        merge_size=2,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size={"shortest_edge": 64 * 64, "longest_edge": 4096 * 4096},
    )
    return images, tokenizer("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def qwen_processor() -> Any:
    from transformers import Qwen3VLProcessor

    return without_video(Qwen3VLProcessor, *qwen_parts(), chat_template=QWEN_CHAT)


def qwen_model(words: Any) -> Any:
    """Three layers of Qwen3-VL."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    ids = words.convert_tokens_to_ids
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "rope_scaling": {"rope_type": "default", "mrope_interleaved": True, "mrope_section": [2, 1, 1]},
            "rope_theta": 10000.0,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_heads": 2,
            "patch_size": 16,
            "out_hidden_size": 32,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
    )
    return _random(Qwen3VLForConditionalGeneration, config, words)


def smol_parts() -> tuple[Any, Any]:
    """Image processor and tokenizer."""
    from transformers import SmolVLMImageProcessorPil

    images = SmolVLMImageProcessorPil(size={"longest_edge": 128}, max_image_size={"longest_edge": 64})
    places = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    marks = ["<fake_token_around_image>", "<image>", "<global-img>", "<end_of_utterance>", "<video>"]
    return images, tokenizer(*marks, *places)


#: Tokens of one tile of 64 x 64: 16 patches of 16 x 16, shuffled by 2 x 2.
SMOL_TOKENS = 4


def smol_processor() -> Any:
    from transformers import SmolVLMProcessor
    from transformers.models.smolvlm import processing_smolvlm

    processing_smolvlm.num2words = processing_smolvlm.num2words or str
    return without_video(SmolVLMProcessor, *smol_parts(), image_seq_len=SMOL_TOKENS, chat_template=SMOL_CHAT)


def smol_model(words: Any) -> Any:
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

    config = SmolVLMConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": len(words),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "pad_token_id": words.pad_token_id,
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 16,
        },
        image_token_id=words.convert_tokens_to_ids("<image>"),
        pad_token_id=words.pad_token_id,
        scale_factor=2,
    )
    return _random(SmolVLMForConditionalGeneration, config, words)


def florence_processor() -> Any:
    """Takes pictures of 64 x 64, which the model below turns into five tokens."""
    from transformers import CLIPImageProcessorPil, Florence2Processor

    images = CLIPImageProcessorPil(
        size={"height": 64, "width": 64}, crop_size={"height": 64, "width": 64}, do_center_crop=False
    )
    images.image_seq_length = 5
    words = tokenizer(image_token="<image>")
    words.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    return Florence2Processor(images, words)


def florence_model(words: Any) -> Any:
    from transformers import Florence2Config, Florence2ForConditionalGeneration

    config = Florence2Config(
        text_config={
            "model_type": "bart",
            "vocab_size": len(words),
            "d_model": 32,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "max_position_embeddings": 256,
            "pad_token_id": words.pad_token_id,
            "bos_token_id": words.bos_token_id,
            "eos_token_id": words.eos_token_id,
            "decoder_start_token_id": words.eos_token_id,
            "forced_eos_token_id": None,
        },
        vision_config={
            "depths": [1, 1, 1, 1],
            "embed_dim": [8, 8, 16, 16],
            "num_heads": [1, 1, 2, 2],
            "num_groups": [1, 1, 2, 2],
            "window_size": 2,
            "projection_dim": 32,
            "max_position_embeddings": 20,
        },
        image_token_id=words.image_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return _random(Florence2ForConditionalGeneration, config, words)


def blip_processor() -> Any:
    from transformers import BlipImageProcessorPil, BlipProcessor

    words = tokenizer("[DEC]", "[SEP]")
    return BlipProcessor(BlipImageProcessorPil(size={"height": 32, "width": 32}), words)


def blip_model(words: Any) -> Any:
    from transformers import BlipConfig, BlipForConditionalGeneration

    config = BlipConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": 32,
            "encoder_hidden_size": 16,
            "intermediate_size": 64,
            "projection_dim": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 256,
            "pad_token_id": words.pad_token_id,
            "bos_token_id": words.convert_tokens_to_ids("[DEC]"),
            "eos_token_id": words.eos_token_id,
            "sep_token_id": words.convert_tokens_to_ids("[SEP]"),
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 16,
            "initializer_range": 0.02,
        },
        projection_dim=16,
    )
    return _random(BlipForConditionalGeneration, config, words)


def _random(made: Any, config: Any, words: Any) -> Any:
    """Weights large enough that a picture changes the answer."""
    import torch

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = made(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "crossattention" in name or "encoder_attn" in name:
                weight.mul_(64)
            elif weight.dim() > 1 and "position" not in name:
                weight.mul_(8)
    model.generation_config.pad_token_id = words.pad_token_id
    model.generation_config.eos_token_id = words.eos_token_id
    return model


def save(folder: Path, processor: Any, model: Any) -> Path:
    """Everything in one folder, as it lies on the hub; of the processor its parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)
        processor.image_processor.save_pretrained(folder)
        processor.tokenizer.save_pretrained(folder)
    return folder
