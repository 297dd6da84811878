"""The tokenizer: byte-level BPE in Qwen2's form, learned from the world's captions; any text at all can be
spelt.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from albumkit.engine.families.flux2 import CHAT_TEMPLATE
from albumkit.engine.pocket.make import plan as sizes
from albumkit.engine.pocket.make.files import save_figures
from albumkit.engine.pocket.world import captions, prompts, sample

# How Qwen2's tokenizer splits text before merging; a tokenizer of its class must split so.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")


def wrap(path: Path) -> Any:
    from transformers import Qwen2TokenizerFast

    return Qwen2TokenizerFast(
        tokenizer_file=str(path),
        **_vocabulary(path),
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        unk_token=None,
        bos_token=None,
        model_max_length=sizes.TEXT_LENGTH,
        chat_template=CHAT_TEMPLATE,
        padding_side="right",
    )


def _vocabulary(path: Path) -> dict[str, Any]:
    """What transformers 5 builds the tokenizer from; it takes no notice of the file then."""
    model = json.loads(path.read_text(encoding="utf-8"))["model"]
    return {"vocab": model["vocab"], "merges": [tuple(pair) for pair in model["merges"]]}


def make(folder: Path, count: int) -> None:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    scenes = sample(77, count, held=False)
    # The captions hold made-up words too, whose pieces are what any unknown word will be spelt with.
    frame = ["<|im_start|>user\n", "<|im_start|>assistant\n<think>\n\n</think>\n\n", "<|im_start|>system\n"]
    texts = [*captions(scenes), *captions(scenes, 1), *prompts(scenes), *frame * 100]
    trainer = trainers.BpeTrainer(
        vocab_size=sizes.VOCABULARY,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    wrapped = wrap(folder / "tokenizer.json")
    lengths = [len(ids) for ids in wrapped(chat(wrapped, captions(scenes[slice(0, 500)])))["input_ids"]]
    save_figures(
        folder,
        "tokenizer",
        {
            "tokens": len(wrapped),
            "caption tokens, mean": sum(lengths) / len(lengths),
            "longest": max(lengths),
        },
    )


def chat(tokenizer: Any, texts: list[str]) -> list[str]:
    """Every text as the pipeline words it: one user message, thinking off."""
    marker = "\x00"
    message = [{"role": "user", "content": marker}]
    frame = tokenizer.apply_chat_template(
        message, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    before, after = frame.split(marker)
    return [before + text + after for text in texts]


def token_ids(tokenizer: Any, texts: list[str], length: int = sizes.TEXT_LENGTH) -> tuple[Tensor, Tensor]:
    """(ids int16 (n, length), how many of them are text (n,)), padded and cut as the pipeline does it."""
    fast = tokenizer.backend_tokenizer
    fast.no_padding()
    fast.no_truncation()
    ids = torch.full((len(texts), length), tokenizer.pad_token_id, dtype=torch.int16)
    lengths = torch.zeros(len(texts), dtype=torch.int16)
    for i, encoded in enumerate(fast.encode_batch(chat(tokenizer, texts), add_special_tokens=False)):
        some = encoded.ids[:length]
        ids[i, : len(some)] = torch.tensor(some, dtype=torch.int16)
        lengths[i] = len(some)
    return ids, lengths
