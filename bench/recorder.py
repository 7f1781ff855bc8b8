"""A captioner for benchmarks that records its requests and their times."""

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pipelines.recap.captioning.captioner import Answer, PromptImage, Request
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.chat import encode_request
from pipelines.recap.client.endpoints import Servers
from pipelines.recipes.recap import Captioning


class Run(msgspec.Struct):
    """The measures of a run, from the first call to the last answer."""

    calls: int
    seconds: float
    busy: float  # processor seconds of the client's process
    prompt_tokens: float  # mean per call
    completion_tokens: float  # mean per call
    cached_tokens: float = 0.0  # of the prompt's, mean per call


class Recorder(OpenAICaptioner):
    """A captioner that writes `run.json` and `requests.jsonl` into a folder when it is closed."""

    def __init__(self, servers: Servers, captioning: Captioning, folder: Path) -> None:
        super().__init__(servers, captioning)
        self._folder = folder
        self._asked: list[tuple[Request, PromptImage]] = []
        self._answers: list[Answer] = []
        self._began = (0.0, 0.0)
        self._ended = 0.0

    async def ask(self, request: Request) -> Answer:
        """Return the answer to a request, and record request, answer and time."""
        image = await request.load_image()
        if not self._asked:
            self._began = clocks()
        self._asked.append((request, image))
        answer = await super().ask(request)
        self._ended = time.perf_counter()
        self._answers.append(answer)
        return answer

    async def close(self) -> None:
        """Close all connections, and write the measures and the requests to files."""
        await super().close()
        run = Run(
            calls=len(self._answers),
            seconds=self._ended - self._began[0],
            busy=time.process_time() - self._began[1],
            prompt_tokens=_mean([answer.prompt_tokens for answer in self._answers]),
            completion_tokens=_mean([answer.completion_tokens for answer in self._answers]),
            cached_tokens=_mean([answer.cached_tokens for answer in self._answers]),
        )
        (self._folder / "run.json").write_bytes(msgspec.json.encode(run))
        with (self._folder / "requests.jsonl").open("wb") as lines:
            for request, image in self._asked:
                limit = {"max_tokens": request.max_tokens}
                lines.write(encode_request(request.prompt, image.pictures(), limit) + b"\n")


def clocks() -> tuple[float, float]:
    """Return the wall-clock time and this process's processor time, in seconds."""
    return time.perf_counter(), time.process_time()


def _mean(numbers: Sequence[int | msgspec.UnsetType | None]) -> float:
    return sum(number or 0 for number in numbers) / max(1, len(numbers))
