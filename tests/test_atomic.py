"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from albumkit.atomic import whole_file, write_whole
from albumkit.errors import AlbumkitError


def test_the_old_file_stays_when_writing_fails(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")

    def write_half() -> None:
        with whole_file(file) as stream:
            stream.write(b"half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert (file.read_text(), os.listdir(tmp_path)) == ("old", ["a.txt"])


def test_the_old_file_stays_when_the_move_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    file = tmp_path / "a.txt"
    file.write_text("old")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(AlbumkitError) as caught:
        write_whole(file, b"new")
    assert caught.value.message == f"{file.as_posix()} could not be written: Permission denied."
    assert (file.read_text(), os.listdir(tmp_path)) == ("old", ["a.txt"])


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")

    def write() -> None:
        with whole_file(tmp_path / "a"), open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")  # the error that our own stream gives on a full disk

    with pytest.raises(AlbumkitError, match="No space left"):
        write()
    assert os.listdir(tmp_path) == []


def test_faults_of_the_caller_are_not_ours(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a") as stream:
        stream.write((tmp_path / "gone").read_bytes())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AlbumkitError, match="could not be written: No such file"):
        write_whole(tmp_path / "gone" / "a.txt", b"x")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no modes")
def test_the_mode_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_whole(file, b"1")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask
    file.chmod(0o640)
    write_whole(file, b"2")
    assert (stat.S_IMODE(file.stat().st_mode), file.read_bytes()) == (0o640, b"2")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"1")
    link = tmp_path / "link"
    link.symlink_to("real")
    write_whole(link, b"2")
    assert link.is_symlink()
    assert (tmp_path / "real").read_bytes() == b"2"


def test_a_name_as_long_as_they_get(tmp_path: Path) -> None:
    file = tmp_path / ("n" * 250)
    write_whole(file, b"x")
    assert file.read_bytes() == b"x"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_process_killed_amid_writing_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    program = (
        "import os, signal, sys; from pathlib import Path; from albumkit.atomic import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as stream:\n"
        "    stream.write(b'x' * 1_000_000); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ending = subprocess.run([sys.executable, "-c", program, str(file)], check=False)
    assert ending.returncode == -9
    assert file.read_text() == "old"
    assert all(name == "a.txt" or name.startswith(".") for name in os.listdir(tmp_path))
