"""The captioner that ships says what drawn pictures show, a subject that it never saw among them."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from albumkit.engine.pocket.captioner import load_captioner  # noqa: E402
from albumkit.engine.pocket.make.models import to_pixels  # noqa: E402
from albumkit.engine.pocket.world import figurine, render, sample  # noqa: E402
from albumkit.engine.pocket.world.answers import (  # noqa: E402
    ASKED,
    change,
    changed,
    contents,
    surroundings,
)
from albumkit.engine.pocket.world.scenes import Scenes  # noqa: E402


def pixels(scenes: Scenes) -> torch.Tensor:
    return to_pixels(render(scenes, 128)[0])


def share_right(said: list[str], wanted: list[str]) -> float:
    return sum(a == b for a, b in zip(said, wanted, strict=True)) / len(wanted)


@pytest.fixture(scope="module")
def captioner():
    return load_captioner()


def test_it_names_things_and_places_that_it_never_saw_together(captioner) -> None:
    scenes = sample(8181, 20, held=True)
    seen = [pixels(scenes)]
    assert share_right(captioner.answers(seen, "content"), contents(scenes)) >= 0.9
    assert share_right(captioner.answers(seen, "surroundings"), surroundings(scenes)) >= 0.95


def test_what_surrounds_an_unknown_thing_is_said_without_the_thing(captioner) -> None:
    scenes = figurine(9, 12)
    assert share_right(captioner.answers([pixels(scenes)], "surroundings"), surroundings(scenes)) >= 0.9


def test_what_differs_between_two_pictures_is_an_instruction(captioner) -> None:
    before = sample(8383, 12, held=True)
    after = changed(before, 8484)
    wanted = change(before, after)
    assert {text.split()[0] for text in wanted} >= {"change", "put", "make"}
    assert share_right(captioner.answers([pixels(before), pixels(after)], "change"), wanted) >= 0.85


def test_a_changed_picture_differs_in_one_thing_alone() -> None:
    before = sample(8585, 60)
    after = changed(before, 8686)
    for k, name in enumerate(ASKED):
        some = torch.arange(60) % len(ASKED) == k
        for field in ("kind", "light", "colour", "place", "framing"):
            same = (getattr(before, field) == getattr(after, field))[some]
            assert bool(same.all()) == (field != name), (name, field)
