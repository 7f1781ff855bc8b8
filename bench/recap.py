"""The speed of the captioning client compared with OpenAI's client, on a stub server.

    python -m bench.recap [--pairs N] [--calls N] [--concurrency N]

The captioning client is `OpenAICaptioner`. The peers only gather calls of `AsyncOpenAI` behind a
semaphore, one peer for each transport of OpenAI's client; the last peer makes one call at a time.
All clients send the same prompts and picture to the same server, in turn. The server takes 50 ms
for a call and runs in a separate process. Its processor load is printed, since a busy server would
limit all clients.
"""

import argparse
import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import openai
from PIL import Image

from pipelines.recap.captioning.captioner import PromptImage, Request
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.endpoints import Servers
from pipelines.recipes.recap import Captioning

CHECKOUT = Path(__file__).resolve().parent.parent
_DELAY_SECONDS = 0.05
SIDE = 512  # pixels; the default limit of `recap`
TOKENS = 384
PROMPT = "Describe what is in the picture in detail, number {}."
CALLS, CALLS_ONE_BY_ONE, CONCURRENCY = 1500, 40, 64
TARGET = "0.9 of the faster peer's speed, and 20 times that of one call after the other"

Ask = Callable[[int], Awaitable[str]]


def compare_clients(rounds: int, calls: int = CALLS, concurrency: int = CONCURRENCY) -> None:
    """Run the rounds and print the ratios of speeds."""
    print(
        f"\n{calls} calls, {concurrency} at a time, of 50 ms each\n  target: {TARGET}", flush=True
    )
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.json"
        script.write_text(json.dumps({"delay": _DELAY_SECONDS}), encoding="utf-8")
        command = [sys.executable, "-m", "bench.stub_server", "--script", str(script)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=CHECKOUT) as server:
            assert server.stdout
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            asyncio.run(_compare(url, server.pid, rounds, (calls, concurrency)))
            server.kill()


async def _compare(url: str, server: int, rounds: int, size: tuple[int, int]) -> None:
    calls, concurrency = size
    jpeg = _picture()
    captioner = _captioner(url, concurrency)
    peers = {
        "peer on aiohttp": _peer(url, openai.DefaultAioHttpClient()),
        "peer on httpx": _peer(url, openai.DefaultAsyncHttpxClient()),
    }
    ways = {"ours": _ours(captioner, jpeg)}
    ways |= {name: _theirs(client, jpeg) for name, client in peers.items()}
    speeds: dict[str, list[float]] = defaultdict(list)
    for way in ways.values():
        await _timed(way, concurrency, concurrency)  # opens the connections
    for turn in range(1, rounds + 1):
        began, busy = time.monotonic(), _cpu_seconds(server)
        for name, way in ways.items():
            speeds[name].append(await _timed(way, calls, concurrency))
        peer = ways["peer on aiohttp"]
        speeds["one by one"].append(await _timed(peer, CALLS_ONE_BY_ONE, 1))
        share = (_cpu_seconds(server) - busy) / (time.monotonic() - began)
        latest = ", ".join(f"{name} {speed[-1]:.0f}" for name, speed in speeds.items())
        print(f"  round {turn}: calls/s: {latest}; server busy {share:.0%}", flush=True)
    ours = speeds.pop("ours")
    for name, speed in speeds.items():
        ratios = [mine / other for mine, other in zip(ours, speed, strict=True)]
        middle = statistics.median(ratios)
        print(f"  ours / {name}: {middle:.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")
    await captioner.close()
    for client in peers.values():
        await client.close()


async def _timed(ask: Ask, calls: int, concurrency: int) -> float:
    """Make calls and return the number of answers per second."""
    slots = asyncio.Semaphore(concurrency)

    async def call(number: int) -> None:
        async with slots:
            assert await ask(number)

    began = time.perf_counter()
    await asyncio.gather(*map(call, range(calls)))
    return calls / (time.perf_counter() - began)


def _captioner(url: str, concurrency: int) -> OpenAICaptioner:
    servers = Servers(endpoints=(url,), concurrency=concurrency)
    return OpenAICaptioner(servers, Captioning(model="stub", temperature=0.2, top_p=1.0))


def _ours(captioner: OpenAICaptioner, jpeg: bytes) -> Ask:
    async def load_image() -> PromptImage:
        return PromptImage(jpeg)

    async def ask(number: int) -> str:
        request = Request(
            id=f"bench/{number}",
            image_rank=number,
            prompt=PROMPT.format(number),
            load_image=load_image,
            max_tokens=TOKENS,
        )
        return (await captioner.ask(request)).text

    return ask


def _peer(url: str, transport: openai.DefaultAsyncHttpxClient) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=url, api_key="EMPTY", max_retries=0, http_client=transport)


def _theirs(client: openai.AsyncOpenAI, jpeg: bytes) -> Ask:
    async def ask(number: int) -> str:
        picture = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
        answer = await client.chat.completions.create(
            model="stub",
            temperature=0.2,
            top_p=1.0,
            max_tokens=TOKENS,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": picture}},
                        {"type": "text", "text": PROMPT.format(number)},
                    ],
                }
            ],
        )
        return answer.choices[0].message.content or ""

    return ask


def _picture() -> bytes:
    """Return a JPEG with about as many bytes as a photograph of this size."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    room = BytesIO()
    Image.fromarray(noise).resize((SIDE, SIDE)).save(room, "JPEG", quality=90)
    return room.getvalue()


def _cpu_seconds(process: int) -> float:
    """Return the processor seconds of a process, or 0 without /proc."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, metavar="N")
    parser.add_argument("--calls", type=int, default=CALLS, metavar="N")
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY, metavar="N")
    args = parser.parse_args()
    compare_clients(args.pairs, args.calls, args.concurrency)
