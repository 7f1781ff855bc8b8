"""The connection to one server: it sends requests, and turns responses into answers and errors."""

import asyncio
import logging
from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
import httpx2
import openai

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.client.chat import MalformedError, decode_answer
from pipelines.recap.client.circuit_breaker import Breaker, retry_after_seconds
from pipelines.recap.client.concurrency import Limiter
from pipelines.recap.client.endpoints import Servers
from schemas.errors import BuildError
from schemas.limits import MAX_ANSWER_BYTES
from schemas.rejection import Reason, Rejected

_REFUSALS = {400, 413, 415, 422}  # statuses that refuse the content of a request
_FAILURES = {408, 409, 425}  # statuses of failures, besides 5xx
_OVERLOADED = 429
_MAX_PROBE_SECONDS = 30.0  # time limit of a probe
_KEEP_ALIVE_SECONDS = 3.0  # shorter than servers', which would close connections in use
_MAX_DETAIL_CHARACTERS = 300


class OverloadedError(Exception):
    """The server is overloaded, and asks for fewer calls (status 429)."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("status 429")
        self.retry_after = retry_after  # seconds


class TransientError(Exception):
    """A call failed for a reason that may pass; the request can be sent again."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after  # seconds


class Connection:
    """The connection to one server, with a limit of concurrent calls and a circuit breaker."""

    def __init__(self, url: str, key: str, servers: Servers) -> None:
        # The library logs a line for each call, which would slow calls down if it were shown.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        self.url = url
        self.limiter = Limiter(servers.concurrency)
        self.breaker = Breaker(servers.backoff, servers.backoff_limit)
        self.probing = asyncio.Lock()
        self._key = key
        self._key_env = servers.api_key_env
        self._time_limit = servers.time_limit
        limits = httpx2.Limits(max_connections=None, keepalive_expiry=_KEEP_ALIVE_SECONDS)
        # Of the transports of OpenAI's client, aiohttp takes the least processor time for a call.
        # Retries and timeouts are handled here; a redirect would send the key to another server.
        http = openai.DefaultAioHttpClient(
            limits=limits, timeout=None, follow_redirects=False, event_hooks={"response": [_bound]}
        )
        self._client = openai.AsyncOpenAI(
            base_url=url, api_key=key, max_retries=0, timeout=None, http_client=http
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def send(self, request_id: str, body: bytes, round_number: int) -> Answer:
        """Send a request once, and return the answer.

        Args:
            request_id: id of the request, sent as a header.
            body: body of the request.
            round_number: the limiter's round in which the call was granted its slot.

        Raises:
            Rejected: the server refuses the content of the request.
            OverloadedError, TransientError: the request failed, and can be sent again.
            BuildError: the server would refuse every request, for example for a wrong key.
        """
        try:
            answer = await self._post(request_id, body, self._time_limit)
        except OverloadedError as trouble:
            self.breaker.last_trouble = str(trouble)
            self.limiter.overloaded(round_number)
            raise
        except TimeoutError:
            detail = f"no answer within {self._time_limit:g} s"
            self.limiter.overloaded(round_number)
            self.breaker.failed(detail)
            raise TransientError(detail) from None
        except TransientError as trouble:
            self.breaker.failed(str(trouble))
            raise
        self.limiter.answered()
        self.breaker.answered()
        return answer

    async def probe(self, body: bytes) -> str | None:
        """Send a probe; return None if the server responds, else a description of the failure."""
        limit = min(self._time_limit, _MAX_PROBE_SECONDS)
        trouble = None
        try:
            await self._post("probe", body, limit)
            self.breaker.heard()
        except TimeoutError:
            trouble = f"no answer to a small call within {limit:g} s"
        except TransientError as failure:
            trouble = str(failure)
        except Rejected:
            self.breaker.heard()
        except OverloadedError:
            pass  # the server runs, but this is not an answer
        self.breaker.probed(trouble)
        return trouble

    async def _post(self, request_id: str, body: bytes, limit: float) -> Answer:
        # Ids contain names from data sets, in any script; a header is ASCII only.
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "X-Request-Id": quote(request_id),
        }
        try:
            async with asyncio.timeout(limit):
                # Bytes are twice as fast as OpenAI's classes, and are checked by `decode_answer`.
                response = await self._client.post(
                    "/chat/completions",
                    cast_to=httpx2.Response,
                    content=body,
                    options={"headers": headers},
                )
            return decode_answer(response.content)
        except openai.APIStatusError as error:
            raise self._meaning(error) from None
        except openai.APIConnectionError as error:
            raise TransientError(self._clean(_root(error))) from None
        except (aiohttp.ClientError, httpx2.HTTPError) as error:
            raise TransientError(self._clean(_root(error))) from None
        except MalformedError as error:
            raise TransientError(self._clean(f"a malformed answer: {error}")) from None

    def _meaning(self, error: openai.APIStatusError) -> Exception:
        status = error.status_code
        detail = self._clean(f"status {status}: {_message(error)}")
        wait = retry_after_seconds(error.response.headers)
        if status == _OVERLOADED:
            return OverloadedError(wait)
        if status >= 500 or status in _FAILURES:
            return TransientError(detail, wait)
        if status in _REFUSALS:
            return Rejected(Reason.CAPTION_FAILED, detail)
        hint = "see whether the URL, which mostly ends with /v1, and --model are right"
        if status in {401, 403}:
            hint = f"the key is taken from the environment variable {self._key_env}"
        return BuildError(f"{self.url}: {detail} ({hint})")

    def _clean(self, detail: str) -> str:
        """Return an error's detail for the user: on one line, cut to a length, without the key."""
        line = " ".join(detail.split())
        # A shorter key is no secret, and may be part of any word.
        if len(self._key) > 5:
            line = line.replace(self._key, "[key]")
        return line[:_MAX_DETAIL_CHARACTERS]


class _Bounded(httpx2.AsyncByteStream):
    """The body of a response, read up to `MAX_ANSWER_BYTES`; a longer body is an error."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._body:
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                raise MalformedError(f"more than {MAX_ANSWER_BYTES:,} bytes")
            yield part

    async def aclose(self) -> None:
        await self._body.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Limit the size of a response's body, and refuse compressed bodies, which can expand."""
    encoding = response.headers.get("Content-Encoding", "")
    if encoding.lower() not in {"", "identity"}:
        raise MalformedError(f"it is packed by {encoding}, which was not asked for")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Bounded(response.stream)


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        return str(body.get("message", body))
    return error.response.text


def _root(error: BaseException) -> str:
    while (cause := error.__cause__) is not None:
        error = cause
    return str(error) or type(error).__name__
