"""The ledger tells the machine's captions and masks from a person's."""

import sqlite3
from pathlib import Path

import pytest

from albumkit.errors import AlbumkitError
from albumkit.ledger import Ledger, Written

OURS = Written("caption", "a" * 64, "b" * 64, {"model": "pocket"})


def test_what_was_recorded_is_found_by_the_next_command(tmp_path: Path):
    with Ledger(tmp_path / "state" / "written.sqlite") as ledger:
        ledger.record([OURS])
    with Ledger(tmp_path / "state" / "written.sqlite") as ledger:
        assert ledger.find("caption", OURS.media, OURS.sidecar) == OURS


@pytest.mark.parametrize(
    ("kind", "media", "sidecar"),
    [("mask", "a", "b"), ("caption", "c", "b"), ("caption", "a", "c")],
    ids=["of another kind", "beside another picture", "with one byte changed"],
)
def test_anything_else_is_a_persons(tmp_path: Path, kind, media, sidecar):
    with Ledger(tmp_path / "written.sqlite") as ledger:
        ledger.record([OURS])
        assert ledger.find(kind, media * 64, sidecar * 64) is None


def test_the_state_folder_can_be_moved(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ALBUMKIT_STATE_DIR", str(tmp_path / "elsewhere"))
    with Ledger() as ledger:
        ledger.record([OURS])
    assert (tmp_path / "elsewhere" / "written.sqlite").is_file()


def test_a_file_that_is_no_ledger_stops_and_stays(tmp_path: Path):
    file = tmp_path / "written.sqlite"
    file.write_bytes(b"somebody's notes " * 100)
    with pytest.raises(AlbumkitError, match=r"written\.sqlite: file is not a database\. The album was not"):
        Ledger(file)
    assert file.read_bytes() == b"somebody's notes " * 100


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("albumkit.ledger._PATIENCE_S", 0.01)
    file = tmp_path / "written.sqlite"
    with Ledger(file) as ledger:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(AlbumkitError, match="locked"):
            ledger.record([OURS])
        other.execute("ROLLBACK")
        other.close()
        ledger.record([OURS])
