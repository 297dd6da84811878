"""Rules of clips, on albums of tiny clips made for them."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import sys
from pathlib import Path

import pytest
from clipmaker import make_clip, still
from measuring import OLD, age

from albumkit.album import read_album
from albumkit.clips import read_clip_header
from albumkit.facts import FactCache, Measured, Unmeasured
from albumkit.facts import measure as measure_module
from albumkit.trainers import load_trainer
from albumkit.workflows import lint_paths

LTX = "fal-ai/ltx23-video-trainer"
WAN = "fal-ai/wan-22-trainer/t2v-a14b"
NEW = {
    "clip/too-short",
    "clip/frame-rate-differs",
    "clip/variable-frame-rate",
    "clip/rotated",
    "clip/scene-cut-inside",
    "clip/audio-missing",
}


def write_toml(album: Path, train: str = "", trainer: str = LTX) -> None:
    (album / "album.toml").write_text(
        f'[album]\nkind = "video"\ntrigger_phrase = ""\n[train]\ntrainer = "{trainer}"\n{train}\n'
    )


def found(album: Path, **options) -> list[tuple[str, str, str]]:
    """(rule, file, message) of the rules above."""
    result = lint_paths([album], cache=FactCache.none(), **options).albums[0]
    return [(f.rule, f.path, f.message) for f in result.findings if f.rule in NEW]


def skipped(album: Path, rule: str, **options) -> list[str]:
    result = lint_paths([album], cache=FactCache.none(), **options).albums[0]
    return [s.reason for s in result.skipped if s.rule == rule]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three clips that LTX-2.3 takes as they are."""
    for number in range(3):
        make_clip(tmp_path / "v" / f"c{number}.mp4", still(number, 90))
        (tmp_path / "v" / f"c{number}.txt").write_text(f"a cat jumps, take {number}")
    write_toml(tmp_path / "v")
    return tmp_path / "v"


def test_good_clips_get_silence(album):
    result = lint_paths([album], cache=FactCache.none()).albums[0]
    assert found(album) == []
    assert [s for s in result.skipped if s.rule in NEW] == []
    assert {rule for rule in result.rules if rule in NEW} == NEW


# too-short


def test_a_short_clip_is_an_error_that_says_how_short(album):
    make_clip(album / "c1.mp4", 40)
    expected = f"40 frames (1.6 s); {LTX} takes clips of 89 and more."
    assert found(album) == [("clip/too-short", "c1.mp4", expected)]
    assert lint_paths([album], cache=FactCache.none()).albums[0].count("error") == 1


def test_a_clip_of_just_the_frames_wanted_is_long_enough(album):
    make_clip(album / "c1.mp4", 89)
    make_clip(album / "c2.mkv", 89)
    assert found(album) == []


def test_frames_of_matroska_are_counted(album):
    make_clip(album / "c3.mkv", 88)
    assert [(rule, path) for rule, path, _ in found(album)] == [("clip/too-short", "c3.mkv")]


@pytest.mark.parametrize(
    ("train", "rules"),
    [("auto_scale_input = true", []), ("number_of_frames = 33", []), ("number_of_frames = 41", ["c1.mp4"])],
)
def test_knobs_decide_what_is_too_short(album, train, rules):
    make_clip(album / "c1.mp4", 40)
    write_toml(album, train)
    assert [path for rule, path, _ in found(album) if rule == "clip/too-short"] == rules


def test_wan_takes_81_frames_at_16_a_second(album):
    write_toml(album, trainer=WAN)
    for number in range(3):
        make_clip(album / f"c{number}.mp4", 81 - number, rate=16)
    assert [path for _, path, _ in found(album)] == ["c1.mp4", "c2.mp4"]


def test_a_trainer_of_pictures_is_told_elsewhere(album):
    make_clip(album / "c1.mp4", 4, rotation=90)
    assert {rule for rule, _, _ in found(album, trainer="fal-ai/flux-2-klein-9b-base-trainer")} == {
        "clip/rotated"
    }


def test_a_trainer_that_does_not_say_its_length_is_not_judged(album, monkeypatch):
    silent = dataclasses.replace(load_trainer(WAN), training_clip=None)
    monkeypatch.setattr("albumkit.settings.load_trainer", lambda name: silent)
    assert skipped(album, "clip/too-short") == ["how many frames of a clip this trainer takes is not known"]
    make_clip(album / "c2.mp4", 120, rate=50)
    expected = "50 frames a second; most clips here have 25: movements are learnt 2.0 times slower."
    assert found(album) == [("clip/frame-rate-differs", "c2.mp4", expected)]


# Rates


def test_another_frame_rate_is_told_with_its_effect(album):
    make_clip(album / "c2.mp4", 120, rate=50)
    expected = "50 frames a second; the trainer takes 25: movements are learnt 2.0 times slower."
    assert found(album) == [("clip/frame-rate-differs", "c2.mp4", expected)]
    write_toml(album, "auto_scale_input = true")
    assert found(album) == []


def test_film_at_24_passes_for_25(album):
    make_clip(album / "c2.mp4", 90, rate=24)
    assert found(album) == []


def test_the_rate_can_be_set(album):
    write_toml(album, "frame_rate = 50")
    expected = "25 frames a second; the trainer takes 50: movements are learnt 2.0 times faster."
    assert [message for _, _, message in found(album)] == [expected] * 3


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "avi"])
def test_uneven_intervals_are_found_in_every_container(album, ending):
    make_clip(album / f"d.{ending}", 120, rate=50, steps=(2, 2, 2, 1))
    uneven = [(path, message) for rule, path, message in found(album) if rule == "clip/variable-frame-rate"]
    assert [path for path, _ in uneven] == [f"d.{ending}"]
    assert uneven[0][1].endswith("% of its frames come earlier or later than the rest (variable frame rate).")
    assert 20 <= float(uneven[0][1].split()[0]) <= 30


def test_times_rounded_to_milliseconds_are_even(tmp_path):
    make_clip(tmp_path / "a.mkv", 90, rate=120)
    assert read_clip_header(io.BytesIO((tmp_path / "a.mkv").read_bytes())).uneven == 0


def test_one_dropped_frame_is_no_variable_rate(album):
    make_clip(album / "c2.mp4", 100, steps=(*[1] * 50, 2, *[1] * 49))
    assert found(album) == []


# rotated


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_a_turn_in_the_container_is_told(album, ending):
    make_clip(album / f"d.{ending}", rotation=90)
    message = (
        "stored as 96 x 72 with a note to turn it by 90 degrees; a loader that ignores the note sees it so."
    )
    assert found(album) == [("clip/rotated", f"d.{ending}", message)]


# Sound


def test_a_silent_clip_among_others_with_sound(album):
    for number in (0, 1):
        make_clip(album / f"c{number}.mp4", audio=True)
    silent = [("clip/audio-missing", "c2.mp4", "no sound track, but 2 of 3 clips have one.")]
    assert found(album) == silent
    write_toml(album, "with_audio = false")
    assert found(album) == []
    assert found(album, trainer="fal-ai/ltx-video-trainer") == []


def test_sound_that_is_asked_for(album):
    write_toml(album, "with_audio = true")
    messages = [message for rule, _, message in found(album) if rule == "clip/audio-missing"]
    assert messages == ["no sound track, but with_audio is true."] * 3


# Cuts


def test_a_cut_is_told_with_its_place(album):
    make_clip(album / "c1.mp4", [*still(1, 50), *still(9, 50)])
    assert found(album) == [("clip/scene-cut-inside", "c1.mp4", "the scene changes at 2.00 s (frame 50).")]


def test_clips_that_the_trainer_splits_may_hold_cuts(album):
    make_clip(album / "c1.mp4", [*still(1, 50), *still(9, 50)])
    assert found(album)
    write_toml(album, "split_input_duration_threshold = 3")
    assert found(album) == []
    write_toml(album, "split_input_duration_threshold = 3\nsplit_input_into_scenes = false")
    assert [rule for rule, _, _ in found(album)] == ["clip/scene-cut-inside"]


def test_a_clip_seen_in_part_is_not_passed(album, monkeypatch):
    monkeypatch.setattr("albumkit.pixels.scenes.MOST_FRAMES", 20)
    assert skipped(album, "clip/scene-cut-inside") == ["only its first 20 frames were looked at"]


def test_header_runs_leave_cuts_out(album):
    make_clip(album / "c1.mp4", [*still(1, 50), *still(9, 50)])
    assert found(album, cost="header") == []


# Broken files and the cache


def test_broken_clips_crash_nothing(album):
    whole = (album / "c0.mp4").read_bytes()
    (album / "c0.mp4").write_bytes(whole[:-300])
    (album / "c1.mp4").write_bytes(b"")
    (album / "c3.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(400))
    (album / "c4.mp4").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n"
    )
    result = lint_paths([album], cache=FactCache.none()).albums[0]
    assert {f.path for f in result.findings if f.rule == "clip/unreadable"} == {"c0.mp4", "c1.mp4", "c3.mkv"}
    assert {s.path for s in result.skipped if s.rule == "clip/rotated"} == {"c4.mp4"}


def test_a_clip_that_stops_in_its_middle_is_not_passed(album):
    data = bytearray((album / "c0.mp4").read_bytes())
    start = data.index(b"mdat") + 4
    middle = start + (data.index(b"moov") - start) // 2
    data[middle : data.index(b"moov") - 4] = bytes(data.index(b"moov") - 4 - middle)
    (album / "c0.mp4").write_bytes(data)
    (reason,) = skipped(album, "clip/scene-cut-inside")
    assert re.fullmatch(r"only its first \d+ frames were looked at", reason)


def test_headers_of_clips_come_out_of_the_cache(album, monkeypatch):
    age(album)
    first = lint_paths([album], cache=FactCache()).albums[0]
    monkeypatch.setattr(measure_module, "read_clip_header", None)
    monkeypatch.setattr("albumkit.pixels.scenes.find_cuts", None)
    again = lint_paths([album], cache=FactCache()).albums[0]
    assert (again.findings, again.skipped, again.rules) == (first.findings, first.skipped, first.rules)


def test_a_changed_clip_is_read_again(album):
    age(album)
    lint_paths([album], cache=FactCache())
    make_clip(album / "c1.mp4", 40)
    os.utime(album / "c1.mp4", (OLD + 9, OLD + 9))
    result = lint_paths([album], cache=FactCache()).albums[0]
    assert [f.path for f in result.findings if f.rule == "clip/too-short"] == ["c1.mp4"]


def test_a_drive_error_is_told_and_not_kept(album):
    measured = Measured(read_album(album), FactCache.none())
    media = measured.album.media[0]
    (album / media.path).unlink()
    assert measured.clip(media).error == "the file vanished while it was read"
    assert measured._new == {}


def test_without_pyav_no_rule_of_clips_passes(album, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    result = lint_paths([album], cache=FactCache.none()).albums[0]
    assert {s.rule for s in result.skipped} >= NEW
    assert all('pip install "albumkit[video]"' in s.reason for s in result.skipped if s.rule in NEW)


def test_without_pyav_but_with_known_headers_cuts_are_not_passed(album, monkeypatch):
    age(album)
    lint_paths([album], cache=FactCache(), cost="header")
    monkeypatch.setitem(sys.modules, "av", None)
    result = lint_paths([album], cache=FactCache()).albums[0]
    assert {s.rule for s in result.skipped if s.rule in NEW} == {"clip/scene-cut-inside"}


def test_a_pointer_has_no_header(album):
    (album / "c1.mp4").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n"
    )
    measured = Measured(read_album(album), FactCache.none())
    with pytest.raises(Unmeasured, match="git lfs pull"):
        measured.clip(measured.album.media[1])
