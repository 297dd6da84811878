"""An album captioned by a server that fails on purpose: nothing is lost or mixed up, and it resumes."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from albums import SCENES
from caption_runs import captions, unfinished
from chat_server import Deed, Handler, Server, chat_server, drop, drop_half, fails, raw, says
from click.testing import CliRunner
from PIL import Image

from albumkit.caption.captioners.endpoint import Endpoint
from albumkit.captioning import caption_album
from albumkit.cli.caption import command


def number_of(body: dict[str, Any]) -> int:
    """Which of the pictures of ``unfinished`` a request shows, by its colour."""
    url = body["messages"][-1]["content"][0]["image_url"]["url"]
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        pixel = image.getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return round(pixel[0] / 20)


def true_answer(handler: Handler) -> None:
    """The scene of the picture that was sent."""
    says(SCENES[number_of(handler.body)])(handler)


class Script(dict[str, list[Deed]]):
    """These deeds first, one a request, whatever is asked; then true answers."""

    def __init__(self, *deeds: Deed) -> None:
        super().__init__()
        self.deeds = list(deeds)

    def get(self, words: str, default: Any = None) -> Any:
        return [self.deeds.pop(0) if self.deeds else true_answer]


@pytest.fixture
def server() -> Iterator[Server]:
    with chat_server() as running:
        yield running


def captioner(server: Server, **options: Any) -> Callable[[], Endpoint]:
    return lambda: Endpoint(server.url, "tiny", concurrency=1, timeout=5.0, pause=lambda _: None, **options)


def expected(*numbers: int) -> dict[str, str]:
    return {f"IMG_{n:02}.txt": f"a photo of TOK ceramic cat {SCENES[n]}" for n in numbers}


def test_every_way_to_fail_is_outlived(server, tmp_path):
    album = unfinished(tmp_path / "cat", 7)
    sorry = says("I'm sorry, I can't help with that.")
    failures = (
        fails(429, Retry_After="0"),
        fails(500),
        raw(b'{"choices": [{'),
        drop,
        drop_half,
        says(""),
        sorry,
    )
    server.script = Script(*(deed for failure in failures for deed in (failure, true_answer)))
    report = caption_album(album, captioner(server))
    assert report.exit_code == 0, report
    assert captions(album) == expected(*range(7))
    assert report.captioner == f"tiny@{server.url.partition('://')[2]}"


def test_an_answer_without_end_costs_its_own_question_only(server, tmp_path):
    album = unfinished(tmp_path / "cat", 3)
    server.script = Script(says("on and on " * 110_000))  # more than a megabyte
    report = caption_album(album, captioner(server))
    assert [one.state for one in report.outcomes] == ["failed", "captioned", "captioned"]
    assert captions(album) == expected(1, 2)


def test_a_server_that_goes_away_is_gone_on_with(server, tmp_path):
    album = unfinished(tmp_path / "cat", 5)
    server.script = Script(true_answer, true_answer, *[fails(401, "the key was revoked")] * 20)
    report = caption_album(album, captioner(server))
    assert report.exit_code == 1
    assert captions(album) == expected(0, 1)
    assert report.stopped is not None or "failed" in {one.state for one in report.outcomes}
    asked = len(server.asked)
    server.script = Script()
    assert caption_album(album, captioner(server)).exit_code == 0
    assert captions(album) == expected(*range(5))
    assert [number_of(body) for body in server.asked[asked:]] == [2, 3, 4]


def test_the_command_asks_a_server(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    unfinished(Path("cat"), 2)
    server.script = Script()
    words = ["cat", "--base-url", server.url, "--model", "tiny", "--concurrency", "2", "--timeout", "5"]
    result = CliRunner().invoke(command, words, standalone_mode=False, catch_exceptions=False)
    assert result.return_value == 0
    assert result.stdout.startswith("cat   captioned 2 of 2\n  by tiny@127.0.0.1:")
    assert captions(Path("cat")) == expected(0, 1)
