"""The speed of `regionforge serve` in micro-batches, beside one request at a time.

    python -m bench.serving [--calls N] [--concurrency N]

Two servers of the same tiny model answer the same questions about a region, of 32 tokens each: one
answers up to 16 requests together, the other one at a time. The same number is in flight at both.
Every answer is checked to be that of the other server.
"""

import argparse
import asyncio
import base64
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import openai
from PIL import Image

from model.tiny import write_tiny_model

CHECKOUT = Path(__file__).resolve().parent.parent
CALLS, CONCURRENCY, BATCH, TOKENS = 1000, 16, 16, 32
SIDE = 64  # pixels
_ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # so small a model gains nothing from a second one
TARGET = "none lost, and 3 times the speed of one request at a time"

Answers = dict[int, str]  # by number of the call


def measure_serving(calls: int = CALLS, concurrency: int = CONCURRENCY) -> None:
    """Run both servers, and print their speeds and the ratio."""
    print(
        f"\n{calls} requests, {concurrency} in flight, {TOKENS} tokens each\n  target: {TARGET}",
        flush=True,
    )
    speeds, answers = list[float](), list[Answers]()
    with tempfile.TemporaryDirectory() as folder:
        write_tiny_model(f"{folder}/tiny")
        for batch, number in ((BATCH, calls), (1, max(concurrency, calls // 5))):
            with served(f"{folder}/tiny", batch) as address:
                asyncio.run(ask_all(address, 2 * concurrency, concurrency))  # to warm up
                began = time.monotonic()
                answers.append(asyncio.run(ask_all(address, number, concurrency)))
                speeds.append(number / (time.monotonic() - began))
            lost = number - len(answers[-1])
            print(f"  batches of {batch}: {speeds[-1]:.1f} requests/s, {lost} lost", flush=True)
    together, alone = answers
    differing = sum(together.get(number) != text for number, text in alone.items())
    print(f"  {speeds[0] / speeds[1]:.2f} x one at a time; {differing} answers differ", flush=True)


@contextmanager
def served(folder: str, batch: int, *further: str) -> Iterator[str]:
    """Serve a model, and yield the address of its endpoint.

    Args:
        folder: of the model.
        batch: the largest number of requests that are answered together.
        further: flags of `regionforge serve`.
    """
    command = [sys.executable, "-m", "regionforge", "serve", "--checkpoint", folder]
    command += ["--port", "0", "--batch", str(batch), "--device", "cpu", *further]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, **_ONE_THREAD},
    ) as server:
        assert server.stdout
        try:
            match = re.search(r"http://\S+", server.stdout.readline())
            assert match, "the server says where it listens"
            yield match[0]
        finally:
            server.terminate()


async def ask_all(address: str, calls: int, concurrency: int) -> Answers:
    """Ask all questions, some at once; return the answers, without those that failed.

    Args:
        address: of the endpoint.
        calls: the number of questions.
        concurrency: the number of requests in flight.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    stored = BytesIO()
    Image.fromarray(pixels).save(stored, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(stored.getvalue()).decode()}"
    numbers, answers = iter(range(calls)), Answers()

    async def ask(client: openai.AsyncOpenAI) -> None:
        for number in numbers:
            x, y = number % 40, number // 40 % 40
            try:
                answer = await client.chat.completions.create(
                    model="tiny",
                    max_tokens=TOKENS,
                    extra_body={"regions": [[x, y, x + 20, y + 20]]},
                    messages=[
                        {
                            "role": "user",
                            "content": [
                                {"type": "image_url", "image_url": {"url": url}},
                                {"type": "text", "text": f"What is region1? {number}"},
                            ],
                        }
                    ],
                )
            except openai.OpenAIError as error:
                print(f"  call {number}: {error}", flush=True)
            else:
                answers[number] = answer.choices[0].message.content or ""

    async with openai.AsyncOpenAI(base_url=address, api_key="none", max_retries=0) as client:
        await asyncio.gather(*(ask(client) for _ in range(concurrency)))
    return answers


def main() -> None:
    """Run both servers with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=CALLS, metavar="N")
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY, metavar="N")
    args = parser.parse_args()
    measure_serving(args.calls, args.concurrency)


if __name__ == "__main__":
    main()
