"""Zips are data from elsewhere: each hazard is a finding or a clear refusal, and nothing is ever unpacked."""

from __future__ import annotations

import io
import os
import random
import stat
import struct
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from albums import scene

from albumkit.album import read_album
from albumkit.errors import AlbumError
from albumkit.facts import FactCache
from albumkit.lint import AlbumResult
from albumkit.workflows import lint_paths


def jpeg(shade: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    stream = io.BytesIO()
    scene(shade, size).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def make_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def rename(path: Path, old: str, new: str) -> Path:
    """Change a member's name in both of its headers (zipfile itself tidies names that it writes)."""
    assert len(old) == len(new)
    data = path.read_bytes()
    assert data.count(old.encode()) == 2
    path.write_bytes(data.replace(old.encode(), new.encode()))
    return path


def set_flag(path: Path, flag: int) -> Path:
    """Set a bit of the first member's general purpose flags (APPNOTE 4.4.4) in both headers."""
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    for at in (6, central + 8):
        (bits,) = struct.unpack_from("<H", data, at)
        struct.pack_into("<H", data, at, bits | flag)
    path.write_bytes(data)
    return path


@pytest.fixture(autouse=True)
def nothing_is_written(tmp_path, monkeypatch):
    """After each test the folder with the zip, where lint also ran, holds that zip and nothing else."""
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    yield
    inside = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert [p.name for p in inside] == ["album.zip"]
    assert inside[0].parent == folder


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "in" / "here" / "album.zip"


def check(file: Path) -> AlbumResult:
    before = file.read_bytes()
    (result,) = lint_paths([file], cache=FactCache.none()).albums
    assert file.read_bytes() == before
    return result


def found(file: Path) -> dict[str, tuple[str, str]]:
    """rule -> (path, message), without the rules that every tiny album breaks."""
    quiet = (
        "example/below-training-resolution",
        "album/too-few-examples",
        "caption/missing",
        "settings/steps-too-many-for-album",
    )
    return {f.rule: (f.path, f.message) for f in check(file).findings if f.rule not in quiet}


def test_a_good_zip_reads_like_its_folder(file):
    make_zip(
        file, {"a.jpg": jpeg(1), "a.txt": b"TOK a", "sub/b.JPG": jpeg(2), "masks/a.png": b"m", "empty/": b""}
    )
    album = read_album(file)
    assert [e.path for e in album.examples] == ["a.jpg", "sub/b.JPG"]
    assert album.caption(album.examples[0]).text == "TOK a"
    assert album.examples[0].mask.path == "masks/a.png"
    assert (album.name, album.source.display("a.jpg")) == ("album", "album.zip!a.jpg")
    assert found(file) == {}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_usual_packing(file, method):
    make_zip(file, {"a.jpg": jpeg(1), "a.txt": b"TOK"}, method)
    assert found(file) == {}


def test_its_own_album_toml_counts(file):
    toml = b'[album]\nkind = "subject"\nexclude = ["b.*"]\n'
    make_zip(file, {"cat/album.toml": toml, "cat/a.jpg": jpeg(1), "cat/b.jpg": b"broken"})
    assert (found(file), check(file).examples) == ({}, 1)


@pytest.mark.parametrize(
    "name",
    ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "C:/evil.jpg", "c:evil.jpg", "..\\..\\evil.jpg"],
)
def test_a_member_that_would_land_outside_refuses_the_archive(file, name):
    placeholder = "x" * len(name)
    rename(make_zip(file, {"a.jpg": jpeg(1), placeholder: jpeg(2)}), placeholder, name)
    shown = name.replace("\\", "/") if os.sep == "\\" else name
    assert list(found(file)) == ["album/unreadable"]
    assert f"{shown!r}, which would be written outside" in found(file)["album/unreadable"][1]
    with pytest.raises(AlbumError, match="would be written outside"):
        read_album(file)


def test_backslashes_inside_are_folders(file):
    rename(make_zip(file, {"sub_a.jpg": jpeg(1), "sub_a.txt": b"TOK"}), "sub_a.jpg", "sub\\a.jpg")
    rename(file, "sub_a.txt", "sub\\a.txt")
    album = read_album(file)
    assert [(e.path, album.caption(e).text) for e in album.examples] == [("sub/a.jpg", "TOK")]
    assert found(file) == {}


def test_a_dot_in_front_changes_nothing(file):
    rename(make_zip(file, {"xx/a.jpg": jpeg(1), "s/xxb.jpg": jpeg(2), "x/": b""}), "xx/a.jpg", ".//a.jpg")
    rename(file, "s/xxb.jpg", "s/./b.jpg")
    data = file.read_bytes().replace(b"x/PK", b"./PK")
    file.write_bytes(data)
    assert [e.path for e in read_album(file).examples] == ["a.jpg", "s/b.jpg"]
    assert found(file) == {}


def test_a_link_refuses_the_archive(file):
    info = zipfile.ZipInfo("a.jpg")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "holds a link ('a.jpg')" in found(file)["album/unreadable"][1]


@pytest.mark.parametrize("second", ["a.jpg", "./a.jpg"])
def test_two_members_of_one_name_refuse_the_archive(file, second):
    placeholder = "b" * len(second)
    rename(make_zip(file, {"a.jpg": jpeg(1), placeholder: jpeg(2)}), placeholder, second)
    assert "holds two members named a.jpg" in found(file)["album/unreadable"][1]


def test_an_encrypted_picture_and_caption_are_findings(file):
    make_zip(file, {"b.jpg": jpeg(1), "a.jpg": jpeg(2), "a.txt": b"TOK"})
    set_flag(file, 0x1)
    assert found(file) == {"example/unreadable": ("b.jpg", "encrypted in the zip.")}
    make_zip(file, {"a.txt": b"TOK", "a.jpg": jpeg(2)})
    set_flag(file, 0x1)
    assert found(file)["caption/unreadable"] == ("a.jpg", found(file)["caption/unreadable"][1])
    assert "encrypted in the zip" in found(file)["caption/unreadable"][1]


@pytest.mark.parametrize("flag", [0x20, 0x40])
def test_kinds_of_packing_that_python_does_not_know(file, flag):
    """Patched data and strong encryption."""
    set_flag(make_zip(file, {"a.jpg": jpeg(1), "b.jpg": jpeg(2)}), flag)
    assert found(file)["example/unreadable"][0] == "a.jpg"
    assert "damaged in the zip" in found(file)["example/unreadable"][1]


def test_a_bomb_is_not_unpacked(file):
    """100 MiB of zeros in 100 KB: a thousandfold, where a picture packs to nearly its own size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    size, crc, parts = 100 << 20, 0, []
    block = bytes(1 << 20)
    for _ in range(size >> 20):
        crc = zlib.crc32(block, crc)
        parts.append(packer.compress(block))
    parts.append(packer.flush())
    packed = b"".join(parts)
    make_zip(file, {"bomb.png": packed, "a.jpg": jpeg(1)}, zipfile.ZIP_STORED)
    data = bytearray(file.read_bytes())
    central = data.index(b"PK\x01\x02")
    for method, sizes in ((8, 14), (central + 10, central + 16)):
        struct.pack_into("<H", data, method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<III", data, sizes, crc, len(packed), size)
    file.write_bytes(data)
    path, message = found(file)["example/unreadable"]
    assert path == "bomb.png"
    assert "times its packed size" in message


def test_a_member_is_never_longer_than_it_says(file):
    """A deflate stream of 10 MB that claims 1,000 bytes ends at its claim, with a wrong sum."""
    make_zip(file, {"a.png": bytes(10_000_000)})
    data = bytearray(file.read_bytes())
    central = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, 22, 2000)
    struct.pack_into("<I", data, central + 24, 2000)
    file.write_bytes(data)
    assert "damaged in the zip" in found(file)["example/unreadable"][1]
    album = read_album(file)
    with pytest.raises(OSError, match="damaged"):
        album.source.open(album.entries["a.png"])


def test_damage_in_one_member_leaves_the_others(file):
    make_zip(
        file, {"a.jpg": jpeg(1), "b.jpg": jpeg(2), "b.txt": b"TOK b", "a.txt": b"TOK a"}, zipfile.ZIP_STORED
    )
    data = bytearray(file.read_bytes())
    data[60] ^= 0xFF
    at = data.index(b"TOK a")
    data[at] ^= 0x01
    file.write_bytes(data)
    problems = found(file)
    assert problems["example/unreadable"] == ("a.jpg", "damaged in the zip: Bad CRC-32 for file 'a.jpg'.")
    assert "Bad CRC-32 for file 'a.txt'" in problems["caption/unreadable"][1]
    assert set(problems) == {"example/unreadable", "caption/unreadable"}


def test_a_truncated_zip_and_no_zip_at_all(file):
    whole = make_zip(file, {f"{n}.jpg": jpeg(n) for n in range(5)}).read_bytes()
    for data in (
        whole[: len(whole) // 2],
        whole[:-10],
        b"PK\x03\x04",
        b"",
        b"no zip at all" * 100,
        whole[:3],
    ):
        file.write_bytes(data)
        path, message = found(file)["album/unreadable"]
        assert path == ""
        assert "album.zip is not a zip that can be read" in message
        assert list(found(file)) == ["album/unreadable"]


def test_any_bit_may_rot(file):
    """200 zips with a few wrong bytes each: read, or refused with words; never anything else."""
    members = {
        "a.jpg": jpeg(1),
        "a.txt": b"TOK",
        "metadata.jsonl": b'{"file_name": "a.jpg"}',
        "p.png": b"v" * 130,
    }
    whole = make_zip(file, members).read_bytes()
    directory = whole.index(b"PK\x01\x02")
    dice = random.Random(4)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            # Half of the hits go to the directory, where they hurt most.
            at = dice.randrange(directory, len(data)) if dice.random() < 0.5 else dice.randrange(len(data))
            data[at] = dice.randrange(256)
        file.write_bytes(data)
        check(file)


def test_ten_thousand_members_are_quick(file):
    data = jpeg(1)
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(5000):
            archive.writestr(f"{number:05}.jpg", data + number.to_bytes(4, "big"))
            archive.writestr(f"{number:05}.txt", f"TOK number {number}")
    start = time.perf_counter()
    (result,) = lint_paths([file], cost="header", cache=FactCache.none()).albums
    assert time.perf_counter() - start < 10  # about 1.5 s on two slow cores
    assert (result.examples, result.captions) == (5000, 5000)
    assert {f.rule for f in result.findings} == {
        "example/below-training-resolution",
        "settings/steps-too-few-for-album",
    }


def test_hidden_members_are_passed_over(file):
    junk = {"__MACOSX/._a.jpg": b"x", "cat/.DS_Store": b"x", "cat/__MACOSX/a.jpg": b"x", ".git/b.jpg": b"x"}
    make_zip(file, {"cat/a.jpg": jpeg(1), **junk})
    assert list(read_album(file).entries) == ["cat/a.jpg"]


def test_a_git_lfs_pointer_inside_is_recognised(file):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 12345\n".encode()
    make_zip(file, {"a.jpg": pointer, "b.jpg": jpeg(1)})
    result = check(file)
    assert {s.path for s in result.skipped if "Git LFS pointer" in s.reason} == {"a.jpg"}


def test_a_very_long_number_in_a_name_is_only_a_name(file):
    """A zip's names may have 65,535 characters; Python reads integers of 4,300 digits."""
    make_zip(file, {f"{'9' * 5000}_tok/a.jpg": jpeg(1), f"control{'9' * 5000}/b.jpg": jpeg(2)})
    assert len(read_album(file).examples) == 2
