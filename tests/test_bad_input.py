"""Bad input through the whole of lint: no crash, no hang, every broken file named with its reason."""

from __future__ import annotations

import os
import threading
import time
import tracemalloc
import warnings
from pathlib import Path

import pytest
from corpus import build, noise, png_claiming
from PIL import Image

from albumkit.album.names import PICTURES, RARE_PICTURES, split_name
from albumkit.facts import FactCache
from albumkit.lint import AlbumResult
from albumkit.workflows import lint_paths

BROKEN = ("example/unreadable", "example/truncated", "example/decompression-bomb")


def check(folder: Path) -> AlbumResult:
    (result,) = lint_paths([folder], cache=FactCache.none()).albums
    return result


def complaints(result: AlbumResult) -> dict[str, list[tuple[str, str]]]:
    """Path -> (rule, message) of everything that says that the file cannot be used."""
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in result.findings:
        if finding.rule in BROKEN:
            found.setdefault(finding.path, []).append((finding.rule, finding.message))
    return found


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        p.relative_to(folder).as_posix(): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")
    }


# Pictures


def test_every_broken_picture_is_one_finding_and_its_neighbours_are_clean(tmp_path):
    broken, good = build(tmp_path / "album")
    assert len(broken) >= 60
    before = snapshot(tmp_path)
    result = check(tmp_path / "album")
    assert snapshot(tmp_path) == before
    found = complaints(result)
    skipped = {s.path for s in result.skipped if s.rule in BROKEN}
    assert {name for name in broken if len(found.get(name, [])) != 1 and name not in skipped} == set()
    assert {name: found[name] for name in good if name in found} == {}
    assert result.examples == len(broken) + len(good)
    for reasons in found.values():
        for _, message in reasons:
            assert 10 < len(message) < 200
            assert " at 0x" not in message
            assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "rule", "words"),
    [
        ("bomb.png", "example/decompression-bomb", "3600 megapixels"),
        ("empty.jpg", "example/unreadable", "the file is empty (0 bytes)"),
        ("text.jpg", "example/unreadable", "a web page, not a picture"),
        ("noise.heic", "example/unreadable", "not a picture that can be read"),
        ("cut_webp_60.webp", "example/unreadable", "begins like WebP, but is cut off or damaged"),
        ("cut_jpg_60.jpg", "example/truncated", "cannot be decoded to the end: image file is truncated"),
        ("cut_png_90.png", "example/truncated", "cannot be decoded to the end: image file is truncated"),
        ("bit_rot.png", "example/truncated", "cannot be decoded to the end"),
    ],
)
def test_the_reason_is_the_right_one(tmp_path, name, rule, words):
    build(tmp_path)
    for file in tmp_path.iterdir():
        if file.name != name:
            file.unlink()
    ((found, message),) = complaints(check(tmp_path))[name]
    assert found == rule
    assert words in message


def test_a_bomb_takes_no_memory(tmp_path):
    """A whole picture of 170 megapixels: 500 MB when decoded, a few kilobytes on disk."""
    (tmp_path / "large.png").write_bytes(png_claiming(13000, 13000, bytes(13000 * 3 * 10)))
    tracemalloc.start()
    try:
        result = check(tmp_path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert complaints(result) == {}
    assert [s.reason for s in result.skipped if s.path == "large.png" or s.rule == "example/truncated"] == [
        "169 megapixels: decoded here only up to 64"
    ]
    assert most < 30_000_000


def test_wrong_endings_are_judged_by_content(tmp_path):
    noise(1).save(tmp_path / "a.jpg", "PNG")
    noise(2).save(tmp_path / "b.png", "TIFF")
    (tmp_path / "c.png").write_text("not a picture", encoding="utf-8")
    result = check(tmp_path)
    assert set(complaints(result)) == {"c.png"}
    assert {(h.path, h.words) for h in result.handled} == {
        ("a.jpg", "PNG under a wrong ending renamed"),
        ("b.png", "TIFF converted"),
        ("b.png", "TIFF under a wrong ending renamed"),
    }


def test_plain_pillow_and_lint_agree_on_pillows_own_pictures():
    """Every file of Pillow's test pictures that Pillow cannot load is a finding, or skipped with its reason.

    About a thousand crashers, bombs and oddities that are no part of this repository. To run it::

        pip download --no-deps --no-binary :all: pillow==13.0.0 && tar xf pillow-13.0.0.tar.gz
        ALBUMKIT_PILLOW_IMAGES=pillow-13.0.0/Tests/images pytest tests/test_bad_input.py -k pillows_own -s
    """
    place = os.environ.get("ALBUMKIT_PILLOW_IMAGES")
    if not place:
        pytest.skip("ALBUMKIT_PILLOW_IMAGES names no folder; see the docstring")
    folder = Path(place)
    start = time.perf_counter()
    result = check(folder)
    seconds, peak = time.perf_counter() - start, _peak()
    found = complaints(result)
    skipped = {s.path for s in result.skipped if s.rule in BROKEN and s.reason}
    refused, missed, accused = 0, [], []
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    pictures = [name for name in names if split_name(name)[2] in PICTURES | RARE_PICTURES]
    for name in pictures:
        broken = not _loads(folder / name)
        refused += broken
        if broken and name not in found and name not in skipped:
            missed.append(name)
        if not broken and name in found:
            accused.append(name)
    assert len(pictures) == result.examples > 900
    assert missed == []
    assert accused == []
    assert all(len(reasons) == 1 for reasons in found.values())
    print(
        f"\n{len(names)} files, {len(pictures)} with the ending of a picture; Pillow cannot load {refused}; "
        f"{len(found)} findings, {len(skipped)} skipped, {seconds:.1f} s{peak}"
    )


def _peak() -> str:
    try:
        import resource
    except ImportError:  # Windows
        return ""
    return f", at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"


def _loads(file: Path) -> bool:
    """Whether plain Pillow, with pi-heif registered, opens and decodes it."""
    import pi_heif

    pi_heif.register_heif_opener()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(file) as image:
                image.load()
        except Exception:
            return False
    return True


# Captions


@pytest.fixture
def captioned(tmp_path, make_picture):
    """Lint one picture with the caption bytes given; returns its caption findings as rule -> message."""
    make_picture(tmp_path / "a.jpg")
    toml = '[album]\nkind = "subject"\ntrigger_phrase = "TOK"\n'
    (tmp_path / "album.toml").write_text(toml, encoding="utf-8")

    def judge(data: bytes) -> dict[str, str]:
        (tmp_path / "a.txt").write_bytes(data)
        return {f.rule: f.message for f in check(tmp_path).findings if f.rule.startswith("caption/")}

    return judge


TEXT = "a photo of TOK caf\u00e9 cat"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        f"{TEXT}  \r\n".encode(),
        f"\u732b {TEXT} \U0001f408".encode(),
    ],
)
def test_good_captions_are_silent(captioned, data):
    assert captioned(data) == {}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1", "cp1252"])
def test_other_encodings_are_read_and_named(captioned, encoding):
    """The trigger is found in them, so their text was understood."""
    found = captioned(TEXT.encode(encoding))
    assert list(found) == ["caption/not-utf8"]
    name = "latin-1" if encoding == "cp1252" else encoding
    assert name in found["caption/not-utf8"].lower()


def test_utf16_of_either_byte_order(captioned):
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert list(captioned(mark + TEXT.encode(encoding))) == ["caption/not-utf8"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (TEXT.encode("utf-16-le"), "NUL"),
        (b"TOK \x00 cat", "NUL"),
        (b"\xff\xfeT\x00O", "starts like utf-16 but is not"),
        (b"\xff\xfe\x00\x00abc", "starts like utf-32 but is not"),
        (b"\xff\xfe\x00\xd8", "starts like utf-16 but is not"),
        (b"TOK " + b"x" * 10_000_000, "larger than 1024 KiB"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "NUL"),
        (b"\x00" * 10_000_000, "larger than 1024 KiB"),
    ],
)
def test_what_is_no_text_is_unreadable(captioned, data, words):
    found = captioned(data)
    assert list(found) == ["caption/unreadable"]
    assert words in found["caption/unreadable"]


@pytest.mark.parametrize("data", [b"", b" \r\n\t ", b"\xef\xbb\xbf", b"\xff\xfe", "\u00a0\u2003".encode()])
def test_blank_captions_are_empty(captioned, data):
    found = captioned(data)
    assert "caption/empty" in found
    assert "caption/unreadable" not in found


def test_a_megabyte_of_caption_is_still_text(captioned):
    found = captioned(b"TOK " + b"word " * 200_000)
    assert list(found) == ["caption/too-long"]


def test_a_caption_that_is_a_folder(tmp_path, make_picture):
    make_picture(tmp_path / "a.jpg")
    (tmp_path / "a.txt").mkdir()
    assert "caption/missing" in {f.rule for f in check(tmp_path).findings}


def test_a_picture_that_is_a_folder(tmp_path, make_picture):
    make_picture(tmp_path / "a.jpg")
    make_picture(tmp_path / "b.jpg" / "c.jpg")
    result = check(tmp_path)
    assert (result.examples, complaints(result)) == (2, {})


# Names


def test_names_that_look_like_something_else(tmp_path, make_picture):
    """Markup of rich, fields of str.format, quotes, blanks: a name is only a name."""
    names = [
        "[bold]x[/bold]",
        "{0} {message}",
        "%s",
        "-v",
        " a ",
        "a'b\"c",
        "\u202egnp",
        "a;b&c",
        "#",
        "%2e%2e",
    ]
    if os.name == "nt":
        names = [name for name in names if name == name.strip() and '"' not in name]
    for name in names:
        make_picture(tmp_path / f"{name}.jpg")
        (tmp_path / f"{name}.txt").write_text(f"TOK {name}", encoding="utf-8")
    (tmp_path / "{x}.jpg").write_bytes(b"broken {y}")
    report = lint_paths([tmp_path], cache=FactCache.none())
    (result,) = report.albums
    assert set(complaints(result)) == {"{x}.jpg"}
    assert result.captions == len(names)
    from albumkit.report.json import lint_document
    from albumkit.report.text import lint_lines

    assert any("{x}" in line.plain for line in lint_lines(report, width=80))
    assert {f["path"] for f in lint_document(report)["findings"]} >= {"{x}.jpg"}


def test_lint_from_several_threads_at_once(tmp_path):
    """A tool may call it so; nothing global is switched for the time of a call."""
    broken, _ = build(tmp_path / "album")
    results: list[set[str]] = []
    threads = [
        threading.Thread(target=lambda: results.append(set(complaints(check(tmp_path / "album")))))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [set(broken)] * 3
