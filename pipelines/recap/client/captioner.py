"""A captioner that asks servers: OpenAI's client over HTTP, and all that can go wrong there.

A call ends in one of three ways.

1. An answer.
2. `Rejected`: the server refuses this request for what is in it; or the request failed again and
   again, and twice more when it was the only one in flight, each time right after the server had
   answered a small one. Nothing else is ever held against a request.
3. `BuildError`: the servers answer nothing for longer than our patience, or refuse all requests.

Status 429 is not a failure: it makes us slower. Everything else that is neither answer nor refusal
(5xx, a broken connection, silence, nonsense) is a failure, and tried again.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.recap.captioning.captioner import Answer, Request
from pipelines.recap.client.canary import QUESTION, draw_square
from pipelines.recap.client.chat import encode_request
from pipelines.recap.client.circuit_breaker import backoff_seconds
from pipelines.recap.client.connection import Failed, Overloaded, Wire
from pipelines.recap.client.endpoints import Servers, preference
from pipelines.recipes.recap import Captioning
from schemas.errors import BuildError, UsageError
from schemas.ids import rank
from schemas.rejection import Reason, Rejected

NO_KEY = "EMPTY"  # what servers without keys are sent
TRIALS = 2  # alone, before a request is given up
MENTION_SECONDS = 30.0  # between words about calls that fail
REJECTED_IN_ROW = 20  # with no answer between: not the requests' fault
SEED_BITS = 31


@dataclass(slots=True)
class _Course:
    """One call, and what has happened to it."""

    id: str
    encode: Callable[[], bytes]  # makes the body, once
    route: Sequence[Wire]  # in order of preference
    body: bytes | None = None
    failures: int = 0
    delays: int = 0  # status 429
    since: float | None = None  # when trouble began; seconds of the monotonic clock


class OpenAICaptioner:
    """Asks one or several servers; see `Captioner`."""

    def __init__(
        self, servers: Servers, captioning: Captioning, say: Callable[[str], None] | None = None
    ) -> None:
        """Prepare to ask; nothing is sent yet.

        Args:
            servers: where, and how patiently.
            how: model and sampling.
            say: takes a line for a person about a server that fails; to standard error if None.
        """
        self._servers = servers
        self._how = captioning
        self._say = say or (lambda line: print(line, file=sys.stderr, flush=True))
        key = _key_of(servers.api_key_env)
        self._wires = [Wire(url, key, servers) for url in servers.endpoints]
        self._all = asyncio.Semaphore(servers.concurrency)
        self._rejected_in_row = 0
        self._mentioned: dict[str, float] = {}  # by URL, when a failure was; monotonic seconds

    @property
    def model(self) -> str:
        """What the servers call it."""
        return self._how.model

    @property
    def sampling(self) -> dict[str, float | int | str]:
        """Temperature and top-p, and whether requests carry seeds."""
        seeds = {"seed": "by request id"} if self._how.seed_requests else {}
        return {"temperature": self._how.temperature, "top_p": self._how.top_p, **seeds}

    @property
    def endpoints(self) -> Sequence[str]:
        """The servers' URLs."""
        return [wire.url for wire in self._wires]

    async def ask(self, request: Request) -> Answer:
        """Return the answer; see `Captioner.ask`."""

        def encode() -> bytes:
            parameters = {
                "model": self._how.model,
                "max_tokens": request.max_tokens,
                "temperature": self._how.temperature,
                "top_p": self._how.top_p,
            }
            if self._how.seed_requests:
                parameters["seed"] = rank("seed", request.id) >> 63 - SEED_BITS
            return encode_request(request.prompt, request.jpeg, parameters)

        if len(self._wires) == 1:
            route = self._wires
        else:
            order = preference(self._servers.endpoints, request.image_key)
            route = [self._wires[position] for position in order]
        try:
            answer = await self._run(_Course(request.id, encode, route))
        except Rejected as cause:
            if not request.again:
                self._count_rejection(cause)
            raise
        self._rejected_in_row = 0
        return answer

    async def ask_endpoint(
        self, endpoint: str, request_id: str, prompt: str, jpeg: bytes | None, max_tokens: int
    ) -> Answer:
        """Return one server's answer at temperature 0; `jpeg` may be missing."""
        route = [wire for wire in self._wires if wire.url == endpoint]
        parameters = {"model": self._how.model, "max_tokens": max_tokens, "temperature": 0}
        course = _Course(request_id, lambda: encode_request(prompt, jpeg, parameters), route)
        return await self._run(course)

    async def close(self) -> None:
        """Let go of connections."""
        await asyncio.gather(*(wire.close() for wire in self._wires))

    async def _run(self, course: _Course) -> Answer:
        while True:
            wire = await self._usable(course)
            try:
                answer = await self._attempt(wire, course)
            except Overloaded as trouble:
                course.delays += 1
                await self._hold_off(wire, course, course.delays, trouble.retry_after)
            except Failed as trouble:
                course.failures += 1
                if course.failures >= self._servers.retries + TRIALS + 1:
                    detail = f"{trouble} in {course.failures} attempts, the last ones alone"
                    raise Rejected(Reason.CAPTION_FAILED, detail) from None
                self._mention(wire, trouble)
                await self._hold_off(wire, course, course.failures, trouble.retry_after)
            else:
                if answer is not None:
                    return answer

    async def _attempt(self, wire: Wire, course: _Course) -> Answer | None:
        """Send a call; None: it was not sent after all, for what has been heard meanwhile."""
        alone = course.failures > self._servers.retries
        async with wire.limiter.place(alone=alone) as sent_in, self._all:
            if wire is not _first_usable(course.route) or wire.breaker.until_resumed() > 0:
                return None
            if alone and not await self._probe(wire):
                return None
            if course.body is None:
                course.body = course.encode()
            return await wire.send(course.id, course.body, sent_in)

    async def _hold_off(
        self, wire: Wire, course: _Course, times: int, retry_after: float | None
    ) -> None:
        now = time.monotonic()
        if course.since is None:
            course.since = now
        self._check_patience(course, retry_after or 0.0)
        if retry_after is not None:
            wire.breaker.pause(retry_after)
        servers = self._servers
        wait = backoff_seconds(servers.backoff, servers.backoff_limit, course.id, times)
        await asyncio.sleep(wait)

    async def _usable(self, course: _Course) -> Wire:
        """Return the first server of the route that is worth a call, as soon as there is one."""
        while True:
            for wire in course.route:
                if self._should_probe(wire, course.route):
                    async with wire.probing:
                        if wire.breaker.is_open and not wire.breaker.until_probe():
                            await self._probe(wire)
                if not wire.breaker.is_open:
                    if wait := wire.breaker.until_resumed():
                        await asyncio.sleep(wait)
                    return wire
            if course.since is None:
                course.since = time.monotonic()
            self._check_patience(course)
            await asyncio.sleep(min(wire.breaker.until_probe() for wire in course.route))

    @staticmethod
    def _should_probe(wire: Wire, route: Sequence[Wire]) -> bool:
        if not wire.breaker.is_open or wire.breaker.until_probe():
            return False
        # While somebody else probes it, take another; wait for the outcome only if there is none.
        return not wire.probing.locked() or _first_usable(route) is None

    async def _probe(self, wire: Wire) -> bool:
        """Tell whether a server answers a small call."""
        parameters = {"model": self._how.model, "max_tokens": 1, "temperature": 0}
        trouble = await wire.probe(encode_request(QUESTION, draw_square("red"), parameters))
        if trouble:
            self._say(f"{wire.url}: {trouble}; waiting for it")
        return trouble is None

    def _mention(self, wire: Wire, trouble: Failed) -> None:
        """Say now and then what calls meet: where small ones fare better, nobody else would."""
        now = time.monotonic()
        if now - self._mentioned.get(wire.url, float("-inf")) >= MENTION_SECONDS:
            self._mentioned[wire.url] = now
            self._say(f"{wire.url}: {trouble}; trying again")

    def _check_patience(self, course: _Course, wait: float = 0.0) -> None:
        """Raise once no server has answered for too long, or would not have if we waited."""
        since = course.since if course.since is not None else time.monotonic()
        quiet_from = max(since, *(wire.breaker.last_answer for wire in course.route))
        if time.monotonic() + wait - quiet_from <= self._servers.patience:
            return
        seen = "; ".join(f"{wire.url}: {wire.breaker.last_trouble}" for wire in course.route)
        asks = f", and asks to wait {wait:.0f} s" if wait else ""
        raise BuildError(
            f"no answer for {time.monotonic() - quiet_from:.0f} s{asks} ({seen}). What was "
            "answered is kept: mend the server, and run the same command again to go on"
        )

    def _count_rejection(self, cause: Rejected) -> None:
        self._rejected_in_row += 1
        if self._rejected_in_row >= REJECTED_IN_ROW:
            raise BuildError(
                f"{self._rejected_in_row} requests in a row were refused, the last with: "
                f"{cause.detail}. What was answered is kept: see whether --model and the limits "
                "of the server fit, and run the same command again to go on"
            ) from None


def _first_usable(route: Sequence[Wire]) -> Wire | None:
    return next((wire for wire in route if not wire.breaker.is_open), None)


def _key_of(variable: str) -> str:
    key = os.environ.get(variable, "").strip() or NO_KEY
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"--api-key-env: what {variable} holds cannot be sent as a key")
    return key
