"""The judge: a small model of pictures and words that measures obedience and identity.

Obedience: does the picture show the object, colour, place and light that the prompt names? Identity: is it
the same subject as in the album's pictures? Trained on the pocket world by `make judge`; it knows that world
and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from albumkit.engine.pocket.make import plan as sizes

SIDE = 128
_WIDTH = 64  # of the space in which a picture's aspect and a word meet
_IDENTITY = 128
_SHARPNESS = 16.0


class _Block(nn.Module):
    """A residual block that may halve the picture."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1)
        self.norm2 = nn.GroupNorm(8, outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1)
        self.skip = (
            nn.Conv2d(inside, outside, 1, stride) if stride > 1 or inside != outside else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(functional.silu(self.norm1(x)))
        return self.skip(x) + self.conv2(functional.silu(self.norm2(inner)))


class ImageEncoder(nn.Module):
    """A picture in -1..1, (n, 3, 128, 128), to a map (n, c, 8, 8); shared with the captioner."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 5, 2, 2)
        blocks: list[nn.Module] = []
        inside = widths[0]
        for width in widths:
            blocks += [_Block(inside, width, 2 if blocks else 1), _Block(width, width, 1)]
            inside = width
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.GroupNorm(8, inside)

    def forward(self, x: Tensor) -> Tensor:
        return functional.silu(self.norm(self.blocks(self.stem(x))))


class Reader(nn.Module):
    """A prompt's tokens to one vector per aspect."""

    def __init__(self, vocabulary: int, width: int, aspects: int, length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.zeros(length, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.queries = nn.Parameter(torch.randn(aspects, width) * 0.2)
        self.look = nn.MultiheadAttention(width, 4, batch_first=True)
        self.out = nn.Linear(width, _WIDTH)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        x = self.embedding(ids) + self.position[: ids.shape[1]]
        padding = torch.arange(ids.shape[1], device=ids.device)[None] >= lengths[:, None]
        x = self.layers(x, src_key_padding_mask=padding)
        queries = self.queries[None].expand(len(ids), -1, -1)
        seen = self.look(queries, x, x, key_padding_mask=padding, need_weights=False)[0]
        return functional.normalize(self.out(seen), dim=-1)


class Judge(nn.Module):
    """`aspects` maps each aspect to its words. Each word, and "not said", has a place in the shared space."""

    def __init__(
        self, aspects: dict[str, tuple[str, ...]], widths: tuple[int, ...], text: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.aspects = aspects
        self.images = ImageEncoder(widths)
        self.reader = Reader(text[0], text[1], len(aspects), text[2])
        self.read_off = nn.Linear(2 * widths[-1], len(aspects) * _WIDTH)
        self.recognise = nn.Sequential(nn.Linear(2 * widths[-1], 256), nn.SiLU(), nn.Linear(256, _IDENTITY))
        self.words = nn.ParameterList(
            [nn.Parameter(torch.randn(len(words) + 1, _WIDTH)) for words in aspects.values()]
        )

    def see(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(n, aspects, width) and (n, identity) unit vectors of pictures in -1..1."""
        seen = self.images(pixels)
        pooled = torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))], dim=1)
        aspects = self.read_off(pooled).unflatten(1, (len(self.aspects), _WIDTH))
        return functional.normalize(aspects.float(), dim=-1), functional.normalize(
            self.recognise(pooled).float(), dim=-1
        )

    def logits(self, vectors: Tensor) -> list[Tensor]:
        """For vectors (n, aspects, width) of pictures or prompts: per aspect (n, words + 1), the last "not
        said".
        """
        return [
            _SHARPNESS * vectors[:, k].float() @ functional.normalize(words, dim=-1).t()
            for k, words in enumerate(self.words)
        ]


def new_judge() -> Judge:
    """A judge that has learned nothing yet."""
    return Judge(sizes.ASPECTS, sizes.JUDGE_WIDTHS, (sizes.VOCABULARY, sizes.JUDGE_TEXT, sizes.TEXT_LENGTH))


def load_judge(device: torch.device | str = "cpu") -> Judge:
    """The judge that ships, in fp32."""
    from safetensors.torch import load_file

    model = new_judge()
    model.load_state_dict(load_file(Path(__file__).with_name("judge.safetensors")))
    return model.float().requires_grad_(False).eval().to(device)


@dataclass
class Verdict:
    """One picture against one prompt: per what was asked and seen per aspect; None where not said."""

    asked: dict[str, str | None]
    seen: dict[str, str]
    sure: dict[str, float]  # the probability of what was asked, or of what is seen where nothing was

    @property
    def obedient(self) -> bool:
        return all(word is None or word == self.seen[aspect] for aspect, word in self.asked.items())


@torch.no_grad()
def judge_prompts(model: Judge, pixels: Tensor, ids: Tensor, lengths: Tensor) -> list[Verdict]:
    """A verdict for each picture with its prompt; pixels in -1..1, tokens as the pipeline would give them."""
    seen, _ = model.see(pixels)
    chances = [logits[:, :-1].softmax(dim=-1).cpu() for logits in model.logits(seen)]
    asked = [logits.argmax(dim=-1).cpu() for logits in model.logits(model.reader(ids, lengths))]
    verdicts = []
    for i in range(len(pixels)):
        verdict = Verdict({}, {}, {})
        for (aspect, words), chance, ask in zip(model.aspects.items(), chances, asked, strict=True):
            wanted, best = int(ask[i]), int(chance[i].argmax())
            verdict.asked[aspect] = words[wanted] if wanted < len(words) else None
            verdict.seen[aspect] = words[best]
            verdict.sure[aspect] = float(chance[i, wanted if wanted < len(words) else best])
        verdicts.append(verdict)
    return verdicts


@torch.no_grad()
def seen_words(model: Judge, pixels: Tensor) -> dict[str, list[str]]:
    """Per aspect what each picture shows, whether or not anybody asked for it."""
    seen, _ = model.see(pixels)
    found = [logits[:, :-1].argmax(dim=-1).tolist() for logits in model.logits(seen)]
    return {
        aspect: [words[i] for i in best]
        for (aspect, words), best in zip(model.aspects.items(), found, strict=True)
    }


@torch.no_grad()
def likeness(model: Judge, pixels: Tensor, album: Tensor) -> Tensor:
    """How much each picture's subject is the album's: its mean cosine to the album's pictures, (n,)."""
    return model.see(pixels)[1] @ model.see(album)[1].mean(dim=0)


@torch.no_grad()
def own_likeness(model: Judge, album: Tensor) -> Tensor:
    """How much the album's pictures are alike: the mean cosine of each to all others, (n,)."""
    vectors = model.see(album)[1]
    cosines = vectors @ vectors.t()
    return (cosines.sum(dim=1) - cosines.diagonal()) / (len(album) - 1)
