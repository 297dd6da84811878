"""The captioner that ships captions albums of its world, and is checked like any other."""

from pathlib import Path

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from albumkit.caption.captioners import captioner_for  # noqa: E402
from albumkit.captioning import caption_album  # noqa: E402
from albumkit.engine.pocket.world import figurine, render, sample  # noqa: E402
from albumkit.engine.pocket.world.answers import change, changed, contents, surroundings  # noqa: E402
from albumkit.engine.pocket.world.scenes import Scenes  # noqa: E402
from albumkit.errors import UsageError  # noqa: E402


def drawn(folder: Path, scenes: Scenes, name: str = "{:02}.png") -> Path:
    folder.mkdir(exist_ok=True)
    for i, pixels in enumerate(render(scenes, 160)[0]):
        Image.fromarray(pixels.numpy()).save(folder / name.format(i))
    return folder


def captions(album: Path) -> list[str]:
    return [file.read_text(encoding="utf-8").strip() for file in sorted(album.glob("*.txt"))]


def test_an_unknown_subject_is_called_as_album_toml_says(tmp_path: Path) -> None:
    scenes = figurine(31, 8)
    album = drawn(tmp_path / "cat", scenes)
    (album / "album.toml").write_text(
        '[album]\nkind = "subject"\ntrigger_phrase = "TOK"\nclass_phrase = "ceramic cat figurine"\n'
    )
    report = caption_album(album, lambda: captioner_for("pocket"))
    wanted = [f"a photo of TOK ceramic cat figurine {where}" for where in surroundings(scenes)]
    assert [one.state for one in report.outcomes] == ["captioned"] * 8
    assert sum(a == b for a, b in zip(captions(album), wanted, strict=True)) >= 7


def test_a_style_is_captioned_by_what_is_shown(tmp_path: Path) -> None:
    scenes = sample(32, 6, held=False)
    album = drawn(tmp_path / "style", scenes)
    (album / "album.toml").write_text('[album]\nkind = "style"\ntrigger_phrase = "inknyte"\n')
    caption_album(album, lambda: captioner_for("pocket"))
    wanted = [f"{text}, in inknyte" for text in contents(scenes)]
    assert sum(a == b for a, b in zip(captions(album), wanted, strict=True)) >= 5


def test_a_pair_gets_the_instruction_that_leads_from_one_to_the_other(tmp_path: Path) -> None:
    before = sample(33, 6, held=False)
    after = changed(before, 34)
    album = drawn(tmp_path / "edit", before, "{:02}_start.png")
    drawn(album, after, "{:02}_end.png")
    (album / "album.toml").write_text('[album]\nkind = "edit"\ntrigger_phrase = ""\n')
    caption_album(album, lambda: captioner_for("pocket"))
    assert sum(a == b for a, b in zip(captions(album), change(before, after), strict=True)) >= 5


def test_pocket_is_one_model() -> None:
    with pytest.raises(UsageError, match="pocket is one model"):
        captioner_for("pocket", model="large")
    with pytest.raises(UsageError, match="--base-url: pocket does not take it"):
        captioner_for("pocket", base_url="http://localhost:1/v1")
