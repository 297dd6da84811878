"""What keeps dozens of albums workable: choosing rules, a baseline, only what changed, one version."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from albums import good_album, picture, set_in
from click.testing import CliRunner

from albumkit.baseline import BASELINE_NAME
from albumkit.cli.main import main
from albumkit.errors import ConfigError, UnknownName, UsageError
from albumkit.facts import FactCache
from albumkit.opening import open_album
from albumkit.rule import Rule, load_rules
from albumkit.selection import Selection
from albumkit.workflows import lint_paths, pack_album


@pytest.fixture(scope="session")
def pattern(tmp_path_factory) -> Path:
    return good_album(tmp_path_factory.mktemp("pattern") / "cat")


@pytest.fixture
def album(tmp_path, pattern) -> Path:
    """A good album with one caption lost."""
    shutil.copytree(pattern, tmp_path / "cat")
    (tmp_path / "cat" / "IMG_05.txt").unlink()
    return tmp_path / "cat"


def lint(*words: str | Path) -> tuple[int, dict]:
    """Exit code and document of ``albumkit lint ... --format json``."""
    done = CliRunner().invoke(main, ["lint", *map(str, words), "--format", "json"], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, json.loads(done.stdout)


def say(*words: str | Path) -> str:
    done = CliRunner().invoke(main, ["lint", *map(str, words)], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.stdout


def found(document: dict) -> list[tuple[str, str]]:
    return [(f["rule"], f["path"]) for f in document["findings"]]


# --select and --ignore


def test_select_runs_only_what_is_named(album):
    (album / "album.toml").write_text("")
    code, document = lint(album, "--select", "caption/missing,example")
    assert (code, document["summary"]["error"]) == (1, 1)
    rules = len([r for r in load_rules() if r.id.startswith("example/") and not r.opt_in])
    assert document["summary"]["rules"] + len(document["left_out"]) == rules + 1
    assert lint(album, "--select", "pair/*")[0] == 0
    assert lint(album, "--ignore", "caption/missing")[0] == 0
    assert lint(album, "--select", "caption", "--ignore", "caption/missing")[0] == 0


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_an_unknown_rule_is_exit_2_with_the_nearest(album, option):
    with pytest.raises(UnknownName, match=r"caption/mising.* The nearest is caption/missing") as error:
        lint(album, option, "caption/mising")
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    "line", ['enable = ["caption/mising"]', 'ignore = [{rule = "caption/mising", reason = "x"}]']
)
def test_an_unknown_rule_in_album_toml_is_exit_2_with_its_place(album, line):
    with (album / "album.toml").open("a") as file:
        file.write(f"[lint]\n{line}\n")
    with pytest.raises(ConfigError, match=r"album\.toml.* The nearest is caption/missing") as error:
        lint(album)
    assert error.value.exit_code == 2


def test_an_opt_in_rule_runs_only_when_named_itself(album):
    words = {name: getattr(load_rules()[0], name) for name in Rule.__dataclass_fields__}
    rules = [Rule(**{**words, "id": "album/odd", "opt_in": True}), Rule(**{**words, "id": "album/usual"})]

    def chosen(*select: str) -> list[str]:
        return [rule.id for rule in Selection(select).choose(rules, open_album(album))]

    assert chosen() == chosen("album") == ["album/usual"]
    assert chosen("album", "album/odd") == ["album/odd", "album/usual"]
    with (album / "album.toml").open("a") as file:
        file.write('[lint]\nenable = ["album/odd"]\n')
    assert chosen() == ["album/odd", "album/usual"]


# The baseline


def test_known_findings_become_a_count_and_only_new_ones_fail(album, tmp_path):
    assert lint(album)[0] == 1
    assert "knows 1 findings of 1 albums" in say(album, "--add-baseline")
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == [BASELINE_NAME]
    code, document = lint(album)
    assert (code, document["findings"], document["summary"]["baselined"]) == (0, [], 1)
    assert "known       1   findings of the baseline" in say(album)
    (album / "IMG_06.txt").unlink()
    code, document = lint(album)
    assert (code, found(document)) == (1, [("caption/missing", "IMG_06.jpg")])
    assert lint(album, "--no-baseline")[1]["summary"]["baselined"] == 0
    assert len(lint(album, "--no-baseline")[1]["findings"]) == 2


def test_what_is_mended_is_told_and_forgotten_on_request(album, tmp_path):
    say(album, "--add-baseline")
    (album / "IMG_05.txt").write_text("a photo of TOK ceramic cat in the rain, grey light, from below")
    assert "mended      1   findings of the baseline are gone" in say(album)
    assert "are gone" not in say(album, "--select", "example")
    say(album, "--add-baseline")
    assert json.loads((tmp_path / BASELINE_NAME).read_text())["albums"] == {}
    assert "are gone" not in say(album)


def test_a_baseline_of_some_rules_or_albums_keeps_the_rest(album, tmp_path):
    shutil.copytree(album, tmp_path / "dog")
    say(tmp_path, "--add-baseline")
    before = json.loads((tmp_path / BASELINE_NAME).read_text())["albums"]
    assert set(before) == {"cat", "dog"}
    say(album, "--add-baseline", "--select", "example")
    (album / "IMG_07.txt").unlink()
    say(album, "--add-baseline")
    after = json.loads((tmp_path / BASELINE_NAME).read_text())["albums"]
    assert after["dog"] == before["dog"]
    assert len(after["cat"]["caption/missing"]) == 2


def test_pack_refuses_on_the_same_condition(album, tmp_path):
    say(album, "--add-baseline")
    result, _ = pack_album(album, tmp_path / "out.zip")
    assert result.baselined == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "albumkit-baseline/1", "albums": {"cat": ["x"]}}'])
def test_a_broken_baseline_is_named(album, tmp_path, text):
    (tmp_path / BASELINE_NAME).write_text(text)
    with pytest.raises(UsageError, match=BASELINE_NAME) as error:
        lint(album)
    assert error.value.remedy


# --since


@pytest.fixture
def repository(album, tmp_path) -> Path:
    """A repository of two albums, each with one caption lost, and a branch ``work`` that left ``main``."""
    shutil.copytree(album, tmp_path / "dog")
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    git(tmp_path, "switch", "-q", "-c", "work")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")


def test_nothing_changed_is_nothing_to_judge(repository):
    code, document = lint(repository, "--since", "main")
    assert (code, document["albums"], document["unchanged"]) == (0, [], 2)
    assert "nothing has changed in 2 albums" in say(repository, "--since", "main")


def test_only_examples_that_changed_are_told_of(repository):
    (repository / "cat" / "IMG_07.txt").write_text("a photo of a cat in the rain, grey light, from below")
    commit(repository)
    code, document = lint(repository, "--since", "main")
    assert (code, document["unchanged"]) == (1, 1)
    assert [(f["album"].rpartition("/")[2], f["path"]) for f in document["findings"]] == [
        ("cat", "IMG_07.jpg")
    ]


def test_a_lost_caption_and_a_new_picture_count_as_changed(repository):
    (repository / "cat" / "IMG_07.txt").unlink()
    picture(repository / "dog" / "IMG_99.jpg", 99)
    code, document = lint(repository, "--since", "main")
    assert code == 1
    assert found(document) == [("caption/missing", "IMG_07.jpg"), ("caption/missing", "IMG_99.jpg")]
    (tracked, document) = lint(repository, "--since", "main", "--tracked")
    assert (tracked, document["findings"]) == (0, [])


def test_what_happened_on_the_other_branch_does_not_count(repository):
    git(repository, "switch", "-q", "main")
    (repository / "dog" / "IMG_01.txt").unlink()
    commit(repository)
    git(repository, "switch", "-q", "work")
    (repository / "cat" / "IMG_07.txt").unlink()
    commit(repository)
    assert found(lint(repository, "--since", "main")[1]) == [("caption/missing", "IMG_07.jpg")]


def test_changed_settings_put_the_whole_album_to_the_test(repository):
    set_in(repository / "cat", "steps = 1000", "steps = 1050")
    rules = {rule for rule, _ in found(lint(repository, "--since", "main")[1])}
    assert {"caption/missing", "settings/not-a-multiple"} <= rules


def test_an_unknown_revision_is_exit_2(repository, tmp_path_factory):
    with pytest.raises(UsageError, match="git does not know nowhere"):
        lint(repository, "--since", "nowhere")
    elsewhere = good_album(tmp_path_factory.mktemp("elsewhere") / "cat")
    with pytest.raises(UsageError, match="in no git repository"):
        lint(elsewhere, "--since", "main")
    with pytest.raises(UsageError, match="whole albums"):
        lint(repository, "--since", "main", "--add-baseline")


# required_version


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (">=99", r"line 1: asks for albumkit >=99; this is "),
        ("newest", r'line 1: required_version = "newest" is no version range'),
    ],
)
def test_another_version_refuses_to_judge(album, wanted, words):
    text = (album / "album.toml").read_text()
    (album / "album.toml").write_text(f'required_version = "{wanted}"\n{text}')
    with pytest.raises(ConfigError, match=words) as error:
        lint(album)
    assert (error.value.exit_code, bool(error.value.remedy)) == (2, True)


def test_the_right_version_judges(album):
    text = (album / "album.toml").read_text()
    (album / "album.toml").write_text(f'required_version = ">=0.1"\n{text}')
    assert lint_paths([album], cache=FactCache.none()).albums[0].count("error") == 1
