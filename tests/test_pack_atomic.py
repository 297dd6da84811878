"""A pack that dies or fails at any moment leaves the old archive or the new one, and no litter."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from pack_pictures import encoded, exif, link, members, pack, put, quarters
from PIL import Image

from albumkit.errors import PackRefused
from albumkit.pack import verify
from albumkit.pack.archive import ArchiveWriter, is_ours
from albumkit.pack.publish import Partial, Publication, sweep

HERE = Path(__file__).parent
NAMES = ["cat.manifest.json", "cat.request.json", "cat.zip"]


def small_album(folder: Path, shade: int) -> Path:
    flat = Image.new("RGB", (20, 20), (shade, 0, 0))
    return put(
        folder, {"a.jpg": encoded(flat, "JPEG"), "b.png": encoded(flat, "PNG", exif=exif(6)), "a.txt": "x"}
    )


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def killed(album: Path, out: Path, moment: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "pack_killed.py"), str(album), str(out), str(moment)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE, timeout=60)


def belongs_together(files: dict[str, bytes]) -> bool:
    """Whether the manifest is that of the archive, as a reader would find out."""
    told = json.loads(files["cat.manifest.json"])["archive"]["sha256"]
    asked = json.loads(files["cat.request.json"])["archive"]["sha256"]
    return told == asked == hashlib.sha256(files["cat.zip"]).hexdigest()


def test_killed_at_any_moment_there_is_the_old_archive_or_the_new(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    one = encoded(Image.new("RGB", (20, 20)), "JPEG")
    old_album = put(tmp_path / "old" / "cat", {"a.jpg": one})
    new_album = put(tmp_path / "new" / "cat", {"a.jpg": one, "a.txt": "new"})
    pack(new_album, out / "cat.zip")
    new = state(out)
    pack(old_album, out / "cat.zip")
    old = state(out)
    assert sorted(old) == NAMES
    seen = set()
    moments = int(killed(new_album, out / "cat.zip", 0).stdout)
    pack(old_album, out / "cat.zip")
    assert moments >= 18
    for moment in range(1, moments + 1):
        assert killed(new_album, out / "cat.zip", moment).returncode == 9
        now = state(out)
        assert now["cat.zip"] in (old["cat.zip"], new["cat.zip"])
        assert is_ours(out / "cat.zip")
        whole = {name: now[name] for name in NAMES}
        if not belongs_together(whole):
            assert now["cat.zip"] == new["cat.zip"]
        seen.add((now["cat.zip"] == new["cat.zip"], belongs_together(whole)))
        pack(old_album, out / "cat.zip")  # sweeps what the dead one left
        assert state(out) == old
    assert {(False, True), (True, False), (True, True)} <= seen


def test_killed_by_the_system_while_it_encodes(tmp_path):
    """No injected moment: SIGKILL as soon as the first partial file is seen."""
    noise = Image.merge("RGB", [Image.effect_noise((400, 400), 90)] * 3)
    album = put(tmp_path / "cat", {f"{n}.png": encoded(noise, "PNG", exif=exif(6)) for n in range(12)})
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, str(HERE / "pack_killed.py"), str(album), str(out / "cat.zip"), "0"]
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + 30
        while not list(out.iterdir()) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    left = sorted(os.listdir(out))
    assert "cat.zip" not in left
    assert all(name.endswith(".partial") for name in left)
    pack(album, out / "cat.zip")
    assert sorted(os.listdir(out)) == NAMES


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Path, Path, dict[str, bytes]]:
    """A new album to pack, the archive of an old one, and the files as they are."""
    out = tmp_path / "out"
    out.mkdir()
    pack(small_album(tmp_path / "old" / "cat", 10), out / "cat.zip")
    return small_album(tmp_path / "new" / "cat", 200), out / "cat.zip", state(out)


def spoiled_by(monkeypatch, action) -> None:
    """Do something to the finished partial archive before it is read back."""
    sync = Partial.sync

    def synced(self: Partial) -> None:
        sync(self)
        if self.target.suffix == ".zip":
            action(self.path)

    monkeypatch.setattr(Partial, "sync", synced)


def flip(where: bytes, by: int) -> object:
    def action(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[data.index(where) + by] ^= 0xFF
        path.write_bytes(data)

    return action


@pytest.mark.parametrize(
    "action",
    [
        flip(b"\xff\xd8\xff", 200),  # a byte of a picture: the CRC tells
        flip(b"PK\x01\x02", 46),  # a name in the directory
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        pytest.param(
            lambda path: path.unlink(),
            marks=pytest.mark.skipif(os.name == "nt", reason="no open file can be deleted there"),
        ),
    ],
)
def test_an_archive_that_does_not_read_back_changes_nothing(packed, monkeypatch, action):
    album, out, before = packed
    spoiled_by(monkeypatch, action)
    with pytest.raises(PackRefused, match="did not read back as it was written"):
        pack(album, out)
    assert state(out.parent) == before


@pytest.mark.parametrize(
    ("role", "field", "value"),
    [
        ("target", "sha256", "0" * 64),
        ("target", "size", 1),
        ("target", "width", 21),
        ("caption", "text", "y"),
    ],
)
def test_each_member_is_compared_with_what_was_meant(packed, monkeypatch, role, field, value):
    album, out, before = packed

    def mistaken(path, files, captions):
        if field == "text":
            captions = dict.fromkeys(captions, value)
        else:
            files = [replace(f, **{field: value}) if f.role == role else f for f in files]
        return verify(path, files, captions)

    monkeypatch.setattr("albumkit.pack.verify", mistaken)
    with pytest.raises(PackRefused, match=r"did not read back as it was written: (a|b)\."):
        pack(album, out)
    assert state(out.parent) == before


def fail_with(error: BaseException):
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("a bug")]
)
@pytest.mark.parametrize("where", ["add", "_write_end_record", "sync", "replace"])
def test_whatever_fails_nothing_of_ours_stays(packed, monkeypatch, where, error):
    album, out, before = packed
    target = {"add": ArchiveWriter, "_write_end_record": zipfile.ZipFile, "sync": Partial, "replace": Path}[
        where
    ]
    monkeypatch.setattr(target, where, fail_with(error))
    expected = PackRefused if isinstance(error, OSError) else type(error)
    with pytest.raises(expected) as caught:
        pack(album, out)
    monkeypatch.undo()
    if isinstance(error, OSError):
        assert caught.value.message == f"{out.as_posix()} could not be written: No space left on device."
    assert state(out.parent) == before


def test_an_interrupt_in_a_worker_thread_comes_through(packed, monkeypatch):
    album, out, before = packed
    monkeypatch.setattr("albumkit.pack.make_picture", fail_with(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        pack(album, out)
    assert state(out.parent) == before


def test_a_document_that_cannot_be_replaced_is_told_and_found_out(packed, monkeypatch):
    album, out, before = packed
    real = Path.replace

    def stubborn(self: Path, target: Path) -> Path:
        if target.name == "cat.manifest.json":
            raise PermissionError(13, "Permission denied")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", stubborn)
    with pytest.raises(PackRefused, match=r"cat.zip is written, but cat.manifest.json could not be replaced"):
        pack(album, out)
    after = state(out.parent)
    assert sorted(after) == NAMES
    assert after["cat.zip"] != before["cat.zip"]
    assert not belongs_together(after)


def test_links_stay_links_and_modes_stay(tmp_path):
    real, out = tmp_path / "real", tmp_path / "out"
    real.mkdir()
    out.mkdir()
    album = small_album(tmp_path / "cat", 10)
    pack(album, real / "stored.zip")
    (real / "stored.zip").chmod(0o640)
    mode = (real / "stored.zip").stat().st_mode
    link(out / "cat.zip", real / "stored.zip")
    pack(small_album(tmp_path / "cat", 99), out / "cat.zip")
    assert (out / "cat.zip").is_symlink()
    assert (real / "stored.zip").stat().st_mode == mode
    assert members(out / "cat.zip")["a.jpg"] == (album / "a.jpg").read_bytes()
    assert sorted(os.listdir(out)) == NAMES


def test_only_what_dead_packs_of_this_archive_left_is_swept(packed):
    album, out, _ = packed
    mine = [".cat.zip.1.partial", ".cat.manifest.json.99999999.partial", f".cat.zip.{os.getpid()}.partial"]
    foreign = [".dog.zip.1.partial", ".cat.zip.partial", ".cat.zip.x1.partial", "cat.zip.1.partial"]
    put(out.parent, dict.fromkeys(mine + foreign, b"half"))
    pack(album, out)
    assert sorted(os.listdir(out.parent)) == sorted(NAMES + foreign)


@pytest.mark.skipif(os.name == "nt", reason="a lock tells the living there, an open file here")
def test_a_living_pack_of_the_same_archive_is_respected(packed):
    album, out, before = packed
    with Publication(out):
        with pytest.raises(PackRefused, match=r"Another pack is writing cat.zip right now"):
            pack(album, out)
        partial = out.with_name(f".cat.zip.{os.getpid()}.partial")
        os.link(partial, out.with_name(".cat.zip.1.partial"))  # the same lock under another process's number
        partial.unlink()
        with pytest.raises(PackRefused, match=r"Another pack is writing cat"):
            pack(album, out)
        out.with_name(".cat.zip.1.partial").unlink()
    assert state(out.parent) == before


def test_sweeping_what_is_not_there_is_no_failure(tmp_path):
    assert sweep(tmp_path / "none")
    (tmp_path / "folder").mkdir()
    assert not sweep(tmp_path / "folder")


def test_file_systems_without_locks_still_pack(packed, monkeypatch):
    if os.name == "nt":
        pytest.skip("no locks there")
    album, out, before = packed
    monkeypatch.setattr("fcntl.flock", fail_with(OSError(95, "Operation not supported")))
    pack(album, out)
    assert state(out.parent) != before


def test_the_turned_picture_is_really_in_the_new_archive(packed):
    album, out, _ = packed
    put(album, {"b.png": encoded(quarters(), "PNG")})
    pack(album, out)
    assert members(out)["b.png"] == (album / "b.png").read_bytes()
