"""The complaint of a server: its own first words, however it wraps them.

Servers report errors in these bodies, with an error status or with status 200:

    {"error": {"message": "Rate limit", "type": "...", "param": null, "code": 429}}
    [{"error": {"message": "API key not valid"}}]
    {"error": "Input validation error", "error_type": "validation"}
    {"object": "error", "message": "...", "code": 400}
    {"detail": [{"loc": ["body", "top_p"], "msg": "Input should be less than 1"}]}
    <html><head><title>502 Bad Gateway</title></head>...

A page in HTML is mostly no word of the server, but of a proxy in front of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from http import HTTPStatus
from typing import Any

from pipelines.recap.client.circuit_breaker import retry_after_seconds
from schemas import json_decoding
from schemas.rejection import Rejected
from schemas.text import clean

_MAX_CHARACTERS = 300
_PROXIES = re.compile(
    r"nginx|openresty|cloudflare|envoy|haproxy|squid|varnish|caddy|traefik|awselb|cloudfront"
    r"|apache|gws|akamai|tinyproxy",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(?:style|script)\b.*?</(?:style|script)>|<[^<>]*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What a server, or a proxy in front of it, says of a call that it does not answer."""

    status: int | None  # of HTTP, or inside an answer of status 200; None: none was given
    message: str  # its own words, on one line, disarmed
    code: str = ""  # e.g. "insufficient_quota"; code and type, with a blank between
    param: str = ""  # the parameter that it names, e.g. "top_p"
    is_page: bool = False  # whether it is a page for browsers
    proxy: str = ""  # the proxy that seems to speak, e.g. "nginx"; empty: none is known
    location: str = ""  # where a redirect leads
    retry_after: float | None = None  # seconds after which it may be asked again

    def __str__(self) -> str:
        """Return status and words: "status 404: no such model"."""
        return f"status {self.status}: {self.message}" if self.status else self.message

    @property
    def text(self) -> str:
        """The words and codes, to search them."""
        return f"{self.message} {self.code}"


def read_complaint(status: int, body: bytes, headers: Mapping[str, str]) -> Complaint:
    """Return what the body and headers of a response with an error status say."""
    text = body.decode("utf-8", "replace").strip()
    wait = retry_after_seconds(headers)
    if text.startswith("<"):
        named = f"{headers.get('server', '')} {headers.get('via', '')} {text[:4096]}"
        proxy = _PROXIES.search(named)
        return Complaint(
            status=status,
            message=one_line(page_title(text)) or _phrase(status),
            is_page=True,
            proxy=proxy[0] if proxy else "",
            retry_after=wait,
        )
    try:
        value = json_decoding.load(text)
    except ValueError:
        value = text
    stated = complaint_in(value)
    return Complaint(
        status=status,
        message=stated.message or _phrase(status),
        code=stated.code,
        param=stated.param,
        location=one_line(headers.get("location", "")),
        retry_after=wait,
    )


def complaint_in(value: Any) -> Complaint:
    """Return the complaint in a value of JSON, with the status that it states itself.

    >>> complaint_in({"error": {"message": "Overloaded", "code": 502}}).status
    502
    """
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return Complaint(status=None, message=one_line("" if value is None else _words(value)))
    inner = value.get("error")
    error = inner if isinstance(inner, dict) else value
    names = ("message", "detail", "msg", "error")
    message = next((error[name] for name in names if error.get(name)), "")
    param = error.get("param")
    if isinstance(message, list) and message and isinstance(message[0], dict):
        where = message[0].get("loc") or [""]
        param, message = where[-1], f"{where[-1]}: {message[0].get('msg', '')}"
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    codes = [error.get(key) for key in ("code", "type", "status", "error_type")]
    return Complaint(
        status=next((code for code in map(_status, codes) if code), None),
        message=one_line(_words(message or error or "") + (f": {_words(raw)}" if raw else "")),
        code=" ".join(str(code) for code in codes if isinstance(code, str)),
        param=param if isinstance(param, str) else "",
    )


def page_title(page: str) -> str:
    """Return the title of a page in HTML, or its first words."""
    if title := _TITLE.search(page):
        return unescape(title[1]).strip()
    return unescape(_TAG.sub(" ", page[: 16 * _MAX_CHARACTERS])).strip()


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json_decoding.dump(value)


def _status(code: Any) -> int | None:
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code[:4])
    known = isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600
    return code if known else None


def one_line(text: str) -> str:
    """Return a server's words on one line, cut to a length and harmless to a terminal."""
    try:
        return clean(text[:_MAX_CHARACTERS])
    except Rejected:
        return ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no words"
