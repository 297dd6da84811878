"""Facts of how long a caption is in tokens, against what a trainer's text encoder reads of it.

Exact counts need the encoder's tokenizer. It is asked only for captions that may be too long, is never
downloaded, and without it a bound stands in: a number of tokens that the caption has at least.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from albumkit.facts.caption_words import Said
from albumkit.facts.registry import NotApplicable, fact
from albumkit.trainer import TextLimit, Trainer

#: Names a tokenizer.json where the one in the Hugging Face cache shall not be used, or is not there.
VARIABLE = "ALBUMKIT_TOKENIZER"
#: Hub ids that carry Qwen3's tokenizer, and where in the snapshot it lies.
_QWEN3 = (
    ("black-forest-labs/FLUX.2-klein-*", "tokenizer/tokenizer.json"),
    ("Qwen/Qwen3-*", "tokenizer.json"),
)
#: Qwen3 cuts a text before it joins bytes to tokens, and never joins across a cut: words, single digits,
#: signs before a blank (one before a letter goes with the word). So each of these is one token at least.
_PIECE = re.compile(r"[^\W\d_]+|\d|[^\w\s]+(?=\s|\Z)")


@dataclass(frozen=True, slots=True)
class Length:
    """Tokens of a caption: ``exact``, or as many as it has at least."""

    tokens: int
    exact: bool


#: Nearly every caption: sure to fit, so nothing is counted.
_SHORT = Length(0, False)


@fact("album")
def text_limit(trainer: Trainer) -> TextLimit:
    """How much text the trainer reads; not applicable where no source says."""
    if trainer.text_limit is None:
        raise NotApplicable("this trainer states no limit")
    return trainer.text_limit


@fact("album")
def caption_tokens_read(text_limit: TextLimit) -> int:
    """Tokens of a caption that the trainer reads, its template taken off."""
    return text_limit.tokens - text_limit.before


@fact("caption")
def caption_length_in_tokens(own_words: Said, caption_tokens_read: int) -> Length:
    """Tokens of the caption. The tokenizer is asked only where the bytes are more than the trainer reads: a
    token has one byte or more.
    """
    text = own_words.text
    if len(text) * (1 if text.isascii() else 4) <= caption_tokens_read:
        return _SHORT
    at_least = len(_PIECE.findall(text))
    if len(text.encode("utf-8", "replace")) <= caption_tokens_read:
        return Length(at_least, False)
    count = qwen3_tokens()
    return Length(at_least, False) if count is None else Length(count(text), True)


@fact("caption")
def tokens_over(caption_length_in_tokens: Length, caption_tokens_read: int) -> int:
    """Tokens that are cut off, or at least so many where no tokenizer is at hand; 0 where all may fit."""
    return max(0, caption_length_in_tokens.tokens - caption_tokens_read)


@fact("caption")
def token_words(caption_length_in_tokens: Length) -> str:
    """The length, for messages: counted, or a bound and why."""
    length = caption_length_in_tokens
    if length.exact:
        return f"{length.tokens} tokens"
    return f"at least {length.tokens} tokens (no tokenizer is at hand: words, digits and signs counted)"


@functools.cache
def qwen3_tokens() -> Callable[[str], int] | None:
    """Counts the tokens of a text with Qwen3's tokenizer; None without the library tokenizers or the file."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return None
    for file in _tokenizer_files():
        try:
            tokenizer = Tokenizer.from_file(os.fspath(file))
        except Exception:  # the library raises plain Exception for a file that it cannot use
            continue
        return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
    return None


def _tokenizer_files() -> Iterator[Path]:
    """Where a tokenizer.json may lie: named by ALBUMKIT_TOKENIZER, else in the Hugging Face cache."""
    if named := os.environ.get(VARIABLE):
        yield Path(named)
        return
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    for repository, inside in _QWEN3:
        yield from sorted(hub.glob(f"models--{repository.replace('/', '--')}/snapshots/*/{inside}"))
