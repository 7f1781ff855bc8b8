"""A server and its clients: whole and streamed answers, refusals, limits, clients that go away."""

import asyncio
import json
import time

import aiohttp
import openai
import pytest
import torch

from model.serve import answering, batching, server
from tests.model.serve.requests import BOX, HELLO, PICTURE, URL, post, served, user

RUNS = {"size": [48, 64], "counts": [0, 1000, 2072]}


def client(address):
    return openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)


def test_openais_client_asks_about_regions_as_a_talk_does(opened):
    talk = opened.talk(PICTURE, [BOX, RUNS], max_new_tokens=9)
    expected = [talk.ask("Is region2 by region1?"), talk.ask("And region1?")]

    async def ask(address, _):
        async with client(address) as api:
            messages = [user("Is region2 by region1?", url=URL)]
            options = {"model": "tiny", "max_completion_tokens": 9}
            extra = {"regions": [BOX, RUNS]}
            first = await api.chat.completions.create(
                messages=messages, extra_body=extra, **options
            )
            messages.append({"role": "assistant", "content": first.choices[0].message.content})
            messages.append(user("And region1?"))
            stream = await api.chat.completions.create(
                messages=messages,
                extra_body=extra,
                stream=True,
                stream_options={"include_usage": True},
                **options,
            )
            chunks = [chunk async for chunk in stream]
            models = await api.models.list()
            return first, chunks, models

    first, chunks, models = served(opened, ask)
    assert first.choices[0].message.content == expected[0]
    assert (first.choices[0].finish_reason, first.usage.completion_tokens) == ("length", 9)
    assert first.usage.prompt_tokens + 9 == first.usage.total_tokens
    assert "".join(c.choices[0].delta.content or "" for c in chunks[:-1]) == expected[1]
    assert chunks[-2].choices[0].finish_reason == "length"
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 9)
    assert len({chunk.id for chunk in chunks}) == 1
    assert [model.id for model in models.data] == ["tiny"]


def test_a_stop_and_a_seed(regiongpt):
    async def ask(address, _):
        sampled = {**HELLO, "max_tokens": 12, "temperature": 1.5}
        texts = []
        for more in ({"seed": 1}, {"seed": 1}, {"seed": -5}, {"seed": 2**70}):
            _, answer = await post(address, {**sampled, **more})
            texts.append(answer["choices"][0]["message"]["content"])
        _, stopped = await post(address, {**sampled, "seed": 1, "stop": [texts[0][1:3]]})
        return texts, stopped["choices"][0]

    texts, stopped = served(regiongpt, ask)
    assert texts[0] == texts[1] != texts[2]
    assert stopped["message"]["content"] == texts[0][:1].strip()
    assert stopped["finish_reason"] == "stop"


def test_health_and_unknown_paths(regiongpt):
    async def ask(address, _):
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{address}/health") as health,
        ):
            healthy = health.status, await health.json()
        return healthy, await post(address, {}, "/v1/models"), await post(address, {}, "/secret")

    healthy, wrong_method, unknown = served(regiongpt, ask)
    assert healthy == (200, {"status": "ok"})
    assert (wrong_method[0], unknown[0]) == (405, 404)
    assert unknown[1]["error"]["type"] == "invalid_request_error"


LONG = {**HELLO, "max_tokens": 400}


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_ends_its_answer(regiongpt, slow, stream):
    async def ask(address, chat):
        leaving = asyncio.create_task(post(address, {**LONG, "stream": stream}))
        while not slow:
            await asyncio.sleep(0.01)
        leaving.cancel()
        began = time.monotonic()
        status, _ = await post(address, HELLO)
        return status, time.monotonic() - began, chat._open, chat.answered

    status, seconds, still_open, answered = served(regiongpt, ask)
    assert (status, still_open, answered) == (200, 0, 1)
    assert seconds < 4  # not the 8 seconds of the one who left
    assert slow[0].end == "cancelled"
    assert slow[0].tokens < 200


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_takes_too_long_is_given_up(regiongpt, slow, stream):
    async def ask(address, chat):
        async with aiohttp.ClientSession() as session:
            body = json.dumps({**LONG, "stream": stream}).encode()
            async with session.post(f"{address}/v1/chat/completions", data=body) as reply:
                content = (await reply.read()).decode()
        return reply.status, content, (await post(address, HELLO))[0], chat._open

    status, content, later, still_open = served(regiongpt, ask, seconds=0.5)
    assert (later, still_open) == (200, 0)
    assert "the answer took more than 0.5 s" in content
    assert slow[0].end == "cancelled"
    if stream:
        assert (status, content.endswith("data: [DONE]\n\n")) == (200, True)
    else:
        assert (status, json.loads(content)["error"]["type"]) == (504, "server_error")


def test_more_than_can_wait_are_sent_away(regiongpt, slow):
    async def ask(address, chat):
        several = await asyncio.gather(*(post(address, {**HELLO}) for _ in range(9)))
        return [status for status, _ in several], several, await post(address, HELLO)

    statuses, several, later = served(regiongpt, ask, batch=1, waiting=2)
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 2
    assert "too many requests wait: try again" in str(several)
    assert later[0] == 200


def test_what_waits_at_once_is_answered_together_and_as_each_alone(opened, monkeypatch):
    sizes = []
    generate = answering.generate_answers

    def noted(model, processor, inputs, answers):
        sizes.append(len(answers))
        generate(model, processor, inputs, answers)

    monkeypatch.setattr(batching, "generate_answers", noted)
    bodies = [
        {
            **HELLO,
            "max_tokens": 3 + number,
            "regions": [[number, 2, 30 + number, 40]],
            "messages": [user(f"What is region1? {'Well? ' * number}", url=URL)],
        }
        for number in range(8)
    ] + [HELLO]

    async def ask(address, _):
        together = await asyncio.gather(*(post(address, body) for body in bodies))
        sizes.append(0)
        return together, [await post(address, body) for body in bodies]

    together, alone = served(opened, ask, window=0.3)
    texts = [
        [reply["choices"][0]["message"]["content"] for _, reply in replies]
        for replies in (together, alone)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 1
    assert max(sizes[: sizes.index(0)]) == len(bodies)
    assert set(sizes[sizes.index(0) + 1 :]) == {1}


def test_a_batch_that_is_too_large_is_answered_in_halves(regiongpt, monkeypatch):
    sizes = []
    generate = answering.generate_answers

    def short_of_memory(model, processor, inputs, answers):
        sizes.append(len(answers))
        if len(answers) > 2 or any(answer.settings.max_new_tokens == 7 for answer in answers):
            raise torch.OutOfMemoryError
        generate(model, processor, inputs, answers)

    monkeypatch.setattr(batching, "generate_answers", short_of_memory)

    async def ask(address, _):
        bodies = [HELLO] * 4 + [{**HELLO, "max_tokens": 7}]
        return await asyncio.gather(*(post(address, body) for body in bodies))

    replies = served(regiongpt, ask, window=0.3)
    assert [status for status, _ in replies] == [200] * 4 + [500]
    assert "takes more memory than the device has" in replies[-1][1]["error"]["message"]
    assert max(sizes) == 5


def test_a_defect_ends_the_server(regiongpt, monkeypatch):
    def broken(*_):
        raise KeyError("a defect")

    monkeypatch.setattr(batching, "generate_answers", broken)
    monkeypatch.setattr(server, "_ENDING", 0.1)

    async def ask(address, _):
        return await post(address, HELLO)

    with pytest.raises(KeyError, match="a defect"):
        served(regiongpt, ask)
