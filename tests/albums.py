"""A good album that tests may spoil, and short questions to any album."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from albumkit.album import Album, Example

KLEIN = "fal-ai/flux-2-klein-9b-base-trainer"


def picture(path: Path, shade: int = 0, size: tuple[int, int] = (1024, 1024)) -> None:
    """A picture of its own bytes, large enough for every trainer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 90, 160)).save(path, quality=80)


def good_album(folder: Path) -> Path:
    """Twelve good pictures with captions and settings: nothing to say about it."""
    for number in range(12):
        picture(folder / f"IMG_{number:02}.jpg", number * 20)
        text = f"a photo of TOK ceramic cat on a shelf, view {number}"
        (folder / f"IMG_{number:02}.txt").write_text(text)
    (folder / "album.toml").write_text(
        '[album]\nkind = "subject"\ntrigger_phrase = "TOK"\nclass_phrase = "ceramic cat"\n'
        '[use]\nruntime = ["comfy"]\n'
        f'[train]\ntrainer = "{KLEIN}"\nsteps = 1000\noutput_lora_format = "comfy"\n'
    )
    return folder


def set_in(album: Path, old: str, new: str) -> None:
    text = (album / "album.toml").read_text()
    assert old in text
    (album / "album.toml").write_text(text.replace(old, new))


def paths(album: Album) -> list[str]:
    """The paths that stand for the examples, in order."""
    return [example.path for example in album.examples]


def only(album: Album) -> Example:
    """The one example of an album that must have just one."""
    assert len(album.examples) == 1
    return album.examples[0]


def text_of(album: Album, index: int = 0) -> str | None:
    """The caption of an example as it will be trained, None when it has none."""
    caption = album.caption(album.examples[index])
    return caption.text if caption else None
