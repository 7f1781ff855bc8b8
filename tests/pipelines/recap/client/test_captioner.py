"""The client against a server that answers: its requests, and the answers to them."""

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.client.endpoints import Servers, check_endpoint, preference
from schemas.errors import BuildError, UsageError
from schemas.rejection import Reason, Rejected

KEY = "sk-secret-0123456789"


def test_answers_come_back(serve, ask_all, make_requests) -> None:
    server, requests = serve(), make_requests(20)
    first = ask_all(requests, server)
    assert all(isinstance(answer, Answer) and answer.finish == "stop" for answer in first)
    assert len({answer.text for answer in first}) > 15
    assert server.answered() == {request.id: 1 for request in requests}
    assert ask_all(requests, server) == first


def test_tokens_are_those_reported(serve, ask_all, make_requests) -> None:
    (answer,) = ask_all(make_requests(1), serve())
    assert answer.prompt_tokens == 256 + 3
    assert answer.completion_tokens == len(answer.text.split())
    (silent,) = ask_all(make_requests(1), serve(usage=False))
    assert silent == Answer(answer.text)


@pytest.mark.parametrize(
    ("kind", "text", "finish"), [("length", None, "length"), ("empty", "", "stop")]
)
def test_cut_and_empty_answers_are_answers(
    serve, ask_all, make_requests, kind, text, finish
) -> None:
    (answer,) = ask_all(make_requests(1), serve({"answer": kind}))
    assert answer.finish == finish
    assert text is None or answer.text == text


def test_ids_may_hold_anything(serve, ask_all, make_requests) -> None:
    (request,) = make_requests(1)
    names = ["a b/猫.jpg/0", "naïve\r\nX-Other: 1", "100%/[1]"]
    server = serve()
    outcomes = ask_all([replace(request, id=name) for name in names], server)
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    assert server.answered() == dict.fromkeys(names, 1)


def test_seeds_come_from_the_request(serve, ask_all, make_requests) -> None:
    server, requests = serve(), make_requests(3)
    ask_all(requests, server)
    assert {line["seed"] for line in server.log()} == {None}
    for _ in range(2):
        ask_all(requests, server, captioning={"seed_requests": True})
    seeds = [(line["id"], line["seed"]) for line in server.log()[3:]]
    assert len(seeds) == 6
    assert len(set(seeds)) == len({seed for _, seed in seeds}) == 3
    assert all(0 <= seed < 2**31 for _, seed in seeds)


def test_no_more_calls_are_in_flight_than_allowed(serve, ask_all, make_requests) -> None:
    server = serve(delay=0.02)
    ask_all(make_requests(40), server, concurrency=7)
    assert max(line["in_flight"] for line in server.log()) == 7


def test_the_limit_holds_over_all_endpoints(serve, ask_all, make_requests) -> None:
    servers = [serve(delay=0.02), serve(delay=0.02)]
    ask_all(make_requests(40), *servers, concurrency=5)
    lines = [line for server in servers for line in server.log()]
    marks = [(line["began"], 1) for line in lines] + [(line["ended"], -1) for line in lines]
    height = peak = 0
    for _, step in sorted(marks):
        height += step
        peak = max(peak, height)
    assert 1 < peak <= 5


def test_an_image_stays_with_one_endpoint(serve, ask_all, make_requests) -> None:
    servers, requests = [serve(), serve(), serve()], make_requests(30)
    ask_all([*requests, *requests], *servers)
    seen = [set(server.answered()) for server in servers]
    assert all(seen)
    assert sum(map(len, seen)) == 30


def test_an_endpoint_that_is_missing_leaves_the_others_images_alone() -> None:
    urls = ["http://a:1/v1", "http://b:1/v1", "http://c:1/v1"]
    first = [urls[preference(urls, key)[0]] for key in range(3000)]
    assert all(800 < first.count(url) < 1200 for url in urls)
    backwards = [urls[::-1][preference(urls[::-1], key)[0]] for key in range(3000)]
    assert backwards == first
    two = [urls[preference(urls[:2], key)[0]] for key in range(3000)]
    assert all(a == b for a, b in zip(first, two, strict=True) if a != urls[2])


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000/v1",
        "ftp://host/v1",
        "http:///v1",
        "http://host:99999/v1",
        f"http://user:{KEY}@host/v1",
        f"http://{KEY}@host/v1",
        f"https://host/v1?key={KEY}",
        f"https://host/v1?api-version=1&key={KEY}",
        f"https://host/v1?api-version={KEY}/",
        f"https://host/v1#{KEY}",
        f"user:{KEY}@host:8000",
        "",
    ],
)
def test_urls_are_checked_and_never_repeated(url) -> None:
    with pytest.raises(UsageError, match="--endpoint") as caught:
        check_endpoint(url)
    assert KEY not in str(caught.value)
    with pytest.raises((UsageError, ValidationError)) as refused:
        Servers(endpoints=(url,))
    assert KEY not in str(refused.value)


def test_good_urls_lose_no_more_than_a_slash() -> None:
    assert check_endpoint("http://h/v1/chat/completions/") == "http://h/v1"
    assert (
        check_endpoint("https://h/d/?api-version=2024-10-21")
        == "https://h/d?api-version=2024-10-21"
    )
    servers = Servers(endpoints=("http://gpu:8000/v1/", "https://[::1]:8000/a/v1"))
    assert servers.endpoints == ("http://gpu:8000/v1", "https://[::1]:8000/a/v1")
    with pytest.raises(UsageError, match="twice"):
        Servers(endpoints=("http://gpu:8000/v1/", "http://gpu:8000/v1"))
    with pytest.raises(UsageError, match="--endpoint"):
        Servers(endpoints=())


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_concerns_all_requests_ends_the_run(serve, ask_all, make_requests, status) -> None:
    outcomes = ask_all(make_requests(3), serve({"status": status}))
    assert {type(outcome) for outcome in outcomes} == {BuildError}
    hint = "OPENAI_API_KEY" if status != 404 else "--model"
    assert hint in str(outcomes[0])


def test_the_key_is_sent_and_shown_nowhere(
    serve, ask_all, make_requests, monkeypatch, caplog, capfd
) -> None:
    server = serve(
        {"match": "r1/", "status": 400},
        {"match": "r2/", "attempts": [0], "status": 500},
        api_key=KEY,
    )
    notices: list[str] = []
    caplog.set_level(logging.DEBUG)
    fields: dict[str, Any] = {"api_key_env": "MY_KEY", "say": notices.append, "retries": 1}
    monkeypatch.setenv("MY_KEY", KEY)
    outcomes = ask_all(make_requests(4), server, **fields)
    assert [type(each) for each in outcomes] == [Answer, Rejected, Answer, Answer]
    monkeypatch.setenv("MY_KEY", f"{KEY}-wrong")
    wrong = ask_all(make_requests(2), server, **fields)
    assert {type(each) for each in wrong} == {BuildError}
    assert "MY_KEY" in str(wrong[0])
    assert "[key]" in str(wrong[0]), "the server repeats the key, and we do not"
    shown = [caplog.text, *capfd.readouterr(), *notices, *map(repr, [*outcomes, *wrong])]
    shown += [repr(record.args) for record in caplog.records]
    shown += [repr(each.__cause__) for each in wrong]
    assert not any(KEY in text for text in shown)


def test_a_key_that_cannot_be_sent_is_refused_unseen(make_captioner, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nmore")
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as caught:
        make_captioner("http://127.0.0.1:9/v1")
    assert KEY not in str(caught.value)


def test_a_request_that_is_refused_is_not_asked_again(serve, ask_all, make_requests) -> None:
    server, requests = serve({"match": "r3/", "status": 400}), make_requests(8)
    outcomes = ask_all(requests, server)
    refused = outcomes.pop(3)
    assert isinstance(refused, Rejected)
    assert refused.reason == Reason.CAPTION_FAILED
    assert "400" in refused.detail
    assert "as the script says" in refused.detail
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    assert server.statuses(requests[3].id) == [400]


def test_a_server_that_refuses_everything_ends_the_run(serve, ask_all, make_requests) -> None:
    outcomes = ask_all(make_requests(40), serve({"status": 422}), concurrency=4)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds[:19] == [Rejected] * 19
    assert kinds[19] is BuildError
    assert "--model" in str(outcomes[19])


def test_refusals_among_answers_do_not(serve, ask_all, make_requests) -> None:
    outcomes = ask_all(make_requests(60), serve({"match": "[13579]/image", "status": 422}))
    assert [type(each) for each in outcomes] == [Answer, Rejected] * 30


def test_a_call_that_is_cancelled_leaves_its_place(serve, make_captioner, make_requests) -> None:
    server, requests = serve({"match": "slow", "delay": 30.0}), make_requests(3)

    async def run() -> Any:
        captioner = make_captioner(server, concurrency=1)
        slow = [asyncio.create_task(captioner.ask(each)) for each in make_requests(2, "slow")]
        await asyncio.sleep(0.1)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        try:
            return await captioner.ask(requests[0])
        finally:
            await captioner.close()

    began = time.monotonic()
    assert isinstance(asyncio.run(run()), Answer)
    assert time.monotonic() - began < 10
