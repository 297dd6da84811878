"""From the paths of a command line to albums: folders, files inside them, zips, folders of albums."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from albumkit.album import expand, find_albums
from albumkit.errors import UsageError
from albumkit.facts import FactCache
from albumkit.workflows import lint_paths


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def found(folder: Path) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in find_albums(folder)]


@pytest.mark.parametrize(
    ("names", "albums"),
    [
        (["a.jpg"], ["."]),
        (["album.toml"], ["."]),
        ([], ["."]),
        (["cat/a.jpg", "dog/b.PNG", "notes/x.md"], ["cat", "dog"]),
        (["deep/er/cat/a.jpg", "deep/dog/a.mp4"], ["deep/dog", "deep/er/cat"]),
        # An album's own folders are no albums, whatever lies in them.
        (["cat/album.toml", "cat/raw/a.jpg", "cat/fine/b.jpg"], ["cat"]),
        (["cat/a.jpg", "cat/masks/a.png", "dog/a.jpg"], ["cat", "dog"]),
        # One album.toml above several holds what they extend, unless pictures lie beside it.
        (["album.toml", "cat/album.toml", "cat/a.jpg", "dog/a.jpg"], ["cat", "dog"]),
        (["album.toml", "x/album.toml", "x/y/album.toml", "x/y/a.jpg"], ["x/y"]),
        (["album.toml", "a.jpg", "cat/album.toml", "cat/b.jpg"], ["."]),
        (["album.toml", "cat/a.jpg", "dog/a.jpg"], ["."]),
        # Folders that are one album together.
        (["10_tok cat/a.jpg", "5_tok cat/b.jpg"], ["."]),
        (["10_tok cat/a.jpg", "log/x.txt"], ["10_tok cat"]),
        (["target/a.png", "control/a.png"], ["."]),
        (["main/a.png", "control_1/a.png", "control_2/a.png"], ["."]),
        (["target/a.png"], ["target"]),
        (["set1/target/a.png", "set1/control/a.png", "set2/10_tok/a.png"], ["set1", "set2"]),
        # Years and numbered albums are not kohya's repeats.
        (["2023_summer/a.jpg", "2024_winter/a.jpg"], ["2023_summer", "2024_winter"]),
        (["01_cat/album.toml", "01_cat/a.jpg", "02_dog/album.toml"], ["01_cat", "02_dog"]),
        # Hidden folders and files do not count.
        (["cat/a.jpg", ".trash/b.jpg", "dog/._a.jpg"], ["cat"]),
        (["cat/a.txt", "cat/album.toml.bak"], ["."]),
    ],
)
def test_which_folders_are_albums(tmp_path, names, albums):
    fill(tmp_path, *names)
    assert found(tmp_path) == albums


def test_a_link_to_a_folder_is_an_album_only_when_named(tmp_path):
    fill(tmp_path, "real/a.jpg", "shelf/cat/a.jpg")
    (tmp_path / "shelf" / "more").symlink_to(tmp_path / "real", target_is_directory=True)
    assert found(tmp_path / "shelf") == ["cat"]
    assert find_albums(tmp_path / "shelf" / "more") == [tmp_path / "shelf" / "more"]


def test_each_album_once_in_the_order_of_the_command_line(tmp_path, monkeypatch):
    fill(tmp_path, "dog/a.jpg", "dog/b.jpg", "cat/a.jpg")
    monkeypatch.chdir(tmp_path)
    asked = [Path("dog/b.jpg"), Path("cat"), Path("dog"), Path(), Path("./dog/a.jpg")]
    assert expand(asked) == [Path("dog"), Path("cat")]


@pytest.mark.parametrize(
    ("file", "album"),
    [
        ("cat/a.jpg", "cat"),
        ("cat/a.txt", "cat"),
        ("cat/masks/a.png", "cat"),
        ("pairs/target/a.png", "pairs"),
        ("pairs/control_1/a.png", "pairs"),
        ("kohya/10_tok/a.jpg", "kohya"),
        ("own/album.toml", "own"),
        ("own/deep/er/a.jpg", "own"),
        ("own/masks/a.png", "own"),
        ("loose.jpg", "."),
    ],
)
def test_a_file_stands_for_its_album(tmp_path, monkeypatch, file, album):
    names = ["pairs/target/a.png", "pairs/control_1/a.png", "kohya/10_tok/a.jpg", "own/album.toml"]
    fill(tmp_path, "album.toml", *names, file)
    monkeypatch.chdir(tmp_path)
    assert expand([Path(file)]) == [Path(album)]


def test_a_file_named_from_inside_its_album(tmp_path, monkeypatch):
    fill(
        tmp_path,
        "cat/masks/a.png",
        "pairs/target/a.png",
        "pairs/control/a.png",
        "own/album.toml",
        "own/x/a.jpg",
    )
    for folder, album in (("cat/masks", "cat"), ("pairs/target", "pairs"), ("own/x", "own")):
        monkeypatch.chdir(tmp_path / folder)
        name = next(Path().iterdir()).name
        assert [p.resolve() for p in expand([Path(name)])] == [(tmp_path / album).resolve()]


def test_the_shared_album_toml_is_no_album_of_its_files(tmp_path, monkeypatch):
    """Its settings are read through extend; a picture below belongs to the nearest real album."""
    fill(tmp_path, "album.toml", "cat/album.toml", "cat/a.jpg", "dog/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert expand([Path("dog/a.jpg"), Path("cat/a.jpg")]) == [Path("dog"), Path("cat")]


def test_extend_reaches_the_album_through_lint(tmp_path, make_picture):
    (tmp_path / "album.toml").write_text('[album]\ntrigger_phrase = "TOK"\n')
    for name in ("cat", "dog"):
        make_picture(tmp_path / name / "a.jpg")
        (tmp_path / name / "a.txt").write_text(f"a {name}")
        (tmp_path / name / "album.toml").write_text('extend = "../album.toml"\n')
    report = lint_paths([tmp_path], cache=FactCache.none())
    assert [a.name for a in report.albums] == ["cat", "dog"]
    for album in report.albums:
        assert [f.path for f in album.findings if f.rule == "caption/trigger-absent"] == ["a.jpg"]


def test_zips_are_albums_when_named(tmp_path, make_picture):
    make_picture(tmp_path / "cat" / "a.jpg")
    for name in ("one.zip", "TWO.ZIP"):
        with zipfile.ZipFile(tmp_path / "cat" / name, "w") as archive:
            archive.write(tmp_path / "cat" / "a.jpg", "a.jpg")
    asked = [tmp_path / "cat" / "one.zip", tmp_path / "cat" / "TWO.ZIP", tmp_path / "cat"]
    assert expand(asked) == asked
    report = lint_paths(asked, cache=FactCache.none())
    assert [(a.name, a.examples) for a in report.albums] == [("one", 1), ("TWO", 1), ("cat", 1)]


def test_what_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="there is no such file or folder"):
        expand([tmp_path / "nothing"])


def test_a_folder_without_permission_is_passed_over(tmp_path, monkeypatch):
    fill(tmp_path, "cat/a.jpg", "secret/album.toml", "secret/a.jpg")
    scandir, stat = os.scandir, os.stat

    def guarded(real):
        def call(path, *args, **kwargs):
            if "secret" in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *args, **kwargs)

        return call

    monkeypatch.setattr(os, "scandir", guarded(scandir))
    monkeypatch.setattr(os, "stat", guarded(stat))
    assert found(tmp_path) == ["cat"]
