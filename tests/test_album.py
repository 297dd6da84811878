"""Which files belong together: every convention of names, sidecars, pairs and folders.

Reading an album opens no picture, so most files here are one byte long.
"""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest

from albumkit.album import Album, Example, MediaFile, normalise_caption, read_album
from albumkit.album.names import CLIPS, PICTURES, RAW, Excluder, pair_name, split_name
from albumkit.errors import AlbumError
from albumkit.facts import FactCache
from albumkit.workflows import lint_paths

#: "é" in one character and in two, as macOS may store it.
NFC, NFD = unicodedata.normalize("NFC", "caf\u00e9"), unicodedata.normalize("NFD", "caf\u00e9")


def fill(folder: Path, *names: str, **texts: str) -> Path:
    """One-byte files, and text files given as ``name_txt="..."``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for name, text in texts.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_bytes(text.encode())
    return folder


def roots(album: Album) -> list[str]:
    return [example.root for example in album.examples]


def paths(album: Album) -> list[str]:
    return [example.path for example in album.examples]


def only(album: Album) -> Example:
    assert len(album.examples) == 1
    return album.examples[0]


def text_of(album: Album, index: int = 0) -> str | None:
    caption = album.caption(album.examples[index])
    return caption.text if caption else None


def tells_case_apart(folder: Path) -> bool:
    (folder / "Case").touch()
    return not (folder / "case").exists()


# Pictures and clips


@pytest.mark.parametrize("ending", "jpg jpeg png webp avif tif tiff bmp gif heic heif".split())
def test_pictures_in_any_letter_case(tmp_path, ending):
    for spelt in (ending, ending.upper(), ending.title()):
        folder = fill(tmp_path / spelt, f"IMG_1.{spelt}")
        assert [m.media for m in read_album(folder).media] == ["image"]


@pytest.mark.parametrize("ending", "mp4 mov mkv avi webm".split())
def test_clips_in_any_letter_case(tmp_path, ending):
    for spelt in (ending, ending.upper()):
        album = read_album(fill(tmp_path / spelt, f"walk.{spelt}", walk_txt="a walk"))
        assert [m.media for m in album.media] == ["clip"]
        assert text_of(album) == "a walk"


def test_no_ending_is_two_things():
    assert not PICTURES & CLIPS
    assert not RAW & (PICTURES | CLIPS)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a/b/IMG.1.JPG", ("a/b", "IMG.1", "jpg")),
        ("README", ("", "README", "")),
        ("a.b/.jpg", ("a.b", ".jpg", "")),
        ("x.", ("", "x", "")),
    ],
)
def test_names_are_taken_apart(path, parts):
    assert split_name(path) == parts


def test_a_phones_companions_are_not_mixed_media(tmp_path):
    """A Live Photo's .MOV, Apple's .AAE, .xmp in both spellings, and the RAW that the JPEG was made of."""
    folder = fill(
        tmp_path, "IMG_1.HEIC", "IMG_1.MOV", "IMG_1.AAE", "IMG_1.xmp", "IMG_1.HEIC.xmp", "IMG_1.DNG"
    )
    example = only(album := read_album(folder))
    assert example.path == "IMG_1.HEIC"
    assert sorted(c.path for c in example.companions) == [
        "IMG_1.AAE",
        "IMG_1.DNG",
        "IMG_1.HEIC.xmp",
        "IMG_1.MOV",
        "IMG_1.xmp",
    ]
    assert (album.has_clips, album.others) == (False, ())


def test_a_live_photo_is_recognised_across_letter_case(tmp_path):
    example = only(read_album(fill(tmp_path, "IMG_1.jpg", "img_1.mov")))
    assert [c.path for c in example.companions] == ["img_1.mov"]


def test_a_live_photo_in_a_pair_is_no_clip_either(tmp_path):
    album = read_album(fill(tmp_path, "v_start.HEIC", "v_start.MOV", "v_end.HEIC", "v_end.MOV"))
    assert {c.path for c in only(album).companions} == {"v_start.MOV", "v_end.MOV"}
    assert album.has_clips is False


def test_a_mov_of_its_own_and_an_mp4_beside_a_picture_are_clips(tmp_path):
    album = read_album(fill(tmp_path, "a.jpg", "b.MOV", "a.mp4"))
    assert [(m.path, m.media) for m in album.media] == [
        ("a.jpg", "image"),
        ("a.mp4", "clip"),
        ("b.MOV", "clip"),
    ]


def test_a_lonely_raw_is_a_picture_to_complain_about(tmp_path):
    album = read_album(fill(tmp_path, "IMG_1.CR2", "IMG_1.xmp", "IMG_1.AAE", "IMG_2.AAE"))
    assert only(album).target == MediaFile(album.entries["IMG_1.CR2"], "image")
    assert {c.path for c in only(album).companions} == {"IMG_1.xmp", "IMG_1.AAE"}
    assert [e.path for e in album.others] == ["IMG_2.AAE"]


def test_a_raw_is_not_taken_for_the_preview_inside_it(tmp_path, make_picture):
    """A .dng is a TIFF with a thumbnail in front; Pillow opens that happily."""
    make_picture(tmp_path / "IMG_1.dng", format="TIFF")
    (album,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    messages = {f.rule: f.message for f in album.findings}
    assert messages["example/unreadable"].startswith("camera RAW, which no trainer reads")
    assert not {h.rule for h in album.handled}


def test_foreign_files_are_left_alone(tmp_path):
    album = read_album(fill(tmp_path, "a.jpg", "Thumbs.db", "notes.md", "model.safetensors", "README"))
    assert paths(album) == ["a.jpg"]
    assert [e.path for e in album.others] == ["README", "Thumbs.db", "model.safetensors", "notes.md"]


# Captions


def test_captions_beside_pictures_in_any_case(tmp_path):
    folder = fill(tmp_path, "IMG_1.JPG", "b.png", "C.Webp")
    (folder / "IMG_1.TXT").write_text("one")
    (folder / "b.Caption").write_text("two")
    (folder / "c.txt").write_text("three")
    album = read_album(folder)
    assert dict(zip(paths(album), (text_of(album, i) for i in range(3)), strict=True)) == {
        "C.Webp": "three",
        "IMG_1.JPG": "one",
        "b.png": "two",
    }
    assert album.orphan_captions == ()


def test_an_orphan_caption_is_named(tmp_path):
    album = read_album(fill(tmp_path, "a.jpg", a_txt="yes", b_txt="no picture"))
    assert [e.path for e in album.orphan_captions] == ["b.txt"]


def test_precedence_of_caption_sources(tmp_path):
    """.txt, then .caption, then metadata.csv and .jsonl in path order, then kohya's file."""
    folder = fill(tmp_path, "a.jpg", a_txt="from txt", a_caption="from caption")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.jpg", "text": "from jsonl"}\n')
    (folder / "metadata.csv").write_text("file_name,text\na.jpg,from csv\n")
    (folder / "meta_cap.json").write_text('{"a": {"caption": "from kohya"}}')
    seen = []
    for gone in ("a.txt", "a.caption", "metadata.csv", "metadata.jsonl", "meta_cap.json"):
        album = read_album(folder)
        seen.append(text_of(album))
        assert len(only(album).other_captions) == 5 - len(seen)
        (folder / gone).unlink()
    assert seen == ["from txt", "from caption", "from csv", "from jsonl", "from kohya"]
    assert text_of(read_album(folder)) is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a\r\nb  \r\n\r\n", "a\nb"),
        ("a\rb", "a\nb"),
        (" \t a photo \n", "a photo"),
        ("one\n\ntwo   \nthree", "one\n\ntwo\nthree"),
        (" \n\t", ""),
    ],
)
def test_captions_are_compared_with_lf_and_without_trailing_blanks(tmp_path, raw, text):
    assert normalise_caption(raw) == text == normalise_caption(text)
    assert text_of(read_album(fill(tmp_path, "a.jpg", a_txt=raw))) == text


def test_metadata_jsonl_names_files_below_it(tmp_path):
    folder = fill(tmp_path, "train/a.jpg", "train/sub/b.jpg", "a.jpg")
    rows = [
        {"file_name": "./a.jpg", "caption": "a in train"},
        {"file_name": "sub/b.jpg", "prompt": "b below"},
        {"file_name": 5, "text": "not a name"},
        ["no", "row"],
    ]
    (folder / "train" / "metadata.jsonl").write_text("\n".join(json.dumps(r) for r in rows) + "\n\n")
    album = read_album(folder)
    assert [(e.path, album.caption(e) and album.caption(e).text) for e in album.examples] == [
        ("a.jpg", None),
        ("train/a.jpg", "a in train"),
        ("train/sub/b.jpg", "b below"),
    ]
    assert album.caption(album.examples[1]).source.line == 1


def test_metadata_csv_with_quotes_and_a_byte_order_mark(tmp_path):
    folder = fill(tmp_path, "a.jpg")
    (folder / "metadata.csv").write_bytes(
        b'\xef\xbb\xbffile_name,text\r\na.jpg,"a ""TOK"", on\r\na table"\r\n'
    )
    assert text_of(read_album(folder)) == 'a "TOK", on\na table'


def test_metadata_tells_pictures_of_one_root_apart(tmp_path):
    """a.jpg and a.png share their sidecars, but not their rows."""
    folder = fill(tmp_path, "a.jpg", "a.png")
    (folder / "metadata.csv").write_text("file_name,text\na.jpg,the jpeg\na.png,the png\n")
    album = read_album(folder)
    assert [text_of(album, 0), text_of(album, 1)] == ["the jpeg", "the png"]


@pytest.mark.parametrize("key", ["a", "a.jpg", "/home/somebody/train/a.jpg", "C:\\train\\a.jpg", ".\\a"])
def test_kohya_json_keys(tmp_path, key):
    folder = fill(tmp_path, "a.jpg")
    (folder / "meta_lat.json").write_text(json.dumps({key: {"caption": "a cat", "tags": "cat, sofa"}}))
    assert text_of(read_album(folder)) == "a cat, cat, sofa"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("metadata.jsonl", b'{"file_name": "a.jpg", "text": "x"}\n{"file_name": \n', "line 2 is not JSON"),
        ("metadata.jsonl", b'{"file_name": "a.jpg", "text": "caf\xe9"}\n', "is not UTF-8"),
        ("metadata.jsonl", b"[" * 100_000, "line 1 is not JSON"),
        ("metadata.jsonl", b"1" * 5000, "line 1 is not JSON"),
        ("metadata.csv", b"file_name,text\na.jpg," + b"x" * 140_000 + b"\n", "line 2: field larger"),
    ],
)
def test_metadata_that_cannot_be_used_is_a_problem_with_its_place(tmp_path, name, data, words):
    (fill(tmp_path, "a.jpg") / name).write_bytes(data)
    album = read_album(tmp_path)
    assert len(album.problems) == 1
    assert album.problems[0].startswith(f"{name}: {words}")
    (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    assert [f.message for f in result.findings if f.rule == "album/unreadable"] == list(album.problems)


@pytest.mark.parametrize("data", [b"{", b"[1, 2]", b'{"a": 1}', b'{"a": {"steps": 3}}', b"1" * 5000, b"\xff"])
def test_any_other_json_is_somebody_elses(tmp_path, data):
    (fill(tmp_path, "a.jpg") / "workflow.json").write_bytes(data)
    album = read_album(tmp_path)
    assert (album.problems, [e.path for e in album.others]) == ((), ["workflow.json"])


def test_half_a_character_in_json_becomes_a_question_mark(tmp_path):
    folder = fill(tmp_path, "a.jpg")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.jpg", "text": "TOK \\ud800 cat"}')
    assert text_of(read_album(folder)) == "TOK ? cat"


# Masks


@pytest.mark.parametrize(
    "mask", ["masks/a.png", "Masks/a.PNG", "a.mask.png", "a-masklabel.png", "masks/A.png"]
)
def test_masks_in_three_places(tmp_path, mask):
    album = read_album(fill(tmp_path, "a.jpg", mask))
    assert only(album).mask.path == mask
    assert album.orphan_masks == ()


def test_masks_of_pictures_in_folders(tmp_path):
    album = read_album(fill(tmp_path, "10_tok/a.jpg", "10_tok/masks/a.png", "b/c.jpg", "masks/b/c.png"))
    assert [e.mask.path for e in album.examples] == ["10_tok/masks/a.png", "masks/b/c.png"]


@pytest.mark.parametrize("root", ["a", "zebra"])
def test_the_first_place_wins_and_the_rest_is_no_picture(tmp_path, root):
    names = [f"{root}-masklabel.png", f"{root}.mask.png", f"masks/{root}.png"]
    folder = fill(tmp_path, f"{root}.jpg", *names)
    for number in (2, 1, 0):
        album = read_album(folder)
        assert only(album).mask.path == names[number]
        assert sorted(e.path for e in album.others) == names[:number]
        (folder / names[number]).unlink()


def test_an_orphan_mask_is_not_learnt_as_a_picture(tmp_path):
    album = read_album(fill(tmp_path, "a.jpg", "masks/b.png"))
    assert paths(album) == ["a.jpg"]
    assert [e.path for e in album.orphan_masks] == ["masks/b.png"]


# Pairs


def test_pairs_by_name_with_references_in_order(tmp_path):
    names = [f"vase_{side}.png" for side in ("start4", "end", "start3", "start", "start2")]
    folder = fill(tmp_path, *names, "masks/vase.png", vase_txt="make it blue")
    pair = only(album := read_album(folder))
    assert (pair.root, pair.is_pair, album.has_pairs) == ("vase", True, True)
    assert (pair.target.path, pair.start.path) == ("vase_end.png", "vase_start.png")
    assert [r.path for r in pair.references] == ["vase_start2.png", "vase_start3.png", "vase_start4.png"]
    assert [m.role for m in pair.media] == ["target", "start", "reference", "reference", "reference"]
    assert text_of(album) == "make it blue"
    assert pair.mask.path == "masks/vase.png"


def test_a_pairs_caption_may_be_called_after_its_end(tmp_path):
    assert text_of(read_album(fill(tmp_path, "a_start.png", "a_end.png", a_end_txt="turn it"))) == "turn it"


@pytest.mark.parametrize(
    ("sides", "references"),
    [
        (("target", "control"), 0),
        (("target", "control1", "control2"), 1),
        (("target", "control", "control_2", "control_10"), 2),
        (("main", "control_1"), 0),
        (("Main", "Control_1", "Control_2"), 1),
    ],
)
def test_pairs_in_folders(tmp_path, sides, references):
    end, *controls = sides
    for root in ("one", "two"):
        fill(tmp_path, *(f"{side}/{root}.png" for side in sides))
        (tmp_path / end / f"{root}.txt").write_text(f"edit {root}")
    album = read_album(tmp_path)
    assert roots(album) == ["one", "two"]
    for example in album.examples:
        assert example.target.path == f"{end}/{example.root}.png"
        assert example.start.path == f"{controls[0]}/{example.root}.png"
        assert [r.path for r in example.references] == [f"{c}/{example.root}.png" for c in controls[1:]]
        assert len(example.references) == references
        assert album.caption(example).text == f"edit {example.root}"


def test_a_pair_in_folders_may_differ_in_format(tmp_path):
    pair = only(read_album(fill(tmp_path, "set/target/a.png", "set/control/a.jpg")))
    assert (pair.root, pair.target.path, pair.start.path) == (
        "set/a",
        "set/target/a.png",
        "set/control/a.jpg",
    )


def test_half_pairs_count_where_there_is_a_whole_one(tmp_path):
    album = read_album(fill(tmp_path, "a_start.png", "a_end.png", "b_start.png", "c_end.png", "d_start2.png"))
    assert [(e.root, e.start is None, e.target is None) for e in album.examples] == [
        ("a", False, False),
        ("b", False, True),
        ("c", True, False),
        ("d", True, True),
    ]


def test_the_name_week_end_alone_is_no_pair(tmp_path):
    folder = fill(tmp_path, "week_end.jpg", "kick_start.jpg", "cat.jpg")
    album = read_album(folder)
    assert roots(album) == ["cat", "kick_start", "week_end"]
    assert album.has_pairs is False
    assert [e.is_pair for e in read_album(folder, pairs=False).examples] == [False] * 3
    edit = read_album(folder, pairs=True)
    assert [(e.root, e.is_pair) for e in edit.examples] == [("cat", False), ("kick", True), ("week", True)]


def test_kind_decides_whether_half_pairs_are_judged(tmp_path, make_picture):
    for name in ("week_end", "cat"):
        make_picture(tmp_path / f"{name}.jpg")
    for kind, expected in (("subject", set()), ("edit", {"week_end.jpg"})):
        (tmp_path / "album.toml").write_text(f'[album]\nkind = "{kind}"\n')
        (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
        assert {f.path for f in result.findings if f.rule == "pair/start-missing"} == expected


def test_a_second_file_for_one_side_stays_a_picture(tmp_path):
    album = read_album(fill(tmp_path, "a_start.png", "a_end.jpg", "a_end.png"))
    assert [(e.root, e.is_pair) for e in album.examples] == [("a", True), ("a_end", False)]


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("vase_start", ("vase", "start", 1)),
        ("Vase_START2", ("Vase", "start", 2)),
        ("a_start_end", ("a_start", "end", 0)),
        ("a_start12", ("a", "start", 12)),
        ("_end", None),
        ("a_start1", None),
        ("a_start0", None),
        ("end", None),
        ("legend", None),
        ("a_start" + "9" * 5000, None),
    ],
)
def test_pair_names(stem, expected):
    found = pair_name(stem)
    assert (found and (found.root, found.role, found.number)) == expected


# kohya's folders


@pytest.mark.parametrize(
    ("folder", "repeats"), [("10_tok cat", 10), ("1_x", 1), ("0_x", 1), ("2024_holiday", 1), ("cat_10", 1)]
)
def test_kohya_folders_carry_repeats(tmp_path, folder, repeats):
    example = only(read_album(fill(tmp_path, f"img/{folder}/a.jpg")))
    assert (example.repeats, example.root) == (repeats, f"img/{folder}/a")


# exclude


@pytest.mark.parametrize(
    ("pattern", "hit", "missed"),
    [
        ("rejects/*", ["rejects/a.jpg", "rejects/sub/a.jpg"], ["a/rejects/a.jpg", "rejects.jpg"]),
        ("rejects", ["rejects/a.jpg", "x/rejects/a.jpg"], ["rejects2/a.jpg", "rejects.jpg"]),
        ("rejects/", ["rejects/a.jpg"], ["rejects2/a.jpg"]),
        ("/rejects", ["rejects/a.jpg"], ["x/rejects/a.jpg"]),
        ("./a.jpg", ["a.jpg"], ["x/a.jpg"]),
        ("IMG_04*", ["IMG_0415.jpg", "x/IMG_0416.txt"], ["IMG_05.jpg", "XIMG_04.jpg"]),
        ("*/b.jpg", ["a/b.jpg"], ["b.jpg", "a/c/b.jpg"]),
        ("**/b.jpg", ["b.jpg", "a/b.jpg", "a/c/b.jpg"], ["ab.jpg"]),
        ("a/**/z.jpg", ["a/z.jpg", "a/b/c/z.jpg"], ["b/a/z.jpg"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
        ("?.jpg", ["a.jpg", "x/b.jpg"], ["ab.jpg", ".jpg"]),
        ("[ab].jpg", ["a.jpg", "b.jpg"], ["c.jpg", "[ab].jpg"]),
        ("[!ab].jpg", ["c.jpg"], ["a.jpg"]),
        ("x[!a]y", ["xby"], ["x/y", "xay"]),
        ("[z-a].jpg", ["[z-a].jpg"], ["b.jpg"]),
        ("[^a].jpg", ["^.jpg", "a.jpg"], ["b.jpg"]),
        ("[[a].jpg", ["[.jpg", "a.jpg"], ["b.jpg"]),
        ("[a.jpg", ["[a.jpg"], ["a.jpg"]),
        ("a+(b).jpg", ["a+(b).jpg"], ["aab.jpg"]),
        ("cat.jpg", ["cat.jpg"], ["Cat.jpg", "catxjpg"]),
        (f"{NFC}.jpg", [f"{NFD}.jpg", f"{NFC}.jpg"], ["cafe.jpg"]),
        ("a*b", ["a\nb"], []),
        ("", [], ["a.jpg", "a/b.jpg"]),
    ],
)
def test_exclude_globs(pattern, hit, missed):
    excluded = Excluder([pattern])
    assert [p for p in hit + missed if excluded(p)] == hit


def test_an_excluded_file_is_no_sidecar_pair_or_problem(tmp_path):
    folder = fill(tmp_path, "a.jpg", "rejects/b.jpg", "v_start.jpg", "v_end.jpg", a_txt="a", b_txt="b")
    (folder / "metadata.jsonl").write_text("broken")
    album = read_album(folder, exclude=["rejects/*", "v_*", "metadata.*", "a.txt"])
    assert paths(album) == ["a.jpg"]
    assert (text_of(album), album.problems) == (None, ())
    assert "a.txt" not in album.entries


# Links, hidden names, Unicode, letter case


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path):
    fill(tmp_path / "elsewhere", "b.jpg", "c.jpg")
    folder = fill(tmp_path / "album", "a.jpg")
    (folder / "linked.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (folder / "round.jpg").symlink_to(folder / "round.jpg")
    (folder / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "self").symlink_to(folder, target_is_directory=True)
    album = read_album(folder)
    assert paths(album) == ["a.jpg", "gone.jpg", "linked.jpg", "round.jpg"]
    problems = {e.path: e.target.entry.problem for e in album.examples}
    assert [p for p, problem in problems.items() if not problem] == ["a.jpg", "linked.jpg"]
    assert "a link to a file that is not there" in problems["gone.jpg"]
    assert sorted(album.source.skipped_links) == ["more", "self"]


def test_a_broken_link_is_a_finding(tmp_path, make_picture):
    make_picture(tmp_path / "a.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    assert [(f.path, f.message) for f in result.findings if f.rule == "example/unreadable"] == [
        ("gone.jpg", "a link to a file that is not there.")
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on Unix only")
def test_a_pipe_is_never_opened(tmp_path, make_picture):
    make_picture(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "b.jpg")
    os.mkfifo(tmp_path / "a.txt")
    (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    found = {f.rule: f.message for f in result.findings}
    assert found["example/unreadable"] == "a device, pipe or socket, not a file."
    assert "a device, pipe or socket" in found["caption/unreadable"]


def test_hidden_files_are_passed_over(tmp_path):
    folder = fill(
        tmp_path, "a.jpg", "._a.jpg", ".DS_Store", ".thumbs/a.jpg", "__MACOSX/a.jpg", ".albumkit/j.json"
    )
    album = read_album(folder)
    assert list(album.entries) == ["a.jpg"]


@pytest.mark.parametrize(("picture", "sidecar"), [(NFC, NFD), (NFD, NFC)])
def test_unicode_forms_of_one_name_belong_together(tmp_path, picture, sidecar):
    folder = fill(tmp_path, f"{picture}.jpg", f"masks/{sidecar}.png", f"{sidecar}.AAE")
    (folder / f"{sidecar}.txt").write_text("coffee")
    example = only(album := read_album(folder))
    assert example.path == f"{picture}.jpg"
    assert text_of(album) == "coffee"
    assert example.mask.path == f"masks/{sidecar}.png"
    assert len(example.companions) == 1


def test_unicode_forms_in_pairs_and_metadata(tmp_path):
    folder = fill(tmp_path, f"{NFC}_start.jpg", f"{NFD}_end.jpg", f"{NFD}.jpg")
    (folder / "metadata.csv").write_text(f"file_name,text\n{NFC}.jpg,coffee\n", encoding="utf-8")
    pair, plain = sorted(read_album(folder).examples, key=lambda e: not e.is_pair)
    assert (pair.start is not None, pair.target is not None) == (True, True)
    assert plain.caption.text == "coffee"


def test_letter_case_alone_may_tell_two_pictures_apart(tmp_path):
    if not tells_case_apart(tmp_path):
        pytest.skip("this file system does not tell a.jpg from A.jpg")
    (tmp_path / "Case").unlink()
    folder = fill(tmp_path, "a.jpg", "A.jpg", a_txt="small")
    album = read_album(folder)
    assert [(e.path, album.caption(e) and album.caption(e).text) for e in album.examples] == [
        ("A.jpg", None),
        ("a.jpg", "small"),
    ]
    (folder / "A.txt").write_text("large")
    album = read_album(folder)
    assert [album.caption(e).text for e in album.examples] == ["large", "small"]
    (folder / "A.TXT").write_text("louder")
    album = read_album(folder)
    assert [album.caption(e).text for e in album.examples] == ["large", "small"]
    assert [e.path for e in album.others] == ["A.TXT"]


def test_one_caption_serves_two_pictures_of_one_root(tmp_path):
    album = read_album(fill(tmp_path, "a.jpg", "a.png", A_TXT="both"))
    assert [text_of(album, 0), text_of(album, 1)] == ["both", "both"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no names that are not Unicode")
def test_a_name_that_is_not_utf8(tmp_path, make_picture):
    name = os.fsdecode(b"caf\xe9.jpg")
    make_picture(tmp_path / name)
    for _ in range(2):  # the second time with a cache that could not take the name
        (result,) = lint_paths([tmp_path]).albums
        assert {f.path for f in result.findings if f.path} == {name}


# What cannot be read


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(AlbumError, match="there is no such folder or zip"):
        read_album(tmp_path / "nothing")


def deny(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As if ``folder`` could not be listed (permissions do not bind the root user, whom CI may be)."""
    real = os.scandir

    def scandir(path):
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_inside_that_cannot_be_listed(tmp_path, monkeypatch, make_picture):
    make_picture(tmp_path / "a.jpg")
    make_picture(tmp_path / "secret" / "b.jpg")
    deny(monkeypatch, tmp_path / "secret")
    (result,) = lint_paths([tmp_path], cache=FactCache.none()).albums
    assert [f.message for f in result.findings if f.rule == "album/unreadable"] == [
        "secret: Permission denied"
    ]
    assert (result.examples, result.fails()) == (1, True)


def test_an_album_that_cannot_be_listed(tmp_path, monkeypatch, make_picture):
    make_picture(tmp_path / "cat" / "a.jpg")
    deny(monkeypatch, tmp_path / "cat")
    (result,) = lint_paths([tmp_path / "cat"], cache=FactCache.none()).albums
    assert [(f.rule, "Permission denied" in f.message) for f in result.findings] == [
        ("album/unreadable", True)
    ]


def test_only_tracked_files_exist(tmp_path):
    folder = fill(tmp_path, "a.jpg", "b.jpg", "sub/c.jpg", a_txt="a", b_txt="b")
    album = read_album(folder, tracked=frozenset({"a.jpg", "b.txt", "sub/c.jpg"}))
    assert list(album.entries) == ["a.jpg", "b.txt", "sub/c.jpg"]
    assert text_of(album) is None
