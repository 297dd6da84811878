"""The captioner: says what pictures of the pocket world show, with the judge's eyes.

The judge's image encoder is kept as it is; only a small decoder of words is the captioner's own. It was
trained on the pocket world by `make captioner`, and knows that world and no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from albumkit.engine.pocket.judge import SIDE, ImageEncoder
from albumkit.engine.pocket.make import plan as sizes

#: What can be asked: where and how it was photographed; that with the thing itself; what differs between two.
TASKS = ("surroundings", "content", "change")
LENGTH = 40  # tokens of the longest answer


class Captioner(nn.Module):
    """Tokens of an answer, one by one, each looking at one or two pictures' maps of features."""

    def __init__(self, vocabulary: int, channels: int, cells: int, width: int, layers: int) -> None:
        super().__init__()
        self.project = nn.Linear(channels, width)
        self.places = nn.Parameter(torch.randn(cells, width) * 0.02)
        self.which = nn.Parameter(torch.randn(2, width) * 0.02)
        self.tasks = nn.Embedding(len(TASKS), width)
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.randn(LENGTH + 1, width) * 0.02)
        layer = nn.TransformerDecoderLayer(
            width, 4, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, layers, nn.LayerNorm(width))
        nn.init.normal_(self.embedding.weight, std=0.05)
        nn.init.normal_(self.tasks.weight, std=0.05)

    def look(self, maps: Sequence[Tensor]) -> Tensor:
        """The maps (n, channels, h, w) of one or two pictures to what the words look at (n, cells, width)."""
        seen = [
            self.project(one.flatten(2).transpose(1, 2)) + self.places + self.which[k]
            for k, one in enumerate(maps)
        ]
        return torch.cat(seen, dim=1)

    def forward(self, seen: Tensor, tasks: Tensor, ids: Tensor) -> Tensor:
        """Logits (n, length + 1, vocabulary) of the next token after the task and after every id."""
        x = torch.cat([self.tasks(tasks)[:, None], self.embedding(ids)], dim=1)
        x = x + self.position[: x.shape[1]]
        causal = nn.Transformer.generate_square_subsequent_mask(x.shape[1], device=x.device)
        x = self.layers(x, seen, tgt_mask=causal, tgt_is_causal=True)
        return x @ self.embedding.weight.t()

    @torch.no_grad()
    def say(self, seen: Tensor, tasks: Tensor, end: int) -> Tensor:
        """The likeliest token each time: ids (n, length), filled up with `end`."""
        ids = torch.zeros(len(seen), 0, dtype=torch.long, device=seen.device)
        over = torch.zeros(len(seen), dtype=torch.bool, device=seen.device)
        for _ in range(LENGTH):
            following = self(seen, tasks, ids)[:, -1].argmax(-1)
            following = torch.where(over, end, following)
            ids = torch.cat([ids, following[:, None]], dim=1)
            over |= following == end
            if bool(over.all()):
                break
        return ids


def new_captioner() -> Captioner:
    """A captioner that has learned nothing yet."""
    cells = (SIDE // 2 ** len(sizes.JUDGE_WIDTHS)) ** 2
    return Captioner(
        sizes.VOCABULARY, sizes.JUDGE_WIDTHS[-1], cells, sizes.CAPTIONER_WIDTH, sizes.CAPTIONER_LAYERS
    )


@torch.no_grad()
def answers(
    encoder: ImageEncoder, captioner: Captioner, tokenizer: Any, pictures: Sequence[Tensor], task: str
) -> list[str]:
    """What the captioner says of n pictures, or of n pairs.

    Args:
        tokenizer: A `tokenizers.Tokenizer`, pocket's own.
        pictures: One tensor (n, 3, 128, 128) in -1..1; two for the task `change`, before and after.
    """
    seen = captioner.look([encoder(some).float() for some in pictures])
    tasks = torch.full((len(seen),), TASKS.index(task), device=seen.device)
    end = tokenizer.token_to_id("<|im_end|>")
    said = captioner.say(seen, tasks, end).tolist()
    return [tokenizer.decode([t for t in ids if t != end]).strip() for ids in said]


@dataclass(frozen=True)
class Speaker:
    """The captioner that ships: the judge's eyes, the words, and how they are spelt."""

    encoder: ImageEncoder
    captioner: Captioner
    tokenizer: Any

    def answers(self, pictures: Sequence[Tensor], task: str) -> list[str]:
        """As :func:`answers`."""
        return answers(self.encoder, self.captioner, self.tokenizer, pictures, task)


def load_captioner(device: torch.device | str = "cpu") -> Speaker:
    """The captioner that ships, in fp32."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    here = Path(__file__).parent
    encoder, captioner = ImageEncoder(sizes.JUDGE_WIDTHS), new_captioner()
    eyes = load_file(here / "judge.safetensors")
    prefix = "images."
    encoder.load_state_dict(
        {key.removeprefix(prefix): value for key, value in eyes.items() if key.startswith(prefix)}
    )
    captioner.load_state_dict(load_file(here / "captioner.safetensors"))
    for part in (encoder, captioner):
        part.float().requires_grad_(False).eval().to(device)
    tokenizer = Tokenizer.from_file((here / "model" / "tokenizer" / "tokenizer.json").as_posix())
    return Speaker(encoder, captioner, tokenizer)
