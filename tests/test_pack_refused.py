"""When pack says no, which files it names, what it says to do, and that it leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pack_pictures import (
    EDIT,
    KLEIN,
    LTX,
    as_zip,
    encoded,
    exif,
    link,
    pack,
    put,
    quarters,
    settings_for,
)
from PIL import Image

from albumkit.album import read_album
from albumkit.errors import PackRefused, UsageError
from albumkit.pack import make_plan, write_pack

JPEG = encoded(quarters(), "JPEG")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"1" * 64 + b"\nsize 123456\n"


def refused(album: Path, out: Path, trainer: str | None = KLEIN, **how) -> PackRefused:
    """The refusal; the output folder is as it was."""
    before = sorted(os.listdir(out.parent)) if out.parent.is_dir() else None
    with pytest.raises(PackRefused) as caught:
        pack(album, out, trainer, **how)
    assert before is None or sorted(os.listdir(out.parent)) == before
    return caught.value


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "cat.zip"


def test_git_lfs_pointers_with_the_line_that_fetches_them(tmp_path, out):
    (tmp_path / ".git").mkdir()
    album = put(tmp_path / "albums/cat", {"a.jpg": POINTER, "b.jpg": JPEG})
    error = refused(album, out)
    assert error.message == "Git LFS has not fetched these files yet: a.jpg."
    assert error.remedy == 'git lfs pull --include "albums/cat/**"'
    put(album, {"a.jpg": JPEG, "b.txt": POINTER})
    assert refused(album, out).message == "Git LFS has not fetched these files yet: b.txt."


def test_git_lfs_at_the_top_outside_and_in_a_zip(tmp_path, out):
    top = put(tmp_path / "cat", {"a.jpg": POINTER})
    assert refused(top, out).remedy == 'git lfs pull --include "*"'
    (top / ".git").mkdir()
    assert refused(top, out).remedy == 'git lfs pull --include "*"'
    zipped = as_zip(tmp_path / "in.zip", {"a.jpg": POINTER})
    assert "The zip was made before git lfs pull" in refused(zipped, out).remedy


def test_an_album_of_nothing(tmp_path, out):
    assert refused(put(tmp_path / "cat", {"a.txt": "x"}), out).message == "cat holds no pictures or clips."


def test_unreadable_pictures_are_named_together_with_the_line_that_leaves_them_out(tmp_path, out):
    files = {f"{n}.jpg": b"\xfe not a picture" for n in range(8)} | {"good.jpg": JPEG}
    error = refused(put(tmp_path / "cat", files), out)
    assert error.message.startswith("Some pictures cannot be packed: 0.jpg (")
    assert error.message.endswith(" and 2 more.")
    assert 'exclude = ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", ...]' in error.remedy


def test_files_that_cannot_be_opened(tmp_path, out):
    album = put(tmp_path / "cat", {"a.jpg": JPEG})
    link(album / "gone.jpg", tmp_path / "nowhere")
    assert "gone.jpg (a link to a file that is not there)" in refused(album, out).message


def test_captions_that_are_no_text(tmp_path, out):
    error = refused(put(tmp_path / "cat", {"a.jpg": JPEG, "a.txt": b"a\0b"}), out)
    assert error.message == "Some captions cannot be read: a.txt (holds NUL bytes: not text)."
    assert error.remedy == "Save them as UTF-8 text."


def test_a_placeholder_without_a_trigger(tmp_path, out):
    album = put(tmp_path / "cat", {"a.jpg": JPEG, "a.txt": "[trigger] here"})
    error = refused(album, out)
    assert error.message == "[trigger] cannot be filled in: no trigger phrase is set: a.txt."
    (album / "a.txt").unlink()
    local = {"base": "b", "default_caption": "[trigger]"}
    assert "default_caption" in refused(album, out, "local", set_=local).message


def test_media_that_the_trainer_does_not_take(tmp_path, out):
    both = put(tmp_path / "both", {"a.jpg": JPEG, "b.mp4": b"x", "c.mp4": b"y"})
    assert refused(both, out, LTX).message.endswith("takes pictures or clips, never both: a.jpg.")
    assert "takes no clips: b.mp4, c.mp4." in refused(both, out).message
    assert "takes no pictures: a.jpg." in refused(both, out, "fal-ai/wan-22-trainer/i2v-a14b").message
    webm = put(tmp_path / "webm", {"a.webm": b"x"})
    error = refused(webm, out, LTX)
    assert error.message.endswith("takes clips only as mp4, mov, avi, mkv: a.webm.")
    assert 'ffmpeg -i "a.webm" -c:v libx264 -crf 16 "a.mp4"' in error.remedy


def test_layers_are_not_guessed(tmp_path, out):
    error = refused(put(tmp_path / "cat", {"a.jpg": JPEG}), out, "fal-ai/qwen-image-layered-trainer")
    assert "learns pictures with their layers" in error.message
    assert "albumkit trainers fal-ai/qwen-image-layered-trainer" in error.remedy


def test_pairs_and_single_pictures_in_the_wrong_place(tmp_path, out):
    pair = put(tmp_path / "pair", {"x_start.jpg": JPEG, "x_end.jpg": JPEG})
    assert "takes single pictures, not pairs: x_end.jpg." in refused(pair, out).message
    put(pair, {"alone.jpg": JPEG})
    assert "not single pictures: alone.jpg." in refused(pair, out, EDIT).message


def test_half_a_pair_and_too_many_inputs(tmp_path, out):
    toml = '[album]\nkind = "edit"\n'
    files = {
        "album.toml": toml,
        "x_start.jpg": JPEG,
        "y_end.jpg": JPEG,
        "z_start.jpg": JPEG,
        "z_end.jpg": JPEG,
    }
    album = put(tmp_path / "pair", files)
    error = refused(album, out, EDIT)
    assert error.message == "Half of a pair is missing: x_start.jpg (no end), y_end.jpg (no start)."
    for name in ("x_start.jpg", "y_end.jpg"):
        (album / name).unlink()
    put(album, {"z_start2.jpg": JPEG})
    error = refused(album, out, "fal-ai/flux-kontext-trainer")
    assert "at most 1 input pictures a pair: z_end.jpg (2)" in error.message


def test_masks_that_do_not_fit(tmp_path, out):
    mask = encoded(Image.new("L", (48, 32)), "PNG")
    turned = encoded(quarters(), "JPEG", exif=exif(6))
    files = {"album.toml": '[train.local]\nbase = "b"\n', "a.jpg": turned, "masks/a.png": mask}
    error = refused(put(tmp_path / "cat", files), out, "local")
    assert "Some masks cannot be packed: masks/a.png (48x32 for a picture that is 32x48" in error.message
    cut = encoded(Image.effect_noise((32, 48), 90), "PNG")[:-300]
    put(tmp_path / "cat", {"masks/a.png": cut})
    assert "A mask cannot be packed: masks/a.png" in refused(tmp_path / "cat", out, "local").message


def test_places_that_an_archive_must_not_be_put(tmp_path, out, monkeypatch):
    album = put(tmp_path / "cat", {"sub/a.jpg": JPEG})
    monkeypatch.chdir(tmp_path)
    inside = refused(Path("cat"), Path("cat/cat.zip"))
    assert (inside.message, inside.remedy) == (
        "cat/cat.zip lies inside the album and would become a part of it.",
        "Put it beside the album: --out cat.zip",
    )
    monkeypatch.chdir(album / "sub")
    assert refused(album, Path("x.zip")).remedy == "Put it beside the album: --out ../../x.zip"
    link(tmp_path / "link", album)
    assert "inside the album" in refused(album, tmp_path / "link" / "x.zip").message
    (tmp_path / "dir.zip").mkdir()
    assert refused(album, tmp_path / "dir.zip").message.endswith("dir.zip is a folder.")
    assert "must end in .zip" in refused(album, tmp_path / "cat.tar").message
    assert "There is no folder" in refused(album, tmp_path / "none" / "cat.zip").message
    (out.parent / "cat.manifest.json").mkdir()
    assert "cat.manifest.json is a folder" in refused(album, out).message


def test_the_source_is_never_replaced(tmp_path):
    source = as_zip(tmp_path / "cat.zip", {"a.jpg": JPEG})
    before = source.read_bytes()
    error = refused(source, source)
    assert (error.message, error.remedy) == (
        f"{source.as_posix()} is the album itself.",
        "Give the archive another name: --out cat-packed.zip",
    )
    assert source.read_bytes() == before


@pytest.mark.parametrize("name", ["cat.zip", "cat.manifest.json", "cat.request.json"])
def test_a_file_that_pack_did_not_write_is_never_replaced(tmp_path, out, name):
    album = put(tmp_path / "cat", {"a.jpg": JPEG})
    theirs = out.with_name(name)
    if name == "cat.zip":
        as_zip(theirs, {"my only backup.jpg": JPEG})
    else:
        theirs.write_text('["mine"]', encoding="utf-8")
    before = theirs.read_bytes()
    error = refused(album, out)
    assert error.message == f"{theirs.as_posix()} is already there and was not written by pack."
    assert theirs.read_bytes() == before
    theirs.write_bytes(b"broken")
    assert "was not written by pack" in refused(album, out).message


def test_a_background_that_is_no_colour(tmp_path, out):
    with pytest.raises(UsageError, match="'nocolour' is not a colour"):
        pack(put(tmp_path / "cat", {"a.jpg": JPEG}), out, background="nocolour")


def test_values_that_json_cannot_hold(tmp_path, out):
    album = put(tmp_path / "cat", {"a.jpg": JPEG})
    error = refused(album, out, set_={"learning_rate": float("inf")})
    assert error.message == "No trainer can be sent this: learning_rate."


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs folders that forbid writing")
def test_a_folder_that_may_not_be_written(tmp_path, out):
    album = put(tmp_path / "cat", {"a.jpg": JPEG})
    out.parent.chmod(0o500)
    try:
        assert "could not be written: Permission denied" in refused(album, out).message
    finally:
        out.parent.chmod(0o700)


def change_during(monkeypatch, action) -> None:
    """Do something to the album after its pictures were judged and before they are read again."""

    def planned(*args):
        plan = make_plan(*args)
        action()
        return plan

    monkeypatch.setattr("albumkit.pack.make_plan", planned)


@pytest.mark.parametrize("name", ["a.jpg", "a.txt", "m.mp4"])
@pytest.mark.parametrize("how", ["vanish", "grow", "touch", "swap"])
def test_files_that_vanish_or_change_meanwhile(tmp_path, out, monkeypatch, name, how):
    if name == "m.mp4":
        album, trainer = put(tmp_path / "cat", {"m.mp4": b"x" * 100}), LTX
    else:
        album, trainer = put(tmp_path / "cat", {"a.jpg": JPEG, "a.txt": "x"}), KLEIN
    file = album / name

    def action() -> None:
        if how == "vanish":
            file.unlink()
        elif how == "grow":
            file.write_bytes(file.read_bytes() + b"more")
        elif how == "touch":
            os.utime(file, (1, 1))
        else:
            twin = file.with_name("twin")
            twin.write_bytes(file.read_bytes())
            info = file.stat()
            os.utime(twin, ns=(info.st_atime_ns, info.st_mtime_ns))
            twin.replace(file)

    change_during(monkeypatch, action)
    error = refused(album, out, trainer)
    assert name in error.message
    assert "packed" in error.message
    assert error.remedy == "Let whatever writes there finish, then pack again."


@pytest.mark.skipif(os.name == "nt", reason="an open zip cannot be changed there")
@pytest.mark.parametrize("how", ["vanish", "touch"])
def test_a_zip_that_changes_meanwhile(tmp_path, out, monkeypatch, how):
    source = as_zip(tmp_path / "in.zip", {"a.jpg": JPEG})
    change_during(monkeypatch, source.unlink if how == "vanish" else lambda: os.utime(source, (1, 1)))
    assert "in.zip" in refused(source, out).message


def test_members_that_cannot_be_unpacked(tmp_path, out):
    source = as_zip(tmp_path / "in.zip", {"a.mp4": b"x" * 5000, "b.jpg": JPEG})
    data = bytearray(source.read_bytes())
    data[data.index(b"a.mp4") + 8] ^= 0xFF
    source.write_bytes(data)
    assert "a.mp4 (" in refused(source, out, "fal-ai/wan-trainer").message


def test_an_unreadable_caption_file_after_it_was_read(tmp_path, out):
    """A caption is compared with its file once more, to say whether it was tidied."""
    album = read_album(put(tmp_path / "cat", {"a.jpg": JPEG, "a.txt": "x"}))
    assert album.caption(album.examples[0]).text == "x"
    (album.location / "a.txt").unlink()
    with pytest.raises(PackRefused, match=r"a file vanished: a\.txt"):
        write_pack(album, settings_for(album.location), out)
