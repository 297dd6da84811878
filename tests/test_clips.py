"""Clips: header facts by PyAV, and how an album of clips is judged."""

from __future__ import annotations

import io
import sys

import pytest
from albums import SCENES
from clipmaker import SIZE, make_clip

from albumkit.clips import read_clip_header
from albumkit.errors import MissingExtra
from albumkit.facts import FactCache
from albumkit.workflows import lint_paths

av = pytest.importorskip("av", reason="the extra [video] is not installed")


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "avi"])
def test_header_facts(tmp_path, ending):
    make_clip(tmp_path / f"a.{ending}", frames=24, rate=12)
    with (tmp_path / f"a.{ending}").open("rb") as stream:
        header = read_clip_header(stream)
    assert (header.error, header.codec, header.width, header.height) == ("", "mpeg4", *SIZE)
    assert (header.frame_rate, header.rotation, header.has_audio) == (12, 0, False)
    assert header.seconds == pytest.approx(2, abs=0.1)


def test_sound_is_seen(tmp_path):
    make_clip(tmp_path / "a.mp4", audio=True)
    assert read_clip_header(io.BytesIO((tmp_path / "a.mp4").read_bytes())).has_audio


@pytest.mark.parametrize("data", [b"", b"no clip at all" * 50, b"\x00\x00\x00\x18ftypmp42" + bytes(200)])
def test_a_broken_clip_is_a_reason(data):
    assert read_clip_header(io.BytesIO(data)).error


def test_an_album_of_clips(tmp_path):
    for number in range(10):
        make_clip(tmp_path / "v" / f"c{number}.mp4", frames=number + 90)
        (tmp_path / "v" / f"c{number}.txt").write_text(f"a cat jumps {SCENES[number]}")
    (tmp_path / "v" / "c3.mp4").write_bytes(b"nothing")
    result = lint_paths([tmp_path / "v"], cache=FactCache.none()).albums[0]
    assert (result.kind, result.noun, result.settings.trainer.id) == (
        "video",
        "clips",
        "fal-ai/ltx23-video-trainer",
    )
    found = {(f.rule, f.path) for f in result.findings}
    assert found == {("clip/unreadable", "c3.mp4")}


def test_clips_for_a_trainer_of_pictures_cannot_be_converted(tmp_path):
    make_clip(tmp_path / "v" / "a.mp4")
    options = {"trainer": "fal-ai/flux-2-klein-9b-base-trainer"}
    result = lint_paths([tmp_path / "v"], cache=FactCache.none(), **options).albums[0]
    assert ("example/format-not-accepted", "a.mp4") in {(f.rule, f.path) for f in result.findings}
    assert result.handled == []


def test_without_pyav_the_install_line_is_named(tmp_path, monkeypatch):
    make_clip(tmp_path / "v" / "a.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra):
        read_clip_header(io.BytesIO(b"x"))
    result = lint_paths([tmp_path / "v"], cache=FactCache.none()).albums[0]
    reasons = [s.reason for s in result.skipped if s.rule == "clip/unreadable"]
    assert reasons == ['Reading clips needs the package av. Install it: pip install "albumkit[video]"']


def test_an_unknown_codec_is_a_reason(tmp_path):
    make_clip(tmp_path / "a.avi")
    data = (tmp_path / "a.avi").read_bytes()
    assert b"FMP4" in data
    broken = data.replace(b"FMP4", b"\xff\xfe\xfd\xfc")
    assert read_clip_header(io.BytesIO(broken)).error == "its video codec is not known here"
