"""From pack to looks: identity by content, buckets that drop nobody, masks on the token grid."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from engine_runs import CAPTIONS, Bench, encode, make_album, open_bench, pack_album
from PIL import Image

from albumkit.engine import data
from albumkit.engine.pack import OpenPack
from albumkit.engine.run import changes_of
from albumkit.errors import AlbumkitError

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return open_bench(tmp_path_factory.mktemp("data"))


def test_cached_is_what_was_made_to_the_bit(bench: Bench, tmp_path: Path) -> None:
    knobs = bench.knobs()
    cache = data.Cache(tmp_path / "cache")
    _, first = encode(bench.base, bench.machine, bench.pack, knobs, cache)
    assert cache.hits == 0
    again = data.Cache(tmp_path / "cache")
    _, second = encode(bench.base, bench.machine, bench.pack, knobs, again)
    assert again.misses == 0
    assert again.hits == 9
    kept, made = (
        dataclasses.replace(bench, material=one).loop(caption_dropout=0.5) for one in (second, first)
    )
    for _ in range(3):  # dropping captions works on what was cached, too
        assert kept.run_step().losses == made.run_step().losses
    for one in (first, second):
        assert one.texts.keys() == bench.material.texts.keys()
        for text, tensor in bench.material.texts.items():
            assert torch.equal(one.texts[text], tensor)
        for root, tensor in bench.material.latents.items():
            assert torch.equal(one.latents[root], tensor)


def test_shuffled_and_renamed_pack_keeps_every_caption_with_its_picture(bench: Bench, tmp_path: Path) -> None:
    """The members in another order, all renamed, over the same cache: nothing is mixed up."""
    cache = tmp_path / "cache"
    encode(bench.base, bench.machine, bench.pack, bench.knobs(), data.Cache(cache))
    names = dict(zip("abcd", "zwyx", strict=True))
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(bench.pack.path) as source, zipfile.ZipFile(other, "w") as target:
        for name in sorted(source.namelist(), reverse=True):
            target.writestr(names[name[0]] + name[1:], source.read(name))
    pack = OpenPack(other, bench.settings.trainer.archive)
    assert pack.album_hash == bench.pack.album_hash
    placed, material = encode(bench.base, bench.machine, pack, bench.knobs(), data.Cache(cache))
    for old, new in names.items():
        assert torch.equal(material.latents[new], bench.material.latents[old])
    captions = {one.item.root: one.item.caption for one in placed}
    assert captions == {names[old]: caption for old, caption in CAPTIONS.items()}
    renamed = dataclasses.replace(bench, pack=pack, placed=placed, material=material)
    one, two = bench.loop(), renamed.loop()
    for _ in range(4):
        first, second = one.run_step(), two.run_step()
        assert (first.loss, first.sigmas) == (second.loss, second.sigmas)
        assert tuple(names[root] for root in first.roots) == second.roots


def test_changed_picture_is_encoded_anew(bench: Bench, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    encode(bench.base, bench.machine, bench.pack, bench.knobs(), data.Cache(cache))
    album = make_album(tmp_path / "album")
    Image.new("RGB", (64, 64), "red").save(album / "b.png")
    pack, _ = pack_album(album, tmp_path / "new.zip")
    again = data.Cache(cache)
    encode(bench.base, bench.machine, pack, bench.knobs(), again)
    assert (again.misses, again.hits) == (1, 8)


def test_album_hash_is_that_of_the_manifest(bench: Bench, tmp_path: Path) -> None:
    manifest = json.loads(bench.pack.path.with_suffix(".manifest.json").read_text())
    assert bench.pack.album_hash == manifest["album_hash"]
    assert {i.root: i.hash for i in bench.pack.items} == {e["root"]: e["hash"] for e in manifest["examples"]}
    with zipfile.ZipFile(bench.pack.path) as archive:
        archive.extractall(tmp_path / "unpacked")
    unpacked = OpenPack(tmp_path / "unpacked", bench.settings.trainer.archive)
    assert unpacked.items == bench.pack.items


def test_pair_of_the_pack_is_read_as_target_and_inputs(tmp_path: Path) -> None:
    album = tmp_path / "pairs"
    album.mkdir()
    for number, side in enumerate(("start", "end", "start2")):
        Image.new("RGB", (64, 64), (80 * number, 20, 90)).save(album / f"one_{side}.png")
    (album / "one.txt").write_text("make it night")
    pack, _ = pack_album(album, tmp_path / "pairs.zip")
    (item,) = pack.items
    assert item.target.name == "one_end.png"
    assert [side.name for side in item.inputs] == ["one_start.png", "one_start2.png"]
    assert item.caption == "make it night"


def test_change_of_a_pair_is_told_by_what_it_concerns(tmp_path: Path) -> None:
    album = tmp_path / "pairs"
    album.mkdir()
    (album / "album.toml").write_text('[album]\nkind = "edit"\n')
    for side, shade in (("start", 10), ("end", 200)):
        Image.new("RGB", (64, 64), (shade,) * 3).save(album / f"a_{side}.png")
    (album / "a.txt").write_text("make it light")
    before, _ = pack_album(album, tmp_path / "before.zip")
    Image.new("RGB", (64, 64), "red").save(album / "a_start.png")
    now, _ = pack_album(album, tmp_path / "now.zip")
    assert changes_of(before, before) == []
    assert changes_of(before, now) == ["a: another input picture"]
    (album / "a.txt").write_text("make it dark")
    Image.new("RGB", (64, 64), "blue").save(album / "a_end.png")
    last, _ = pack_album(album, tmp_path / "last.zip")
    assert changes_of(now, last) == ["a: another picture and caption"]


def test_picture_without_caption_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.png", b"x")
    _, settings = pack_album(make_album(tmp_path / "album"), tmp_path / "pack.zip")
    with pytest.raises(AlbumkitError, match=r"x\.zip: a has no caption"):
        OpenPack(tmp_path / "x.zip", settings.trainer.archive)


@pytest.mark.parametrize(("side", "token"), [(128, 16), (512, 16), (1024, 16)])
def test_buckets_are_whole_tokens_of_no_more_than_the_square(side: int, token: int) -> None:
    buckets = data.all_buckets(side, token)
    assert data.Bucket(side, side) in buckets
    for one in buckets:
        assert one.width % token == one.height % token == 0
        assert one.width * one.height <= side * side
        assert one.width * one.height >= side * side * 0.8
    assert {(one.height, one.width) for one in buckets} == {(one.width, one.height) for one in buckets}


def test_buckets_of_pocket_are_those_it_was_trained_at() -> None:
    sizes = {(one.width, one.height) for one in data.all_buckets(128, 16)}
    assert {(128, 128), (112, 144), (144, 112), (96, 160), (160, 96)} <= sizes


@pytest.mark.parametrize(
    ("aspect", "size"), [("1:1", (1024, 1024)), ("16:9", (1344, 768)), ("2:3", (832, 1216))]
)
def test_one_shape_for_all(aspect: str, size: tuple[int, int]) -> None:
    (bucket,) = data.all_buckets(1024, 16, aspect)
    assert (bucket.width, bucket.height) == size


def test_every_example_has_a_place_and_is_drawn_equally_often(bench: Bench) -> None:
    sizes = {"a": (640, 480), "b": (480, 640), "c": (4000, 300), "d": (500, 500)}
    placed = data.place(bench.pack.items, sizes, data.all_buckets(512, 16))
    assert [one.item.root for one in placed] == list("abcd")
    assert placed[2].lost > 0.5
    assert placed[2].words == "800x320, 81% cut off, blown up 1.1x"
    for batch_size in (1, 2, 3):
        batches = itertools.islice(data.Deck(placed, batch_size, seed=1).batches(), 120)
        drawn = [look for batch in batches for look in batch]
        counts = Counter(look.placed.item.root for look in drawn)
        assert len(drawn) == 120 * batch_size
        assert max(counts.values()) - min(counts.values()) <= batch_size
        assert len({(look.placed.item.root, look.turn) for look in drawn}) == len(drawn)


def test_every_turn_is_shuffled_anew_as_the_seed_says(bench: Bench) -> None:
    def turns(seed: int) -> list[tuple[str, ...]]:
        batches = data.Deck(bench.placed, 1, seed).batches()
        return [tuple(look.placed.item.root for (look,) in itertools.islice(batches, 4)) for _ in range(8)]

    assert turns(1) == turns(1) != turns(2)
    assert len(set(turns(1))) > 4
    assert all(sorted(turn) == list("abcd") for turn in turns(1))


def test_mask_becomes_weights_of_tokens() -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 24, 64))
    stream = io.BytesIO()
    mask.save(stream, "PNG")
    weights = data.token_weights(stream.getvalue(), data.Bucket(64, 64), 16, floor=0.2)
    assert weights.shape == (1, 4, 4)
    assert weights[0, 0].tolist() == pytest.approx([1.0, 0.6, 0.2, 0.2], abs=0.01)


def test_of_equal_shapes_the_largest_is_taken(bench: Bench) -> None:
    sizes = dict.fromkeys("abcd", (640, 640))
    placed = data.place(
        bench.pack.items, sizes, [data.Bucket(32, 32), data.Bucket(64, 64), data.Bucket(48, 48)]
    )
    assert {one.bucket for one in placed} == {data.Bucket(64, 64)}


def test_one_picture_in_two_sizes_is_encoded_twice(bench: Bench, tmp_path: Path) -> None:
    """The input of one pair may be the target of another, in another bucket."""
    encoder = data.Encoder(bench.base, bench.machine, data.Cache(tmp_path / "cache"))
    vae, target = bench.base.load("vae"), bench.pack.items[0].target
    token = bench.base.pixels_per_token
    for width, height in ((64, 64), (96, 32)):
        latents = encoder.picture(bench.pack, target, data.Bucket(width, height), lambda: vae)
        assert latents.shape[1:] == (height // token, width // token)


def test_longest_bucket_is_three_times_as_long_as_wide() -> None:
    buckets = data.all_buckets(112, 16)
    assert {data.Bucket(64, 192), data.Bucket(192, 64)} <= set(buckets)
    assert max(one.height / one.width for one in buckets) == 3


def test_batch_holds_examples_with_as_many_inputs(bench: Bench) -> None:
    placed = [
        dataclasses.replace(one, item=dataclasses.replace(one.item, inputs=(one.item.target,) * (number % 2)))
        for number, one in enumerate(bench.placed)
    ]
    for batch in itertools.islice(data.Deck(placed, 2, 0).batches(), 20):
        assert len({len(look.placed.item.inputs) for look in batch}) == 1


def test_edge_of_a_mask_that_is_made_smaller_does_not_ring() -> None:
    mask, stream = Image.new("L", (256, 256)), io.BytesIO()
    mask.paste(255, (0, 0, 134, 256))
    mask.save(stream, "PNG")
    row = data.token_weights(stream.getvalue(), data.Bucket(64, 64), 1, 0.1)[0, 0].tolist()
    assert row == pytest.approx([1.0] * 33 + [0.55] + [0.1] * 30, abs=1 / 255)
