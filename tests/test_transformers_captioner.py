"""Captioners on this machine: real model classes at tiny size, the real PIL image processors and a real
tokenizer, through the functions that the command uses.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import tiny_captioners as tiny
from PIL import Image

from albumkit.caption.captioners import blip, chat, florence2, processors
from albumkit.caption.captioners import transformers as local
from albumkit.caption.captioners.transformers import DEFAULT, SMALL, Transformers
from albumkit.caption.protocol import Answer, Question
from albumkit.engine.machine import Machine
from albumkit.errors import AlbumkitError, CaptionerError, UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

KINDS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Any]] = {
    "qwen": (tiny.qwen_processor, tiny.qwen_model, chat.MANNER),
    "smol": (tiny.smol_processor, tiny.smol_model, chat.MANNER),
    "florence": (tiny.florence_processor, tiny.florence_model, florence2.MANNER),
    "blip": (tiny.blip_processor, tiny.blip_model, blip.MANNER),
}
CHATS = ("qwen", "smol")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each model as it would lie on the hub."""
    home = tmp_path_factory.mktemp("models")
    found = {}
    for kind, (processor, model, _) in KINDS.items():
        made = processor()
        found[kind] = tiny.save(home / kind, made, model(made.tokenizer))
    return found


@pytest.fixture
def assembled(monkeypatch: pytest.MonkeyPatch) -> None:
    """AutoProcessor wants torchvision for the videos of Qwen3-VL and SmolVLM; here it is not asked."""
    real = processors.load

    def load(folder: Path, asked: str) -> Any:
        return KINDS[folder.name][0]() if folder.name in CHATS else real(folder, asked)

    monkeypatch.setattr(processors, "load", load)


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A board of four times four colours, each seed another."""
    numbers = torch.randint(0, 256, (4 * 4 * 3,), generator=torch.Generator().manual_seed(seed))
    return Image.frombytes("RGB", (4, 4), bytes(numbers.tolist())).resize(size, Image.Resampling.NEAREST)


def question(seed: int, words: str = "What is it?", **options: Any) -> Question:
    size = options.pop("size", (96, 64))
    return Question((picture(seed, size),), words, **{"max_tokens": 8, **options})


def texts(answers: list[Answer | CaptionerError]) -> list[str]:
    return [one.text if isinstance(one, Answer) else f"error: {one.message}" for one in answers]


@pytest.mark.usefixtures("assembled")
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_answers_what_each_alone_answers(kind: str, folders: dict[str, Path]) -> None:
    questions = [
        question(1, "What is it?", system="Be brief."),
        question(2, "Say in one plain sentence where it was taken, and in what light.", size=(64, 160)),
        question(3, "What is it?", max_tokens=3),
        question(1, "What is it?"),
        question(5, size=(200, 60)),
    ]
    together = Transformers(str(folders[kind]), batch=3).ask(questions)
    captioner = Transformers(str(folders[kind]), batch=1)
    alone = [captioner.ask([each])[0] for each in questions]
    assert all(isinstance(one, Answer) for one in together)
    assert together == alone
    assert len(set(texts(together))) >= 3, "another picture, another answer"


@pytest.mark.usefixtures("assembled")
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_the_model(kind: str, folders: dict[str, Path]) -> None:
    """Nothing of the prompt in them, no special token, cut off at the limit, greedy."""
    processor, _, manner = KINDS[kind]
    made = processor()
    (answer,) = Transformers(str(folders[kind])).ask([question(7, max_tokens=5)])
    captioner = Transformers(str(folders[kind]))
    model, _ = captioner._load()
    inputs = manner.encode(made, [question(7)])
    # One at a time, the likeliest first.
    tokens = model.generate(**inputs, do_sample=False, max_new_tokens=5)[0]
    own = tokens[inputs["input_ids"].shape[1] :] if manner.echoes else tokens[:5]
    assert answer == Answer(made.tokenizer.decode(own, skip_special_tokens=True))
    assert answer.text
    assert captioner.follows_instructions is (kind in CHATS)


def test_qwen_sees_each_picture_in_as_many_tokens_as_it_has_patches() -> None:
    made = tiny.qwen_processor()
    pair = Question((picture(1, (96, 64)), picture(2, (64, 64))), "What changed?", "Be brief.")
    inputs = chat.encode(made, [question(1, "x"), pair])
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    place = made.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert inputs["image_grid_thw"].tolist() == [[1, 4, 6], [1, 4, 6], [1, 4, 4]]
    assert (ids == place).sum(1).tolist() == [6, 6 + 4]
    assert inputs["pixel_values"].shape == (24 + 24 + 16, 3 * 2 * 16 * 16)
    # Padded on the left: every answer begins at the end of its row.
    assert mask[0, 0] == 0
    assert mask[:, -1].tolist() == [1, 1]
    alone = chat.encode(made, [question(1, "x")])["input_ids"][0]
    assert ids[0, mask[0] == 1].tolist() == alone.tolist()
    assert made.tokenizer.decode(alone).endswith("x<|im_end|>\n<|im_start|>assistant\n")
    # The pixels of the picture, in the scale of the model.
    first = picture(1, (96, 64)).getpixel((0, 0))
    patch = inputs["pixel_values"][0].reshape(3, 2, 16, 16)
    assert patch[:, 0, 0, 0].tolist() == pytest.approx([c / 127.5 - 1 for c in first], abs=1e-3)  # type: ignore[union-attr]


def test_smolvlm_sees_tiles_and_the_whole() -> None:
    made = tiny.smol_processor()
    inputs = chat.encode(made, [question(1, "x", size=(128, 64)), question(2, "y", size=(64, 64))])
    place = made.tokenizer.convert_tokens_to_ids("<image>")
    tiles = inputs["pixel_attention_mask"].flatten(2).any(2).sum(1)
    assert tiles.tolist() == [2 + 1, 4 + 1], "a square is enlarged to the longest edge"
    assert (inputs["input_ids"] == place).sum(1).tolist() == [int(n) * tiny.SMOL_TOKENS for n in tiles]
    words = made.tokenizer.decode(inputs["input_ids"][0])
    assert "<row_1_col_2>" in words
    assert words.endswith("x<end_of_utterance>\nAssistant:")


@pytest.mark.parametrize("way", ["refused", "dropped", "taken"])
def test_words_of_the_system_are_never_lost(way: str) -> None:
    made = tiny.qwen_processor()
    if way == "refused":
        made.chat_template = tiny.NO_SYSTEM + tiny.QWEN_CHAT
    if way == "dropped":
        made.chat_template = tiny.QWEN_CHAT.replace("{% for m in messages %}", tiny.DEAF)
    text = chat.prompt(made, question(1, "What is it?", system="Be brief.\n"))
    if way == "taken":
        assert text.startswith("<|im_start|>system\nBe brief.")
        assert "<|image_pad|><|vision_end|>What is it?<|im_end|>" in text
    else:
        assert "<|im_start|>system" not in text
        assert "<|image_pad|><|vision_end|>Be brief.\n\nWhat is it?<|im_end|>" in text


def test_a_template_that_begins_the_text_itself_gets_no_second_beginning() -> None:
    made = tiny.qwen_processor()
    made.tokenizer.add_special_tokens({"bos_token": "<|begin|>"})
    made.tokenizer.add_bos_token = True
    made.chat_template = "{{ bos_token }}" + tiny.QWEN_CHAT
    (ids,) = chat.encode(made, [question(1)])["input_ids"].tolist()
    assert ids.count(made.tokenizer.bos_token_id) == 1


@pytest.mark.parametrize(
    ("tokens", "task"), [(10, "<CAPTION>"), (60, "<DETAILED_CAPTION>"), (400, "<MORE_DETAILED_CAPTION>")]
)
def test_florence_is_asked_for_the_length_that_fits(tokens: int, task: str) -> None:
    made = tiny.florence_processor()
    (ids,) = florence2.encode(made, [question(1, "ignored", max_tokens=tokens)])["input_ids"]
    assert florence2.task_for(tokens) == task
    words = made.tokenizer.decode(ids, skip_special_tokens=True)
    assert words == made.task_prompts_without_inputs[task]


@pytest.mark.usefixtures("assembled")
@pytest.mark.parametrize("kind", ["florence", "blip"])
def test_who_looks_at_one_picture_says_so(kind: str, folders: dict[str, Path]) -> None:
    pair = Question((picture(1), picture(2)), "What changed?")
    found = texts(Transformers(str(folders[kind])).ask([question(1), pair, Question((), "x"), question(2)]))
    assert "looks at one picture only, not at 2." in found[1]
    assert "was shown no picture." in found[2]
    assert not any(text.startswith("error") for text in (found[0], found[3]))


@pytest.mark.usefixtures("assembled")
def test_one_question_that_cannot_be_asked_costs_no_other(folders: dict[str, Path]) -> None:
    narrow = question(2, size=(2, 500))
    marked = question(3, "What is <|image_pad|>?")
    captioner = Transformers(str(folders["qwen"]), batch=4)
    found = texts(captioner.ask([question(1), narrow, marked, question(4)]))
    assert "cannot take the question: absolute aspect ratio" in found[1]
    assert "cannot take the question: " in found[2]
    assert found[0] == texts(captioner.ask([question(1)]))[0]
    assert found[3] == texts(captioner.ask([question(4)]))[0]


@pytest.mark.usefixtures("assembled")
@pytest.mark.parametrize("most", [2, 0])
def test_a_batch_that_does_not_fit_is_halved(folders: dict[str, Path], most: int) -> None:
    questions = [question(n) for n in range(4)]
    expected = Transformers(str(folders["qwen"]), batch=4).ask(questions)
    captioner = Transformers(str(folders["qwen"]), batch=4)
    captioner.ask(questions[:1])
    assert captioner._loaded is not None
    model = captioner._loaded[0]
    real, sizes = model.generate, []

    def short_of_memory(**inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(**inputs)

    model.generate = short_of_memory
    found = captioner.ask(questions)
    if most:
        assert found == expected
        assert captioner.batch == 2
        assert sizes == [4, 2, 2]
    else:
        assert all("out of memory with one question alone" in text for text in texts(found))
        assert isinstance(found[0], CaptionerError)
        assert found[0].remedy == f"--model {SMALL}"


@pytest.mark.usefixtures("assembled")
def test_pictures_are_made_small_enough(folders: dict[str, Path]) -> None:
    captioner = Transformers(str(folders["qwen"]), max_pixels=5000)
    seen: list[tuple[int, int]] = []

    def encode(processor: Any, questions: Any) -> Any:
        seen.extend(image.size for each in questions for image in each.images)
        return chat.encode(processor, questions)

    captioner._manner = replace(chat.MANNER, encode=encode)
    captioner.ask([question(1, size=(400, 100)), question(2, size=(60, 40))])
    assert seen == [(141, 35), (60, 40)]


@pytest.mark.usefixtures("assembled")
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_where_memory_is_short(
    kind: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Transformers(str(folders[kind]))._machine.dtype == torch.float32
    monkeypatch.setattr(local, "_memory", lambda: 1e5)
    captioner = Transformers(str(folders[kind]))
    (answer,) = captioner.ask([question(1)])
    assert captioner._loaded is not None
    assert captioner._loaded[0].dtype == torch.bfloat16
    assert isinstance(answer, Answer)
    assert answer.text
    captioner.close()
    captioner.close()


@dataclass(frozen=True)
class Card(Machine):
    """This computer, with a card's free memory."""

    free_bytes: int = 0

    def room(self) -> int | None:
        return self.free_bytes


@pytest.mark.parametrize(("free", "batch"), [(1.1e9, 1), (2.2e9, 2), (80e9, 8)])
def test_the_batch_is_what_the_card_holds(folders: dict[str, Path], free: float, batch: int) -> None:
    card = Card(torch.device("cpu"), torch.bfloat16, int(free))
    assert Transformers(str(folders["qwen"]), machine=card).batch == batch


def test_a_card_that_is_too_small(folders: dict[str, Path]) -> None:
    card = Card(torch.device("cpu"), torch.bfloat16, 500_000_000)
    with pytest.raises(CaptionerError, match=r"needs about 1\.0 GB; the card has 0\.5 GB free\."):
        Transformers(str(folders["qwen"]), machine=card)


def test_the_name_follows_the_content(folders: dict[str, Path], tmp_path: Path) -> None:
    name = Transformers(str(folders["qwen"])).name
    assert name.startswith("qwen@")
    copy = Path(shutil.copytree(folders["qwen"], tmp_path / "qwen"))
    assert Transformers(str(copy)).name == name
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert Transformers(str(copy)).name != name


def test_models_of_the_hub_are_taken_from_its_cache(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(AlbumkitError, match="is not on this machine") as caught:
        Transformers()
    assert caught.value.remedy == f"hf download {DEFAULT}"
    revision = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "models--tiny--blip"
    shutil.copytree(folders["blip"], home / "snapshots" / revision)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(revision)
    captioner = Transformers("tiny/blip")
    assert captioner.name == "tiny/blip@0123456789ab"
    assert texts(captioner.ask([question(1)]))[0]


def changed(folder: Path, target: Path, **config: Any) -> str:
    """A copy with other keys in its config.json."""
    shutil.copytree(folder, target)
    file = target / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    return str(target)


def test_models_that_cannot_be_asked(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--model nowhere: there is no such folder\."):
        Transformers("nowhere")
    with pytest.raises(UsageError, match="bert is no model that transformers can ask") as caught:
        Transformers(changed(folders["blip"], tmp_path / "bert", model_type="bert"))
    assert DEFAULT in caught.value.remedy
    own = changed(folders["florence"], tmp_path / "Florence-2-base", auto_map={"AutoConfig": "x.Y"})
    for name in (own, "microsoft/Florence-2-base"):
        with pytest.raises(UsageError, match="code of their own, which is never run here") as caught:
            Transformers(name)
        assert caught.value.remedy == "--model florence-community/Florence-2-base"
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaptionerError, match=r"config\.json cannot be read") as missing:
        Transformers(str(tmp_path / "empty"))
    assert missing.value.remedy == "copy or download the folder again"


def test_weights_that_are_not_all_there(folders: dict[str, Path], tmp_path: Path) -> None:
    """transformers would fill in random numbers."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(folders["blip"], tmp_path / "blip"))
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in sorted(weights) if name.startswith("vision_model.encoder"))
    del weights[lost]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CaptionerError, match="lacks 1 of the model's weights") as caught:
        Transformers(str(folder)).ask([question(1)])
    assert lost in caught.value.message
    (folder / "model.safetensors").unlink()
    with pytest.raises(CaptionerError, match="could not be loaded"):
        Transformers(str(folder)).ask([question(1)])


def test_a_model_without_a_chat_template(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    made = tiny.qwen_processor()
    made.chat_template = made.tokenizer.chat_template = None
    monkeypatch.setattr(processors, "load", lambda folder, asked: made)
    with pytest.raises(CaptionerError, match="has no chat template: it takes no questions"):
        Transformers(str(folders["qwen"])).ask([question(1)])


@pytest.mark.parametrize("kind", CHATS)
def test_the_whole_way_or_the_line_that_is_missing(kind: str, folders: dict[str, Path]) -> None:
    """Through AutoProcessor, which works where torchvision is installed."""
    captioner = Transformers(str(folders[kind]))
    if find_spec("torchvision") is None:
        with pytest.raises(CaptionerError, match=r"The processor of .* needs torchvision\.") as caught:
            captioner.ask([question(1)])
        assert caught.value.remedy == processors.torchvision_line()
    else:
        assert texts(captioner.ask([question(1)]))[0]


@pytest.mark.parametrize(
    ("words", "message", "remedy"),
    [
        ("Package `num2words` is required to run SmolVLM", "needs num2words.", "pip install num2words"),
        ("X requires the sentencepiece library", "sentencepiece", 'pip install "albumkit[caption]"'),
    ],
)
def test_packages_that_a_processor_wants(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, words: str, message: str, remedy: str
) -> None:
    import transformers

    def wants(*_: Any, **__: Any) -> None:
        raise ImportError(words)

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", wants)
    with pytest.raises(CaptionerError) as caught:
        Transformers(str(folders["smol"])).ask([question(1)])
    assert message in caught.value.message
    assert caught.value.remedy == remedy


def test_a_torchvision_of_another_torch(folders: dict[str, Path], tmp_path: Path) -> None:
    """transformers cannot even be imported then, so this needs a Python of its own."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    (tmp_path / "torchvision-0.7.0.dist-info").mkdir()
    (tmp_path / "torchvision-0.7.0.dist-info" / "METADATA").write_text("Name: torchvision\nVersion: 0.7.0\n")
    code = (
        "import sys; from albumkit.caption.captioners import captioner_for\n"
        "from albumkit.errors import CaptionerError\n"
        "try: captioner_for('transformers', model=sys.argv[1])\n"
        "except CaptionerError as error: print(error.message, error.remedy, sep='\\n')\n"
    )
    paths = [str(tmp_path), *(path for path in sys.path if path)]
    done = subprocess.run(
        [sys.executable, "-c", code, str(folders["qwen"])],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        f"torchvision 0.7.0 does not match torch {torch.__version__}.",
        processors.torchvision_line(),
    ], done.stderr


@pytest.mark.parametrize(
    ("torch_version", "line"),
    [
        ("2.9.1", 'pip install "torchvision==0.24.1"'),
        ("2.13.0+cpu", 'pip install "torchvision==0.28.0" --index-url https://download.pytorch.org/whl/cpu'),
        (
            "2.11.0+cu130",
            'pip install "torchvision==0.26.0" --index-url https://download.pytorch.org/whl/cu130',
        ),
    ],
)
def test_the_line_names_the_torchvision_of_this_torch(
    monkeypatch: pytest.MonkeyPatch, torch_version: str, line: str
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: torch_version)
    assert processors.torchvision_line() == line
