"""One server: the client that speaks to it, and what its answers mean."""

import asyncio
import logging
from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
import httpx2
import openai

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.client.chat import Malformed, decode_answer
from pipelines.recap.client.circuit_breaker import Breaker, retry_after_seconds
from pipelines.recap.client.concurrency import Limiter
from pipelines.recap.client.endpoints import Servers
from schemas.errors import BuildError
from schemas.rejection import Reason, Rejected

REFUSALS = {400, 413, 415, 422}  # for what is in the request
FAILURES = {408, 409, 425}  # and 5xx
OVERLOADED = 429
PROBE_SECONDS = 30.0  # a small call may take, at most
KEEP_ALIVE_SECONDS = 3.0  # less than servers do, which would cut us off in the middle
DETAIL_CHARACTERS = 300
LONGEST_ANSWER = 8 << 20  # bytes; captions take some thousands


class Overloaded(Exception):
    """The server wants fewer calls."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("status 429")
        self.retry_after = retry_after  # seconds


class Failed(Exception):
    """No answer, and nothing that says whose fault it is."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after  # seconds


class Wire:
    """The way to one server."""

    def __init__(self, url: str, key: str, servers: Servers) -> None:
        # It would log a line for each call, and slow them down where somebody listens.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        self.url = url
        self.limiter = Limiter(servers.concurrency)
        self.breaker = Breaker(servers.backoff, servers.backoff_limit)
        self.probing = asyncio.Lock()
        self._key = key
        self._key_env = servers.api_key_env
        self._time_limit = servers.time_limit
        limits = httpx2.Limits(max_connections=None, keepalive_expiry=KEEP_ALIVE_SECONDS)
        # Of the transports that OpenAI's client takes, aiohttp's needs the least time for a call.
        # Retries and time limits are ours; a redirect would carry the key elsewhere.
        http = openai.DefaultAioHttpClient(
            limits=limits, timeout=None, follow_redirects=False, event_hooks={"response": [_bound]}
        )
        self._client = openai.AsyncOpenAI(
            base_url=url, api_key=key, max_retries=0, timeout=None, http_client=http
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def send(self, request_id: str, body: bytes, sent_in: int) -> Answer:
        """Send a call once.

        Args:
            request_id: goes along as a header.
            body: the request.
            sent_in: the limiter's round in which it got its place.

        Raises:
            Rejected: the server refuses what is in the request.
            Overloaded, Failed: it may be tried again.
            BuildError: no request can succeed.
        """
        try:
            answer = await self._post(request_id, body, self._time_limit)
        except Overloaded as trouble:
            self.breaker.last_trouble = str(trouble)
            self.limiter.overloaded(sent_in)
            raise
        except TimeoutError:
            detail = f"no answer within {self._time_limit:g} s"
            self.limiter.overloaded(sent_in)
            self.breaker.failed(detail)
            raise Failed(detail) from None
        except Failed as trouble:
            self.breaker.failed(str(trouble))
            raise
        self.limiter.answered()
        self.breaker.answered()
        return answer

    async def probe(self, body: bytes) -> str | None:
        """Send a small call; return what was seen instead of a sign of life, if so."""
        limit = min(self._time_limit, PROBE_SECONDS)
        trouble = None
        try:
            await self._post("probe", body, limit)
            self.breaker.heard()
        except TimeoutError:
            trouble = f"no answer to a small call within {limit:g} s"
        except Failed as failure:
            trouble = str(failure)
        except Rejected:
            self.breaker.heard()
        except Overloaded:
            pass  # it is there, but this does not end our patience
        self.breaker.probed(trouble)
        return trouble

    async def _post(self, request_id: str, body: bytes, limit: float) -> Answer:
        # Ids hold what owners' names hold, a header takes ASCII only.
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "X-Request-Id": quote(request_id),
        }
        try:
            async with asyncio.timeout(limit):
                # The answer as bytes: ours to check, and twice as fast as into OpenAI's classes.
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
            raise Failed(self._clean(_root(error))) from None
        except (aiohttp.ClientError, httpx2.HTTPError) as error:
            raise Failed(self._clean(_root(error))) from None
        except Malformed as error:
            raise Failed(self._clean(f"a malformed answer: {error}")) from None

    def _meaning(self, error: openai.APIStatusError) -> Exception:
        status = error.status_code
        said = self._clean(f"status {status}: {_message(error)}")
        wait = retry_after_seconds(error.response.headers)
        if status == OVERLOADED:
            return Overloaded(wait)
        if status >= 500 or status in FAILURES:
            return Failed(said, wait)
        if status in REFUSALS:
            return Rejected(Reason.CAPTION_FAILED, said)
        hint = "see whether the URL, which mostly ends with /v1, and --model are right"
        if status in {401, 403}:
            hint = f"the key is taken from the environment variable {self._key_env}"
        return BuildError(f"{self.url}: {said} ({hint})")

    def _clean(self, detail: str) -> str:
        """Return a detail that can be shown: short, on one line, without the key."""
        line = " ".join(detail.split())
        # A key as short as this is no secret, and may be part of any word.
        if len(self._key) > 5:
            line = line.replace(self._key, "[key]")
        return line[:DETAIL_CHARACTERS]


class _Bounded(httpx2.AsyncByteStream):
    """What a server sends, as long as it may be an answer."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._body:
            size += len(part)
            if size > LONGEST_ANSWER:
                raise Malformed(f"more than {LONGEST_ANSWER:,} bytes")
            yield part

    async def aclose(self) -> None:
        await self._body.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Have no more of a body read than an answer takes; what is packed may become any size."""
    encoding = response.headers.get("Content-Encoding", "")
    if encoding.lower() not in {"", "identity"}:
        raise Malformed(f"it is packed by {encoding}, which was not asked for")
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
