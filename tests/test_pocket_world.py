"""The pocket world: the same pictures each time, masks that are exact, captions that say what is there."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from albumkit.engine.pocket.world import (  # noqa: E402
    caption,
    figurine,
    held_out,
    names,
    prompts,
    render,
    sample,
    see_again,
)
from albumkit.engine.pocket.world.captions import captions, figurine_caption, said_light  # noqa: E402
from albumkit.engine.pocket.world.ink import draw_ink  # noqa: E402
from albumkit.engine.pocket.world.photograph import trace  # noqa: E402
from albumkit.engine.pocket.world.scenes import SUBJECT, Scenes, concatenate  # noqa: E402
from albumkit.engine.pocket.world.shapes import CENTRE, RADIUS, SHAPES, distance  # noqa: E402


def every_kind_place_and_light() -> Scenes:
    """As few pictures as show every kind, place, light and framing."""
    scenes = sample(3, len(names.KINDS))
    count = torch.arange(len(scenes))
    return scenes.replace(
        kind=count,
        place=count % len(names.PLACES),
        light=count % len(names.LIGHTS),
        framing=count % len(names.FRAMINGS),
    )


def test_a_seed_draws_the_same_pictures_however_many_are_drawn_at_once() -> None:
    scenes = sample(5, 4)
    images, masks = render(scenes, 32)
    again = [render(sample(5, 4)[slice(i, i + 1)], 32) for i in range(4)]
    assert torch.equal(masks, torch.cat([mask for _, mask in again]))
    difference = (images.int() - torch.cat([image for image, _ in again]).int()).abs()
    assert difference.max() <= 1  # the order of sums may differ, the picture not
    assert not torch.equal(images, render(sample(6, 4), 32)[0])


def test_sizes_are_height_by_width() -> None:
    images, masks = render(sample(1, 2), (48, 32))
    assert images.shape == (2, 48, 32, 3)
    assert masks.shape == (2, 48, 32)
    assert images.dtype == masks.dtype == torch.uint8


def test_every_kind_place_and_light_shows_something() -> None:
    scenes = every_kind_place_and_light()
    images, masks = render(scenes, 48)
    share = (masks > 0).float().mean(dim=(1, 2))
    assert (share > 0.02).all(), share
    assert (share < 0.7).all(), share
    spread = images.float().std(dim=(1, 2)).mean(dim=1)
    assert (spread > 8).all(), spread
    assert set(masks.unique().tolist()) == {0, 255}


def test_a_mask_is_where_the_rays_meet_the_thing() -> None:
    scenes = every_kind_place_and_light()[slice(0, 6)]
    side = 40
    masks = render(scenes, side)[1]
    traced = trace(scenes, 2 * side, 2 * side)
    hits = traced.buffers.thing.reshape(-1, side, 2, side, 2).float().mean(dim=(2, 4))
    assert torch.equal(masks > 0, hits > 0.49)
    # And the rays that meet it end on its surface, by the shape's own distance.
    position = traced.origin[:, None] + traced.direction * traced.buffers.depth[..., None].clamp_max(99)
    for i in range(len(scenes)):
        x, y, z = position[i][traced.buffers.thing[i]].unbind(-1)
        c, s = torch.cos(scenes.yaw[i]), torch.sin(scenes.yaw[i])
        shape = scenes.shape[i][:, None].expand(8, len(x))
        assert distance(int(scenes.kind[i]), c * x - s * z, y, s * x + c * z, shape).abs().max() < 0.02


@pytest.mark.parametrize("kind", range(len(SHAPES)))
def test_a_thing_stands_inside_its_ball_and_on_the_floor(kind: int) -> None:
    """What sticks out of the ball would be cut off; what is below the floor would be hidden."""
    generator = torch.Generator().manual_seed(kind)
    points = torch.randn(4000, 3, generator=generator)
    points = points / points.norm(dim=1, keepdim=True) * RADIUS
    x, y, z = (points + torch.tensor([0.0, CENTRE, 0.0])).unbind(-1)
    shape = torch.rand(8, 4000, generator=generator)
    assert (distance(kind, x, y, z, shape) > 0).all()


def test_captions_say_what_the_picture_shows() -> None:
    scenes = sample(8, 300)
    for phrasing in (0, 1):
        for i, text in enumerate(captions(scenes, phrasing)):
            assert names.KINDS[int(scenes.kind[i])] in text
            assert names.COLOUR_NAMES[int(scenes.colour[i])] in text
            assert names.PLACES[int(scenes.place[i])] in text
            plain = names.PATTERNS[int(scenes.pattern[i])] == "plain"
            assert plain != any(word in text for word in ("strip", "dot", "check")), text
    assert caption(scenes, 7) == captions(scenes)[7]
    assert captions(scenes) == captions(sample(8, 300))
    assert captions(scenes) != captions(scenes, 1)
    assert 0.8 < said_light(scenes).float().mean() < 1


def test_prompts_say_everything() -> None:
    scenes = sample(9, 40)
    for i, text in enumerate(prompts(scenes)):
        assert names.LIGHTS[int(scenes.light[i])] in text
        assert names.PATTERNS[int(scenes.pattern[i])].replace("plain", "") in text
        assert text.startswith("a photo of a")


def test_the_held_out_combinations_are_a_tenth_and_never_trained() -> None:
    trained, kept = sample(11, 4000, held=False), sample(11, 4000, held=True)
    assert not held_out(trained.kind, trained.colour, trained.place).any()
    assert held_out(kept.kind, kept.colour, kept.place).all()
    free = sample(11, 4000)
    assert 0.08 < held_out(free.kind, free.colour, free.place).float().mean() < 0.12
    pairs = {(k, c) for k, c in zip(trained.kind.tolist(), trained.colour.tolist(), strict=True)}
    assert len(pairs) == len(names.KINDS) * len(names.COLOURS)


def test_seen_again_is_the_same_subject_elsewhere() -> None:
    scenes = sample(12, 50)
    again = see_again(scenes, 13)
    for name in SUBJECT:
        assert torch.equal(getattr(scenes, name), getattr(again, name)), name
    assert not torch.equal(scenes.place, again.place)


def test_the_figurine_is_never_sampled() -> None:
    cats = figurine(1, 3)
    assert (cats.kind == names.FIGURINE).all()
    assert (cats.shape[0] == cats.shape[2]).all()
    assert int(sample(1, 5000).kind.max()) < names.FIGURINE
    assert int(sample(1, 5000).pattern.max()) < names.FIGURINE_GLAZE
    assert figurine_caption(cats, 0).startswith("a photo of TOK ceramic cat figurine ")
    assert (render(cats, 32)[1] > 0).any(2).any(1).all()


def test_an_ink_drawing_outlines_the_thing_on_paper() -> None:
    scenes = every_kind_place_and_light()[slice(0, 4)]
    drawn = draw_ink(scenes, 64).float().mean(-1)
    masks = (render(scenes, 64)[1] > 0).float()[:, None]
    around = torch.nn.functional.max_pool2d(masks, 5, 1, 2) + torch.nn.functional.max_pool2d(-masks, 5, 1, 2)
    edge = around[:, 0] > 0
    for picture, border in zip(drawn, edge, strict=True):
        assert picture.max() > 225, "no paper is left"
        assert (picture < 120).float().mean() > 0.02
        assert picture[border].mean() < picture.mean() - 10, "the outline is no darker than the rest"


def test_scenes_can_be_joined_and_cut() -> None:
    scenes = sample(2, 6)
    joined = concatenate([scenes[slice(0, 2)], scenes[slice(2, 6)]])
    assert torch.equal(joined.albedo, scenes.albedo)
    assert len(joined) == 6


def test_muon_moves_every_direction_alike() -> None:
    from albumkit.engine.pocket.make.muon import orthogonal

    matrices = torch.randn(3, 96, 32, generator=torch.Generator().manual_seed(0))
    strengths = torch.linalg.svdvals(orthogonal(matrices))
    assert strengths.min() > 0.5
    assert strengths.max() < 1.3
