"""The parameters of requests besides messages: what the user gives, and nothing else.

A server may refuse what it does not know, and two parameters that each alone it takes. So neither
temperature nor top-p is sent unless it is given; `--extra-body` adds any other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines.recap.captioning.captioner import GivenRegion, Request
from schemas import json_decoding
from schemas.errors import UsageError
from schemas.ids import rank

# The two names of the limit of an answer's tokens: that of most servers, and OpenAI's later one.
LIMIT, LATER_LIMIT = "max_tokens", "max_completion_tokens"
SCHEMA = "response_format"  # holds the schema of an answer
REGIONS = "regions"  # holds the region of a request, for a server of region models
# Ask for log-probabilities of the tokens of an answer; five is as many as every server gives.
LOGPROBS = {"logprobs": True, "top_logprobs": 5}
_SEED_BITS = 31
# What we send ourselves, with the remedy for those who want it otherwise.
_OURS = {
    "messages": "they are made from the wordings",
    "stream": "answers are read whole",
    "n": "a request has one answer",
    "model": "give --model",
    "temperature": "give --temperature",
    "top_p": "give --top-p",
    "seed": "it differs from request to request",
    LIMIT: "the flags of limits of tokens set it",
    LATER_LIMIT: f"it is sent to servers that refuse {LIMIT}",
    SCHEMA: "give --structured",
    REGIONS: "give --views region",
}
_SECRET = re.compile(
    r"api[_-]?key|secret|password|authorization|credential|(?:^|access_|auth_|bearer_)token$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Form:
    """The form in which a server takes requests; it is found out by what the server refuses."""

    limit_name: str = LIMIT  # of the limit of tokens
    takes_schema: bool = True  # whether it decodes answers by a schema
    takes_logprobs: bool = True  # whether it tells log-probabilities


class Sampling(Protocol):
    """The model that is asked, and its sampling: `Captioning` and `Judge` fit."""

    @property
    def model(self) -> str: ...
    @property
    def temperature(self) -> float | None: ...
    @property
    def top_p(self) -> float | None: ...
    @property
    def seed_requests(self) -> bool: ...
    @property
    def max_tokens(self) -> int:
        """The largest limit of tokens in a run."""

    @property
    def extra_body(self) -> Mapping[str, Any]: ...


def parameters_of(
    sampling: Sampling, request: Request | None = None, region: GivenRegion | None = None
) -> dict[str, Any]:
    """Return the parameters of a request, without its limit of tokens; None: of a small probe.

    For example `{"model": "m", "stream": false, "temperature": 0.2}`. With a region, `regions`
    holds it.
    """
    parameters: dict[str, Any] = {
        "model": sampling.model,
        "stream": False,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    if request is not None and sampling.seed_requests:
        parameters["seed"] = rank("seed", request.id) >> 63 - _SEED_BITS
    if region is not None:
        parameters[REGIONS] = [region]
    given = {name: value for name, value in parameters.items() if value is not None}
    return given | dict(sampling.extra_body)


def formed(parameters: Mapping[str, Any], request: Request, form: Form) -> dict[str, Any]:
    """Return the parameters of a request in the form in which a server takes them."""
    limited = dict(parameters) | {form.limit_name: request.max_tokens}
    if request.yes_no and form.takes_logprobs:
        limited |= LOGPROBS
    if request.answer_schema is None or not form.takes_schema:
        return limited
    schema = {"name": "region", "schema": request.answer_schema}
    return limited | {SCHEMA: {"type": "json_schema", "json_schema": schema}}


def parse_extra_body(text: str, flag: str = "--extra-body") -> dict[str, Any]:
    """Return the parameters in the text of `--extra-body`, or of a flag like it.

    >>> parse_extra_body('{"top_k": 20}')
    {'top_k': 20}

    Raises:
        UsageError: it is no JSON object, sets what has a flag of its own, or holds a key.
    """
    try:
        values = json_decoding.load(text, parse_constant=_refuse)
    except ValueError:
        values = None
    if not isinstance(values, dict) or not values:
        raise UsageError(f"""{flag}: expected a JSON object such as '{{"top_k": 20}}'""")
    for name in values:
        if name in _OURS:
            raise UsageError(f"{flag}: leave out {name!r}: {_OURS[name]}")
    if any(_SECRET.search(name) for name in _names(values)):
        raise UsageError(
            f"{flag} is written into records, and holds a key or a password. A key goes into an "
            "environment variable: --api-key-env NAME"
        )
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _names(value: Any) -> Iterator[str]:
    """Yield all names of members in a JSON value, at any depth."""
    inner = value if isinstance(value, list) else []
    if isinstance(value, dict):
        yield from value
        inner = list(value.values())
    for each in inner:
        yield from _names(each)
