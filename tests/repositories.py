"""Git repositories with albums in them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from albums import SCENES
from conftest import write_picture

SIZE = (1024, 1024)


def clean_env(**more: str) -> dict[str, str]:
    """The environment of a person who has never configured git; nothing of a commit that runs these tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))}
    someone = {
        f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return {**env, **someone, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **more}


def call(words: list[str], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=cwd,
        env=clean_env(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def git(cwd: Path, *words: str, **env: str) -> str:
    done = call(["git", *words], cwd, **env)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


def new_repository(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    return folder


def add_album(folder: Path, word: str) -> None:
    for number in range(10):
        write_picture(folder / f"IMG_{number}.jpg", SIZE, shade=number * 25)
        (folder / f"IMG_{number}.txt").write_text(f"a photo of TOK {word} {SCENES[number]}\n")
    (folder / "album.toml").write_text(
        f'[album]\nkind = "subject"\ntrigger_phrase = "TOK"\nclass_phrase = "{word}"\n'
    )
