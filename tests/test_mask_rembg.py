"""rembg's own models: what is offered, how exact they are on a real photograph, what happens without weights.

The weights and the photograph come from packages (assets.toml).
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from assets import FOLDER, asset, optional
from mask_albums import discs
from PIL import Image, ImageDraw

from albumkit.errors import AlbumkitError, MissingExtra, UnknownName
from albumkit.images import load_picture
from albumkit.mask.rembg import open_rembg
from albumkit.mask.shaping import AS_FOUND, shape_mask

#: Ends with the modules that an import of ours has loaded, the rest of rembg among them or not.
IMPORTS = """\
import sys
from albumkit.mask.rembg import open_rembg
open_rembg("u2netp")
import rembg
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ("numba", "pymatting", "skimage")))
print("rembg.bg" in sys.modules, callable(rembg.remove), callable(rembg.new_session))
"""


@pytest.fixture(autouse=True)
def installed() -> None:
    optional("rembg")


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> None:
    asset("u2netp.onnx")
    monkeypatch.setenv("U2NET_HOME", str(FOLDER))


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models that holds none."""
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "models"))
    return tmp_path / "models"


def outline() -> np.ndarray:
    """The quokka as a person outlined it."""
    points = json.loads(asset("quokka_annotations.json").read_text())["polygons"][0]["keypoints"]
    with Image.open(asset("quokka.jpg")) as photo:
        drawn = Image.new("1", photo.size)
    ImageDraw.Draw(drawn).polygon([(point["x"], point["y"]) for point in points], fill=1)
    return np.asarray(drawn)


def overlap(one: np.ndarray, two: np.ndarray) -> float:
    """Intersection over union."""
    return float((one & two).sum() / (one | two).sum())


@pytest.mark.parametrize("model", ["u2netp", "u2net"])
def test_a_photograph_is_masked_as_a_person_would(model, weights):
    asset(f"{model}.onnx")
    masker = open_rembg(model)
    with open(asset("quokka.jpg"), "rb") as stream:
        found = masker.find(load_picture(stream, 4 * masker.side**2))
    assert (masker.name, masker.side, masker.notes) == (model, 320, ())
    truth = outline()
    mask = shape_mask(found, truth.shape[::-1], AS_FOUND)
    assert overlap(np.asarray(mask) >= 128, truth) >= 0.93


def test_what_takes_a_while_is_told_before(weights):
    told: list[str] = []
    open_rembg("u2netp", told.append)
    assert told == ["loading u2netp, 5 MB"]


def test_nothing_is_compiled_at_the_first_use(weights):
    """pymatting, which rembg's cut-outs need, takes most of a minute for that."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout == "\nFalse True True\n"


def test_an_unknown_model_names_the_nearest(weights):
    with pytest.raises(UnknownName, match=r"no masking model named u2nett\. The nearest is u2net"):
        open_rembg("u2nett")
    with pytest.raises(UnknownName) as caught:
        open_rembg("sam")
    offered = caught.value.remedy.removeprefix("rembg offers: ").split(", ")
    assert {"u2net", "u2netp", "isnet-general-use", "isnet-anime", "birefnet-general"} <= set(offered)
    # Services that pictures would be sent to, and models that ask for more than a picture.
    assert {"withoutbg", "atlascloud", "sam", "u2net_custom"}.isdisjoint(offered)


def test_without_weights_the_file_and_its_place_are_named(nowhere):
    with pytest.raises(AlbumkitError) as caught:
        open_rembg("isnet-general-use")
    assert "The weights of isnet-general-use are not on this machine" in caught.value.message
    assert "HF_HUB_OFFLINE" in caught.value.message
    remedy = caught.value.remedy
    assert (
        "releases/download/v0.0.0/isnet-general-use.onnx (md5 fc16ebd8b0c10d971d3513d564d01e29) at" in remedy
    )
    assert f"{nowhere.as_posix()}/models/isnet-general-use/isnet-general-use.onnx" in remedy
    assert "U2NET_HOME or REMBG_HOME" in remedy
    assert not nowhere.exists()


def test_weights_are_fetched_once_unless_that_is_switched_off(nowhere, monkeypatch):
    """The fetching itself is pooch's; here a copy stands for the network."""
    monkeypatch.delenv("HF_HUB_OFFLINE")
    whole = asset("u2netp.onnx").read_bytes()

    def retrieve(url: str, known_hash: str | None, *, fname: str, path: str, **_: object) -> str:
        Path(path).mkdir(parents=True)
        (Path(path) / fname).write_bytes(whole)
        return str(Path(path) / fname)

    monkeypatch.setattr("pooch.retrieve", retrieve)
    told: list[str] = []
    open_rembg("u2netp", told.append)
    url = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2netp.onnx"
    assert told == [f"fetching u2netp from {url} (once)", "loading u2netp, 5 MB"]
    told.clear()
    open_rembg("u2netp", told.append)
    assert told == ["loading u2netp, 5 MB"]


def test_weights_that_cannot_be_fetched_name_the_reason(nowhere, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def retrieve(*_: object, **__: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr("pooch.retrieve", retrieve)
    with pytest.raises(AlbumkitError, match="not on this machine: no route to host"):
        open_rembg("u2netp")


def test_damaged_weights_are_named(nowhere):
    nowhere.mkdir()
    (nowhere / "u2netp.onnx").write_bytes(b"no model at all")
    with pytest.raises(AlbumkitError, match=r"models/u2netp\.onnx cannot be loaded") as caught:
        open_rembg("u2netp")
    assert "take it away" in caught.value.remedy


def test_a_card_that_cannot_be_used_after_all_is_told(weights, monkeypatch):
    """onnxruntime falls back to the processor without a word."""
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)
    (note,) = open_rembg("u2netp").notes
    assert note.startswith("CUDAExecutionProvider was requested but the session is running on CPU")


def test_a_picture_that_the_model_fails_on_is_an_error_of_ours(weights, monkeypatch):
    masker = open_rembg("u2netp")

    def predict(*_: object) -> None:
        raise RuntimeError("Failed to allocate memory\nmore lines")

    monkeypatch.setattr(masker._session, "predict", predict)
    with pytest.raises(AlbumkitError, match=r"^u2netp failed: Failed to allocate memory$"):
        masker.find(Image.new("RGB", (64, 64)))


def test_a_blank_picture_is_no_bug(weights):
    found = open_rembg("u2netp").find(Image.new("RGB", (64, 64), "white"))
    assert (found.mode, found.size) == ("L", (320, 320))


def test_without_rembg_the_install_line_is_the_remedy(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "rembg"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rembg", None)
    monkeypatch.delitem(sys.modules, "rembg")
    real = importlib.import_module

    def missing(name: str, *more: str) -> object:
        if name == "rembg":
            raise ModuleNotFoundError("No module named 'rembg'", name="rembg")
        return real(name, *more)

    monkeypatch.setattr("albumkit.mask.rembg.importlib.import_module", missing)
    with pytest.raises(MissingExtra, match="albumkit mask needs the package rembg") as caught:
        open_rembg("u2netp")
    assert caught.value.remedy == 'pip install "albumkit[mask]"'
    assert "rembg.bg" not in sys.modules


def test_the_command_masks_an_album_with_a_real_model(tmp_path, weights):
    album = discs(tmp_path / "balls", 8)
    env = {**os.environ, "PYTHONUTF8": "1", "COLUMNS": "80"}
    call = [sys.executable, "-c", "from albumkit.cli.main import run; run()", "mask", "balls"]
    done = subprocess.run(
        [*call, "--model", "u2netp", "--sheet", "sheet.png"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "balls   wrote 8 masks\n  by u2netp\n" in done.stdout
    assert "loading u2netp, 5 MB" in done.stderr
    assert len(list((album / "masks").iterdir())) == 8
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 700


@pytest.mark.slow
def test_fifty_rendered_scenes_are_masked_as_they_were_drawn(weights):
    """The figure of docs/commands/mask.md."""
    world = pytest.importorskip("albumkit.engine.pocket.world", reason="the extra `train` is not installed")
    asset("u2net.onnx")
    pictures, truths = world.render(world.sample(7, 50), 512)
    masker = open_rembg("u2net")
    found = []
    for picture, truth in zip(pictures.numpy(), truths.numpy(), strict=True):
        mask = shape_mask(masker.find(Image.fromarray(picture)), (512, 512), AS_FOUND)
        found.append(overlap(np.asarray(mask) >= 128, truth > 0))
    print(f"intersection over union: mean {np.mean(found):.3f}, median {np.median(found):.3f}")
    assert np.mean(found) >= 0.90
