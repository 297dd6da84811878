"""What lies beside the archive: manifest, request, price and identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from itertools import permutations
from types import SimpleNamespace

import pytest
from pack_pictures import KLEIN, decoded, members, pack, picture, put, triggered, varied

from albumkit.pack import papers
from albumkit.trainers import load_trainer

FAST = "fal-ai/flux-lora-fast-training"
PORTRAIT = "fal-ai/flux-lora-portrait-trainer"


def test_the_manifest_tells_what_is_inside_and_why(tmp_path):
    album = varied(tmp_path / "cat")
    forced = [{"rule": "caption/missing", "path": "x.jpg", "message": "x.jpg has no caption."}]
    result = pack(album, tmp_path / "cat.zip", forced=forced, background="red")
    manifest = json.loads(result.manifest_path.read_bytes())
    assert manifest["schema"] == "albumkit-pack/1"
    assert manifest["archive"] == {"name": "cat.zip", "size": result.size, "sha256": result.sha256}
    assert (manifest["trainer"], manifest["kind"], manifest["trigger_phrase"]) == (KLEIN, "subject", "TOK")
    assert manifest["background"] == "#ff0000"
    assert manifest["forced"] == forced
    assert manifest["settings"] == {"learning_rate": 5e-05, "output_lora_format": "fal", "steps": 1000}
    assert {"pillow", "pi-heif", "libjpeg_turbo", "webp"} <= set(manifest["libraries"])
    assert manifest["album_hash"] == result.album_hash
    assert manifest["captions"]["IMG_3"] == "TOK number 3"
    inside = members(result.archive)
    assert [file["name"] for file in manifest["files"]] == list(inside)
    for file in manifest["files"]:
        assert file["sha256"] == hashlib.sha256(inside[file["name"]]).hexdigest()
        assert file["source_sha256"] == hashlib.sha256((album / file["source"]).read_bytes()).hexdigest()
        if file["role"] == "target":
            assert (file["width"], file["height"]) == decoded(inside[file["name"]]).size
    counted = result.changes
    assert counted["location removed"] == 9
    assert counted["BMP to PNG"] == 3
    assert list(counted.values()) == sorted(counted.values(), reverse=True)


def test_identity_is_content_and_what_belongs_together(tmp_path):
    def hash_of(name: str, files: dict[str, bytes | str]) -> str:
        return pack(put(tmp_path / name, files), tmp_path / f"{name}.zip").album_hash

    one, two = picture(1), picture(2)
    first = hash_of("one", {"a.jpg": one, "a.txt": "x", "b.jpg": two, "b.txt": "y"})
    assert first == hash_of("two", {"z/q.jpg": one, "z/q.txt": "x \r\n", "c.JPG": two, "c.caption": "y"})
    assert first != hash_of("three", {"a.jpg": one, "a.txt": "y", "b.jpg": two, "b.txt": "x"})
    assert first != hash_of("four", {"a.jpg": one, "a.txt": "x", "b.jpg": two})


def test_identity_does_not_depend_on_how_a_trainer_names_the_parts():
    def hashes(*parts: tuple[str, str]) -> set[str]:
        files = [SimpleNamespace(root="a", role=role, sha256=content) for role, content in parts]
        return {papers.hash_album(order)[0] for order in permutations(files)}

    assert len(hashes(("caption", "1"), ("mask", "2"), ("target", "3"))) == 1
    assert len(hashes(("reference", "1"), ("reference", "2"))) == 2  # which of them is the first matters


def test_the_request_holds_what_the_api_takes_and_nothing_else(tmp_path):
    album = triggered(tmp_path / "cat", **{"a.txt": "x"})
    for trainer_id in (KLEIN, FAST, PORTRAIT, "blackforestlabs/flux-3/klein/base/trainer", "local"):
        trainer = load_trainer(trainer_id)
        result = pack(album, tmp_path / "cat.zip", trainer_id, {"steps": 600})
        request = json.loads(result.request_path.read_bytes())
        assert request["endpoint"] == trainer_id
        assert set(request["input"]) <= set(trainer.schema["properties"])
        assert set(trainer.schema["required"]) <= set(request["input"])
        assert request["input"][trainer.knobs["steps"].own_name] == 600
        assert (request["steps"], request["examples"], request["pictures"]) == (600, 2, 2)
        assert request["passes_per_image"] == 300 == result.passes_per_image
        assert request["archive"]["sha256"] == result.sha256
    assert "image_data_url" not in request["input"]  # our own engine takes the archive by its path
    fast = pack(album, tmp_path / "f.zip", FAST, {"steps": 600})
    sent = json.loads(fast.request_path.read_bytes())["input"]
    assert sent["images_data_url"] == "<URL of f.zip after upload>"
    assert sent["trigger_word"] == "TOK"


def test_price_and_passes(tmp_path):
    album = triggered(tmp_path / "cat")
    priced = pack(album, tmp_path / "a.zip", "blackforestlabs/flux-3/klein/base/trainer", {"steps": 500})
    assert priced.price == pytest.approx(2.15)
    assert "0.0043 USD a step, as read in 2026" in priced.price_note
    assert pack(album, tmp_path / "b.zip", KLEIN).price is None
    local = pack(album, tmp_path / "c.zip", "local", {"batch_size": 2, "accumulation": 4, "steps": 100})
    assert (local.price, local.passes_per_image) == (0, 400)
    unsaid = pack(album, tmp_path / "d.zip", FAST)
    assert (unsaid.steps, unsaid.passes_per_image, unsaid.price) == (None, None, None)


def test_the_price_of_an_edit_follows_its_inputs(tmp_path):
    trainer = "fal-ai/flux-2-klein-4b-base-trainer/edit"
    files = {"x_start.jpg": picture(1), "x_end.jpg": picture(2), "x_start2.jpg": picture(3)}
    result = pack(put(tmp_path / "e", files), tmp_path / "e.zip", trainer)
    assert result.price == pytest.approx(0.0046 * 1000 * 3.44)
    assert "x 3.44" in result.price_note


def test_prices_that_cannot_be_told_say_so(tmp_path, monkeypatch):
    album = triggered(tmp_path / "cat")
    real = papers.bill_of

    def without_steps(read, settings):
        knobs = {name: value for name, value in settings.knobs.items() if name != "steps"}
        return real(read, replace(settings, knobs=knobs))

    monkeypatch.setattr("albumkit.pack.bill_of", without_steps)
    made = pack(album, tmp_path / "a.zip", "blackforestlabs/flux-3/klein/base/trainer")
    assert made.price_note == "0.0043 USD a step; the number of steps is left to the trainer."

    def with_few_factors(read, settings):
        pricing = replace(settings.trainer.pricing, by_references=(2.11,))
        return real(read, replace(settings, trainer=replace(settings.trainer, pricing=pricing)))

    monkeypatch.setattr("albumkit.pack.bill_of", with_few_factors)
    files = {"x_start.jpg": picture(1), "x_end.jpg": picture(2), "x_start2.jpg": picture(3)}
    made = pack(put(tmp_path / "e", files), tmp_path / "e.zip", "fal-ai/flux-2-klein-4b-base-trainer/edit")
    assert (made.price, made.price_note) == (None, "Not known for 2 input pictures a pair.")


def test_repeats_of_folders_are_recorded_and_said_to_be_left_out(tmp_path):
    files = {"10_tok cat/a.jpg": picture(1), "1_cat/b.jpg": picture(2)}
    result = pack(put(tmp_path / "k", files), tmp_path / "k.zip")
    assert "repeats in the folder names were left out" in result.notes[0]
    examples = json.loads(result.manifest_path.read_bytes())["examples"]
    assert {one["root"]: one["repeats"] for one in examples} == {"a": 10, "b": 1}
