"""Rules about the settings of one training: each on the values that it is about, silent on all others."""

from __future__ import annotations

from pathlib import Path

import pytest
from settings_albums import FLUX3, KLEIN, found, judged, local, train

from albumkit.rule import find_rule, load_rules
from albumkit.settings import DEFAULT_TRAINERS
from albumkit.trainers import all_trainers, load_trainer

LTX = "fal-ai/ltx23-video-trainer"
FAST = "fal-ai/flux-lora-fast-training"


@pytest.mark.parametrize("trainer", [t.id for t in all_trainers()])
@pytest.mark.parametrize("kind", ["subject", "style", "edit", "video"])
def test_defaults_of_every_trainer_are_silent(tmp_path: Path, trainer: str, kind: str) -> None:
    """Fifteen examples, nothing set but the trainer: only what the trainer leaves to people is told."""
    text = f'[album]\nkind = "{kind}"\ntrigger_phrase = "TOK"\n{train(trainer)}'
    expected = {"validation-absent"} if "validation" in load_trainer(trainer).knobs else set()
    assert set(found(tmp_path / "cat", text)) - {"trainer-for-another-kind"} == expected


def test_an_album_without_album_toml_is_silent(tmp_path: Path) -> None:
    assert judged(tmp_path / "cat", "").findings == []


def test_where_the_default_is_wrong_for_the_album_it_is_told(tmp_path: Path) -> None:
    (finding,) = judged(tmp_path / "cat", "", count=4).findings
    assert finding.rule == "settings/steps-too-many-for-album"
    assert finding.message == (
        "1000 steps over 4 examples look at each 250 times (1 a step assumed); 200 is much."
    )


# Steps


@pytest.mark.parametrize(
    ("text", "count", "rule"),
    [
        (local("steps = 3000"), 15, None),
        (local("steps = 3100"), 15, "steps-too-many-for-album"),
        (local("steps = 800", "batch_size = 4"), 15, "steps-too-many-for-album"),
        (local("steps = 800", "batch_size = 2", "accumulation = 2"), 15, "steps-too-many-for-album"),
        (local("steps = 150"), 15, None),
        (local("steps = 140"), 15, "steps-too-few-for-album"),
        (local("steps = 140", "batch_size = 2"), 15, None),
        (train(KLEIN, "steps = 100"), 30, "steps-too-few-for-album"),
        (local("steps = 0"), 15, "out-of-range"),
        (local('steps = "many"'), 15, "out-of-range"),
        (local("steps = nan"), 15, "out-of-range"),
        (local("steps = inf"), 15, "out-of-range"),
        (local("learning_rate = -inf"), 15, "out-of-range"),
        (local("steps = 5000"), 0, None),
    ],
)
def test_looks_at_each_example(tmp_path: Path, text: str, count: int, rule: str | None) -> None:
    assert set(found(tmp_path / "cat", text, count)) == ({rule} if rule else set())


def test_messages_say_how_often(tmp_path: Path) -> None:
    assert found(tmp_path / "cat", local("steps = 6000"))["steps-too-many-for-album"] == (
        "6000 steps over 15 examples look at each 400 times; 200 is much."
    )
    assert found(tmp_path / "cat", local("steps = 30"))["steps-too-few-for-album"] == (
        "30 steps over 15 examples look at each 2 times; 10 is little."
    )


def test_a_trainer_that_does_not_say_what_a_step_is_is_not_judged(tmp_path: Path) -> None:
    result = judged(tmp_path / "cat", train(LTX, "number_of_steps = 20000"))
    skipped = {s.rule: s.reason for s in result.skipped}
    assert "no source says how many examples" in skipped["settings/steps-too-many-for-album"]
    assert load_trainer(LTX).examples_per_step is None


def test_a_large_style_album_may_have_few_looks(tmp_path: Path) -> None:
    text = '[album]\nkind = "style"\ntrigger_phrase = ""\n' + local("steps = 200")
    assert found(tmp_path / "cat", text, count=60) == {}


# Rate


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (("steps = 2000", "learning_rate = 1e-4"), "rate-and-steps-both-raised"),
        (("steps = 3000", "learning_rate = 5e-5"), None),
        (("steps = 1000", "learning_rate = 2e-4"), None),
        (("steps = 1500", "learning_rate = 9e-5"), None),
        (("steps = 3000", "learning_rate = 9e-5"), None),
    ],
)
def test_rate_and_steps(tmp_path: Path, lines: tuple[str, ...], rule: str | None) -> None:
    assert set(found(tmp_path / "cat", train(KLEIN, *lines))) == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ("rank = 32", "alpha = 1"),
            "learning_rate x alpha / rank = 3.1e-06, 32.0 times below this trainer's default.",
        ),
        (
            ("rank = 16", "alpha = 1", "learning_rate = 3e-5"),
            "learning_rate x alpha / rank = 1.9e-06, 53.0 times below this trainer's default.",
        ),
        (("rank = 32", "alpha = 32", "learning_rate = 2e-5"), None),
        (("rank = 16", "alpha = 8"), None),
        (("rank = 4", "alpha = 4"), None),
        (
            ("learning_rate = 1e-6",),
            "learning_rate x alpha / rank = 1e-06, 100.0 times below this trainer's default.",
        ),
        (("alpha = 0.0000000000000000000000000000001",), "learning_rate x alpha / rank = "),
    ],
)
def test_effective_rate(tmp_path: Path, lines: tuple[str, ...], message: str | None) -> None:
    """Published recipes for FLUX.2 klein: those with a forgotten alpha are told, the others are not."""
    result = found(tmp_path / "cat", local(*lines))
    assert set(result) == ({"effective-rate-starved"} if message else set())
    assert result.get("effective-rate-starved", "").startswith(message or "")


def test_a_starved_rate_of_a_hosted_trainer(tmp_path: Path) -> None:
    assert found(tmp_path / "cat", train(KLEIN, "learning_rate = 5e-7"))["effective-rate-starved"] == (
        "learning_rate = 5e-07, 100.0 times below this trainer's default."
    )
    assert found(tmp_path / "cat", train(KLEIN, "learning_rate = 1e-5")) == {}


# Rank


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (train(LTX, "rank = 24"), {"rank-not-offered", "validation-absent"}),
        (train(LTX, 'rank = "32"'), {"validation-absent"}),
        (local("rank = 0"), {"rank-not-offered"}),
        (local("rank = 60"), set()),
        (local("rank = 64"), {"rank-high-for-album"}),
        (train(KLEIN, "rank = 64"), {"unknown-knob", "rank-high-for-album"}),
        (train("fal-ai/ltx-video-trainer"), {"validation-absent"}),
    ],
)
def test_rank(tmp_path: Path, text: str, expected: set[str]) -> None:
    assert set(found(tmp_path / "cat", text)) == expected


# Frames


@pytest.mark.parametrize(
    ("frames", "expected"),
    [(89, set()), (80, {"frame-count-not-offered"}), (400, {"out-of-range"}), (9, set())],
)
def test_frames(tmp_path: Path, frames: int, expected: set[str]) -> None:
    rules = found(tmp_path / "cat", train(LTX, f"number_of_frames = {frames}"))
    assert set(rules) - {"validation-absent"} == expected
    if frames == 80:
        assert rules["frame-count-not-offered"] == "number_of_frames = 80. This trainer takes 8n+1: 73 or 81."


def test_plain_multiples_stay_with_their_rule(tmp_path: Path) -> None:
    assert set(found(tmp_path / "cat", train(KLEIN, "steps = 1250"))) == {"not-a-multiple"}


# Masks


@pytest.mark.parametrize(
    ("kind", "text", "masks", "rule", "says"),
    [
        (
            "style",
            train(FAST, "steps = 1000", "create_masks = true"),
            0,
            "style-with-masks",
            "create_masks is true",
        ),
        ("style", train(FAST, "steps = 1000"), 3, "style-with-masks", "the album holds 3 masks."),
        ("style", train(KLEIN), 3, None, ""),
        ("style", local(), 1, "style-with-masks", "the album holds 1 mask."),
        ("style", local(), 0, None, ""),
        (
            "subject",
            train(FAST, "steps = 1000", "create_masks = false"),
            0,
            "subject-without-masks",
            "is false",
        ),
        ("subject", train(FAST, "steps = 1000"), 0, None, ""),
        ("subject", local("create_masks = false"), 15, None, ""),
        ("subject", train(KLEIN), 0, None, ""),
    ],
)
def test_masks(tmp_path: Path, kind: str, text: str, masks: int, rule: str | None, says: str) -> None:
    head = f'[album]\nkind = "{kind}"\ntrigger_phrase = "TOK"\n'
    result = found(tmp_path / "cat", head + text, masks=masks)
    assert set(result) == ({rule} if rule else set())
    assert says in result.get(rule or "", says)


# Size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            local("resolution = 512"),
            "trained at 512 px, used at 1024 px (what this base makes by default): 2.0 times the size.",
        ),
        (local("resolution = 832"), None),
        ("[use]\nresolution = 512\n" + local("resolution = 512"), None),
        (
            "[use]\nresolution = 1536\n" + train(KLEIN),
            "trained at 1024 px (assumed), used at 1536 px ([use] resolution): 1.5 times the size.",
        ),
        (train(FLUX3, "resolution = 768"), "trained at 768 px, used at 1024 px"),
        (local("resolution = 512", base="/models/my-own-base"), None),
    ],
)
def test_size_of_use(tmp_path: Path, text: str, message: str | None) -> None:
    result = found(tmp_path / "cat", text)
    assert set(result) == ({"resolution-below-use"} if message else set())
    assert result.get("resolution-below-use", "").startswith(message or "")


# Validation


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (train(LTX), "validation-absent"),
        (train(LTX, "validation = []"), "validation-absent"),
        (train(LTX, 'validation = [{ prompt = "TOK cat" }]'), None),
        (train(LTX, 'validation = [{ prompt = "a cat" }]'), "validation-prompt-without-trigger"),
        (train(LTX, 'validation = [{ prompt = "a cat" }, { prompt = "TOK cat" }]'), None),
        (train(KLEIN), None),
        ('[album]\ntrigger_phrase = ""\n' + train(LTX, 'validation = [{ prompt = "a cat" }]'), None),
    ],
)
def test_validation(tmp_path: Path, text: str, rule: str | None) -> None:
    assert set(found(tmp_path / "cat", text)) == ({rule} if rule else set())


def test_test_prompts_may_stand_in_tables_of_their_own(tmp_path: Path) -> None:
    """The form that the remedy shows."""
    text = train(LTX, "[[train.validation]]", 'prompt = "a photo of TOK cat at the beach"')
    assert found(tmp_path / "cat", text) == {}
    text = text.replace("TOK", "some")
    message = 'no test prompt holds "TOK"; the first is "a photo of some cat at the beach".'
    assert found(tmp_path / "cat", text) == {"validation-prompt-without-trigger": message}


def test_clips_that_nobody_plans_to_train_need_no_test_prompts(tmp_path: Path) -> None:
    text = '[album]\nkind = "video"\ntrigger_phrase = "TOK"'
    assert "validation" in load_trainer(DEFAULT_TRAINERS["video"]).knobs
    assert "validation-absent" not in found(tmp_path / "cat", text)


# The files


@pytest.mark.parametrize(
    ("rule", "fact", "keyword"),
    [
        ("steps-too-many-for-album", "passes", "maximum"),
        ("steps-too-few-for-album", "passes", "minimum"),
        ("rank-high-for-album", "rank_per_example", "maximum"),
    ],
)
def test_a_limit_in_words_is_the_one_that_judges(rule: str, fact: str, keyword: str) -> None:
    known = find_rule(f"settings/{rule}")
    assert f" {known.schema['properties'][fact][keyword]} is " in known.message


def test_every_settings_rule_of_the_issue_is_there() -> None:
    wanted = """frame-count-not-offered steps-too-many-for-album steps-too-few-for-album
      rate-and-steps-both-raised effective-rate-starved rank-not-offered rank-high-for-album style-with-masks
      subject-without-masks resolution-below-use validation-absent validation-prompt-without-trigger
      distilled-base non-commercial-base""".split()
    assert {f"settings/{name}" for name in wanted} <= {rule.id for rule in load_rules()}
