"""The servers of a run: their URLs, and the limits of time and number of calls to them."""

import re
from collections.abc import Sequence
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.errors import UsageError
from schemas.ids import rank

CHAT_PATH = "/chat/completions"
_VERSION = re.compile(r"api-version=[A-Za-z0-9.-]{1,40}")


class Servers(BaseModel):
    """The servers of a run, and the limits of calls to them; no field decides a caption's text.

    The settings hold the name of the key's environment variable, never the key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoints: tuple[str, ...]  # base URLs, mostly up to /v1
    api_key_env: str = "OPENAI_API_KEY"  # environment variable of the key; unset: no key
    concurrency: int = Field(default=64, ge=1)  # maximum of calls in flight, over all endpoints
    time_limit: float = Field(default=120.0, gt=0)  # seconds for one attempt of a call
    retries: int = Field(default=5, ge=0)  # of a failed call, before it is sent alone
    patience: float = Field(default=600.0, gt=0)  # seconds without any answer before a run ends
    first_patience: float = Field(default=10.0, gt=0)  # the same while no server was ever reached
    backoff: float = Field(default=0.5, gt=0)  # seconds after the first failure, then doubled
    backoff_limit: float = Field(default=30.0, gt=0)  # maximum of the wait in seconds

    @field_validator("endpoints", mode="before")
    @classmethod
    def _check_urls(cls, endpoints: Sequence[str]) -> tuple[str, ...]:
        # Before pydantic's checks, since pydantic's messages repeat the URLs, secrets included.
        return tuple(check_endpoint(str(url)) for url in endpoints)

    @model_validator(mode="after")
    def _check_number(self) -> Self:
        if not self.endpoints:
            raise UsageError("--endpoint URL: where the server is, e.g. http://localhost:8000/v1")
        if len(set(self.endpoints)) < len(self.endpoints):
            raise UsageError("--endpoint: the same URL is given twice")
        return self


def check_endpoint(url: str) -> str:
    """Return a base URL without a slash or the path of the chat API at its end.

    Of a query, `?api-version=...` alone is taken, which Azure's URLs have.

    Raises:
        UsageError: the URL is malformed, or may hold a secret; the message does not repeat it.
    """
    expected = "expected a base URL like http://localhost:8000/v1"
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise UsageError(f"--endpoint: {expected}; the host or port of one is malformed") from None
    if parts.scheme not in {"http", "https"} or not named:
        raise UsageError(f"--endpoint: {expected}; one given is of another form")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"--endpoint: {expected}; the one at {parts.hostname} holds a user name or password. "
            "A key goes into an environment variable: --api-key-env NAME"
        )
    version = _VERSION.fullmatch(parts.query)
    if (parts.query and not version) or parts.fragment:
        raise UsageError(
            f"--endpoint: {expected}; the one at {parts.hostname} goes on after its path with ? "
            "or #, and not with ?api-version= alone. A key goes into an environment variable: "
            "--api-key-env NAME"
        )
    base = url.partition("?")[0].rstrip("/").removesuffix(CHAT_PATH).rstrip("/")
    return f"{base}?{parts.query}" if version else base


def preference(endpoints: Sequence[str], image_rank: int) -> list[int]:
    """Return the endpoints' indices in order of preference for an image (rendezvous hashing).

    The order depends on the URLs and the image's rank alone. If an endpoint is removed, only its
    images change their endpoint, and they are spread evenly over the other endpoints.
    """
    return sorted(
        range(len(endpoints)),
        key=lambda position: rank("endpoint", endpoints[position], image_rank),
    )
