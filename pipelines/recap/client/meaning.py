"""What a server's complaint means: for this request, for later ones, or for all.

- `Rejected`: it refuses this request; others may be answered.
- `OverloadedError`, `TransientError`: the request can be sent again.
- `OtherLimitError`: the limit of tokens has another name at this server; send it again.
- `NoSchemaError`: the server decodes no answers by a schema; send it again without one.
- `NoLogprobsError`: the server tells no log-probabilities; send it again without.
- `BuildError`: all requests would be refused; the message has the server's words and the remedy.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipelines.recap.client.complaint import Complaint
from pipelines.recap.client.endpoints import CHAT_PATH
from pipelines.recap.client.parameters import LATER_LIMIT, LIMIT, LOGPROBS, SCHEMA
from schemas.errors import BuildError
from schemas.rejection import Reason, Rejected

_REFUSALS = {400, 413, 415, 422}  # statuses that refuse the content of a request
_FAILURES = {408, 409, 425}  # statuses of failures, besides 5xx
_OVERLOADED = 429
_TOO_LARGE = 413

_FILTER = re.compile(
    r"content[_ ](?:filter|management policy|policy)|responsibleaipolicy|data_?inspection_?failed"
    r"|safety system|flagged|moderation",
    re.IGNORECASE,
)
_NO_MONEY = re.compile(
    r"insufficient[_ ](?:quota|credits?|balance|funds)|exceeded your current quota|billing"
    r"|credit balance|per[- ]day|daily limit|out of credits",
    re.IGNORECASE,
)
_SOON = re.compile(r"retry in|retrydelay|per[- _]?minute|per[- _]?second", re.IGNORECASE)
_WRONG_KEY = re.compile(
    r"(?:invalid|incorrect|expired|wrong|missing)[_ ]api[_ ]?key"
    r"|api[_ ]?key (?:is )?(?:not valid|invalid|expired)|api_key_invalid",
    re.IGNORECASE,
)
_SIGHT = r"(?:images?|vision|visual|multi-?modal(?:ity)?|image_url)"
_NO_SIGHT = re.compile(
    rf"mmproj|{_SIGHT}(?: (?:inputs?|content|data|requests?|understanding))?(?: is| are)? "
    r"(?:not|only) (?:supported|available|enabled)"
    rf"|(?:not|n't) (?:support|accept|allow|have)[\w ]{{0,12}} {_SIGHT}(?! (?:format|size|type))"
    r"|not a (?:multi-?modal|vision)|no endpoints found that support image|at most 0 image"
    r"|unknown variant .?image_url",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context|too (?:long|large|many|big)|input length|exceeds?\b"
    r"|maximum (?:input|prompt|sequence)",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model\b.{0,80}\b(?:not (?:found|exist)|n't exist|does not exist|unknown)"
    r"|(?:unknown|invalid|no such) model|model_not_found",
    re.IGNORECASE | re.DOTALL,
)
_NO_SCHEMA = re.compile(
    r"response_format|json_?schema|guided|structured[_ ]outputs?|grammar", re.IGNORECASE
)
_NO_LOGPROBS = re.compile(r"log[_ -]?prob", re.IGNORECASE)
_NO_PATH = re.compile(r"unexpected endpoint|no route|unknown (?:path|url|endpoint)", re.IGNORECASE)


class OverloadedError(Exception):
    """The server is overloaded, and asks for fewer calls (status 429)."""

    def __init__(self, detail: str, retry_after: float | None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after  # seconds


class TransientError(Exception):
    """A call failed for a reason that may pass; the request can be sent again."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after  # seconds


class UnreachableError(TransientError):
    """No connection to a server can be opened: nothing listens there, or its host is unknown."""


class MalformedAnswerError(TransientError):
    """A call was answered, but not in OpenAI's format."""


class OtherFormError(Exception):
    """The server takes the request in another form."""


class OtherLimitError(OtherFormError):
    """The server knows the limit of tokens by its later name."""


class NoSchemaError(OtherFormError):
    """The server decodes no answers by a schema."""


class NoLogprobsError(OtherFormError):
    """The server tells no log-probabilities of tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is known of a call that was not answered."""

    url: str  # the base URL of the server
    key_variable: str  # the environment variable of the key
    parameters: Collection[str]  # the names of all that was sent, besides messages
    pictures: bool  # whether it had any
    size: int  # of its body, bytes
    proxy: str = ""  # ", that of HTTP_PROXY: host:3128", where calls go through one


def meaning(complaint: Complaint, call: Call) -> Exception:
    """Return the exception that a complaint about a call stands for."""
    status, text, detail = complaint.status or 0, complaint.text, _named(complaint, call)
    wait = complaint.retry_after
    if 300 <= status < 400:
        return _stop(call, f"{detail}{_leads_to(complaint.location)}")
    if status != _OVERLOADED and status < 500 and _FILTER.search(text):
        return Rejected(Reason.CAPTION_FILTERED, detail)
    if status < 500 and status != _OVERLOADED and _refuses_logprobs(complaint, call):
        return NoLogprobsError()
    if remedy := _no_account(complaint, call):
        return _stop(call, f"{detail} ({remedy})")
    if call.pictures and _NO_SIGHT.search(text):
        return _stop(
            call, f"takes no pictures: {detail}. Serve a vision-language model", colon=False
        )
    if status in {404, 405, 410} or (status < 500 and _NO_PATH.search(text)):
        return _stop(call, f"{detail} ({_where(complaint, call)})")
    if status == _OVERLOADED:
        return OverloadedError(detail, wait)
    if status in _REFUSALS:
        return _refusal(complaint, call, detail)
    if status >= 500 or status in _FAILURES or not status:
        return TransientError(detail, wait)
    return _stop(call, f"{detail} (the server refuses every call like this one)")


def _refusal(complaint: Complaint, call: Call, detail: str) -> Exception:
    """Return what a refusal of a request's content means: of this request, or of all."""
    text = complaint.text
    if LIMIT in call.parameters and not _TOO_LONG.search(text):
        unsupported = complaint.param == LIMIT and "unsupported" in text.lower()
        if unsupported or LATER_LIMIT in text:
            return OtherLimitError()
    if SCHEMA in call.parameters and (complaint.param == SCHEMA or _NO_SCHEMA.search(text)):
        return NoSchemaError()
    if complaint.status == _TOO_LARGE:
        return Rejected(Reason.CAPTION_FAILED, f"{detail} (a call of {call.size:,} bytes)")
    if _TOO_LONG.search(text):
        return Rejected(Reason.CAPTION_FAILED, detail)
    if complaint.param == "model" or _NO_MODEL.search(text):
        return _stop(call, f"{detail} (--model names it)")
    if names := _named_parameters(complaint, call.parameters):
        return _stop(call, f"{detail} (it refuses what is sent as {' and '.join(names)})")
    return Rejected(Reason.CAPTION_FAILED, detail)


def _refuses_logprobs(complaint: Complaint, call: Call) -> bool:
    sent = [name for name in LOGPROBS if name in call.parameters]
    return bool(sent) and (complaint.param in sent or bool(_NO_LOGPROBS.search(complaint.text)))


def _named_parameters(complaint: Complaint, names: Collection[str]) -> list[str]:
    """Return the names of sent parameters that a complaint is about.

    A name that is a word of plain English, such as "stop", counts in quotes alone.
    """
    if complaint.param in names:
        return [complaint.param]
    words = set(re.findall(r"\w+_\w+|temperature|(?<=['\"`])\w+(?=['\"`])", complaint.message))
    return [name for name in names if name != "model" and name in words]


def _no_account(complaint: Complaint, call: Call) -> str | None:
    """Return the remedy where a key or an account is refused; None where neither is."""
    status, text = complaint.status, complaint.text
    if status == 402 or (
        status in {400, 403, _OVERLOADED}
        and complaint.retry_after is None
        and _NO_MONEY.search(text)
        and not _SOON.search(text)
    ):
        return "its quota is used up: run the same command again when there is more"
    if status == 403 and complaint.is_page:
        return "no key is at fault where a proxy or a firewall refuses"
    if status in {401, 403} or _WRONG_KEY.search(text):
        return f"the key is taken from the environment variable {call.key_variable}"
    return None


def _where(complaint: Complaint, call: Call) -> str:
    """Return the remedy where a server has nothing at a URL, or no such model."""
    if _NO_MODEL.search(complaint.text):
        return "--model names it; its own list is at " + call.url + "/models"
    path = urlsplit(call.url).path
    if not re.search(r"/v\d", path) and "/deployments" not in path:
        return f"does its URL end with /v1? Try --endpoint {call.url.partition('?')[0]}/v1"
    return "see whether the URL, which mostly ends with /v1, and --model are right"


def _leads_to(location: str) -> str:
    """Return where a redirect leads, as the endpoint to give, without what may hold a secret."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return ", to an address that is none"
    host = parts.netloc.rpartition("@")[2]
    if not host:
        return f", to {parts.path or 'nowhere'}, which is not followed"
    base = parts.path.removesuffix(CHAT_PATH)
    return (
        f": it leads to {parts.scheme}://{host}{parts.path}, which is not followed, as it would be "
        f"given the key. If that is the server, give --endpoint {parts.scheme}://{host}{base}"
    )


def _named(complaint: Complaint, call: Call) -> str:
    """Return a complaint in words, with the proxy that may have made it."""
    if complaint.proxy:
        return f"{complaint} (from {complaint.proxy}, a proxy in between{call.proxy})"
    if complaint.is_page:
        return f"{complaint} (a page for browsers, as of a proxy in between{call.proxy})"
    return str(complaint)


def _stop(call: Call, detail: str, *, colon: bool = True) -> BuildError:
    return BuildError(f"{call.url}{':' if colon else ''} {detail}")
