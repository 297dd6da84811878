"""Which files belong together: pictures, clips and their companions, captions, masks.

Reading an album opens no picture, so most files here are one byte long.
"""

from __future__ import annotations

import json

import pytest
from albums import only, paths, text_of
from corpus import fill

from albumkit.album import MediaFile, normalise_caption, read_album
from albumkit.album.names import CLIPS, PICTURES, RAW, split_name
from albumkit.facts import FactCache
from albumkit.workflows import lint_paths

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
