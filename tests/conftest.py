"""What every test stands on: its own cache and log folders, no network, no colour settings from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

#: Pillow names of formats, where they differ from the ending.
_ENDINGS = {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF", "tiff": "TIFF", "jp2": "JPEG2000"}


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test neither reads nor fills the cache of the person who runs it, and asks nobody for anything."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ALBUMKIT_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("ALBUMKIT_LOG_DIR", str(home / "log"))
    monkeypatch.setenv("ALBUMKIT_STATE_DIR", str(home / "state"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def write_picture(
    path: Path, size: tuple[int, int] = (64, 48), *, shade: int | None = None, mode: str = "RGB", **save: Any
) -> Path:
    """A small picture, format by ending unless ``format`` says so; ``save`` goes to Pillow (exif, quality).

    Without ``shade`` its bytes follow from its path's name, so that no two of an album are duplicates.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = sum(path.as_posix().encode("utf-8", "surrogateescape")) if shade is None else shade
    picture = Image.new("RGB", size, (tone % 256, tone // 256 % 256, 160)).convert(mode)
    ending = path.suffix.lower().removeprefix(".")
    save.setdefault("format", _ENDINGS.get(ending, ending.upper()))
    picture.save(path, **save)
    return path


@pytest.fixture
def make_picture() -> Callable[..., Path]:
    """``make_picture(path, size=(64, 48), shade=None, mode="RGB", exif=..., format=...)`` -> path."""
    return write_picture
