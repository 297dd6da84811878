"""Which files an album has: exclude, links, hidden names, Unicode forms, letter case, what cannot be read."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from albums import only, paths, text_of
from corpus import fill

from albumkit.album import read_album
from albumkit.album.names import Excluder
from albumkit.errors import AlbumError
from albumkit.facts import FactCache
from albumkit.workflows import lint_paths

#: "é" in one character and in two, as macOS may store it.
NFC, NFD = unicodedata.normalize("NFC", "caf\u00e9"), unicodedata.normalize("NFD", "caf\u00e9")


def tells_case_apart(folder: Path) -> bool:
    (folder / "Case").touch()
    return not (folder / "case").exists()


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
    assert [c.path for c in album.examples[0].other_captions] == ["A.TXT"]


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
