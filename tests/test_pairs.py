"""Edit pairs by name and by folder, half pairs, and kohya's folders with repeats."""

from __future__ import annotations

import pytest
from albums import only, text_of
from corpus import fill

from albumkit.album import Album, read_album
from albumkit.album.names import pair_name
from albumkit.facts import FactCache
from albumkit.workflows import lint_paths


def roots(album: Album) -> list[str]:
    return [example.root for example in album.examples]


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
