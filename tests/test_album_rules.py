"""Rules of file names and of the files beside the pictures: junk, folders, collisions, orphans, sizes."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import pytest
from albums import KLEIN, good_album, paths, picture
from corpus import fill

from albumkit.album import read_album
from albumkit.album.names import is_junk
from albumkit.album.portable import obstacle
from albumkit.facts import FactCache, Measured
from albumkit.lint import AlbumResult, lint
from albumkit.opening import open_album
from albumkit.pack.names import Wish, allot_roots, portable
from albumkit.rule import find_rule, load_rules
from albumkit.settings import resolve
from albumkit.trainer import Largest

LTX = "fal-ai/ltx23-video-trainer"
WAN = "fal-ai/wan-trainer/t2v-14b"


def judge(
    folder: Path,
    rule: str,
    trainer: str = KLEIN,
    tracked: frozenset[str] | None = None,
    largest: int | None = None,
) -> AlbumResult:
    """One rule on one album."""
    opened = open_album(folder, tracked=tracked)
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=trainer)
    if largest:
        archive = dataclasses.replace(settings.trainer.archive, largest=Largest(largest, "a test"))
        settings = dataclasses.replace(
            settings, trainer=dataclasses.replace(settings.trainer, archive=archive)
        )
    measured = Measured(opened.album, FactCache.none())
    result = lint(opened, settings, measured, rules=[find_rule(rule)])
    assert not result.skipped
    return result


def messages(result: AlbumResult) -> dict[str, str]:
    return {finding.path: finding.message for finding in result.findings}


def message(result: AlbumResult) -> str:
    """The message of the one finding that there must be."""
    assert len(result.findings) == 1, result.findings
    return result.findings[0].message


def handled(result: AlbumResult) -> dict[str, str]:
    assert not result.findings
    return {one.path: one.words for one in result.handled}


def is_silent(result: AlbumResult) -> bool:
    return not (result.findings or result.handled)


def test_a_good_album_is_silent(tmp_path):
    opened = open_album(good_album(tmp_path / "cat"))
    settings = resolve(opened.config, guessed_kind="subject")
    rules = [rule for rule in load_rules() if rule.id.startswith(("album/", "mask/"))]
    result = lint(opened, settings, Measured(opened.album, FactCache.none()), rules=rules)
    assert is_silent(result)


# Junk


@pytest.mark.parametrize(
    "name",
    [
        "Thumbs.db",
        "desktop.ini",
        ".DS_Store",
        "._IMG_1.jpg",
        "IMG_1.jpg.tmp",
        "IMG_1.jpg.part",
        "~$notes.docx",
    ]
    + ["IMG_1_flux.npz", "IMG_1.txt~", "@eaDir", "__MACOSX", "_latent_cache", "Icon\r", ".aitk_size.json"],
)
def test_what_systems_and_tools_leave_is_junk(name):
    assert is_junk(name)


@pytest.mark.parametrize(
    "name", ["IMG_1.jpg", "notes.docx", ".git", ".gitattributes", "album.toml", "template.png"]
)
def test_what_people_put_there_is_no_junk(name):
    assert not is_junk(name)


def test_junk_is_left_out_by_pack_and_named(tmp_path):
    folder = fill(tmp_path, "a.jpg", "Thumbs.db", ".DS_Store", "b.tmp", "@eaDir/a.jpg/thumb.jpg", ".git/x")
    result = judge(folder, "album/junk-files")
    assert handled(result) == {"": "lot of junk left out (.DS_Store, @eaDir, Thumbs.db, b.tmp)"}
    assert paths(read_album(folder)) == ["a.jpg"]


def test_junk_in_a_zip_is_named_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "cat.zip", "w") as archive:
        for name in ("a.jpg", "Thumbs.db", "__MACOSX/._a.jpg", ".git/HEAD"):
            archive.writestr(name, b"x")
    result = judge(tmp_path / "cat.zip", "album/junk-files")
    assert handled(result) == {"": "lot of junk left out (Thumbs.db, __MACOSX/._a.jpg)"}


def test_excluded_and_untracked_junk_is_nobodys_business(tmp_path):
    folder = fill(tmp_path, "a.jpg", "Thumbs.db", ".DS_Store")
    tracked = frozenset({"a.jpg", ".DS_Store"})
    assert "(.DS_Store)" in handled(judge(folder, "album/junk-files", tracked=tracked))[""]
    (folder / "album.toml").write_text('[album]\nexclude = ["Thumbs.db", ".DS_Store"]')
    assert is_silent(judge(folder, "album/junk-files"))


# Folders


def test_pictures_in_folders_are_taken_out_by_pack(tmp_path):
    folder = fill(tmp_path, "a.jpg", "day 2/b.jpg", "day 2/late/c.jpg")
    result = judge(folder, "album/nested-folders")
    assert handled(result) == {
        "day 2/b.jpg": "taken out of folders",
        "day 2/late/c.jpg": "taken out of folders",
    }


@pytest.mark.parametrize(
    "names",
    [
        ("10_tok cat/a.jpg", "5_tok dog/b.jpg"),
        ("target/a.jpg", "control/a.jpg", "control_2/a.jpg"),
        ("a.jpg", "masks/a.png"),
    ],
)
def test_known_layouts_are_no_fault(names, tmp_path):
    assert is_silent(judge(fill(tmp_path, *names), "album/nested-folders"))


# Pictures and clips


def test_a_trainer_of_one_kind_at_a_time_refuses_both(tmp_path):
    folder = fill(tmp_path, "a.mp4", "b.mp4", "still.jpg")
    result = judge(folder, "album/mixed-media", LTX)
    assert message(result).startswith("1 picture and 2 clips in one album")
    assert result.findings[0].paths == ("still.jpg",)
    assert is_silent(judge(folder, "album/mixed-media", WAN))
    assert is_silent(judge(folder, "album/mixed-media", KLEIN))  # which takes no clips: another rule's fault


def test_a_live_photo_mixes_nothing(tmp_path):
    assert is_silent(judge(fill(tmp_path, "a.heic", "a.mov"), "album/mixed-media", LTX))


# Names


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("a:b.jpg", 'holds ":", which Windows does not allow'),
        ("what?/a.jpg", 'holds "?", which'),
        ("a\tb.jpg", "holds the control character 9"),
        ("day 2./a.jpg", "ends in a dot"),
        ("day 2 /a.jpg", "ends in a blank"),
        ("aux.jpg", "begins with aux, which Windows keeps"),
        ("COM1.tar.jpg", "begins with COM1"),
        ("ä" * 200 + ".jpg", "has a part of 404 bytes; most systems take 255"),
        ("long/" * 50 + "a.jpg", "is 255 characters long with its folders"),
        ("Ka\u0308tzchen.jpg", "spells its accents apart"),
        ("a\udcff.jpg", "holds bytes that are no UTF-8"),
    ],
)
def test_names_that_another_system_cannot_hold(path, words):
    assert words in obstacle(path)
    stem = path.rpartition("/")[2].rpartition(".")[0]
    given = allot_roots([Wish(path.rpartition("/")[0], stem, "jpg")])[0]
    assert obstacle(f"{given}.jpg") == ""  # what the rule calls handled


@pytest.mark.parametrize(
    "name", ["IMG 1 (2).jpg", "Kätzchen.jpg", "猫.jpg", "a.b-c_d.jpg", "auxiliary.jpg", "-a.jpg"]
)
def test_names_that_travel(name):
    assert obstacle(name) == ""


def test_pack_gives_portable_names(tmp_path):
    result = judge(fill(tmp_path, "a.jpg", "b?.jpg"), "album/name-not-portable")
    assert handled(result) == {"b?.jpg": "given a portable name"}
    assert portable("b?") == "b"


# Collisions


def test_two_endings_share_one_caption(tmp_path):
    folder = fill(tmp_path, "a.jpg", "a.png", "b.jpg", a_txt="a cat")
    result = judge(folder, "album/name-collision")
    assert messages(result) == {"a.png": "has the name of a.jpg but for the ending; both take a.txt."}
    assert result.findings[0].paths == ("a.png", "a.jpg")


def test_two_endings_share_one_mask(tmp_path):
    result = judge(fill(tmp_path, "a.jpg", "a.png", "masks/a.png"), "album/name-collision")
    assert message(result) == "has the name of a.jpg but for the ending; both take masks/a.png."


def test_names_that_only_a_system_takes_for_one_are_renamed_apart(tmp_path):
    folder = fill(tmp_path, "A.jpg", "a.jpg", "day/a.jpg", A_txt="one", a_txt="two")
    assert handled(judge(folder, "album/name-collision")) == {"a.jpg": "renamed apart"}


def test_accents_stored_in_two_ways_share_their_caption(tmp_path):
    folder = fill(tmp_path, "a\u0308.jpg", "ä.jpg", "ä.txt")
    if len(list(folder.iterdir())) < 3:
        pytest.skip("this file system takes them for one")
    said = message(judge(folder, "album/name-collision"))
    assert said == "has the name of a\u0308.jpg, its accents stored in another way; both take ä.txt."


def test_metadata_may_tell_two_endings_apart(tmp_path):
    rows = [{"file_name": "a.jpg", "text": "one"}, {"file_name": "a.png", "text": "two"}]
    folder = fill(tmp_path, "a.jpg", "a.png")
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert handled(judge(folder, "album/name-collision")) == {"a.png": "renamed apart"}


def test_a_picture_may_not_have_the_name_of_a_pair(tmp_path):
    folder = fill(tmp_path, "vase.jpg", "vase_start.jpg", "vase_end.jpg", vase_txt="turn it")
    said = message(judge(folder, "album/name-collision", f"{KLEIN}/edit"))
    assert said == "has the name of the pair that vase.jpg is a part of; both take vase.txt."


# Orphans


@pytest.mark.parametrize(
    ("orphan", "shown"),
    [
        ("IMG_01.txt", "IMG_01.txt (perhaps of IMG_1.jpg)"),
        ("img-1.txt", "img-1.txt (perhaps of IMG_1.jpg)"),
        ("IMG_1.jpg.txt", "IMG_1.jpg.txt (perhaps of IMG_1.jpg)"),
        ("captions/IMG_1.txt", "captions/IMG_1.txt (perhaps of IMG_1.jpg)"),
        ("IMMG_1.txt", "IMMG_1.txt (perhaps of IMG_1.jpg)"),
        ("IMG_2.txt", "IMG_2.txt"),
        ("IMG_11.txt", "IMG_11.txt"),
        ("harbour.txt", "harbour.txt"),
    ],
)
def test_a_lone_caption_is_named_with_the_picture_it_may_be_of(orphan, shown, tmp_path):
    result = judge(fill(tmp_path, "IMG_1.jpg", "garden.jpg", orphan), "album/orphan-caption")
    assert message(result) == f"no picture for {shown}."
    assert result.findings[0].paths == (orphan,)


def test_a_picture_that_has_its_caption_lost_none(tmp_path):
    folder = fill(tmp_path, "IMG_1.jpg", "IMG_1.txt", "IMG_01.txt")
    assert message(judge(folder, "album/orphan-caption")) == "no picture for IMG_01.txt."


def test_captions_of_any_case_and_papers_are_no_orphans(tmp_path):
    folder = fill(tmp_path, "a.jpg", "A.TXT", "README.txt", "License.txt", "sample_prompts.txt")
    assert is_silent(judge(folder, "album/orphan-caption"))


def test_sidecars_of_excluded_pictures_are_no_orphans(tmp_path):
    folder = fill(tmp_path, "a.jpg", "b.jpg", "b.txt", "c.JPG", "masks/b.png", "bad/d.jpg", "bad/d.txt")
    rows = [{"file_name": name, "text": "x"} for name in ("b.jpg", "bad/d.jpg", "c.JPG")]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "album.toml").write_text('[album]\nexclude = ["b.jpg", "bad/", "c.*"]')
    assert is_silent(judge(folder, "album/orphan-caption"))
    assert is_silent(judge(folder, "album/orphan-mask", "local"))


def test_the_caption_of_an_excluded_pair_is_no_orphan(tmp_path):
    folder = fill(tmp_path, "a_start.png", "a_end.png", "b_start.png", "b_end.png", a_txt="x", b_txt="y")
    (folder / "album.toml").write_text('[album]\nexclude = ["b_*.png"]')
    assert is_silent(judge(folder, "album/orphan-caption", f"{KLEIN}/edit"))


def test_rows_of_metadata_are_captions_too(tmp_path):
    folder = fill(tmp_path, "IMG_1.jpg", "IMG_2.jpg", "masks/IMG_1.png")
    rows = [{"file_name": name, "text": "x"} for name in ("IMG_1.jpg", "IMG_02.jpg", "masks/IMG_1.png")]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    said = message(judge(folder, "album/orphan-caption"))
    assert said == "no picture for metadata.jsonl line 2: IMG_02.jpg (perhaps of IMG_2.jpg)."


def test_many_orphans_are_counted(tmp_path):
    folder = fill(tmp_path, "a.jpg", *[f"lost_{n}.txt" for n in range(9)])
    said = message(judge(folder, "album/orphan-caption"))
    assert said == "no picture for lost_0.txt, lost_1.txt, lost_2.txt, lost_3.txt and 5 more."


def test_a_lone_mask_is_named_where_masks_are_read(tmp_path):
    folder = fill(tmp_path, "IMG_1.jpg", "IMG_2.jpg", "masks/IMG_01.png", "masks/IMG_2.png")
    said = message(judge(folder, "album/orphan-mask", "local"))
    assert said == "no picture for masks/IMG_01.png (perhaps of IMG_1.jpg)."
    assert is_silent(judge(folder, "album/orphan-mask", KLEIN))


# Several captions


def test_the_caption_that_counts_is_told_where_two_disagree(tmp_path):
    folder = fill(tmp_path, "a.jpg", a_txt="TOK cat", a_caption="a dog")
    (folder / "metadata.csv").write_text("file_name,text\na.jpg,a bird\n")
    result = judge(folder, "album/ambiguous-caption")
    assert message(result) == "a.txt counts; a.caption, metadata.csv line 2 says something else."
    assert result.findings[0].paths == ("a.jpg", "a.caption", "metadata.csv")


@pytest.mark.parametrize("other", ["TOK  cat\r\n", "", "  \n"])
def test_captions_that_agree_or_are_blank_are_no_rivals(other, tmp_path):
    folder = fill(tmp_path, "a.jpg", "b.jpg", a_txt="TOK cat", a_caption=other)
    assert is_silent(judge(folder, "album/ambiguous-caption"))


def test_a_blank_caption_that_counts_has_a_rival(tmp_path):
    folder = fill(tmp_path, "a.jpg", a_txt=" ", a_caption="TOK cat")
    assert message(judge(folder, "album/ambiguous-caption")).startswith("a.txt counts")


def test_metadata_made_of_the_captions_agrees_with_them(tmp_path):
    folder = fill(tmp_path, "a.jpg", a_txt="TOK cat")
    (folder / "meta.json").write_text(json.dumps({"a": {"caption": "TOK cat", "tags": "sitting, indoors"}}))
    assert is_silent(judge(folder, "album/ambiguous-caption"))


def test_a_caption_in_capitals_beside_the_other_is_a_rival(tmp_path):
    folder = fill(tmp_path, "a.jpg", a_txt="TOK cat", a_TXT="a dog")
    if len(list(folder.iterdir())) < 3:
        pytest.skip("this file system does not tell case apart")
    assert message(judge(folder, "album/ambiguous-caption")) == "a.txt counts; a.TXT says something else."


def test_both_names_of_a_pairs_caption_are_read(tmp_path):
    folder = fill(tmp_path, "a_start.png", "a_end.png", a_txt="make it blue", a_end_txt="make it red")
    said = message(judge(folder, "album/ambiguous-caption", f"{KLEIN}/edit"))
    assert said == "a.txt counts; a_end.txt says something else."
    assert is_silent(judge(folder, "album/orphan-caption", f"{KLEIN}/edit"))


# Size


def test_an_archive_is_held_against_the_limit_that_the_trainer_states(tmp_path):
    picture(tmp_path / "a.jpg")
    size = (tmp_path / "a.jpg").stat().st_size
    (tmp_path / "a.txt").write_text("x" * 1000)
    (tmp_path / "notes.docx").write_bytes(bytes(10**6))
    assert is_silent(judge(tmp_path, "album/archive-too-large", largest=size + 1000))
    said = message(judge(tmp_path, "album/archive-too-large", largest=size // 2))
    assert said == f"about {size / 1e6:.1f} MB to pack; this trainer takes {size // 2 / 1e6:.1f} MB."


def test_without_a_stated_limit_no_archive_is_too_large(tmp_path):
    picture(tmp_path / "a.jpg")
    assert is_silent(judge(tmp_path, "album/archive-too-large"))


# Masks beside their pictures


def test_root_mask_beside_its_picture_is_a_mask(tmp_path):
    album = read_album(
        fill(tmp_path, "a.jpg", "a_mask.jpg", "gas_mask.jpg", "b.jpg", "b_mask.jpg", b_mask_txt="x")
    )
    assert paths(album) == ["a.jpg", "b.jpg", "b_mask.jpg", "gas_mask.jpg"]
    assert [e.mask.path if e.mask else None for e in album.examples] == ["a_mask.jpg", None, None, None]


def test_the_mask_of_an_excluded_picture_is_no_picture(tmp_path):
    assert paths(read_album(fill(tmp_path, "a.jpg", "a_mask.jpg", "b.jpg"), exclude=["a.jpg"])) == ["b.jpg"]


def test_the_masks_folder_wins_over_root_mask(tmp_path):
    album = read_album(fill(tmp_path, "a.jpg", "a_mask.png", "masks/a.png"))
    assert paths(album) == ["a.jpg"]
    assert album.examples[0].mask.path == "masks/a.png"


def test_root_mask_of_a_pair_is_its_mask(tmp_path):
    album = read_album(fill(tmp_path, "a_start.png", "a_end.png", "a_mask.png"))
    assert paths(album) == ["a_end.png"]
    assert album.examples[0].mask.path == "a_mask.png"
