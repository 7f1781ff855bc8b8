"""The servers that are asked for captions: their URLs, and limits of time and number."""

from collections.abc import Sequence
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.errors import UsageError
from schemas.ids import rank


class Servers(BaseModel):
    """The servers and how they are treated; nothing here decides the text of captions.

    The key is named, never held: it is read from the environment where calls are made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoints: tuple[str, ...]  # base URLs, up to /v1
    api_key_env: str = "OPENAI_API_KEY"  # the variable that holds the key; unset: no key
    concurrency: int = Field(default=64, ge=1)  # calls in flight at most, over all endpoints
    time_limit: float = Field(default=120.0, gt=0)  # of one attempt; seconds
    retries: int = Field(default=5, ge=0)  # of a call that failed, before it is tried alone
    patience: float = Field(default=600.0, gt=0)  # with servers that answer nothing; seconds
    backoff: float = Field(default=0.5, gt=0)  # after the first failure, doubled by each; seconds
    backoff_limit: float = Field(default=30.0, gt=0)  # seconds

    @field_validator("endpoints", mode="before")
    @classmethod
    def _check_urls(cls, endpoints: Sequence[str]) -> tuple[str, ...]:
        # Before pydantic sees them: its messages repeat their input.
        return tuple(check_endpoint(str(url)) for url in endpoints)

    @model_validator(mode="after")
    def _check_number(self) -> Self:
        if not self.endpoints:
            raise UsageError("--endpoint URL: where the server is, e.g. http://localhost:8000/v1")
        if len(set(self.endpoints)) < len(self.endpoints):
            raise UsageError("--endpoint: the same URL is given twice")
        return self


def check_endpoint(url: str) -> str:
    """Return a base URL without a slash at its end.

    Raises:
        UsageError: it is no URL, or may hold a secret; the message does not repeat it.
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
    if parts.query or parts.fragment:
        raise UsageError(
            f"--endpoint: {expected}; the one at {parts.hostname} goes on after its path with ? "
            "or #. A key goes into an environment variable: --api-key-env NAME"
        )
    return url.rstrip("/")


def preference(endpoints: Sequence[str], image_rank: int) -> list[int]:
    """Return the endpoints' positions, the one for an image first (rendezvous hashing).

    The order depends on the URLs and the image's rank alone. Where one endpoint is missing, only
    the images of that one go elsewhere, spread over the others.
    """
    return sorted(
        range(len(endpoints)),
        key=lambda position: rank("endpoint", endpoints[position], image_rank),
    )
