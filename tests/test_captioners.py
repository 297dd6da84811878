"""Which captioner a name and options mean."""

from __future__ import annotations

import pytest

from albumkit.caption.captioners import captioner_for
from albumkit.caption.captioners.endpoint import Endpoint
from albumkit.errors import AlbumkitError, UnknownName, UsageError

URL = "http://localhost:11434/v1"


def test_a_server_that_is_named_is_asked() -> None:
    for name in (None, "endpoint"):
        captioner = captioner_for(name, model="qwen3-vl:4b", base_url=URL, concurrency=3)
        assert isinstance(captioner, Endpoint)
        assert captioner.name == "qwen3-vl:4b@localhost:11434/v1"
        assert captioner.batch == 3
        assert captioner.follows_instructions


def test_without_a_server_it_is_the_default_model_here(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in (None, "transformers"):
        with pytest.raises(AlbumkitError) as caught:
            captioner_for(name)
        assert caught.value.remedy == "hf download Qwen/Qwen3-VL-4B-Instruct"


def test_names_and_options_that_are_none() -> None:
    with pytest.raises(UnknownName, match=r"no captioner named endpiont\. The nearest is endpoint\."):
        captioner_for("endpiont")
    with pytest.raises(UsageError, match="An endpoint needs an address"):
        captioner_for("endpoint", model="m")
    with pytest.raises(UsageError, match="--base-url: transformers does not take it"):
        captioner_for("transformers", base_url=URL)
    with pytest.raises(UsageError, match="--max-pixels: endpoint does not take it"):
        captioner_for(base_url=URL, model="m", max_pixels=1000)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from albumkit.caption.captioners import transformers

    monkeypatch.setattr(transformers, "find_spec", lambda name: None)
    with pytest.raises(AlbumkitError, match="a model on this machine needs the package torch") as caught:
        captioner_for()
    assert caught.value.remedy == 'pip install "albumkit[caption]"'
