"""Captioner behind any endpoint that speaks OpenAI's chat API: vLLM, Ollama, LM Studio, hosted ones.

The API: https://platform.openai.com/docs/api-reference/chat. Pictures travel as JPEG in data URLs.
"""

from __future__ import annotations

import base64
import io
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from PIL import Image

from albumkit.caption.captioners import replies
from albumkit.caption.captioners.wire import LIMIT, Dropped, Reply, TimedOut, TooLong, Unreachable, Wire
from albumkit.caption.protocol import Answer, Question
from albumkit.errors import CaptionerError, UsageError, nearest

#: The environment variable that holds the key, unless another is named. Not OPENAI_API_KEY: that is meant for
#: one host, and this goes to whichever is named.
KEY_VARIABLE = "ALBUMKIT_ENDPOINT_KEY"
#: A server that lets two requests run out of time would do so with the third.
_MOST_TIMEOUTS = 2
_QUALITY = 90
#: By the port that a server listens at by default: what starts it, its name, and what gives it a model.
_SERVERS = {
    11434: ("ollama serve", "Ollama", "ollama pull {}"),
    8000: ("vllm serve {}", "vLLM", "vllm serve {}"),
    1234: ("lms server start", "LM Studio", "lms get {}"),
}
#: What some servers or models do not take, and the words by which their refusal (400) is known.
_UNWANTED = (
    ("max_tokens", "max_completion_tokens"),
    ("temperature", "temperature"),
    ("system", "system role"),
)
_URL = "check --base-url: it ends where /chat/completions begins, as in http://localhost:11434/v1"
_LATER = "call the same command again later: what was answered is kept"


class _Final(CaptionerError):
    """Nothing more can be asked at all."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and when to ask again.

    ``tries``: the first one counted. ``first``: seconds after the first failure; twice as many after each
    further one, up to ``most``. A wait that the server asks for goes before, up to ``longest`` seconds.
    """

    tries: int = 6
    first: float = 1.0
    most: float = 30.0
    longest: float = 300.0

    def pause(self, failed: int) -> float:
        """Seconds after the ``failed``-th failure (1 for the first)."""
        return min(self.most, self.first * 2.0 ** (failed - 1))


class Endpoint:
    """A model on a server.

    Args:
        base_url: Up to and with ``/v1``.
        model: Its name there; None where the server has just one.
        key_variable: The environment variable that holds the key; where it is empty none is sent.
        concurrency: How many questions are asked at the same time.
        timeout: Seconds for one answer.
        backoff: See there.
        pause: Waits so many seconds; for tests.

    Raises:
        UsageError: the URL or the key is none; no model is named and the server has several.
        CaptionerError: no model is named and the server cannot be asked which it has.
    """

    def __init__(
        self,
        base_url: str,
        model: str | None = None,
        *,
        key_variable: str = KEY_VARIABLE,
        concurrency: int = 4,
        timeout: float = 180.0,
        backoff: Backoff | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        key = os.environ.get(key_variable, "").strip()
        self._wire = Wire(base_url, key, timeout)
        self._key_variable, self._has_key = key_variable, bool(key)
        self._backoff = backoff or Backoff()
        self._closed = threading.Event()
        self._pause = self._closed.wait if pause is None else pause
        self._fatal: CaptionerError | None = None
        self._answered = False
        self._without: set[str] = set()
        self._batch = max(1, concurrency)
        self._model = model or ""
        if not model:
            self._model = self._only_model()

    @property
    def name(self) -> str:
        """The model and where it is served; its revision is not told by servers."""
        return f"{self._model}@{self._wire.url.partition('://')[2]}"

    @property
    def batch(self) -> int:
        """As many as are asked at the same time."""
        return self._batch

    @property
    def follows_instructions(self) -> bool:
        return True

    def ask(self, questions: Sequence[Question]) -> list[Answer | CaptionerError]:
        """See :meth:`albumkit.caption.protocol.Captioner.ask`. Where nothing more can be asked in the middle
        of it, what was answered is handed back, the others with the reason, and the next call raises it.
        """
        if self._fatal is not None:
            raise self._fatal
        with ThreadPoolExecutor(self._batch, "albumkit-endpoint") as pool:
            try:
                results = list(pool.map(self._settled, questions))
            except BaseException:  # Ctrl-C: do not wait for answers that nobody reads
                self.close()
                raise
        if not self._answered and self._fatal is None:
            self._fatal = _all_alike(results)
        answered = any(isinstance(one, Answer) for one in results)
        self._answered = self._answered or answered
        if self._fatal is not None and not answered:
            raise self._fatal
        return results

    def close(self) -> None:
        """Ends what is under way."""
        self._closed.set()
        self._wire.cut()

    def _settled(self, question: Question) -> Answer | CaptionerError:
        if self._fatal is not None:
            return self._fatal
        try:
            return self._read(self._asked(question), question)
        except _Final as error:
            self._fatal = error
            return error
        except CaptionerError as error:
            return error

    def _asked(self, question: Question) -> dict[str, Any]:
        """The server's answer to a question, after as many tries as it takes.

        Raises:
            CaptionerError: it has none for this question, or (``_Final``) for any.
        """
        pictures = [_data_url(image) for image in question.images]
        failed = late = 0
        while not self._closed.is_set():
            without = frozenset(self._without)
            wanted: float | None = None
            try:
                reply = self._wire.send(
                    "POST", "/chat/completions", self._request(question, pictures, without)
                )
                status = replies.status(reply)
                if status < 300:
                    return replies.document(reply)
                if status == 400 and self._adapted(reply, without):
                    continue
                if not replies.passes(status):
                    raise self._refused(status, reply)
                why, wanted = f"{status}, {self._words(reply)}", replies.retry_after(reply)
            except Unreachable as error:
                raise self._unreachable(error) from error
            except TooLong as error:
                raise CaptionerError(f"{self.name} sent more than {LIMIT / 1e6:g} MB.") from error
            except TimedOut:
                why, late = f"no answer within {self._wire.timeout:g} s", late + 1
            except Dropped as error:
                why = f"the connection was dropped, {error}"
            except replies.Garbage as error:
                why = f"its answer is no JSON, {self._wire.hide(str(error))}"
            failed += 1
            if failed >= self._backoff.tries or late >= _MOST_TIMEOUTS:
                raise CaptionerError(f"{self.name} failed {failed} times: {why}", _LATER)
            self._wait(failed, wanted)
        raise CaptionerError(f"{self.name} was closed.")

    def _wait(self, failed: int, wanted: float | None) -> None:
        if wanted is not None and wanted > self._backoff.longest:
            raise _Final(f"{self.name} asks to wait {wanted / 60:.0f} minutes.", _LATER)
        self._pause(self._backoff.pause(failed) if wanted is None else wanted)

    def _request(self, question: Question, pictures: list[str], without: frozenset[str]) -> dict[str, Any]:
        words = question.instruction
        messages: list[dict[str, Any]] = []
        if question.system and "system" in without:
            words = f"{question.system}\n\n{words}"
        elif question.system:
            messages.append({"role": "system", "content": question.system})
        shown = [{"type": "image_url", "image_url": {"url": picture}} for picture in pictures]
        messages.append({"role": "user", "content": [*shown, {"type": "text", "text": words}]})
        limit = "max_completion_tokens" if "max_tokens" in without else "max_tokens"
        request = {"model": self._model, "messages": messages, limit: question.max_tokens, "stream": False}
        return request if "temperature" in without else {**request, "temperature": 0}

    def _adapted(self, reply: Reply, without: frozenset[str]) -> bool:
        """Whether the server only minds a part of the request that can be left out."""
        said = replies.said(reply).lower()
        for part, words in _UNWANTED:
            if words in said and part not in without:
                self._without.add(part)
                return True
        return False

    def _read(self, document: dict[str, Any], question: Question) -> Answer:
        """What the model said.

        Raises:
            CaptionerError: the document is no answer of this API, or the model or a filter refused.
        """
        choice = replies.first(document.get("choices"))
        message = choice.get("message")
        if not isinstance(message, dict):
            raise CaptionerError(f"{self.name}: there is no message in its answer.", _URL)
        refusal = replies.text_of(message.get("refusal"))
        if refusal.strip():
            raise CaptionerError(f"{self.name} refused: {replies.short(refusal)}")
        if choice.get("finish_reason") == "content_filter":
            raise CaptionerError(f"{self.name}: a filter of the server held the answer back.")
        text = replies.text_of(message.get("content"))
        if choice.get("finish_reason") == "length" and not text.strip():
            raise CaptionerError(
                f"{self.name} spent {question.max_tokens} tokens before it said a word.",
                "use a model that does not think first",
            )
        return Answer(text)

    def _refused(self, status: int, reply: Reply) -> CaptionerError:
        """What a status that does not pass means."""
        url, words = self._wire.url, self._words(reply)
        if status in (401, 403):
            fault = "refuses the key" if self._has_key else "wants a key"
            return _Final(f"{url} {fault}: {words}", f"export {self._key_variable}=YOUR_KEY")
        if status == 402:
            return _Final(f"{url} wants to be paid: {words}", _LATER)
        if status == 404:
            return self._not_found(words)
        if status < 400:
            target = replies.short(reply.headers.get("location", "").partition("?")[0])
            return _Final(f"{url} sends us on to {target}.", "give that address as --base-url")
        if status in (405, 501):
            return _Final(f"{url} is no endpoint of the chat API: {words}", _URL)
        return CaptionerError(f"{self.name} refuses the question ({status}): {words}")

    def _not_found(self, words: str) -> CaptionerError:
        """404: the model or the path; the list of models tells which."""
        url = self._wire.url
        try:
            models = self._models()
        except (Dropped, TimedOut, TooLong, Unreachable, replies.Garbage):
            return _Final(f"There is no chat API at {url}: {words}", _URL)
        if self._model in models:
            return _Final(f"{self.name} is in the list of models, but not found: {words}", _URL)
        close = nearest(self._model, models)
        fetch = _SERVERS.get(self._wire.port, ("", "", ""))[2].format(self._model)
        return _Final(
            f"There is no model {self._model} at {url}; it has {_listed(models)}.",
            f"--model {close}" if close else fetch,
        )

    def _unreachable(self, error: Unreachable) -> CaptionerError:
        url = self._wire.url
        if not error.refused:
            return _Final(f"{url} cannot be reached: {error}.", _URL)
        known = _SERVERS.get(self._wire.port)
        starts = [f"{start} ({name})" for start, name, _ in ([known] if known else _SERVERS.values())]
        return _Final(
            f"Nothing listens at {url}: is the server running?",
            " or ".join(starts).format(self._model or "MODEL"),
        )

    def _only_model(self) -> str:
        """The one model of a server that has one."""
        url = self._wire.url
        try:
            models = self._models()
        except Unreachable as error:
            raise self._unreachable(error) from error
        except (Dropped, TimedOut, TooLong, replies.Garbage) as error:
            raise CaptionerError(f"{url} does not say which models it has.", "--model NAME") from error
        if len(models) != 1:
            raise UsageError(f"Which model at {url}? It has {_listed(models)}.", "--model NAME")
        return models[0]

    def _models(self) -> list[str]:
        """Names of the models that the server has; the errors of :meth:`Wire.send`, and Garbage."""
        reply = self._wire.send("GET", "/models")
        if reply.status in (401, 403):
            raise self._refused(reply.status, reply)
        found = replies.document(reply).get("data")
        if reply.status != 200 or not isinstance(found, list):
            raise replies.Garbage(replies.said(reply))
        names = [one.get("id") for one in found if isinstance(one, dict)]
        return [replies.short(name) for name in names if isinstance(name, str)]

    def _words(self, reply: Reply) -> str:
        """What the server said, without the key that it may quote."""
        return self._wire.hide(replies.said(reply))


def _all_alike(results: Sequence[Answer | CaptionerError]) -> CaptionerError | None:
    """The one reason why no question at all was answered: then it is not the questions."""
    errors = [one for one in results if isinstance(one, CaptionerError)]
    alike = len(errors) == len(results) > 1 and len({error.message for error in errors}) == 1
    return errors[0] if alike else None


def _listed(models: Sequence[str], most: int = 12) -> str:
    more = f" and {len(models) - most} more" if len(models) > most else ""
    return ", ".join(models[:most]) + more if models else "none"


def _data_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
