"""The captioner ``transformers`` through AutoProcessor, which needs torchvision and num2words, and on a card.

    python benchmarks/captioners.py --work /tmp/albumkit-captioners

Three things are shown, with models of the real classes and random weights, for no model needs to be there:

1. Qwen3-VL and SmolVLM at tiny size, saved with their whole processors: AutoProcessor loads them, and the
   tensors are those of the processors that the tests assemble from the PIL image processors.
2. The captioner answers with them, in batches as one by one; in fp32 on a card, where it would take bf16,
   since only then two ways of adding up agree to the last word.
3. On an NVIDIA card: the two default models at their real size (configurations as published, the weights
   random) in as much of the card's memory as a card of 12 or 24 GB has, with the batch that the captioner
   would choose there: peak memory, and seconds for questions about pictures of a megapixel.

Exit code 1 where something is not as said.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import tiny_captioners as tiny

from albumkit.caption.captioners import chat, processors
from albumkit.caption.captioners.transformers import DEFAULT, LARGE, Transformers, questions_at_once
from albumkit.caption.protocol import Question
from albumkit.engine.machine import Machine, find_machine

#: Layers, widths and heads of the published configurations: text, vision.
SIZES = {
    DEFAULT: (12, {"hidden_size": 2560, "intermediate_size": 9728}, True, {"hidden_size": 1024}, 24, 4096),
    LARGE: (24, {"hidden_size": 4096, "intermediate_size": 12288}, False, {"hidden_size": 1152}, 27, 4304),
}
#: What a card of so many GB has free when nothing but a screen is on it.
FREE = 0.95
#: Largest difference of a pixel, three of 255 levels: two libraries round what they enlarge in their own way;
#: in the scale of the models, which goes from -1 to 1.
PIXELS = 3.01 / 127.5


def picture(seed: int, size: tuple[int, int]) -> Image.Image:
    numbers = torch.randint(0, 256, (8 * 8 * 3,), generator=torch.Generator().manual_seed(seed))
    return Image.frombytes("RGB", (8, 8), bytes(numbers.tolist())).resize(size, Image.Resampling.BICUBIC)


def questions() -> list[Question]:
    pair = (picture(3, (96, 64)), picture(4, (64, 64)))
    return [
        Question((picture(1, (96, 64)),), "What is it?", "Be brief.", 12),
        Question((picture(2, (150, 340)),), "Say in one plain sentence where it was taken.", "", 12),
        Question(pair, "What changed?", "Be brief.", 12),
    ]


def whole(kind: str) -> Any:
    """The processor with its part for videos, as it is published."""
    if kind == "qwen":
        images, words = tiny.qwen_parts()
        video = transformers.Qwen3VLVideoProcessor(patch_size=16, merge_size=2)
        return transformers.Qwen3VLProcessor(images, words, video, chat_template=tiny.QWEN_CHAT)
    images, words = tiny.smol_parts()
    video = transformers.SmolVLMVideoProcessor()
    return transformers.SmolVLMProcessor(
        images, words, video, image_seq_len=tiny.SMOL_TOKENS, chat_template=tiny.SMOL_CHAT
    )


def same_inputs(kind: str, folder: Path) -> bool:
    """Tensors by AutoProcessor and by the assembled processor, side by side."""
    auto = processors.load(folder, kind)
    assembled = tiny.qwen_processor() if kind == "qwen" else tiny.smol_processor()
    print(f"{kind}: {type(auto).__name__} with {type(auto.image_processor).__name__}, ", end="")
    print(f"assembled with {type(assembled.image_processor).__name__}")
    one, other = (chat.encode(each, questions()) for each in (auto, assembled))
    good = set(one) == set(other)
    for name in sorted(set(one) | set(other)):
        if name not in one or name not in other or one[name].shape != other[name].shape:
            print(f"  {name}: DIFFERS in shape")
            good = False
        elif name == "pixel_values":
            apart = float((one[name] - other[name]).abs().max())
            print(f"  {name} {tuple(one[name].shape)}: at most {apart:.4f} apart")
            good = good and apart <= PIXELS
        else:
            equal = torch.equal(one[name], other[name])
            print(f"  {name} {tuple(one[name].shape)}: {'equal' if equal else 'DIFFERS'}")
            good = good and equal
    return good


def answers(kind: str, folder: Path, machine: Machine) -> bool:
    """A batch answers what each alone answers; bf16 answers too."""
    exact = replace(machine, dtype=torch.float32)
    together = Transformers(str(folder), machine=exact, batch=3).ask(questions())
    single = Transformers(str(folder), machine=exact, batch=1)
    alone = [single.ask([each])[0] for each in questions()]
    usual = Transformers(str(folder), machine=machine)
    print(f"  fp32 on {machine.device}, a batch of 3: {[getattr(a, 'text', a) for a in together]}")
    print(f"  alone the same: {together == alone}")
    found = [getattr(a, "text", "") for a in usual.ask(questions())]
    print(f"  {usual._machine.dtype_name}, a batch of {usual.batch}: {found}")
    return together == alone and all(found)


def real_size(name: str, folder: Path) -> bool:
    """The default model of a card, in the memory of that card; ``folder`` holds some model of the kind."""
    gigabytes = SIZES[name][0]
    room = int(gigabytes * 2**30 * FREE)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.get_device_properties(0).total_memory)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = transformers.Qwen3VLForConditionalGeneration(published(name)).eval()
    torch.set_default_dtype(before)
    model.generation_config.pad_token_id = 0
    parameters = sum(weight.numel() for weight in model.parameters())
    batch = questions_at_once(parameters * 2, room)
    captioner = Transformers(str(folder), machine=find_machine(), batch=batch)
    captioner._loaded = (model, whole("qwen"))
    del model
    asked = [Question((picture(n, (1152, 864)),), "What is it?", "Be brief.", 120) for n in range(batch)]
    captioner.ask(asked[:1])
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    captioner.ask(asked)
    torch.cuda.synchronize()
    seconds, peak = time.perf_counter() - start, torch.cuda.max_memory_reserved()
    print(f"{name} at its real size, {parameters / 1e9:.2f} billion parameters, on a card of {gigabytes} GB:")
    print(f"  {batch} questions of 1 megapixel and 120 tokens at once: {seconds:.1f} s")
    print(f"  at most {peak / 1e9:.2f} of {room / 1e9:.2f} GB; the batch stayed {captioner.batch}")
    stayed = captioner.batch == batch
    captioner.close()
    return stayed


def published(name: str) -> Any:
    """The configuration of a default model."""
    _, text, tied, vision, depth, width = SIZES[name]
    ids = tiny.qwen_parts()[1].convert_tokens_to_ids
    places = {"rope_type": "default", "mrope_interleaved": True, "mrope_section": [24, 20, 20]}
    return transformers.Qwen3VLConfig(
        text_config={
            **text,
            "vocab_size": 151936,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "rope_scaling": places,
            "rope_theta": 5000000.0,
            "tie_word_embeddings": tied,
        },
        vision_config={
            **vision,
            "depth": depth,
            "intermediate_size": width,
            "num_heads": 16,
            "patch_size": 16,
            "out_hidden_size": text["hidden_size"],
            "num_position_embeddings": 2304,
            "deepstack_visual_indexes": [5, 11, 17] if depth == 24 else [8, 16, 24],
        },
        tie_word_embeddings=tied,
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="A folder for the models made here.")
    work = parser.parse_args().work
    machine = find_machine()
    device = torch.cuda.get_device_name() if machine.device.type == "cuda" else str(machine.device)
    import torchvision

    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, ", end="")
    print(f"transformers {transformers.__version__}, on {device}")
    good = True
    for kind, make in (("qwen", tiny.qwen_model), ("smol", tiny.smol_model)):
        made, folder = whole(kind), work / kind
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            make(made.tokenizer).save_pretrained(folder)
            made.save_pretrained(folder)
        good = same_inputs(kind, folder) and good
        good = answers(kind, folder, machine) and good
    if machine.device.type == "cuda":
        for name in SIZES:
            good = real_size(name, work / "qwen") and good
    print("as it should be" if good else "NOT as it should be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
