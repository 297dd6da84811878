"""The contact sheet: what is on it, that it asks nobody for anything, that strangers cannot write on it."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from albums import good_album, set_in
from conftest import write_picture
from PIL import Image

from albumkit.facts import FactCache
from albumkit.report.formats import render
from albumkit.report.html import album as sheet
from albumkit.report.html.words import marked
from albumkit.workflows import LintReport, lint_paths

SAMPLES = Path(__file__).parent.parent / "sample_albums"
#: Elements that have no end tag.
VOID = {"meta", "img", "input", "link", "br", "wbr"}


class Page(HTMLParser):
    """A page taken apart: every element with its attributes and the text inside of it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(text)
        assert not self._open, f"never closed: {self._open[-1][:2]}"

    def handle_starttag(self, tag, attrs):
        element = (tag, {name: value or "" for name, value in attrs}, [])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for _, _, words in self._open:
            words.append(data)

    def all(self, tag: str, kind: str = "") -> list[tuple[dict[str, str], str]]:
        """(attributes, text) of the elements of a tag that have ``kind`` among their classes."""
        return [
            (attributes, "".join(words))
            for name, attributes, words in self.elements
            if name == tag and (not kind or kind in attributes.get("class", "").split())
        ]


def check(*paths: Path) -> LintReport:
    return lint_paths(paths, cache=FactCache.none(), keep=True)


def page_of(*paths: Path) -> Page:
    return Page("".join(render("html", check(*paths))))


def pictures(page: Page) -> dict[str, Image.Image]:
    """The thumbnails of a page by the first word of their alternative text."""
    found = {}
    for attributes, _ in page.all("img"):
        data = base64.b64decode(attributes["src"].removeprefix("data:image/jpeg;base64,"))
        image = Image.open(io.BytesIO(data))
        assert image.format == "JPEG"
        assert max(image.size) <= 256
        found[re.split(r"[:,] ", attributes["alt"])[0]] = image
    return found


@pytest.fixture
def album(tmp_path: Path) -> Path:
    return good_album(tmp_path / "cat")


@pytest.fixture(scope="module")
def messy() -> Page:
    return page_of(SAMPLES / "messy")


def test_a_page_asks_the_network_for_nothing(messy):
    for _, attributes, _ in messy.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert attributes.get(name, "#").startswith(("data:image/jpeg;base64,", "#"))
    (style,), (script,) = messy.all("style"), messy.all("script")
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert not re.search(r"https?:|fetch|import|XMLHttp", script[1])


def test_the_policy_of_a_page_lets_only_its_own_script_run(messy):
    (policy,) = [a["content"] for a, _ in messy.all("meta") if "http-equiv" in a]
    ((_, script),) = messy.all("script")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_every_example_has_a_card_with_its_findings(messy):
    cards = messy.all("article")
    assert len(cards) == 4 + 7 + 6 + 21
    ((attributes, text),) = [card for card in cards if "tumbler_02.jpg" in card[1]]
    assert {"error", "warning"} <= set(attributes["data-states"].split())
    assert {"example/below-training-resolution", "example/truncated"} <= set(attributes["data-rules"].split())
    assert "its pixels cannot be decoded to the end" in text
    assert 12 <= sum("error" in a["data-states"] for a, _ in cards) < 30


def test_every_rule_that_fired_is_told_once_with_its_words(messy):
    *_, (_, listing) = messy.all("ol", "rules")  # of messy/tumbler, the last of four albums
    rules = [a["data-rule"] for a, _ in messy.all("li") if a.get("data-rule")]
    options = [a["value"] for a, _ in messy.all("option") if a["value"]]
    assert set(options) == set(rules)
    assert len(options) == len(set(options)) >= 40
    for words in ("steps = 1250. This trainer takes hundreds: 1200 or 1300. line 14", "20 of 21 pictures"):
        assert words in listing
    assert "save it again as UTF-8" in listing
    assert "pack does these by itself" in messy.all("footer", "asides")[-1][1]


def test_a_page_says_whether_lint_fails(album):
    assert "lint passes" in page_of(album).all("p", "about")[0][1]
    (album / "IMG_05.txt").unlink()
    assert "lint fails" in page_of(album).all("p", "about")[0][1]


def test_elements_are_told_apart_and_described(messy):
    ids = [attributes["id"] for _, attributes, _ in messy.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(a["alt"] for a, _ in messy.all("img") if "mask" not in a.get("class", ""))
    assert [tag for tag, _, _ in messy.elements if tag in ("h1", "main")] == ["h1", "main"]
    assert all(a["aria-label"].partition(": ")[2] for a, _ in messy.all("span", "none"))
    words = {a.get("name"): a for tag, a, _ in messy.elements if tag in ("input", "select")}
    assert set(words) == {"rule", "words", "masks"}


def test_thumbnails_stand_upright_and_are_small(album):
    Image.new("RGB", (3000, 2000), (200, 30, 30)).save(album / "IMG_05.jpg", exif=_turned())
    shown = pictures(page_of(album))
    assert shown["IMG_05.jpg"].size == (171, 256)
    assert shown["IMG_04.jpg"].size == (256, 256)


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    ("name", "mode", "expected"),
    [
        ("a.png", "I;16", (128, 128, 128)),
        ("a.png", "RGBA", (255, 255, 255)),
        ("a.png", "LA", (128, 128, 128)),
        ("a.jpg", "CMYK", (128, 128, 128)),
        ("a.tiff", "F", (255, 255, 255)),
        ("a.png", "1", (255, 255, 255)),
    ],
)
def test_every_mode_is_shown_as_a_person_sees_it(tmp_path, name, mode, expected):
    color = {
        "I;16": 32896,
        "RGBA": (0, 0, 0, 0),
        "F": 0.5,
        "1": 1,
        "LA": (128, 255),
        "CMYK": (127, 127, 127, 0),
    }.get(mode, 128)
    (tmp_path / "cat").mkdir()
    Image.new(mode, (300, 200), color).save(tmp_path / "cat" / name)
    (image,) = pictures(page_of(tmp_path / "cat")).values()
    assert image.size == (256, 171)
    pixel = image.convert("RGB").getpixel((128, 80))
    assert max(abs(a - b) for a, b in zip(pixel, expected, strict=True)) <= 3


def test_what_cannot_be_shown_says_why(tmp_path):
    album = tmp_path / "cat"
    write_picture(album / "good.jpg", (300, 200))
    (album / "empty.jpg").touch()
    (album / "broken.jpg").write_bytes((album / "good.jpg").read_bytes()[:500])
    (album / "raw.cr2").write_bytes(b"II*\0 some camera")
    oid = "0" * 64
    (album / "away.jpg").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n"
    )
    page = page_of(album)
    assert list(pictures(page)) == ["good.jpg"]
    reasons = " ".join(text for _, text in page.all("span", "none"))
    for words in ("0 bytes", "cut off", "camera RAW", "Git LFS pointer"):
        assert words in reasons


def test_a_mask_lies_over_its_picture(album):
    Image.new("L", (1024, 1024), 0).save(album / "IMG_03.mask.png")
    page = page_of(album)
    (mask,) = [a for a, _ in page.all("img") if a.get("class") == "mask"]
    assert mask["alt"] == ""
    (card,) = [text for _, text in page.all("article") if "IMG_03.jpg" in text]
    assert "1024 \u00d7 1024 \u00b7 JPEG \u00b7 mask" in card


def test_pairs_show_start_and_end_also_when_one_is_missing(tmp_path):
    album = tmp_path / "edits"
    for side in ("start", "end"):
        write_picture(album / f"a_{side}.jpg", (300, 200))
    write_picture(album / "b_start.jpg", (300, 200))
    (album / "a.txt").write_text("turn it blue")
    page = page_of(album)
    assert [a["alt"] for a, _ in page.all("img") if "of the pair" in a["alt"]] == [
        "a_start.jpg, start of the pair: turn it blue",
        "a_end.jpg, end of the pair: turn it blue",
        "b_start.jpg, start of the pair: no caption",
    ]
    assert [text for _, text in page.all("span", "none")] == ["no end picture"]
    assert len(page.all("article", "pair")) == 2


def test_a_clip_shows_a_frame(tmp_path):
    pytest.importorskip("av", reason="the extra [video] is not installed")
    from clipmaker import SIZE, make_clip

    make_clip(tmp_path / "clips" / "a.mp4", frames=50, rate=25)
    page = page_of(tmp_path / "clips")
    (image,) = pictures(page).values()
    assert image.size == SIZE
    assert "\u25b6 0:02.0" in page.all("article")[0][1]


def test_related_pictures_stand_side_by_side_in_one_group(album):
    for name in ("copy", "again"):
        shutil.copy(album / "IMG_00.jpg", album / f"IMG_00_{name}.jpg")
        (album / f"IMG_00_{name}.txt").write_text(f"a photo of TOK ceramic cat, {name}")
    page = page_of(album)
    groups = page.all("div", "related")
    (text,) = [text for a, text in groups if a["data-rule"] == "example/exact-duplicate"]
    assert all(name in text for name in ("IMG_00.jpg", "IMG_00_copy.jpg", "IMG_00_again.jpg"))
    assert len(page.all("figure")) == 3 * len(groups)


def test_the_trigger_is_marked_wherever_it_stands():
    text = "TOK cat, tok's friend & TOKEN"
    assert marked(text, "TOK") == ("<mark>TOK</mark> cat, <mark>tok</mark>&#x27;s friend &amp; TOKEN")
    assert marked(text, None) == marked(text, "") == "TOK cat, tok&#x27;s friend &amp; TOKEN"


def test_a_trigger_among_composed_letters_is_marked():
    assert marked("un cafe\u0301 TOK", "TOK") == "un caf\u00e9 <mark>TOK</mark>"


def test_captions_of_strangers_are_only_text(album):
    (album / "IMG_05.txt").write_text("TOK </p><script>alert(1)</script><img src=x onerror=alert(2)> \u202e")
    set_in(album, 'class_phrase = "ceramic cat"', 'class_phrase = "<b>cat</b>"')
    page = page_of(album)
    assert len(page.all("script")) == 1
    (card,) = [text for _, text in page.all("article") if "IMG_05.jpg" in text]
    assert "<script>alert(1)</script><img src=x onerror=alert(2)> \\u202e" in card


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_names_of_strangers_are_only_text(album):
    evil = 'a"><script>alert(1)</script>\x1b.jpg'.replace("/", "\u2215")
    (album / "IMG_05.jpg").rename(album / evil)
    page = page_of(album)
    assert len(page.all("script")) == 1
    assert any(evil.replace("\x1b", "\\x1b") in text for _, text in page.all("article"))


def test_long_captions_can_be_opened(album):
    words = "a photo of TOK ceramic cat " + "with much around it " * 30
    (album / "IMG_05.txt").write_text(words)
    ((_, text),) = page_of(album).all("details", "caption")
    assert text.replace("\u2026", " ") == words.strip()


def test_ignored_findings_keep_their_reason(album):
    (album / "IMG_05.txt").unlink()
    with (album / "album.toml").open("a") as file:
        file.write('[[lint.ignore]]\nrule = "caption/missing"\nreason = "<later>"\n')
    page = page_of(album)
    (states,) = {a["data-states"] for a, text in page.all("article") if "IMG_05.jpg" in text}
    assert states == "clean ignored"
    assert "Ignored on purpose" in page.all("footer", "asides")[0][1]
    assert "1 time: <later>" in page.all("footer", "asides")[0][1]


def test_many_albums_have_a_list_of_them(tmp_path, album):
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    shutil.make_archive(str(tmp_path / "packed"), "zip", album)
    page = page_of(tmp_path / "broken.zip", album, tmp_path / "packed.zip")
    anchors = [a["href"] for a, _ in page.all("a") if a["href"] != "#albums"]
    assert anchors == [f"#{a['id']}" for a, _ in page.all("section")] == ["#a0", "#a1", "#a2"]
    assert len(page.all("img")) == 24
    assert "is not a zip that can be read" in page.all("section")[0][1]


def test_a_huge_album_shows_those_with_findings(album, monkeypatch):
    monkeypatch.setattr(sheet, "MOST_CARDS", 3)
    for number in (2, 7):
        (album / f"IMG_{number:02}.txt").unlink()
    page = page_of(album)
    assert len(page.all("article", "error")) == len(page.all("article")) == 2
    assert any("2 of 12 are shown" in text for _, text in page.all("section"))


def test_a_page_is_made_in_parts(album):
    """So that sixty albums never stand in memory as a whole."""
    parts = list(render("html", check(album)))
    assert len(parts) > 12
    assert max(map(len, parts)) < 60_000
