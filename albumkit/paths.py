"""Where albumkit finds its own rules and keeps what may be thrown away; how a command shows a path."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def rules_root() -> Path:
    """The folder that holds the shipped rules.

    A wheel carries it as ``albumkit/rules``; an editable install and a checkout have it beside the
    package, where people read and edit it.
    """
    package = Path(__file__).resolve().parent
    inside = package / "rules"
    return inside if inside.is_dir() else package.parent / "rules"


def _user_dir(variable: str, xdg: str, fallback: str, mac: str) -> Path:
    if own := os.environ.get(variable):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "albumkit"
    if sys.platform == "darwin":
        return Path.home() / "Library" / mac / "albumkit"
    return Path(os.environ.get(xdg) or Path.home() / fallback) / "albumkit"


def cache_dir() -> Path:
    """Folder of the fact cache; ``ALBUMKIT_CACHE_DIR`` moves it."""
    return _user_dir("ALBUMKIT_CACHE_DIR", "XDG_CACHE_HOME", ".cache", "Caches")


def log_dir() -> Path:
    """Folder of crash logs; ``ALBUMKIT_LOG_DIR`` moves it."""
    return _user_dir("ALBUMKIT_LOG_DIR", "XDG_STATE_HOME", ".local/state", "Logs")


def state_dir() -> Path:
    """Folder of what must last and belongs to no album (the ledger); ``ALBUMKIT_STATE_DIR`` moves it."""
    return _user_dir("ALBUMKIT_STATE_DIR", "XDG_STATE_HOME", ".local/state", "Application Support")


def from_home(path: Path) -> str:
    """A path as a person would write it: ``~/.cache/albumkit``."""
    text, home = path.as_posix(), Path.home().as_posix()
    return f"~{text[len(home) :]}" if text.startswith(f"{home}/") else text


def quoted(name: str) -> str:
    """A path as a shell takes it in one piece."""
    safe = all(c.isalnum() or c in "_-./:\\~+@,=" for c in name)
    return name if safe and name else f'"{name}"'
