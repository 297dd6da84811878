"""An album is opened with the settings that lie in it, in a folder and in a zip."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from albumkit.errors import AlbumError, ConfigError
from albumkit.opening import open_album

MakePicture = Callable[..., Path]


def make_zip(file: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file


def names(path: Path, tracked: frozenset[str] | None = None) -> list[str]:
    return [example.path for example in open_album(path, tracked=tracked).album.examples]


def test_a_folder_without_settings(tmp_path: Path, make_picture: MakePicture) -> None:
    make_picture(tmp_path / "a.jpg")
    opened = open_album(tmp_path)
    assert (opened.config.files, opened.guessed_kind, opened.kind) == ((), "subject", "subject")
    assert opened.display == tmp_path.as_posix()


def test_exclude_is_honoured(tmp_path: Path, make_picture: MakePicture) -> None:
    make_picture(tmp_path / "a.jpg")
    make_picture(tmp_path / "rejects" / "b.jpg")
    (tmp_path / "album.toml").write_text('[album]\nexclude = ["rejects/*"]\n')
    assert names(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize(
    ("kind", "examples", "pairs"),
    [(None, 1, True), ("edit", 1, True), ("subject", 2, False), ("style", 2, False)],
)
def test_pairs_follow_the_kind(
    kind: str | None, examples: int, pairs: bool, tmp_path: Path, make_picture: MakePicture
) -> None:
    make_picture(tmp_path / "a_start.jpg")
    make_picture(tmp_path / "a_end.jpg")
    if kind:
        (tmp_path / "album.toml").write_text(f'[album]\nkind = "{kind}"\n')
    opened = open_album(tmp_path)
    assert (len(opened.album.examples), opened.album.has_pairs) == (examples, pairs)
    assert opened.guessed_kind == ("edit" if pairs else "subject")


def test_half_a_pair_counts_only_in_an_edit_album(tmp_path: Path, make_picture: MakePicture) -> None:
    make_picture(tmp_path / "a_start.jpg")
    assert not open_album(tmp_path).album.has_pairs
    (tmp_path / "album.toml").write_text('[album]\nkind = "edit"\n')
    assert open_album(tmp_path).album.has_pairs


def test_clips_alone_make_a_video_album(tmp_path: Path, make_picture: MakePicture) -> None:
    (tmp_path / "a.mp4").write_bytes(b"clip")
    assert open_album(tmp_path).guessed_kind == "video"
    make_picture(tmp_path / "b.jpg")
    assert open_album(tmp_path).guessed_kind == "subject"


def test_an_untracked_file_of_settings_does_not_count(tmp_path: Path, make_picture: MakePicture) -> None:
    make_picture(tmp_path / "a.jpg")
    (tmp_path / "album.toml").write_text('[album]\nexclude = ["a.jpg"]\n')
    assert names(tmp_path, frozenset({"a.jpg"})) == ["a.jpg"]
    assert names(tmp_path, frozenset({"a.jpg", "album.toml"})) == []


@pytest.mark.parametrize("top", ["", "cat/", "c[a]t*/"])
def test_settings_inside_a_zip(top: str, tmp_path: Path) -> None:
    settings = '[album]\nkind = "style"\nexclude = ["rejects/*", "b.*"]\n'
    members = {"album.toml": settings, "a.jpg": "x", "b.jpg": "x", "rejects/c.jpg": "x"}
    file = make_zip(tmp_path / "z.zip", {f"{top}{name}": text for name, text in members.items()})
    opened = open_album(file)
    assert [e.path for e in opened.album.examples] == [f"{top}a.jpg"]
    assert opened.kind == "style"
    assert opened.relative(opened.config.files[0]) == f"{top}album.toml"
    assert opened.config.origins["album.kind"].line == 2


def test_settings_in_one_of_two_top_folders_are_not_the_zips(tmp_path: Path) -> None:
    file = make_zip(tmp_path / "z.zip", {"a/album.toml": "[nonsense]", "a/1.jpg": "x", "b/2.jpg": "x"})
    assert open_album(file).config.files == ()


def test_a_zip_may_not_extend(tmp_path: Path) -> None:
    file = make_zip(tmp_path / "z.zip", {"album.toml": '\nextend = "../x.toml"', "a.jpg": "x"})
    with pytest.raises(ConfigError) as caught:
        open_album(file)
    place = f"{file.as_posix()}!album.toml line 2"
    assert caught.value.message == f"{place}: extend names a file outside of the zip."


def test_huge_settings_in_a_zip_are_not_read(tmp_path: Path) -> None:
    file = make_zip(tmp_path / "z.zip", {"album.toml": "#" * (1 << 20) + "\n", "a.jpg": "x"})
    with pytest.raises(ConfigError, match=r"1048577 bytes long: no album\.toml is"):
        open_album(file)


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AlbumError, match="there is no such folder or zip"):
        open_album(tmp_path / "nothing")


@pytest.mark.parametrize("make", ["folder", "dangling link"])
def test_settings_that_cannot_be_read_are_not_passed_over(make: str, tmp_path: Path) -> None:
    file = tmp_path / "album.toml"
    if make == "folder":
        file.mkdir()
    else:
        try:
            file.symlink_to("gone.toml")
        except OSError:
            pytest.skip("links need a privilege here")
    with pytest.raises(ConfigError):
        open_album(tmp_path)


def test_settings_as_the_album_sees_them(tmp_path: Path, make_picture: MakePicture) -> None:
    make_picture(tmp_path / "cat" / "a.jpg")
    (tmp_path / "album.toml").write_text("[train]\nsteps = 500\n")
    (tmp_path / "cat" / "album.toml").write_text('extend = "../album.toml"\n')
    opened = open_album(tmp_path / "cat")
    assert [opened.relative(file) for file in opened.config.files] == ["album.toml", "../album.toml"]
