"""`make bench-vllm`: the speed of `recap` compared with vLLM's load generator, on one server.

    python -m bench.against_vllm VLLM [--pairs N] [--images N] [--side N] [--concurrency N]
        [--views both]

VLLM is the folder that `python -m tests.vllm.environment` prints: a vLLM for CPUs and a tiny model.
In each round a whole run of `recap` captions the same photographs. Then the load generator sends
the requests that `recap` has sent, and then OpenAI's client sends them, first concurrently, then
one at a time. All calls have the same pictures, prompts and sampling, and all answers have the same
length. The server caches nothing, so that no client profits from the calls of an earlier one.

The time of `recap` runs from its first call to its last answer. It includes reading and cropping
pictures, checking captions, and writing journals and shards. The load generator streams answers, as
it always does; the other clients do not.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import msgspec
import openai

from bench.full_size_world.coco import CocoSet, write_photo_set
from bench.recorder import Recorder, Run, clocks
from pipelines.datasets.spec import SourceRequest
from pipelines.recap.client.endpoints import Servers
from pipelines.recap.flow import CaptionTools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.run import run_recap
from pipelines.recap.serving.command import find_vllm, parse_serve_args, serve_command
from pipelines.recap.serving.server import KEY_VARIABLE, Server, Serving
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe
from pipelines.recipes.recap_presets import Views

_LOAD = Path(__file__).parent / "vllm_load.py"
MODEL = "tiny"
_SERVE = "--dtype float32 --max-model-len 1024 --no-enable-log-requests"
_NO_CACHE = "--no-enable-prefix-caching --mm-processor-cache-gb 0"
CALLS_ONE_BY_ONE = 150
TARGET = "0.9 of the load generator's speed, and 3 times that of one call after the other"


def compare(args: argparse.Namespace) -> None:
    """Run the rounds and print the ratios of speeds."""
    python = args.vllm / "bin/python"
    pictures = captioning_of(args).pictures
    with (
        tempfile.TemporaryDirectory() as name,
        served(args.vllm, args.model, Path(name), _NO_CACHE, pictures) as server,
    ):
        folder = Path(name)
        photos = write_photo_set(folder / "photos", args.images)
        print(f"\ntarget: {TARGET}", flush=True)
        speeds: dict[str, list[float]] = defaultdict(list)
        for turn in range(1, args.pairs + 1):
            ours = alone(recap_run, photos, server.url, args, folder / f"round-{turn}")
            requests = folder / f"round-{turn}/requests.jsonl"
            if turn == 1:
                _describe(requests, args.concurrency)
            runs = {"recap": ours, "load generator": _load(python, server.url, args, requests)}
            bodies = requests.read_bytes().splitlines()
            runs["OpenAI's client"] = alone(_plain_run, server.url, bodies, args.concurrency)
            few = bodies[:: len(bodies) // CALLS_ONE_BY_ONE]
            runs["one by one"] = alone(_plain_run, server.url, few, 1)
            for way, run in runs.items():
                speeds[way].append(run.calls / run.seconds)
            _tell(turn, runs)
        ours_speeds = speeds.pop("recap")
        for way, other_speeds in speeds.items():
            ratios = [mine / other for mine, other in zip(ours_speeds, other_speeds, strict=True)]
            middle = statistics.median(ratios)
            print(f"  recap / {way}: {middle:.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


@contextmanager
def served(vllm: Path, model: Path, folder: Path, flags: str, pictures: int) -> Iterator[Server]:
    """Serve a model for the time of a block.

    Args:
        vllm: the folder of vLLM's environment.
        model: the folder of the model.
        folder: the folder of the server's log.
        flags: flags of vLLM, after those that all servers here have.
        pictures: the largest number of pictures in a request.
    """
    environment = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    os.environ.update(environment)
    begin = find_vllm(str(vllm / "bin/python"))
    words = parse_serve_args(f"{_SERVE} {flags}", pictures)
    command = partial(serve_command, begin, str(model), MODEL, words)
    serving = Serving(command=command, log=str(folder / "server.log"), patience=600.0)
    with Server(serving) as server:
        server.start()
        ends: list[Future[Any]] = [server.ready, server.lost]
        wait(ends, return_when=FIRST_COMPLETED)
        if not server.ready.done():
            sys.exit(server.lost.result())
        os.environ["OPENAI_API_KEY"] = os.environ[KEY_VARIABLE]
        yield server


def alone(work: Callable[..., Run], *given: Any) -> Run:
    """Run a function in a separate process, since this process supervises the server."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def captioning_of(args: argparse.Namespace) -> Captioning:
    """Return the settings of captioner and prompts in a bench."""
    views = {"views": args.views, "context": 0.5, "global_caption": False}
    return Captioning(
        model=MODEL,
        max_pixels=args.side**2,
        temperature=0.2,
        top_p=1.0,
        **(views if args.views != "crop" else {}),
    )


def recap_run(photos: CocoSet, url: str, args: argparse.Namespace, folder: Path) -> Run:
    """Run `recap` on the photographs and return the measures of the run."""
    folder.mkdir()
    paths = {"train": str(photos.annotations), "images": str(photos.pictures)}
    captioning = captioning_of(args)
    recipe = RecapRecipe(
        sources=(SourceRequest(name="coco", label_set="COCO-80", paths=paths),),
        captioning=captioning,
        filter=Filter(),
    )
    servers = Servers(endpoints=(url,), concurrency=args.concurrency)
    captioner = partial(Recorder, servers, captioning, folder)
    tools = CaptionTools(captioner=captioner, scorer=None, concurrent_images=args.concurrency)
    run_recap(recipe, make_recap_plan(recipe, "", str(folder / "out")), tools)
    return msgspec.json.decode((folder / "run.json").read_bytes(), type=Run)


def _load(python: Path, url: str, args: argparse.Namespace, requests: Path) -> Run:
    command = [python, "-P", _LOAD, url, MODEL, str(args.concurrency), requests]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"vLLM's load generator failed:\n{done.stderr[-2000:]}")
    measures = json.loads(done.stdout.splitlines()[-1])
    assert not measures["failed"], f"{measures['failed']} calls of the load generator failed"
    return msgspec.convert(measures, type=Run)


def _plain_run(url: str, bodies: list[bytes], concurrency: int) -> Run:
    return asyncio.run(_plain(url, bodies, concurrency))


async def _plain(url: str, bodies: list[bytes], concurrency: int) -> Run:
    """Send requests with OpenAI's client and return the measures of the run."""
    places = asyncio.Semaphore(concurrency)
    http = openai.DefaultAioHttpClient()
    async with openai.AsyncOpenAI(base_url=url, max_retries=0, http_client=http) as client:

        async def ask(body: bytes) -> Any:
            async with places:
                words = json.loads(body)
                answer = await client.chat.completions.create(
                    model=MODEL, temperature=0.2, top_p=1.0, **words
                )
            assert answer.usage
            return answer.usage

        await asyncio.gather(*map(ask, bodies[:concurrency]))  # opens the connections
        began = clocks()
        usages = await asyncio.gather(*map(ask, bodies))
        ended = clocks()
    return Run(
        calls=len(bodies),
        seconds=ended[0] - began[0],
        busy=ended[1] - began[1],
        prompt_tokens=statistics.fmean(usage.prompt_tokens for usage in usages),
        completion_tokens=statistics.fmean(usage.completion_tokens for usage in usages),
    )


def _describe(requests: Path, concurrency: int) -> None:
    lines = requests.read_bytes().splitlines()
    size = statistics.fmean(map(len, lines)) / 1e3
    print(f"{len(lines)} calls of {size:.0f} kB on average, {concurrency} at a time", flush=True)


def _tell(turn: int, runs: dict[str, Run]) -> None:
    print(f"  round {turn}, at a load of {os.getloadavg()[0]:.1f}:")
    for way, run in runs.items():
        tokens = f"{run.prompt_tokens:.0f} + {run.completion_tokens:.1f} tokens"
        busy = f"{run.busy / run.calls * 1e3:.1f} ms of processor in the client"
        print(
            f"    {way}: {run.calls / run.seconds:.1f} calls/s, {tokens} and {busy} each",
            flush=True,
        )


def make_parser(about: str) -> argparse.ArgumentParser:
    """Return a parser with the arguments of every bench with vLLM."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("vllm", type=Path, metavar="VLLM")
    parser.add_argument("--model", type=Path, metavar="DIR", help="the tiny model (VLLM/llava)")
    parser.add_argument("--images", type=int, default=300, metavar="N")
    parser.add_argument("--side", type=int, default=336, metavar="N", help="of the largest picture")
    parser.add_argument("--concurrency", type=int, default=64, metavar="N")
    parser.add_argument("--views", choices=get_args(Views), default="crop")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the arguments of a bench, with the environment's own model unless another is given."""
    args = parser.parse_args()
    args.model = args.model or args.vllm / "llava"
    return args


if __name__ == "__main__":
    parser = make_parser(__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3, metavar="N")
    compare(parse(parser))
