"""The client against a server that fails: every call ends, none is lost, none is blamed unduly."""

import asyncio
import time
from typing import Any

import pytest

from pipelines.recap.captioning.captioner import Answer
from schemas.errors import BuildError
from schemas.rejection import Rejected

FAULTS: dict[str, dict[str, Any]] = {
    "429": {"status": 429},
    "429 with a wait": {"status": 429, "retry_after": "0.05"},
    "429 with an odd wait": {"status": 429, "retry_after": "soon"},
    "500": {"status": 500},
    "503 with a wait": {"status": 503, "retry_after": "0.05"},
    "408": {"status": 408},
    "cut": {"cut": True},
    "malformed": {"answer": "malformed"},
    "no choices": {"answer": "no_choices"},
    "slow": {"delay": 5.0},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_tried_again(serve, ask_all, make_requests, fault) -> None:
    requests = make_requests(6)
    calm = ask_all(requests, serve())
    server = serve({"match": "r[24]/", "attempts": [0, 1], **fault})
    assert ask_all(requests, server, time_limit=0.5) == calm
    assert server.answered().keys() >= {request.id for request in requests}
    assert len(server.statuses(requests[2].id)) >= 2


def test_no_call_is_lost_in_a_storm(serve, ask_all, make_requests) -> None:
    quick = [fault for name, fault in FAULTS.items() if name != "slow"]
    rules = [
        {"match": f"r\\d*{digit}/", "attempts": list(range(1 + digit % 3)), **fault}
        for digit, fault in enumerate(quick)
    ]
    slow = {"match": "r1?9/", "attempts": [0], "delay": 30.0}
    requests = make_requests(120)
    calm = ask_all(requests, serve())
    server = serve(slow, *rules)
    assert ask_all(requests, server, time_limit=2.0, concurrency=24) == calm
    answered = server.answered()
    assert answered.keys() == {request.id for request in requests}
    # What is malformed, the server takes for an answer; what is not, is given once.
    once = [each.id for index, each in enumerate(requests) if index % 10 not in {7, 8}]
    assert {answered[request_id] for request_id in once} == {1}


def test_overload_makes_it_slower_and_rejects_nothing(serve, ask_all, make_requests) -> None:
    server, requests = serve(capacity=3, delay=0.02), make_requests(60)
    outcomes = ask_all(requests, server, concurrency=32)
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    assert set(server.answered().values()) == {1}
    turned_away = [line for line in server.log() if line["status"] == 429]
    assert len(turned_away) < 120, "without a limit that adapts it would be hundreds"


def test_overload_without_end_is_waited_for_and_then_ends_the_run(
    serve, ask_all, make_requests
) -> None:
    outcomes = ask_all(make_requests(8), serve({"status": 429}), patience=0.5)
    assert {type(outcome) for outcome in outcomes} == {BuildError}
    assert "429" in str(outcomes[0])
    assert "same command again" in str(outcomes[0])


@pytest.mark.parametrize("wait", ["1", 2.0], ids=["seconds", "a date"])
def test_a_server_may_ask_to_wait(serve, ask_all, make_requests, wait) -> None:
    server = serve({"match": "r0/", "attempts": [0], "status": 429, "retry_after": wait})
    outcomes = ask_all(make_requests(6), server, concurrency=1)
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    first, *others = [line["began"] for line in server.log()]
    # A date has whole seconds: one in 2 seconds may be in 1.
    assert min(others) - first >= 0.9, "nobody else is sent meanwhile"


def test_a_wait_beyond_our_patience_is_not_begun(serve, ask_all, make_requests) -> None:
    server = serve({"status": 429, "retry_after": "3600"})
    began = time.monotonic()
    outcomes = ask_all(make_requests(2), server)
    assert time.monotonic() - began < 5
    assert {type(outcome) for outcome in outcomes} == {BuildError}
    assert "asks to wait 1 h" in str(outcomes[0])


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"cut": True}, {"answer": "malformed"}, {"answer": "no_choices"}]
)
def test_what_never_succeeds_is_rejected_alone(serve, ask_all, make_requests, fault) -> None:
    # Some take so long that they are still in flight when its turn alone comes.
    server = serve({"match": "r5/", **fault}, {"match": "r[0-3]/", "delay": 0.8}, delay=0.01)
    requests = make_requests(20)
    outcomes = ask_all(requests, server, retries=2, concurrency=8)
    rejected = outcomes.pop(5)
    assert isinstance(rejected, Rejected)
    assert "5 attempts" in rejected.detail
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    attempts = [line for line in server.log() if line["id"] == requests[5].id]
    assert [line["attempt"] for line in attempts] == [0, 1, 2, 3, 4]
    assert [line["in_flight"] for line in attempts[-2:]] == [1, 1]


def test_one_that_only_fails_in_company_is_answered(serve, ask_all, make_requests) -> None:
    # A server that dies of one request takes the others with it; they must not be blamed.
    server = serve({"match": "r\\d+/", "attempts": [0, 1, 2], "cut": True})
    outcomes = ask_all(make_requests(12), server, retries=2)
    assert all(isinstance(outcome, Answer) for outcome in outcomes)


def test_a_dead_server_is_not_held_against_a_request(serve, ask_all, make_requests) -> None:
    server = serve({"match": "r0/", "attempts": [0], "refuse": 0.5})
    (outcome,) = ask_all(make_requests(1), server, retries=0)
    assert isinstance(outcome, Answer)


def test_the_last_one_left_is_rejected_too(serve, ask_all, make_requests) -> None:
    # In all it takes longer than our patience, but small calls are answered.
    server = serve({"match": "r0/", "delay": 30.0})
    (outcome,) = ask_all(make_requests(1), server, retries=1, time_limit=0.4, patience=0.75)
    assert isinstance(outcome, Rejected)
    assert "no answer within 0.4 s" in outcome.detail


def test_patience_begins_anew_with_each_answer(serve, make_captioner, make_requests) -> None:
    server = serve({"match": "r0/", "attempts": list(range(14)), "status": 429}, delay=0.05)
    starved, *others = make_requests(31)

    async def run() -> Any:
        captioner = make_captioner(server, patience=0.4)
        waiting = asyncio.create_task(captioner.ask(starved))
        for request in others:
            await captioner.ask(request)
        answer = await waiting
        await captioner.close()
        return answer

    assert isinstance(asyncio.run(run()), Answer)
    tried = [line["began"] for line in server.log() if line["id"] == starved.id]
    assert max(tried) - min(tried) > 0.45


def test_a_server_that_goes_and_comes_back_is_waited_for(serve, ask_all, make_requests) -> None:
    notices: list[str] = []
    requests = make_requests(30)
    calm = ask_all(requests, serve())
    server = serve({"match": "r7/", "attempts": [0], "refuse": 0.5}, delay=0.01)
    assert ask_all(requests, server, concurrency=8, say=notices.append) == calm
    assert server.answered().keys() == {request.id for request in requests}
    # Answers that were on their way when the server went are lost with it.
    assert max(server.answered().values()) <= 2
    assert server.answered().total() < len(requests) + 8
    assert any(server.url in line and "waiting" in line for line in notices)


def test_a_server_that_is_restarted_is_waited_for(serve, make_captioner, make_requests) -> None:
    server, requests = serve(delay=0.02), make_requests(60)

    async def run() -> list[Any]:
        captioner = make_captioner(server, concurrency=4)
        asked = [asyncio.create_task(captioner.ask(request)) for request in requests]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        try:
            return await asyncio.gather(*asked)
        finally:
            await captioner.close()

    assert all(isinstance(outcome, Answer) for outcome in asyncio.run(run()))
    assert server.answered().keys() == {request.id for request in requests}


def test_a_server_that_was_never_there_ends_the_run_soon(serve, ask_all, make_requests) -> None:
    server = serve()
    server.stop()
    notices: list[str] = []
    began = time.monotonic()
    fields = {"first_patience": 0.6, "backoff_limit": 30.0, "say": notices.append}
    outcomes = ask_all(make_requests(12), server, patience=30.0, backoff=0.1, **fields)
    assert 0.5 < time.monotonic() - began < 6
    assert {type(outcome) for outcome in outcomes} == {BuildError}
    for words in (server.url, "vllm serve", "--serve MODEL", "--patience SECONDS"):
        assert words in str(outcomes[0])
    assert len(notices) == 2
    assert "waiting for it, 0.6 s at most (--patience)" in notices[-1]


@pytest.mark.parametrize("reply", [{}, {"status": 503}, {"status": 429}, {"cut": True}], ids=str)
def test_a_server_that_was_reached_before_has_all_patience(
    serve, make_captioner, make_requests, reply
) -> None:
    server, (first, *others) = serve(reply), make_requests(9)
    fields = {"first_patience": 0.2, "patience": 1.0}

    async def run() -> list[Any]:
        captioner = make_captioner(server, **fields)
        try:
            await asyncio.wait([asyncio.ensure_future(captioner.ask(first))], timeout=0.5)
            await asyncio.to_thread(server.stop)
            began = time.monotonic()
            asked = map(captioner.ask, others)
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            assert time.monotonic() - began > 0.9
            return outcomes
        finally:
            await captioner.close()

    outcomes = asyncio.run(run())
    assert {type(outcome) for outcome in outcomes} == {BuildError}
    assert server.url in str(outcomes[0])
    assert "same command again" in str(outcomes[0])


@pytest.mark.parametrize("fault", [{"status": 503}, {"answer": "malformed"}])
def test_a_server_that_always_fails_ends_the_run(serve, ask_all, make_requests, fault) -> None:
    server = serve(fault)
    outcomes = ask_all(make_requests(12), server, patience=0.5)
    assert {type(outcome) for outcome in outcomes} == {BuildError}
    assert len(server.log()) < 12 * 4, "it is left alone for most of the time"


def test_one_that_answers_small_calls_only_ends_the_run(serve, ask_all, make_requests) -> None:
    server = serve({"match": "^coco", "status": 500})
    outcomes = ask_all(make_requests(30), server, retries=0, concurrency=2)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds.count(Rejected) == 19
    assert kinds.count(BuildError) == 11


def test_others_take_over_from_an_endpoint_that_is_gone(serve, ask_all, make_requests) -> None:
    servers, requests = [serve(), serve(), serve()], make_requests(40)
    calm = ask_all(requests, servers[0])
    servers[1].stop()
    assert ask_all(requests, *servers, concurrency=6) == calm
    took = servers[2].answered()
    assert 4 < len(took) < 40


def test_an_endpoint_that_comes_back_gets_its_images_again(
    serve, make_captioner, make_requests
) -> None:
    servers = [serve(delay=0.02), serve(delay=0.02)]
    requests = make_requests(40)

    async def run() -> None:
        captioner = make_captioner(*servers, concurrency=4)
        await asyncio.to_thread(servers[1].stop)
        await asyncio.gather(*map(captioner.ask, requests))
        assert len(servers[0].answered()) == 40
        await asyncio.to_thread(servers[1].start)
        await asyncio.sleep(0.2)
        await asyncio.gather(*map(captioner.ask, requests))
        await captioner.close()

    asyncio.run(run())
    assert len(servers[1].answered()) > 3
    assert sum(servers[0].answered().values()) + sum(servers[1].answered().values()) == 80
