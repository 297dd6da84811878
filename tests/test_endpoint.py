"""The captioner behind a chat API, against a server that fails in every way a server can."""

from __future__ import annotations

import base64
import io
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest
from chat_server import (
    Server,
    chat_server,
    drop,
    drop_half,
    fails,
    flood,
    hang,
    json_reply,
    raw,
    says,
    trickle,
    words_of,
)
from PIL import Image

from albumkit.caption.captioners.endpoint import KEY_VARIABLE, Backoff, Endpoint
from albumkit.caption.captioners.wire import Wire
from albumkit.caption.protocol import Answer, Question
from albumkit.errors import CaptionerError, UsageError

SECRET = "sk-very-secret-123"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with chat_server() as running:
        yield running


def question(words: str, *shades: int, system: str = "", max_tokens: int = 120) -> Question:
    images = tuple(Image.new("RGB", (24, 16), (shade, 40, 40)) for shade in shades or (200,))
    return Question(images, words, system, max_tokens)


class Pauses(list[float]):
    """Notes how long it should wait, and does not."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def endpoint(server: Server, **options: object) -> tuple[Endpoint, Pauses]:
    pauses = Pauses()
    options = {"model": "tiny", "pause": pauses, "timeout": 10.0, **options}
    return Endpoint(server.url, **options), pauses  # type: ignore[arg-type]


def texts(answers: list[Answer | CaptionerError]) -> list[str]:
    return [one.text if isinstance(one, Answer) else f"error: {one.message}" for one in answers]


def test_answers_come_in_the_order_of_the_questions(server: Server) -> None:
    def slow(handler: object) -> None:
        time.sleep(0.15)
        says("the slow one")(handler)  # type: ignore[arg-type]

    server.script = {"q0": [slow]}
    captioner, _ = endpoint(server, concurrency=4)
    assert captioner.batch == 4
    answers = captioner.ask([question(f"q{n}") for n in range(9)])
    assert texts(answers) == ["the slow one", *(f"a photo of q{n}" for n in range(1, 9))]
    assert 1 < server.most <= 4


def test_what_is_sent(server: Server) -> None:
    captioner, _ = endpoint(server)
    captioner.ask([question("what is it", 10, 250, system="You are brief.", max_tokens=33)])
    (body,) = server.asked
    assert body["model"] == "tiny"
    assert body["max_tokens"] == 33
    assert body["temperature"] == 0
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    first, second, words = body["messages"][1]["content"]
    assert words == {"type": "text", "text": "what is it"}
    shades = []
    for part in (first, second):
        kind, _, data = part["image_url"]["url"].partition(",")
        assert kind == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert picture.size == (24, 16)
            shades.append(picture.getpixel((5, 5))[0])  # type: ignore[index]
    assert shades == pytest.approx([10, 250], abs=6)


@pytest.mark.parametrize(
    "deed",
    [
        fails(429),
        fails(500),
        fails(503),
        drop,
        drop_half,
        raw(b"<html>gateway</html>"),
        raw(b"<html>gateway</html>", 502),
        raw(b'"a string"'),
        json_reply({"error": {"message": "busy", "code": 429}}),
    ],
    ids="429 500 503 drop half html html502 string error-in-200".split(),
)
def test_what_passes_is_asked_again(server: Server, deed: object) -> None:
    server.script = {"q1": [deed, deed]}  # type: ignore[list-item]
    captioner, pauses = endpoint(server, backoff=Backoff(first=0.5, most=0.75))
    answers = captioner.ask([question("q0"), question("q1"), question("q2")])
    assert texts(answers) == ["a photo of q0", "a photo of q1", "a photo of q2"]
    assert server.times("q1") == 3
    assert pauses == [0.5, 0.75]


def test_the_server_says_how_long_to_wait(server: Server) -> None:
    date = formatdate(time.time() + 100, usegmt=True)
    server.script = {
        "q": [fails(429, Retry_After="7"), fails(503, Retry_After=date), fails(429, Retry_After="x")]
    }
    captioner, pauses = endpoint(server)
    assert texts(captioner.ask([question("q")])) == ["a photo of q"]
    assert pauses[0] == 7
    assert 95 < pauses[1] <= 100
    assert pauses[2] == 4


def test_a_wait_of_an_hour_ends_it(server: Server) -> None:
    server.script = {"q": [fails(429, Retry_After="3600")]}
    captioner, pauses = endpoint(server)
    with pytest.raises(CaptionerError, match=r"asks to wait 60 minutes") as caught:
        captioner.ask([question("q")])
    assert "what was answered is kept" in caught.value.remedy
    assert pauses == []


def test_one_question_that_always_fails_costs_no_other(server: Server) -> None:
    server.script = {"q1": [fails(500, "boom")] * 9, "q3": [drop] * 9}
    captioner, pauses = endpoint(server, backoff=Backoff(tries=3))
    found = texts(captioner.ask([question(f"q{n}") for n in range(5)]))
    assert found[0::2] == ["a photo of q0", "a photo of q2", "a photo of q4"]
    assert found[1].endswith("failed 3 times: 500, boom")
    assert "failed 3 times: the connection was dropped" in found[3]
    assert server.times("q1") == 3
    assert sorted(pauses) == [1, 1, 2, 2]
    # What failed is asked anew by the next call.
    server.script.clear()
    assert texts(captioner.ask([question("q1"), question("q3")])) == ["a photo of q1", "a photo of q3"]


@pytest.mark.parametrize("deed", [hang, trickle])
def test_a_server_that_does_not_finish_runs_out_of_time(server: Server, deed: object) -> None:
    server.script = {"q1": [deed] * 9}  # type: ignore[list-item]
    captioner, pauses = endpoint(server, timeout=0.25)
    (found,) = texts(captioner.ask([question("q1")]))
    assert found.endswith("failed 2 times: no answer within 0.25 s")
    assert pauses == [1]
    assert server.times("q1") == 2


def test_an_answer_without_end_is_cut_off_and_refused(server: Server) -> None:
    server.script = {"q0": [flood], "q1": [says("x" * 1_000_001)]}
    captioner, pauses = endpoint(server)
    found = texts(captioner.ask([question("q0"), question("q1"), question("q2")]))
    assert found[0].endswith("sent more than 1 MB.")
    assert found[1].endswith("sent more than 1 MB.")
    assert found[2] == "a photo of q2"
    assert pauses == []


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        (says(None, refusal="I can't help with that."), "refused: I can't help with that."),
        (says("", finish="content_filter"), "a filter of the server held the answer back."),
        (
            says("", finish="length", reasoning_content="Let me see"),
            "spent 120 tokens before it said a word.",
        ),
        (json_reply({"choices": []}), "there is no message in its answer."),
        (json_reply({"choices": [{"text": "old"}]}), "there is no message in its answer."),
        (json_reply({"choices": "x"}), "there is no message in its answer."),
        (json_reply({"error": "Unexpected endpoint"}), "refuses the question (400): Unexpected endpoint"),
        (fails(413, "too large"), "refuses the question (413): too large"),
        (fails(422, "bad \x1b[31mpart"), "refuses the question (422): bad [31mpart"),
    ],
    ids="refusal filter thinking no-choices no-message odd error-in-200 413 422".split(),
)
def test_answers_that_are_none(server: Server, deed: object, message: str) -> None:
    server.script = {"q1": [deed]}  # type: ignore[list-item]
    captioner, pauses = endpoint(server)
    found = texts(captioner.ask([question("q0"), question("q1")]))
    assert found[0] == "a photo of q0"
    assert found[1] == f"error: {captioner.name}" + (" " if message[:2] in ("re", "sp") else ": ") + message
    assert pauses == []


@pytest.mark.parametrize(
    ("deed", "text"),
    [
        (says(""), ""),
        (says("cut off in the mid", finish="length"), "cut off in the mid"),
        (says([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]), "in parts"),
        (raw(b'{"choices":[{"message":{"content":"half \\ud83d"}}]}'), "half ?"),
        (raw('{"choices":[{"message":{"content":"Käse 🧀"}}]}'.encode()), "Käse 🧀"),
    ],
    ids="empty cut parts surrogate unicode".split(),
)
def test_answers_that_are_some(server: Server, deed: object, text: str) -> None:
    server.script = {"q": [deed]}  # type: ignore[list-item]
    captioner, _ = endpoint(server)
    assert captioner.ask([question("q")]) == [Answer(text)]


def test_parts_that_a_server_does_not_take_are_left_out(server: Server) -> None:
    server.script = {
        "q0": [
            fails(400, "Unsupported parameter: use 'max_completion_tokens' instead of 'max_tokens'."),
            fails(400, "'temperature' does not support 0 with this model."),
            fails(400, "System role not supported"),
        ]
    }
    captioner, pauses = endpoint(server, concurrency=1)
    captioner.ask([question("q0", system="Be brief."), question("q1", system="Be brief.")])
    assert pauses == []
    assert server.times("q0") == 3
    last, after = server.asked[-2:]
    for body, words in ((last, "q0"), (after, "q1")):
        assert "max_tokens" not in body
        assert "temperature" not in body
        assert body["max_completion_tokens"] == 120
        assert [message["role"] for message in body["messages"]] == ["user"]
        assert words_of(body) == f"Be brief.\n\n{words}"


def test_a_model_that_is_not_there(server: Server) -> None:
    server.models = ["qwen3-vl:4b", "llava:7b"]
    server.script = {f"q{n}": [fails(404, "model not found")] for n in range(9)}
    captioner, _ = endpoint(server, model="qwen3-vl:8b")
    with pytest.raises(
        CaptionerError, match=r"There is no model qwen3-vl:8b .*it has qwen3-vl:4b, llava"
    ) as caught:
        captioner.ask([question("q0")])
    assert caught.value.remedy == "--model qwen3-vl:4b"
    before = len(server.asked)
    with pytest.raises(CaptionerError, match="There is no model"):
        captioner.ask([question("q1")])
    assert len(server.asked) == before


def test_a_path_that_is_not_there(server: Server) -> None:
    server.models = None
    server.script = {"q": [fails(404, "page not found")]}
    captioner, _ = endpoint(server)
    with pytest.raises(CaptionerError, match=r"There is no chat API at .*: page not found") as caught:
        captioner.ask([question("q")])
    assert "check --base-url" in caught.value.remedy


@pytest.mark.parametrize("has_key", [True, False])
def test_the_key_is_sent_and_never_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    if has_key:
        monkeypatch.setenv("MY_KEY", f" {SECRET}\n")
    server.script = {
        "q1": [fails(401, f"Incorrect API key provided: {SECRET}")],
        "q2": [fails(500, SECRET)] * 2,
    }
    captioner, _ = endpoint(server, key_variable="MY_KEY", backoff=Backoff(tries=2))
    captioner.ask([question("q0")])
    assert server.headers[0].get("Authorization") == (f"Bearer {SECRET}" if has_key else None)
    if has_key:
        (failed,) = captioner.ask([question("q2")])
        assert isinstance(failed, CaptionerError)
        assert "500, [the key]" in failed.message
    with pytest.raises(CaptionerError, match="refuses the key" if has_key else "wants a key") as caught:
        captioner.ask([question("q1")])
    assert caught.value.remedy == "export MY_KEY=YOUR_KEY"
    assert (SECRET in caught.value.message) is not has_key
    assert SECRET not in captioner.name


def test_a_key_with_a_line_end_inside_is_refused_without_showing_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, f"{SECRET}\nX: y")
    with pytest.raises(UsageError) as caught:
        endpoint(server)
    assert SECRET not in str(caught.value)


def test_what_was_answered_is_not_lost_when_nothing_more_can_be_asked(server: Server) -> None:
    server.script = {"q2": [fails(401, "expired")]}
    captioner, _ = endpoint(server, concurrency=1)
    found = texts(captioner.ask([question(f"q{n}") for n in range(5)]))
    assert found[:2] == ["a photo of q0", "a photo of q1"]
    assert all("wants a key: expired" in text for text in found[2:])
    assert server.times("q3") == 0
    with pytest.raises(CaptionerError, match="wants a key"):
        captioner.ask([question("q3")])


def test_when_the_first_all_fail_alike_it_is_not_the_questions(server: Server) -> None:
    server.script = {f"q{n}": [fails(400, "this model sees no images")] for n in range(3)}
    captioner, _ = endpoint(server)
    with pytest.raises(CaptionerError, match="this model sees no images"):
        captioner.ask([question(f"q{n}") for n in range(3)])
    # After one good answer it is the questions.
    server.script = {f"q{n}": [fails(400, "this model sees no images")] for n in range(3)}
    captioner, _ = endpoint(server)
    captioner.ask([question("good")])
    found = texts(captioner.ask([question(f"q{n}") for n in range(3)]))
    assert all("this model sees no images" in text for text in found)


def test_the_only_model_of_a_server_need_not_be_named(server: Server) -> None:
    captioner, _ = endpoint(server, model=None)
    assert captioner.name == f"tiny@{server.url.removeprefix('http://')}"
    server.models = ["one", "two"]
    with pytest.raises(UsageError, match=r"It has one, two\.") as caught:
        endpoint(server, model=None)
    assert caught.value.remedy == "--model NAME"
    server.models = None
    with pytest.raises(CaptionerError, match="does not say which models it has"):
        endpoint(server, model=None)


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(CaptionerError, match="is the server running") as caught:
        Endpoint(f"http://127.0.0.1:{port}/v1", "qwen").ask([question("q")])
    assert caught.value.remedy == (
        "ollama serve (Ollama) or vllm serve qwen (vLLM) or lms server start (LM Studio)"
    )


@pytest.mark.parametrize(("port", "start"), [(11434, "ollama serve (Ollama)"), (8000, "vllm serve m (vLLM)")])
def test_the_port_tells_which_server_to_start(monkeypatch: pytest.MonkeyPatch, port: int, start: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(CaptionerError) as caught:
        Endpoint(f"http://localhost:{port}/v1", "m").ask([question("q")])
    assert caught.value.remedy == start


def test_a_host_that_is_unknown_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    with pytest.raises(CaptionerError, match="cannot be reached: there is no host of that name"):
        Endpoint("https://nowhere.invalid/v1", "m").ask([question("q")])


def test_https_where_http_is_spoken(server: Server) -> None:
    captioner = Endpoint(server.url.replace("http:", "https:"), "m", pause=Pauses())
    with pytest.raises(CaptionerError, match="cannot be reached: it does not speak https"):
        captioner.ask([question("q")])


def test_nothing_follows_a_redirect_with_the_key(server: Server) -> None:
    with chat_server() as elsewhere:
        moved = raw(b"", 307, Location=f"{elsewhere.url}/chat/completions?key=abc")
        server.script = {"q": [moved]}
        captioner, _ = endpoint(server)
        with pytest.raises(CaptionerError, match="sends us on to http://127") as caught:
            captioner.ask([question("q")])
        assert "abc" not in caught.value.message
        assert elsewhere.headers == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:11434", "that is no base URL"),
        ("ftp://localhost/v1", "that is no base URL"),
        ("http://", "that is no base URL"),
        ("http://localhost:99999/v1", "that is no URL"),
        ("http://host/v1?key=abc", "--base-url http://host/v1: that is no base URL"),
        ("http://me:abc@host/v1", "holds a name or password"),
    ],
)
def test_base_urls_that_are_none(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        Endpoint(url, "m")
    assert "abc" not in caught.value.message


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/models"])
def test_endings_that_people_copy_along(server: Server, ending: str) -> None:
    assert Wire(server.url + ending, "", 5).send("GET", "/models").status == 200


def test_closing_ends_what_is_under_way(server: Server) -> None:
    server.script = {"q": [hang]}
    captioner, _ = endpoint(server, timeout=20)
    threading.Timer(0.1, captioner.close).start()
    start = time.monotonic()
    found = texts(captioner.ask([question("q")]))
    assert time.monotonic() - start < 5
    assert found == [f"error: {captioner.name} was closed."]
    captioner.close()


def test_a_proxy_is_used_for_others_and_not_for_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with chat_server(models=["through the proxy"]) as proxy:
        address = proxy.url.removeprefix("http://").removesuffix("/v1")
        monkeypatch.setenv("http_proxy", f"http://me:pass@{address}")
        assert Endpoint("http://models.invalid/v1").name == "through the proxy@models.invalid/v1"
        assert proxy.headers[0]["Proxy-Authorization"] == "Basic bWU6cGFzcw=="
        assert Endpoint(server.url).name.startswith("tiny@")
