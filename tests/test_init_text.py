"""The text that ``albumkit init`` writes: whatever is chosen, album.toml gives back exactly that."""

from __future__ import annotations

import dataclasses
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest

from albumkit.config import KINDS, RUNTIMES, load_config
from albumkit.errors import UsageError
from albumkit.init import Choices, choose_format, compose, save, toml_value
from albumkit.paths import quoted
from albumkit.settings import resolve
from albumkit.trainers import all_trainers, load_trainer

NASTY = [
    "TOK",
    'a "quoted" word',
    "back\\slash \\n \\u0041 \\",
    "line\nbreak\r\nand\ttab",
    "'''\"\"\"",
    "# no comment",
    "] [album]\nkind = 'x'",
    "ümlaut 猫 \U0001f600 e\u0301",
    "\u2028\u2029\u0085\u00a0\u200b\ufeff\u202e",
    "\x00\x01\x1f\x7f\x80",
    " blanks around ",
    "{a} {0} %s %(x)s",
    "x" * 400,
]


def nasty_text(chance: random.Random) -> str:
    """Texts of every alphabet, with more than their share of what breaks writers of TOML."""
    alphabet = "\"'\\#[]{}=,.\n\r\t\0\x1b\x7f\u0085\u2028\u200b\ufeffTOK k\u00fc\u732b\U0001f600\U000e0041"
    return "".join(
        chance.choice(alphabet) if chance.random() < 0.8 else chr(chance.randrange(0xD800))
        for _ in range(chance.randrange(12))
    )


@pytest.mark.parametrize("seed", range(20))
def test_what_is_read_back_is_what_was_chosen(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    texts = [*NASTY, *(nasty_text(chance) for _ in range(40))]
    trainers = all_trainers()
    for _ in range(25):
        trainer = chance.choice(trainers)
        runtimes = tuple(chance.sample(RUNTIMES, chance.randrange(4)))
        choices = Choices(
            kind=chance.choice(KINDS),
            trainer=trainer,
            trigger=chance.choice([None, "", *texts]),
            class_phrase=chance.choice([None, *filter(None, texts)]),
            runtimes=runtimes,
            steps=chance.choice([None, 7, 1200]) if "steps" in trainer.knobs else None,
            lora_format=choose_format(trainer, runtimes),
            uncaptioned=chance.randrange(3),
            shared=chance.choice([None, "../album.toml"]),
        )
        text = compose(choices)
        assert all(len(line) <= 110 for line in text.splitlines() if not line.lstrip("# ").startswith(KEYS))
        save(tmp_path, text)
        check_read_back(choices, tmp_path / "album.toml")
        (tmp_path / "album.toml").unlink()


#: Lines as long as the person's own words.
KEYS = ("trigger_phrase", "class_phrase", "prompts", "default_caption")


def check_read_back(choices: Choices, file: Path) -> None:
    config = load_config(file)
    assert config.album.kind == choices.kind
    assert config.album.trigger_phrase == choices.trigger
    assert config.album.class_phrase == choices.class_phrase
    assert (config.album.exclude, config.use.prompts) == ((), ())
    assert config.use.runtime == choices.runtimes
    assert config.train.trainer == choices.trainer.id
    expected: dict[str, Any] = {}
    knob = choices.trainer.knobs.get("steps")
    if choices.steps is not None or (knob and knob.has_default):
        expected["steps"] = choices.steps if choices.steps is not None else knob and knob.default
    if choices.lora_format.value is not None:
        expected["output_lora_format"] = choices.lora_format.value
    assert {name: written.value for name, written in config.train.knobs.items()} == expected
    assert not resolve(config, guessed_kind="subject").unknown


def test_every_commented_line_may_be_switched_on(tmp_path: Path) -> None:
    """The examples are TOML too, and name knobs that the trainer has."""
    for trainer in all_trainers():
        text = compose(Choices(kind="subject", trainer=trainer, uncaptioned=2))
        lines = [line.removeprefix("# ") if " = " in line else line for line in text.splitlines()]
        file = tmp_path / "album.toml"
        file.write_text("\n".join(lines))
        config = load_config(file)
        assert config.album.trigger_phrase == "TOK"
        assert not resolve(config, guessed_kind="subject").unknown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (5e-5, "5e-5"),
        (0.5, "0.5"),
        (7, "7"),
        ("a\u2028", '"a\\u2028"'),
        (["a", 1], '["a", 1]'),
        ({"a b": 1, "c": {}}, '{ "a b" = 1, c = {} }'),
    ],
)
def test_values_as_toml_writes_them(value: Any, text: str) -> None:
    assert toml_value(value) == text
    assert tomllib.loads(f"value = {text}") == {"value": value}


def test_steps_for_a_trainer_without_that_knob() -> None:
    trainer = load_trainer("local")
    knobs = {name: knob for name, knob in trainer.knobs.items() if name != "steps"}
    with pytest.raises(UsageError, match="local has no knob for steps"):
        compose(Choices(kind="subject", trainer=dataclasses.replace(trainer, knobs=knobs), steps=5))


def test_names_for_a_shell() -> None:
    assert [quoted(name) for name in ("cat", "my cat", "a/b-c_1.zip", "K\u00e4tzchen", "")] == [
        "cat",
        '"my cat"',
        "a/b-c_1.zip",
        "K\u00e4tzchen",
        '""',
    ]
