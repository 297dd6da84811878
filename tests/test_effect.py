"""verify --effect: a tiny klein of the real classes is really run, with a LoRA and without."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from adapters import Spelling, Tensors, places_of, tensors, write
from click.testing import CliRunner
from PIL import Image
from sample_loras import COMFY, FAL, KOHYA
from tiny_klein import SIZE, make_klein

from albumkit import bases
from albumkit.adapter import open_adapter
from albumkit.cli.main import main
from albumkit.engine.base import find_base
from albumkit.engine.effect import Effect, Look, mean_difference, measure_effects
from albumkit.errors import AlbumkitError, MissingExtra, UsageError
from albumkit.verifying import verify_files

PROMPT = "a photo of TOK cat"
#: Of the blocks: q, k and v of a double block count for themselves in diffusers.
LAYERS = 16


@pytest.fixture(scope="session")
def klein(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_klein(tmp_path_factory.mktemp("base") / "klein")


def tiny_lora(path: Path, spelling: Spelling = COMFY, zero: bool = False) -> Path:
    made = tensors(places_of(SIZE, spelling.layout, ("blocks",)), SIZE, spelling, dtype="F32", seed=1)
    if zero:
        made = {k: (d, s, None if "lora_B" in k else raw) for k, (d, s, raw) in made.items()}
    return write(path, made)


def effects(klein: Path, *files: Path, look: Look | None = None) -> list[Effect]:
    wanted = [(open_adapter(file), PROMPT) for file in files]
    base = find_base(str(klein), "--effect", any_pipeline=True)
    return list(measure_effects(base, wanted, look or Look(side=64)))


def test_every_layer_receives_it_and_the_prediction_changes(klein, tmp_path):
    files = [
        tiny_lora(tmp_path / "comfy.safetensors", COMFY),
        tiny_lora(tmp_path / "fal.safetensors", FAL),
        tiny_lora(tmp_path / "zero.safetensors", COMFY, zero=True),
        tiny_lora(tmp_path / "bare.safetensors", Spelling("", "diffusers")),
        tiny_lora(tmp_path / "once.safetensors", replace(KOHYA, alpha=1.0)),
        tiny_lora(tmp_path / "twice.safetensors", replace(KOHYA, alpha=2.0)),
    ]
    comfy, fal, zero, bare, once, twice = effects(klein, *files)
    assert (comfy.received, comfy.expected, comfy.pipeline) == (LAYERS, LAYERS, "Flux2KleinPipeline")
    assert comfy.ok
    assert 0 < comfy.change < 1
    # The same numbers under other names do the same, to the bit: nothing of one file stays for the next.
    assert fal.change == comfy.change
    assert (zero.received, zero.change, zero.ok) == (LAYERS, 0.0, False)
    assert (bare.received, bare.error, bare.ok) == (0, "", False)
    # Small changes add up: twice the scale is twice the difference.
    assert twice.change == pytest.approx(2 * once.change, rel=0.1)


@pytest.mark.parametrize(
    ("received", "change", "error", "ok"),
    [
        (16, 0.1, "", True),
        (15, 0.1, "", False),
        (16, 0.0, "", False),
        (0, 0.1, "", False),
        (16, 0.1, "no", False),
    ],
)
def test_it_is_well_only_where_all_of_it_arrived_and_does_something(received, change, error, ok):
    how = ("klein", "Flux2KleinPipeline", "cpu", "float32", PROMPT, Look())
    assert Effect(*how, received=received, expected=16, change=change, error=error).ok is ok


def test_pictures_side_by_side(klein, tmp_path):
    file = tiny_lora(tmp_path / "a.safetensors")
    steps: list[tuple[int, int]] = []
    look, wanted = Look(side=64, steps=2, picture=True), [(open_adapter(file), PROMPT)]
    (effect,) = measure_effects(find_base(str(klein)), wanted, look, lambda *step: steps.append(step))
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    before, after = effect.pictures
    assert before.size == after.size == (64, 64)
    assert effect.levels == mean_difference(before, after) > 0


def test_pictures_are_guided_as_the_base_wants_it(klein, tmp_path):
    adapter = open_adapter(tiny_lora(tmp_path / "a.safetensors"))
    base, pocket = find_base(str(klein)), bases.find_base("pocket")
    pictures = []
    for guidance in (None, 4.0, 1.5):  # 4 is the pipeline's own
        known = replace(base, known=replace(pocket, guidance=guidance))
        (effect,) = measure_effects(known, [(adapter, PROMPT)], Look(side=64, steps=2, picture=True))
        pictures.append(effect.pictures[1].tobytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_a_file_that_does_not_fit_is_told_with_what_was_raised(klein, tmp_path):
    wide = {k: (d, (s[0], 512) if "lora_A" in k else s, None) for k, (d, s, _) in _one_module().items()}
    file = write(tmp_path / "wide.safetensors", wide)
    wrong, right = effects(klein, file, tiny_lora(tmp_path / "a.safetensors"))
    assert not wrong.ok
    assert wrong.error.startswith("RuntimeError: ")
    assert "size mismatch" in wrong.error
    assert right.ok  # what failed before is gone


def _one_module() -> Tensors:
    (place,) = [p for p in places_of(SIZE, "bfl", ("blocks",)) if p.name == "single_blocks.0.linear2"]
    return tensors([place], SIZE, COMFY, dtype="F32")


# The base


def test_a_missing_package_names_the_line_that_installs_it(klein, tmp_path, monkeypatch):
    def find(name: str) -> object:
        return None if name == "peft" else importlib.util.find_spec(name)

    monkeypatch.setattr("albumkit.engine.machine.find_spec", find)
    with pytest.raises(MissingExtra) as caught:
        verify(str(tiny_lora(tmp_path / "a.safetensors")), "--effect", str(klein))
    assert caught.value.message == "--effect needs the package peft."
    assert caught.value.remedy == 'pip install "albumkit[train]"'


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("nowhere", "--effect nowhere: there is no such folder"),
        ("empty", "--effect empty: there is no model_index.json in it, and no diffusion_models."),
        ("a.safetensors", "--effect a.safetensors: it holds something else, no part of a FLUX.2 klein."),
    ],
)
def test_what_is_no_base_is_refused(base, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    tiny_lora(Path("a.safetensors"))
    with pytest.raises(UsageError) as caught:
        verify("a.safetensors", "--effect", base)
    assert caught.value.message.startswith(words)
    assert caught.value.remedy.startswith("--effect black-forest-labs/FLUX.2-klein-base-4B   or another name")


def test_a_base_that_diffusers_cannot_load_is_told(klein, tmp_path):
    broken = shutil.copytree(klein, tmp_path / "broken")
    config = json.loads((broken / "transformer" / "config.json").read_text())
    (broken / "transformer" / "config.json").write_text(json.dumps({**config, "num_attention_heads": 3}))
    with pytest.raises(AlbumkitError, match="broken: transformer could not be loaded: ") as caught:
        effects(broken, tiny_lora(tmp_path / "a.safetensors"))
    assert caught.value.remedy == "copy or download the folder again"


def test_a_pipeline_that_takes_no_lora_is_told(klein, tmp_path):
    other = shutil.copytree(klein, tmp_path / "other")
    index = json.loads((other / "model_index.json").read_text())
    (other / "model_index.json").write_text(json.dumps({**index, "_class_name": "DDPMPipeline"}))
    with pytest.raises(AlbumkitError, match="other: a DDPMPipeline takes no LoRA"):
        effects(other, tiny_lora(tmp_path / "a.safetensors"))


# The command


def verify(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["verify", *words], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.stdout


def test_the_command_tells_and_writes_the_picture(klein, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_lora(Path("cat.safetensors"))
    options = ("--effect", str(klein), "--picture", "--size", "64", "--steps", "1", "--prompt", PROMPT)
    code, said = verify("cat.safetensors", *options)
    assert code == 0
    first = " ".join(said.partition("\n\n")[0].split())
    assert first.startswith("cat.safetensors loads fully in ComfyUI and diffusers, and changes what ")
    assert "16 of 16 layers received it" in said
    assert 'asked for "a photo of TOK cat", seed 0' in said
    assert "wrote  cat.effect.png" in said
    with Image.open("cat.effect.png") as sheet:
        assert sheet.size == (256 + 8 + 256, 24 + 256)
        # The difference told is that of the two halves.
        halves = [sheet.crop((left, 24, left + 256, 280)) for left in (0, 264)]
        assert f"the picture by {mean_difference(*halves):.1f} of 255 levels" in " ".join(said.split())


def test_what_is_asked_comes_from_the_album(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    album = Path("album.toml")
    tiny_lora(Path("cat.safetensors"))
    asked = []
    for text in (
        '[album]\ntrigger_phrase = "TOK"\nclass_phrase = "cat"\n',
        '[use]\nprompts = ["TOK by the sea", "another"]\n[album]\ntrigger_phrase = "TOK"\n',
    ):
        album.write_text(text)
        (file,) = verify_files([Path("cat.safetensors")]).files
        asked.append(file.prompt)
    assert asked == ["a photo of TOK cat", "TOK by the sea"]


def test_without_effect_the_command_fails(klein, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_lora(Path("cat.safetensors"), Spelling("", "diffusers"))
    code, said = verify("cat.safetensors", "--effect", str(klein), "--size", "64", "--format", "json")
    assert code == 1
    (file,) = json.loads(said)["files"]
    assert file["effect"] == {
        "base": str(klein),
        "pipeline": "Flux2KleinPipeline",
        "device": "cpu",
        "dtype": "float32",
        "prompt": "a photo",
        "seed": 0,
        "ok": False,
        "received": 0,
        "expected": LAYERS,
        "change": 0.0,
        "levels": None,
        "picture": None,
        "error": None,
    }
    assert f"was taken by {klein} without an error, and no layer received it." in file["answer"]


def test_in_a_table_every_file_tells_its_effect(klein, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_lora(Path("a.safetensors"))
    tiny_lora(Path("b.safetensors"), zero=True)
    Path("c.safetensors").write_bytes(b"")
    code, said = verify(
        "a.safetensors", "b.safetensors", "c.safetensors", "--effect", str(klein), "--size", "64"
    )
    assert code == 1
    text = " ".join(said.split())
    assert f"changes what {klein} predicts by " in text
    assert f"changes nothing in {klein}: with it and without, the prediction is the same" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--picture"], "--prompt, --steps, --picture and --out go with --effect."),
        (
            ["a", "b", "--effect", "x", "--out", "a.png"],
            "--out takes one FILE; --picture puts a picture beside each.",
        ),
        (["a", "--effect", "x", "--out", "a.jpg"], "--out a.jpg: the picture is a PNG."),
        (["a", "--effect", "x", "--out", "no/a.png"], "--out no/a.png: there is no folder no."),
    ],
)
def test_wrong_options_are_told_before_anything_is_run(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        verify(*words)
    assert caught.value.message == message
