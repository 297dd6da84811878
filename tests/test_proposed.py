"""Captions and masks that are not written yet are judged as if they were."""

import io
from pathlib import Path

from PIL import Image

from albumkit.facts import FactCache, Measured
from albumkit.lint import lint
from albumkit.opening import open_album
from albumkit.settings import resolve


def judged(album: Path, proposed: dict[str, bytes], cache: FactCache | None = None) -> dict[str, set[str]]:
    opened = open_album(album, proposed=proposed)
    measured = Measured(opened.album, cache or FactCache.none())
    result = lint(opened, resolve(opened.config, guessed_kind=opened.guessed_kind), measured)
    measured.save()
    found: dict[str, set[str]] = {}
    for finding in result.findings:
        found.setdefault(finding.rule, set()).add(finding.path)
    return found


def album_of(folder: Path, make_picture) -> Path:
    (folder / "album.toml").write_text(
        '[album]\ntrigger_phrase = "TOK"\nclass_phrase = "cup"\n[train]\ntrainer = "local"\n'
    )
    make_picture(folder / "a.jpg")
    make_picture(folder / "b.jpg")
    (folder / "a.txt").write_text("a photo of TOK cup on a table")
    return folder


def test_a_proposed_caption_is_judged_and_nothing_is_written(tmp_path: Path, make_picture):
    album = album_of(tmp_path, make_picture)
    assert judged(album, {})["caption/missing"] == {"b.jpg"}
    found = judged(album, {"b.txt": b"The image shows a cup"})
    assert "caption/missing" not in found
    assert found["caption/trigger-absent"] == {"b.jpg"}
    assert found["caption/assistant-boilerplate"] == {"b.jpg"}
    assert not (album / "b.txt").exists()


def test_a_proposed_caption_stands_for_the_one_on_disk(tmp_path: Path, make_picture):
    album = album_of(tmp_path, make_picture)
    assert judged(album, {"a.txt": b"a cup"})["caption/trigger-absent"] == {"a.jpg"}
    assert (album / "a.txt").read_text() == "a photo of TOK cup on a table"


def test_a_proposed_mask_is_judged_and_not_remembered(tmp_path: Path, make_picture):
    album = album_of(tmp_path, make_picture)
    empty = io.BytesIO()
    Image.new("L", (64, 48), 0).save(empty, "PNG")
    cache = FactCache(tmp_path / "facts.sqlite")
    assert judged(album, {"masks/a.png": empty.getvalue()}, cache)["mask/empty"] == {"masks/a.png"}
    good = Image.new("L", (64, 48), 0)
    good.paste(255, (16, 12, 48, 36))
    (album / "masks").mkdir()
    good.save(album / "masks" / "a.png")
    assert "mask/empty" not in judged(album, {}, cache)
    cache.close()
