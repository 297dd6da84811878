"""A server that speaks the chat API on this machine, and fails on purpose.

It finds out what to do by the words of the question: ``script[words]`` are its deeds for that question, one a
request; when they are used up, or none were given, it answers "a photo of WORDS".
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Deed = Callable[["Handler"], None]


@dataclass
class Server:
    url: str
    script: dict[str, list[Deed]] = field(default_factory=dict)
    models: list[str] | None = field(default_factory=lambda: ["tiny"])
    #: Bodies of all questions, and headers of all requests, in the order that they came.
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    #: The most questions that were open at once.
    most: int = 0
    now: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def times(self, words: str) -> int:
        """How often a question was asked."""
        return sum(words_of(body) == words for body in self.asked)


def words_of(body: dict[str, Any]) -> str:
    """The instruction of a request."""
    content = body["messages"][-1]["content"]
    return str(content[-1]["text"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *words: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        known: Server = self.server.known
        known.headers.append(dict(self.headers))
        if known.models is None:
            return json_reply({"error": "no such page"}, 404)(self)
        return json_reply({"object": "list", "data": [{"id": name} for name in known.models]})(self)

    def do_POST(self) -> None:
        known: Server = self.server.known
        self.body = body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with known.lock:
            known.headers.append(dict(self.headers))
            known.asked.append(body)
            known.now += 1
            known.most = max(known.most, known.now)
            deeds = known.script.get(words_of(body), [])
            deed = deeds.pop(0) if deeds else says(f"a photo of {words_of(body)}")
        try:
            deed(self)
        finally:
            with known.lock:
                known.now -= 1

    def reply(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def json_reply(document: Any, status: int = 200, **headers: str) -> Deed:
    return lambda handler: handler.reply(json.dumps(document).encode(), status, **headers)


def raw(body: bytes, status: int = 200, **headers: str) -> Deed:
    return lambda handler: handler.reply(body, status, **headers)


def says(text: Any, finish: str = "stop", **message: Any) -> Deed:
    """An answer of the API."""
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text, **message},
    }
    return json_reply({"object": "chat.completion", "choices": [choice]})


def fails(status: int, message: str = "no", **headers: str) -> Deed:
    """An error of the API."""
    return json_reply({"error": {"message": message, "type": "error", "code": status}}, status, **headers)


def drop(handler: Handler) -> None:
    """Hang up without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def drop_half(handler: Handler) -> None:
    """Hang up in the middle of the body."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    drop(handler)


def hang(handler: Handler) -> None:
    """Say nothing until the client goes or the test is over."""
    handler.server.known.over.wait(20)
    handler.close_connection = True


def trickle(handler: Handler) -> None:
    """A byte now and then, for ever: no read ever times out."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.server.known.over.wait(0.02):
        handler.wfile.write(b" ")


def flood(handler: Handler) -> None:
    """An answer without an end."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    while not handler.server.known.over.is_set():
        handler.wfile.write(b"[" * 65536)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the test."""


@contextmanager
def chat_server(**options: Any) -> Iterator[Server]:
    server = _Quiet(("127.0.0.1", 0), Handler)
    known = Server(f"http://127.0.0.1:{server.server_address[1]}/v1", **options)
    server.known = known  # type: ignore[attr-defined]
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield known
    finally:
        known.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
