"""One HTTP server, asked with the standard library: JSON there and back, with limits on time and size.

``http.client`` and not ``urllib.request`` or a package: the socket is ours, so that a request can be ended in
the middle (Ctrl-C, a server that trickles), nothing follows a redirect with the key in its hand, and the
light core needs nothing more.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from albumkit import __version__
from albumkit.errors import UsageError

#: An answer of a few sentences is some kilobytes; a server that sends more than this is not answering.
LIMIT = 1_000_000
#: Seconds to reach a server that is there.
_CONNECT = 15.0
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Dropped(Exception):
    """The connection ended before the answer did; asking again may help."""


class TimedOut(Exception):
    """No whole answer in the time allowed."""


class TooLong(Exception):
    """The answer is longer than :data:`LIMIT`; the rest was not read."""


class Unreachable(Exception):
    """Nobody listens there, the name is unknown, or its certificate is not trusted; asking again is idle."""

    def __init__(self, reason: str, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Reply:
    """``status`` and the whole body; ``headers`` by lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body read as JSON.

        Raises:
            ValueError: it is none.
        """
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


class Wire:
    """A server by its base URL, as ``http://localhost:11434/v1``; safe to use from several threads.

    Args:
        base_url: Scheme, host and path before ``/models`` and ``/chat/completions``.
        key: Sent as a bearer token where not empty; never in a message.
        timeout: Seconds for one request from the first byte sent to the last one read.

    Raises:
        UsageError: the URL is none, or holds a password.
    """

    def __init__(self, base_url: str, key: str, timeout: float) -> None:
        try:
            parts = urlsplit(base_url)
            port = parts.port
        except ValueError:
            raise UsageError(f"--base-url {base_url}: that is no URL.", _EXAMPLE) from None
        if parts.username is not None or parts.password is not None:
            raise UsageError(
                f"--base-url: the URL for {parts.hostname} holds a name or password, and URLs are shown.",
                "put the key into an environment variable (see --help)",
            )
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            shown = base_url.partition("?")[0]
            raise UsageError(f"--base-url {shown}: that is no base URL of an endpoint.", _EXAMPLE)
        self.secure = parts.scheme == "https"
        self.host = parts.hostname
        self.port = port or (443 if self.secure else 80)
        #: Without the endings that people copy along.
        self.path = parts.path.rstrip("/").removesuffix("/chat/completions").removesuffix("/models")
        self.url = f"{parts.scheme}://{parts.netloc}{self.path}"
        self.timeout = timeout
        self._key = _checked(key)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ended = False
        self._context = ssl.create_default_context() if self.secure else None

    def send(self, method: str, path: str, document: Any = None) -> Reply:
        """One request.

        Args:
            path: After the base URL, as ``/models``.
            document: Sent as JSON.

        Raises:
            Dropped, TimedOut, TooLong, Unreachable: see there.
        """
        connection, target, more = self._connection(path)
        _connect(connection)
        body = None if document is None else json.dumps(document).encode()
        headers = {**self._headers(body), **more}
        with contextlib.closing(connection), self._watched(connection.sock) as late:
            try:
                # A server may refuse so much, and hang up while we still send: hear why.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, target, body, headers)
                with connection.getresponse() as response:
                    reply = _read(response)
            except (OSError, http.client.HTTPException) as error:
                if late.is_set():
                    raise TimedOut from error
                raise Dropped(str(error) or type(error).__name__) from error
            if late.is_set():
                raise TimedOut
            return reply

    def cut(self) -> None:
        """End every request that is under way, and each one to come: they raise :class:`Dropped`."""
        with self._lock:
            self._ended = True
            for each in self._open:
                _shut(each)

    def hide(self, text: str) -> str:
        """Text of the server without the key that it may quote."""
        return text.replace(self._key, "[the key]") if self._key else text

    @contextlib.contextmanager
    def _watched(self, used: socket.socket) -> Iterator[threading.Event]:
        """Ends the request when its time is over, which no time-out of single reads does."""
        late = threading.Event()

        def end() -> None:
            late.set()
            _shut(used)

        used.settimeout(None)
        timer = threading.Timer(self.timeout, end)
        timer.daemon = True
        with self._lock:
            self._open.add(used)
            if self._ended:
                _shut(used)
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()
            with self._lock:
                self._open.discard(used)

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "Connection": "close",
            "User-Agent": f"albumkit/{__version__}",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return headers

    def _connection(self, path: str) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
        """A connection not yet made, what to ask on it, and what the proxy wants to hear."""
        proxy = self._proxy()
        host, port = (proxy.hostname or "", proxy.port or 80) if proxy else (self.host, self.port)
        asked, more = self.path + path, _proxy_words(proxy)
        if self._context is not None:
            secure = http.client.HTTPSConnection(host, port, timeout=_CONNECT, context=self._context)
            if proxy:
                secure.set_tunnel(self.host, self.port, more)
            return secure, asked, {}
        return (
            http.client.HTTPConnection(host, port, timeout=_CONNECT),
            (self.url + path if proxy else asked),
            more,
        )

    def _proxy(self) -> Any:
        """The proxy that the environment names for this host; this machine is always asked directly."""
        named = urllib.request.getproxies().get("https" if self.secure else "http")
        if not named or self.host in _LOCAL or urllib.request.proxy_bypass(self.host):
            return None
        return urlsplit(named if "://" in named else f"http://{named}")


_EXAMPLE = "write for example --base-url http://localhost:11434/v1"


def _connect(connection: http.client.HTTPConnection) -> None:
    try:
        connection.connect()
    except ConnectionRefusedError as error:
        raise Unreachable("connection refused", refused=True) from error
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"its certificate is not trusted ({error.verify_message})") from error
    except ssl.SSLError as error:
        raise Unreachable(f"it does not speak https ({error.reason})") from error
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise Dropped(error.strerror) from error
        raise Unreachable("there is no host of that name") from error
    except OSError as error:
        raise Dropped(error.strerror or str(error)) from error


def _read(response: http.client.HTTPResponse) -> Reply:
    body = response.read(LIMIT + 1)
    if len(body) > LIMIT:
        raise TooLong
    promised = response.getheader("Content-Length")
    if promised is not None and promised.isdigit() and len(body) < int(promised):
        raise http.client.IncompleteRead(body)
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, body)


def _shut(used: socket.socket) -> None:
    with contextlib.suppress(OSError):
        used.shutdown(socket.SHUT_RDWR)


def _proxy_words(proxy: Any) -> dict[str, str]:
    if proxy is None or proxy.username is None:
        return {}
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(words.encode()).decode()}"}


def _checked(key: str) -> str:
    """A key that fits into a header; http.client would quote a bad one in its error."""
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError("The key of the endpoint holds characters that no key has.", "copy it again")
    return key
