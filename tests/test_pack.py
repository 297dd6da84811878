"""Whole archives: layout, captions, documents, and that equal albums give equal bytes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
import zipfile
from pathlib import Path

import pytest
from pack_pictures import (
    EDIT,
    KLEIN,
    LTX,
    UNTURN,
    as_zip,
    corners,
    decoded,
    encoded,
    exif,
    is_close,
    members,
    pack,
    picture,
    put,
    quarters,
    triggered,
    varied,
)
from PIL import Image

from albumkit import parallel
from albumkit.pack.names import LONGEST_NAME

FAST = "fal-ai/flux-lora-fast-training"
PORTRAIT = "fal-ai/flux-lora-portrait-trainer"


def test_equal_albums_give_equal_bytes_whatever_the_jobs(tmp_path):
    made = []
    for number, jobs in enumerate((1, 2, 5, None)):
        album = varied(tmp_path / f"copy{number}" / "cat")
        os.utime(album / "album.toml", (number, number))
        out = tmp_path / f"out{number}"
        out.mkdir()
        result = pack(album, out / "cat.zip", jobs=jobs)
        made.append(
            [path.read_bytes() for path in (result.archive, result.manifest_path, result.request_path)]
        )
        assert hashlib.sha256(made[-1][0]).hexdigest() == result.sha256
        assert len(made[-1][0]) == result.size
    assert all(one == made[0] for one in made)
    assert str(tmp_path).encode() not in b"".join(made[0])


def test_the_zip_tells_no_time_and_no_machine(tmp_path):
    result = pack(varied(tmp_path / "cat"), tmp_path / "cat.zip")
    with zipfile.ZipFile(result.archive) as archive:
        assert archive.testzip() is None
        infos = archive.infolist()
    assert [i.filename for i in infos] == sorted(i.filename for i in infos)
    for info in infos:
        assert info.date_time == (1980, 1, 1, 0, 0, 0)
        assert info.compress_type == zipfile.ZIP_STORED
        assert (info.create_system, info.external_attr >> 16, info.extra) == (3, 0o100644, b"")


def test_names_stay_flat_and_share_their_root(tmp_path):
    album = put(
        tmp_path / "cat",
        {
            "IMG_1.jpg": picture(1),
            "IMG_1.txt": "top",
            "old/IMG_1.jpg": picture(2),
            "old/IMG_1.txt": "below",
            "old/IMG_2.jpeg": picture(3),
            "img_1.png": picture(4, "PNG"),
            "Größe 1.JPG": picture(5),
            "Größe 1.txt": "an umlaut",
            "wrong.png": picture(6),
        },
    )
    result = pack(album, tmp_path / "cat.zip")
    inside = members(result.archive)
    assert set(inside) == {
        "IMG_1.jpg", "IMG_1.txt", "old_IMG_1.jpg", "old_IMG_1.txt", "IMG_2.jpeg", "img_1_png.png",
        "Grosse_1.jpg", "Grosse_1.txt", "wrong.jpg",
    }  # fmt: skip
    assert inside["IMG_1.txt"] == b"top\n"
    assert inside["old_IMG_1.txt"] == b"below\n"
    assert inside["Grosse_1.txt"] == b"an umlaut\n"
    why = {file.name: [c.why for c in file.changes if c.what == "renamed"] for file in result.files}
    assert why["IMG_1.jpg"] == []
    assert "one flat folder" in why["IMG_2.jpeg"][0]
    assert "ASCII" in why["Grosse_1.jpg"][0]
    assert "another file has it" in why["img_1_png.png"][0]
    assert "endings" in why["wrong.jpg"][0]


def test_two_pictures_of_one_name_keep_their_captions(tmp_path):
    rows = [
        {"file_name": "a.jpg", "text": "from the camera"},
        {"file_name": "a.png", "text": "from the scanner"},
    ]
    files = {
        "a.jpg": picture(1),
        "a.png": picture(2, "PNG"),
        "metadata.jsonl": "\n".join(map(json.dumps, rows)),
    }
    inside = members(pack(put(tmp_path / "cat", files), tmp_path / "cat.zip").archive)
    assert set(inside) == {"a.jpg", "a.txt", "a_png.png", "a_png.txt"}
    assert inside["a.txt"] == b"from the camera\n"
    assert inside["a_png.txt"] == b"from the scanner\n"


def test_captions_of_every_kind_become_plain_text_files(tmp_path):
    files = {f"{name}.jpg": picture(number) for number, name in enumerate("abcdefgh")}
    files |= {
        "a.txt": b"\xef\xbb\xbfone  \r\n two\r\n\r\n",
        "b.txt": "größe".encode("utf-16"),
        "c.txt": "größe".encode("cp1252"),
        "d.caption": "in a .caption file",
        "e.txt": "plain",
        "f.txt": "plain with an end\n",
        "metadata.csv": "file_name,caption\ng.jpg,from a table\n",
        "h.txt": "   \n",
    }
    result = pack(put(tmp_path / "cat", files), tmp_path / "cat.zip")
    inside = members(result.archive)
    texts = {name[0]: data.decode() for name, data in inside.items() if name.endswith(".txt")}
    assert texts == {
        "a": "one\n two\n", "b": "größe\n", "c": "größe\n", "d": "in a .caption file\n", "e": "plain\n",
        "f": "plain with an end\n", "g": "from a table\n", "h": "\n",
    }  # fmt: skip
    by_name = {file.name: file for file in result.files}
    whats = {name[0]: [c.what for c in f.changes] for name, f in by_name.items() if f.role == "caption"}
    assert whats == {
        "a": ["caption tidied"], "b": ["caption to UTF-8"], "c": ["caption to UTF-8"],
        "d": ["caption renamed"], "e": [], "f": [], "g": ["caption from metadata"], "h": ["caption tidied"],
    }  # fmt: skip
    assert (by_name["g.txt"].source, by_name["g.txt"].line) == ("metadata.csv", 2)
    assert by_name["g.txt"].source_sha256 == hashlib.sha256(files["metadata.csv"].encode()).hexdigest()


def test_the_trigger_is_filled_in_where_the_trainer_does_not_do_it(tmp_path):
    album = triggered(tmp_path / "cat", **{"a.txt": "[trigger] and [Trigger] on a table"})
    result = pack(album, tmp_path / "k.zip")
    assert members(result.archive)["a.txt"] == b"TOK and TOK on a table\n"
    assert result.changes == {"[trigger] filled in": 1}
    assert (
        members(pack(album, tmp_path / "p.zip", PORTRAIT).archive)["a.txt"]
        == (album / "a.txt").read_bytes() + b"\n"
    )


def test_the_default_caption_is_written_only_for_our_own_engine(tmp_path):
    album = triggered(tmp_path / "cat", **{"a.txt": "TOK"})
    assert "b.txt" not in members(
        pack(album, tmp_path / "k.zip", set_={"default_caption": "[trigger]"}).archive
    )
    sent = json.loads((tmp_path / "k.request.json").read_text(encoding="utf-8"))
    assert sent["input"]["default_caption"] == "TOK"
    local = pack(album, tmp_path / "l.zip", "local")
    assert members(local.archive)["b.txt"] == b"a photo of TOK\n"
    (default,) = [file for file in local.files if file.name == "b.txt"]
    assert (default.source, default.source_sha256, default.changes[0].what) == (None, None, "default caption")
    assert "b.txt" not in members(pack(album, tmp_path / "n.zip", "local", {"default_caption": " "}).archive)


def test_pairs_by_name_and_by_folder_are_named_as_the_trainer_wants(tmp_path):
    by_name = {
        "x_START.png": picture(1, "PNG"), "x_end.jpg": picture(2), "x_start4.jpg": picture(4),
        "x.txt": "make it red",
    }  # fmt: skip
    by_folder = {
        "control_1/x.png": picture(1, "PNG"), "target/x.jpg": picture(2), "control_2/x.jpg": picture(4),
        "target/x.txt": "make it red",
    }  # fmt: skip
    made = []
    for number, files in enumerate((by_name, by_folder)):
        result = pack(put(tmp_path / str(number), files), tmp_path / f"{number}.zip", EDIT)
        made.append(members(result.archive))
        assert (result.examples, result.pictures, result.captions) == (1, 3, 1)
    assert made[0] == made[1]
    assert list(made[0]) == ["x.txt", "x_end.jpg", "x_start.png", "x_start2.jpg"]
    assert made[0]["x_end.jpg"] == picture(2)
    roles = {file.name: file.role for file in result.files}
    assert roles == {
        "x.txt": "caption", "x_end.jpg": "target", "x_start.png": "start", "x_start2.jpg": "reference",
    }  # fmt: skip


def test_a_pair_may_have_as_many_inputs_as_the_trainer_takes(tmp_path):
    sides = ("end", "start", "start2", "start3", "start4")
    files = {f"x_{side}.jpg": picture(number) for number, side in enumerate(sides)}
    inside = members(pack(put(tmp_path / "x", files), tmp_path / "x.zip", EDIT).archive)
    assert inside == dict(sorted(files.items()))


def test_a_plain_picture_is_not_left_looking_like_half_a_pair(tmp_path):
    toml = '[album]\nkind = "subject"\n[train.local]\nbase = "b"\n'
    album = put(tmp_path / "cat", {"album.toml": toml, "x_start.jpg": picture(1), "y.jpg": picture(2)})
    assert list(members(pack(album, tmp_path / "l.zip", "local").archive)) == ["x-start.jpg", "y.jpg"]
    assert list(members(pack(album, tmp_path / "k.zip", KLEIN).archive)) == ["x_start.jpg", "y.jpg"]


def masked(folder: Path) -> Path:
    left = Image.new("L", (32, 48))
    left.paste(255, (0, 0, 16, 48))
    stored = quarters(32, 48).transpose(UNTURN[6])
    toml = '[album]\nkind = "subject"\n[train.local]\nbase = "b"\n'
    files = {
        "album.toml": toml,
        "old/a.jpg": encoded(stored, "JPEG", exif=exif(6)),
        "old/masks/a.png": encoded(left.convert("RGB"), "PNG"),
        "b_mask.jpg": picture(2),
    }
    return put(folder, files)


def test_masks_go_where_the_trainer_looks_and_fit_the_upright_picture(tmp_path):
    result = pack(masked(tmp_path / "cat"), tmp_path / "l.zip", "local")
    inside = members(result.archive)
    assert set(inside) == {"a.jpg", "b_mask.jpg", "masks/a.png"}
    mask = decoded(inside["masks/a.png"])
    assert (mask.mode, mask.size) == ("L", (32, 48) if decoded(inside["a.jpg"]).size == (32, 48) else None)
    assert (mask.getpixel((2, 20)), mask.getpixel((30, 20))) == (255, 0)
    assert result.masks == 1
    assert result.notes == ("1 of 2 examples have a mask; the others are learned whole.",)


def test_masks_follow_the_pattern_of_the_trainer_and_pictures_get_out_of_its_way(tmp_path):
    inside = members(pack(masked(tmp_path / "cat"), tmp_path / "f.zip", FAST).archive)
    assert set(inside) == {"a.jpg", "a_mask.jpg", "b-mask.jpg"}
    assert decoded(inside["a_mask.jpg"]).mode == "L"


def test_nothing_is_said_of_masks_where_all_have_one(tmp_path):
    mask = encoded(Image.new("L", (40, 30), 255), "PNG")
    files = {f"{name}.jpg": picture(number) for number, name in enumerate("ab")}
    album = put(tmp_path / "cat", files | {f"masks/{name}.png": mask for name in "ab"})
    result = pack(album, tmp_path / "l.zip", "local")
    assert (result.masks, result.notes) == (2, ())
    assert pack(album, tmp_path / "k.zip", KLEIN).notes == (
        "2 masks were left out: this trainer takes none.",
    )


def test_a_long_name_leaves_room_for_what_the_mask_is_called(tmp_path):
    mask, stem = encoded(Image.new("L", (40, 30), 255), "PNG"), "n" * 150
    album = put(tmp_path / "cat", {f"{stem}.jpg": picture(1), f"masks/{stem}.png": mask})
    inside = members(pack(album, tmp_path / "f.zip", FAST).archive)
    assert max(map(len, inside)) == LONGEST_NAME


def test_masks_stay_behind_where_they_are_not_taken(tmp_path):
    result = pack(masked(tmp_path / "cat"), tmp_path / "k.zip", KLEIN)
    assert result.masks == 0
    assert result.notes == ("1 mask was left out: this trainer takes none.",)
    left_out = json.loads(result.manifest_path.read_bytes())["left_out"]
    assert left_out == [{"path": "old/masks/a.png", "why": "this trainer takes no masks"}]


def test_companions_orphans_and_beaten_captions_are_named(tmp_path):
    files = {
        "a.jpg": picture(1), "a.txt": "one", "a.caption": "two", "a.AAE": "x", "lost.txt": "three",
        "notes.md": "x",
    }  # fmt: skip
    result = pack(put(tmp_path / "cat", files), tmp_path / "k.zip")
    assert [one["path"] for one in json.loads(result.manifest_path.read_bytes())["left_out"]] == [
        "a.AAE", "a.caption", "lost.txt",
    ]  # fmt: skip
    assert set(members(result.archive)) == {"a.jpg", "a.txt"}


def test_clips_are_copied_as_they_are(tmp_path):
    data = random.Random(1).randbytes(3_000_000)
    album = put(
        tmp_path / "walk", {"a.MP4": data, "a.txt": "a walk", "b.mov": b"another", "c/b.mkv": b"third"}
    )
    result = pack(album, tmp_path / "walk.zip", LTX)
    inside = members(result.archive)
    assert list(inside) == ["a.mp4", "a.txt", "b.mov", "c_b.mkv"]
    assert inside["a.mp4"] == data
    assert (result.clips, result.pictures, result.untouched) == (3, 0, 3)
    (clip,) = [file for file in result.files if file.name == "a.mp4"]
    assert (clip.how, clip.sha256, clip.width) == ("copied", hashlib.sha256(data).hexdigest(), None)


def test_pictures_and_clips_together_where_the_trainer_says_so(tmp_path):
    album = put(tmp_path / "walk", {"a.mp4": b"clip", "b.jpg": picture(1)})
    result = pack(album, tmp_path / "walk.zip", "fal-ai/wan-trainer")
    assert (result.clips, result.pictures) == (1, 1)


def test_a_zip_packs_like_the_folder_it_holds(tmp_path):
    folder = varied(tmp_path / "cat")
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    (tmp_path / "in").mkdir()
    source = as_zip(tmp_path / "in" / "cat.zip", files)
    one, two = pack(folder, tmp_path / "f.zip"), pack(source, tmp_path / "z.zip")
    assert one.archive.read_bytes() == two.archive.read_bytes()
    assert one.album_hash == two.album_hash
    assert two.files[0].source.startswith("cat.zip!n0/")


def test_names_that_are_no_utf8_pass_through(tmp_path):
    album = tmp_path / "cat"
    album.mkdir()
    try:
        (album / os.fsdecode(b"IMG_\xff1.jpg")).write_bytes(picture(1))
    except (OSError, UnicodeError):
        pytest.skip("this file system takes only Unicode")
    result = pack(album, tmp_path / "cat.zip")
    assert list(members(result.archive)) == ["IMG_1.jpg"]
    assert json.loads(result.manifest_path.read_bytes())["files"][0]["source"] == "IMG_\udcff1.jpg"


def test_progress_counts_pictures(tmp_path):
    seen = []
    pack(
        varied(tmp_path / "cat"),
        tmp_path / "cat.zip",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(n, 12) for n in range(1, 13)]


def test_few_pixels_at_a_time_and_results_in_order():
    budget, lock, inside, most = parallel.Budget(100), threading.Lock(), 0, 0

    def run(amount: int) -> int:
        nonlocal inside, most
        with budget.take(amount):
            with lock:
                inside += min(amount, 100)
                most = max(most, inside)
            time.sleep(0.001)
            with lock:
                inside -= min(amount, 100)
        return amount

    amounts = [60, 60, 500, 1, 99, 100, 0] * 20
    assert [result for _, result in parallel.in_order(amounts, run, 4)] == amounts
    assert most == 100


def test_one_failure_ends_the_work_in_its_turn():
    began = []

    def run(number: int) -> int:
        began.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    results = parallel.in_order(range(100), run, 1)
    assert [next(results)[1] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert max(began) < 10


def test_the_whole_turns_upright_end_to_end(tmp_path):
    album = put(tmp_path / "cat", {"a.tiff": encoded(quarters().transpose(UNTURN[5]), "TIFF", exif=exif(5))})
    (data,) = members(pack(album, tmp_path / "cat.zip").archive).values()
    assert is_close(corners(decoded(data)), corners(quarters()))
