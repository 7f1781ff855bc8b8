"""`serve --engine vllm` with a stand-in for vLLM: the same answers, and what may go wrong."""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import torch

from model.presets import tiny_gpt4roi
from model.serve.opened import OpenedModel
from model.serve.server import Limits
from regionforge.vllm_engine.engine import VllmEngine
from regionforge.vllm_engine.starting import vllm_engine
from schemas.errors import RegionForgeError, UsageError
from tests.lively import write_lively_model
from tests.model.serve.requests import BOX, HELLO, post, served
from tests.regionforge.vllm_engine.asking import SIXTEEN, all_of, flags, opened_from

torch.set_num_threads(1)


class StandIn:
    """A stand-in that is up, and the model whose language model it has."""

    def __init__(self, opened: OpenedModel, engine: Any, record: Path) -> None:
        self.opened, self._server, self._record = opened, engine._server, record

    def engine(self) -> VllmEngine:
        return VllmEngine(self.opened, self._server)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._record.read_text("utf-8").splitlines()]

    def mood(self, name: str | None) -> None:
        file = Path(f"{self._record}.mood")
        file.unlink(missing_ok=True) if name is None else file.write_text(name, "utf-8")

    def asked(self, talk, **limits):
        return served(self.opened, talk, self.engine, **limits)


@pytest.fixture(scope="module")
def up(program, folder, tmp_path_factory):
    """A stand-in with the language model of that RegionGPT."""
    record = tmp_path_factory.mktemp("record") / "lines"
    opened = opened_from(folder)
    with vllm_engine(flags(program, record))(opened, Limits(batch=7)) as engine:
        yield StandIn(opened, engine, record)


@pytest.fixture
def stand_in(up):
    """The same in its usual mood."""
    yield up
    up.mood(None)


def test_it_is_started_for_this_model(stand_in):
    (line, *_) = stand_in.lines()
    assert line["enable_prompt_embeds"]
    assert (line["max_num_seqs"], line["dtype"], line["max_model_len"]) == ("7", "float32", 2048)
    assert (line["generation_config"], line["served_model_name"]) == ("vllm", "language")
    # The layers of the language model are in vLLM alone.
    names = dict(stand_in.opened.model.language_model.named_parameters())
    assert list(names) == ["words.weight"]


def test_answers_are_those_of_the_other_engine(stand_in, folder):
    async def talk(address, _):
        return await all_of(address, SIXTEEN)

    theirs = stand_in.asked(talk)
    assert theirs == served(opened_from(folder), talk)
    assert len({text for _, text, _ in theirs}) > 8
    assert {status for status, _, _ in theirs} == {200}


def test_gpt4roi(program, tmp_path):
    write_lively_model(tmp_path / "gpt4roi", tiny_gpt4roi())
    opened = opened_from(tmp_path / "gpt4roi")

    async def talk(address, _):
        return await all_of(address, SIXTEEN[:4])

    with vllm_engine(flags(program, tmp_path / "lines"))(opened, Limits()) as engine:
        theirs = StandIn(opened, engine, tmp_path / "lines").asked(talk)
    assert theirs == served(opened_from(tmp_path / "gpt4roi"), talk)


def test_a_stream_and_a_stop(stand_in, folder):
    body = {**SIXTEEN[15], "stream": True, "stream_options": {"include_usage": True}}

    async def talk(address, _):
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{address}/v1/chat/completions", json=body) as reply,
        ):
            *events, last = [
                line[6:] for line in (await reply.text()).split("\n\n") if line.strip()
            ]
        assert last == "[DONE]"
        parts = [json.loads(event) for event in events]
        return [p["choices"][0]["delta"].get("content", "") for p in parts[:-1]], parts[-1]["usage"]

    parts, usage = stand_in.asked(talk)
    whole = "".join(parts)
    assert len([part for part in parts if part]) > 2
    assert usage["completion_tokens"] == 19
    (status, text, end), *_ = stand_in.asked(
        lambda address, _: all_of(address, [{**SIXTEEN[15], "stop": whole[3:5]}])
    )
    assert (status, text, end) == (200, whole[:3].rstrip(), "stop")


def test_a_client_that_goes_ends_its_answer(stand_in):
    stand_in.mood("hang")
    body = {**HELLO, "max_tokens": 500}

    async def talk(address, chat):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(post(address, body), 1.0)
        return await gone(stand_in, body["max_tokens"])

    assert stand_in.asked(talk)


def test_an_answer_that_takes_too_long_is_given_up(stand_in):
    stand_in.mood("hang")
    body = {**HELLO, "max_tokens": 501}

    async def talk(address, chat):
        status, reply = await post(address, body)
        return status, reply["error"]["message"], await gone(stand_in, body["max_tokens"])

    assert stand_in.asked(talk, seconds=1.0) == (504, "the answer took more than 1 s", True)


async def gone(stand_in: StandIn, request: int) -> bool:
    end = time.monotonic() + 30
    while {"gone": request} not in stand_in.lines():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("mood", "message"),
    [
        ("refuse", 'vLLM answers 400: {"error": {"message": "not today"}}'),
        ("break", "vLLM fails: {'message': 'out of sorts'}"),
    ],
)
def test_what_vllm_says_is_told(mood, message, stand_in):
    stand_in.mood(mood)
    status, body = stand_in.asked(lambda address, _: post(address, SIXTEEN[0]))
    assert (status, body["error"]["message"]) == (500, message)


def test_a_vllm_that_dies_is_started_anew(stand_in):
    stand_in.mood("die")

    async def talk(address, chat):
        first, _ = await post(address, HELLO)
        health = await get(address, "/health")
        end = time.monotonic() + 60
        while (status := (await post(address, HELLO))[0]) == 503:
            assert time.monotonic() < end
            await asyncio.sleep(0.2)
        return first, health, status, await get(address, "/health")

    assert stand_in.asked(talk) == (503, 503, 200, 200)


async def get(address: str, path: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(address + path) as reply:
        return reply.status


def test_a_vllm_that_does_not_come_up(program, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "lines.mood").write_text("dead", encoding="utf-8")
    start = vllm_engine(flags(program, tmp_path / "lines"))
    with (
        pytest.raises(RegionForgeError, match="the server did not come up: it ended with") as error,
        start(opened_from(folder), Limits()),
    ):
        pass
    assert "Head size 24 is not supported" in str(error.value)
    assert "by --vllm-args where flags of vLLM do so" in str(error.value)
    (log,) = tmp_path.glob("regionforge-vllm-*")  # of all files, the one that the error names
    assert str(log) in str(error.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--port 1", "--vllm-args: --port is not for you to choose: vLLM is for this server"),
        ("--ssl-keyfile x", "--vllm-args: --ssl-keyfile is not for you to choose: vLLM is for"),
        ("--max_num_seqs=4", "--vllm-args: --max-num-seqs is not for you to choose: it is --batch"),
        ("--dtype auto", "--vllm-args: --dtype is not for you to choose: it is --dtype"),
        ("--no-enable-prompt-embeds", "--enable-prompt-embeds is not for you to choose: prompts"),
        ("'", "--vllm-args: No closing quotation"),
    ],
)
def test_flags_of_vllm_that_are_ours(words, message, program):
    with pytest.raises(UsageError, match=message):
        vllm_engine(flags(program, more=words))


def test_regions_reach_it(stand_in):
    bodies = [{**SIXTEEN[15], "regions": [box]} for box in (BOX, [30, 10, 60, 40])]
    one, other = stand_in.asked(lambda address, _: all_of(address, bodies))
    assert one != other
