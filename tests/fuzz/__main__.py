"""The command behind `make fuzz`: damaged inputs by the thousand, and what became of them.

    python -m tests.fuzz                                      all of it, as a table
    python -m tests.fuzz --case annotations-world:317         one case again, with a short input
    python -m tests.fuzz --only kills --folder a              a piece of it
    python -m tests.fuzz --report a --report b                the reports of pieces as one

Every choice follows from `--seed`. A case that fails is printed with the command that repeats it.
"""

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TextIO

from tests.forks import Forks, Order, Process
from tests.fuzz.report import RESULTS, Report, joined
from tests.fuzz.result import Result

CASES = {
    "kills": 170,
    "recap-kills": 30,
    "builds": 200,
    "pictures": 5,
    "answers": 12,
    "rows": 20,
    "annotations-world": 7_000,
    "annotations-real": 3_000,
}
ADDRESS_SPACE = 6 << 30  # bytes of one worker
SILENCE_SECONDS = 240.0  # of a worker that is stuck in C code

Chunk = tuple[str, range]


def main(argv: Sequence[str] | None = None) -> int:
    """Run all cases, some, or one; return 1 where one failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="for worlds, results and failures; kept")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=40.0, help="then no case is begun")
    parser.add_argument("--only", action="append", metavar="STAGE[=N]", help="some stages alone")
    parser.add_argument("--case", metavar="STAGE:N", help="one case again")
    parser.add_argument(
        "--report", action="append", type=Path, metavar="FOLDER", help="report past runs as one"
    )
    args = parser.parse_args(argv)
    if args.report:
        report = joined(args.report)
        print(report.text(args.report[0]))
        return 1 if report.faulty else 0
    folder = args.folder or Path(tempfile.mkdtemp(prefix="regionforge-fuzz-"))
    from tests.fuzz.stages import prepare

    prepare(folder)
    if args.case:
        return _repeat(folder, args.seed, args.case)
    return _run(folder, args)


def _run(folder: Path, args: argparse.Namespace) -> int:
    from tests.fuzz.stages import STAGES

    wanted = dict(_wanted(args.only)) if args.only else CASES
    chunks: SimpleQueue[Chunk] = SimpleQueue()
    for chunk in _interleaved({name: (n, STAGES[name].chunk) for name, n in wanted.items()}):
        chunks.put(chunk)
    workers = Forks()  # before there are threads
    report, began = Report(seed=args.seed), time.monotonic()
    end = began + 60 * args.minutes
    log = folder / RESULTS
    with log.open("w", encoding="utf-8") as lines:
        lock = threading.Lock()

        def note(result: Result) -> None:
            with lock:
                lines.write(result.line() + "\n")
                report.add(result)

        def work() -> None:
            while True:
                try:
                    chunk = chunks.get_nowait()
                except Empty:
                    return
                if time.monotonic() > end:
                    report.left_out[chunk[0]] += len(chunk[1])
                    continue
                for result in _results(workers, folder, args.seed, chunk):
                    note(result)

        threads = [threading.Thread(target=work) for _ in range(args.workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    workers.end()
    report.seconds = time.monotonic() - began
    report.save(folder)
    print(report.text(folder))
    return 1 if report.faulty else 0


def _interleaved(stages: dict[str, tuple[int, int]]) -> list[Chunk]:
    """Return the chunks of stages, given their cases and the size of a chunk, in equal measure."""
    chunks = [
        (start / number, (name, range(start, min(number, start + size))))
        for name, (number, size) in stages.items()
        for start in range(0, number, size)
    ]
    return [chunk for _, chunk in sorted(chunks, key=lambda each: (each[0], each[1][0]))]


def _wanted(only: list[str]) -> Iterator[tuple[str, int]]:
    for each in only:
        name, _, number = each.partition("=")
        yield name, int(number) if number else CASES[name]


def _results(workers: Forks, folder: Path, seed: int, chunk: Chunk) -> Iterator[Result]:
    """Yield the results of a chunk; a worker that dies costs the case that it was at."""
    name, numbers = chunk
    while numbers:
        done = 0
        worker, lines = _started(workers, folder, seed, (name, numbers))
        kill = partial(os.kill, worker.pid, signal.SIGKILL)
        with lines:
            watchdog = threading.Timer(SILENCE_SECONDS, kill)
            watchdog.start()
            for line in lines:
                watchdog.cancel()
                watchdog = threading.Timer(SILENCE_SECONDS, kill)
                watchdog.start()
                if line.startswith('{"case"'):
                    done += 1
                    yield Result.from_line(line)
            watchdog.cancel()
        status = worker.wait()
        if done < len(numbers) and status:
            case = f"{name}:{numbers[done]}"
            died = f"the process died with status {status}"
            yield Result(case=case, target=name, outcome="died", faults=[died])
            done += 1
        numbers = numbers[done:]


def _started(workers: Forks, folder: Path, seed: int, chunk: Chunk) -> tuple[Process, TextIO]:
    """Start a worker; return it, and the lines that it writes."""
    name, numbers = chunk
    order = Order(
        call="tests.fuzz.__main__:work",
        given=[str(folder), seed, name, numbers.start, numbers.stop],
        folder=os.getcwd(),
        environment=dict(os.environ),
    )
    reader, writer = os.pipe()
    with open(os.devnull, "rb") as nothing, (folder / "errors.txt").open("ab") as errors:
        worker = workers.start(order, [nothing.fileno(), writer, errors.fileno()])
    os.close(writer)
    return worker, open(reader, encoding="utf-8")


def work(folder: str, seed: int, name: str, start: int, stop: int) -> None:
    """Run the cases of a chunk in this process; write a line for each."""
    from tests.fuzz.stages import STAGES, Setting

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"{name}-{start}-") as scratch:
        tempfile.tempdir = scratch  # of all that the cases start
        setting = Setting(folder=Path(folder), scratch=Path(scratch), seed=seed)
        for result in STAGES[name].run(setting, range(start, stop)):
            print(result.line(), flush=True)


def _repeat(folder: Path, seed: int, case: str) -> int:
    """Run one case again, and write a short input that fails in the same way."""
    from tests.fuzz.stages import STAGES, Setting, shrink

    name, number = case.rsplit(":", 1)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        tempfile.tempdir = scratch
        setting = Setting(folder=folder, scratch=Path(scratch), seed=seed)
        (result,) = STAGES[name].run(setting, [int(number)])
        print(json.dumps(json.loads(result.line()), indent=1))
        if result.faults and name.startswith("annotations-"):
            short = shrink(setting, name.removeprefix("annotations-"), int(number))
            path = folder / f"{name}-{number}{Path(result.file).suffix}"
            path.write_bytes(short)
            print(f"{len(short)} bytes that fail in the same way: {path}\n{short[:2_000]!r}")
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
