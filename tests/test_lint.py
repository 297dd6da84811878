"""lint on whole albums: what it finds, what it leaves alone, what it prints, how it exits."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from albums import KLEIN, good_album, picture, set_in

from albumkit.errors import ConfigError, UsageError
from albumkit.facts import FactCache
from albumkit.report.json import lint_document
from albumkit.report.text import lint_lines
from albumkit.rule import load_rules
from albumkit.selection import Selection
from albumkit.workflows import lint_paths

SAMPLES = Path(__file__).parent.parent / "sample_albums"
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def album(tmp_path: Path) -> Path:
    return good_album(tmp_path / "cat")


def check(path: Path, **options):
    report = lint_paths([path], cache=FactCache.none(), **options)
    return report.albums[0]


def rules_of(result) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in result.findings:
        found.setdefault(finding.rule, []).append(finding.path)
    return found


def test_a_good_album_gets_silence(album):
    result = check(album)
    assert (rules_of(result), result.handled, result.skipped, result.left_out) == ({}, [], [], [])


def test_lint_writes_nothing_into_the_album(album):
    before = sorted((p.name, p.stat().st_mtime_ns) for p in album.iterdir())
    check(album)
    assert sorted((p.name, p.stat().st_mtime_ns) for p in album.iterdir()) == before


def planted(album: str) -> set[tuple[str, str]]:
    """(root of a file, rule that names its fault) as messy's README lists them; "" for a whole album."""
    readme = (SAMPLES / "messy" / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {album}\b.*?\n(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    found = set()
    for row in section.splitlines():
        if not row.startswith("| ") or row.startswith("|---"):
            continue
        _, names, _, rules, _ = row.split("|")
        roots = {Path(name).stem for name in re.findall(r"`([^` ]+\.\w+)`", names)}
        for rule in re.findall(r"`([a-z]+/[a-z0-9-]+)`", rules):
            whole = rule.startswith(("album/", "settings/"))
            found |= {("" if whole else root, rule) for root in roots or {""}}
    return found


@pytest.mark.parametrize("album", ["tumbler", "masked", "sketches", "clips"])
def test_messy_names_every_planted_fault_and_nothing_else(album):
    """Every scope speaks in one of the four; what pack mends counts too."""
    result = check(SAMPLES / "messy" / album)
    everywhere = "example/below-training-resolution"  # they are small, to keep the repository small
    found = set()
    for one in (*result.findings, *result.handled):
        whole = one.rule.startswith(("album/", "settings/"))
        found.add(("" if whole else Path(one.path).stem, one.rule))
    assert {pair for pair in found if pair[1] != everywhere} == planted(album)


def test_messy_speaks_in_every_scope():
    spoken = {rule.scope for rule in load_rules()} - {"adapter", "module"}  # those judge LoRA files
    albums = lint_paths([SAMPLES / "messy"], cache=FactCache.none()).albums
    assert {finding.scope for album in albums for finding in album.findings} == spoken


def test_pack_handles_what_it_mends():
    handled = {(h.rule, h.path, h.words) for h in check(SAMPLES / "messy" / "tumbler").handled}
    assert handled == {
        ("album/junk-files", "", "lot of junk left out (Thumbs.db, junk.npz)"),
        ("caption/byte-order-mark", "tumbler_16.png", "byte order mark dropped"),
        ("example/extension-mismatch", "tumbler_17.jpg", "PNG under a wrong ending renamed"),
        ("example/format-not-accepted", "tumbler_05.tiff", "TIFF converted"),
        ("example/format-not-accepted", "tumbler_06.bmp", "BMP converted"),
        ("example/hidden-pixels-under-alpha", "tumbler_16.png", "transparency filled"),
        ("example/location-metadata", "tumbler_20.jpg", "GPS removed"),
        ("example/orientation-not-applied", "IMG_0401.JPG", "turned upright"),
    }


@pytest.mark.parametrize("name", ["cookie_box", "edit_pairs"])
def test_the_good_samples_have_no_error(name):
    result = check(SAMPLES / name)
    assert result.count("error") == 0
    assert set(rules_of(result)) == {"example/below-training-resolution"}


def test_text_at_80_columns_is_the_golden_one(monkeypatch):
    """Refresh with: UPDATE_GOLDEN=1 pytest tests/test_lint.py"""
    monkeypatch.chdir(SAMPLES)
    report = lint_paths([Path("messy")], cache=FactCache.none())
    lines = [line.plain for line in lint_lines(report, width=80)]
    assert max(map(len, lines)) <= 80
    text = re.sub(r"\d+\.\d s$", "0.0 s", "\n".join(lines) + "\n", flags=re.MULTILINE)
    golden = GOLDEN / "lint_messy.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8", newline="\n")
    assert text == golden.read_text(encoding="utf-8")
    assert text.isascii()


def test_the_json_document_keeps_its_promise(monkeypatch):
    monkeypatch.chdir(SAMPLES)
    report = lint_paths([Path("messy/tumbler"), Path("cookie_box")], cache=FactCache.none())
    document = json.loads(json.dumps(lint_document(report)))
    assert document["schema"] == "albumkit-lint/1"
    assert [a["album"] for a in document["albums"]] == ["messy/tumbler", "cookie_box"]
    assert {a["trainer"] for a in document["albums"]} == {KLEIN}
    keys = """album rule scope severity path paths line fact value limit message remedy fix ignored
      fingerprint""".split()
    assert all(list(f) == keys for f in document["findings"])
    by_rule = {f["rule"]: f for f in document["findings"]}
    multiple = by_rule["settings/not-a-multiple"]
    toml = (SAMPLES / "messy" / "tumbler" / "album.toml").read_text().splitlines()
    assert toml[multiple["line"] - 1].startswith("steps")
    assert (multiple["path"], multiple["fact"], multiple["value"]) == ("album.toml", "knob_on_grid", False)
    assert by_rule["example/exact-duplicate"]["paths"] == ["tumbler_04_copy.jpg", "tumbler_04.jpg"]
    small = by_rule["example/below-training-resolution"]
    assert (small["limit"], small["value"] > 1.1) == (1.1, True)
    assert len({f["fingerprint"] for f in document["findings"]}) == len(document["findings"])
    assert set(document["summary"]) == set(
        "error warning note ignored baselined skipped handled examples rules".split()
    )
    assert document["summary"]["error"] == sum(a["summary"]["error"] for a in document["albums"]) == 11


def test_paths_in_a_zip_name_the_member(tmp_path, album):
    (album / "IMG_03.txt").unlink()
    packed = Path(shutil.make_archive(str(tmp_path / "cat"), "zip", album))
    document = lint_document(lint_paths([packed], cache=FactCache.none()))
    assert [(f["rule"], f["path"]) for f in document["findings"]] == [
        ("caption/missing", "cat.zip!IMG_03.jpg")
    ]


def test_a_fingerprint_stays_when_other_files_come_and_go(album):
    (album / "IMG_05.txt").unlink()
    before = [f.fingerprint for f in check(album).findings]
    picture(album / "AAA.jpg", 255)
    (album / "AAA.txt").write_text("a photo of TOK ceramic cat, first of all")
    assert [f.fingerprint for f in check(album).findings] == before


def test_a_missing_caption_depends_on_the_trainer(album):
    (album / "IMG_05.txt").unlink()
    assert rules_of(check(album)) == {"caption/missing": ["IMG_05.jpg"]}
    with_default = check(album, overrides={"default_caption": "a photo of TOK ceramic cat"})
    assert rules_of(with_default) == {"caption/default-used": ["IMG_05.jpg"]}
    assert with_default.fails() is False
    without = check(album, overrides={"default_caption": "a photo of a ceramic cat"})
    assert "settings/default-caption-without-trigger" in rules_of(without)
    automatic = check(album, trainer="fal-ai/flux-lora-fast-training")
    assert "caption/missing" not in rules_of(automatic)


def test_the_trigger_is_judged_as_the_trainer_uses_it(album):
    (album / "IMG_05.txt").write_text("a photo of a ceramic cat in the sun")
    assert rules_of(check(album)) == {"caption/trigger-absent": ["IMG_05.jpg"]}
    prepended = check(album, trainer="fal-ai/ltx2-video-trainer")
    assert "caption/trigger-absent" not in rules_of(prepended)
    ignored = check(album, trainer="fal-ai/flux-lora-fast-training")
    assert "settings/trigger-ignored-by-trainer" in rules_of(ignored)
    (album / "IMG_05.txt").write_text("a photo of [trigger] ceramic cat in the sun")
    assert rules_of(check(album)) == {}
    set_in(album, 'trigger_phrase = "TOK"', 'trigger_phrase = ""')
    (album / "IMG_05.txt").write_text("a photo of a ceramic cat in the sun")
    assert rules_of(check(album)) == {}


@pytest.mark.parametrize(
    ("trigger", "caption", "state"),
    [
        ("TOK", "a photo of tok cat", "case-varies"),
        ("TOK", "a photo of TOK's cat", "present"),
        ("TOK", "a photo of TOKK cat", "misspelt"),
        ("TOK", "a photo of T0K cat", "misspelt"),
        ("TOK", "she took a toy to the top of a ton", "absent"),
        ("TOK", "a photo of a stoked cat", "absent"),
        ("ohwx", "a photo of owhx man", "misspelt"),
        ("ohwx", "a photo of ohwx_man", "absent"),
        ("zyxcat style", "drawn in zyxcat  style", "present"),
        ("zyxcat style", "drawn in zyxcta style", "misspelt"),
        ("sks", "blue skis under a sky", "absent"),
    ],
)
def test_trigger_spelling(album, trigger, caption, state):
    set_in(album, '"TOK"', f'"{trigger}"')
    for number in range(12):
        (album / f"IMG_{number:02}.txt").write_text(f"{trigger} {number}")
    (album / "IMG_05.txt").write_text(caption)
    expected = {"present": {}}.get(state, {f"caption/trigger-{state}": ["IMG_05.jpg"]})
    found = rules_of(check(album))
    assert {rule: found[rule] for rule in found if rule.startswith("caption/trigger-")} == expected


def test_settings_are_judged_with_their_line(album):
    set_in(album, "steps = 1000", "steps = 1250\nlerning_rate = 1e-4\nrank = 16")
    findings = {f.message: f.line for f in check(album).findings}
    lines = (album / "album.toml").read_text().splitlines()
    at = {line.split(" ")[0]: number for number, line in enumerate(lines, 1)}
    assert findings["steps = 1250. This trainer takes hundreds: 1200 or 1300."] == at["steps"]
    assert findings["lerning_rate: did you mean learning_rate?"] == at["lerning_rate"]
    rank = next(m for m in findings if m.startswith("rank:"))
    assert "other trainers have it; this one offers default_caption, steps" in rank


@pytest.mark.parametrize(
    ("trainer", "knobs", "words"),
    [
        ("blackforestlabs/flux-3/klein/base/trainer", {"steps": 50}, "a whole number from 100 to 10000"),
        ("fal-ai/ltx2-video-trainer", {"number_of_frames": 88}, "8n+1: 81 or 89"),
        (KLEIN, {"output_lora_format": "diffusers"}, '"fal" or "comfy"'),
        (KLEIN, {"steps": "many"}, "a whole number from 100 to 10000"),
        (KLEIN, {"steps": True}, "a whole number from 100 to 10000"),
        (KLEIN, {"steps": 150.0}, "hundreds: 100 or 200"),
    ],
)
def test_values_against_what_the_trainer_states(album, trainer, knobs, words):
    set_in(album, "steps = 1000\n", "")
    messages = [f.message for f in check(album, trainer=trainer, overrides=knobs).findings]
    assert any(message.endswith(f"This trainer takes {words}.") for message in messages), messages


def test_the_runtime_decides_about_the_format(album):
    set_in(album, '"comfy"\n', '"fal"\n')
    result = check(album)
    assert [f.message for f in result.findings] == ['output_lora_format = "fal" does not load in ComfyUI.']
    set_in(album, 'runtime = ["comfy"]', "runtime = []")
    result = check(album)
    assert rules_of(result) == {}
    assert [(s.rule, s.path) for s in result.skipped] == [("settings/format-for-another-runtime", "")]


def test_an_ignore_needs_no_file_but_keeps_its_reason(album):
    (album / "IMG_05.txt").unlink()
    with (album / "album.toml").open("a") as file:
        file.write('[[lint.ignore]]\nrule = "caption/missing"\npaths = ["IMG_05.*"]\nreason = "later"\n')
    result = check(album)
    assert [f.ignored for f in result.findings] == ["later"]
    assert result.fails() is False
    (album / "IMG_06.txt").unlink()
    assert [f.ignored for f in check(album).findings] == ["later", None]
    with (album / "album.toml").open("a") as file:
        file.write('[[lint.ignore]]\nrule = "caption/mising"\nreason = "x"\n')
    with pytest.raises(ConfigError, match=r"caption/missing"):
        check(album)


def test_strict_fails_on_warnings_and_on_error_rules_not_judged(album):
    picture(album / "IMG_03.jpg", 33, (500, 500))
    assert [check(album).fails(strict) for strict in (False, True)] == [False, True]
    picture(album / "IMG_03.jpg", 33)
    set_in(album, 'trigger_phrase = "TOK"\n', "")
    result = check(album)
    assert {s.rule for s in result.skipped} == {
        "caption/trigger-absent",
        "caption/trigger-is-a-word",
        "caption/trigger-misspelt",
    }
    assert [result.fails(strict) for strict in (False, True)] == [False, True]


def test_without_album_toml_there_is_a_default_trainer(album):
    (album / "album.toml").unlink()
    result = check(album)
    assert result.settings.trainer.id == KLEIN
    assert result.settings.trainer_origin == "default for a subject album"
    assert result.count("error") == 0


def test_too_few_duplicates_and_empty(album):
    for number in range(4, 12):
        (album / f"IMG_{number:02}.jpg").unlink()
        (album / f"IMG_{number:02}.txt").unlink()
    shutil.copy(album / "IMG_00.jpg", album / "IMG_01.jpg")
    set_in(album, "steps = 1000", "steps = 400")
    found = {f.rule: f.message for f in check(album).findings}
    assert found == {
        "album/too-few-examples": "4 of at least 10 examples that this trainer asks for.",
        "example/exact-duplicate": "the same bytes as IMG_00.jpg.",
    }
    empty = album.parent / "empty"
    empty.mkdir()
    assert rules_of(check(empty)) == {"album/empty": [""]}


def test_half_pairs_and_the_wrong_trainer(tmp_path):
    folder = tmp_path / "edits"
    for number in range(10):
        for side in ("start", "end"):
            picture(folder / f"v{number}_{side}.jpg", number * 20 + (side == "end") * 9)
        (folder / f"v{number}.txt").write_text("turn it blue")
    (folder / "v3_start.jpg").unlink()
    (folder / "v4_end.jpg").unlink()
    found = rules_of(check(folder))
    assert found == {"pair/start-missing": ["v3_end.jpg"], "pair/end-missing": ["v4_start.jpg"]}
    assert "settings/trainer-for-another-kind" in rules_of(check(folder, trainer=KLEIN))


def test_header_cost_leaves_pixel_rules_out_but_uses_the_cache(tmp_path, album):
    data = (album / "IMG_03.jpg").read_bytes()
    (album / "IMG_03.jpg").write_bytes(data[: len(data) // 2])
    old = 1_600_000_000
    for file in album.iterdir():
        os.utime(file, (old, old))
    cache = tmp_path / "facts.sqlite"

    def run(cost):
        return lint_paths([album], cost=cost, cache=FactCache(cache)).albums[0]

    first = run("header")
    assert rules_of(first) == {}
    assert "example/truncated" in first.left_out
    assert first.fails(strict=True) is False
    assert rules_of(run("pixels")) == {"example/truncated": ["IMG_03.jpg"]}
    again = run("header")
    assert (rules_of(again), again.left_out) == ({"example/truncated": ["IMG_03.jpg"]}, [])


def test_one_broken_album_does_not_hide_the_others(album):
    (album.parent / "broken.zip").write_bytes(b"PK nothing")
    report = lint_paths([album.parent / "broken.zip", album], cache=FactCache.none())
    assert [rules_of(a) for a in report.albums] == [{"album/unreadable": [""]}, {}]
    assert report.exit_code() == 1


def test_usage_errors_of_the_api(album):
    with pytest.raises(UsageError):
        lint_paths([album / "nothing"])
    set_in(album, KLEIN, "fal-ai/flux-2-klein-9b-trainer")
    with pytest.raises(ConfigError, match=r"album\.toml line 8: .*flux-2-klein-9b-base-trainer"):
        check(album)


def test_a_link_to_a_folder_is_told(album):
    (album.parent / "more").mkdir()
    try:
        (album / "linked").symlink_to(album.parent / "more", target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    result = check(album)
    assert [(s.path, s.reason) for s in result.skipped] == [
        ("linked", "a link to a folder, which is not followed")
    ]
    assert [result.fails(strict) for strict in (False, True)] == [False, True]


@pytest.mark.parametrize(
    ("written", "asked", "command"),
    [
        (KLEIN, None, "pack cat"),
        (KLEIN, "fal-ai/z-image-trainer", "pack cat --trainer fal-ai/z-image-trainer"),
        ("local", None, "train cat"),
        (KLEIN, "local", "train cat --trainer local"),
    ],
)
def test_the_last_line_is_the_command_that_makes_sense_now(tmp_path, monkeypatch, written, asked, command):
    set_in(good_album(tmp_path / "cat"), KLEIN, written)
    monkeypatch.chdir(tmp_path)
    report = lint_paths([Path("cat")], trainer=asked, selection=Selection(("caption/missing",)))
    assert [line.plain for line in lint_lines(report)][-1] == f"next   albumkit {command}"


def test_the_last_line_of_several_albums(tmp_path, monkeypatch):
    for name in ("my cat", "dog"):
        set_in(good_album(tmp_path / name), KLEIN, "local")
    monkeypatch.chdir(tmp_path)

    def last(*names: str) -> str:
        report = lint_paths(list(map(Path, names)), selection=Selection(("caption/missing",)))
        return lint_lines(report)[-1].plain

    assert last("my cat", "dog") == "next   albumkit train ALBUM"
    assert last("my cat") == 'next   albumkit train "my cat"'
    set_in(tmp_path / "dog", '"local"', f'"{KLEIN}"')
    assert last("my cat", "dog") == "next   albumkit pack ALBUM"
