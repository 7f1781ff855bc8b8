"""The connection to one server: it sends requests, and turns responses into answers and errors."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
import msgspec
import openai

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.client.chat import decode_answer
from pipelines.recap.client.circuit_breaker import Breaker
from pipelines.recap.client.complaint import Complaint, one_line, read_complaint
from pipelines.recap.client.concurrency import Limiter
from pipelines.recap.client.endpoints import CHAT_PATH, Servers
from pipelines.recap.client.meaning import (
    Call,
    MalformedAnswerError,
    NoLogprobsError,
    NoSchemaError,
    OtherFormError,
    OtherLimitError,
    OverloadedError,
    TransientError,
    UnreachableError,
    meaning,
)
from pipelines.recap.client.odd_answers import ComplaintError, MalformedError
from pipelines.recap.client.parameters import LATER_LIMIT, Form
from schemas.errors import BuildError
from schemas.limits import MAX_ANSWER_BYTES
from schemas.rejection import Rejected
from schemas.secret import Secret

_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com")  # ends of host names
# Failures of encryption that no waiting mends, with the remedy.
_NO_TLS = {
    "WRONG_VERSION_NUMBER": "is it http:// in place of https://?",
    "CERTIFICATE_VERIFY_FAILED": "SSL_CERT_FILE names the file of the authority that signed it",
}
_LONG = 0.25  # share of the time limit from which an answer took long
_MAX_PROBE_SECONDS = 30.0  # time limit of a probe
_KEEP_ALIVE_SECONDS = 3.0  # shorter than servers', which would close connections in use


@dataclass(frozen=True, slots=True)
class Message:
    """One request, as it is sent to one server."""

    id: str
    body: bytes
    parameters: Collection[str]  # the names of all that is sent, besides messages
    pictures: bool  # whether it has any


class Connection:
    """The connection to one server, with a limit of concurrent calls and a circuit breaker."""

    def __init__(self, url: str, key: str, model: str, servers: Servers) -> None:
        # The library logs a line for each call, which would slow calls down if it were shown.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        self.url = url
        self.form = Form()
        self.limiter = Limiter(servers.concurrency, servers.time_limit * _LONG)
        self.breaker = Breaker(servers.backoff, servers.backoff_limit)
        self.probing = asyncio.Lock()
        self._secret = Secret(key)
        self._key_env = servers.api_key_env
        self._time_limit = servers.time_limit
        limits = httpx2.Limits(max_connections=None, keepalive_expiry=_KEEP_ALIVE_SECONDS)
        # Of the transports of OpenAI's client, aiohttp takes the least processor time for a call.
        # Retries and timeouts are handled here; a redirect would send the key to another server.
        http = openai.DefaultAioHttpClient(
            limits=limits, timeout=None, follow_redirects=False, event_hooks={"response": [_bound]}
        )
        self._proxy = proxy_of(url)
        self._client = client_of(
            url, model, api_key=key, max_retries=0, timeout=None, http_client=http
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def send(self, message: Message, round_number: int, *, is_check: bool = False) -> Answer:
        """Send a request once, and return the answer.

        Args:
            message: the request.
            round_number: the limiter's round in which the call was granted its slot.
            is_check: whether it is part of a check, and so shorter than those of a run.

        Raises:
            Rejected: the server refuses the content of the request.
            OverloadedError, TransientError: the request failed, and can be sent again.
            OtherFormError: the request can be sent again in the `form` that is now set.
            BuildError: the server would refuse every request, for example for a wrong key.
        """
        began = time.monotonic()
        try:
            answer = await self._post(message, self._time_limit)
        except OverloadedError as trouble:
            self.breaker.overloaded(str(trouble))
            self.limiter.overloaded(round_number)
            raise
        except TimeoutError:
            detail = f"no answer within {self._time_limit:g} s"
            self.limiter.overloaded(round_number)
            self.breaker.failed(detail)
            raise TransientError(detail) from None
        except TransientError as trouble:
            self.breaker.failed(str(trouble), reached=_is_reached(trouble))
            raise
        except Rejected:
            self.breaker.heard()
            self.limiter.answered()
            raise
        self.limiter.answered(None if is_check else time.monotonic() - began)
        self.breaker.answered()
        return answer

    async def probe(self, message: Message) -> str | None:
        """Send a probe; return None if the server responds, else a description of the failure."""
        limit = min(self._time_limit, _MAX_PROBE_SECONDS)
        trouble, reached = None, True
        try:
            await self._post(message, limit)
            self.breaker.heard()
        except TimeoutError:
            trouble = f"no answer to a small call within {limit:g} s"
        except TransientError as failure:
            trouble, reached = str(failure), _is_reached(failure)
        except (Rejected, OtherFormError):
            self.breaker.heard()
        except OverloadedError:
            pass  # the server runs, but this is not an answer
        self.breaker.probed(trouble, reached=reached)
        return trouble

    async def _post(self, message: Message, limit: float) -> Answer:
        # Ids contain names from data sets, in any script; a header is ASCII only.
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "X-Request-Id": quote(message.id),
        }
        try:
            async with asyncio.timeout(limit):
                # Bytes are twice as fast as OpenAI's classes, and are checked by `decode_answer`.
                response = await self._client.post(
                    CHAT_PATH,
                    cast_to=httpx2.Response,
                    content=message.body,
                    options={"headers": headers},
                )
            answer = decode_answer(self._keyless(response.content))
            return msgspec.structs.replace(answer, text=self._secret.masked(answer.text))
        except openai.APIStatusError as error:
            raise self._meaning(self._complaint(error.response), message) from None
        except ComplaintError as error:
            raise self._meaning(error.complaint, message) from None
        except (openai.APIConnectionError, aiohttp.ClientError, httpx2.HTTPError) as error:
            raise self._failure(error) from None
        except MalformedError as error:
            raise MalformedAnswerError(self._clean(f"a malformed answer: {error}")) from None
        except UnicodeError:  # the library reads the status line and headers as UTF-8
            raise MalformedAnswerError("a malformed answer: its headers are no UTF-8") from None

    def _complaint(self, response: httpx2.Response) -> Complaint:
        words = {name: self._secret.masked(value) for name, value in response.headers.items()}
        return read_complaint(response.status_code, self._keyless(response.content), words)

    def _meaning(self, complaint: Complaint, message: Message) -> Exception:
        masked = self._secret.masked
        complaint = replace(
            complaint,
            message=masked(complaint.message),
            code=masked(complaint.code),
            param=masked(complaint.param),
        )
        call = Call(
            url=self.url,
            key_variable=self._key_env,
            parameters=message.parameters,
            pictures=message.pictures,
            size=len(message.body),
            proxy=self._proxy,
        )
        error = meaning(complaint, call)
        if isinstance(error, OtherLimitError):
            self.form = replace(self.form, limit_name=LATER_LIMIT)
        if isinstance(error, NoSchemaError):
            self.form = replace(self.form, takes_schema=False)
        if isinstance(error, NoLogprobsError):
            self.form = replace(self.form, takes_logprobs=False)
        return error

    def _failure(self, error: BaseException) -> Exception:
        """Return what a failure of the connection means."""
        causes = [error, *_causes(error)]
        cause = causes[-1]
        detail = self._clean(f"{str(cause) or type(cause).__name__}{self._proxy}")
        for trouble, remedy in _NO_TLS.items():
            if trouble in str(cause):
                return BuildError(f"{self.url}: {detail} ({remedy})")
        if any(isinstance(each, aiohttp.ClientConnectorError) for each in causes):
            return UnreachableError(detail)
        return TransientError(detail)

    def _keyless(self, body: bytes) -> bytes:
        return self._secret.masked(body.decode("latin-1")).encode("latin-1")

    def _clean(self, detail: str) -> str:
        """Return an error's detail for the user: disarmed, on one line, without the key."""
        return one_line(self._secret.masked(detail))


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


def client_of(url: str, model: str, **settings: Any) -> openai.AsyncOpenAI:
    """Return OpenAI's client for a base URL; its client for Azure where the URL has a version."""
    base, _, version = url.partition("?api-version=")
    if not version:
        return openai.AsyncOpenAI(base_url=url, **settings)
    parts = urlsplit(base)
    if (parts.hostname or "").endswith(_AZURE) and parts.path in {"", "/openai"}:
        base = f"{base.removesuffix('/openai')}/openai/deployments/{quote(model, safe='')}"
    return openai.AsyncAzureOpenAI(base_url=base, api_version=version, **settings)


def proxy_of(url: str) -> str:
    """Return the proxy through which the environment has calls to a URL go, in words, or ""."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme) or getproxies().get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    host = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return f", through the proxy {host.hostname} of the environment; NO_PROXY leaves it out"


def _causes(error: BaseException) -> Iterator[BaseException]:
    while (cause := error.__cause__) is not None:
        yield cause
        error = cause


def _is_reached(trouble: TransientError) -> bool:
    return not isinstance(trouble, UnreachableError)
