"""Servers as people have them: each is understood, or told in its own first words, and soon.

Each behaviour is one that is reported of servers of the protocol or of what stands before them.
`ANSWERED` lists those that are understood; `STOPPED` those that end the run before its first
question, with what the message must say; `FAILING` those that may recover.

Length: tables of behaviours, which share their replies.
"""

import json
import threading
import time
from typing import Any

import pytest

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.client.connection import client_of, proxy_of
from pipelines.recap.client.endpoints import check_endpoint
from schemas.errors import BuildError
from schemas.rejection import Reason, Rejected
from transforms.caption_checks import accept_caption

SAID = "A drawn shape with clear edges lies on a plain, light background next to a second one."
HTML = {"Content-Type": "text/html"}
EVENTS = {"Content-Type": "text/event-stream"}


def error(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", **fields}}


def page(title: str) -> bytes:
    return f"<html><head><title>{title}</title></head><body>nginx</body></html>".encode()


def no_max_tokens(sent, reply):
    if "max_tokens" in sent.body:
        text = "Unsupported parameter: 'max_tokens' is not supported with this model. "
        text += "Use 'max_completion_tokens' instead."
        return reply(400, error(text, param="max_tokens", code="unsupported_parameter"))


def one_of_temperature_and_top_p(sent, reply):
    if {"temperature", "top_p"} <= sent.body.keys():
        text = "`temperature` and `top_p` cannot both be specified for this model."
        return reply(400, error(f"{text} Please use only one."))


def top_p_below_1(sent, reply):
    top_p = sent.body.get("top_p")
    if top_p is not None and not 0 < top_p < 1:
        text = "Input validation error: `top_p` must be > 0.0 and < 1.0"
        return reply(422, {"error": text, "error_type": "validation"})


def no_stream(sent, reply):
    if sent.body.get("stream") is not False:
        return reply(200, b"data: {}\n\n", EVENTS)


def no_usage(sent, reply):
    sent.usage = None


def no_tokens_of_cached_prompts(sent, reply):
    sent.usage["prompt_tokens"] *= sent.first


def tokens_of_text_alone(sent, reply):
    sent.usage["prompt_tokens"] = len(sent.prompt.split())


def one_token_a_picture(sent, reply):
    sent.usage["prompt_tokens"] = len(sent.prompt.split()) + sent.has_picture


def tokens_as_fractions(sent, reply):
    sent.usage = {name: float(number) for name, number in sent.usage.items()}


def tokens_as_text(sent, reply):
    sent.usage = {name: str(number) for name, number in sent.usage.items()}


def tokens_as_nonsense(sent, reply):
    sent.usage = {"prompt_tokens": "many", "completion_tokens": True}


def content_in_parts(sent, reply):
    thoughts = {"type": "thinking", "thinking": [{"type": "text", "text": "Let me look."}]}
    sent.message["content"] = [thoughts, {"type": "text", "text": sent.said}]


def thoughts_beside_the_content(sent, reply):
    sent.message["reasoning_content"] = "The user asks."


def fields_beside(sent, reply):
    return sent.completion(service_tier=None, system_fingerprint="fp", timings={"a": 1})


def eos_token(sent, reply):
    sent.finish = "eos_token"


def a_finish_of_no_reason(sent, reply):
    sent.finish = None


def a_finish_that_is_an_object(sent, reply):
    sent.finish = {"type": "stop"}


def a_stream(sent, reply):
    first, *others = sent.said.split(" ")
    words = [first, *(f" {word}" for word in others)]
    parts = [{"delta": {"content": word}, "finish_reason": None} for word in words]
    events = [f"data: {json.dumps({'choices': [part]})}\r\n\r\n" for part in parts]
    return reply(200, "".join([": hello\n\n", *events, "data: [DONE]\n\n"]).encode(), EVENTS)


def an_end_of_a_stream(sent, reply):
    return reply(200, json.dumps(sent.completion()).encode() + b"\n\ndata: [DONE]\n\n", EVENTS)


def leaked_tokens(sent, reply):
    sent.message["content"] = f" {sent.said}<|im_end|>"


def a_byte_order_mark(sent, reply):
    return reply(200, b"\xef\xbb\xbf" + json.dumps(sent.completion()).encode())


ANSWERED = {
    "no_max_tokens": no_max_tokens,
    "one_of_temperature_and_top_p": one_of_temperature_and_top_p,
    "top_p_below_1": top_p_below_1,
    "no_stream": no_stream,
    "no_usage": no_usage,
    "no_tokens_of_cached_prompts": no_tokens_of_cached_prompts,
    "tokens_of_text_alone": tokens_of_text_alone,
    "one_token_a_picture": one_token_a_picture,
    "tokens_as_fractions": tokens_as_fractions,
    "tokens_as_text": tokens_as_text,
    "tokens_as_nonsense": tokens_as_nonsense,
    "content_in_parts": content_in_parts,
    "thoughts_beside_the_content": thoughts_beside_the_content,
    "fields_beside": fields_beside,
    "eos_token": eos_token,
    "a_finish_of_no_reason": a_finish_of_no_reason,
    "a_finish_that_is_an_object": a_finish_that_is_an_object,
    "a_stream": a_stream,
    "an_end_of_a_stream": an_end_of_a_stream,
    "leaked_tokens": leaked_tokens,
    "a_byte_order_mark": a_byte_order_mark,
}


@pytest.mark.parametrize("behaviour", ANSWERED.values(), ids=ANSWERED)
def test_it_is_understood(seeing, reply, check_and_ask, behaviour) -> None:
    server = seeing(lambda sent: behaviour(sent, reply))
    for outcome in check_and_ask(server.url):
        assert isinstance(outcome, Answer), outcome
        assert accept_caption(outcome.text, outcome.finish) == SAID


def test_tokens_are_read_in_any_form(seeing, reply, check_and_ask) -> None:
    for behaviour in (tokens_as_fractions, tokens_as_text):
        first, _ = check_and_ask(seeing(lambda sent, do=behaviour: do(sent, reply)).url)
        assert (first.prompt_tokens, first.completion_tokens) == (256 + 3, 3)
    first, _ = check_and_ask(seeing(lambda sent: tokens_as_nonsense(sent, reply)).url)
    assert (first.prompt_tokens, first.completion_tokens) == (None, None)


def test_an_answer_that_ended_by_itself_needs_no_full_stop(seeing, reply, check_and_ask) -> None:
    def unstopped(sent):
        sent.message["content"], sent.finish = sent.said.rstrip("."), "eos_token"

    for outcome in check_and_ask(seeing(unstopped).url):
        assert accept_caption(outcome.text, outcome.finish) == SAID.rstrip(".")


MMPROJ = "image input is not supported - hint: if this is unexpected, you may need the mmproj"
QUOTA = "You exceeded your current quota, please check your plan and billing details."
# A status, a body, and what the message must hold; all but the first two have headers.
STOPPED: dict[str, tuple[int, Any, list[str]]] = {
    "vision_is_off": (500, error(MMPROJ), ["takes no pictures", "500", "mmproj"]),
    "no_vision": (400, error("This model does not support image input"), ["takes no pictures"]),
    "nothing_there_of_status_200": (
        200,
        {"error": "Unexpected endpoint or method. (POST /chat/completions)"},
        ["Unexpected endpoint", "/v1"],
    ),
    "a_limit_of_the_day_in_status_200": (
        200,
        {"choices": None, **error("Rate limit exceeded: free-models-per-day", code=429)},
        ["free-models-per-day", "quota"],
    ),
    "no_credits": (402, error("Insufficient credits. Add more."), ["Insufficient credits"]),
    "no_quota": (429, error(QUOTA, code="insufficient_quota"), ["your current quota"]),
    "a_wrong_key": (401, error("Incorrect API key provided"), ["OPENAI_API_KEY", "Incorrect"]),
    "a_wrong_key_in_a_list": (
        400,
        [error("API key not valid. Please pass a valid API key.")],
        ["OPENAI_API_KEY", "not valid"],
    ),
    "no_such_model": (
        404,
        error('model "stub" not found, try pulling it first'),
        ["try pulling it first", "--model"],
    ),
    "a_page_of_status_404": (404, page("404 Not Found"), ["404 Not Found", "nginx", "/v1"]),
    "a_page_of_status_200": (200, page("Open Chat"), ["Open Chat", "browsers"]),
    "no_json": (200, b"OK \x1b[31m", ["no JSON", "'OK [31m'"]),
    "a_parameter": (
        400,
        error("Unsupported value: 'temperature' does not support 0.5", param="temperature"),
        ["it refuses what is sent as temperature", "does not support 0.5"],
    ),
    "a_parameter_of_a_list": (
        422,
        {"detail": [{"loc": ["body", "temperature"], "msg": "Input should be less than 0.4"}]},
        ["temperature: Input should be less than 0.4"],
    ),
    "too_many_tokens": (
        400,
        error("max_tokens is too large: 512. This model's maximum context length is 500 tokens"),
        ["refuses what the run would send", "context length is 500"],
    ),
}


@pytest.mark.parametrize("case", STOPPED.values(), ids=STOPPED)
def test_it_stops_the_run_soon(seeing, reply, check_and_ask, case) -> None:
    status, body, words = case
    server = seeing(lambda sent: reply(status, body))
    began = time.monotonic()
    (outcome,) = check_and_ask(server.url, captioning={"temperature": 0.5}, patience=60.0)
    assert isinstance(outcome, BuildError)
    for word in (server.url, *words):
        assert word in str(outcome)
    assert time.monotonic() - began < 20
    assert len(server.sent) < 12
    assert ("pictures" in str(outcome)) == ("pictures" in " ".join(words))
    assert "\x1b" not in str(outcome)
    assert "<html" not in str(outcome)


def test_encryption_where_there_is_none_is_told_at_once(seeing, reply, check_and_ask) -> None:
    server = seeing(lambda sent: None)
    (outcome,) = check_and_ask(server.url.replace("http:", "https:"), patience=60.0)
    assert isinstance(outcome, BuildError)
    assert "http:// in place of https://" in str(outcome)


def test_a_missing_v1_is_named(seeing, reply, check_and_ask) -> None:
    text = "Unexpected endpoint or method. (POST /chat/completions)"
    server = seeing(lambda sent: None if sent.path.startswith("/v1/") else {"error": text})
    (outcome,) = check_and_ask(server.root)
    assert f"Try --endpoint {server.root}/v1" in str(outcome)


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("http://127.0.0.1/v1/other", "http://127.0.0.1/v1/other"),
        (
            "https://user:pass@a.invalid/v1/chat/completions?key=1",
            "--endpoint https://a.invalid/v1",
        ),
        ("/v2/chat/completions", "/v2/chat/completions"),
    ],
)
def test_a_redirect_says_where_to(seeing, reply, check_and_ask, location, named) -> None:
    server = seeing(lambda sent: reply(307, b"", {"Location": location}))
    (outcome,) = check_and_ask(server.url)
    assert isinstance(outcome, BuildError)
    assert "status 307" in str(outcome)
    assert named in str(outcome)
    assert "pass" not in str(outcome)
    assert "key=1" not in str(outcome)
    assert len(server.sent) == 1


FAILING: dict[str, tuple[int, Any, str]] = {
    "overloaded_within_a_choice": (
        200,
        {
            "choices": [
                {
                    "finish_reason": "error",
                    "error": {"message": "Upstream overloaded", "code": 502},
                    "message": {"role": "assistant", "content": ""},
                }
            ]
        },
        "status 502: Upstream overloaded",
    ),
    "a_page_of_status_502": (502, page("502 Bad Gateway"), "502 Bad Gateway (from nginx, a proxy"),
    "loading": (503, error("Loading model"), "Loading model"),
    "too_many_calls": (429, error("Slow down"), "Slow down"),
    "a_quota_of_a_minute": (429, error(f"{QUOTA} Please retry in 0.4s."), "Please retry in 0.4s"),
}


@pytest.mark.parametrize("case", FAILING.values(), ids=FAILING)
def test_what_may_pass_is_told_and_waited_for(seeing, reply, check_and_ask, case) -> None:
    status, body, words = case
    server: Any = seeing(lambda sent: reply(status, body) if len(server.sent) < 6 else None)
    notices: list[str] = []
    outcomes = check_and_ask(server.url, say=notices.append, patience=30.0)
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    assert any(words in line for line in notices), notices


def test_a_filter_of_content_has_a_reason_of_its_own(seeing, reply, check_and_ask) -> None:
    text = "The response was filtered due to the prompt triggering the content management policy."

    def by_status(sent):
        return None if sent.asks_colour else reply(400, error(text, code="content_filter"))

    def by_finish(sent):
        if not sent.asks_colour:
            sent.message["content"], sent.finish = None, "content_filter"

    for behaviour in (by_status, by_finish):
        for outcome in check_and_ask(seeing(behaviour).url):
            assert isinstance(outcome, Rejected)
            assert outcome.reason == Reason.CAPTION_FILTERED


def test_what_one_question_is_refused_for_stops_no_run(seeing, reply, check_and_ask) -> None:
    def long_prompts(sent):
        text = "This model's maximum context length is 2048 tokens."
        return None if sent.asks_colour else reply(400, error(text))

    def large_pictures(sent):
        return reply(413, page("413 Request Entity Too Large")) if sent.size > 40_000 else None

    for outcome in check_and_ask(seeing(long_prompts).url):
        assert isinstance(outcome, Rejected)
        assert outcome.reason == Reason.CAPTION_FAILED
        assert "maximum context length is 2048" in outcome.detail
    for outcome in check_and_ask(seeing(large_pictures).url):
        assert isinstance(outcome, Answer), "the noise of the check alone is that large"


def test_thoughts_without_an_answer_are_named(seeing, reply, check_and_ask) -> None:
    def thinking(sent):
        sent.message |= {"content": "", "reasoning": "The user asks for " * 20}
        sent.finish = "length"

    (outcome,) = check_and_ask(seeing(thinking).url)
    assert isinstance(outcome, BuildError)
    assert "thinks without coming to an answer within the limit of 512 tokens" in str(outcome)
    assert "--extra-body" in str(outcome)


def test_a_server_of_one_call_at_a_time_is_given_time(seeing, reply, check_and_ask) -> None:
    next_turn, turns = threading.Condition(), {"given": 0, "now": 0}

    def serial(sent):
        with next_turn:
            turn = turns["given"]
            turns["given"] += 1
            next_turn.wait_for(lambda: turns["now"] == turn)
            time.sleep(0.2)
            turns["now"] += 1
            next_turn.notify_all()

    server = seeing(serial)
    outcomes = check_and_ask(server.url, 40, concurrency=40, time_limit=4.0, patience=60.0)
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    # A busy machine may delay an answer beyond the limit; without the wait, half would be late.
    assert 10 + 40 <= len(server.sent) <= 10 + 40 + 5, "hardly any was sent twice"


def test_the_check_sends_what_the_run_sends(seeing, reply, check_and_ask) -> None:
    server = seeing(lambda sent: None)
    given = {"temperature": 0.3, "region_tokens": 700, "extra_body": {"top_k": 20}}
    check_and_ask(server.url, captioning=given)
    sent = [{**each.body, "messages": None} for each in server.sent]
    shared = {"model": "stub", "stream": False, "temperature": 0.3, "top_k": 20, "messages": None}
    assert sent[:10] == [{**shared, "max_tokens": 700}] * 10
    assert sent[10:] == [{**shared, "max_tokens": 64}] * 2
    server.sent.clear()
    check_and_ask(server.url)
    assert {name for each in server.sent for name in each.body} == {
        *("model", "messages", "stream", "max_tokens")
    }


@pytest.mark.parametrize(
    "path",
    [
        "/openai/deployments/gpt-4o",
        "/openai/deployments/gpt-4o/chat/completions",
        "/gateway/v1/",
    ],
)
def test_the_paths_of_azure_are_taken(seeing, reply, check_and_ask, monkeypatch, path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "0123456789abcdef")
    server = seeing(lambda sent: None)
    outcomes = check_and_ask(f"{server.root}{path}?api-version=2024-10-21")
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    where = path.removesuffix("/").removesuffix("/chat/completions")
    assert {sent.path for sent in server.sent} == {
        f"{where}/chat/completions?api-version=2024-10-21"
    }
    assert {sent.headers.get("api-key") for sent in server.sent} == {"0123456789abcdef"}


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://n.openai.azure.com?api-version=1", "/openai/deployments/gpt%204o/"),
        ("https://n.openai.azure.com/openai?api-version=1", "/openai/deployments/gpt%204o/"),
        ("https://n.openai.azure.com/openai/deployments/d?api-version=1", "/openai/deployments/d/"),
        ("https://n.openai.azure.com/openai/v1", "/openai/v1/"),
        ("https://n.services.ai.azure.com/models?api-version=1", "/models/"),
    ],
)
def test_a_deployment_that_is_not_in_the_url_is_the_model(url, base) -> None:
    client = client_of(check_endpoint(url), "gpt 4o", api_key="k")
    assert client.base_url.raw_path.decode() == base


def test_a_proxy_of_the_environment_is_named(seeing, reply, check_and_ask, monkeypatch) -> None:
    proxy = seeing(lambda sent: reply(503, page("503 no route to host"), {"Server": "squid/6"}))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.root)
    notices: list[str] = []
    (outcome,) = check_and_ask("http://gpu.invalid:8000/v1", say=notices.append)
    assert isinstance(outcome, BuildError)
    for text in (str(outcome), " ".join(notices)):
        assert "squid" in text
        assert "through the proxy 127.0.0.1 of the environment" in text
        assert "NO_PROXY" in text
    monkeypatch.setenv("http_proxy", "http://me:secret@proxy.invalid:3128")
    assert "proxy.invalid" in proxy_of("http://gpu.invalid:8000/v1")
    assert "secret" not in proxy_of("http://gpu.invalid:8000/v1")
