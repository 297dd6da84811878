"""album.toml: what it takes, what it refuses and with which words, and what wins over what."""

from __future__ import annotations

from pathlib import Path

import pytest

from albumkit.config import Config, load_config, parse_config
from albumkit.errors import ConfigError

#: The example of the design, every key in it.
DESIGN = """\
[album]
kind = "subject"                 # subject | style | edit | video
trigger_phrase = "TOK"           # "" = trained without one, on purpose
class_phrase = "ceramic cat figurine"
exclude = ["rejects/*"]          # honoured by every command
[use]                            # where the LoRA will be used
runtime = ["comfy"]              # comfy | fal | diffusers
prompts = ["a photo of TOK ceramic cat figurine at the beach"]
[train]
trainer = "fal-ai/flux-2-klein-9b-base-trainer"   # or "local"
steps = 1000
learning_rate = 5e-5
output_lora_format = "comfy"
[train.local]                    # knobs of one trainer only
base = "black-forest-labs/FLUX.2-klein-base-4B"
rank = 16
[[lint.ignore]]
rule = "example/blurry"
paths = ["IMG_0415.*"]
reason = "motion blur wanted"
"""


def parse(text: str | bytes) -> Config:
    data = text.encode() if isinstance(text, str) else text
    return parse_config(data, Path("cat/album.toml"))[0]


def refusal(text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.exit_code == 2
    return caught.value.message


def test_every_key_of_the_design() -> None:
    config = parse(DESIGN)
    assert (config.album.kind, config.album.trigger_phrase) == ("subject", "TOK")
    assert (config.album.class_phrase, config.album.exclude) == ("ceramic cat figurine", ("rejects/*",))
    assert (config.use.runtime, len(config.use.prompts)) == (("comfy",), 1)
    assert config.train.trainer == "fal-ai/flux-2-klein-9b-base-trainer"
    assert {name: w.value for name, w in config.train.knobs.items()} == {
        "steps": 1000,
        "learning_rate": 5e-5,
        "output_lora_format": "comfy",
    }
    assert {name: w.value for name, w in config.train.per_trainer["local"].items()} == {
        "base": "black-forest-labs/FLUX.2-klein-base-4B",
        "rank": 16,
    }
    ignore = config.ignores[0]
    assert (ignore.rule, ignore.paths, ignore.reason) == (
        "example/blurry",
        ("IMG_0415.*",),
        "motion blur wanted",
    )


def test_values_know_their_lines() -> None:
    config = parse(DESIGN)
    assert config.origins["album.class_phrase"].line == 4
    assert config.origins["train.trainer"].line == 10
    assert config.train.knobs["steps"].origin.line == 11
    assert config.train.per_trainer["local"]["rank"].origin.line == 16


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_as_windows_editors_save_it(end: str, mark: bytes) -> None:
    config = parse(mark + DESIGN.replace("\n", end).encode())
    assert config.train.knobs["learning_rate"].origin.line == 12


def test_lines_count_as_editors_count_them() -> None:
    """U+2028 and U+0085 end a line for str.splitlines, and for nobody else."""
    config = parse('[album]\nclass_phrase = "a\u2028b\u0085c"\nkind = "edit"\n[train]\n"steps" = 3\n')
    assert config.origins["album.kind"].line == 3
    assert config.train.knobs["steps"].origin.line == 5


def test_quoted_trainer_tables() -> None:
    config = parse('[train."fal-ai/wan-trainer"]\nsteps = 7\n')
    written = config.train.per_trainer["fal-ai/wan-trainer"]["steps"]
    assert (written.value, written.origin.line) == (7, 2)


def test_an_empty_file_says_nothing() -> None:
    assert parse("").album.trigger_phrase is None
    assert parse('[album]\ntrigger_phrase = ""').album.trigger_phrase == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[albun]\n", "cat/album.toml line 1: unknown key albun. The nearest is album."),
        (
            '[album]\ntriger_phrase = "x"\n',
            "cat/album.toml line 2: unknown key album.triger_phrase. The nearest is trigger_phrase.",
        ),
        (
            "[use]\nzzz = 1\n",
            "cat/album.toml line 2: unknown key use.zzz. Known are runtime, prompts, resolution, commercial.",
        ),
        (
            '[album]\nkind = "subjekt"\n',
            'cat/album.toml line 2: album.kind is "subjekt"; it takes subject, style, edit, video.',
        ),
        (
            '[use]\nruntime = ["comfyui"]\n',
            'cat/album.toml line 2: use.runtime names "comfyui"; it takes comfy, fal, diffusers.',
        ),
        (
            '[use]\nruntime = "comfy"\n',
            'cat/album.toml line 2: use.runtime must be a list of texts: ["...", "..."].',
        ),
        (
            "[album]\ntrigger_phrase = 5\n",
            "cat/album.toml line 2: album.trigger_phrase must be a text in quotes, not 5.",
        ),
        ("[train]\ntrainer = 5\n", "cat/album.toml line 2: train.trainer must be a text in quotes, not 5."),
        ("train = 5\n", "cat/album.toml line 1: train must be a table: [train]."),
        (
            "[lint]\nignore = 5\n",
            "cat/album.toml line 2: lint.ignore must be written as [[lint.ignore]] tables.",
        ),
        (
            '[[lint.ignore]]\nrule = "a/b"\n',
            "cat/album.toml line 1: lint.ignore needs a rule and a reason.",
        ),
        (
            '[[lint.ignore]]\nrule = "a/b"\nreason = "r"\npath = []\n',
            "cat/album.toml line 4: unknown key lint.ignore.path. The nearest is paths.",
        ),
        (b'[album]\nkind = "\xff"', "cat/album.toml: is not UTF-8."),
    ],
)
def test_refusals_name_file_line_and_key(text: str | bytes, message: str) -> None:
    assert refusal(text) == message


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[album", id="bracket open"),
        pytest.param("a = 1\na = 2", id="twice"),
        pytest.param("a = \0", id="NUL"),
        pytest.param("[train]\nsteps = " + "[" * 20_000, id="brackets without end"),
        pytest.param("[train]\nsteps = " + "9" * 5_000, id="a number of 5,000 digits"),
    ],
)
def test_what_is_no_toml_is_said_to_be_none(text: str) -> None:
    assert refusal(text).startswith("cat/album.toml: is not valid TOML: ")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "album.toml")
    assert caught.value.message.count("album.toml") == 1


class TestExtend:
    """Files above the album: the nearest wins, key by key."""

    def load(self, tmp_path: Path, near: str, far: str) -> Config:
        (tmp_path / "cat").mkdir()
        (tmp_path / "album.toml").write_text(far)
        (tmp_path / "cat" / "album.toml").write_text(f'extend = "../album.toml"\n{near}')
        return load_config(tmp_path / "cat" / "album.toml")

    def test_near_wins_and_far_fills(self, tmp_path: Path) -> None:
        config = self.load(
            tmp_path,
            '[album]\nkind = "style"\n[use]\nprompts = []\n[train]\nsteps = 1\n',
            '[album]\nkind = "edit"\nclass_phrase = "cat"\nexclude = ["x"]\n'
            '[use]\nruntime = ["fal"]\nprompts = ["far"]\n[train]\nsteps = 2\nrank = 4\n',
        )
        assert (config.album.kind, config.album.class_phrase) == ("style", "cat")
        assert (config.album.exclude, config.use.runtime, config.use.prompts) == (("x",), ("fal",), ())
        steps, rank = config.train.knobs["steps"], config.train.knobs["rank"]
        assert (steps.value, rank.value) == (1, 4)
        assert steps.origin.file == config.files[0]
        assert rank.origin.file == config.files[1]
        assert config.origins["album.class_phrase"].file == config.files[1]

    def test_no_trigger_on_purpose_beats_a_far_one(self, tmp_path: Path) -> None:
        config = self.load(tmp_path, '[album]\ntrigger_phrase = ""\n', '[album]\ntrigger_phrase = "TOK"\n')
        assert config.album.trigger_phrase == ""

    def test_ignores_add_up(self, tmp_path: Path) -> None:
        ignore = '[[lint.ignore]]\nrule = "{}"\nreason = "r"\n'
        config = self.load(tmp_path, ignore.format("a/near"), ignore.format("a/far"))
        assert [i.rule for i in config.ignores] == ["a/near", "a/far"]

    def test_a_circle_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "b.toml").write_text('extend = "album.toml"')
        (tmp_path / "album.toml").write_text('extend = "b.toml"')
        with pytest.raises(ConfigError, match="extend goes round in a circle"):
            load_config(tmp_path / "album.toml")

    @pytest.mark.parametrize("named", ["gone.toml", ".", "a\\u0000b"])
    def test_nothing_to_extend(self, named: str, tmp_path: Path) -> None:
        (tmp_path / "album.toml").write_text(f'extend = "{named}"')
        with pytest.raises(ConfigError, match=r"album\.toml: extend names "):
            load_config(tmp_path / "album.toml")

    def test_faults_of_the_far_file_name_it(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            self.load(tmp_path, "", "[nonsense]\n")
        assert caught.value.message.startswith(
            f"{(tmp_path / 'cat' / '..' / 'album.toml').as_posix()} line 1"
        )


def test_what_captions_keep_to_is_inherited_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "album.toml").write_text('[caption]\nnever_say = ["glazed"]\ninstruction = "turn it blue"\n')
    near = tmp_path / "cat" / "album.toml"
    near.write_text('extend = "../album.toml"\n[caption]\nnever_say = []\n')
    caption = load_config(near).caption
    assert (caption.never_say, caption.instruction) == ((), "turn it blue")
    assert refusal("[caption]\nnever_says = []").endswith("The nearest is never_say.")
    assert "must be a list of texts" in refusal('[caption]\nnever_say = "glazed"')
