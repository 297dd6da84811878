"""Fixes that rename or leave out: endings, portable names, exclude, and whatever names the files."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from fix_albums import apply, draft, jpeg, picture, put, said, texts
from PIL import features

from albumkit.fix.names import ENDINGS
from albumkit.fix.undo import undo
from albumkit.journal import locked
from albumkit.opening import open_album


def names(folder: Path) -> list[str]:
    return list(texts(folder))


def test_everything_of_a_picture_moves_together(tmp_path):
    cat = put(
        tmp_path / "cat",
        {
            "IMG 1.HEIC": jpeg(1),
            "IMG 1.MOV": b"moving",
            "img 1.txt": "a cat",
            "IMG 1.AAE": b"x",
            "IMG 1.HEIC.xmp": b"x",
            "IMG 1-masklabel.png": picture("PNG"),
            "IMG 1.npz": b"cache",
            "masks/IMG 1.png": picture("PNG", 9),
            "IMG_2.jpg": jpeg(2),
            "album.toml": '[album]\nkind = "subject"\n',
        },
    )
    plan = apply(cat, {"portable-name": ["IMG 1.HEIC"]})
    assert plan.refusals == ()
    assert names(cat) == [
        "IMG_1-masklabel.png",
        "IMG_1.AAE",
        "IMG_1.HEIC",
        "IMG_1.HEIC.xmp",
        "IMG_1.MOV",
        "IMG_1.npz",
        "IMG_1.txt",
        "IMG_2.jpg",
        "album.toml",
        "masks/IMG_1.png",
    ]
    assert said(plan)[0][0] == "IMG 1.HEIC"
    assert said(plan)[0][1].startswith("-> IMG_1.HEIC (with IMG 1-masklabel.png, IMG 1.AAE")
    example = open_album(cat).album.examples[0]
    assert example.mask is not None
    assert example.caption is not None
    assert len(example.companions) == 3


def test_the_sides_of_a_pair_keep_their_parts(tmp_path):
    sides = ("_start.png", "_end.png", "_start2.png", ".txt")
    cat = put(
        tmp_path / "cat",
        {f"caf\u00e9 1{s}": picture("PNG", n) if "png" in s else "x" for n, s in enumerate(sides)},
    )
    apply(cat, {"portable-name": ["caf\u00e9 1_end.png"]})
    assert names(cat) == ["cafe_1.txt", "cafe_1_end.png", "cafe_1_start.png", "cafe_1_start2.png"]
    assert open_album(cat).album.examples[0].root == "cafe_1"


def test_the_sides_of_a_pair_in_folders(tmp_path):
    cat = put(
        tmp_path / "cat",
        {"control/a b.png": picture("PNG", 1), "target/a b.png": picture("PNG", 2), "target/a b.txt": "x"},
    )
    apply(cat, {"portable-name": ["target/a b.png"]})
    assert names(cat) == ["control/a_b.png", "target/a_b.png", "target/a_b.txt"]


def test_pictures_of_one_name_move_together(tmp_path):
    cat = put(tmp_path / "cat", {"a b.jpg": jpeg(1), "a b.png": picture("PNG"), "a b.txt": "x"})
    apply(cat, {"portable-name": ["a b.jpg"]})
    assert names(cat) == ["a_b.jpg", "a_b.png", "a_b.txt"]


@pytest.mark.parametrize("taken", ["IMG_1.png", "img_1.TXT", ".IMG_1"])
def test_a_name_that_is_taken_gets_a_number(tmp_path, taken):
    cat = put(tmp_path / "cat", {"IMG 1.jpg": jpeg(1), "IMG 1.txt": "mine", taken: picture("PNG")})
    apply(cat, {"portable-name": ["IMG 1.jpg"]})
    root = "IMG_1" if taken in (".IMG_1", "IMG_1.png") else "IMG_1-2"
    assert {f"{root}.jpg", f"{root}.txt"} <= set(names(cat))
    assert (cat / taken).exists()
    assert (cat / f"{root}.txt").read_bytes() == b"mine"


def test_a_new_name_is_not_taken_for_a_part_of_a_pair_or_a_mask(tmp_path):
    cat = put(tmp_path / "cat", {"x_st\u00e1rt.jpg": jpeg(1), "y.m\u00e1sk.jpg": jpeg(2)})
    apply(cat, {"portable-name": ["x_st\u00e1rt.jpg", "y.m\u00e1sk.jpg"]})
    assert names(cat) == ["x_start-2.jpg", "y.mask-2.jpg"]


def test_a_name_that_exclude_would_take_is_not_given(tmp_path):
    cat = put(
        tmp_path / "cat",
        {"album.toml": '[album]\nexclude = ["IMG_*"]\n', "IMG 1.jpg": jpeg(1), "IMG 1.txt": "x"},
    )
    plan = apply(cat, {"portable-name": ["IMG 1.jpg"]})
    assert not plan.changes
    assert [r.reason for r in plan.refusals] == ["every name like IMG_1 is taken"]


def test_names_that_cannot_be_mended_are_told(tmp_path):
    cat = put(tmp_path / "cat", {"my cats/IMG_1.jpg": jpeg(1), "odd name.doc": b"x"})
    plan = apply(cat, {"portable-name": ["my cats/IMG_1.jpg", "odd name.doc"]})
    assert sorted((r.path, r.reason) for r in plan.refusals) == [
        ("my cats/IMG_1.jpg", "its name is portable; rename the folder that it lies in yourself"),
        ("odd name.doc", "it belongs to no picture: rename it yourself"),
    ]


def test_long_names_become_short(tmp_path):
    cat = put(tmp_path / "cat", {f"{'x ' * 70}.jpg": jpeg(1)})
    apply(cat, {"portable-name": [f"{'x ' * 70}.jpg"]})
    assert len(names(cat)[0]) <= 100


def test_a_link_to_a_renamed_file_would_lead_nowhere(tmp_path):
    cat = put(tmp_path / "cat", {"a b.jpg": jpeg(1)})
    (cat / "c.jpg").symlink_to("a b.jpg")
    plan = apply(cat, {"portable-name": ["a b.jpg"]})
    assert [r.reason for r in plan.refusals] == ["c.jpg is a link to a b.jpg, and would lead nowhere"]


def test_metadata_follows_the_new_names(tmp_path):
    jsonl = '{"file_name":"./IMG 1.jpg",  "text":"a"}\n{"file_name":"b.jpg","text":"IMG 1.jpg"}\n'
    cat = put(
        tmp_path / "cat",
        {
            "IMG 1.jpg": jpeg(1),
            "b.jpg": jpeg(2),
            "metadata.jsonl": jsonl,
            "metadata.csv": 'file_name,text\r\n"IMG 1.jpg","a, b"\r\nb.jpg,c\r\n',
            "kohya.json": '{"/home/me/IMG 1": {"caption": "x"}, "C:\\\\d\\\\b.jpg": {"caption": "y"}}',
            "other.json": "[not json",
        },
    )
    apply(cat, {"portable-name": ["IMG 1.jpg"]})
    now = texts(cat)
    assert now["metadata.jsonl"].decode() == jsonl.replace("./IMG 1", "./IMG_1")
    assert now["metadata.csv"] == b'file_name,text\r\nIMG_1.jpg,"a, b"\r\nb.jpg,c\r\n'
    assert now["kohya.json"].decode().startswith('{"/home/me/IMG_1": {"caption": "x"}')
    album = open_album(cat).album
    assert [album.caption(example).text for example in album.examples] == ["a, b", "y"]


def test_metadata_that_cannot_follow_keeps_the_names(tmp_path, monkeypatch):
    from albumkit.fix.draft import Cannot

    def refuse(*_):
        raise Cannot("a row of it cannot be written again as it is")

    monkeypatch.setattr("albumkit.fix.references.edit_csv", refuse)
    cat = put(tmp_path / "cat", {"a b.jpg": jpeg(1), "metadata.csv": "file_name,text\na b.jpg,x\n"})
    plan = apply(cat, {"portable-name": ["a b.jpg"]})
    assert not plan.changes
    assert not plan.edits
    assert "metadata.csv names the files, and a row of it" in plan.refusals[0].reason


GLOBS = """\
[[lint.ignore]]
rule = "example/unreadable"
reason = "r"
paths = [
  "IMG 1.jpg",   # exact
  "./IMG 1.*",
  "IMG ?.*",
  "*.jpg",
  "b.jpg",
]
"""


def test_ignores_follow_the_new_names(tmp_path):
    cat = put(
        tmp_path / "cat",
        {"IMG 1.jpg": jpeg(1), "IMG 1.txt": "x", "IMG 2.jpg": jpeg(2), "b.jpg": jpeg(3), "album.toml": GLOBS},
    )
    apply(cat, {"portable-name": ["IMG 1.jpg"]})
    text = (cat / "album.toml").read_text()
    assert text.startswith(GLOBS.replace("IMG 1", "IMG_1").rpartition("]\n")[0])
    assert tomllib.loads(text)["lint"]["ignore"][0]["paths"] == [
        "IMG_1.jpg",
        "./IMG_1.*",
        "IMG ?.*",
        "*.jpg",
        "b.jpg",
    ]
    assert open_album(cat).config.ignores[0].paths[0] == "IMG_1.jpg"


def test_a_glob_for_several_gets_company(tmp_path):
    toml = '[[lint.ignore]]\nrule = "example/unreadable"\nreason = "r"\npaths = ["IMG [12].*"]\n'
    cat = put(tmp_path / "cat", {"IMG 1.jpg": jpeg(1), "IMG 2.jpg": jpeg(2), "album.toml": toml})
    apply(cat, {"portable-name": ["IMG 1.jpg"]})
    assert open_album(cat).config.ignores[0].paths == ("IMG [12].*", "./IMG_1.jpg")


@pytest.mark.parametrize("kind", sorted(set(ENDINGS) - {"HEIF"}))
def test_the_ending_follows_the_content(tmp_path, kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    cat = put(tmp_path / "cat", {"a.xpm": picture(kind), "a.txt": "x"})
    plan = apply(cat, {"extension": ["a.xpm"]})
    assert names(cat) == [f"a.{ENDINGS[kind][0]}", "a.txt"] or names(cat) == [
        "a.txt",
        f"a.{ENDINGS[kind][0]}",
    ]
    assert plan.edits[0].words.startswith(f"-> a.{ENDINGS[kind][0]}: it is ")


def test_an_ending_of_the_right_kind_stays(tmp_path):
    cat = put(tmp_path / "cat", {"a.JPEG": jpeg(1), "b.jfif": jpeg(2)})
    assert apply(cat, {"extension": ["a.JPEG", "b.jfif"]}).changes == ()


def test_sidecars_that_repeat_the_whole_name_move_too(tmp_path):
    cat = put(
        tmp_path / "cat", {"a.png": jpeg(1), "a.png.xmp": b"x", "a.xmp": b"y", "masks/a.png": picture("PNG")}
    )
    apply(cat, {"extension": ["a.png"]})
    assert names(cat) == ["a.jpg", "a.jpg.xmp", "a.xmp", "masks/a.png"]


def test_an_ending_that_is_taken_is_told(tmp_path):
    cat = put(tmp_path / "cat", {"a.png": jpeg(1), "a.JPG": jpeg(2), "b.png": b"no picture"})
    plan = apply(cat, {"extension": ["a.png", "b.png"]})
    assert [(r.path, r.reason) for r in plan.refusals] == [
        ("a.png", "a.jpg is already there"),
        ("b.png", "not a picture that can be read"),
    ]
    assert not plan.changes


def test_two_pictures_do_not_change_places(tmp_path):
    """The order of the renames would matter."""
    cat = put(tmp_path / "cat", {"a.png": jpeg(1), "a.jpg": picture("PNG", 2)})
    plan = apply(cat, {"extension": ["a.png", "a.jpg"]})
    assert [r.reason for r in plan.refusals] == ["a.png is already there", "a.jpg is already there"]
    assert not plan.changes


def test_ending_and_name_change_in_one_go_and_back(tmp_path):
    cat = put(
        tmp_path / "cat",
        {"a b.png": jpeg(1), "a b.txt": "x", "metadata.jsonl": '{"file_name": "a b.png", "text": "y"}\n'},
    )
    before = texts(cat)
    plan = apply(cat, {"extension": ["a b.png"], "portable-name": ["a b.png"]})
    assert names(cat) == ["a_b.jpg", "a_b.txt", "metadata.jsonl"]
    assert texts(cat)["metadata.jsonl"] == b'{"file_name": "a_b.jpg", "text": "y"}\n'
    assert said(plan)[:3] == [
        ("a b.png", "-> a b.jpg: it is JPEG"),
        ("metadata.jsonl", "follows the new names"),
        ("a b.jpg", "-> a_b.jpg (with a b.txt)"),
    ]
    with locked(cat) as workplace:
        undo(cat, workplace, "cat")
    assert texts(cat) == before


def excluded(folder: Path) -> tuple[str, ...]:
    return open_album(folder).config.album.exclude


def test_an_example_is_left_out_with_all_of_its_files(tmp_path):
    toml = '[album]\nkind = "subject"   # cats\nexclude = ["rejects/*"]\n'
    cat = put(
        tmp_path / "cat",
        {
            "album.toml": toml,
            "a.jpg": jpeg(1),
            "a.txt": "x",
            "masks/a.png": picture("PNG"),
            "b.jpg": jpeg(2),
            "b.txt": "y",
            "sub/a.jpg": jpeg(3),
            "sub/a.txt": "z",
        },
    )
    before = texts(cat)
    plan = apply(cat, {"exclude": ["a.jpg"]})
    assert excluded(cat) == ("rejects/*", "./a.*", "masks/a.png")
    album = open_album(cat).album
    assert [example.path for example in album.examples] == ["b.jpg", "sub/a.jpg"]
    assert not album.orphan_captions
    assert not album.orphan_masks
    assert {k: v for k, v in texts(cat).items() if k != "album.toml"} == {
        k: v for k, v in before.items() if k != "album.toml"
    }
    assert plan.edits[0].words == "left out of every command; its files stay"


def test_what_another_example_needs_is_not_left_out(tmp_path):
    cat = put(
        tmp_path / "cat", {"a.jpg": jpeg(1), "a.png": picture("PNG"), "a.txt": "x", "c[1].jpg": jpeg(2)}
    )
    apply(cat, {"exclude": ["a.jpg", "c[1].jpg"]})
    assert excluded(cat) == ("./a.jpg", "./c[[]1].jpg")
    album = open_album(cat).album
    assert [example.path for example in album.examples] == ["a.png"]
    assert album.examples[0].caption is not None


def test_a_pair_is_left_out_as_a_whole(tmp_path):
    cat = put(
        tmp_path / "cat",
        {
            f"{r}_{s}.png": picture("PNG", n)
            for n, (r, s) in enumerate((r, s) for r in "vw" for s in ("start", "end"))
        },
    )
    apply(cat, {"exclude": ["v_start.png"]})
    assert [example.root for example in open_album(cat).album.examples] == ["w"]


def test_an_album_toml_is_made_and_taken_away_again(tmp_path):
    cat = put(tmp_path / "cat", {"a.jpg": jpeg(1), "b.jpg": jpeg(2)})
    before = texts(cat)
    apply(cat, {"exclude": ["a.jpg"]})
    assert (cat / "album.toml").read_text() == '[album]\nexclude = ["./a.jpg"]\n'
    with locked(cat) as workplace:
        undo(cat, workplace, "cat")
    assert texts(cat) == before


def test_an_album_toml_written_oddly_is_left_to_its_writer(tmp_path):
    cat = put(tmp_path / "cat", {"a.jpg": jpeg(1), "album.toml": 'album = { kind = "style" }\n'})
    plan = apply(cat, {"exclude": ["a.jpg"]})
    assert [r.reason for r in plan.refusals] == [
        'it is written in an unusual way: edit it by hand: exclude = ["./a.jpg"]'
    ]
    assert not plan.changes


def test_the_marks_of_an_album_toml_stay(tmp_path):
    cat = put(
        tmp_path / "cat",
        {"a.jpg": jpeg(1), "album.toml": b'\xef\xbb\xbf[album]\r\nkind = "style"\r\n'},
    )
    apply(cat, {"exclude": ["a.jpg"]})
    assert texts(cat)["album.toml"] == (b'\xef\xbb\xbf[album]\r\nkind = "style"\r\nexclude = ["./a.jpg"]\r\n')


def test_a_preview_touches_nothing(tmp_path):
    cat = put(tmp_path / "cat", {"a b.png": jpeg(1), "a b.txt": b"\xff\xfea\x00"})
    before = texts(cat)
    _, plan = draft(cat, {"encoding": ["a b.png"], "portable-name": ["a b.png"], "exclude": ["a b.png"]})
    assert plan.changes
    assert texts(cat) == before
    assert not (cat / ".albumkit").exists()
