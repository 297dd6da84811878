"""Bases by their names: which one is meant, and the rules about distilled ones and about licences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from settings_albums import FLUX3, KLEIN, found, judged, local, train

from albumkit.bases import all_bases, base_of_family, find_base
from albumkit.paths import rules_root
from albumkit.trainers import all_trainers


@pytest.mark.parametrize(
    ("name", "base_id"),
    [
        ("black-forest-labs/FLUX.2-klein-base-4B", "flux2-klein-4b"),
        ("black-forest-labs/FLUX.2-klein-4B", "flux2-klein-4b-distilled"),
        ("models/base/flux-2-klein-9b-fp8.safetensors", "flux2-klein-9b-distilled"),
        ("models/diffusion_models/flux-2-klein-base-9b-fp8.safetensors", "flux2-klein-9b"),
        (r"D:\models\flux2_klein_4b_base", "flux2-klein-4b"),
        ("~/hub/models--black-forest-labs--FLUX.2-klein-base-4B/snapshots/0123abc", "flux2-klein-4b"),
        ("black-forest-labs/FLUX.1-schnell", "flux1-schnell"),
        ("black-forest-labs/FLUX.1-dev", "flux1-dev"),
        ("black-forest-labs/flux-3-image-klein", "flux3-klein-distilled"),
        ("black-forest-labs/flux-3-image-klein-base", "flux3-klein"),
        ("Tongyi-MAI/Z-Image-Turbo", "z-image-turbo"),
        ("Tongyi-MAI/Z-Image", "z-image"),
        ("ostris/Z-Image-De-Turbo", "z-image-deturbo"),
        ("Lightricks/LTX-2.3", "ltx23"),
        ("somebody/their-model-8steps-lightning", "few-steps-lightning"),
        ("/models/my-own-base", None),
    ],
)
def test_a_base_is_recognised(name: str, base_id: str | None) -> None:
    base = find_base(name)
    assert (base.id if base else None) == base_id


def test_a_distilled_base_is_told_with_the_one_to_take(tmp_path: Path) -> None:
    result = judged(tmp_path / "cat", local(base="black-forest-labs/FLUX.2-klein-9B"))
    (finding,) = [f for f in result.findings if f.rule == "settings/distilled-base"]
    assert finding.remedies[0].do == 'base = "black-forest-labs/FLUX.2-klein-base-9B"'
    assert (finding.path, finding.line) == ("album.toml", 3)
    assert found(tmp_path / "cat", local()) == {}


def test_an_unknown_base_is_not_judged(tmp_path: Path) -> None:
    result = judged(tmp_path / "cat", local(base="/models/my-own-base"))
    assert {s.rule: s.reason for s in result.skipped}["settings/distilled-base"] == (
        "whether /models/my-own-base is a distilled model is not known here"
    )


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        (train(KLEIN), True),
        (train("fal-ai/flux-2-klein-4b-base-trainer"), False),
        (train("fal-ai/flux-2-trainer"), True),
        (train(FLUX3), False),
        (local(), False),
        (local(base="black-forest-labs/FLUX.1-dev"), True),
    ],
)
def test_licence_of_the_base(tmp_path: Path, text: str, speaks: bool) -> None:
    assert ("non-commercial-base" in found(tmp_path / "cat", "[use]\ncommercial = true\n" + text)) == speaks
    assert "non-commercial-base" not in found(tmp_path / "cat", text)
    assert "non-commercial-base" not in found(tmp_path / "cat", "[use]\ncommercial = false\n" + text)


def test_bases_have_the_form_of_their_schema() -> None:
    schema = json.loads((rules_root() / "bases.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(
        json.loads((rules_root() / "bases.json").read_text(encoding="utf-8"))
    )
    ids = [base.id for base in all_bases()]
    assert len(ids) == len(set(ids))
    for base in all_bases():
        assert base.train_on is None or (base.distilled and base.train_on in ids)
        assert base.hub is None or find_base(base.hub) == base, "its own name means another base"


def test_every_hosted_trainer_stands_for_a_base_with_a_licence() -> None:
    for trainer in all_trainers():
        base = base_of_family(trainer.family)
        assert trainer.service == "local" or (base and base.licence), trainer.id
