"""The command line: exit codes, logs, explain, and output that strangers cannot steer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from albums import good_album, picture, set_in

from albumkit.cli import main as cli
from albumkit.errors import AlbumkitError


@pytest.fixture
def album(tmp_path: Path) -> Path:
    return good_album(tmp_path / "cat")


def albumkit(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", "from albumkit.cli.main import run; run()", *args]
    return subprocess.run(call, cwd=cwd, capture_output=True, text=True, encoding="utf-8")


def test_exit_codes(album):
    assert albumkit("lint", "cat", cwd=album.parent).returncode == 0
    (album / "IMG_03.txt").unlink()
    assert albumkit("lint", "cat", cwd=album.parent).returncode == 1
    assert albumkit("lint", "dog", cwd=album.parent).returncode == 2
    assert albumkit("lint", "cat", "--trainer", "nobody", cwd=album.parent).returncode == 2
    wrong = albumkit("lnt", cwd=album.parent)
    assert (wrong.returncode, "The nearest is lint" in wrong.stderr) == (2, True)
    set_in(album, "[use]", "[uze]")
    unknown = albumkit("lint", "cat", cwd=album.parent)
    assert unknown.returncode == 2
    assert "cat/album.toml line 5: unknown key uze. The nearest is use." in unknown.stderr


def test_a_bug_exits_3_and_leaves_a_log(album, tmp_path):
    code = (
        "import albumkit.workflows as w\nfrom albumkit.cli.main import run\n"
        "def boom(*a, **k): raise RuntimeError('boom')\nw.lint_paths = boom\nrun()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "lint", "cat"], cwd=album.parent, capture_output=True, text=True
    )
    assert done.returncode == 3
    log = Path(done.stderr.rpartition(" ")[2].strip())
    assert "RuntimeError: boom" in log.read_text()


@pytest.mark.parametrize(
    ("remedy", "lines"),
    [("", []), ("mend it", ["  do   mend it"]), ("this\nthat", ["  do   this", "  or   that"])],
)
def test_an_error_is_told_with_every_way_to_mend_it(remedy, lines, monkeypatch, capsys):
    def fail(**_options: object) -> None:
        raise AlbumkitError("It broke.", remedy)

    monkeypatch.setattr(cli.main, "main", fail)
    with pytest.raises(SystemExit, match="1"):
        cli.run()
    assert capsys.readouterr().err.splitlines() == ["albumkit: It broke.", *lines]


def test_explain_prints_the_page_and_knows_error_texts(tmp_path):
    page = albumkit("explain", "caption/missing", cwd=tmp_path)
    assert page.returncode == 0
    assert page.stdout.startswith("# caption/missing\n")
    listing = albumkit("explain", cwd=tmp_path)
    assert "caption/missing" in listing.stdout
    (tmp_path / "log.txt").write_text(
        "job 1\nPIL.UnidentifiedImageError: cannot identify image file 'a.jpg'\n"
    )
    hit = albumkit("explain", "--log", "log.txt", cwd=tmp_path)
    assert hit.returncode == 0
    assert "example/unreadable" in hit.stdout
    assert "cannot identify image file 'a.jpg'" in hit.stdout
    (tmp_path / "log.txt").write_text("all is well")
    assert albumkit("explain", "--log", "log.txt", cwd=tmp_path).returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")
def test_names_cannot_steer_the_terminal(album):
    """A file name may hold an escape sequence or turn the direction of writing around."""
    picture(album / "a\x1b[31m\u202egpj.exe.jpg", 7)
    done = albumkit("lint", "cat", cwd=album.parent)
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "a\\x1b[31m\\u202egpj.exe" in done.stdout
