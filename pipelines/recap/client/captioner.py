"""A captioner that sends requests to servers through OpenAI's client, and handles all failures.

A request ends in one of three ways.

1. The server answers.
2. `Rejected`: the server refuses the content of the request; or the request failed in all its
   attempts, of which the last two were made with no other request in flight, each directly after
   the server had answered a small probe request. No other failure rejects a request.
3. `BuildError`: no server answers for too long (see `patience`), or the servers refuse all
   requests.

Status 429 is not a failure, but slows the client down. Every other response that is neither an
answer nor a refusal (5xx, broken connection, timeout, malformed answer) is a failure, and the
request is sent again.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.recap.captioning.captioner import Answer, NamedPicture, Request
from pipelines.recap.client.chat import encode_request
from pipelines.recap.client.circuit_breaker import backoff_seconds
from pipelines.recap.client.connection import Connection, Message
from pipelines.recap.client.endpoints import Servers, preference
from pipelines.recap.client.meaning import (
    MalformedAnswerError,
    NoLogprobsError,
    NoSchemaError,
    OtherFormError,
    OverloadedError,
    TransientError,
)
from pipelines.recap.client.parameters import Form, Sampling, formed, parameters_of
from pipelines.recap.client.patience import longest_wait, seconds_left
from pipelines.recap.client.probe_images import QUESTION, draw_square
from schemas.console import notice
from schemas.duration import duration
from schemas.errors import BuildError, UsageError
from schemas.rejection import Reason, Rejected

NOTICE_SECONDS = 30.0  # between notices about failed calls to a server
_AGAIN = "trying again"
# What is told of a server that takes no such requests.
_FORMS: Mapping[type[OtherFormError], tuple[str, str]] = {
    NoSchemaError: (
        "decodes no answers by a schema",
        "asking without one; its answers are read as they come",
    ),
    NoLogprobsError: (
        "tells no log-probabilities",
        "asking without; yes counts as 1, and no as 0",
    ),
}
_NO_KEY = "EMPTY"  # the key that is sent if the user has none
_TRIALS = 2  # last attempts of a request, with no other request in flight
_MAX_REJECTED_IN_ROW = 19  # limit of rejections without an answer between them
_NOTED_DELAYS = 3  # responses with status 429 to one request, before the user is told
_MALFORMED_CHECKS = 3  # malformed answers to one request of a check


@dataclass(slots=True)
class _Call:
    """One call, with its failures and delays so far."""

    id: str
    encode: Callable[[Form], Message]  # from the form in which a server takes requests
    route: Sequence[Connection]  # the servers, in order of preference
    is_check: bool = False  # whether it is part of a check of servers
    failures: int = 0
    malformed: int = 0  # number of answers that were none
    delays: int = 0  # number of responses with status 429
    trouble_since: float | None = None  # first time; seconds of the monotonic clock
    messages: dict[Form, Message] = field(default_factory=dict)

    def message(self, form: Form) -> Message:
        """Return the request as a server takes it."""
        if form not in self.messages:
            self.messages[form] = self.encode(form)
        return self.messages[form]


class OpenAICaptioner:
    """A captioner that sends requests to one or several servers."""

    def __init__(
        self,
        servers: Servers,
        sampling: Sampling,
        say: Callable[[str], None] = notice,
        *,
        sees: bool = True,
    ) -> None:
        """Prepare the connections; nothing is sent yet.

        Args:
            servers: URLs, limits and retries.
            sampling: the model and its sampling.
            say: function that shows the user a line about a server that fails.
            sees: whether the model takes pictures; otherwise its server is probed without one.

        Raises:
            UsageError: the key has characters that cannot be sent.
        """
        self._servers = servers
        self._sampling = sampling
        self._probe_pictures = [NamedPicture("", draw_square("red"))] if sees else []
        self._say = say
        key = _key_of(servers.api_key_env)
        model = sampling.model
        self._connections = [Connection(url, key, model, servers) for url in servers.endpoints]
        self._in_flight = asyncio.Semaphore(servers.concurrency)
        self._rejected_in_row = 0
        self._noticed: dict[tuple[str, str], float] = {}  # last time by URL and remark; monotonic

    @property
    def endpoints(self) -> Sequence[str]:
        """The base URLs of the servers."""
        return [connection.url for connection in self._connections]

    @property
    def max_tokens(self) -> int:
        """The largest limit of tokens in a run."""
        return self._sampling.max_tokens

    async def ask(self, request: Request) -> Answer:
        """Return the answer to a request; errors as in `Captioner.ask`."""
        call = await self._call_of(request, self._route(request.image_rank))
        try:
            answer = await self._run(call)
        except Rejected as cause:
            if not request.refused_before:
                self._count_rejection(cause)
            raise
        self._rejected_in_row = 0
        return answer

    async def ask_server(self, url: str, request: Request) -> Answer:
        """Return the answer of one given server to a check; errors as in `ask`.

        What is sent has the same parameters as in a run. A server that answers in no known format
        ends it soon (`BuildError`).
        """
        route = [connection for connection in self._connections if connection.url == url]
        call = await self._call_of(request, route)
        call.is_check = True
        return await self._run(call)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(connection.close() for connection in self._connections))

    async def _call_of(self, request: Request, route: Sequence[Connection]) -> _Call:
        image = await request.load_image()
        parameters = parameters_of(self._sampling, request, image.region)

        def encode(form: Form) -> Message:
            sent = formed(parameters, request, form)
            return _message(request.id, request.prompt, image.pictures(), sent)

        return _Call(request.id, encode, route)

    def _route(self, image_rank: int) -> Sequence[Connection]:
        if len(self._connections) == 1:
            return self._connections
        order = preference(self._servers.endpoints, image_rank)
        return [self._connections[position] for position in order]

    async def _run(self, call: _Call) -> Answer:
        while True:
            connection = await self._usable(call)
            try:
                answer = await self._attempt(connection, call)
            except OtherFormError as form:
                if notice_of_form := _FORMS.get(type(form)):
                    self._notice(connection, *notice_of_form)
            except OverloadedError as trouble:
                call.delays += 1
                if call.delays >= _NOTED_DELAYS:
                    self._notice(connection, trouble, _AGAIN)
                await self._back_off(connection, call, call.delays, trouble.retry_after)
            except TransientError as trouble:
                call.failures += 1
                self._check_format(connection, call, trouble)
                if call.failures >= self._servers.retries + _TRIALS + 1:
                    detail = f"{trouble} in {call.failures} attempts, the last ones alone"
                    raise Rejected(Reason.CAPTION_FAILED, detail) from None
                self._notice(connection, trouble, _AGAIN)
                await self._back_off(connection, call, call.failures, trouble.retry_after)
            else:
                if answer is not None:
                    return answer

    async def _attempt(self, connection: Connection, call: _Call) -> Answer | None:
        """Send a call and return its answer, or None if the server became unusable before that."""
        alone = call.failures > self._servers.retries
        async with connection.limiter.slot(alone=alone) as round_number, self._in_flight:
            if (
                connection is not _first_usable(call.route)
                or connection.breaker.until_resumed() > 0
            ):
                return None
            if alone and not await self._probe(connection):
                return None
            message = call.message(connection.form)
            return await connection.send(message, round_number, is_check=call.is_check)

    @staticmethod
    def _check_format(connection: Connection, call: _Call, trouble: TransientError) -> None:
        """Raise `BuildError` if a server that is checked answers in no known format."""
        call.malformed += isinstance(trouble, MalformedAnswerError)
        if call.is_check and call.malformed >= _MALFORMED_CHECKS:
            raise BuildError(
                f"{connection.url}: {trouble}. Its URL seems to be no server of the OpenAI protocol"
            ) from None

    async def _back_off(
        self, connection: Connection, call: _Call, times: int, retry_after: float | None
    ) -> None:
        now = time.monotonic()
        if call.trouble_since is None:
            call.trouble_since = now
        seconds_left(call.route, self._servers, call.trouble_since, retry_after or 0.0)
        if retry_after is not None:
            connection.breaker.pause(retry_after)
        servers = self._servers
        wait = backoff_seconds(servers.backoff, servers.backoff_limit, call.id, times)
        await asyncio.sleep(wait)

    async def _usable(self, call: _Call) -> Connection:
        """Wait until a server of the call's route is usable, and return the first such server."""
        while True:
            for connection in call.route:
                if self._should_probe(connection, call.route):
                    async with connection.probing:
                        if connection.breaker.is_open and not connection.breaker.until_probe():
                            await self._probe(connection)
                if not connection.breaker.is_open:
                    if wait := connection.breaker.until_resumed():
                        await asyncio.sleep(wait)
                    return connection
            if call.trouble_since is None:
                call.trouble_since = time.monotonic()
            left = seconds_left(call.route, self._servers, call.trouble_since)
            probe_in = min(connection.breaker.until_probe() for connection in call.route)
            await asyncio.sleep(min(left, probe_in))

    @staticmethod
    def _should_probe(connection: Connection, route: Sequence[Connection]) -> bool:
        if not connection.breaker.is_open or connection.breaker.until_probe():
            return False
        # While another call probes this server, prefer other servers; without any, await the probe.
        return not connection.probing.locked() or _first_usable(route) is None

    async def _probe(self, connection: Connection) -> bool:
        """Send a server a small probe request, and return whether it answers."""
        parameters = parameters_of(self._sampling) | {connection.form.limit_name: 1}
        message = _message("probe", QUESTION, self._probe_pictures, parameters)
        trouble = await connection.probe(message)
        if trouble:
            longest = duration(longest_wait([connection], self._servers))
            self._notice(connection, trouble, f"waiting for it, {longest} at most (--patience)")
        return trouble is None

    def _notice(self, connection: Connection, trouble: object, remark: str) -> None:
        """Show the user why calls to a server fail, each remark once in `NOTICE_SECONDS`."""
        now, key = time.monotonic(), (connection.url, remark)
        if now - self._noticed.get(key, float("-inf")) >= NOTICE_SECONDS:
            self._noticed[key] = now
            self._say(f"{connection.url}: {trouble}; {remark}")

    def _count_rejection(self, cause: Rejected) -> None:
        self._rejected_in_row += 1
        if self._rejected_in_row > _MAX_REJECTED_IN_ROW:
            raise BuildError(
                f"{self._rejected_in_row} requests in a row were refused, the last with: "
                f"{cause.detail}. What was answered is kept: see whether --model and the limits "
                "of the server fit, and run the same command again to go on"
            ) from None


def _message(
    request_id: str, prompt: str, pictures: Sequence[NamedPicture], parameters: dict[str, Any]
) -> Message:
    body = encode_request(prompt, pictures, parameters)
    return Message(request_id, body, tuple(parameters), bool(pictures))


def _first_usable(route: Sequence[Connection]) -> Connection | None:
    return next((connection for connection in route if not connection.breaker.is_open), None)


def _key_of(variable: str) -> str:
    key = os.environ.get(variable, "").strip() or _NO_KEY
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"--api-key-env: what {variable} holds cannot be sent as a key")
    return key
