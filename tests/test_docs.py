"""README and docs show only what was really run: every console block is run again and compared.

Refresh with: UPDATE_GOLDEN=1 pytest tests/test_docs.py
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from assets import asset, optional
from sample_loras import write_samples

from albumkit.cli.main import COMMANDS
from albumkit.facts import FactCache
from albumkit.rule import load_rules
from albumkit.trainers import all_trainers
from albumkit.workflows import lint_paths

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    p.relative_to(ROOT).as_posix()
    for p in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "sample_albums").rglob("*.md"))
)
BLOCK = re.compile(r"^(```+)console\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
#: Commands that ask a model; what they load in the docs is an asset.
ASKS_MODELS = ("mask",)
CALL = [sys.executable, "-c", "from albumkit.cli.main import run; run()"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "sample_albums", tmp_path / "sample_albums")
    return tmp_path


def run(line: str, cwd: Path) -> str:
    words = shlex.split(line)
    assert words[0] == "albumkit", line
    env = {**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [*CALL, *words[1:]], cwd=cwd, env=env, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode in (0, 1), done.stderr
    text = done.stdout + ("" if words[1] in ASKS_MODELS else done.stderr)  # progress, with its rates
    return re.sub(r"\d+\.\d s$", "0.1 s", text, flags=re.MULTILINE).rstrip("\n")


@pytest.mark.parametrize("page", [p for p in PAGES if BLOCK.search((ROOT / p).read_text(encoding="utf-8"))])
def test_every_console_block_shows_what_the_command_prints(page, checkout, monkeypatch):
    text = (ROOT / page).read_text(encoding="utf-8")
    if ".safetensors" in text:
        write_samples(checkout)
    if "--model u2netp" in text:
        optional("rembg")
        monkeypatch.setenv("U2NET_HOME", str(asset("u2netp.onnx").parent))

    def again(block: re.Match[str]) -> str:
        lines = [line[2:] for line in block[2].splitlines() if line.startswith("$ ")]
        shown = "\n\n".join(f"$ {line}\n{run(line, checkout)}" for line in lines)
        return f"{block[1]}console\n{shown}\n{block[1]}"

    fresh = BLOCK.sub(again, text)
    if os.environ.get("UPDATE_GOLDEN"):
        (ROOT / page).write_text(fresh, encoding="utf-8", newline="\n")
    assert text == fresh


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text(encoding="utf-8")):
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"


def test_every_command_has_a_page_and_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert (ROOT / "docs" / "commands" / f"{command}.md").is_file()
        assert f"docs/commands/{command}.md" in readme


def test_counts_in_prose_are_true():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    hosted = sum(t.service != "local" for t in all_trainers())
    assert f"lists {hosted} hosted trainers" in readme
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"{len(all_trainers())} trainers as files" in changes
    assert f"`albumkit lint` with {sum(rule.of_album for rule in load_rules())} rules" in changes


def test_the_album_toml_of_the_docs_lints_clean(tmp_path):
    text = (ROOT / "docs" / "album-toml.md").read_text(encoding="utf-8")
    block = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert block
    tomllib.loads(block[1])
    album = tmp_path / "cat"
    shutil.copytree(ROOT / "sample_albums" / "cookie_box", album)
    (album / "album.toml").write_text(block[1], encoding="utf-8")
    (tmp_path / "album.toml").write_text("", encoding="utf-8")
    for caption in album.glob("*.txt"):
        caption.write_text(caption.read_text().replace("cookie box", "ceramic cat figurine"))
    result = lint_paths([album], cache=FactCache.none()).albums[0]
    assert {f.rule for f in result.findings} == {"example/below-training-resolution"}
