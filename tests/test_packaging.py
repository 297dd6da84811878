"""What an install holds: a wheel has the rules inside, an editable install reads those of the checkout."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from checkout import ROOT, copy_checkout
from conftest import write_picture

MAIN = "from albumkit.cli.main import run; run()"
WHERE = "import albumkit.paths as p; print(p.__file__); print(p.rules_root())"
#: Bytes; a hook environment downloads it for every new release.
LARGEST_WHEEL = 1 << 20
#: Pocket may take 28 MB, its judge and the captioner to come 8 MB.
MOST_WEIGHTS = 36_000_000


def python(*words: str, cwd: Path, path: Path | str) -> subprocess.CompletedProcess[str]:
    """This interpreter with ``path`` before everything that is installed for it."""
    env = {**os.environ, "PYTHONPATH": str(path), "PYTHONUTF8": "1", "COLUMNS": "80"}
    call = [sys.executable, *words]
    return subprocess.run(call, cwd=cwd, env=env, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the working tree by the hatchling of the dev extra: no isolation, no registry."""
    target = tmp_path_factory.mktemp("dist")
    done = python("-m", "hatchling", "build", "-t", "wheel", "-d", str(target), cwd=ROOT, path="")
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.iterdir()
    return built


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    target = tmp_path / "site"
    pip = ["-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    done = python(*pip, cwd=tmp_path, path="")
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """One picture has no caption."""
    for number in range(10):
        write_picture(tmp_path / "data" / "cat" / f"IMG_{number}.jpg", (1024, 1024), shade=number * 25)
        (tmp_path / "data" / "cat" / f"IMG_{number}.txt").write_text(f"a photo of TOK cat, view {number}")
    (tmp_path / "data" / "cat" / "IMG_3.txt").unlink()
    return tmp_path / "data"


def source_files(folder: str) -> set[str]:
    files = (p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(ROOT).as_posix() for p in files}


def test_wheel_holds_the_package_and_the_rules_and_nothing_else(wheel, record_testsuite_property):
    record_testsuite_property("wheel_bytes", wheel.stat().st_size)
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        sizes = {info.filename: info.compress_size for info in archive.infolist()}
        (entry_points,) = (archive.read(n) for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert any(n.endswith(".dist-info/licenses/LICENSE") for n in archive.namelist())
    rules = {f"albumkit/{name}" for name in source_files("rules")}
    assert len(rules) > 60
    assert names == rules | source_files("albumkit")
    assert {"albumkit/data/english-words.LICENSE.txt", "albumkit/rules/words/places.txt"} <= names
    weights = sum(size for name, size in sizes.items() if name.endswith(".safetensors"))
    assert wheel.stat().st_size - weights < LARGEST_WHEEL
    assert 20_000_000 < weights < MOST_WEIGHTS
    scripts = configparser.ConfigParser()
    scripts.read_string(entry_points.decode())
    assert dict(scripts["console_scripts"]) == {"albumkit": "albumkit.cli.main:run"}


def test_wheel_finds_its_own_rules(installed, album):
    where = python("-c", WHERE, cwd=album, path=installed).stdout.split("\n")
    assert Path(where[1]) == installed.resolve() / "albumkit" / "rules"
    done = python("-c", MAIN, "lint", "cat", cwd=album, path=installed)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "caption/missing" in done.stdout
    # The finding came from there: without that folder it is gone, and no checkout is looked for.
    shutil.rmtree(installed / "albumkit" / "rules" / "caption")
    done = python("-c", MAIN, "lint", "cat", cwd=album, path=installed)
    assert done.returncode == 0
    assert "caption/missing" not in done.stdout


def test_wheel_draws_the_contact_sheet(installed, album):
    """Its template, style and script are files beside the code."""
    done = python("-c", MAIN, "lint", "cat", "--out", "sheet.html", cwd=album, path=installed)
    assert done.returncode == 1, done.stdout + done.stderr
    assert (album / "sheet.html").read_text(encoding="utf-8").count("<article") == 10


def test_console_script_runs(installed, album):
    (script,) = (installed / ("Scripts" if os.name == "nt" else "bin")).glob("albumkit*")
    env = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [script, "lint", "cat"], cwd=album, env=env, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 1, done.stderr
    assert "IMG_3" in done.stdout


def test_editable_install_reads_the_rules_of_the_checkout(tmp_path):
    """The README's and CI's own install is such a one; a copy forced into a wheel is never seen by it."""
    origin = json.loads(distribution("albumkit").read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        pytest.skip("albumkit is not installed with pip install -e here")
    where = python("-c", WHERE, cwd=tmp_path, path="").stdout.split("\n")
    assert Path(where[1]) == ROOT.resolve() / "rules"


def test_edited_rule_takes_effect(album, tmp_path):
    """In a copy, reached as an editable install reaches its checkout: by a path to it."""
    checkout = copy_checkout(tmp_path / "checkout")
    file = checkout / "rules" / "caption" / "missing.json"
    rule = json.loads(file.read_text(encoding="utf-8"))
    rule["x-albumkit"]["message"] = "nobody wrote a word about it."
    file.write_text(json.dumps(rule), encoding="utf-8")
    done = python("-c", MAIN, "lint", "cat", cwd=album, path=checkout)
    assert done.returncode == 1, done.stderr
    assert "nobody wrote a word about it." in done.stdout
