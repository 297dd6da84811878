"""--format, --by and --out of lint on the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from albums import good_album

from albumkit.cli.output import chosen_format, deliver
from albumkit.errors import UsageError
from albumkit.facts import FactCache
from albumkit.report.text import lint_lines
from albumkit.workflows import LintReport, lint_paths

SAMPLES = Path(__file__).parent.parent / "sample_albums"


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Without the caption of IMG_05."""
    good_album(tmp_path / "cat")
    (tmp_path / "cat" / "IMG_05.txt").unlink()
    return tmp_path / "cat"


def albumkit(*args: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    call = [sys.executable, "-c", "from albumkit.cli.main import run; run()", *args]
    return subprocess.run(call, cwd=cwd, env={**os.environ, **environment}, capture_output=True)


def test_a_format_is_printed_for_programs(album):
    done = albumkit("lint", "cat", "--format", "sarif", cwd=album.parent)
    assert done.returncode == 1
    assert json.loads(done.stdout)["version"] == "2.1.0"
    assert done.stdout.endswith(b"}\n")
    page = albumkit("lint", "cat", "--format", "html", cwd=album.parent)
    assert page.stdout.startswith(b"<!doctype html>\n")


def test_out_writes_the_format_and_prints_the_text(album):
    done = albumkit("lint", "cat", "--format", "gitlab", "--out", "quality.json", cwd=album.parent)
    assert done.returncode == 1
    assert json.loads((album.parent / "quality.json").read_bytes())[0]["check_name"] == "caption/missing"
    assert b"caption/missing                         " in done.stdout
    assert done.stdout.decode().splitlines()[-1] == "wrote  quality.json"


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.html", b"<!doctype"), ("a.sarif", b"{"), ("a.xml", b"<?xml"), ("a.log", b"cat   ")],
)
def test_the_ending_of_out_chooses_the_format(album, name, start):
    assert albumkit("lint", "cat", "--out", name, cwd=album.parent).returncode == 1
    assert (album.parent / name).read_bytes().startswith(start)


def test_text_goes_by_file_into_a_file_too(album):
    done = albumkit("lint", "cat", "--by", "file", "--out", "a.txt", cwd=album.parent)
    text = (album.parent / "a.txt").read_bytes()
    assert b"\nIMG_05.jpg\n  error    caption/missing\n" in text
    assert done.stdout.replace(b"\r\n", b"\n").startswith(text)


def test_github_prints_annotations_and_writes_the_summary(album, tmp_path):
    summary = tmp_path / "summary.md"
    done = albumkit("lint", "cat", "--format", "github", cwd=album.parent, GITHUB_STEP_SUMMARY=str(summary))
    assert done.stdout.startswith(b"::error file=cat/IMG_05.jpg,line=1,title=caption/missing::")
    assert summary.read_text(encoding="utf-8").startswith("## albumkit lint\n")


def test_out_into_nowhere_is_told_before_anything_is_measured(album):
    done = albumkit("lint", "cat", "--out", "no/such/a.html", cwd=album.parent)
    assert done.returncode == 2
    assert b"no/such/a.html: there is no folder no/such." in done.stderr
    assert done.stdout == b""


def test_a_page_is_nothing_for_a_terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(UsageError) as caught:
        chosen_format("html", None)
    assert caught.value.remedy == "Add --out report.html"
    assert chosen_format("html", Path("a.html")) == "html"


def test_an_older_report_stays_when_the_new_one_fails(tmp_path, monkeypatch):
    def broken(*_args: object, **_options: object) -> Iterator[str]:
        yield "half a page"
        raise RuntimeError("no memory")

    monkeypatch.setattr("albumkit.cli.output.render", broken)
    file = tmp_path / "a.html"
    file.write_text("the old one")
    with pytest.raises(RuntimeError):
        deliver(LintReport(), "html", file, by="rule", verbose=False, strict=False)
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("a.html", "the old one")]


def test_text_by_file_says_the_same_in_another_order(monkeypatch):
    monkeypatch.chdir(SAMPLES)
    tumbler = lint_paths([Path("messy/tumbler")], cache=FactCache.none())
    lines = [line.plain for line in lint_lines(tumbler, by="file")]
    assert max(map(len, lines)) <= 80
    heads = [line for line in lines if line and not line.startswith(" ")]
    assert heads.count("tumbler_04_copy.jpg") == 1
    found = [line.split() for line in lines if re.match(r"  (error|warning|note)  ", line)]
    assert len(found) == len(tumbler.albums[0].findings)
    settings = lines[lines.index("album.toml") : lines.index("tumbler_02.jpg")]
    assert "  error    settings/not-a-multiple  line 14" in settings
    remedy = "           do   use larger originals, or train at a smaller resolution where the"
    assert lines.count(remedy) == 1
    verbose = [line.plain for line in lint_lines(tumbler, by="file", verbose=True)]
    small = [f for f in tumbler.albums[0].findings if f.rule == "example/below-training-resolution"]
    assert verbose.count(remedy) == len(small) > 1
